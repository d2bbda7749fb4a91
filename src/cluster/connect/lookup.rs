//! Where Argo finds artifact repositories: in which ConfigMap, under which key.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::Value;

use super::{
    super::Obstacle,
    objects::Reader,
    obstacle,
    repository::{NotS3, Repository},
    settings::Settings,
};

/// The ConfigMap that is looked at where a reference names none.
const DEFAULT_CONFIG_MAP: &str = "artifact-repositories";
/// The annotation of such a ConfigMap that names the key where a reference names none.
const DEFAULT_KEY: &str = "workflows.argoproj.io/default-artifact-repository";

/// Which artifact repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Reference {
    /// Nothing is said: the default of the study's namespace, else that of Argo's controller.
    #[default]
    Default,
    /// A reference, empty or not: in the study's namespace, else in Argo's.
    To {
        config_map: Option<String>,
        key: Option<String>,
    },
}

impl Reference {
    /// The `artifactRepositoryRef` of a Workflow or a template.
    pub fn of_template(value: Option<&Value>) -> Result<Self, Obstacle> {
        let invalid = || {
            obstacle(
                "ArtifactRepositoryInvalid",
                "the template's `artifactRepositoryRef` is not understood: write {configMap: NAME, key: KEY}"
                    .to_owned(),
            )
        };
        let fields = match value {
            None | Some(Value::Null) => return Ok(Self::Default),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(invalid()),
        };
        let text = |name| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(invalid()),
        };
        Ok(Self::To {
            config_map: text("configMap")?,
            key: text("key")?,
        })
    }

    fn describe(&self, namespace: &str, settings: &Settings) -> String {
        let Settings {
            argo_namespace,
            argo_configmap,
            ..
        } = settings;
        match self {
            Self::Default => format!(
                "there is no artifact repository: neither does the ConfigMap `{DEFAULT_CONFIG_MAP}` in the namespace `{namespace}` have \
                 one that its annotation `{DEFAULT_KEY}` names, nor does Argo's controller have a default, which would be \
                 `artifactRepository` in the ConfigMap `{argo_configmap}` in the namespace `{argo_namespace}`. Set one up, or give the \
                 study `storage.s3`"
            ),
            Self::To { config_map, key } => {
                let name = config_map.as_deref().unwrap_or(DEFAULT_CONFIG_MAP);
                let key = match key {
                    Some(key) => format!("the key `{key}`"),
                    None => format!("a key that its annotation `{DEFAULT_KEY}` names"),
                };
                format!(
                    "there is no artifact repository: no ConfigMap `{name}` with {key} is in the namespace `{namespace}`, nor in Argo's, \
                     `{argo_namespace}`"
                )
            }
        }
    }
}

/// What was found, and where.
pub(super) struct Found {
    pub repository: Repository,
    /// Where it stands, as a phrase.
    pub origin: String,
}

/// Looks an artifact repository up as Argo does for a Workflow in `namespace`.
pub(super) async fn find(
    reader: &Reader<'_>,
    settings: &Settings,
    namespace: &str,
    reference: &Reference,
) -> Result<Found, Obstacle> {
    let missing = || obstacle("ArtifactRepositoryNotFound", reference.describe(namespace, settings));
    let (config_map, key) = match reference {
        Reference::Default => (None, None),
        Reference::To { config_map, key } => (config_map.as_deref(), key.as_deref()),
    };
    let name = config_map.unwrap_or(DEFAULT_CONFIG_MAP);
    let mut namespaces = vec![namespace];
    if *reference != Reference::Default && settings.argo_namespace != namespace {
        namespaces.push(&settings.argo_namespace);
    }
    for namespace in namespaces {
        if let Some(map) = reader.config_map(namespace, name).await?
            && let Some((key, text)) = entry(&map, key)
        {
            let origin =
                format!("the artifact repository `{key}` of the ConfigMap `{name}` in the namespace `{namespace}`");
            return read(text, origin, missing);
        }
    }
    if *reference != Reference::Default {
        return Err(missing());
    }
    let (namespace, name) = (&settings.argo_namespace, &settings.argo_configmap);
    let map = reader.config_map(namespace, name).await?;
    let origin =
        format!("Argo's default artifact repository, in the ConfigMap `{name}` in the namespace `{namespace}`,");
    match map.as_ref().map(default_of_controller) {
        None | Some(Ok(None)) => Err(missing()),
        Some(Ok(Some(text))) => read(&text, origin, missing),
        Some(Err(())) => Err(obstacle(
            "ArtifactRepositoryInvalid",
            format!("{origin} is no valid YAML"),
        )),
    }
}

