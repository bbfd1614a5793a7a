//! The law: every pack's worked cases, the algebra of decisions, and the published vectors.

#[path = "policy/algebra.rs"]
mod algebra;
#[path = "policy/house.rs"]
mod house;
#[path = "policy/naive.rs"]
mod naive;
#[path = "policy/naive_worlds.rs"]
mod naive_worlds;
#[path = "policy/packs.rs"]
mod packs;
#[path = "policy/support.rs"]
mod support;
#[path = "policy/vector_world.rs"]
mod vector_world;
#[path = "policy/vectors.rs"]
mod vectors;
