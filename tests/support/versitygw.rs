//! A real S3 server, versitygw.

use std::{
    fs,
    net::TcpStream,
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::programs::{self, Kept, Service};

/// How long the server may take to start, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// The access key and the secret key of every server.
pub const KEYS: [&str; 2] = ["test-access-key", "test-secret-key"];

/// A running server.
pub struct Versitygw {
    /// Its port on 127.0.0.1.
    pub port: u16,
    service: Service,
    data: Kept,
}

impl Versitygw {
    /// The server of this test program, started by whoever asks first, ended with the program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Versitygw> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(None))
    }

    /// Starts a server without buckets, without TLS or with this certificate and its key, both in PEM.
    pub fn start(tls: Option<(&str, &str)>) -> Self {
        let mut problem = String::new();
        // Another program may take a port between its choice and its use.
        for _ in 0..3 {
            match Self::try_start(tls) {
                Ok(server) => return server,
                Err(e) => problem = e,
            }
        }
        panic!("no S3 server: {problem}")
    }

    fn try_start(tls: Option<(&str, &str)>) -> Result<Self, String> {
        let program = programs::server("versitygw");
        let [port] = programs::free_ports().map_err(|e| e.to_string())?;
        let kept = Kept::new().map_err(|e| e.to_string())?;
        let own = &kept.folder;
        let [access, secret] = KEYS;
        let mut arguments = vec![
            format!("--port=127.0.0.1:{port}"),
            format!("--access={access}"),
            format!("--secret={secret}"),
            "--keep-alive".to_owned(),
            "--quiet".to_owned(),
        ];
        if let Some((certificate, key)) = tls {
            for (name, text) in [("cert", certificate), ("key", key)] {
                let file = own.join(name);
                fs::write(&file, text).map_err(|e| e.to_string())?;
                arguments.push(format!("--{name}={}", file.display()));
            }
        }
        // Extended attributes are not everywhere: what is not the content goes beside it. Users may come and go at any moment.
        let [data, beside, users] = ["data", "beside", "users"].map(|name| own.join(name));
        for folder in [&data, &beside, &users] {
            fs::create_dir(folder).map_err(|e| e.to_string())?;
        }
        arguments.push(format!("--iam-dir={}", users.display()));
        arguments.push("--iam-cache-disable".to_owned());
        let sidecar = format!("--sidecar={}", beside.display());
        arguments.extend(["posix".to_owned(), sidecar, data.display().to_string()]);
        let service = Service::start(program, arguments).map_err(|e| e.to_string())?;
        let server = Self {
            port,
            service,
            data: kept,
        };
        server.answers()?;
        Ok(server)
    }

    /// Waits until it takes connections.
    fn answers(&self) -> Result<(), String> {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.service.has_ended() || start.elapsed() > PATIENCE {
                return Err(self.service.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The server as a program that may be stopped for a while.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Starts it again after it was killed, at the same port with all that it held.
    pub fn start_again(&self) {
        let start = Instant::now();
        loop {
            self.service.start_again().unwrap();
            match self.answers() {
                Ok(()) => return,
                // A connection of another program may have the port for a moment.
                Err(e) => assert!(start.elapsed() < PATIENCE, "no S3 server: {e}"),
            }
        }
    }

    /// From now on there is this user beside the one of [`KEYS`], or none, by an access key and a secret key. It may do everything.
    pub fn set_user(&self, keys: Option<[&str; 2]>) {
        let accounts: serde_json::Map<_, _> = keys
            .into_iter()
            .map(|[access, secret]| {
                let account = serde_json::json!({"access": access, "secret": secret, "role": "admin"});
                (access.to_owned(), account)
            })
            .collect();
        let text = serde_json::json!({"accessAccounts": accounts}).to_string();
        // At once, as the server reads it with each request.
        let [new, file] = ["users.new", "users/users.json"].map(|name| self.data.folder.join(name));
        fs::write(&new, text).unwrap();
        fs::rename(new, file).unwrap();
    }
}
