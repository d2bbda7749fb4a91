//! From the write that completes a Workflow to the creation of the next one.

use std::time::Duration;

use crate::{
    Line, change, finished, line, millis, quantile,
    support::{
        apiserver::{ApiServer, User},
        argo::Play,
        audit,
        lab::Lab,
    },
};

const PARALLELISM: usize = 10;

/// How long the trials take of which the machine does not come to its limit.
const A_WHILE: Duration = Duration::from_secs(1);

pub async fn measure(trials: usize) -> Vec<Line> {
    let mut lines = once("reaction", "trials that end at once", Duration::ZERO, trials).await;
    lines.extend(once("reaction-1s", "trials of 1 s", A_WHILE, trials / 4).await);
    lines
}

async fn once(name: &str, what: &str, takes: Duration, trials: usize) -> Vec<Line> {
    let lab = Lab::start(name).await;
    lab.argo
        .play("train", move |job| Play::loss(job.number("x")).running(takes).brisk());
    let mut controller = lab.controller();
    controller.ready().await;
    lab.create_study("s", &change(trials, PARALLELISM)).await;
    let (time, succeeded) = finished(&lab, &["s".to_owned()]).await;
    assert_eq!(succeeded as usize, trials);
    controller.kill();

    let of = |user: User, verb: &str| {
        let writes = audit::writes(ApiServer::shared().audit(), user, &lab.namespace);
        let is_one = |w: &audit::Write| w.resource == "workflows" && w.verb == verb && w.code < 300;
        let mut times: Vec<_> = writes.into_iter().filter(is_one).map(|w| w.answered).collect();
        times.sort_unstable();
        times
    };
    let completed = of(User::Argo, "patch");
    let created = of(User::Controller, "create");
    // As many run as may: the n-th completion makes room for the Workflow that comes n-th after the first ten.
    let mut reactions: Vec<Duration> = completed
        .iter()
        .zip(created.iter().skip(PARALLELISM))
        .map(|(before, after)| after.duration_since(*before).try_into().unwrap_or_default())
        .collect();
    reactions.sort_unstable();
    vec![
        line(
            &format!("reaction, {what}: median of {}", reactions.len()),
            millis(quantile(&reactions, 0.5)),
            "50 ms or less",
        ),
        line(
            "  99th percentile",
            millis(quantile(&reactions, 0.99)),
            "250 ms or less",
        ),
        line(
            "  trials a second meanwhile",
            format!("{:.0}", f64::from(succeeded) / time.as_secs_f64()),
            "",
        ),
    ]
}
