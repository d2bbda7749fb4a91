//! From a study's `storage` to its S3 server, on a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "connect/tokens.rs"]
mod tokens;

use std::collections::BTreeMap;

use hyperstudy::{
    api::Storage,
    cluster::{
        Obstacle,
        connect::{Connection, Connector, Settings, TemplateRepository},
    },
    local::s3::Server,
    storage::StorageError,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Api, Client, api::PostParams, client::Body};
use serde_json::{Value, json};
use support::apiserver::ApiServer;

/// A namespace for a study and one for Argo, of this test alone.
struct World {
    client: Client,
    study: String,
    argo: String,
}

impl World {
    async fn new(name: &str) -> Self {
        let client = ApiServer::shared().client();
        let world = Self {
            client: client.clone(),
            study: format!("{name}-study"),
            argo: format!("{name}-argo"),
        };
        let namespaces: Api<Namespace> = Api::all(client);
        for name in [&world.study, &world.argo] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        }
        world.secret("keys", &[("access", b"key"), ("secret", b"word")]).await;
        world
    }

    async fn secret(&self, name: &str, data: &[(&str, &[u8])]) {
        let data: BTreeMap<_, _> = data
            .iter()
            .map(|(k, v)| ((*k).to_owned(), k8s_openapi::ByteString(v.to_vec())))
            .collect();
        let mut secret: Secret = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        secret.data = Some(data);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.study);
        api.create(&PostParams::default(), &secret).await.unwrap();
    }

    async fn config_map(&self, namespace: &str, name: &str, default: Option<&str>, data: Value) {
        let annotations = default.map(|key| json!({"workflows.argoproj.io/default-artifact-repository": key}));
        let map = json!({"metadata": {"name": name, "annotations": annotations}, "data": data});
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        api.create(&PostParams::default(), &serde_json::from_value(map).unwrap())
            .await
            .unwrap();
    }

    fn settings(&self) -> Settings {
        Settings {
            argo_namespace: self.argo.clone(),
            ..Settings::default()
        }
    }

    async fn connect(&self, storage: Value, template: Option<Value>) -> Result<Connection, Obstacle> {
        let connector = Connector::new(self.settings(), |name| panic!("asked for {name}"));
        connect(&connector, &self.client, &self.study, storage, template).await
    }

    /// The same, by somebody who may do nothing.
    async fn connect_as_nobody(&self, storage: Value) -> Obstacle {
        let administrator = self.client.clone();
        let service = tower::service_fn(move |mut request: http::Request<Body>| {
            let user = http::HeaderValue::from_static("nobody");
            request.headers_mut().insert("Impersonate-User", user);
            let administrator = administrator.clone();
            async move { administrator.send(request).await }
        });
        let nobody = Client::new(service, "default");
        let connector = Connector::new(self.settings(), |_| None);
        connect(&connector, &nobody, &self.study, storage, None)
            .await
            .unwrap_err()
    }
}

async fn connect(
    connector: &Connector,
    client: &Client,
    namespace: &str,
    storage: Value,
    template: Option<Value>,
) -> Result<Connection, Obstacle> {
    let storage: Storage = serde_json::from_value(storage).unwrap();
    let template = TemplateRepository {
        reference: template.as_ref(),
        is_written: true,
    };
    connector.connect(client, namespace, &storage, template).await
}

fn repository(host: &str, bucket: &str) -> String {
    format!(
        "s3:\n  endpoint: {host}\n  bucket: {bucket}\n  accessKeySecret: {{name: keys, key: access}}\n  secretKeySecret: {{name: keys, \
         key: secret}}\n"
    )
}

fn explicit(more: Value) -> Value {
    let mut s3 = json!({
        "endpoint": "minio.example:9000",
        "accessKeySecret": {"name": "keys", "key": "access"},
        "secretKeySecret": {"name": "keys", "key": "secret"},
    });
    s3.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"outputPath": "s3://ml-data/runs", "s3": s3})
}

