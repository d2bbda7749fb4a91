//! Kubernetes Events: what a person would want to know.
