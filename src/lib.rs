//! Dunwell: an omnichannel contact gateway for debt collection.
//!
//! Seven floors; each imports only from floors below it, siblings never from each other (see `ARCHITECTURE.md`, and
//! `tests/architecture.rs`, which refuses anything else).

// Floor 0: the vocabulary.
pub mod domain;

// Floor 1: the pure engines; none sees another.
pub mod cadence;
pub mod callflow;
pub mod ledger;
pub mod policy;
pub mod provider;
pub mod reply;
pub mod template;

// Floor 2: what touches the world; none sees another.
pub mod channel;
pub mod coordination;
pub mod storage;

// Floor 3: the one orchestrator, and the only writer of history.
pub mod pipeline;

// Floor 4: HTTP.
pub mod http;

// Floor 5: the faces.
pub mod portal;

// Floor 6: the assembly.
pub mod app;
pub mod cli;
pub mod config;
