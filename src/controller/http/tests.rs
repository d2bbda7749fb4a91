#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

struct Server {
    address: SocketAddr,
    health: Health,
    telemetry: Telemetry,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn start(limit: Duration) -> Server {
    let args = HttpArgs {
        listen: "127.0.0.1:0".parse().unwrap(),
        stall_timeout: api::Duration(limit),
    };
    let listener = args.bind().await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, telemetry, stop) = (args.health(), Telemetry::new(), CancellationToken::new());
    let task = tokio::spawn(serve(listener, health.clone(), telemetry.clone(), stop.clone()));
    Server {
        address,
        health,
        telemetry,
        stop,
        task,
    }
}

impl Server {
    /// The status, the head and the body of an answer.
    async fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }
}

#[tokio::test]
async fn ready_once_it_can_go_on() {
    let server = start(Duration::from_secs(60)).await;
    assert_eq!(server.get("/healthz").await.0, 200);
    for (stage, status, word) in [
        (None, 503, "starting"),
        (Some(Stage::Standby), 200, "standby"),
        (Some(Stage::Syncing), 503, "syncing"),
        (Some(Stage::Acting), 200, "acting"),
        (Some(Stage::Stopping), 503, "stopping"),
    ] {
        stage.into_iter().for_each(|s| server.health.set(s));
        let (code, _, body) = server.get("/readyz").await;
        assert_eq!(code, status, "{stage:?}");
        assert!(body.starts_with(word) && body.ends_with('\n'), "{body}");
    }
    assert_eq!(server.get("/").await.0, 404);
}

#[tokio::test]
async fn dead_when_the_loop_stands_still() {
    let server = start(Duration::ZERO).await;
    let (code, _, body) = server.get("/healthz").await;
    assert_eq!(
        (code, body.as_str()),
        (503, "the main loop has not come round for 0 s\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_beat_is_a_sign_of_life() {
    let health = Health::new(Duration::from_secs(60));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(health.alive().unwrap_err(), "the main loop has not come round for 61 s");
    health.beat();
    assert!(health.alive().is_ok());
    health.during(tokio::time::sleep(Duration::from_secs(600))).await;
    assert!(health.alive().is_ok());
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let server = start(Duration::from_secs(60)).await;
    server.telemetry.set_leader(true);
    let (code, head, body) = server.get("/metrics").await;
    assert_eq!(code, 200);
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(
        body.contains("hyperstudy_leader 1\n") && body.ends_with("# EOF\n"),
        "{body}"
    );
}

#[tokio::test]
async fn it_ends_when_it_is_told_also_with_connections_open() {
    let server = start(Duration::from_secs(60)).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.get("/healthz").await.0, 200);
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let args = HttpArgs {
        listen: taken.local_addr().unwrap(),
        stall_timeout: api::Duration::from_secs(60),
    };
    let problem = args.bind().await.unwrap_err();
    assert!(problem.starts_with(&format!("--listen {}", args.listen)), "{problem}");
}
