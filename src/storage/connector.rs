//! Connections to S3 servers, with TLS or without.

use std::sync::OnceLock;

use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::http::{HttpConnectorSettings, SharedHttpConnector},
    shared::IntoShared,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::reach::{Reach, Resolver};

/// A connector for servers without TLS, which keeps connections open between requests.
pub fn plain_http() -> SharedHttpClient {
    Builder::new().build_http()
}

/// Whose certificates are trusted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those of the authorities that this system trusts.
    System,
    /// Those of these authorities only.
    Only(Authorities),
}

/// A connector for servers with TLS, and for those without where an endpoint's address says so. It keeps connections open between
/// requests; who shares it shares them. Certificates are always verified, and so are the names in them.
pub fn connector(trust: &Trust, reach: Reach) -> SharedHttpClient {
    let roots = match trust {
        Trust::System if has_system_authorities() => TrustStore::default(),
        // Nothing is trusted.
        Trust::System => TrustStore::empty(),
        Trust::Only(authorities) => TrustStore::empty().with_pem_certificate(authorities.pem.as_bytes()),
    };
    let provider = Provider::Rustls(CryptoMode::Ring);
    let builder = Builder::new().tls_provider(provider);
    let builder = match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => builder.tls_context(context),
        // It has no way to fail; if it finds one, the builder still verifies, by what the system trusts.
        Err(_) => builder,
    };
    let http = builder.build_with_resolver(Resolver(reach));
    Once(http).into_shared()
}

/// Whether this system trusts any authority. A container's image may well have no certificates.
pub fn has_system_authorities() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        !roots.is_empty()
    })
}

/// A connector that is built when it is first used, not once more for each client, as the client's check of its settings would.
#[derive(Debug)]
struct Once(SharedHttpClient);

impl HttpClient for Once {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}

/// Certificates of authorities, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authorities {
    pem: String,
}

/// Why something is no list of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// It is not PEM, or has no certificate in it.
    #[error("it holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")]
    None,
    /// There is a certificate that cannot be read; they are counted from 1.
    #[error("certificate {0} in it cannot be read")]
    Unreadable(usize),
    /// It is longer than a list of authorities is.
    #[error("it is larger than {MAX_AUTHORITIES} bytes")]
    TooLong,
}

/// The longest list of authorities, in bytes.
const MAX_AUTHORITIES: usize = 1 << 20;

impl Authorities {
    /// Reads one or more certificates in PEM; other things in it are passed over.
    ///
    /// # Errors
    /// Where none is in it, or one cannot be read.
    pub fn read(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        if pem.len() > MAX_AUTHORITIES {
            return Err(AuthoritiesError::TooLong);
        }
        let text = std::str::from_utf8(pem).map_err(|_| AuthoritiesError::None)?;
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let bad = AuthoritiesError::Unreadable(index + 1);
            roots.add(certificate.map_err(|_| bad)?).map_err(|_| bad)?;
        }
        if roots.is_empty() {
            return Err(AuthoritiesError::None);
        }
        Ok(Self { pem: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn reads_authorities() {
        let one = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let key = one.signing_key.serialize_pem();
        let pem = one.cert.pem();
        for good in [
            pem.clone(),
            format!("\n# our CA\n{key}{pem}\n{pem}  "),
            pem.replace('\n', "\r\n"),
        ] {
            Authorities::read(good.as_bytes()).unwrap();
        }
        let cut = pem.replace("-----END CERTIFICATE-----", "");
        let middle = pem.len() / 2;
        let broken = format!("{}!{}", &pem[..middle], &pem[middle + 1..]);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (bad, error) in [
            (Vec::new(), AuthoritiesError::None),
            (b"certificate".to_vec(), AuthoritiesError::None),
            (key.into_bytes(), AuthoritiesError::None),
            (vec![0xff, 0xfe], AuthoritiesError::None),
            (cut.into_bytes(), AuthoritiesError::Unreadable(1)),
            (broken.into_bytes(), AuthoritiesError::Unreadable(1)),
            (format!("{pem}{empty}").into_bytes(), AuthoritiesError::Unreadable(2)),
            (vec![b'x'; MAX_AUTHORITIES + 1], AuthoritiesError::TooLong),
        ] {
            let shown = String::from_utf8_lossy(&bad[..bad.len().min(99)]).into_owned();
            assert_eq!(Authorities::read(&bad), Err(error), "{shown}");
        }
    }
}
