//! The lease on a real API server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use futures::future::{join_all, select};
use hyperstudy::cluster::lease::{Held, Lease, Timing};
use k8s_openapi::api::coordination::v1::Lease as Record;
use kube::Api;
use support::apiserver::ApiServer;
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// A contender that looks often.
fn lease(name: &str, identity: &str, duration: u32, deadline: f64) -> Lease {
    let deadline = Duration::from_secs_f64(deadline);
    let timing = Timing::new(duration * SECOND, deadline, SECOND / 10).unwrap();
    Lease::new(ApiServer::shared().client(), "default", name, identity).with_timing(timing)
}

async fn holder(name: &str) -> String {
    let api: Api<Record> = Api::namespaced(ApiServer::shared().client(), "default");
    let spec = api.get(name).await.unwrap().spec.unwrap();
    spec.holder_identity.unwrap()
}

/// One contender's lives: it acts for a while, then crashes or gives up.
async fn live(index: usize, slots: Rc<RefCell<Vec<Option<Rc<Held>>>>>, handovers: Rc<Cell<u32>>) {
    for life in 0..3 {
        let identity = format!("contender-{index}-{life}");
        let held = Rc::new(lease("three", &identity, 2, 1.5).acquire().await);
        slots.borrow_mut()[index] = Some(held.clone());
        let holders = || slots.borrow().iter().flatten().filter(|h| h.is_held()).count();
        assert!(holders() <= 1, "two hold it");
        handovers.set(handovers.get() + 1);
        let act = async {
            for _ in 0..20 {
                sleep(SECOND / 50).await;
                assert!(holders() <= 1, "two hold it");
            }
        };
        select(Box::pin(act), Box::pin(held.lost())).await;
        slots.borrow_mut()[index] = None;
        let held = Rc::try_unwrap(held).unwrap();
        if life != index {
            held.release().await;
        }
    }
}

#[tokio::test]
async fn of_three_contenders_one_holds_it() {
    let slots = Rc::new(RefCell::new(vec![None; 3]));
    let handovers = Rc::new(Cell::new(0));
    let all = join_all((0..3).map(|i| live(i, slots.clone(), handovers.clone())));
    timeout(120 * SECOND, all).await.unwrap();
    assert_eq!(handovers.get(), 9);
}

#[tokio::test]
async fn one_that_gives_up_is_followed_at_once() {
    let first = lease("given-up", "first", 3600, 1800.0).acquire().await;
    assert_eq!(holder("given-up").await, "first");
    let second = lease("given-up", "second", 3600, 1800.0);
    let second = tokio::spawn(async move { second.acquire().await });
    assert!(first.release().await);
    let second = timeout(60 * SECOND, second).await.unwrap().unwrap();
    assert!(second.is_held());
    assert_eq!(holder("given-up").await, "second");
}

#[tokio::test]
async fn one_that_crashes_is_followed_when_its_time_is_over() {
    let first = lease("crashed", "first", 4, 3.5).acquire().await;
    let crashed = Instant::now();
    drop(first);
    let second = lease("crashed", "second", 4, 3.5).acquire().await;
    let took = crashed.elapsed();
    assert!(took >= 4 * SECOND && took < 30 * SECOND, "{took:?}");
    assert!(second.is_held());
}

#[tokio::test]
async fn the_same_identity_goes_on_at_once() {
    drop(lease("restarted", "pod_uid", 3600, 1800.0).acquire().await);
    let again = lease("restarted", "pod_uid", 3600, 1800.0);
    let again = timeout(60 * SECOND, again.acquire()).await.unwrap();
    assert!(again.is_held());
    // The one before it, were it still alive, would know.
    assert!(timeout(SECOND, again.lost()).await.is_err());
}

#[tokio::test]
async fn one_that_is_taken_or_whose_lease_is_deleted() {
    let held = lease("taken", "first", 3600, 1800.0).acquire().await;
    let api: Api<Record> = Api::namespaced(ApiServer::shared().client(), "default");
    api.delete("taken", &kube::api::DeleteParams::default()).await.unwrap();
    let back = async {
        while api.get_opt("taken").await.unwrap().is_none() {
            sleep(SECOND / 20).await;
        }
    };
    timeout(60 * SECOND, back).await.unwrap();
    assert!(held.is_held());

    let patch = serde_json::json!({"spec": {"holderIdentity": "thief"}});
    let patch = kube::api::Patch::Merge(patch);
    api.patch("taken", &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
    let loss = timeout(60 * SECOND, held.lost()).await.unwrap();
    assert_eq!(loss.to_string(), "the lease was taken by thief");
    assert!(!held.is_held());
}
