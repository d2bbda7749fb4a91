//! What tests need from outside: real servers, brought up by the tests themselves, and a stand-in for what cannot be had: Argo.

// No test program needs all of it.
#![allow(dead_code, unused_imports)]

pub mod apiserver;
pub mod argo;
pub mod audit;
pub mod bucket;
pub mod controller;
pub mod crds;
pub mod lab;
pub mod programs;
pub mod proxy;
pub mod tools;
pub mod versitygw;
