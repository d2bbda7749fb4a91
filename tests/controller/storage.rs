//! Which files stay, listed before and after.

use std::{collections::BTreeSet, time::Duration};

use hyperstudy::api::{Files, HyperparameterStudy, StudyPhase};
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Happened, Play},
    lab::{Lab, parabola},
};

/// Files of other people near the folder of the study `s`, and some in it that are none of its own.
const OTHERS: [&str; 8] = [
    "notes.txt",
    "runs/notes.txt",
    "runs/s.txt",
    "runs/s1/1/metrics.json",
    "runs/s-1/1/metrics.json",
    "runs/1/metrics.json",
    "s/1/metrics.json",
    "1/model.bin",
];

/// Names near a trial's folder that are not in it.
const INSIDE: [&str; 5] = [
    "runs/s/1.txt",
    "runs/s/1x/a",
    "runs/s/100/a",
    "runs/s/01/a",
    "runs/s/notes/1/a",
];

/// The losses of twelve trials: the best is number 10, the second best number 1.
const LOSSES: [f64; 12] = [0.2, 0.9, 0.8, 0.7, 0.6, 0.5, 0.55, 0.4, 0.3, 0.1, 0.95, 0.99];

fn configurations() -> Value {
    LOSSES.iter().map(|loss| json!({"x": loss})).collect()
}

async fn write_all(lab: &Lab, keys: &[&str]) {
    for key in keys {
        lab.bucket.write(key, b"mine").await.unwrap();
    }
}

/// Runs twelve trials with a storage strategy; gives the numbered folders that are there afterwards.
async fn kept(name: &str, storage: Value) -> (BTreeSet<u32>, Lab) {
    let lab = Lab::start(name).await;
    lab.argo.play("train", |job| {
        let first = job.number == 1;
        let time = Duration::from_millis(if first { 1500 } else { 0 });
        Play::loss(job.number("x"))
            .file("model/weights.bin", vec![1; 1000])
            .file("log.txt", "")
            .running(time)
    });
    write_all(&lab, &OTHERS).await;
    let _controller = lab.controller();
    let algorithm = json!({"sampler": {"random": null, "list": configurations()}});
    let spec = json!({"algorithm": algorithm, "budget": {"trials": 12}, "storage": storage, "parallelism": 2});
    lab.create_study("s", &json!({"spec": spec})).await;
    lab.until("s", "has claimed its folder", |s| {
        s.status.as_ref().is_some_and(|s| s.trials.running > 0)
    })
    .await;
    write_all(&lab, &INSIDE).await;
    let study = lab.finished("s").await;
    check_best(&study);

    let now = lab.bucket.list().await;
    for key in OTHERS.iter().chain(&INSIDE) {
        assert!(now.contains_key(*key), "{key} is gone");
    }
    let number = |key: &String| {
        let (folder, file) = key.strip_prefix("runs/s/")?.split_once('/')?;
        let is_own = file != "a" && !file.starts_with("1/");
        is_own.then(|| folder.parse().unwrap())
    };
    let folders: BTreeSet<u32> = now.keys().filter_map(number).collect();
    for trial in lab.trials_of("s").await {
        let (number, status) = (trial.spec.number.unwrap(), trial.status.unwrap());
        let gone = status.files == Some(Files::Deleted);
        assert_eq!(gone, !folders.contains(&number), "trial {number}");
    }
    for number in &folders {
        let files = lab.bucket.below(&format!("runs/s/{number}/")).await;
        let own = files.iter().filter(|f| *f != "a").count();
        assert_eq!(own, 3, "trial {number}: {files:?}");
    }
    for file in [
        "study_results.csv",
        "best_result.json",
        "study_config.json",
        "report.html",
        ".owner",
    ] {
        assert!(now.contains_key(&format!("runs/s/{file}")), "{file}");
    }
    assert_eq!(lab.rows("s").await.len(), 12);
    (folders, lab)
}

fn check_best(study: &HyperparameterStudy) {
    let best = study.status.as_ref().unwrap().best.as_ref().unwrap();
    assert_eq!((best.number, best.objectives[0]), (10, 0.1));
    let is_kept = study.spec.storage.strategy != hyperstudy::api::Strategy::Delete;
    assert_eq!(best.output_path.is_some(), is_kept);
}

#[tokio::test]
async fn keep_keeps_all() {
    let (folders, _lab) = kept("keep", json!({"strategy": "Keep"})).await;
    assert_eq!(folders, (1..=12).collect());
}

#[tokio::test]
async fn delete_deletes_each() {
    let (folders, _lab) = kept("delete", json!({"strategy": "Delete"})).await;
    assert_eq!(folders, BTreeSet::new());
}

#[tokio::test]
async fn best_keeps_ten_and_not_one() {
    let (folders, _lab) = kept("best", json!({"strategy": "Best"})).await;
    assert_eq!(folders, BTreeSet::from([10]));
}

