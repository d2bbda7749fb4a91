//! What tests need from outside: real servers, brought up by the tests themselves.
#![allow(dead_code)] // Each test program uses a part of it.

pub mod apiserver;
pub mod programs;
pub mod tools;
