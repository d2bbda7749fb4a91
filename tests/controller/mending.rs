//! What is wrong around a study is said, and mending it is enough: nobody starts anything anew.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, StudyPhase};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ResourceQuota, Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{
    apiserver::{ApiServer, User},
    argo::Play,
    audit, crds,
    lab::{Lab, SECRET, change, create, template},
    versitygw::KEYS,
};

/// Waits until a study says what is in its way, in words that hold all of these; nothing has run until then.
async fn not_ready(lab: &Lab, words: &[&str]) {
    let message = |s: &HyperparameterStudy| {
        let conditions = &s.status.as_ref()?.conditions;
        let ready = conditions.iter().find(|c| c.type_ == "Ready" && c.status == "False")?;
        Some(format!("{}: {}", ready.reason, ready.message))
    };
    let has_all = |text: &str| words.iter().all(|word| text.contains(word));
    let what = format!("is not ready and says {words:?}");
    let study = lab.until("s", &what, |s| message(s).is_some_and(|m| has_all(&m))).await;
    assert_eq!(study.status.unwrap().phase, StudyPhase::Pending);
    assert_eq!(lab.argo.journal().created_names(), [""; 0]);
}

/// Waits until the study has run to its end.
async fn succeeds(lab: &Lab) {
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.phase, status.trials.succeeded), (StudyPhase::Succeeded, 3));
    lab.condition("s", "Ready", "True", "Ready").await;
}

async fn replace_template(lab: &Lab, object: &Value) {
    let patch = json!({"spec": object["spec"]});
    change(&lab.templates(), "train", &patch).await;
}

