//! What a read gives: objects, lists in pages, and their metadata alone.

use serde_json::{Value, json};

use super::{
    answer::Refusal,
    kinds::Kind,
    route::Call,
    select::Selection,
    store::{Store, key},
};

/// An object as a client wants it.
pub fn shown(object: &Value, metadata_only: bool) -> Value {
    if !metadata_only || object["kind"] == "Status" {
        return object.clone();
    }
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// One object.
pub fn get(store: &Store, call: &Call) -> Result<Value, Refusal> {
    let name = call.name.as_deref().unwrap_or_default();
    let found = store.get(&key(call.kind, call.namespace.as_deref(), name));
    let found = found.ok_or_else(|| Refusal::not_found(call.kind, name))?;
    Ok(shown(&found.object, call.metadata_only))
}

/// One object as it was at a resourceVersion, or as it is where it was not there then: that something is not there is true of a single object
/// whenever a server says so, also where another one has its name.
pub fn get_at(store: &Store, call: &Call, revision: u64) -> Result<Value, Refusal> {
    let name = call.name.as_deref().unwrap_or_default();
    let at = key(call.kind, call.namespace.as_deref(), name);
    let newer = store.history.iter().find(|c| c.revision > revision && c.key == at);
    let before = newer.and_then(|change| change.before.clone());
    let now = store.get(&at).map(|stored| stored.object.clone());
    let is_another = |before: &std::sync::Arc<Value>| {
        let uid = &before["metadata"]["uid"];
        now.as_ref().is_some_and(|now| now["metadata"]["uid"] != *uid)
    };
    let found = before.filter(|before| !is_another(before)).or_else(|| now.clone());
    let found = found.ok_or_else(|| Refusal::not_found(call.kind, name))?;
    Ok(shown(&found, call.metadata_only))
}

/// A list, or a page of one.
pub fn list(store: &Store, call: &Call) -> Result<Value, Refusal> {
    let (revision, after) = match call.param("continue") {
        "" => (revision(store, call)?, None),
        token => {
            let (revision, after) = token
                .split_once('/')
                .ok_or_else(|| Refusal::bad("continue key is not valid"))?;
            let revision = revision
                .parse()
                .map_err(|_| Refusal::bad("continue key is not valid"))?;
            if revision < store.compacted {
                return Err(Refusal::expired(
                    "The provided continue parameter is too old to display a consistent list result.",
                ));
            }
            (revision, Some(after.to_owned()))
        }
    };
    list_at(store, call, revision, after)
}

/// A list, or a page of one after a place, as it was at a resourceVersion, even one that is forgotten.
pub fn list_at(store: &Store, call: &Call, revision: u64, after: Option<String>) -> Result<Value, Refusal> {
    let selection = Selection::read(call)?;
    let limit: usize = match call.param("limit") {
        "" => 0,
        limit => limit.parse().map_err(|_| Refusal::bad("limit is not a number"))?,
    };
    // A server may give fewer.
    let limit = if limit > 0 {
        limit.min(call.page.unwrap_or(limit))
    } else {
        0
    };
    let place = |o: &Value| {
        let text = |field: &str| o["metadata"][field].as_str().unwrap_or_default();
        format!("{}/{}", text("namespace"), text("name"))
    };
    let mut found = store.at(call.kind, revision, &selection);
    found.sort_by_key(|o| place(o));
    found.retain(|o| after.as_ref().is_none_or(|after| place(o) > *after));
    let left = if limit > 0 {
        found.len().saturating_sub(limit)
    } else {
        0
    };
    found.truncate(found.len() - left);
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if call.kind.custom {
        metadata["continue"] = "".into();
    }
    if let (Some(last), true) = (found.last(), left > 0) {
        metadata["continue"] = format!("{revision}/{}", place(last)).into();
        if call.param("labelSelector").is_empty() && call.param("fieldSelector").is_empty() {
            metadata["remainingItemCount"] = left.into();
        }
    }
    let items: Vec<Value> = found.iter().map(|o| item(call.kind, o, call.metadata_only)).collect();
    let (kind, version) = if call.metadata_only {
        ("PartialObjectMetadata".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (call.kind.kind.to_owned(), call.kind.api_version())
    };
    Ok(json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": metadata, "items": items}))
}

/// Which state of the objects a list shows.
fn revision(store: &Store, call: &Call) -> Result<u64, Refusal> {
    let given = match call.param("resourceVersion") {
        "" => return Ok(store.revision),
        // Any state will do: what a cache knows.
        "0" => return Ok(store.seen(call.kind)),
        given => given
            .parse::<u64>()
            .map_err(|_| Refusal::bad("resourceVersion is not a number"))?,
    };
    if given > store.revision {
        let message = format!("Too large resource version: {given}, current: {}", store.revision);
        return Err(Refusal::new(504, "Timeout", message).after(1));
    }
    if call.param("resourceVersionMatch") != "Exact" {
        return Ok(store.seen(call.kind).max(given));
    }
    if given < store.compacted {
        return Err(Refusal::expired(format!(
            "The resourceVersion for the provided list is too old: {given}"
        )));
    }
    Ok(given)
}

/// An object in a list: those that are built in do not repeat their kind.
fn item(kind: &Kind, object: &Value, metadata_only: bool) -> Value {
    let mut item = shown(object, metadata_only);
    if let (false, false, Value::Object(fields)) = (kind.custom, metadata_only, &mut item) {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    item
}
