//! Everything that happened in a world, as text for people: what was asked, by whom, what came of it, and what changed.

use serde_json::Value;

use crate::{cluster::Change, world::World};

/// One line for everything that was asked and everything that happened, in order.
pub fn trace(world: &World) -> Vec<String> {
    let who = |by: u32| match by {
        0 => "world".to_owned(),
        by => format!("c{by}"),
    };
    let mut lines: Vec<(u64, String)> = Vec::new();
    for r in world.cluster.records() {
        let (sub, code) = (if r.status { "/status" } else { "" }, code(r.code));
        let trouble = r.trouble.map(|t| format!("  !! {t:?}")).unwrap_or_default();
        let said = said(&r.body["status"]);
        lines.push((
            r.step,
            format!(
                "{:>9.3}s {:<5} {:?} {}/{}{sub}{said} {code}{trouble}",
                r.at.as_secs_f64(),
                who(r.by),
                r.verb,
                r.plural,
                r.name
            ),
        ));
    }
    for r in world.buckets.records() {
        let trouble = r.trouble.map(|t| format!("  !! {t:?}")).unwrap_or_default();
        lines.push((
            r.step,
            format!(
                "{:>9.3}s {:<5} s3 {} {} {}{trouble}",
                r.at.as_secs_f64(),
                who(r.by),
                r.verb,
                r.key,
                code(r.code)
            ),
        ));
    }
    for change in world.cluster.changes() {
        if matches!(
            change.kind.plural,
            "hyperparameterstudies" | "hyperparametertrials" | "workflows" | "secrets" | "workflowtemplates"
        ) {
            let (object, by) = (&change.object["metadata"], who(change.by));
            let text = format!(
                "{:>9.3}s {by:<5}   = {}/{} {} at {}",
                change.at.as_secs_f64(),
                change.kind.plural,
                object["name"].as_str().unwrap_or_default(),
                what(&change),
                change.revision
            );
            lines.push((change.step, text));
        }
    }
    for e in world.buckets.effects() {
        let what = if e.put.is_some() { "written" } else { "deleted" };
        lines.push((
            e.step,
            format!("{:>9.3}s {:<5}   = s3 {} {what}", e.at.as_secs_f64(), who(e.by), e.key),
        ));
    }
    lines.sort_by_key(|(step, _)| *step);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn code(code: u16) -> String {
    match code {
        0 => "-> nothing".to_owned(),
        code => format!("-> {code}"),
    }
}

/// What a change made of an object.
fn what(change: &Change) -> String {
    let object = &change.object;
    let deleting = if object["metadata"]["deletionTimestamp"].is_null() {
        ""
    } else {
        ", is being deleted"
    };
    if change.gone {
        return "is gone".to_owned();
    }
    let now = said(&object["status"]);
    match &change.before {
        None => format!("is created{now}{deleting}"),
        Some(before) if before["spec"] != object["spec"] => {
            format!("has another spec: {}{now}{deleting}", object["spec"])
        }
        Some(_) => format!("is{now}{deleting}"),
    }
}

/// A status in a few words.
fn said(status: &Value) -> String {
    let mut text = String::new();
    for field in [
        "phase",
        "reason",
        "attempt",
        "objectives",
        "files",
        "lastNumber",
        "trials",
    ] {
        match &status[field] {
            Value::Null => {}
            Value::String(value) => text.push_str(&format!(" {value}")),
            value => text.push_str(&format!(" {field}={value}")),
        }
    }
    text
}
