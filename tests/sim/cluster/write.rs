//! What a write does: create, replace, patch, delete.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    answer::Refusal,
    fields::Owners,
    kinds::Kind,
    route::{Call, PatchKind, Verb},
    schema,
    store::{Key, Store, key, written},
};
use crate::clock;

/// What the server alone sets, and an update leaves as it was.
const FIXED: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "namespace",
    "name",
];

/// Does what a write asks for; gives the code and the object, or the status, of the answer.
pub fn write(store: &mut Store, call: &Call) -> Result<(u16, Arc<Value>), Refusal> {
    if call.param("dryRun").is_empty() {
        return done(store, call);
    }
    let mut draft = store.clone();
    done(&mut draft, call)
}

fn done(store: &mut Store, call: &Call) -> Result<(u16, Arc<Value>), Refusal> {
    let name = call.name.as_deref().unwrap_or_default();
    let at = key(call.kind, call.namespace.as_deref(), name);
    match call.verb {
        Verb::Create => create(store, call, call.body.clone(), Owners::default()),
        Verb::Update => update(store, call, &at, call.body.clone(), None),
        Verb::Patch if call.patch == PatchKind::Apply => apply(store, call, &at),
        Verb::Patch => {
            let live = store.get(&at).ok_or_else(|| Refusal::not_found(call.kind, name))?;
            let mut patched = (*live.object).clone();
            if call.patch == PatchKind::Json {
                let steps: json_patch::Patch =
                    serde_json::from_value(call.body.clone()).map_err(|e| Refusal::bad(e.to_string()))?;
                json_patch::patch(&mut patched, &steps).map_err(|e| {
                    let message = format!("the server rejected our request due to an error in our request: {e}");
                    Refusal::new(422, "Invalid", message)
                })?;
            } else {
                json_patch::merge(&mut patched, &call.body);
            }
            update(store, call, &at, patched, None)
        }
        Verb::Delete => delete(store, call, &at),
        _ => Err(Refusal::bad("that is not a write")),
    }
}

fn manager(call: &Call, applies: bool) -> (String, bool, bool) {
    let name = match call.param("fieldManager") {
        "" => "unknown",
        name => name,
    };
    (name.to_owned(), applies, call.status)
}

/// What holds for every object whatever its kind.
fn sound(call: &Call, object: &Value) -> Result<(), Refusal> {
    let kind = call.kind;
    let Value::Object(_) = object else {
        return Err(Refusal::bad("the body is not an object"));
    };
    let given = (object["apiVersion"].as_str(), object["kind"].as_str());
    // Clients may leave both out where the kind is built in.
    if kind.custom || given != (None, None) {
        if given.0 != Some(kind.api_version().as_str()) {
            return Err(Refusal::bad(
                "the API version in the data does not match the expected API version",
            ));
        }
        if given.1 != Some(kind.kind) {
            let name = call.name.as_deref().unwrap_or_default();
            let why = format!("kind: Invalid value: must be {}", kind.kind);
            return Err(Refusal::invalid(kind, name, &why));
        }
    }
    let metadata = &object["metadata"];
    let asked = call.namespace.as_deref().filter(|_| kind.namespaced);
    if metadata["namespace"].as_str().is_some_and(|n| Some(n) != asked) {
        return Err(Refusal::bad(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if let (Some(asked), Some(given)) = (&call.name, metadata["name"].as_str())
        && asked != given
    {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({asked})");
        return Err(Refusal::bad(message));
    }
    Ok(())
}

/// Whether the metadata is as it has to be.
fn valid(kind: &'static Kind, object: &Value) -> Result<(), Refusal> {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |p: &str| {
        p.bytes().all(|c| letter(c) || c == b'-')
            && p.bytes().next().is_some_and(letter)
            && p.bytes().last().is_some_and(letter)
    };
    if name.len() > 253 || !name.split('.').all(part) {
        return Err(Refusal::invalid(
            kind,
            name,
            "metadata.name: a lowercase RFC 1123 subdomain must consist of lower case letters, digits, '-' or '.'",
        ));
    }
    for (label, value) in metadata["labels"].as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .ok_or_else(|| Refusal::bad(format!("the label {label} is not a string")))?;
        let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let ends = |c: Option<u8>| c.is_none_or(|c| c.is_ascii_alphanumeric());
        if value.len() > 63 || !value.bytes().all(inner) || !ends(value.bytes().next()) || !ends(value.bytes().last()) {
            return Err(Refusal::invalid(
                kind,
                name,
                &format!("metadata.labels: Invalid value: \"{value}\""),
            ));
        }
    }
    for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().is_none_or(str::is_empty) {
                let why = format!("metadata.ownerReferences.{field}: must not be empty");
                return Err(Refusal::invalid(kind, name, &why));
            }
        }
    }
    Ok(())
}

