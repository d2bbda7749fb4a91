//! A real S3 server, versitygw.

use std::{
    fs,
    net::TcpStream,
    sync::OnceLock,
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
        let own = programs::own_folder().map_err(|e| e.to_string())?;
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
        // Extended attributes are not everywhere: what is not the content goes beside it.
        let [data, beside] = ["data", "beside"].map(|name| own.join(name));
        for folder in [&data, &beside] {
            fs::create_dir(folder).map_err(|e| e.to_string())?;
        }
        let sidecar = format!("--sidecar={}", beside.display());
        arguments.extend(["posix".to_owned(), sidecar, data.display().to_string()]);
        let mut running = Running::start(&program, &arguments, &own).map_err(|e| e.to_string())?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
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
