//! The schemas that the API server itself publishes, as kubeconform reads them.

use std::{collections::BTreeMap, fs};

use kube::Client;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::tools;

/// A folder with a schema for each kind.
pub struct Schemas(TempDir);

impl Schemas {
    /// Those of everything that is served.
    pub async fn of(client: &Client) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let get = async |path: &str| -> Value {
            let request = http::Request::get(path).body(Vec::new()).unwrap();
            client.request(request).await.unwrap()
        };
        let paths: BTreeMap<String, Value> = serde_json::from_value(get("/openapi/v3").await["paths"].clone()).unwrap();
        let paths = paths.iter().filter(|(path, _)| path.ends_with("/v1"));
        for (_, at) in paths {
            let mut document = get(at["serverRelativeURL"].as_str().unwrap()).await;
            let Value::Object(mut schemas) = document["components"]["schemas"].take() else {
                continue;
            };
            schemas.values_mut().for_each(close);
            write(&folder, &schemas);
        }
        Self(folder)
    }

    /// Checks objects; the form is named where it fails.
    pub fn check(&self, form: &str, objects: &[Value]) {
        if let Some(complaint) = self.complaint(objects) {
            panic!("{form}: {complaint}");
        }
    }

    /// What is wrong with objects.
    pub fn complaint(&self, objects: &[Value]) -> Option<String> {
        let file = self.0.path().join("objects.yaml");
        // JSON is YAML.
        let text: Vec<_> = objects.iter().map(Value::to_string).collect();
        fs::write(&file, text.join("\n---\n")).unwrap();
        let location = format!(
            "{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            self.0.path().display()
        );
        let file = file.to_str().unwrap();
        tools::run("kubeconform", &["-schema-location", &location, "-summary", file]).err()
    }
}

/// Writes the schema of each kind, with all that it refers to, to the file in which kubeconform looks for it.
fn write(folder: &TempDir, schemas: &Map<String, Value>) {
    for (name, schema) in schemas {
        let Some(kinds) = schema["x-kubernetes-group-version-kind"].as_array() else {
            continue;
        };
        // Those that every group has (`DeleteOptions`) are no objects.
        let [kind] = &kinds[..] else { continue };
        let part = |key| kind[key].as_str().unwrap_or_default().to_lowercase();
        let group = part("group");
        let group = group.split('.').next().filter(|g| !g.is_empty());
        let suffix = group.map_or(String::new(), |g| format!("-{g}"));
        let file = format!("{}{suffix}-{}.json", part("kind"), part("version"));
        let whole = json!({"$ref": format!("#/components/schemas/{name}"), "components": {"schemas": schemas}});
        fs::write(folder.path().join(file), whole.to_string()).unwrap();
    }
}

/// Lets an object have no fields but those that are named.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_object = fields.get("properties").is_some_and(|p| !p["type"].is_string());
            if is_object && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
