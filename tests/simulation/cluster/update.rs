//! What takes the place of an object: replacement, and server-side apply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    answer::Refusal,
    fields::Owners,
    kinds::Kind,
    route::{Call, Verb},
    schema,
    sound::{sound, valid},
    store::{Key, Store, written},
    write::{create, manager, set, without},
};

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

/// Puts `object` in the place of what is there. `owners` are the new ones, where that is known already.
pub fn update(
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

/// Applies a configuration, creating the object where it is not there.
pub fn apply(store: &mut Store, call: &Call, at: &Key) -> Result<(u16, Arc<Value>), Refusal> {
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
