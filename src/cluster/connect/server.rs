//! Which servers may be used, and how they encrypt.

use std::collections::BTreeMap;

use super::{super::Obstacle, objects::Reader, obstacle, settings::Settings};
use crate::{
    api::S3,
    storage::{Encryption, Server, is_near},
};

/// The region where none is given.
pub(super) const REGION: &str = "us-east-1";

/// The server that `s3` names, if it may be used. `origin` is where it is named.
pub(super) fn find(settings: &Settings, s3: &S3, origin: &str) -> Result<Server, Obstacle> {
    let Some(server) = Server::read(&s3.endpoint) else {
        return Err(obstacle(
            "EndpointInvalid",
            format!("{origin} has an `endpoint` that is no server: write `host` or `host:port`, without a scheme"),
        ));
    };
    let port = server.port.unwrap_or(if s3.insecure { 80 } else { 443 });
    let allowed = &settings.allowed_endpoints;
    if allowed.iter().any(|rule| rule.names(&server, port)) {
        return Ok(server);
    }
    let refused = |why: &str| {
        Err(obstacle(
            "EndpointNotAllowed",
            format!(
                "{origin} names the S3 server `{server}`, {why}: name another one, or start hyperstudy's controller with --allow-endpoint {server}"
            ),
        ))
    };
    if !allowed.is_empty() {
        return refused("which is none of those that hyperstudy's controller allows");
    }
    // Whatever else leads to such an address is found out when it is connected to.
    let is_here = server.host == "localhost" || server.host.ends_with(".localhost");
    if is_here || server.ip().is_some_and(is_near) {
        return refused("which is a loopback or link-local address");
    }
    Ok(server)
}

/// Whether requests that are signed with the controller's own credentials may go there. Whoever writes a study names the server, so that
/// it could be anybody's, and a name with a bucket in it would make the allowed bucket a folder in that one.
pub(super) fn may_be_shown_own_credentials(settings: &Settings, server: &Server, insecure: bool) -> bool {
    let port = server.port.unwrap_or(if insecure { 80 } else { 443 });
    let is_named = settings.allowed_endpoints.iter().any(|rule| rule.names(server, port));
    if server.is_amazon() {
        !insecure && (is_named || server.is_amazon_s3() && port == 443)
    } else {
        is_named
    }
}

/// The region that requests are signed for.
pub(super) fn region(s3: &S3, server: &Server) -> String {
    let given = s3.region.as_deref().filter(|region| !region.is_empty());
    given.or(server.amazon_region()).unwrap_or(REGION).to_owned()
}

