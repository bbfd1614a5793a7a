//! Floor 1: a vendor described as data.
//!
//! `providers/<channel>/<vendor>/manifest.toml` says how a vendor is asked to send, how its answers and callbacks are
//! read, and how its signatures are checked; `cases/*.toml` beside it prove that. Everything here is a pure function:
//! no network, no clock, no file. [`crate::channel`] moves the bytes.
//!
//! # Decisions
//! - 2026-11-23: a voice vendor's documents are templates of the same language, one for each of the few things that a machine
//!   does on a line; where a call is travels in the vendor's callbacks, never in a session of ours.
//! - 2026-11-22: signature schemes are not named after vendors. A manifest composes them from primitives
//!   ([`signature::Scheme`]), so that a vendor is added without code; a vendor that needs a new primitive (a JWT, an AWS
//!   signature) adds it there with its vectors.
//! - 2026-11-22: an answer that no rule of the manifest recognises is *uncertain*, never *accepted*: a duplicate is a
//!   counted contact, and a message believed sent that was not is only late.

pub mod acknowledge;
pub mod callback;
pub mod case;
pub mod catalogue;
pub mod crypto;
pub mod dialect;
pub mod expected;
pub mod extract;
pub mod filter;
pub mod gsm;
mod json;
pub mod manifest;
pub mod multipart;
pub mod pairs;
pub mod placeholder;
pub mod poll;
pub mod primitive;
pub mod reading;
pub mod redact;
pub mod request;
pub mod response;
pub mod send;
pub mod settings;
pub mod signature;
pub mod sigv4;
pub mod smpp;
pub mod suggest;
pub mod token;
pub mod words;
pub mod written;
mod xml;
