//! Contenders that crash, give up and start again, before a server that is slow, loses answers and fails: never two hold it, and it
//! always goes on.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::future::{join_all, select};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep};

use super::{
    super::Held,
    lease,
    server::{AT_ONCE, Fate, Server},
};

const SEEDS: u64 = 12;
const CONTENDERS: usize = 3;
const WHILE: Duration = Duration::from_secs(600);

type Slots = Rc<RefCell<Vec<Option<Rc<Held>>>>>;

fn up_to(rng: &mut impl Rng, seconds: f64) -> Duration {
    Duration::from_secs_f64(rng.random_range(0.0..seconds))
}

/// What becomes of a call on a day with that much trouble, in percent.
fn fate(rng: &mut ChaCha8Rng, trouble: u32) -> Fate {
    if rng.random_range(0..100_u32) >= trouble {
        return Fate::Served(up_to(rng, 0.02), up_to(rng, 0.02));
    }
    match rng.random_range(0..6_u32) {
        0 => Fate::Refused(500),
        1 => Fate::Refused(409),
        2 => Fate::Lost,
        3 => Fate::Unanswered(up_to(rng, 20.0)),
        _ => Fate::Served(up_to(rng, 4.0), up_to(rng, 4.0)),
    }
}

fn holders(slots: &Slots) -> usize {
    slots.borrow().iter().flatten().filter(|held| held.is_held()).count()
}

async fn contend(server: Server, slots: Slots, index: usize, seed: u64, acquired: Rc<RefCell<u32>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64 + 1);
    for life in 0.. {
        sleep(up_to(&mut rng, 5.0)).await;
        // Another process each time, or the same pod's again.
        let identity = match rng.random_bool(0.3) {
            true => format!("{index}"),
            false => format!("{index}-{life}"),
        };
        let held = Rc::new(lease(&server, &identity).acquire().await);
        slots.borrow_mut()[index] = Some(held.clone());
        assert!(holders(&slots) <= 1, "seed {seed}: two hold it");
        *acquired.borrow_mut() += 1;
        let stays = Box::pin(sleep(up_to(&mut rng, 60.0)));
        select(stays, Box::pin(held.lost())).await;
        slots.borrow_mut()[index] = None;
        if let Ok(held) = Rc::try_unwrap(held)
            && rng.random_bool(0.5)
        {
            held.release().await;
        }
    }
}

async fn a_while(seed: u64) -> u32 {
    let server = Server::new();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let trouble = [0, 5, 30, 60][(seed % 4) as usize];
    server.world().weather = Box::new(move || fate(&mut rng, trouble));
    let slots: Slots = Rc::new(RefCell::new(vec![None; CONTENDERS]));
    let acquired = Rc::new(RefCell::new(0));
    let start = Instant::now();
    let watch = async {
        while start.elapsed() < WHILE {
            assert!(holders(&slots) <= 1, "seed {seed}: two hold it");
            sleep(Duration::from_millis(250)).await;
        }
    };
    let contenders = (0..CONTENDERS).map(|i| contend(server.clone(), slots.clone(), i, seed, acquired.clone()));
    select(Box::pin(watch), Box::pin(join_all(contenders))).await;
    slots.borrow_mut().clear();
    // Whatever was before, with fair weather somebody has it soon.
    server.world().weather = Box::new(|| AT_ONCE);
    let last = lease(&server, "last");
    let waited = Instant::now();
    let held = last.acquire().await;
    assert!(waited.elapsed() < Duration::from_secs(40), "seed {seed}");
    assert!(held.is_held());
    acquired.take()
}

#[tokio::test(start_paused = true)]
async fn never_two() {
    for seed in 0..SEEDS {
        let acquired = a_while(seed).await;
        assert!(acquired > 3, "seed {seed}: {acquired} times");
    }
}
