//! Who owns which fields, and server-side apply, as far as a controller's own statuses need it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema::{self, Merge, Node};

/// The way to a field: names of fields, and the keys of items as JSON.
type Path = Vec<String>;

/// Who wrote: a manager, whether by apply, whether to the status subresource.
pub type Manager = (String, bool, bool);

/// Which fields of an object are whose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners(BTreeMap<Manager, BTreeSet<Path>>);

/// What an applied configuration cannot contain, or what does not make anybody an owner.
const NOBODYS: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "generateName",
];

impl Owners {
    /// Notes a write that was not an apply: what changed is now the writer's.
    pub fn note(&mut self, manager: Manager, schema: Node, before: Option<&Value>, after: &Value) {
        let old = before.map(|b| leaves(schema, b)).unwrap_or_default();
        let new = leaves(schema, after);
        let changed: BTreeSet<Path> = new
            .iter()
            .filter(|(p, v)| old.get(*p) != Some(v))
            .map(|(p, _)| p.clone())
            .collect();
        for owned in self.0.values_mut() {
            let stays = |path: &Path| new.contains_key(path) || !old.contains_key(path);
            owned.retain(|path| stays(path) && !changed.contains(path));
        }
        if !changed.is_empty() {
            self.0.entry(manager).or_default().extend(changed);
        }
        self.0.retain(|_, owned| !owned.is_empty());
    }

    /// Applies a configuration to `live`: what this manager applied before and does not any more goes, unless it is somebody
    /// else's too.
    ///
    /// # Errors
    /// Who else owns what it would change, where that is not to be forced.
    pub fn apply(
        &mut self,
        manager: Manager,
        schema: Node,
        live: &Value,
        applied: &Value,
        force: bool,
    ) -> Result<Value, Vec<String>> {
        let new = leaves(schema, applied);
        let current = leaves(schema, live);
        let mut conflicts = Vec::new();
        for (other, owned) in self.0.iter_mut().filter(|(m, _)| **m != manager) {
            let differing = |path: &Path| new.get(path).is_some_and(|v| current.get(path) != Some(v));
            if force {
                owned.retain(|path| !differing(path));
            } else {
                let of = |path: &Path| format!("conflict with \"{}\": .{}", other.0, path.join("."));
                conflicts.extend(owned.iter().filter(|p| differing(p)).map(of));
            }
        }
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let before = self
            .0
            .insert(manager.clone(), new.keys().cloned().collect())
            .unwrap_or_default();
        self.0.retain(|_, owned| !owned.is_empty());
        let mut result = live.clone();
        for path in before {
            let kept = self
                .0
                .values()
                .any(|owned| owned.range(path.clone()..).next().is_some_and(|p| p.starts_with(&path)));
            if !kept {
                remove(schema, &mut result, &mut Vec::new(), &path);
            }
        }
        merge(schema, &mut result, applied, &mut Vec::new());
        Ok(result)
    }
}

/// The fields of an object without fields in them, with their values.
fn leaves(schema: Node, object: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    collect(schema, object, &mut Vec::new(), &mut found);
    found
}

fn collect(node: Node, value: &Value, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let nobodys = match path.as_slice() {
                    [] => matches!(name.as_str(), "apiVersion" | "kind"),
                    [metadata] if metadata == "metadata" => NOBODYS.contains(&name.as_str()),
                    _ => false,
                };
                if !nobodys {
                    path.push(name.clone());
                    collect(schema::field(node, name), value, path, found);
                    path.pop();
                }
            }
        }
        Value::Array(items) => match schema::merge(node, path) {
            Merge::Atomic => {
                found.insert(path.clone(), value.clone());
            }
            way => {
                for item in items {
                    path.push(key(&way, item));
                    found.insert(path.clone(), Value::Null);
                    if item.is_object() {
                        collect(schema::items(node), item, path, found);
                    }
                    path.pop();
                }
            }
        },
        _ => {
            found.insert(path.clone(), value.clone());
        }
    }
}

/// What tells an item from others of its list.
fn key(way: &Merge, item: &Value) -> String {
    match way {
        Merge::Keys(keys) => {
            let keys: Map<String, Value> = keys.iter().map(|k| (k.clone(), item[k.as_str()].clone())).collect();
            Value::Object(keys).to_string()
        }
        _ => item.to_string(),
    }
}

/// Puts `applied` over `live`.
fn merge(node: Node, live: &mut Value, applied: &Value, path: &mut Path) {
    match (live, applied) {
        (live, Value::Object(applied)) => {
            if !live.is_object() {
                *live = json!({});
            }
            let Value::Object(live) = live else { return };
            for (name, value) in applied {
                path.push(name.clone());
                merge(
                    schema::field(node, name),
                    live.entry(name.clone()).or_insert(Value::Null),
                    value,
                    path,
                );
                path.pop();
            }
        }
        (live, Value::Array(applied)) if schema::merge(node, path) != Merge::Atomic => {
            let way = schema::merge(node, path);
            if !live.is_array() {
                *live = json!([]);
            }
            let Value::Array(live) = live else { return };
            let mut old: Vec<Value> = std::mem::take(live);
            let wanted: Vec<String> = applied.iter().map(|item| key(&way, item)).collect();
            // Items that are not applied stay in their places, the others come in the order in which they are applied.
            let mut place = 0;
            for (item, wanted_key) in applied.iter().zip(&wanted) {
                while place < old.len() && !wanted.contains(&key(&way, &old[place])) {
                    live.push(old[place].take());
                    place += 1;
                }
                let found = old.iter_mut().find(|o| !o.is_null() && key(&way, o) == *wanted_key);
                let mut merged = found.map_or(Value::Null, |found| found.clone());
                path.push(wanted_key.clone());
                merge(schema::items(node), &mut merged, item, path);
                path.pop();
                live.push(merged);
                if place < old.len() && key(&way, &old[place]) == *wanted_key {
                    place += 1;
                }
            }
            let rest = old
                .into_iter()
                .skip(place)
                .filter(|o| !o.is_null() && !wanted.contains(&key(&way, o)));
            live.extend(rest);
        }
        (live, applied) => *live = applied.clone(),
    }
}

/// Removes a field, and what is empty without it.
fn remove(node: Node, value: &mut Value, at: &mut Path, path: &[String]) {
    let [first, rest @ ..] = path else { return };
    let empty = |v: &Value| v.as_object().is_some_and(Map::is_empty) || v.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(fields) => {
            let Some(inner) = fields.get_mut(first) else { return };
            if !rest.is_empty() {
                at.push(first.clone());
                remove(schema::field(node, first), inner, at, rest);
                at.pop();
            }
            if rest.is_empty() || empty(inner) {
                fields.remove(first);
            }
        }
        Value::Array(items) => {
            let way = schema::merge(node, at);
            let Some(place) = items.iter().position(|i| key(&way, i) == *first) else {
                return;
            };
            if rest.is_empty() {
                items.remove(place);
            } else {
                at.push(first.clone());
                remove(schema::items(node), &mut items[place], at, rest);
                at.pop();
            }
        }
        _ => {}
    }
}
