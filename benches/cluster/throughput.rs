//! Trials a second through the whole cycle, against a bare client that does the same writes; and how many writes that is.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Line, bare, change, finished, line,
    support::{argo::Play, audit::Write, lab::Lab},
};

/// Of each study.
const PARALLELISM: usize = 10;

pub async fn measure(studies: usize, trials: usize) -> Vec<Line> {
    let lab = Lab::start("throughput").await;
    lab.argo.play("train", |job| Play::loss(job.number("x")).brisk());
    let mut controller = lab.controller();
    controller.ready().await;
    let names: Vec<String> = (0..studies).map(|n| format!("s{n}")).collect();
    for name in &names {
        lab.create_study(name, &change(trials / studies, PARALLELISM)).await;
    }
    let (time, succeeded) = finished(&lab, &names).await;
    assert_eq!(succeeded as usize, trials / studies * studies);
    let rate = f64::from(succeeded) / time.as_secs_f64();
    let resident = controller.resident();
    let writes = lab.writes();
    controller.kill();

    let bare_rate = bare::rate(&lab, &names[0], trials, studies * PARALLELISM).await;
    let mut lines = vec![
        line(
            &format!("{studies} studies, {succeeded} trials"),
            format!("{rate:.0} trials/s in {:.1} s", time.as_secs_f64()),
            "",
        ),
        line(
            "a bare client with the same writes",
            format!("{bare_rate:.0} trials/s"),
            "",
        ),
        line("  ratio", format!("{:.2}", rate / bare_rate), "0.5 or more"),
    ];
    lines.extend(of_writes(&writes, succeeded, &names, time));
    lines.push(line(
        "  memory of the controller then",
        format!("{} MiB", resident >> 20),
        "",
    ));
    lines
}

fn of_writes(writes: &[Write], trials: u32, studies: &[String], time: Duration) -> Vec<Line> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = 0;
    for write in writes {
        failed += usize::from(write.code >= 300);
        *kinds.entry(format!("{} {}", write.verb, write.resource)).or_default() += 1;
    }
    let is_counted = |w: &&Write| w.resource != "events" && w.resource != "leases";
    #[allow(clippy::cast_precision_loss)]
    let each = writes.iter().filter(is_counted).count() as f64 / f64::from(trials);
    let mut lines = vec![line("API writes of ours per trial", format!("{each:.2}"), "6 or fewer")];
    for (kind, count) in kinds {
        lines.push(line(&format!("  {kind}"), count.to_string(), ""));
    }
    lines.push(line("  of all, refused", failed.to_string(), ""));
    let (mut most, mut burst) = (0, 0);
    for study in studies {
        let is_status = |w: &&Write| w.resource == "hyperparameterstudies/status" && w.name == *study;
        let times: Vec<Timestamp> = writes.iter().filter(is_status).map(|w| w.received).collect();
        most = most.max(times.len());
        let second = SignedDuration::from_secs(1);
        let within = |start: &Timestamp| {
            let inside = |t: &&Timestamp| **t >= *start && t.duration_since(*start) < second;
            times.iter().filter(inside).count()
        };
        burst = burst.max(times.iter().map(within).max().unwrap_or(0));
    }
    #[allow(clippy::cast_precision_loss)]
    let rate = most as f64 / time.as_secs_f64();
    lines.push(line(
        "writes to a study's status, a second",
        format!("{rate:.2}"),
        "2 or fewer",
    ));
    lines.push(line("  at most within any second", burst.to_string(), ""));
    lines
}
