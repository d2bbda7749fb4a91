//! The smallest study to its end, and what it costs.

use std::time::Duration;

use hyperstudy::api::{StudyPhase, TrialPhase};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Play},
    lab::{Lab, create},
};

#[tokio::test]
async fn the_smallest_study_runs_to_its_end() {
    let lab = Lab::start("smallest").await;
    let _controller = lab.controller();
    let created = lab.create_study("s", &json!({})).await;
    let study = lab.finished("s").await;
    let status = study.status.unwrap();
    assert_eq!(status.phase, StudyPhase::Succeeded);
    assert_eq!(status.observed_generation, created.metadata.generation);
    let counts = status.trials;
    assert_eq!(
        (counts.total, counts.succeeded, counts.running, counts.failed),
        (3, 3, 0, 0)
    );
    assert!(status.start_time.is_some() && status.completion_time >= status.start_time);
    let message = lab.condition("s", "Complete", "True", "TrialsUsed").await;
    assert!(!message.is_empty());

    let trials = lab.trials_of("s").await;
    assert_eq!(trials.len(), 3);
    for (index, trial) in trials.iter().enumerate() {
        let status = trial.status.as_ref().unwrap();
        assert_eq!(trial.name_any(), format!("s-{}", index + 1));
        assert_eq!((status.phase, status.attempt), (TrialPhase::Succeeded, 1));
        assert_eq!(status.workflow, Some(format!("s-{}-1", index + 1)));
        let x = trial.spec.parameters["x"].as_f64().unwrap();
        assert!((status.objectives[0] - (x - 0.3).powi(2)).abs() < 1e-12);
        let owner = &trial.owner_references()[0];
        assert_eq!(
            (Some(&owner.uid), owner.name.as_str()),
            (created.metadata.uid.as_ref(), "s")
        );
        assert_eq!(trial.labels()["hyperstudy.dev/study"], "s");
    }
    let losses: Vec<f64> = trials
        .iter()
        .map(|t| t.status.as_ref().unwrap().objectives[0])
        .collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = status.best.unwrap();
    assert_eq!(best.objectives, [least]);
    assert_eq!(losses[best.number as usize - 1], least);
    let folder = format!("s3://{}/runs/s/{}", lab.bucket.name, best.number);
    assert_eq!(best.output_path, Some(folder));

    let mut files = lab.bucket.below("runs/s/").await;
    files.sort();
    let expected = [
        ".owner",
        "1/metrics.json",
        "1/model.bin",
        "2/metrics.json",
        "2/model.bin",
        "3/metrics.json",
        "3/model.bin",
        "best_result.json",
        "report.html",
        "study_config.json",
        "study_results.csv",
    ];
    assert_eq!(files, expected);
    let rows = lab.rows("s").await;
    assert_eq!(rows.len(), 3);
    for (row, loss) in rows.iter().zip(&losses) {
        assert_eq!(row["Status"], "COMPLETED");
        assert_eq!(row["Objective"].parse::<f64>().unwrap(), *loss);
    }
    let file: Value = serde_json::from_str(&lab.bucket.text("runs/s/best_result.json").await).unwrap();
    assert!(file.to_string().contains(&format!("runs/s/{}", best.number)), "{file}");

    // One at a time, each once.
    assert_eq!(lab.argo.journal().created_names(), ["s-1-1", "s-2-1", "s-3-1"]);
    assert_eq!(lab.argo.journal().most_active("s"), 1);
    let workflow = lab.workflows().get("s-1-1").await.unwrap();
    assert_eq!(workflow.data["spec"]["ttlStrategy"]["secondsAfterCompletion"], 3600);
}

#[tokio::test]
async fn a_study_costs_few_writes() {
    let lab = Lab::start("writes").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_millis(200))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 4, "budget": {"trials": 40}}}))
        .await;
    lab.finished("s").await;
    assert!(lab.argo.journal().most_active("s") <= 4);
    let writes = lab.writes();
    let counted = |w: &&crate::support::audit::Write| w.resource != "events" && w.resource != "leases";
    let all = writes.iter().filter(counted).count();
    assert!(all <= 6 * 40, "{all} writes for 40 trials");
    let of_status = writes.iter().filter(|w| w.resource == "hyperparameterstudies/status");
    let times: Vec<_> = of_status.map(|w| w.received).collect();
    // Two a second, and one to begin with; single calls may take their time.
    let span = times[times.len() - 1].duration_since(times[0]);
    let most = 1 + 2 * (span + SignedDuration::from_millis(999)).as_secs();
    assert!(
        i64::try_from(times.len()).unwrap() <= most,
        "{} within {span}",
        times.len()
    );
}

