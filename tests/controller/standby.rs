//! Two controllers beside each other: what the one that waits says of itself.

use std::time::Duration;

use serde_json::json;

use crate::support::lab::Lab;

/// Sums over all controllers are right: only who holds the lease counts what there is.
#[tokio::test]
async fn studies_and_trials_are_counted_once() {
    let lab = Lab::start("standby").await;
    let leader = lab.controller();
    lab.create_study("s", &json!({})).await;
    lab.finished("s").await;
    let mut standby = lab.controller_with(&["--identity=other"]);
    standby.ready().await;
    assert!(standby.get("/readyz").await.unwrap().starts_with("standby"));

    let counted = async || {
        let text = leader.get("/metrics").await.unwrap();
        text.contains("hyperstudy_trials{phase=\"Succeeded\"} 3\n") && text.contains("hyperstudy_leader 1\n")
    };
    // It counts every few seconds.
    let counting = async {
        while !counted().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counting).await.unwrap();
    let text = standby.get("/metrics").await.unwrap();
    assert!(text.contains("hyperstudy_leader 0\n"), "{text}");
    for name in ["hyperstudy_trials{", "hyperstudy_studies{"] {
        assert!(!text.contains(name), "{text}");
    }
}