fn create(store: &mut Store, call: &Call, mut object: Value, mut owners: Owners) -> Result<(u16, Arc<Value>), Refusal> {
    let kind = call.kind;
    sound(call, &object)?;
    if object["metadata"]["resourceVersion"]
        .as_str()
        .is_some_and(|v| !v.is_empty())
    {
        return Err(Refusal::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    schema::tidy(kind, &mut object);
    let namespace = call.namespace.clone().filter(|_| kind.namespaced);
    if kind.status {
        without(&mut object, "status");
    }
    let dice = store.dice.clone();
    if let Value::Object(metadata) = &mut object["metadata"] {
        if metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            let start = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
            if start.is_empty() {
                return Err(Refusal::invalid(
                    kind,
                    "",
                    "metadata.name: Required value: name or generateName is required",
                ));
            }
            let generated = format!("{start}{}", dice.suffix());
            metadata.insert("name".to_owned(), generated.into());
        }
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "generation",
        ] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), dice.uid().into());
        metadata.insert("creationTimestamp".to_owned(), clock::stamp().into());
        if kind.custom {
            metadata.insert("generation".to_owned(), 1.into());
        }
        if let Some(namespace) = &namespace {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        }
    }
    valid(kind, &object)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(wrong) = schema::wrong(kind, None, &object, false) {
        return Err(Refusal::invalid(kind, &name, &wrong));
    }
    let at = key(kind, namespace.as_deref(), &name);
    if store.get(&at).is_some() {
        return Err(Refusal::already_exists(kind, &name));
    }
    if owners == Owners::default() {
        owners.note(manager(call, false), schema::of(kind), None, &object);
    }
    Ok((201, store.put(kind, &at, object, owners)))
}

/// Puts `object` in the place of what is there. `owners` are the new ones, where that is known already.
fn update(
    store: &mut Store,
    call: &Call,
    at: &Key,
    mut object: Value,
    owners: Option<Owners>,
) -> Result<(u16, Arc<Value>), Refusal> {
    let kind = call.kind;
    let name = &at.2;
    sound(call, &object)?;
    let live = store.get(at).cloned().ok_or_else(|| Refusal::not_found(kind, name))?;
    let old = &live.object;
    let version = object["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty());
    if version.is_none() && call.verb == Verb::Update && !kind.unconditional {
        let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
        return Err(Refusal::invalid(kind, name, why));
    }
    if version.is_some_and(|version| old["metadata"]["resourceVersion"] != version) {
        return Err(Refusal::modified(kind, name));
    }
    if object["metadata"]["uid"]
        .as_str()
        .is_some_and(|uid| old["metadata"]["uid"] != uid)
    {
        let why = format!(
            "StorageError: invalid object, Code: 4, UID in precondition: {}, UID in object meta: {}",
            object["metadata"]["uid"], old["metadata"]["uid"]
        );
        return Err(match call.verb {
            Verb::Patch => Refusal::invalid(kind, name, "metadata.uid: Invalid value: field is immutable"),
            _ => Refusal::conflict(kind, name, &why),
        });
    }
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    schema::tidy(kind, &mut object);
    if call.status {
        let status = object.get("status").cloned();
        object = (**old).clone();
        set(&mut object, "status", status);
    } else if kind.status {
        set(&mut object, "status", old.get("status").cloned());
    }
    let deleting = !old["metadata"]["deletionTimestamp"].is_null();
    let finalizers = |o: &Value| o["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let (had, has) = (finalizers(old), finalizers(&object));
    if deleting && has.iter().any(|f| !had.contains(f)) {
        let why = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal::invalid(kind, name, why));
    }
    if let (Value::Object(new), Value::Object(old)) = (&mut object["metadata"], &old["metadata"]) {
        for field in FIXED.into_iter().chain(["resourceVersion", "generateName"]) {
            match old.get(field) {
                Some(value) => new.insert(field.to_owned(), value.clone()),
                None => new.remove(field),
            };
        }
        for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
            let empty = |v: &Value| {
                v.is_null() || v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(Map::is_empty)
            };
            if new.get(field).is_some_and(empty) {
                new.remove(field);
            }
        }
        new.remove("managedFields");
    }
    valid(kind, &object)?;
    if let Some(wrong) = schema::wrong(kind, Some(old), &object, call.status) {
        return Err(Refusal::invalid(kind, name, &wrong));
    }
    let owners = owners.unwrap_or_else(|| {
        let mut owners = live.owners.clone();
        owners.note(manager(call, false), schema::of(kind), Some(old), &object);
        owners
    });
    if object == **old && owners == live.owners {
        // Nothing to write: the object stays what it was, to its resourceVersion.
        return Ok((200, live.object));
    }
    if kind.custom && content(kind, &object) != content(kind, old) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = (generation + 1).into();
    }
    if deleting && has.is_empty() {
        // The answer shows the version that was replaced; watches are told the one at which it went.
        store.remove(at, Some(object.clone()));
        return Ok((200, Arc::new(object)));
    }
    Ok((200, store.put(kind, at, object, owners)))
}

