//! What the controller serves: probes and metrics.
