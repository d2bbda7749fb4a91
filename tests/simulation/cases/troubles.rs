//! What goes wrong between the client and the API server, one by one.

use std::time::Duration;

use kube::{
    Error,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{dynamic, workflow};
use crate::{
    cluster::Verb,
    faults::{Fault, Storm, Trouble},
    world::{NAMESPACE, World},
};

fn object(name: &str) -> DynamicObject {
    serde_json::from_value(workflow(name, &json!({}))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_are_refused_as_scripted() {
    let world = World::new(1);
    let api = dynamic(&world, "workflows");
    for (code, reason) in [
        (403, "Forbidden"),
        (409, "Conflict"),
        (410, "Expired"),
        (422, "Invalid"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ] {
        let fault = Fault::next(1, &["create"], "workflows", Trouble::Refuse(code)).named("w");
        world.cluster.faults().push(fault);
        let Err(Error::Api(status)) = api.create(&PostParams::default(), &object("w")).await else {
            panic!("{code}")
        };
        assert_eq!((status.code, status.reason.as_str()), (code, reason));
    }
    let fault = Fault::next(1, &["create"], "", Trouble::Later(7));
    world.cluster.faults().push(fault);
    let Err(Error::Api(status)) = api.create(&PostParams::default(), &object("w")).await else {
        panic!()
    };
    assert_eq!(status.details.unwrap().retry_after_seconds, 7);
    // To the status alone.
    let study: DynamicObject = serde_json::from_value(super::study("s")).unwrap();
    let studies = dynamic(&world, "hyperparameterstudies");
    studies.create(&PostParams::default(), &study).await.unwrap();
    world
        .cluster
        .faults()
        .push(Fault::next(1, &["patch"], "", Trouble::Refuse(500)).on_status());
    let (spec, status) = (
        json!({"spec": {"parallelism": 2}}),
        json!({"status": {"lastNumber": 1}}),
    );
    let merge = PatchParams::default();
    assert!(studies.patch("s", &merge, &Patch::Merge(&spec)).await.is_ok());
    assert!(studies.patch_status("s", &merge, &Patch::Merge(&status)).await.is_err());
    assert!(studies.patch_status("s", &merge, &Patch::Merge(&status)).await.is_ok());
    // The third one to another, and none of another kind.
    let fault = Fault::next(1, &["create"], "workflows", Trouble::Refuse(500)).after(2);
    world.cluster.faults().push(fault);
    world
        .cluster
        .faults()
        .push(Fault::next(1, &[], "workflowtemplates", Trouble::Refuse(500)));
    for (name, good) in [("a", true), ("b", true), ("c", false), ("c", true)] {
        assert_eq!(
            api.create(&PostParams::default(), &object(name)).await.is_ok(),
            good,
            "{name}"
        );
    }
    assert_eq!(world.creations().values().copied().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(world.writes("workflows"), 3);
    assert_eq!(world.requests(Verb::Create, "workflows"), 13);
}

#[tokio::test(start_paused = true)]
async fn answers_get_lost_whether_or_not_it_was_done() {
    let world = World::new(2);
    let api = dynamic(&world, "workflows");
    let post = PostParams::default();
    for (name, trouble, there) in [
        ("a", Trouble::Reset { done: true }, true),
        ("b", Trouble::Reset { done: false }, false),
        ("c", Trouble::Garble, true),
    ] {
        world
            .cluster
            .faults()
            .push(Fault::next(1, &["create"], "workflows", trouble));
        let object = object(name);
        assert!(api.create(&post, &object).await.is_err(), "{name}");
        assert_eq!(api.get_opt(name).await.unwrap().is_some(), there, "{name}");
        let again = api.create(&post, &object).await;
        assert_eq!(
            matches!(again, Err(Error::Api(s)) if s.is_already_exists()),
            there,
            "{name}"
        );
    }
    for (name, done) in [("d", true), ("e", false)] {
        let before = Instant::now();
        world
            .cluster
            .faults()
            .push(Fault::next(1, &["create"], "workflows", Trouble::Silence { done }));
        let object = object(name);
        let asked = timeout(Duration::from_secs(30), api.create(&post, &object));
        assert!(asked.await.is_err(), "{name}");
        assert_eq!(before.elapsed().as_secs(), 30);
        assert_eq!(api.get_opt(name).await.unwrap().is_some(), done, "{name}");
    }
    // Somebody who does not wait has written all the same.
    world.cluster.faults().push(Fault::next(
        1,
        &["create"],
        "workflows",
        Trouble::Slow(Duration::from_secs(60)),
    ));
    assert!(
        timeout(Duration::from_secs(1), api.create(&post, &object("f")))
            .await
            .is_err()
    );
    assert!(api.get_opt("f").await.unwrap().is_none());
    world
        .cluster
        .until(|c| c.get("workflows", NAMESPACE, "f").is_some())
        .await;
    assert!(world.creations().values().all(|n| *n == 1));
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_the_same_from_the_same_seed() {
    async fn told(seed: u64) -> Vec<String> {
        let world = World::new(seed);
        world.cluster.faults().storm(Storm {
            during: Duration::ZERO..Duration::from_secs(5),
            rate: 0.3,
            verbs: &[],
            of: "",
            troubles: vec![Trouble::Refuse(500), Trouble::Reset { done: true }, Trouble::Later(1)],
        });
        let one = |n: usize, world: World| async move {
            let api = dynamic(&world, "workflows");
            while api
                .create(&PostParams::default(), &object(&format!("w{n}")))
                .await
                .is_err()
            {
                if api.get_opt(&format!("w{n}")).await.is_ok_and(|found| found.is_some()) {
                    break;
                }
            }
        };
        futures::future::join_all((0..30).map(|n| one(n, world.clone()))).await;
        let api = dynamic(&world, "workflows");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 30);
        assert!(world.creations().values().all(|n| *n == 1));
        world.told()
    }
    let first = told(7).await;
    assert!(first.len() > 35, "{}", first.len());
    assert_eq!(first, told(7).await);
    assert_ne!(first, told(8).await);
}
