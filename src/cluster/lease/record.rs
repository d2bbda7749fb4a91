//! What a Lease says, and what it says after a write. Computes only.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease as Record, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use super::Lease;

/// Who holds it; nobody where the field is absent or empty.
pub(super) fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|h| !h.is_empty())
}

/// How long it is held without a renewal, as it says itself.
pub(super) fn duration(spec: &LeaseSpec) -> Option<Duration> {
    let seconds = u64::try_from(spec.lease_duration_seconds?).ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Whether it is held by whoever holds `ours`, since the same acquisition: the number of transitions tells the holder from one of
/// the same identity that was started after it.
pub(super) fn is_same_holder(spec: &LeaseSpec, ours: &LeaseSpec) -> bool {
    holder(spec).is_some() && holder(spec) == holder(ours) && spec.lease_transitions == ours.lease_transitions
}

/// A Lease that does not exist yet.
pub(super) fn new(name: &str, spec: LeaseSpec) -> Record {
    Record {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
    }
}

/// Taken by the contender. Its first holder is transition 0.
pub(super) fn taken(before: &LeaseSpec, lease: &Lease) -> LeaseSpec {
    let now = MicroTime((lease.clock)());
    let is_first = before.holder_identity.is_none() && before.lease_transitions.is_none();
    let transitions = before.lease_transitions.unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(lease.identity.clone()),
        lease_duration_seconds: Some(lease.timing.seconds()),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: Some(if is_first {
            0
        } else {
            transitions.checked_add(1).unwrap_or(0)
        }),
        ..before.clone()
    }
}

/// Renewed by its holder.
pub(super) fn renewed(before: &LeaseSpec, lease: &Lease) -> LeaseSpec {
    LeaseSpec {
        lease_duration_seconds: Some(lease.timing.seconds()),
        renew_time: Some(MicroTime((lease.clock)())),
        ..before.clone()
    }
}

/// Given up by its holder: nobody's.
pub(super) fn released(before: &LeaseSpec, lease: &Lease) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime((lease.clock)())),
        ..before.clone()
    }
}
