//! The controller as it runs in the world: the program's own code, by the world's clients and clock.

use std::{sync::Arc, time::Duration};

use hyperstudy::{
    cluster::{
        connect::{Connector, Settings},
        lease::{Lease, Timing},
    },
    controller::{context::Context, http::Health, serve, telemetry::Telemetry},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{clock, program::Program, world::World};

/// How the controllers of a world keep from acting at the same time.
#[derive(Clone, Debug, PartialEq)]
pub enum Leasing {
    /// By one lease, renewed as often as the program does by default.
    Usual,
    /// By one lease, renewed seldom: for worlds in which nobody contends for it.
    Seldom,
    /// Not at all: each has a lease of its own, as if those of the others had lapsed without their noticing.
    Lapsed,
}

/// A controller that runs in the world.
pub struct Controller {
    /// What it counts.
    pub telemetry: Telemetry,
    program: Program,
    running: JoinHandle<()>,
    over: CancellationToken,
}

impl Controller {
    /// Starts one in a world where nobody contends for its lease.
    pub fn start(world: &World) -> Self {
        Self::contend(world, &Leasing::Seldom)
    }

    /// Starts one beside those that run already, each with a lease of its own.
    pub fn beside(world: &World) -> Self {
        Self::contend(world, &Leasing::Lapsed)
    }

    /// Starts it as the program does.
    pub fn contend(world: &World, leasing: &Leasing) -> Self {
        let program = world.program();
        let connector = Connector::through(Settings::default(), world.buckets.connector_of(&program));
        let client = world.cluster.client_of("default", &program);
        let telemetry = Telemetry::new();
        let (context, news, publishing) = Context::new(client.clone(), connector, clock::now, telemetry.clone());
        let context = Arc::new(context);
        world.holds(&program, &context);
        let name = match leasing {
            Leasing::Lapsed => format!("hyperstudy-{}", program.id),
            _ => "hyperstudy".to_owned(),
        };
        let second = Duration::from_secs(1);
        let timing = match leasing {
            Leasing::Usual => Timing::default(),
            _ => Timing::new(300 * second, 200 * second, 60 * second).unwrap(),
        };
        // A controller that was killed and one that takes its place are the same pod.
        let identity = match leasing {
            Leasing::Seldom => "pod".to_owned(),
            _ => format!("pod-{}", program.id),
        };
        let lease = Lease::new(client, "default", &name, &identity)
            .with_timing(timing)
            .with_clock(Arc::new(clock::now));
        let over = CancellationToken::new();
        let tell = over.clone();
        let running = tokio::spawn(async move {
            let health = Health::new(60 * second);
            let stop = CancellationToken::new();
            let serving = serve(&context, &[], news, &lease, &health, &stop);
            tokio::select! {
                biased;
                _ = serving => {}
                () = async { tokio::join!(publishing, std::future::pending::<()>()); } => {}
            }
            tell.cancel();
        });
        Self {
            telemetry,
            program,
            running,
            over,
        }
    }

    /// Waits until it is killed by a fault, or ends because it has lost its lease.
    pub async fn ended(&mut self) {
        tokio::select! {
            biased;
            () = self.program.end.cancelled() => {}
            () = self.over.cancelled() => {}
        }
    }

    /// Ends it as a power failure does: what it has sent arrives, nothing else does.
    pub fn kill(self) {
        self.program.end.cancel();
        self.running.abort();
    }
}