/// A connection's server, as its store shows it.
fn server(connection: Result<Connection, Obstacle>) -> String {
    let shown = format!("{:?}", connection.unwrap().store);
    let (_, rest) = shown.rsplit_once("endpoint: \"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn assert_obstacle(found: Result<Connection, Obstacle>, reason: &str, words: &[&str]) {
    let found = found.unwrap_err();
    assert_eq!(found.reason, reason, "{}", found.message);
    for word in words {
        assert!(found.message.contains(word), "{word}: {}", found.message);
    }
}

#[tokio::test]
async fn a_study_reaches_its_server() {
    let world = World::new("reach").await;
    let dir = tempfile::tempdir().unwrap();
    let s3 = Server::start(dir.path()).await.unwrap();
    let endpoint = s3.endpoint();
    let (access, secret) = (endpoint.access_key.as_bytes(), endpoint.secret_key.as_bytes());
    world.secret("real", &[("a", access), ("s", secret)]).await;
    let host = endpoint.url.strip_prefix("http://").unwrap();
    let storage = json!({"outputPath": "s3://ml-data/runs", "s3": {
        "endpoint": host, "insecure": true,
        "accessKeySecret": {"name": "real", "key": "a"}, "secretKeySecret": {"name": "real", "key": "s"},
    }});
    assert_obstacle(
        world.connect(storage.clone(), None).await,
        "EndpointNotAllowed",
        &[host, "loopback", "--allow-endpoint"],
    );
    let settings = Settings {
        allowed_endpoints: vec![host.parse().unwrap()],
        ..world.settings()
    };
    let connector = Connector::new(settings, |_| None);
    let found = connect(&connector, &world.client, &world.study, storage.clone(), None)
        .await
        .unwrap();
    found.store.create_bucket(&found.output).await.unwrap();
    let object = found.output.join("x").unwrap();
    found.store.put(&object, b"x".to_vec(), "text/plain").await.unwrap();
    assert!(dir.path().join("ml-data/runs/x").is_file());
    // A name that leads here is found out when it is connected to.
    let mut hidden = storage;
    hidden["s3"]["endpoint"] = json!(host.replace("127.0.0.1", "127.1"));
    let found = world.connect(hidden, None).await.unwrap();
    let error = found.store.list(&found.output).await.unwrap_err();
    assert!(matches!(error, StorageError::TooNear { .. }), "{error}");
}

#[tokio::test]
async fn artifact_repositories_are_found_as_argo_finds_them() {
    let world = World::new("found").await;
    let storage = || json!({"outputPath": "s3://ml-data/runs"});
    let named = |key: &str| json!({"outputPath": "s3://ml-data/runs", "artifactRepositoryRef": {"key": key}});
    assert_obstacle(
        world.connect(storage(), None).await,
        "ArtifactRepositoryNotFound",
        &[&world.study, &world.argo, "storage.s3"],
    );
    let default = repository("controller", "ml-data");
    world
        .config_map(
            &world.argo,
            "workflow-controller-configmap",
            None,
            json!({"artifactRepository": default, "x": "y"}),
        )
        .await;
    assert_eq!(server(world.connect(storage(), None).await), "https://controller");

    // Nothing said: the one of Argo's namespace is not looked at, as Argo does.
    let data = json!({"a": repository("argos-a", "ml-data"), "b": repository("argos-b", "ml-data"), "c": repository("argos-c", "other")});
    world
        .config_map(&world.argo, "artifact-repositories", Some("a"), data)
        .await;
    assert_eq!(server(world.connect(storage(), None).await), "https://controller");
    // An empty reference in the template is a reference.
    assert_eq!(
        server(world.connect(storage(), Some(json!({}))).await),
        "https://argos-a"
    );
    assert_eq!(
        server(world.connect(storage(), Some(json!({"key": "b"}))).await),
        "https://argos-b"
    );
    assert_eq!(server(world.connect(named("b"), None).await), "https://argos-b");

    let data = json!({"a": repository("own-a", "ml-data"), "gcs": "gcs: {bucket: ml-data}", "bad": "treasure: ["});
    world
        .config_map(&world.study, "artifact-repositories", Some("a"), data)
        .await;
    assert_eq!(server(world.connect(storage(), None).await), "https://own-a");
    let empty = json!({"outputPath": "s3://ml-data/runs", "artifactRepositoryRef": {}});
    assert_eq!(
        server(world.connect(empty, Some(json!({"key": "b"}))).await),
        "https://argos-b"
    );
    assert_eq!(server(world.connect(named("b"), None).await), "https://argos-b");

    assert_obstacle(
        world.connect(named("c"), None).await,
        "BucketMismatch",
        &["`other`", "`ml-data`", "`c`"],
    );
    assert_obstacle(
        world.connect(named("gcs"), None).await,
        "ArtifactRepositoryNotS3",
        &["`gcs`"],
    );
    assert_obstacle(
        world.connect(named("none"), None).await,
        "ArtifactRepositoryNotFound",
        &["`none`", &world.argo],
    );
    let bad = world.connect(named("bad"), None).await.unwrap_err();
    assert!(
        bad.reason == "ArtifactRepositoryInvalid" && !bad.message.contains("treasure"),
        "{}",
        bad.message
    );

    // What the template writes has to arrive where the study looks, wherever the study's credentials are from.
    let c = Some(json!({"key": "c"}));
    assert_obstacle(
        world.connect(explicit(json!({})), c.clone()).await,
        "BucketMismatch",
        &["the template", "`other`"],
    );
    assert_obstacle(
        world.connect(named("b"), c.clone()).await,
        "BucketMismatch",
        &["the template", "`other`"],
    );
    assert_eq!(
        server(world.connect(explicit(json!({})), Some(json!({"key": "none"}))).await),
        "https://minio.example:9000"
    );
    let storage: Storage = serde_json::from_value(explicit(json!({}))).unwrap();
    let template = TemplateRepository {
        reference: c.as_ref(),
        is_written: false,
    };
    let connector = Connector::new(world.settings(), |_| None);
    connector
        .connect(&world.client, &world.study, &storage, template)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_controllers_default_may_stand_in_one_text() {
    let world = World::new("text").await;
    let inner = repository("controller", "ml-data").replace('\n', "\n  ");
    let config = format!("parallelism: 3\nartifactRepository:\n  createBucketIfNotPresent: {{}}\n  {inner}");
    world
        .config_map(
            &world.argo,
            "workflow-controller-configmap",
            None,
            json!({"config": config}),
        )
        .await;
    let found = world
        .connect(json!({"outputPath": "s3://ml-data"}), None)
        .await
        .unwrap();
    // That field belongs into `s3`.
    assert!(!found.create_bucket);
    assert_eq!(server(Ok(found)), "https://controller");
}

#[tokio::test]
async fn every_mistake_with_a_secret_has_its_words() {
    let world = World::new("secret").await;
    let values: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("binary", b"\xff"),
        ("newline", b"word\n"),
        ("lines", b"a\nb"),
        ("junk", b"treasure"),
    ];
    world.secret("other", &values).await;
    let key = |name: &str, key: &str| json!({"name": name, "key": key});
    for (field, selector, reason, word) in [
        (
            "accessKeySecret",
            key("none", "x"),
            "SecretNotFound",
            "there is no Secret",
        ),
        ("secretKeySecret", key("other", "x"), "SecretKeyNotFound", "no key `x`"),
        ("secretKeySecret", key("other", "empty"), "SecretInvalid", "is empty"),
        ("accessKeySecret", key("other", "binary"), "SecretInvalid", "UTF-8"),
        ("secretKeySecret", key("other", "newline"), "SecretInvalid", "echo -n"),
        (
            "sessionTokenSecret",
            key("other", "lines"),
            "SecretInvalid",
            "more than one line",
        ),
        (
            "caSecret",
            key("other", "junk"),
            "CertificateInvalid",
            "BEGIN CERTIFICATE",
        ),
        ("caSecret", key("none", "junk"), "SecretNotFound", "there is no Secret"),
        // Such names would lead elsewhere.
        ("accessKeySecret", key("../configmaps/x", "x"), "NameInvalid", "no name"),
        ("accessKeySecret", key("x?watch=1", "x"), "NameInvalid", "no name"),
    ] {
        let found = world
            .connect(explicit(json!({field: selector})), None)
            .await
            .unwrap_err();
        assert_eq!(found.reason, reason, "{}", found.message);
        assert!(
            found.message.contains(word) && !found.message.contains("treasure"),
            "{}",
            found.message
        );
        assert!(
            found.message.contains(selector["name"].as_str().unwrap()),
            "{}",
            found.message
        );
        assert!(
            reason == "NameInvalid" || found.message.contains(&world.study),
            "{}",
            found.message
        );
    }
    for (more, reason) in [
        (json!({"secretKeySecret": null}), "CredentialsMissing"),
        (
            json!({"secretKeySecret": null, "accessKeySecret": null}),
            "CredentialsMissing",
        ),
        (
            json!({"secretKeySecret": null, "accessKeySecret": null, "useSDKCreds": true}),
            "CredentialsNotAllowed",
        ),
        (json!({"endpoint": "169.254.169.254"}), "EndpointNotAllowed"),
        (
            json!({"encryptionOptions": {"enableEncryption": true, "kmsKeyId": "k", "kmsEncryptionContext": "x"}}),
            "EncryptionInvalid",
        ),
        (
            json!({"insecure": true, "encryptionOptions": {"enableEncryption": true, "serverSideCustomerKeySecret": key("keys", "secret")}}),
            "EncryptionInvalid",
        ),
    ] {
        assert_obstacle(world.connect(explicit(more), None).await, reason, &[]);
    }
    let encrypted = json!({"encryptionOptions": {"enableEncryption": true, "serverSideCustomerKeySecret": key("other", "newline")}});
    world.connect(explicit(encrypted), None).await.unwrap();
    assert_obstacle(
        world.connect(json!({"outputPath": "s3://B"}), None).await,
        "OutputPathInvalid",
        &["`B`"],
    );
}

#[tokio::test]
async fn secrets_are_those_of_the_studys_namespace() {
    let world = World::new("own").await;
    let data = json!({"a": repository("minio", "ml-data").replace("keys", "argos")});
    world
        .config_map(&world.argo, "artifact-repositories", Some("a"), data)
        .await;
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.argo);
    let secret = json!({"metadata": {"name": "argos"}, "stringData": {"access": "a", "secret": "b"}});
    api.create(&PostParams::default(), &serde_json::from_value(secret).unwrap())
        .await
        .unwrap();
    let storage = json!({"outputPath": "s3://ml-data/runs", "artifactRepositoryRef": {"key": "a"}});
    assert_obstacle(
        world.connect(storage, None).await,
        "SecretNotFound",
        &["`argos`", &world.study],
    );
}

