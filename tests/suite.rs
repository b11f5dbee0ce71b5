//! Every test that lives outside its crate, in one binary.
#![allow(clippy::unwrap_used)] // All of it is test code, functions between the tests too.

mod cli;
mod docs;
mod floors;
mod http;
mod kill;
mod licences;
mod model;
mod packaging;
mod promql;
mod settings;
mod store;
mod traffic;
mod transfer;
