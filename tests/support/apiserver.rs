//! A real etcd and kube-apiserver, one for each test program.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use kube::{Client, Config, config::AuthInfo};
use serde_json::json;

use super::{
    audit,
    programs::{self, Kept, Running, Service},
};

/// How long the server may take to start, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who speaks to the server. All may do everything; the audit log tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// A person, and the tests themselves.
    Administrator,
    /// `hyperstudy controller`.
    Controller,
    /// What plays Argo's controller.
    Argo,
    /// Kubernetes' own controllers.
    Kubernetes,
}

impl User {
    /// The user's name, which is the token as well.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Controller => "controller",
            Self::Argo => "argo",
            Self::Kubernetes => "kubernetes",
        }
    }

    const ALL: [Self; 4] = [Self::Administrator, Self::Controller, Self::Argo, Self::Kubernetes];
}

/// A running API server.
pub struct ApiServer {
    url: String,
    audit: PathBuf,
    certificate: PathBuf,
    etcd: Service,
    _apiserver: Running,
    _data: Kept,
}

impl ApiServer {
    /// The server of this test program, started by whoever asks first, ended with the program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::started(&[]))
    }

    /// Another one, where it takes a right of its own to be the owner that an object's deletion waits for.
    pub fn that_guards_owning() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::started(&["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]))
    }

    /// One for a test that stops its etcd.
    pub fn alone() -> Self {
        Self::started(&[])
    }

    /// What it keeps its objects in.
    pub fn etcd(&self) -> &Service {
        &self.etcd
    }

    fn started(more: &[&str]) -> Self {
        let mut problem = String::new();
        // Another program may take a port between its choice and its use.
        for _ in 0..3 {
            match Self::start(more) {
                Ok(server) => return server,
                Err(e) => problem = e,
            }
        }
        panic!("no API server: {problem}")
    }

    /// A client that may do everything. Each test needs one of its own, as a client lives in its test's runtime.
    pub fn client(&self) -> Client {
        self.client_of(User::Administrator)
    }

    /// A client of this user.
    pub fn client_of(&self, user: User) -> Client {
        Client::try_from(config(&self.url, user).unwrap()).unwrap()
    }

    /// The text of a kubeconfig file for this user.
    pub fn kubeconfig(&self, user: User) -> String {
        let (url, name) = (&self.url, user.name());
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": self.certificate}}],
            "users": [{"name": name, "user": {"token": name}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        })
        .to_string()
    }

    /// The file of the audit log; [`super::audit`] reads it.
    pub fn audit(&self) -> &Path {
        &self.audit
    }

    /// A client that may do what RBAC lets this user do, a person or a service account by its whole name.
    pub fn client_as(&self, user: &str) -> Client {
        let mut config = config(&self.url, User::Administrator).unwrap();
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).unwrap()
    }

    fn start(more: &[&str]) -> Result<Self, String> {
        let say = |e: io::Error| e.to_string();
        let [client, peer, secure] = programs::free_ports().map_err(say)?;

        let data = Kept::new().map_err(say)?;
        let at = |port| format!("http://127.0.0.1:{port}");
        let arguments = vec![
            format!("--data-dir={}", data.folder.join("data").display()),
            format!("--listen-client-urls={}", at(client)),
            format!("--advertise-client-urls={}", at(client)),
            format!("--listen-peer-urls={}", at(peer)),
            format!("--initial-advertise-peer-urls={}", at(peer)),
            format!("--initial-cluster=default={}", at(peer)),
            "--unsafe-no-fsync=true".to_owned(),
        ];
        let etcd = Service::start(programs::server("etcd"), arguments).map_err(say)?;

        let own = programs::own_folder().map_err(say)?;
        let tokens = own.join("tokens.csv");
        let user = |user: &User| format!("{0},{0},{0},system:masters\n", user.name());
        let users: String = User::ALL.iter().map(user).collect();
        fs::write(&tokens, users).map_err(say)?;
        let policy = own.join("audit.yaml");
        fs::write(&policy, audit::POLICY).map_err(say)?;
        let audit = own.join("audit.log");
        // The server makes this key for itself; nobody asks for service account tokens here.
        let key = own.join("apiserver.key");
        let mut arguments = vec![
            format!("--etcd-servers={}", at(client)),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={secure}"),
            format!("--cert-dir={}", own.display()),
            format!("--token-auth-file={}", tokens.display()),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", key.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-log-path={}", audit.display()),
            // One file, in MiB.
            "--audit-log-maxsize=100000".to_owned(),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let mut apiserver = Running::start(&programs::server("kube-apiserver"), &arguments, &own).map_err(say)?;

        let url = format!("https://127.0.0.1:{secure}");
        wait(&config(&url, User::Administrator)?, &etcd, &mut apiserver)?;
        Ok(Self {
            url,
            audit,
            // It made that itself, with the authority that signed it.
            certificate: own.join("apiserver.crt"),
            etcd,
            _apiserver: apiserver,
            _data: data,
        })
    }
}

fn config(url: &str, user: User) -> Result<Config, String> {
    let mut config = Config::new(url.parse().map_err(|e| format!("{e}"))?);
    config.accept_invalid_certs = true;
    config.auth_info = AuthInfo {
        token: Some(user.name().to_owned().into()),
        ..AuthInfo::default()
    };
    Ok(config)
}

/// Waits until the server says that it is ready, or has ended.
fn wait(config: &Config, etcd: &Service, apiserver: &mut Running) -> Result<(), String> {
    let config = config.clone();
    let ready = async move |patience: Duration| {
        let client = Client::try_from(config.clone()).map_err(|e| e.to_string())?;
        let request = http::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|e| e.to_string())?;
        let answer = tokio::time::timeout(patience, client.request_text(request)).await;
        answer.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    };
    // A runtime of its own, in a thread of its own: the caller may be inside one.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| e.to_string())?;
            let start = Instant::now();
            loop {
                let problem = match runtime.block_on(ready(Duration::from_secs(5))) {
                    Ok(_) => return Ok(()),
                    Err(e) => e,
                };
                if etcd.has_ended() {
                    return Err(etcd.last_words());
                }
                if apiserver.has_ended() {
                    return Err(apiserver.last_words());
                }
                if start.elapsed() > PATIENCE {
                    return Err(format!("not ready: {problem}\n{}", apiserver.last_words()));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        waiting.join().map_err(|_| "waiting failed".to_owned())?
    })
}