/// What stands under a key, or else under the one that the annotation names.
fn entry<'a>(map: &'a ConfigMap, key: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    let key = match key {
        Some(key) => key,
        None => map.annotations().get(DEFAULT_KEY)?,
    };
    let text = map.data.as_ref()?.get(key)?;
    Some((key, text))
}

/// The text of `artifactRepository` in the ConfigMap of Argo's controller: a key of it, or a part of the only key `config`.
fn default_of_controller(map: &ConfigMap) -> Result<Option<String>, ()> {
    let data = map.data.as_ref();
    let get = |key: &str| data.and_then(|data| data.get(key));
    let Some(config) = get("config") else {
        return Ok(get("artifactRepository").cloned());
    };
    let config: Value = serde_saphyr::from_str(config).map_err(|_| ())?;
    let part = config.get("artifactRepository").filter(|part| !part.is_null());
    // JSON is YAML.
    Ok(part.map(Value::to_string))
}

fn read(text: &str, origin: String, missing: impl FnOnce() -> Obstacle) -> Result<Found, Obstacle> {
    match Repository::read(text) {
        Ok(repository) => Ok(Found { repository, origin }),
        Err(NotS3::Empty) => Err(missing()),
        Err(NotS3::Other(kind)) => Err(obstacle(
            "ArtifactRepositoryNotS3",
            format!(
                "{origin} is of the kind `{kind}`, but a study's files are in S3: refer to one with `s3`, or give the study `storage.s3`"
            ),
        )),
        Err(NotS3::Invalid(why)) => Err(obstacle(
            "ArtifactRepositoryInvalid",
            format!("{origin} is not understood: {why}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn map(data: Value) -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": "x", "annotations": {DEFAULT_KEY: "second"}}, "data": data}))
            .unwrap()
    }

    #[test]
    fn finds_the_key() {
        let map = map(json!({"first": "1", "second": "2"}));
        assert_eq!(entry(&map, Some("first")), Some(("first", "1")));
        assert_eq!(entry(&map, Some("third")), None);
        assert_eq!(entry(&map, None), Some(("second", "2")));
        assert_eq!(entry(&ConfigMap::default(), None), None);
    }

    #[test]
    fn reads_the_controllers_default() {
        let s3 = "s3:\n  endpoint: minio:9000\n  bucket: b\n";
        for (data, found) in [
            (json!({"artifactRepository": s3}), Ok(true)),
            (
                json!({"artifactRepository": "{s3: {endpoint: 'minio:9000', bucket: b}}", "other": "x: ["}),
                Ok(true),
            ),
            (
                json!({"config": format!("parallelism: 3\nartifactRepository:\n  {}", s3.trim_end().replace('\n', "\n  "))}),
                Ok(true),
            ),
            (json!({"config": "parallelism: 3"}), Ok(false)),
            (json!({"config": "artifactRepository: null"}), Ok(false)),
            (json!({"config": ""}), Ok(false)),
            (json!({"config": "a: ["}), Err(())),
            (json!({"parallelism": "3"}), Ok(false)),
            (json!(null), Ok(false)),
        ] {
            let text = default_of_controller(&map(data.clone()));
            assert_eq!(text.as_ref().map(Option::is_some), found.as_ref().copied(), "{data}");
            if let Ok(Some(text)) = text {
                assert_eq!(Repository::read(&text).unwrap().s3.endpoint, "minio:9000", "{data}");
            }
        }
    }

    #[test]
    fn reads_references_of_templates() {
        let to = |config_map: Option<&str>, key: Option<&str>| Reference::To {
            config_map: config_map.map(str::to_owned),
            key: key.map(str::to_owned),
        };
        for (value, reference) in [
            (json!(null), Reference::Default),
            // Not the same as nothing: also looked up in Argo's namespace.
            (json!({}), to(None, None)),
            (json!({"key": "k"}), to(None, Some("k"))),
            (json!({"configMap": "c", "key": ""}), to(Some("c"), None)),
        ] {
            assert_eq!(Reference::of_template(Some(&value)), Ok(reference), "{value}");
        }
        assert_eq!(Reference::of_template(None), Ok(Reference::Default));
        for wrong in [json!("x"), json!([]), json!({"key": 3})] {
            assert_eq!(
                Reference::of_template(Some(&wrong)).unwrap_err().reason,
                "ArtifactRepositoryInvalid"
            );
        }
    }
}