#[tokio::test]
async fn a_template_that_is_missing_may_come_later() {
    let lab = Lab::start("no-template").await;
    lab.templates().delete("train", &DeleteParams::default()).await.unwrap();
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["TemplateNotFound", "train"]).await;
    lab.template().await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_template_that_does_not_fit_may_be_put_right() {
    let lab = Lab::start("bad-template").await;
    let good = template("train");
    let with = |change: Value| {
        let mut template = good.clone();
        crate::support::lab::merge(&mut template, &change);
        template
    };
    let parameters = |list: Value| with(json!({"spec": {"arguments": {"parameters": list}}}));
    replace_template(&lab, &parameters(json!([{"name": "output_key"}]))).await;
    let _controller = lab.controller();
    let arguments = json!({"parameters": [{"name": "x", "value": "${parameters.x}"}]});
    lab.create_study("s", &json!({"spec": {"trial": {"arguments": arguments}}}))
        .await;
    not_ready(&lab, &["TemplateRefused", "`x`"]).await;
    let required = json!([{"name": "x"}, {"name": "output_key"}, {"name": "epochs"}]);
    replace_template(&lab, &parameters(required)).await;
    not_ready(&lab, &["`epochs`"]).await;
    let chosen = json!([{"name": "x", "enum": ["a", "b"]}, {"name": "output_key"}]);
    replace_template(&lab, &parameters(chosen)).await;
    not_ready(&lab, &["allows `a`, `b`"]).await;
    let collects = json!({"spec": {"artifactGC": {"strategy": "OnWorkflowCompletion"}}});
    let mut collecting = with(collects);
    collecting["spec"]["templates"][0]["outputs"]["artifacts"][0]["artifactGC"] =
        json!({"strategy": "OnWorkflowCompletion"});
    replace_template(&lab, &collecting).await;
    not_ready(&lab, &["artifactGC"]).await;
    let mut elsewhere = good.clone();
    elsewhere["spec"]["artifactGC"] = json!(null);
    replace_template(&lab, &elsewhere).await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_wrong_secret_may_be_put_right() {
    let lab = Lab::start("wrong-secret").await;
    lab.credentials("wrong").await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["credentials"]).await;
    lab.credentials(KEYS[1]).await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_missing_secret_and_a_missing_repository_may_come_later() {
    let lab = Lab::bare("no-secret").await;
    lab.bucket.create().await;
    lab.template().await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["artifact"]).await;
    lab.repository().await;
    not_ready(&lab, &[SECRET]).await;
    lab.credentials(KEYS[1]).await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_missing_bucket_may_come_later() {
    let lab = Lab::bare("no-bucket").await;
    lab.credentials(KEYS[1]).await;
    lab.repository().await;
    lab.template().await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["bucket", &lab.bucket.name]).await;
    lab.bucket.create().await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn what_the_api_server_does_not_allow_is_said_and_tried_on() {
    let lab = Lab::start("quota").await;
    let quotas: Api<ResourceQuota> = Api::namespaced(lab.client.clone(), &lab.namespace);
    let none = json!({"count/workflows.argoproj.io": "0"});
    create(&quotas, json!({"metadata": {"name": "none"}, "spec": {"hard": none}})).await;
    // What the controller manager would say of it; without that it holds nothing back.
    let status = json!({"status": {"hard": none, "used": none}});
    quotas
        .patch_status("none", &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    let message = lab.condition("s", "Ready", "False", "Forbidden").await;
    assert!(message.contains("quota"), "{message}");
    assert_eq!(lab.argo.journal().created_names(), [""; 0]);
    quotas.delete("none", &DeleteParams::default()).await.unwrap();
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_study_may_name_its_s3_server_itself() {
    let lab = Lab::bare("own-s3").await;
    lab.bucket.create().await;
    lab.template().await;
    lab.credentials(KEYS[1]).await;
    let _controller = lab.controller();
    let mut s3 = lab.s3();
    s3.as_object_mut().unwrap().remove("bucket");
    s3["accessKeySecret"]["key"] = json!("other");
    lab.create_study("s", &json!({"spec": {"storage": {"s3": s3}}})).await;
    not_ready(&lab, &[SECRET, "other"]).await;
    let key = json!({"storage": {"s3": {"accessKeySecret": {"key": "accessKey"}}}});
    lab.change_study("s", &key).await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_refused() {
    let lab = Lab::start("loopback").await;
    // The flag names another port of this machine.
    let _controller = lab.controller_with(&["--allow-endpoint=127.0.0.1:1"]);
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &[&lab.s3_address()]).await;
}

#[tokio::test]
async fn a_spec_that_only_the_program_can_check_may_be_put_right() {
    let lab = Lab::start("bad-spec").await;
    let _controller = lab.controller();
    let wrong = json!({"spec": {"constraints": ["parameters.y > 1.0"]}});
    lab.create_study("s", &wrong).await;
    not_ready(&lab, &["InvalidSpec", "spec.constraints[0]"]).await;
    lab.change_study("s", &json!({"constraints": null})).await;
    succeeds(&lab).await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stops_nothing_else() {
    let lab = Lab::start("undecodable").await;
    lab.create_study("broken", &json!({})).await;
    lab.create_study("s", &json!({"spec": {"suspend": true}})).await;
    // The schema lets more pass than the program can read: the last day that can be written.
    let trial = json!({
        "metadata": {"name": "broken-trial"},
        "spec": {"studyRef": {"name": "s"}, "parameters": {"x": 0.5}},
    });
    crate::support::lab::create(&lab.trials(), trial).await;
    for (name, plural) in [
        ("broken", "hyperparameterstudies"),
        ("broken-trial", "hyperparametertrials"),
    ] {
        let path = format!(
            "/apis/hyperstudy.dev/v1alpha1/namespaces/{}/{plural}/{name}/status",
            lab.namespace
        );
        let request = http::Request::patch(path)
            .header("Content-Type", "application/merge-patch+json")
            .body(br#"{"status": {"startTime": "9999-12-31T23:59:59Z"}}"#.to_vec())
            .unwrap();
        lab.client.request_text(request).await.unwrap();
    }
    assert!(lab.studies().get("broken").await.is_err());
    let _controller = lab.controller();
    lab.change_study("s", &json!({"suspend": null})).await;
    succeeds(&lab).await;
    let names = lab.argo.journal().created_names();
    assert!(names.iter().all(|name| name.starts_with("s-")), "{names:?}");
}

/// Nothing but the credentials that its own namespace holds is ever asked for.
#[tokio::test]
async fn a_repository_elsewhere_does_not_lend_its_credentials() {
    let lab = Lab::start("elsewhere").await;
    lab.api::<Secret>()
        .delete(SECRET, &DeleteParams::default())
        .await
        .unwrap();
    lab.api::<ConfigMap>()
        .delete("artifact-repositories", &DeleteParams::default())
        .await
        .unwrap();
    // Argo's own namespace has both.
    let argo = Lab::start("argo").await;
    let config = json!({"metadata": {"name": "workflow-controller-configmap"}, "data": {
        "artifactRepository": json!({"s3": argo.s3()}).to_string(),
    }});
    crate::support::lab::create(&argo.api::<ConfigMap>(), config).await;
    let _controller = lab.controller_with(&[&format!("--argo-namespace={}", argo.namespace)]);
    let path = format!("s3://{}/runs", argo.bucket.name);
    lab.create_study("s", &json!({"spec": {"storage": {"outputPath": path}}}))
        .await;
    not_ready(&lab, &[SECRET]).await;
    let writes = audit::writes(ApiServer::shared().audit(), User::Controller, &argo.namespace);
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test]
async fn a_parameter_that_reaches_nothing_is_told_of() {
    let lab = Lab::start("unused").await;
    let _controller = lab.controller();
    let parameter = |name: &str| json!({"name": name, "double": {"min": 0, "max": 1}});
    let mut spec = json!({"suspend": true, "parameters": [parameter("x"), parameter("learning_rate")]});
    lab.create_study("s", &json!({"spec": spec})).await;
    let holds = |s: &HyperparameterStudy| {
        let conditions = s.status.iter().flat_map(|s| &s.conditions);
        let mut ready = conditions.filter(|c| c.type_ == "Ready" && c.status == "True");
        ready.any(|c| c.message.contains("nothing uses the parameters `learning_rate`:"))
    };
    lab.until("s", "tells of it", holds).await;
    spec = json!({"trial": {"arguments": {"parameters": [{"name": "x", "value": "${parameters.x + parameters.learning_rate}"}]}}});
    lab.change_study("s", &spec).await;
    lab.until("s", "is content", |s| !holds(s)).await;
}

#[tokio::test]
async fn pods_of_an_earlier_study_of_the_same_name_are_waited_for() {
    let lab = Lab::start("pods-left").await;
    let pods: Api<Pod> = lab.api();
    let pod = |name: &str, workflow: &str| {
        let metadata = json!({"name": name, "labels": {"workflows.argoproj.io/workflow": workflow}});
        json!({"metadata": metadata, "spec": {"containers": [{"name": "main", "image": "none"}]}})
    };
    create(&pods, pod("old", "s-2-1")).await;
    create(&pods, pod("other", "s-b-1-1")).await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["PodsLeft", "`old`"]).await;
    let now = DeleteParams::default().grace_period(0);
    pods.delete("old", &now).await.unwrap();
    succeeds(&lab).await;
}

#[tokio::test]
async fn workflows_of_an_earlier_study_of_the_same_name_are_waited_for() {
    let lab = Lab::start("workflows-left").await;
    let workflow = |name: &str, completed: &str| {
        let labels = json!({
            "hyperstudy.dev/study": "s", "hyperstudy.dev/study-uid": "of-another", "workflows.argoproj.io/completed": completed,
            // The test alone says how far they are: no Argo here looks after them.
            "workflows.argoproj.io/controller-instanceid": "of-another",
        });
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "labels": labels},
            "spec": {"workflowTemplateRef": {"name": "train"}, "suspend": true},
        })
    };
    lab.create_dynamic(&crds::workflows(), &workflow("runs", "false")).await;
    lab.create_dynamic(&crds::workflows(), &workflow("is-over", "true"))
        .await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    not_ready(&lab, &["WorkflowsLeft", "`runs`"]).await;
    lab.workflows().delete("runs", &DeleteParams::default()).await.unwrap();
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_workflow_that_has_a_trials_name_is_said_and_waited_for() {
    let lab = Lab::start("wf-taken").await;
    let workflow = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "s-1-1"}, "spec": {"workflowTemplateRef": {"name": "train"}, "suspend": true},
    });
    lab.create_dynamic(&crds::workflows(), &workflow).await;
    let _controller = lab.controller();
    lab.create_study("s", &json!({})).await;
    let message = lab.condition("s", "Ready", "False", "NameTaken").await;
    assert!(message.contains("`s-1-1`"), "{message}");
    lab.workflows().delete("s-1-1", &DeleteParams::default()).await.unwrap();
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_template_that_goes_while_a_study_runs_costs_no_trial() {
    let lab = Lab::start("template-goes").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_millis(500))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 4}, "parallelism": 1}}))
        .await;
    lab.until_workflow("s-1-1", "is there", |o| o.is_some()).await;
    lab.templates().delete("train", &DeleteParams::default()).await.unwrap();
    lab.condition("s", "Ready", "False", "TemplateNotFound").await;
    lab.template().await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.trials.succeeded, status.trials.failed), (4, 0));
}

