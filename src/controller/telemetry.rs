//! What the controller counts and times.
