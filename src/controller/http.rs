//! What the controller serves: probes and metrics.

mod health;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::telemetry::{MEDIA_TYPE, Telemetry};
use crate::api;

pub use health::{Health, Stage};

/// How long a client that is being answered may take once the controller stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The flags of what is served.
#[derive(clap::Args, Clone, Debug)]
pub struct HttpArgs {
    /// The address on which /healthz, /readyz and /metrics are served.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// /healthz fails when the main loop has not come round for so long.
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub stall_timeout: api::Duration,
}

impl HttpArgs {
    /// Takes the address.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn bind(&self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind(self.listen).await;
        listener.map_err(|e| format!("--listen {}: {e}; name another address or port", self.listen))
    }

    /// The health that is served; it has to be told of every turn of the main loop.
    pub fn health(&self) -> Health {
        Health::new(self.stall_timeout.0)
    }
}

#[derive(Clone)]
struct Served {
    health: Health,
    telemetry: Telemetry,
}

/// Serves /healthz, /readyz and /metrics until `stop`, and then ends within 5 seconds.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Served { health, telemetry });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let end = async {
        stop.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = end => Ok(()),
    }
}

fn probe(result: Result<String, String>) -> Response {
    match result {
        Ok(text) => (StatusCode::OK, text + "\n").into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text + "\n").into_response(),
    }
}

async fn healthz(State(served): State<Served>) -> Response {
    probe(served.health.alive())
}

async fn readyz(State(served): State<Served>) -> Response {
    probe(served.health.ready())
}

async fn metrics(State(served): State<Served>) -> Response {
    match served.telemetry.encode() {
        Ok(text) => ([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
