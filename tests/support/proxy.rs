//! A way to a server that takes its time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A port of 127.0.0.1 that leads to another one. It goes when this is dropped.
pub struct Proxy {
    /// Its port.
    pub port: u16,
    delay: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// One that leads to the port `to`.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let delay = Arc::<AtomicU64>::default();
        let known = delay.clone();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(connect(client, to, known.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            delay,
            _accepting: accepting,
        }
    }

    /// From now on every answer comes so much later.
    pub fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.delay.store(delay, Ordering::Relaxed);
    }
}

async fn connect(mut client: TcpStream, to: u16, delay: Arc<AtomicU64>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (mut questions, mut asker) = client.split();
    let (mut answers, mut answerer) = server.split();
    let ask = async {
        let _ = tokio::io::copy(&mut questions, &mut answerer).await;
        let _ = answerer.shutdown().await;
    };
    let answer = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(length @ 1..) = answers.read(&mut bytes).await {
            tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
            if asker.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
        let _ = asker.shutdown().await;
    };
    tokio::join!(ask, answer);
}
