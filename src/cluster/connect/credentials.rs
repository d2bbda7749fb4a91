//! Who asks the S3 server: keys from Secrets of the study's namespace, or the controller's own where that was allowed.

use std::fmt;

use super::{
    super::Obstacle,
    objects::Reader,
    obstacle, server,
    settings::{AmbientRule, Settings},
    tokens::{Proof, TokenService, WebIdentity},
};
use crate::{
    api::S3,
    storage::{Location, Server},
};

/// An access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// What the controller has of its own.
#[derive(Debug, Default)]
pub(super) enum Ambient {
    /// Nothing.
    #[default]
    Nothing,
    /// Keys or a web identity in its environment, and the service that gives out others for them.
    Proof(TokenService),
    /// A service of the platform that keys would have to be asked from.
    Indirect,
}

/// Variables that stand for such a service.
const INDIRECT: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

impl Ambient {
    /// What an environment has. It is not asked where no flag allows its use.
    pub fn of(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Self {
        if settings.ambient_credentials.is_empty() {
            return Self::Nothing;
        }
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let both = |one, other| get(one).zip(get(other));
        let proof = if let Some((access_key, secret_key)) = both("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") {
            Proof::Keys(Credentials {
                access_key,
                secret_key,
                session_token: get("AWS_SESSION_TOKEN"),
            })
        } else if let Some((token_file, role)) = both("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN") {
            Proof::Web(WebIdentity {
                token_file: token_file.into(),
                role,
            })
        } else if INDIRECT.into_iter().any(|name| get(name).is_some()) {
            return Self::Indirect;
        } else {
            return Self::Nothing;
        };
        Self::Proof(TokenService::new(proof, variable))
    }
}

/// Whose files they are to serve.
pub(super) struct Use<'a> {
    pub namespace: &'a str,
    pub output: &'a Location,
    /// The server that is to be asked with them.
    pub server: &'a Server,
    /// What asks for them, as a phrase.
    pub origin: &'a str,
}

/// The credentials that `s3` names. Keys go before everything else, as in Argo.
pub(super) async fn find(
    reader: &Reader<'_>,
    settings: &Settings,
    ambient: &Ambient,
    s3: &S3,
    role: Option<&str>,
    to: &Use<'_>,
) -> Result<Credentials, Obstacle> {
    match (&s3.access_key_secret, &s3.secret_key_secret) {
        (Some(access), Some(secret)) => {
            let session_token = match &s3.session_token_secret {
                Some(token) => Some(reader.secret_text(to.namespace, token).await?),
                None => None,
            };
            Ok(Credentials {
                access_key: reader.secret_text(to.namespace, access).await?,
                secret_key: reader.secret_text(to.namespace, secret).await?,
                session_token,
            })
        }
        (None, None) => own(settings, ambient, s3, role, to).await,
        _ => Err(obstacle(
            "CredentialsMissing",
            format!(
                "{} has one of `accessKeySecret` and `secretKeySecret` without the other: give both",
                to.origin
            ),
        )),
    }
}

/// The controller's own, where they may serve these files.
async fn own(
    settings: &Settings,
    ambient: &Ambient,
    s3: &S3,
    role: Option<&str>,
    to: &Use<'_>,
) -> Result<Credentials, Obstacle> {
    let Use {
        namespace,
        output,
        server,
        origin,
    } = to;
    let keys = "give it `accessKeySecret` and `secretKeySecret`, or give the study `storage.s3` with them";
    let (is_asked, what) = match role {
        Some(_) => (
            true,
            "wants a role to be assumed (`roleARN`) by hyperstudy's own credentials",
        ),
        None if s3.use_sdk_creds => (
            true,
            "wants the credentials of hyperstudy's own surroundings (`useSDKCreds`)",
        ),
        None => (false, "names no credentials"),
    };
    let is_allowed = |rule: &AmbientRule| rule.allows(namespace, output);
    if !settings.ambient_credentials.iter().any(is_allowed) {
        return Err(obstacle(
            if is_asked {
                "CredentialsNotAllowed"
            } else {
                "CredentialsMissing"
            },
            format!(
                "{origin} {what}: {keys}. Credentials of hyperstudy's own serve {output} for studies in the namespace `{namespace}` only \
                 where its controller is started with --allow-ambient-credentials {namespace}={output}"
            ),
        ));
    }
    if !server::may_be_shown_own_credentials(settings, server, s3.insecure) {
        return Err(obstacle(
            "CredentialsNotAllowed",
            format!(
                "{origin} {what}, which are not shown to the S3 server `{server}`: {keys}. Credentials of hyperstudy's own go to Amazon's \
                 servers, named as `s3.REGION.amazonaws.com` and asked over TLS, and to others only where its controller is started with \
                 --allow-endpoint {server}"
            ),
        ));
    }
    match ambient {
        Ambient::Proof(service) => service
            .credentials(role)
            .await
            .map_err(|why| obstacle("CredentialsRefused", format!("{origin} {what}, but {why}"))),
        Ambient::Indirect => Err(obstacle(
            "CredentialsNotSupported",
            format!(
                "{origin} {what}. There is a service of the platform that gives them out, which hyperstudy cannot use: {keys}, or {ENVIRONMENT}"
            ),
        )),
        Ambient::Nothing => Err(obstacle(
            "CredentialsMissing",
            format!("{origin} {what}, and hyperstudy's surroundings have none: {keys}, or {ENVIRONMENT}"),
        )),
    }
}

/// What whoever runs the controller can do.
const ENVIRONMENT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, in the \
                           controller's environment";

#[cfg(test)]
mod tests;
