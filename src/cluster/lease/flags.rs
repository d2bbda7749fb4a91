//! The lease's times and names, as the command line gives them.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use kube::Client;

use super::Lease;
use crate::api;

/// How long a Lease is held, and how often it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub(super) duration: Duration,
    pub(super) renew_deadline: Duration,
    pub(super) retry_period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// `duration`: others take the Lease so long after its last renewal; whole seconds, as the Lease says it. `renew_deadline`: its holder
    /// stops acting so long after its last renewal. `retry_period`: how often it is renewed or asked for.
    ///
    /// # Errors
    /// `retry_period < renew_deadline < duration` does not hold, or something is out of range.
    pub fn new(duration: Duration, renew_deadline: Duration, retry_period: Duration) -> Result<Self, String> {
        let most = i32::MAX.unsigned_abs().into();
        if duration.subsec_nanos() != 0 || !(1..=most).contains(&duration.as_secs()) {
            return Err("--lease-duration: whole seconds, at least 1s".to_owned());
        }
        if renew_deadline >= duration {
            return Err(
                "--lease-renew-deadline: shorter than --lease-duration, so that a holder stops before another begins"
                    .to_owned(),
            );
        }
        if retry_period.is_zero() || retry_period >= renew_deadline {
            return Err(
                "--lease-retry-period: more than 0s and shorter than --lease-renew-deadline, so that a renewal can be tried again"
                    .to_owned(),
            );
        }
        Ok(Self {
            duration,
            renew_deadline,
            retry_period,
        })
    }

    /// The duration as a Lease says it.
    pub(super) fn seconds(self) -> i32 {
        i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX)
    }
}

/// The flags of the lease.
#[derive(clap::Args, Clone, Debug)]
pub struct LeaseArgs {
    /// The namespace of the Lease by which one controller acts at a time. Default: $POD_NAMESPACE, else the controller's own.
    #[arg(long, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// The Lease's name. Controllers that serve the same studies have the same, others another.
    #[arg(long, value_name = "NAME", default_value = "hyperstudy-controller")]
    pub lease_name: String,
    /// Who holds the Lease: one process at a time, the same after a restart, e.g. the pod's name and UID. Default:
    /// $POD_NAME and $POD_UID, else the host's name and a random number.
    #[arg(long, value_name = "TEXT")]
    pub identity: Option<String>,
    /// Another controller goes on so long after this one was last heard of; whole seconds.
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    pub lease_duration: api::Duration,
    /// The controller stops acting when it could not renew its Lease for so long; shorter than --lease-duration.
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub lease_renew_deadline: api::Duration,
    /// How often the Lease is renewed, or asked for; shorter than --lease-renew-deadline.
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub lease_retry_period: api::Duration,
}

impl LeaseArgs {
    /// The Lease that the flags name.
    ///
    /// # Errors
    /// A flag that cannot be, by its name.
    pub fn lease(&self, client: Client) -> Result<Lease, String> {
        let timing = Timing::new(
            self.lease_duration.0,
            self.lease_renew_deadline.0,
            self.lease_retry_period.0,
        )?;
        let identity = match &self.identity {
            Some(identity) if identity.trim().is_empty() => {
                return Err("--identity: not empty, as nobody holds a Lease whose holder is empty".to_owned());
            }
            Some(identity) => identity.clone(),
            None => default_identity(),
        };
        let namespace = match &self.lease_namespace {
            Some(namespace) => namespace.clone(),
            None => client.default_namespace().to_owned(),
        };
        Ok(Lease::new(client, &namespace, &self.lease_name, &identity).with_timing(timing))
    }
}

/// The host's name and a random number: another one each time.
pub fn default_identity() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "hyperstudy",
        host => host,
    };
    // The standard library's hashers are seeded by the system's randomness, each process with its own.
    format!("{host}_{:016x}", RandomState::new().build_hasher().finish())
}
