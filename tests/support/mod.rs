//! What tests need from outside: real servers, brought up by the tests themselves.

pub mod apiserver;
pub mod programs;
