//! What a write does: create, replace, patch, delete.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::Refusal,
    fields::Owners,
    route::{Call, PatchKind, Verb},
    schema,
    sound::{sound, valid},
    store::{Key, Store, key},
    update::{apply, update},
};
use crate::clock;

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

/// Whom a call makes the owner of what it writes.
pub fn manager(call: &Call, applies: bool) -> (String, bool, bool) {
    let name = match call.param("fieldManager") {
        "" => "unknown",
        name => name,
    };
    (name.to_owned(), applies, call.status)
}

/// Puts an object where none is.
pub fn create(
    store: &mut Store,
    call: &Call,
    mut object: Value,
    mut owners: Owners,
) -> Result<(u16, Arc<Value>), Refusal> {
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

/// Removes a field.
pub fn without(object: &mut Value, field: &str) {
    set(object, field, None);
}

/// Sets a field, or removes it.
pub fn set(object: &mut Value, field: &str, value: Option<Value>) {
    if let Value::Object(fields) = object {
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
    }
}
