//! What stands in requests: where the bucket is, tokens, encryption, conditions; and what is tried again.

use std::net::{IpAddr, Ipv4Addr};

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use hyperstudy::{
    api::AddressingStyle,
    storage::{Encryption, Endpoint, StorageError, Store, plain_http},
};

use super::{
    at, endpoint,
    recorder::{Recorder, Request},
};

/// Every name leads to this machine.
#[derive(Clone, Debug)]
struct Here;

impl ResolveDns for Here {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
    }
}

fn here() -> SharedHttpClient {
    let provider = Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new()
        .tls_provider(provider)
        .build_with_resolver(Here)
}

const FINE: &[(&str, &str)] = &[("200 OK", "ok")];
const SLOW_DOWN: (&str, &str) = (
    "503 Slow Down",
    "<Error><Code>SlowDown</Code><Message>treasure</Message></Error>",
);

/// What a PUT, a GET and a HEAD of `s3://studies/runs/a/1/x` look like.
async fn three(host: &str, edit: impl FnOnce(&mut Endpoint)) -> Vec<Request> {
    let server = Recorder::start(FINE).await;
    let mut endpoint = endpoint(format!("http://{host}:{}", server.port));
    edit(&mut endpoint);
    let store = Store::new(&endpoint, here());
    let object = at("s3://studies/runs/a/1/x");
    store.put(&object, b"x".to_vec(), "text/plain").await.unwrap();
    store.read(&object, 9).await.unwrap().unwrap();
    assert!(store.exists(&object).await.unwrap());
    server.seen()
}

#[tokio::test]
async fn the_bucket_stands_where_it_should() {
    use AddressingStyle::{Auto, Path, VirtualHost};
    for (host, style, by_host) in [
        ("minio.storage", Auto, false),
        ("minio.storage", Path, false),
        ("minio.storage", VirtualHost, true),
        ("s3.eu-west-1.amazonaws.com", Auto, true),
        ("s3.eu-west-1.amazonaws.com", Path, false),
        // An address has no names below it.
        ("127.0.0.1", VirtualHost, false),
    ] {
        let seen = three(host, |endpoint| endpoint.addressing = style).await;
        for (request, method) in seen.iter().zip(["PUT", "GET", "HEAD"]) {
            let path = if by_host { "/runs/a/1/x" } else { "/studies/runs/a/1/x" };
            let line = request.line.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ");
            assert_eq!(line, format!("{method} {path}"), "{host} {style:?}");
            let name = request.header("host").unwrap().split(':').next().unwrap();
            let expected = if by_host {
                format!("studies.{host}")
            } else {
                host.to_owned()
            };
            assert_eq!(name, expected, "{style:?}");
        }
    }
}

#[tokio::test]
async fn requests_are_signed_for_the_region_with_the_token() {
    let seen = three("minio", |endpoint| {
        endpoint.region = "eu-west-1".to_owned();
        endpoint.session_token = Some("token".to_owned());
    })
    .await;
    for request in seen {
        assert_eq!(request.header("x-amz-security-token"), Some("token"));
        let signature = request.header("authorization").unwrap();
        assert!(
            signature.contains("test-access-key/") && signature.contains("/eu-west-1/s3/aws4_request"),
            "{signature}"
        );
    }
}

#[tokio::test]
async fn encryption_is_asked_for() {
    let header = |request: &Request, name: &str| {
        request
            .header(&format!("x-amz-server-side-encryption{name}"))
            .map(str::to_owned)
    };
    for request in three("minio", |_| {}).await {
        assert_eq!(header(&request, ""), None);
    }
    let seen = three("minio", |endpoint| endpoint.encryption = Encryption::Server).await;
    assert_eq!(header(&seen[0], "").as_deref(), Some("AES256"));
    assert!(seen[1..].iter().all(|request| header(request, "").is_none()));

    let seen = three("minio", |endpoint| {
        endpoint.encryption = Encryption::Kms {
            key: "arn:aws:kms:x".to_owned(),
            context: Some(r#"{"a":"b"}"#.to_owned()),
        };
    })
    .await;
    assert_eq!(header(&seen[0], "").as_deref(), Some("aws:kms"));
    assert_eq!(header(&seen[0], "-aws-kms-key-id").as_deref(), Some("arn:aws:kms:x"));
    assert_eq!(header(&seen[0], "-context").as_deref(), Some("eyJhIjoiYiJ9"));
    assert!(seen[1..].iter().all(|request| header(request, "").is_none()));

    let seen = three("minio", |endpoint| {
        endpoint.encryption = Encryption::Customer {
            password: b"correct horse".to_vec(),
        };
    })
    .await;
    let key = header(&seen[0], "-customer-key").unwrap();
    assert_eq!(key.len(), 44);
    for request in &seen {
        assert_eq!(header(request, "-customer-algorithm").as_deref(), Some("AES256"));
        assert_eq!(header(request, "-customer-key"), Some(key.clone()));
        assert_eq!(header(request, "-customer-key-md5").unwrap().len(), 24);
    }
}

#[tokio::test]
async fn conditions_stand_in_the_requests() {
    const LISTED: &str = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>runs/1/a</Key><Size>1</Size>\
        <ETag>&quot;old&quot;</ETag></Contents></ListBucketResult>";
    const CHANGED: &str = "<Error><Code>PreconditionFailed</Code></Error>";
    let server = Recorder::start(&[
        ("200 OK", LISTED),
        ("412 Precondition Failed", CHANGED),
        ("200 OK", LISTED),
    ])
    .await;
    let store = Store::new(&endpoint(format!("http://127.0.0.1:{}", server.port)), plain_http());
    let left = store.empty_folder(&at("s3://studies/runs/1")).await.unwrap();
    // What is another version by now stays, and is told.
    assert_eq!((left.len(), left[0].version.etag.as_str()), (1, "old"));
    let seen = server.seen();
    assert!(seen[0].line.contains("prefix=runs%2F1%2F "), "{}", seen[0].line);
    assert!(seen[1].line.starts_with("DELETE /studies/runs/1/a"));
    assert_eq!(seen[1].header("if-match"), Some("\"old\""));
}

#[tokio::test]
async fn what_is_busy_is_tried_again() {
    let server = Recorder::start(&[
        SLOW_DOWN,
        SLOW_DOWN,
        ("500 Internal Server Error", ""),
        ("200 OK", "ok"),
    ])
    .await;
    let store = Store::new(&endpoint(format!("http://127.0.0.1:{}", server.port)), plain_http());
    let read = store.read(&at("s3://studies/x"), 9).await.unwrap().unwrap();
    assert_eq!((read.bytes.as_slice(), server.seen().len()), (b"ok".as_slice(), 4));

    let server = Recorder::start(&[SLOW_DOWN]).await;
    let store = Store::new(&endpoint(format!("http://127.0.0.1:{}", server.port)), plain_http());
    let error = store
        .put(&at("s3://studies/x"), vec![], "text/plain")
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::Busy { status: 503, .. }) && error.is_transient(),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("treasure"));
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for (status, body) in [
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>"),
        ("400 Bad Request", "<Error><Code>InvalidArgument</Code></Error>"),
        ("301 Moved", "<Error><Code>PermanentRedirect</Code></Error>"),
    ] {
        let answers: &'static [_] = Vec::leak(vec![(status, body)]);
        let server = Recorder::start(answers).await;
        let store = Store::new(&endpoint(format!("http://127.0.0.1:{}", server.port)), plain_http());
        let error = store.read(&at("s3://studies/x"), 9).await.unwrap_err();
        assert!(!error.is_transient() && server.seen().len() == 1, "{status}: {error}");
    }
}