/// How the server is to encrypt. As in Argo, nothing of it counts where `enableEncryption` is not set.
pub(super) async fn encryption(
    reader: &Reader<'_>,
    namespace: &str,
    s3: &S3,
    origin: &str,
) -> Result<Encryption, Obstacle> {
    let Some(options) = s3
        .encryption_options
        .as_ref()
        .filter(|options| options.enable_encryption)
    else {
        return Ok(Encryption::Bucket);
    };
    let invalid = |why: &str| {
        Err(obstacle(
            "EncryptionInvalid",
            format!("{origin} has `encryptionOptions` that {why}"),
        ))
    };
    match (&options.kms_key_id, &options.server_side_customer_key_secret) {
        (None, None) => Ok(Encryption::Server),
        (Some(_), Some(_)) => {
            invalid("have both `kmsKeyId` and `serverSideCustomerKeySecret`: a file is encrypted with one key")
        }
        (Some(key), None) => {
            let context = options
                .kms_encryption_context
                .clone()
                .filter(|context| !context.is_empty());
            let is_object = |context: &String| serde_json::from_str::<BTreeMap<String, String>>(context).is_ok();
            if !context.as_ref().is_none_or(is_object) {
                return invalid("have a `kmsEncryptionContext` that is no JSON object of strings");
            }
            Ok(Encryption::Kms {
                key: key.clone(),
                context,
            })
        }
        (None, Some(_)) if s3.insecure => invalid(
            "send a key with each request (`serverSideCustomerKeySecret`), which servers take over TLS only: leave out `insecure`",
        ),
        (None, Some(secret)) => Ok(Encryption::Customer {
            password: reader.secret(namespace, secret).await?,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn own_credentials_are_shown_to_amazon_and_to_servers_that_a_flag_names() {
        for (allowed, endpoint, insecure, shown) in [
            (&[][..], "s3.amazonaws.com", false, true),
            (&[], "S3.eu-west-1.amazonaws.com:443", false, true),
            (&[], "s3.dualstack.eu-west-1.amazonaws.com", false, true),
            (&[], "s3-fips.us-gov-west-1.amazonaws.com", false, true),
            (&[], "s3.cn-north-1.amazonaws.com.cn", false, true),
            (&[], "s3.amazonaws.com", true, false),
            (&[], "s3.amazonaws.com:8443", false, false),
            // Its bucket would be `other`, whatever the path says.
            (&[], "other.s3.amazonaws.com", false, false),
            (&[], "other.s3.eu-west-1.amazonaws.com", false, false),
            (&[], "x.execute-api.eu-west-1.amazonaws.com", false, false),
            (&[], "ec2-1-2-3-4.compute-1.amazonaws.com", false, false),
            (&[], "amazonaws.com", false, false),
            (&[], "s3.eu-west-1.amazonaws.com.example.org", false, false),
            (&[], "s3.example.org", false, false),
            (&[], "minio.storage:9000", true, false),
            (&["minio.storage:9000"], "minio.storage:9000", true, true),
            (&["minio.storage:9000"], "minio.storage:9001", true, false),
            (&["minio.storage"], "s3.amazonaws.com", false, true),
            (&["s3.amazonaws.com"], "s3.amazonaws.com", true, false),
            (
                &["bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"],
                "bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com",
                false,
                true,
            ),
        ] {
            let settings = Settings {
                allowed_endpoints: allowed.iter().map(|rule| rule.parse().unwrap()).collect(),
                ..Settings::default()
            };
            let server = Server::read(endpoint).unwrap();
            assert_eq!(
                may_be_shown_own_credentials(&settings, &server, insecure),
                shown,
                "{endpoint} {insecure} {allowed:?}"
            );
        }
    }

    #[test]
    fn servers_are_refused_unless_allowed() {
        for (allowed, endpoint, insecure, reason) in [
            (&[][..], "minio.storage:9000", true, None),
            (&[], "s3.amazonaws.com", false, None),
            (&[], "10.0.0.7:9000", true, None),
            (&[], "localhost:9000", true, Some("EndpointNotAllowed")),
            (&[], "LOCALHOST", true, Some("EndpointNotAllowed")),
            (&[], "a.localhost", true, Some("EndpointNotAllowed")),
            (&[], "127.0.0.1:9000", true, Some("EndpointNotAllowed")),
            (&[], "127.8.8.8", true, Some("EndpointNotAllowed")),
            (&[], "0.0.0.0:9000", true, Some("EndpointNotAllowed")),
            (&[], "169.254.169.254", true, Some("EndpointNotAllowed")),
            (&[], "[::1]:9000", true, Some("EndpointNotAllowed")),
            (&[], "[::ffff:7f00:1]", true, Some("EndpointNotAllowed")),
            (&[], "[fe80::1]", true, Some("EndpointNotAllowed")),
            (&["localhost:9000"], "localhost:9000", true, None),
            (&["127.0.0.1"], "127.0.0.1:9000", true, None),
            (&["localhost:9000"], "localhost:9001", true, Some("EndpointNotAllowed")),
            (
                &["localhost:9000"],
                "minio.storage:9000",
                true,
                Some("EndpointNotAllowed"),
            ),
            (&["minio:443"], "minio", false, None),
            (&["minio:443"], "minio", true, Some("EndpointNotAllowed")),
            (&["a", "b"], "b:1", true, None),
            (&[], "http://minio", true, Some("EndpointInvalid")),
            (&[], "minio/x", true, Some("EndpointInvalid")),
            (&[], "user@minio", true, Some("EndpointInvalid")),
            (&[], "", true, Some("EndpointInvalid")),
        ] {
            let settings = Settings {
                allowed_endpoints: allowed.iter().map(|rule| rule.parse().unwrap()).collect(),
                ..Settings::default()
            };
            let s3 = S3 {
                endpoint: endpoint.to_owned(),
                insecure,
                ..S3::default()
            };
            let found = find(&settings, &s3, "it");
            assert_eq!(
                found.err().map(|e| e.reason).as_deref(),
                reason,
                "{endpoint} {allowed:?}"
            );
        }
    }
}
