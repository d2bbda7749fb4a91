//! Who asks the S3 server: keys from Secrets of the study's namespace, or the controller's own where that was allowed.

use std::fmt;

use super::{super::Obstacle, objects::Reader, obstacle, settings::Settings};
use crate::{api::S3, storage::Location};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Ambient {
    /// Nothing.
    #[default]
    Nothing,
    /// Keys in its environment.
    Keys(Credentials),
    /// Something that keys would have to be asked for with, such as a web identity.
    Indirect,
}

/// Variables that stand for credentials which have to be fetched first.
const INDIRECT: [&str; 3] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
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
        match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key), Some(secret_key)) => Self::Keys(Credentials {
                access_key,
                secret_key,
                session_token: get("AWS_SESSION_TOKEN"),
            }),
            _ if INDIRECT.into_iter().any(|name| get(name).is_some()) => Self::Indirect,
            _ => Self::Nothing,
        }
    }
}

/// Whose files they are to serve.
pub(super) struct Use<'a> {
    pub namespace: &'a str,
    pub output: &'a Location,
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
        (None, None) => own(settings, ambient, s3, role, to),
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
fn own(
    settings: &Settings,
    ambient: &Ambient,
    s3: &S3,
    role: Option<&str>,
    to: &Use<'_>,
) -> Result<Credentials, Obstacle> {
    let Use {
        namespace,
        output,
        origin,
    } = to;
    let keys = "give it `accessKeySecret` and `secretKeySecret`, or give the study `storage.s3` with them";
    if role.is_some() {
        return Err(obstacle(
            "CredentialsNotSupported",
            format!("{origin} wants a role to be assumed (`roleARN`), which hyperstudy cannot do: {keys}"),
        ));
    }
    if !settings
        .ambient_credentials
        .iter()
        .any(|rule| rule.allows(namespace, output))
    {
        let what = if s3.use_sdk_creds {
            "wants the credentials of hyperstudy's own surroundings (`useSDKCreds`)"
        } else {
            "names no credentials"
        };
        return Err(obstacle(
            if s3.use_sdk_creds {
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
    match ambient {
        Ambient::Keys(keys) => Ok(keys.clone()),
        Ambient::Indirect => Err(obstacle(
            "CredentialsNotSupported",
            format!(
                "{origin} wants the credentials of hyperstudy's own surroundings, where there is a web identity or a service of the cloud \
                 that gives them out, which hyperstudy cannot use: {keys}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the \
                 controller's environment"
            ),
        )),
        Ambient::Nothing => Err(obstacle(
            "CredentialsMissing",
            format!(
                "{origin} wants the credentials of hyperstudy's own surroundings, where there are none: {keys}, or set AWS_ACCESS_KEY_ID \
                 and AWS_SECRET_ACCESS_KEY in the controller's environment"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn settings(rule: Option<&str>) -> Settings {
        Settings {
            ambient_credentials: rule.map(|rule| rule.parse().unwrap()).into_iter().collect(),
            ..Settings::default()
        }
    }

    fn keys() -> Ambient {
        Ambient::of(&settings(Some("*=s3://bucket")), |name| Some(format!("my {name}")))
    }

    #[test]
    fn the_environment_is_asked_only_where_it_is_allowed() {
        assert_eq!(
            Ambient::of(&settings(None), |name| panic!("asked for {name}")),
            Ambient::Nothing
        );
        let Ambient::Keys(found) = keys() else { panic!() };
        assert_eq!(found.access_key, "my AWS_ACCESS_KEY_ID");
        assert_eq!(found.session_token.as_deref(), Some("my AWS_SESSION_TOKEN"));
        let of = |set: &'static [&str]| {
            Ambient::of(&settings(Some("*=s3://bucket")), |name| {
                set.contains(&name).then(|| "x".to_owned())
            })
        };
        assert_eq!(of(&[]), Ambient::Nothing);
        assert_eq!(of(&["AWS_ACCESS_KEY_ID"]), Ambient::Nothing);
        assert_eq!(of(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]), Ambient::Indirect);
    }

    #[test]
    fn own_credentials_serve_only_what_was_allowed() {
        let (one, two): (Location, Location) = (
            "s3://bucket/runs/a".parse().unwrap(),
            "s3://bucket/other".parse().unwrap(),
        );
        let (wanted, nothing) = (
            S3 {
                use_sdk_creds: true,
                ..S3::default()
            },
            S3::default(),
        );
        let (none, rule) = (settings(None), settings(Some("ml=s3://bucket/runs")));
        for (settings, ambient, s3, role, namespace, output, reason) in [
            (&rule, keys(), &wanted, None, "ml", &one, None),
            // As Argo: nothing said is the same.
            (&rule, keys(), &nothing, None, "ml", &one, None),
            (&rule, keys(), &wanted, None, "ml", &two, Some("CredentialsNotAllowed")),
            (
                &rule,
                keys(),
                &wanted,
                None,
                "other",
                &one,
                Some("CredentialsNotAllowed"),
            ),
            (&none, keys(), &wanted, None, "ml", &one, Some("CredentialsNotAllowed")),
            (&none, keys(), &nothing, None, "ml", &one, Some("CredentialsMissing")),
            (
                &rule,
                Ambient::Nothing,
                &wanted,
                None,
                "ml",
                &one,
                Some("CredentialsMissing"),
            ),
            (
                &rule,
                Ambient::Indirect,
                &wanted,
                None,
                "ml",
                &one,
                Some("CredentialsNotSupported"),
            ),
            (
                &rule,
                keys(),
                &wanted,
                Some("arn:x"),
                "ml",
                &one,
                Some("CredentialsNotSupported"),
            ),
        ] {
            let to = Use {
                namespace,
                output,
                origin: "it",
            };
            let found = own(settings, &ambient, s3, role, &to);
            assert_eq!(found.err().map(|e| e.reason).as_deref(), reason, "{namespace} {output}");
        }
    }
}