/// What a change of counts as another generation.
fn content(kind: &Kind, object: &Value) -> Map<String, Value> {
    let mut fields = object.as_object().cloned().unwrap_or_default();
    fields.remove("metadata");
    if kind.status {
        fields.remove("status");
    }
    fields
}

fn apply(store: &mut Store, call: &Call, at: &Key) -> Result<(u16, Arc<Value>), Refusal> {
    let kind = call.kind;
    if call.param("fieldManager").is_empty() {
        return Err(Refusal::new(
            422,
            "Invalid",
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    sound(call, &call.body)?;
    let mut applied = call.body.clone();
    written(&mut applied);
    // Each of the two has a part of its own.
    if call.status {
        without(&mut applied, "spec");
    } else if kind.status {
        without(&mut applied, "status");
    }
    let Some(live) = store.get(at).cloned() else {
        if call.status {
            return Err(Refusal::not_found(kind, &at.2));
        }
        // Whatever version it names: what is not there is created.
        set(&mut applied["metadata"], "resourceVersion", None);
        applied["metadata"]["name"] = at.2.clone().into();
        let mut owners = Owners::default();
        let created = owners.apply(manager(call, true), schema::of(kind), &json!({}), &applied, true);
        let object = created.map_err(|_| Refusal::bad("cannot be applied"))?;
        return create(store, call, object, owners);
    };
    let mut owners = live.owners.clone();
    let merged = owners.apply(
        manager(call, true),
        schema::of(kind),
        &live.object,
        &applied,
        call.flag("force"),
    );
    let mut object = merged.map_err(|conflicts| {
        let message = format!(
            "Apply failed with {} conflicts: {}",
            conflicts.len(),
            conflicts.join(", ")
        );
        Refusal::new(409, "Conflict", message)
    })?;
    let version = applied["metadata"]["resourceVersion"].clone();
    set(
        &mut object["metadata"],
        "resourceVersion",
        Some(version).filter(|v| !v.is_null()),
    );
    update(store, call, at, object, Some(owners))
}

fn delete(store: &mut Store, call: &Call, at: &Key) -> Result<(u16, Arc<Value>), Refusal> {
    let kind = call.kind;
    let name = &at.2;
    let live = store.get(at).cloned().ok_or_else(|| Refusal::not_found(kind, name))?;
    let metadata = &live.object["metadata"];
    let mut policy = call.param("propagationPolicy");
    if let Some(asked) = call.body["propagationPolicy"].as_str() {
        policy = asked;
    }
    if !matches!(policy, "" | "Background") {
        return Err(Refusal::bad(format!(
            "this world deletes in the background only, not `{policy}`"
        )));
    }
    for field in ["uid", "resourceVersion"] {
        if let Some(wanted) = call.body["preconditions"][field].as_str()
            && metadata[field] != wanted
        {
            let why = format!(
                "the {field} in the precondition ({wanted}) does not match the one in record ({})",
                metadata[field]
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
    }
    if metadata["finalizers"].as_array().is_some_and(|f| !f.is_empty()) {
        if !metadata["deletionTimestamp"].is_null() {
            return Ok((200, live.object));
        }
        let mut object = (*live.object).clone();
        object["metadata"]["deletionTimestamp"] = clock::stamp().into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if let Some(generation) = metadata["generation"].as_i64() {
            object["metadata"]["generation"] = (generation + 1).into();
        }
        return Ok((200, store.put(kind, at, object, live.owners)));
    }
    store.remove(at, None);
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": name, "group": kind.group, "kind": kind.plural, "uid": metadata["uid"]},
    });
    Ok((200, Arc::new(status)))
}

fn without(object: &mut Value, field: &str) {
    set(object, field, None);
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    if let Value::Object(fields) = object {
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
    }
}
