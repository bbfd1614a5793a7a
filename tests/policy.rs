//! The law: every pack's worked cases, the algebra of decisions, and the published vectors.

#[path = "policy/algebra.rs"]
mod algebra;
#[path = "policy/packs.rs"]
mod packs;
#[path = "policy/support.rs"]
mod support;
#[path = "policy/vectors.rs"]
mod vectors;
