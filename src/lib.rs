//! Dunwell: an omnichannel contact gateway for debt collection.
//!
//! Seven floors; each imports only from floors below it, siblings never from each other (see `ARCHITECTURE.md`, and
//! `tests/architecture.rs`, which refuses anything else).

pub mod config;
pub mod domain;
pub mod policy;
pub mod ledger;
pub mod template;
pub mod provider;
pub mod storage;
pub mod app;
pub mod cli;
