//! Floor 0: the vocabulary of the trade. Pure values, no input or output, no clock of its own.
//!
//! Everything above speaks in these words: a *debtor* owes on *accounts* and is reached at *contact points*;
//! upstream posts *contact requests*; the gateway takes *decisions*, makes *attempts* and records *events*.

pub mod access;
pub mod attempt;
pub mod cadence;
pub mod call;
pub mod channel;
pub mod city;
pub mod consent;
pub mod contact;
pub mod contact_point;
pub mod debtor;
pub mod decision;
pub mod event;
pub mod fault;
pub mod id;
pub mod intent;
pub mod message;
pub mod money;
pub mod number_check;
pub mod outcome;
pub mod region;
pub mod request;
pub mod routing;
pub mod state;
pub mod statement;
pub mod time;
pub mod zone;
