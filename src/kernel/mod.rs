//! A deterministic discrete-event core: virtual time, the event queue, named choice points, the
//! trace digest.
//!
//! Floor 0. It knows no network, no disk, no node beyond its number, and no future. Everything in
//! it is plain data driven by arguments, so that each part can be tested alone.
#![deny(clippy::float_arithmetic)]

mod choice;
mod counter;
mod digest;
mod dist;
mod id;
mod queue;
pub(crate) mod span;
mod time;
mod trace;

pub use choice::{Choices, EntityKey, Point, Probability, Site};
pub use counter::{Family, FaultCounter, FaultCounters};
pub use digest::Digest;
pub use dist::{Distribution, DistributionError};
pub use id::{NodeId, Step, TaskId};
pub use queue::{EventKey, Queue};
pub use time::SimTime;
pub(crate) use time::duration_to_nanos;
pub use trace::{DigestMode, Entry, Kind, Record, Ring, Sink, Trace, read};
