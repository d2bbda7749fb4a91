//! Tests of all samplers.
