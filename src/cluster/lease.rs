//! One controller at a time: a Lease, held as client-go holds it.
