//! The garbage collector: what is owned goes when its owners are gone.

use std::time::Duration;

use serde_json::Value;

use super::{
    Cluster,
    kinds::Kind,
    route::{Call, Verb},
    store::{Store, key},
};

/// Starts collecting; each object goes `delay` after its last owner.
pub fn start(cluster: &Cluster, delay: Duration) {
    let cluster = cluster.clone();
    tokio::spawn(async move {
        loop {
            let orphans = orphans(&cluster.inner.store.lock().unwrap());
            if orphans.is_empty() {
                // Only what comes or goes leaves something alone.
                let seen = turnover(&cluster);
                cluster.until(|cluster| turnover(cluster) != seen).await;
                continue;
            }
            tokio::time::sleep(delay).await;
            for (kind, object) in orphans {
                let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
                let mut call = Call::direct(Verb::Delete, kind, &text("namespace"), &text("name"));
                call.body = serde_json::json!({"preconditions": {"uid": text("uid")}});
                // Gone already, or another by now: all the same.
                let _ = cluster.write(&call);
            }
        }
    });
}

fn turnover(cluster: &Cluster) -> u64 {
    cluster.inner.store.lock().unwrap().turnover
}

/// Objects that have owners none of which is there any more, and that are not being deleted yet.
fn orphans(store: &Store) -> Vec<(&'static Kind, std::sync::Arc<Value>)> {
    let owned = store.objects.values().filter(|stored| {
        let metadata = &stored.object["metadata"];
        let owners = metadata["ownerReferences"].as_array();
        metadata["deletionTimestamp"].is_null()
            && owners.is_some_and(|o| !o.is_empty() && !o.iter().any(|o| is_there(store, &metadata["namespace"], o)))
    });
    owned
        .map(|stored| (stored.kind, std::sync::Arc::clone(&stored.object)))
        .collect()
}

fn is_there(store: &Store, namespace: &Value, owner: &Value) -> bool {
    let text = |field: &str| owner[field].as_str().unwrap_or_default();
    // A kind that this world does not know is none of its business.
    let Some(kind) = Kind::named(text("apiVersion"), text("kind")) else {
        return true;
    };
    let at = key(kind, namespace.as_str().filter(|_| kind.namespaced), text("name"));
    store
        .get(&at)
        .is_some_and(|stored| stored.object["metadata"]["uid"] == owner["uid"])
}
