//! The controller's own credentials where a token service has to give them out: a stand-in of it on loopback, and a real S3 server that takes
//! what it gives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, http::HeaderMap, response::IntoResponse};
use hyperstudy::{
    cluster::connect::{Connector, Settings},
    local::s3::Server,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{World, assert_obstacle, connect};

/// What the stand-in gives out, and what it was asked.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    keys: (String, String),
    life: i64,
    refuses: bool,
    /// The form of each request, and its signature.
    asked: Vec<(BTreeMap<String, String>, String)>,
}

impl Service {
    /// Starts it; gives its address too.
    async fn start(s3: &Server) -> (Self, String) {
        let endpoint = s3.endpoint();
        let service = Self::default();
        service.0.lock().unwrap().keys = (endpoint.access_key.clone(), endpoint.secret_key.clone());
        service.0.lock().unwrap().life = 3600;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = service.clone();
        let answer = async move |headers: HeaderMap, body: Bytes| state.answer(&headers, &body);
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        (service, url)
    }

    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> impl IntoResponse + use<> {
        let mut state = self.0.lock().unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let form: BTreeMap<_, _> = pairs
            .map(|(k, v)| (k.to_owned(), v.replace("%3A", ":").replace("%2F", "/")))
            .collect();
        let signature = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
        let action = form["Action"].clone();
        state.asked.push((form, signature.to_owned()));
        if state.refuses {
            let error = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>treasure</Message></Error></ErrorResponse>";
            return (axum::http::StatusCode::FORBIDDEN, error.to_owned());
        }
        let (key, secret) = &state.keys;
        let end = Timestamp::now() + SignedDuration::from_secs(state.life);
        let given = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>session</SessionToken><Expiration>{end:.0}</Expiration></Credentials></{action}Result></{action}Response>"
        );
        (axum::http::StatusCode::OK, given)
    }

    fn asked(&self) -> Vec<(BTreeMap<String, String>, String)> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

/// A connector as a controller with a web identity has it, which may use it for the studies of this world.
fn connector(world: &World, s3: &str, token_file: &str, url: &str) -> Connector {
    let settings = Settings {
        allowed_endpoints: vec![s3.parse().unwrap()],
        ambient_credentials: vec![format!("{}=s3://ml-data/runs", world.study).parse().unwrap()],
        ..world.settings()
    };
    let variables = BTreeMap::from([
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/hyperstudy"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_STS", url),
    ]);
    Connector::new(settings, |name| variables.get(name).map(|value| (*value).to_owned()))
}

#[tokio::test]
async fn a_web_identity_serves_where_a_flag_allows_it() {
    let world = World::new("web").await;
    let dir = tempfile::tempdir().unwrap();
    let s3 = Server::start(dir.path()).await.unwrap();
    let (service, url) = Service::start(&s3).await;
    let host = s3.endpoint().url.strip_prefix("http://").unwrap().to_owned();
    let token = dir.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let connector = connector(&world, &host, token.to_str().unwrap(), &url);
    let storage =
        json!({"outputPath": "s3://ml-data/runs", "s3": {"endpoint": host, "insecure": true, "useSDKCreds": true}});
    let connect = || connect(&connector, &world.client, &world.study, storage.clone(), None);

    let found = connect().await.unwrap();
    found.store.create_bucket(&found.output).await.unwrap();
    assert!(found.store.is_empty(&found.output).await.unwrap());
    // Everybody uses what was given out, as long as it is good.
    futures::future::join_all((0..20).map(|_| connect())).await;
    let asked = service.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (form, signature) = &asked[0];
    for (key, value) in [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", "arn:aws:iam::1:role/hyperstudy"),
        ("RoleSessionName", "hyperstudy"),
        ("WebIdentityToken", "first"),
    ] {
        assert_eq!(form[key], value);
    }
    assert_eq!(signature, "");

    // Another namespace or path asks nobody.
    let elsewhere = json!({"outputPath": "s3://ml-data/other", "s3": storage["s3"]});
    let refused = crate::connect(&connector, &world.client, &world.study, elsewhere, None).await;
    assert_obstacle(refused, "CredentialsNotAllowed", &["--allow-ambient-credentials"]);
    assert_eq!(service.asked(), []);
}

#[tokio::test]
async fn what_ends_is_asked_for_anew_by_the_token_of_that_moment() {
    let world = World::new("renewed").await;
    let dir = tempfile::tempdir().unwrap();
    let s3 = Server::start(dir.path()).await.unwrap();
    let (service, url) = Service::start(&s3).await;
    let host = s3.endpoint().url.strip_prefix("http://").unwrap().to_owned();
    let token = dir.path().join("token");
    let connector = connector(&world, &host, token.to_str().unwrap(), &url);
    let storage = json!({"outputPath": "s3://ml-data/runs", "s3": {"endpoint": host, "insecure": true}});
    let connect = || connect(&connector, &world.client, &world.study, storage.clone(), None);

    assert_obstacle(connect().await, "CredentialsRefused", &["token", "cannot be read"]);
    service.0.lock().unwrap().life = 0;
    for word in ["first", "second"] {
        std::fs::write(&token, word).unwrap();
        // That there was none is remembered for a moment.
        while connect().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(service.asked().last().unwrap().0["WebIdentityToken"], word);
    }

    service.0.lock().unwrap().refuses = true;
    let refused = futures::future::join_all((0..20).map(|_| connect())).await;
    for refused in refused {
        let message = refused.as_ref().unwrap_err().message.clone();
        assert!(!message.contains("treasure"), "{message}");
        assert_obstacle(refused, "CredentialsRefused", &["AccessDenied", "role/hyperstudy"]);
    }
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn the_role_of_a_repository_is_assumed_by_the_controllers_own_credentials() {
    let world = World::new("role").await;
    let dir = tempfile::tempdir().unwrap();
    let s3 = Server::start(dir.path()).await.unwrap();
    let (service, url) = Service::start(&s3).await;
    let host = s3.endpoint().url.strip_prefix("http://").unwrap().to_owned();
    let token = dir.path().join("token");
    std::fs::write(&token, "first").unwrap();
    let role = "arn:aws:iam::1:role/data";
    let repository = format!("s3:\n  endpoint: {host}\n  insecure: true\n  bucket: ml-data\n  roleARN: {role}\n");
    world
        .config_map(
            &world.study,
            "artifact-repositories",
            Some("a"),
            json!({"a": repository}),
        )
        .await;
    let storage = json!({"outputPath": "s3://ml-data/runs"});
    let connector = connector(&world, &host, token.to_str().unwrap(), &url);
    let found = connect(&connector, &world.client, &world.study, storage, None)
        .await
        .unwrap();
    found.store.create_bucket(&found.output).await.unwrap();

    let asked = service.asked();
    let actions: Vec<_> = asked.iter().map(|(form, _)| form["Action"].as_str()).collect();
    assert_eq!(actions, ["AssumeRoleWithWebIdentity", "AssumeRole"]);
    let (form, signature) = &asked[1];
    assert_eq!(form["RoleArn"], role);
    let key = &s3.endpoint().access_key;
    let scope = format!("Credential={key}/");
    assert!(
        signature.contains(&scope) && signature.contains("/eu-west-1/sts/"),
        "{signature}"
    );
}
