#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use tokio::time::sleep;

use super::*;
use crate::storage::{ClaimError, StorageError};

fn has(telemetry: &Telemetry, line: &str) {
    let text = telemetry.encode().unwrap();
    assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
}

#[tokio::test]
async fn everything_has_its_name_help_and_unit() {
    let telemetry = Telemetry::new();
    telemetry.timed(Kind::Study, async {}).await;
    let text = telemetry.encode().unwrap();
    assert!(text.ends_with("# EOF\n"));
    for name in text.lines().filter_map(|l| l.strip_prefix("# TYPE ")) {
        assert!(name.starts_with("hyperstudy_"), "{name}");
    }
    let version = format!("hyperstudy_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    has(&telemetry, &version);
    has(&telemetry, "# UNIT hyperstudy_reconcile_duration_seconds seconds");
}

#[test]
fn counts_follow_what_is_there() {
    let telemetry = Telemetry::new();
    let running = [StudyPhase::Running, StudyPhase::Running, StudyPhase::Failed];
    telemetry.set_counts(running, [TrialPhase::Succeeded; 3]);
    has(&telemetry, "hyperstudy_studies{phase=\"Running\"} 2");
    has(&telemetry, "hyperstudy_studies{phase=\"Suspended\"} 0");
    has(&telemetry, "hyperstudy_trials{phase=\"Succeeded\"} 3");
    telemetry.set_counts([], []);
    has(&telemetry, "hyperstudy_studies{phase=\"Running\"} 0");
    has(&telemetry, "hyperstudy_trials{phase=\"Succeeded\"} 0");
    has(&telemetry, "hyperstudy_leader 0");
    telemetry.set_leader(true);
    has(&telemetry, "hyperstudy_leader 1");
}

#[tokio::test(start_paused = true)]
async fn passes_and_plans() {
    let telemetry = Telemetry::new();
    telemetry.timed(Kind::Study, sleep(Duration::from_millis(3))).await;
    telemetry.timed(Kind::Trial, sleep(Duration::from_secs(60))).await;
    telemetry.failed(Kind::Trial, "Conflict");
    telemetry.planned(Duration::from_micros(700));
    for line in [
        "hyperstudy_reconcile_duration_seconds_bucket{le=\"0.0025\",kind=\"study\"} 0",
        "hyperstudy_reconcile_duration_seconds_bucket{le=\"0.005\",kind=\"study\"} 1",
        "hyperstudy_reconcile_duration_seconds_bucket{le=\"+Inf\",kind=\"trial\"} 1",
        "hyperstudy_reconcile_errors_total{kind=\"trial\",reason=\"Conflict\"} 1",
        "hyperstudy_plan_duration_seconds_count 1",
        "hyperstudy_events_total{outcome=\"dropped\"} 0",
    ] {
        has(&telemetry, line);
    }
    telemetry.events().dropped.inc();
    has(&telemetry, "hyperstudy_events_total{outcome=\"dropped\"} 1");
}

#[tokio::test(start_paused = true)]
async fn storage() {
    let telemetry = Telemetry::new();
    let good = telemetry.storage("read_metrics", async {
        sleep(Duration::from_millis(20)).await;
        Ok::<_, StorageError>(7)
    });
    assert_eq!(good.await.unwrap(), 7);
    let bad = telemetry.storage("empty_folder", async {
        Err::<(), _>(StorageError::NoSuchBucket("b".to_owned()))
    });
    assert!(bad.await.is_err());
    let folder = String::new();
    let taken = telemetry.storage("claim_folder", async { Err::<(), _>(ClaimError::NotEmpty { folder }) });
    assert!(taken.await.is_err());
    for line in [
        "hyperstudy_storage_operations_total{operation=\"read_metrics\",outcome=\"Done\"} 1",
        "hyperstudy_storage_operations_total{operation=\"empty_folder\",outcome=\"NoSuchBucket\"} 1",
        "hyperstudy_storage_operations_total{operation=\"claim_folder\",outcome=\"Taken\"} 1",
        "hyperstudy_storage_operation_duration_seconds_bucket{le=\"0.01\",operation=\"read_metrics\"} 0",
        "hyperstudy_storage_operation_duration_seconds_bucket{le=\"0.025\",operation=\"read_metrics\"} 1",
    ] {
        has(&telemetry, line);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_the_kubernetes_api() {
    let serve = |request: Request<Body>| async move {
        if request.uri().path().ends_with("/slow") {
            sleep(Duration::from_secs(3600)).await;
        }
        let body = Body::from(b"{\"code\": 404}".to_vec());
        Ok::<_, std::io::Error>(Response::builder().status(404).body(body).unwrap())
    };
    let telemetry = Telemetry::new();
    let layer = telemetry.kubernetes_calls();
    let client = ClientBuilder::new(tower::service_fn(serve), "default")
        .with_layer(&layer)
        .build();
    let ask = |path: &str| {
        let request = Request::get(path).body(Vec::new()).unwrap();
        let client = client.clone();
        async move { client.request_text(request).await }
    };
    assert!(ask("/api/v1/namespaces/ml/secrets/x").await.is_err());
    has(
        &telemetry,
        "hyperstudy_kubernetes_requests_total{resource=\"secrets\",verb=\"get\",code=\"404\"} 1",
    );
    // One that nobody waits for any more counts as well.
    let slow = tokio::time::timeout(Duration::from_secs(5), ask("/api/v1/namespaces/ml/secrets/slow"));
    assert!(slow.await.is_err());
    tokio::task::yield_now().await;
    has(
        &telemetry,
        "hyperstudy_kubernetes_requests_total{resource=\"secrets\",verb=\"get\",code=\"none\"} 1",
    );
}
