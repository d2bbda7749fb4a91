//! What holds for every object whatever its kind.

use serde_json::Value;

use super::{answer::Refusal, kinds::Kind, route::Call};

/// Whether the object of a request is one of the kind and place that its path names.
pub fn sound(call: &Call, object: &Value) -> Result<(), Refusal> {
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
pub fn valid(kind: &'static Kind, object: &Value) -> Result<(), Refusal> {
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
