//! Servers that are stopped for a while, or take their time, and credentials that are taken away: it is said, and costs no trial.

use std::time::Duration;

use hyperstudy::api::HyperparameterStudy;
use serde_json::json;

use crate::{
    support::{
        apiserver::ApiServer,
        controller::Controller,
        lab::{Lab, PATIENCE, Servers},
        proxy::Proxy,
        versitygw::{KEYS, Versitygw},
    },
    undisturbed,
};

/// How many trials the studies have: enough for each kind of fate.
const TRIALS: u32 = 20;

/// The keys of a user that may be taken away.
const USER: [&str; 2] = ["study-access-key", "study-secret-key"];

fn own_s3() -> Servers {
    Servers {
        s3: Some(Versitygw::start(None)),
        ..Servers::default()
    }
}

/// Waits until so many trials of the study are over.
async fn ended(lab: &Lab, trials: u32) {
    let over = |s: &HyperparameterStudy| {
        let counts = s.status.as_ref().map(|s| &s.trials);
        counts.is_some_and(|c| c.succeeded + c.failed >= trials)
    };
    lab.until("s", &format!("has ended {trials} trials"), over).await;
}

/// Changes the study in a way that changes no trial: its results have to be written anew soon, whatever its trials wait for.
async fn stir(lab: &Lab, hours: u32) {
    let ttl = format!("{hours}h");
    lab.change_study("s", &json!({"ttlAfterFinished": ttl})).await;
}

/// Waits until the study says that storage fails, in words that hold these, and nothing has ended by it.
async fn says(lab: &Lab, words: &str) {
    let message = lab.condition("s", "Ready", "False", "StorageUnavailable").await;
    assert!(message.contains(words), "{message}");
    let status = lab.studies().get("s").await.unwrap().status.unwrap();
    assert!(!status.phase.is_finished(), "{status:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_that_is_gone_for_a_while_costs_nothing() {
    let lab = Lab::on("s3-gone", own_s3()).await;
    let server = lab.s3_server();
    let _controller = lab.controller();
    undisturbed::begin(&lab, TRIALS).await;
    for trials in [2, 5] {
        ended(&lab, trials).await;
        server.service().kill();
        stir(&lab, trials).await;
        says(&lab, "cannot be reached").await;
        server.start_again();
        lab.condition("s", "Ready", "True", "Ready").await;
    }
    undisturbed::ends_alike(&lab, TRIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_that_does_not_answer_is_told_of() {
    let lab = Lab::on("s3-silent", own_s3()).await;
    let server = lab.s3_server();
    let _controller = lab.controller();
    undisturbed::begin(&lab, TRIALS).await;
    ended(&lab, 2).await;
    server.service().pause();
    stir(&lab, 1).await;
    says(&lab, "does not answer in time").await;
    server.service().resume();
    lab.condition("s", "Ready", "True", "Ready").await;
    undisturbed::ends_alike(&lab, TRIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_that_answers_late_is_waited_for() {
    let servers = own_s3();
    let proxy = Proxy::start(servers.s3.as_ref().unwrap().port).await;
    let lab = Lab::through("s3-late", servers, proxy.port, KEYS).await;
    let _controller = lab.controller();
    undisturbed::begin(&lab, TRIALS).await;
    for (trials, delay) in [(2, 300), (5, 1200), (7, 0)] {
        ended(&lab, trials).await;
        proxy.delay(Duration::from_millis(delay));
    }
    undisturbed::ends_alike(&lab, TRIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_taken_away_may_be_given_back() {
    let servers = own_s3();
    let server = servers.s3.as_ref().unwrap();
    server.set_user(Some(USER));
    let port = server.port;
    let lab = Lab::through("revoked", servers, port, USER).await;
    let _controller = lab.controller();
    undisturbed::begin(&lab, TRIALS).await;
    ended(&lab, 2).await;

    // Other ones in the Secret: what is there counts once the study is looked at anew, as after a change of it.
    lab.credentials("wrong").await;
    lab.change_study("s", &json!({"parallelism": 1, "startDeadline": "1h"}))
        .await;
    says(&lab, "does not accept the credentials").await;
    lab.credentials(USER[1]).await;
    lab.condition("s", "Ready", "True", "Ready").await;
    ended(&lab, 6).await;

    // The server does not know them any more.
    lab.s3_server().set_user(None);
    says(&lab, "does not accept the credentials").await;
    // Those in the Secret are not the right ones, either.
    lab.credentials("wrong").await;
    lab.s3_server().set_user(Some([USER[0], "new-secret-key"]));
    lab.credentials("new-secret-key").await;
    lab.condition("s", "Ready", "True", "Ready").await;
    undisturbed::ends_alike(&lab, TRIALS).await;
}

/// Waits until the controller's log has this.
async fn notices(controller: &Controller, what: impl Fn(&str) -> bool) {
    let start = std::time::Instant::now();
    while !what(&controller.log()) {
        assert!(start.elapsed() < PATIENCE, "not noticed:\n{}", controller.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_is_gone_for_a_while_costs_nothing() {
    let servers = Servers {
        api: Some(ApiServer::alone()),
        ..Servers::default()
    };
    let lab = Lab::on("etcd", servers).await;
    let etcd = lab.api_server().etcd();
    // It holds the lease through what is short.
    let patient = [
        "--lease-duration=60s",
        "--lease-renew-deadline=50s",
        "--lease-retry-period=1s",
    ];
    let mut controller = lab.controller_with(&patient);
    undisturbed::begin(&lab, TRIALS).await;
    let mut known = 0;
    for trials in [2, 5] {
        ended(&lab, trials).await;
        if trials == 2 {
            etcd.pause();
        } else {
            etcd.kill();
        }
        notices(&controller, |log| log[known..].contains("could not be renewed")).await;
        if trials == 2 {
            etcd.resume();
        } else {
            etcd.start_again().unwrap();
        }
        known = controller.log().len();
        // Workflows run and end again.
        lab.argo.journal().happens(4).await;
        assert!(!controller.has_ended(), "{}", controller.log());
    }
    controller.kill();

    // One that loses the lease ends by itself, and is started anew, as in a cluster.
    let hasty = [
        "--lease-duration=4s",
        "--lease-renew-deadline=3s",
        "--lease-retry-period=1s",
    ];
    controller = lab.controller_with(&hasty);
    controller.ready().await;
    lab.argo.journal().happens(2).await;
    etcd.pause();
    notices(&controller, |log| log.contains("so this one ends")).await;
    etcd.resume();
    let before = lab.argo.journal().events().len();
    let _controller = lab.controller();
    undisturbed::ends_alike(&lab, TRIALS).await;
    assert!(lab.argo.journal().events().len() > before, "it was over before that");
}
