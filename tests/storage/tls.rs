//! Servers with TLS: whose certificates are trusted, and for which names.

use hyperstudy::storage::{Authorities, Endpoint, Reach, StorageError, Store, Trust, connector};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{at, endpoint, versitygw::Versitygw};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for `name` that `authority` signed.
fn server(authority: &Authority, name: &str) -> Versitygw {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Versitygw::start(Some((&certificate.pem(), &key.serialize_pem())))
}

fn store(trusted: Option<&Authority>, reach: Reach, endpoint: &Endpoint) -> Store {
    let trust = match trusted {
        None => Trust::System,
        Some(authority) => Trust::Only(Authorities::read(authority.as_ref().pem().as_bytes()).unwrap()),
    };
    Store::new(endpoint, connector(&trust, reach))
}

#[tokio::test]
async fn only_the_given_authorities_are_trusted() {
    let (ours, others) = (authority("ours"), authority("others"));
    let server = server(&ours, "localhost");
    let place = endpoint(format!("https://localhost:{}", server.port));
    let good = store(Some(&ours), Reach::Everywhere, &place);
    good.create_bucket(&at("s3://studies")).await.unwrap();
    let object = at("s3://studies/a/1/model");
    good.put(&object, vec![7; 3 << 20], "text/plain").await.unwrap();
    assert_eq!(good.read(&object, 4 << 20).await.unwrap().unwrap().bytes.len(), 3 << 20);

    for trusted in [None, Some(&others)] {
        let error = store(trusted, Reach::Everywhere, &place)
            .list(&object)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StorageError::Untrusted { why, .. } if why.contains("caSecret")) && !error.is_transient(),
            "{error}"
        );
    }
    // TLS or not is never guessed.
    let plain = endpoint(format!("http://localhost:{}", server.port));
    store(Some(&ours), Reach::Everywhere, &plain)
        .list(&object)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ours = authority("ours");
    let server = server(&ours, "s3.example");
    for host in ["localhost", "127.0.0.1"] {
        let place = endpoint(format!("https://{host}:{}", server.port));
        let error = store(Some(&ours), Reach::Everywhere, &place)
            .list(&at("s3://studies/a"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StorageError::Untrusted { why, .. } if why.contains("another name")),
            "{error}"
        );
        assert!(!error.to_string().contains("s3.example"));
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let server = Versitygw::start(None);
    let place = endpoint(format!("https://localhost:{}", server.port));
    let error = store(None, Reach::Everywhere, &place)
        .list(&at("s3://studies/a"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StorageError::Untrusted { why, .. } if why.contains("insecure: true")),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_lead_here_are_refused_at_once() {
    let server = Versitygw::start(None);
    let place = endpoint(format!("http://localhost:{}", server.port));
    let error = store(None, Reach::NotNear, &place)
        .list(&at("s3://studies/a"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::TooNear { .. }) && !error.is_transient(),
        "{error}"
    );
}