#[tokio::test]
async fn own_credentials_serve_where_a_flag_allows_it() {
    let world = World::new("ambient").await;
    let storage = json!({"outputPath": "s3://ml-data/runs", "s3": {"endpoint": "minio.example", "useSDKCreds": true}});
    let settings = |rule: String| Settings {
        allowed_endpoints: vec!["minio.example".parse().unwrap()],
        ambient_credentials: vec![rule.parse().unwrap()],
        ..world.settings()
    };
    let rule = format!("{}=s3://ml-data/runs", world.study);
    let connector = Connector::new(settings(rule.clone()), |name| Some(name.to_owned()));
    let own = connect(&connector, &world.client, &world.study, storage.clone(), None);
    assert!(own.await.unwrap().is_own);
    for (namespace, at, is_allowed) in [
        (world.study.as_str(), "s3://ml-data/runs/a/study_results.csv", true),
        (&world.study, "s3://ml-data/runs-1/study_results.csv", false),
        (&world.study, "s3://other-data/runs/a/study_results.csv", false),
        ("other", "s3://ml-data/runs/a/study_results.csv", false),
    ] {
        assert_eq!(
            connector.may_serve(namespace, &at.parse().unwrap()),
            is_allowed,
            "{namespace} {at}"
        );
    }
    let connector = Connector::new(settings(rule), |_| None);
    let found = connect(&connector, &world.client, &world.study, storage.clone(), None).await;
    assert_obstacle(found, "CredentialsMissing", &["AWS_ACCESS_KEY_ID"]);
    let connector = Connector::new(settings("other=s3://ml-data/runs".to_owned()), |name| {
        Some(name.to_owned())
    });
    let found = connect(&connector, &world.client, &world.study, storage, None).await;
    assert_obstacle(
        found,
        "CredentialsNotAllowed",
        &["--allow-ambient-credentials", &world.study, "s3://ml-data/runs"],
    );

    // A server that the study's author may have made up does not see them.
    let settings = Settings {
        ambient_credentials: vec!["*=s3://ml-data/runs".parse().unwrap()],
        ..world.settings()
    };
    let connector = Connector::new(settings, |name| Some(name.to_owned()));
    for (endpoint, insecure, is_shown) in [
        ("s3.eu-west-1.amazonaws.com", false, true),
        ("s3.eu-west-1.amazonaws.com", true, false),
        ("other.s3.eu-west-1.amazonaws.com", false, false),
        ("minio.example", false, false),
    ] {
        let s3 = json!({"endpoint": endpoint, "insecure": insecure, "useSDKCreds": true, "addressingStyle": "Path"});
        let storage = json!({"outputPath": "s3://ml-data/runs", "s3": s3});
        let found = connect(&connector, &world.client, &world.study, storage, None).await;
        if is_shown {
            found.unwrap();
        } else {
            assert_obstacle(found, "CredentialsNotAllowed", &[endpoint, "--allow-endpoint"]);
        }
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_told_with_the_rights_to_give() {
    let world = World::new("forbidden").await;
    let found = world.connect_as_nobody(explicit(json!({}))).await;
    assert_eq!(found.reason, "SecretForbidden", "{}", found.message);
    let words = ["`keys`", &world.study, "`get` `secrets`"];
    assert!(
        words.iter().all(|word| found.message.contains(word)),
        "{}",
        found.message
    );
    let found = world.connect_as_nobody(json!({"outputPath": "s3://ml-data"})).await;
    assert_eq!(found.reason, "ArtifactRepositoryForbidden", "{}", found.message);
    assert!(found.message.contains("`get` `configmaps`"), "{}", found.message);
}

#[tokio::test]
async fn an_api_server_that_fails_is_no_mistake_of_the_study() {
    for status in [500, 503, 401] {
        let service = tower::service_fn(move |_: http::Request<Body>| async move {
            let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": "Unwell", "message": "x"});
            let answer = http::Response::builder()
                .status(status)
                .body(Body::from(body.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        });
        let client = Client::new(service, "default");
        let connector = Connector::new(Settings::default(), |_| None);
        let found = connect(&connector, &client, "ml", explicit(json!({})), None).await;
        assert_obstacle(
            found,
            "ApiServerUnavailable",
            &["ConfigMap `artifact-repositories`", &status.to_string()],
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_not_waited_for() {
    let service = tower::service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
    });
    let client = Client::new(service, "default");
    let connector = Connector::new(Settings::default(), |_| None);
    let found = connect(&connector, &client, "ml", explicit(json!({})), None).await;
    assert_obstacle(found, "ApiServerUnavailable", &["10 s"]);
}
