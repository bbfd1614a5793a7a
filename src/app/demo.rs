//! The demo.

mod place;
mod portfolio;
