#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod never_two;
mod server;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{advance, sleep, timeout};

use super::*;
use server::{AT_ONCE, Fate, Server};

const SECOND: Duration = Duration::from_secs(1);

fn lease(server: &Server, identity: &str) -> Lease {
    let clock = || Timestamp::from_second(1_800_000_000).unwrap();
    Lease::new(server.client(), "system", "controller", identity).with_clock(Arc::new(clock))
}

/// How long it takes until the future is ready.
async fn time<T>(future: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let result = future.await;
    (start.elapsed(), result)
}

fn within(took: Duration, from: f64, to: f64) {
    let took = took.as_secs_f64();
    assert!((from..=to).contains(&took), "{took} is not within {from} to {to} s");
}

#[tokio::test(start_paused = true)]
async fn the_first_has_it_at_once_and_says_so() {
    let server = Server::new();
    let (took, held) = time(lease(&server, "a").acquire()).await;
    within(took, 0.0, 0.1);
    assert!(held.is_held());
    let expected = json!({
        "holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 0,
        "acquireTime": "2027-01-15T08:00:00.000000Z", "renewTime": "2027-01-15T08:00:00.000000Z",
    });
    assert_eq!(server.world().record.as_ref().unwrap()["spec"], expected);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_for_as_long_as_it_is_held() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    assert!(timeout(600 * SECOND, held.lost()).await.is_err());
    assert!(held.is_held());
    // A GET and a POST, then a PUT every 2 s.
    let calls = server.world().calls;
    assert!((295..=305).contains(&calls), "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn one_who_was_slower_tries_again() {
    let server = Server::new();
    server.world().writes = [Fate::Refused(409), Fate::Refused(409), Fate::Refused(500)].into();
    let (took, _held) = time(lease(&server, "a").acquire()).await;
    within(took, 6.0, 6.1);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_is_over_in_time_does_no_harm() {
    for fate in [
        Fate::Refused(500),
        Fate::Refused(429),
        Fate::Refused(409),
        Fate::Refused(404),
        Fate::Refused(403),
        Fate::Lost,
        Fate::Unanswered(Duration::ZERO),
        Fate::Unanswered(3 * SECOND),
    ] {
        let server = Server::new();
        let held = lease(&server, "a").acquire().await;
        server.world().writes = [fate].into();
        assert!(timeout(60 * SECOND, held.lost()).await.is_err(), "{fate:?}");
        assert!(held.is_held(), "{fate:?}");
        assert_eq!(server.spec("leaseTransitions"), 0, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_stops_before_another_begins() {
    for fate in [
        Fate::Refused(500),
        Fate::Refused(503),
        Fate::Lost,
        Fate::Unanswered(SECOND),
    ] {
        let server = Server::new();
        let held = lease(&server, "a").acquire().await;
        // Another sees the Lease as it was written last.
        let other = lease(&server, "b");
        let other = tokio::spawn(async move { time(other.acquire()).await });
        sleep(SECOND / 10).await;
        server.world().writes = vec![fate; 20].into();
        let (took, loss) = time(held.lost()).await;
        within(took, 9.8, 10.0);
        assert!(matches!(loss, Loss::NotRenewed(_)), "{loss}");
        assert!(!held.is_held());
        server.world().writes.clear();
        let (took, _held) = other.await.unwrap();
        // What took effect without an answer was seen as a renewal.
        let renewed = matches!(fate, Fate::Unanswered(_));
        within(took, 15.0, if renewed { 26.0 } else { 15.1 });
        assert_eq!(server.spec("holderIdentity"), "b");
        assert_eq!(server.spec("leaseTransitions"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_taken_is_lost() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    server.edit(|record| record["spec"]["holderIdentity"] = json!("b"));
    let (took, loss) = time(held.lost()).await;
    within(took, 0.0, 2.1);
    assert_eq!(loss, Loss::Taken("b".to_owned()));
    // It is known for ever, and nothing of the other's is touched.
    assert_eq!(held.lost().await, loss);
    assert!(!held.release().await);
    assert_eq!(server.spec("holderIdentity"), "b");
}

#[tokio::test(start_paused = true)]
async fn what_others_write_beside_it_stays() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    server.edit(|record| record["metadata"]["labels"] = json!({"team": "molding"}));
    assert!(timeout(30 * SECOND, held.lost()).await.is_err());
    assert!(held.release().await);
    assert_eq!(
        server.world().record.as_ref().unwrap()["metadata"]["labels"]["team"],
        "molding"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_was_deleted_is_written_again_and_not_taken() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    let other = lease(&server, "b");
    let other = tokio::spawn(async move { other.acquire().await });
    sleep(3 * SECOND).await;
    server.world().record = None;
    assert!(timeout(60 * SECOND, held.lost()).await.is_err());
    assert_eq!(server.spec("holderIdentity"), "a");
    assert!(!other.is_finished());
    other.abort();
}

#[tokio::test(start_paused = true)]
async fn one_that_is_given_up_is_anothers_at_its_next_look() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    let other = lease(&server, "b");
    let other = tokio::spawn(async move { other.acquire().await });
    sleep(20 * SECOND).await;
    assert!(!other.is_finished());
    assert!(held.release().await);
    let (took, other) = time(other).await;
    within(took, 0.0, 2.0);
    assert!(other.unwrap().is_held());
}

#[tokio::test(start_paused = true)]
async fn giving_up_survives_a_write_in_between() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    server.world().writes = [Fate::Refused(409), AT_ONCE].into();
    assert!(held.release().await);
    assert_eq!(server.spec("holderIdentity"), "");

    let held = lease(&server, "a").acquire().await;
    server.world().weather = Box::new(|| Fate::Lost);
    let (took, released) = time(held.release()).await;
    assert!(!released);
    within(took, 5.0, 5.1);
}

#[tokio::test(start_paused = true)]
async fn the_same_identity_goes_on_at_once_and_the_one_before_it_is_over() {
    let server = Server::new();
    let before = lease(&server, "pod_uid").acquire().await;
    let (took, after) = time(lease(&server, "pod_uid").acquire()).await;
    within(took, 0.0, 0.1);
    let (took, loss) = time(before.lost()).await;
    within(took, 0.0, 2.1);
    assert_eq!(loss, Loss::Taken("pod_uid".to_owned()));
    assert!(timeout(60 * SECOND, after.lost()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_was_stopped_for_a_while_knows_at_once() {
    let server = Server::new();
    let held = lease(&server, "a").acquire().await;
    advance(11 * SECOND).await;
    assert!(!held.is_held());
    let (took, loss) = time(held.lost()).await;
    within(took, 0.0, 0.1);
    assert!(matches!(loss, Loss::NotRenewed(_)));
}

#[tokio::test(start_paused = true)]
async fn what_a_holder_says_of_its_duration_counts() {
    let server = Server::new();
    let long = Timing::new(60 * SECOND, 40 * SECOND, 2 * SECOND).unwrap();
    drop(lease(&server, "a").with_timing(long).acquire().await);
    let (took, _held) = time(lease(&server, "b").acquire()).await;
    within(took, 60.0, 60.1);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let of = |d: u64, r: u64, p: u64| Timing::new(SECOND * d as u32, SECOND * r as u32, SECOND * p as u32);
    assert_eq!(of(15, 10, 2).unwrap(), Timing::default());
    for (timing, flag) in [
        (of(0, 0, 0), "--lease-duration"),
        (Timing::new(SECOND * 3 / 2, SECOND, SECOND / 2), "--lease-duration"),
        (of(10, 10, 2), "--lease-renew-deadline"),
        (of(15, 10, 10), "--lease-retry-period"),
        (of(15, 10, 0), "--lease-retry-period"),
    ] {
        assert!(timing.unwrap_err().starts_with(flag));
    }
}

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    lease: LeaseArgs,
}

#[tokio::test]
async fn flags() {
    let parse = |args: &[&str]| {
        let all = ["controller"].iter().chain(args);
        let command = <Command as clap::Parser>::try_parse_from(all).map_err(|e| e.to_string())?;
        command.lease.lease(Server::new().client())
    };
    let usual = parse(&[]).unwrap();
    assert_eq!(usual.to_string(), "default/hyperstudy-controller");
    assert_eq!(usual.timing, Timing::default());
    assert!(usual.identity().contains('_') && usual.identity() != parse(&[]).unwrap().identity());

    let other = parse(&[
        "--lease-namespace=ml",
        "--lease-name=n",
        "--identity=pod_1",
        "--lease-duration=1m",
    ])
    .unwrap();
    assert_eq!((other.to_string().as_str(), other.identity()), ("ml/n", "pod_1"));
    assert!(parse(&["--identity="]).unwrap_err().contains("--identity"));
    assert!(
        parse(&["--lease-duration=5s"])
            .unwrap_err()
            .contains("--lease-renew-deadline")
    );
    assert!(
        parse(&["--lease-duration=long"])
            .unwrap_err()
            .contains("write it like 90s")
    );
}
