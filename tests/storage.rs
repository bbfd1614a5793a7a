//! The store from outside: one suite for every database, and what holds of the embedded one alone.

#[path = "storage/bulk.rs"]
mod bulk;
#[path = "storage/conformance.rs"]
mod conformance;
#[path = "storage/crash.rs"]
mod crash;
#[path = "storage/embedded.rs"]
mod embedded;
#[path = "ledger/events.rs"]
mod events;
#[path = "storage/fixture.rs"]
mod fixture;
