//! A real S3 server, versitygw, built once for all tests; each has one of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::programs::{self, Running};

/// How long the server may take to start, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// The access key and the secret key of every server.
pub const KEYS: [&str; 2] = ["test-access-key", "test-secret-key"];

/// A running server.
pub struct Versitygw {
    /// Its port on 127.0.0.1.
    pub port: u16,
    _program: Running,
}

impl Versitygw {
    /// Starts a server without buckets, without TLS or with this certificate and its key, both in PEM.
    pub fn start(tls: Option<(&str, &str)>) -> Self {
        let program = program();
        let mut problem = String::new();
        // Another program may take a port between its choice and its use.
        for _ in 0..3 {
            match Self::try_start(&program, tls) {
                Ok(server) => return server,
                Err(e) => problem = e,
            }
        }
        panic!("no S3 server: {problem}")
    }

    fn try_start(program: &Path, tls: Option<(&str, &str)>) -> Result<Self, String> {
        let [port] = programs::free_ports().map_err(|e| e.to_string())?;
        let own = tempfile::Builder::new().prefix("hyperstudy-test-").tempdir().unwrap();
        // Its program's shell removes it.
        let own = own.keep();
        let data = own.join("data");
        fs::create_dir(&data).unwrap();
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
                fs::write(&file, text).unwrap();
                arguments.push(format!("--{name}={}", file.display()));
            }
        }
        // Extended attributes are not everywhere: what is not the content goes beside it.
        let beside = own.join("beside");
        fs::create_dir(&beside).unwrap();
        arguments.extend([
            "posix".to_owned(),
            format!("--sidecar={}", beside.display()),
            data.display().to_string(),
        ]);
        let mut running = Running::start(program, &arguments, &own).map_err(|e| e.to_string())?;
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if running.has_ended() || start.elapsed() > PATIENCE {
                return Err(running.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            port,
            _program: running,
        })
    }
}

/// The program, built if it is not there yet.
fn program() -> PathBuf {
    let folder = programs::cache().with_file_name("versitygw-1.8.0");
    let program = folder.join("versitygw");
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    // Several tests may start at once: the first builds, the others wait for it.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if !program.is_file() {
        eprintln!("building versitygw into {}: about 4 minutes, once", folder.display());
        let unfinished = folder.join("unfinished");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/build-versitygw.sh");
        let done = Command::new("sh")
            .arg(script)
            .arg(&unfinished)
            .stdout(Stdio::null())
            .status();
        assert!(
            done.as_ref().is_ok_and(|status| status.success()),
            "tests/support/build-versitygw.sh: {done:?}; it needs go"
        );
        fs::rename(unfinished.join("versitygw"), &program).unwrap();
        fs::remove_dir_all(&unfinished).unwrap();
    }
    program
}
