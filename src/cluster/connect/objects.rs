//! Single ConfigMaps and Secrets, read one by one.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::{super::Obstacle, obstacle};
use crate::api::SecretKey;

/// How long a read may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether it can be the name of an object. Names from ConfigMaps were checked by nobody, and each becomes a part of the address that
/// is asked for: with `../` in it, another object's.
pub(in crate::cluster) fn is_name(name: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=253).contains(&name.len())
        && name.bytes().all(|c| alphanumeric(c) || matches!(c, b'-' | b'.'))
        && name.bytes().next().is_some_and(alphanumeric)
        && name.bytes().last().is_some_and(alphanumeric)
        && !name.contains("..")
}

/// Reads objects of any namespace.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    pub client: &'a Client,
}

impl Reader<'_> {
    /// A ConfigMap; `None` where there is none.
    pub async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, Obstacle> {
        self.read(namespace, name, "configmaps", "ArtifactRepositoryForbidden")
            .await
    }

    /// The bytes under a key of a Secret.
    pub async fn secret(&self, namespace: &str, selector: &SecretKey) -> Result<Vec<u8>, Obstacle> {
        let (name, key) = (&selector.name, &selector.key);
        let found: Option<Secret> = self.read(namespace, name, "secrets", "SecretForbidden").await?;
        let Some(secret) = found else {
            return Err(obstacle(
                "SecretNotFound",
                format!("there is no Secret `{name}` in the namespace `{namespace}`: create it with the key `{key}`"),
            ));
        };
        let Some(value) = secret.data.and_then(|mut data| data.remove(key)) else {
            return Err(obstacle(
                "SecretKeyNotFound",
                format!("the Secret `{name}` in the namespace `{namespace}` has no key `{key}`"),
            ));
        };
        if value.0.is_empty() {
            return Err(obstacle(
                "SecretInvalid",
                format!("the key `{key}` of the Secret `{name}` in the namespace `{namespace}` is empty"),
            ));
        }
        Ok(value.0)
    }

    /// The text under a key of a Secret.
    ///
    /// White space at its ends is refused rather than cut off: it is there by mistake, but Argo does not cut it off either, so that
    /// the study would go and each of its trials fail.
    pub async fn secret_text(&self, namespace: &str, selector: &SecretKey) -> Result<String, Obstacle> {
        let invalid = |what: &str| {
            let (name, key) = (&selector.name, &selector.key);
            obstacle(
                "SecretInvalid",
                format!("the key `{key}` of the Secret `{name}` in the namespace `{namespace}` {what}"),
            )
        };
        let text = String::from_utf8(self.secret(namespace, selector).await?);
        let text = text.map_err(|_| invalid("is no text in UTF-8"))?;
        if text.trim() != text {
            return Err(invalid(
                "begins or ends with white space, such as the line break that `echo` adds (`echo -n` does not): Argo takes that as a \
                 part of it, and servers refuse it",
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("has more than one line, or other control characters in it"));
        }
        Ok(text)
    }

    async fn read<K>(&self, namespace: &str, name: &str, plural: &str, forbidden: &str) -> Result<Option<K>, Obstacle>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let kind = K::kind(&());
        let what = || format!("the {kind} `{name}` in the namespace `{namespace}`");
        if !is_name(name) || !is_name(namespace) {
            return Err(obstacle(
                "NameInvalid",
                format!("`{name}` is no name that a {kind} can have: lower-case letters, digits, `-` and `.`"),
            ));
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let unavailable = |why: String| obstacle(crate::study::UNASKED, format!("cannot read {}: {why}", what()));
        match tokio::time::timeout(PATIENCE, api.get_opt(name)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(obstacle(
                forbidden,
                format!(
                    "hyperstudy may not read {}: let its service account `get` `{plural}` in that namespace by a Role and a RoleBinding",
                    what()
                ),
            )),
            Ok(Err(kube::Error::Api(status))) => Err(unavailable(format!(
                "the API server answers {} {}",
                status.code, status.reason
            ))),
            Ok(Err(_)) => Err(unavailable(
                "the API server cannot be reached, or its answer cannot be read".to_owned(),
            )),
            Err(_) => Err(unavailable(format!(
                "the API server does not answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names() {
        for name in ["a", "artifact-repositories", "a.b-1", "0"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "..",
            "a..b",
            "../secrets/x",
            "a/b",
            "a?b",
            "a%2fb",
            "A",
            "-a",
            "a-",
            ".a",
            "a b",
            "ü",
            &"a".repeat(254),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
