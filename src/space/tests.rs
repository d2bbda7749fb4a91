//! Tests of the space as a whole.