#[tokio::test]
async fn a_trial_that_is_taken_from_its_study_does_not_stop_it() {
    let lab = Lab::start("orphaned").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_millis(1500))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 3}, "parallelism": 1}}))
        .await;
    let knows = |s: &HyperparameterStudy| s.status.as_ref().is_some_and(|s| s.last_number == 1);
    lab.until("s", "knows of its trial", knows).await;
    change(&lab.trials(), "s-1", &json!({"metadata": {"ownerReferences": null}})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(
        (status.phase, status.trials.total, status.trials.succeeded),
        (StudyPhase::Succeeded, 3, 2)
    );
}

#[tokio::test]
async fn what_runs_is_looked_after_while_nothing_new_is_allowed() {
    let lab = Lab::start("trial-quota").await;
    let quotas: Api<ResourceQuota> = Api::namespaced(lab.client.clone(), &lab.namespace);
    let one = json!({"count/hyperparametertrials.hyperstudy.dev": "1"});
    create(&quotas, json!({"metadata": {"name": "one"}, "spec": {"hard": one}})).await;
    let status = json!({"status": {"hard": one, "used": {"count/hyperparametertrials.hyperstudy.dev": "0"}}});
    quotas
        .patch_status("one", &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_secs(1))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 2}})).await;
    lab.condition("s", "Ready", "False", "Forbidden").await;
    let ended = |s: &HyperparameterStudy| s.status.as_ref().is_some_and(|s| s.trials.succeeded == 1);
    lab.until("s", "has recorded its first trial", ended).await;
    quotas.delete("one", &DeleteParams::default()).await.unwrap();
    succeeds(&lab).await;
}

#[tokio::test]
async fn a_path_with_tags_in_it_is_refused() {
    let lab = Lab::start("tags").await;
    let _controller = lab.controller();
    for (name, path) in [
        ("a", "s3://hyperstudy/{{workflow.name}}"),
        ("b", "s3://hyperstudy/${study.name}"),
    ] {
        lab.create_study(name, &json!({"spec": {"storage": {"outputPath": path}}}))
            .await;
        let message = lab.condition(name, "Ready", "False", "InvalidSpec").await;
        assert!(message.contains("spec.storage.outputPath"), "{message}");
    }
    assert_eq!(lab.argo.journal().created_names(), [""; 0]);
}
