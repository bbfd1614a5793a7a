//! Floor 2: what we may lose. Throttles that spare a provider, and breakers that know which of them works; nothing here keeps a law.
//!
//! Losing a throttle's count is harmless: at worst a provider sees a short burst after a restart and answers that it is
//! too much, which is a failure that is known not to have been sent. The caps of the law live in the history.

pub mod breaker;
pub mod once;
pub mod throttle;