#[tokio::test]
async fn what_the_study_says_is_what_argo_gets() {
    let lab = Lab::start("passed").await;
    let mut template = crate::support::lab::template("train-many");
    template["spec"]["arguments"]["parameters"] = json!([
        {"name": "x"}, {"name": "output_key"}, {"name": "output_path"}, {"name": "config"}, {"name": "epochs", "value": "3"},
    ]);
    lab.create_dynamic(&crate::support::crds::templates(), &template).await;
    lab.argo.play("train-many", |job| {
        assert_eq!(job.entrypoint.as_deref(), Some("main"));
        assert_eq!(job.text("epochs"), "3");
        assert!(job.text("output_path").ends_with(job.text("output_key")));
        let config: Value = serde_json::from_str(job.text("config")).unwrap();
        assert_eq!(config["nested"]["x"].as_f64().unwrap(), job.number("x"));
        assert_eq!(config["literal"], "${x} {{workflow.name}}");
        Play::loss(job.number("x"))
    });
    let _controller = lab.controller();
    let config = r#"{"nested": {"x": ${parameters.x}}, "literal": "$${x} {{workflow.name}}"}"#;
    let trial = json!({
        "workflowTemplateRef": {"name": "train-many"},
        "entrypoint": "main",
        "timeout": "90s",
        "priority": 3,
        "metadata": {"labels": {"team": "molding"}, "annotations": {"note": "a b"}},
        "arguments": {"parameters": [{"name": "config", "value": config}]},
    });
    lab.create_study("s", &json!({"spec": {"trial": trial}})).await;
    assert_eq!(lab.finished("s").await.status.unwrap().trials.succeeded, 3);
    let workflow = lab.workflows().get("s-1-1").await.unwrap();
    assert_eq!(workflow.data["spec"]["activeDeadlineSeconds"], 90);
    assert_eq!(workflow.data["spec"]["priority"], 3);
    assert_eq!(workflow.labels()["team"], "molding");
    assert_eq!(workflow.annotations()["note"], "a b");
}

#[tokio::test]
async fn a_person_is_told_what_happens() {
    let lab = Lab::start("events").await;
    lab.argo.play("train", |job| match job.number {
        2 => Play::nothing().ending(End::Fail("no luck".into())),
        _ => Play::loss(1.0),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    lab.finished("s").await;
    let late = json!({"metadata": {"name": "late"}, "spec": {"studyRef": {"name": "s"}, "parameters": {"x": 0.5}}});
    create(&lab.trials(), late).await;
    let events = lab.api::<Event>();
    let about = |name: &str| format!("involvedObject.name={name}");
    // They come after what they tell of.
    for name in ["s", "s-2", "late"] {
        let config = kube::runtime::watcher::Config::default().fields(&about(name));
        let first = async {
            use futures::StreamExt;
            use kube::runtime::WatchStreamExt;
            let events = kube::runtime::watcher(events.clone(), config).applied_objects();
            std::pin::pin!(events).next().await
        };
        let event = tokio::time::timeout(crate::support::lab::PATIENCE, first).await;
        let event = event
            .unwrap_or_else(|_| panic!("nothing is said about {name}"))
            .unwrap()
            .unwrap();
        assert!(event.reason.is_some() && event.message.is_some(), "{event:?}");
    }
}

/// Two of them in one namespace would each get only what is theirs.
#[tokio::test]
async fn an_argo_with_an_instance_id_gets_its_workflows() {
    let lab = Lab::with_instance("instance", Some("blue")).await;
    lab.furnish().await;
    let _controller = lab.controller_with(&["--instance-id=blue"]);
    lab.create_study("s", &json!({})).await;
    assert_eq!(lab.finished("s").await.status.unwrap().trials.succeeded, 3);
}