#[tokio::test]
async fn best_keeps_as_many_as_it_is_told() {
    let (folders, lab) = kept("top", json!({"strategy": "Best", "keepTop": 3})).await;
    assert_eq!(folders, BTreeSet::from([1, 9, 10]));
    // It may be lowered later.
    let _controller = lab.controller();
    lab.change_study("s", &json!({"storage": {"keepTop": 1}})).await;
    lab.until_trial("s-9", "has no files", |t| {
        t.status.as_ref().is_some_and(|s| s.files == Some(Files::Deleted))
    })
    .await;
    lab.until_trial("s-1", "has no files", |t| {
        t.status.as_ref().is_some_and(|s| s.files == Some(Files::Deleted))
    })
    .await;
    assert!(!lab.bucket.below("runs/s/10/").await.is_empty());
}

#[tokio::test]
async fn a_failed_trials_files_go_unless_all_are_kept() {
    for strategy in ["Keep", "Best"] {
        let lab = Lab::start("failed-files").await;
        lab.argo.play("train", |job| {
            let play = parabola(job.number("x"));
            if job.number == 2 {
                play.ending(End::Fail("no luck".into()))
            } else {
                play
            }
        });
        let _controller = lab.controller();
        lab.create_study("s", &json!({"spec": {"storage": {"strategy": strategy}}}))
            .await;
        lab.finished("s").await;
        let files = lab.bucket.below("runs/s/2/").await;
        assert_eq!(files.is_empty(), strategy == "Best", "{strategy}: {files:?}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_empty_is_refused_until_it_may_be_overwritten() {
    let lab = Lab::start("conflict").await;
    let left = [
        "runs/s/1/old.bin",
        "runs/s/7/deep/old.bin",
        "runs/s/study_results.csv",
        "runs/s/mine.txt",
        "runs/s/1x/a",
    ];
    write_all(&lab, &left).await;
    let before = lab.bucket.list().await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    let message = lab.condition("s", "Ready", "False", "FolderRefused").await;
    assert!(
        message.contains("runs/s") && message.contains("onConflict"),
        "{message}"
    );
    assert_eq!(lab.bucket.list().await, before);
    assert!(lab.argo.journal().created_names().is_empty());

    lab.change_study("s", &json!({"storage": {"onConflict": "Overwrite"}}))
        .await;
    assert_eq!(lab.finished("s").await.status.unwrap().phase, StudyPhase::Succeeded);
    let now = lab.bucket.list().await;
    for (key, stays) in left.into_iter().zip([false, false, true, true, true]) {
        assert_eq!(now.contains_key(key), stays, "{key}");
    }
    assert_eq!(lab.rows("s").await.len(), 3);
}

#[tokio::test]
async fn a_folder_inside_anothers_is_refused() {
    let lab = Lab::start("inside").await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    lab.finished("s").await;
    let inside = format!("s3://{}/runs/s", lab.bucket.name);
    lab.create_study("t", &json!({"spec": {"storage": {"outputPath": inside}}}))
        .await;
    let message = lab.condition("t", "Ready", "False", "FolderRefused").await;
    assert!(message.contains("belongs to the study `s`"), "{message}");
}

#[tokio::test]
async fn a_deleted_studys_files_go_only_if_that_is_wanted() {
    for (on_delete, stays) in [("Retain", true), ("Delete", false)] {
        let lab = Lab::start("on-delete").await;
        write_all(&lab, &OTHERS).await;
        let _controller = lab.controller();
        lab.create_study("s", &json!({"spec": {"storage": {"onDelete": on_delete}}}))
            .await;
        lab.finished("s").await;
        let before = lab.bucket.list().await;
        lab.studies().delete("s", &Default::default()).await.unwrap();
        lab.gone::<HyperparameterStudy>("s").await;
        let now = lab.bucket.list().await;
        let is_own = |key: &&String| key.starts_with("runs/s/");
        let expected: Vec<&String> = before.keys().filter(|key| stays || !is_own(key)).collect();
        assert_eq!(now.keys().collect::<Vec<_>>(), expected, "{on_delete}");
    }
}

#[tokio::test]
async fn a_metrics_file_of_an_earlier_attempt_is_not_taken_for_a_new_one() {
    let lab = Lab::start("stale").await;
    lab.argo.play("train", |job| match job.attempt {
        // It writes a very good value, then fails.
        1 => Play::loss(0.0).ending(End::Fail("no luck".into())),
        _ => Play::nothing(),
    });
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"budget": {"trials": 1}, "retries": {"limit": 1}}}),
    )
    .await;
    let study = lab.finished("s").await;
    assert_eq!(study.status.unwrap().phase, StudyPhase::Failed);
    let trial = lab.trials().get("s-1").await.unwrap().status.unwrap();
    assert_eq!(trial.reason.as_deref(), Some("MetricsMissing"));
    assert_eq!(
        lab.argo.journal().which(|h| *h == Happened::Running),
        ["s-1-1", "s-1-2"]
    );
}
