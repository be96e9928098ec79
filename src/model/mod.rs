//! What a computer and a network do, as state machines that take `now` and give effects.
//!
//! Floor 1. A model knows the kernel and nothing else: no task, no future, no thread-local. Each
//! can be tested alone, by calling it.
#![deny(clippy::float_arithmetic)]

pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod net;
pub(crate) mod process;
mod shift;
mod slab;
mod surroundings;

pub use shift::Shift;
pub(crate) use surroundings::{Answer, Surroundings};
