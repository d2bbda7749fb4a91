//! The store against a real S3 server, with TLS and without, and what it puts into its requests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support/programs.rs"]
mod programs;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support/versitygw.rs"]
mod versitygw;

mod objects;
mod recorder;
mod requests;
mod tls;

use hyperstudy::storage::{Endpoint, Location, Store, plain_http};
use versitygw::{KEYS, Versitygw};

fn at(text: &str) -> Location {
    text.parse().unwrap()
}

fn endpoint(url: String) -> Endpoint {
    let [access_key, secret_key] = KEYS.map(str::to_owned);
    Endpoint {
        url,
        region: "us-east-1".to_owned(),
        access_key,
        secret_key,
        ..Endpoint::default()
    }
}

/// A server without TLS and with a bucket `studies`, and a store for it.
async fn lab() -> (Versitygw, Store) {
    let server = Versitygw::start(None);
    let store = Store::new(&endpoint(format!("http://127.0.0.1:{}", server.port)), plain_http());
    store.create_bucket(&at("s3://studies")).await.unwrap();
    (server, store)
}
