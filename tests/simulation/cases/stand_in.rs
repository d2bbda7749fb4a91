//! The stand-in for Argo: Workflows end as the script says.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::workflow;
use crate::{
    argo::{self, End, Part},
    world::{BUCKET, NAMESPACE, World},
};

fn run(number: u32) -> Value {
    let labels = json!({"hyperstudy.dev/trial": number.to_string(), "hyperstudy.dev/attempt": "1"});
    let mut object = workflow(&format!("s-{number}-1"), &labels);
    object["spec"]["arguments"]["parameters"] =
        json!([{"name": "output_path", "value": format!("s3://{BUCKET}/runs/s/{number}")}]);
    object["spec"]["ttlStrategy"] = json!({"secondsAfterCompletion": 3600});
    object["spec"]["activeDeadlineSeconds"] = 600.into();
    object
}

#[tokio::test(start_paused = true)]
async fn workflows_end_as_the_script_says() {
    let world = World::new(1);
    let seconds = Duration::from_secs;
    argo::start(
        &world,
        Arc::new(move |attempt| match attempt.number {
            1 => Part::metrics(seconds(10), &json!({"loss": 0.5})),
            2 => Part::new(seconds(10), End::Failed("no")),
            3 => Part::new(seconds(10), End::Error("worse")),
            4 => Part::new(
                seconds(10),
                End::Vanished(vec![("metrics.json".to_owned(), b"{}".to_vec())]),
            ),
            5 | 6 => Part::new(seconds(10), End::Never),
            _ => Part {
                wins: true,
                ..Part::metrics(seconds(10), &json!({"loss": 0.1}))
            },
        }),
    );
    for number in 1..=7 {
        world.cluster.create(NAMESPACE, run(number)).unwrap();
    }
    let label = |number: u32, name: &str| {
        let found = world.cluster.get("workflows", NAMESPACE, &format!("s-{number}-1"));
        found.map(|w| {
            w["metadata"]["labels"][format!("workflows.argoproj.io/{name}")]
                .as_str()
                .unwrap_or("none")
                .to_owned()
        })
    };
    sleep(seconds(5)).await;
    assert_eq!(
        (
            label(1, "phase").unwrap().as_str(),
            label(1, "completed").unwrap().as_str()
        ),
        ("Running", "false")
    );
    for number in [6, 7] {
        let stop = |w: &mut Value| w["spec"]["shutdown"] = "Terminate".into();
        world
            .cluster
            .edit("workflows", NAMESPACE, &format!("s-{number}-1"), stop)
            .unwrap();
    }
    sleep(seconds(1)).await;
    assert_eq!(label(6, "phase").unwrap(), "Failed");
    assert_eq!(label(7, "phase").unwrap(), "Succeeded");
    sleep(seconds(10)).await;
    for (number, phase) in [
        (1, Some("Succeeded")),
        (2, Some("Failed")),
        (3, Some("Error")),
        (4, None),
        (5, Some("Running")),
    ] {
        assert_eq!(label(number, "phase").as_deref(), phase, "{number}");
    }
    let two = world.cluster.get("workflows", NAMESPACE, "s-2-1").unwrap();
    assert_eq!(
        (&two["status"]["phase"], &two["status"]["message"]),
        (&json!("Failed"), &json!("no"))
    );
    assert_eq!(
        world.buckets.keys(BUCKET),
        [
            "runs/s/1/metrics.json",
            "runs/s/4/metrics.json",
            "runs/s/7/metrics.json"
        ]
    );
    assert_eq!(world.most_running(), 7);
    let before = Instant::now();
    world
        .cluster
        .until(|_| label(5, "phase").as_deref() == Some("Failed"))
        .await;
    assert!(before.elapsed().as_secs() < 600);
    world.cluster.until(|c| c.all("workflows").is_empty()).await;
    assert!(before.elapsed().as_secs() < 2 * 3600);
}
