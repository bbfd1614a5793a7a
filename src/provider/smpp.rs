//! A centre that speaks SMPP 3.4 (Short Message Peer-to-Peer Protocol Specification v3.4, issue 1.2), described as data:
//! `[smpp]` of a manifest with `carrier = "smpp"`. Pure: what is written, and what is understood; [`crate::channel::smpp`]
//! holds the connection.
//!
//! # Decisions
//! - 2026-11-23: the codec is ours, and judged by the npm package `smpp` and by Kannel. `rusmpp` 0.4 was rejected: it refuses a whole
//!   PDU for one optional parameter that is not as it should be, such as an identifier without its NUL, and a STOP in that PDU
//!   would never be read; of its commands a client needs six.
//! - 2026-11-23: each part of a long reply is taken by itself. A centre may hand over the second part only once the first one
//!   is acknowledged, and we acknowledge nothing that is not durable.

pub mod case;
pub mod pdu;
pub mod plan;
pub mod receipt;
pub mod shown;
pub mod spec;
pub mod submit;
