//! Time as the running node sees it, in tokio's names: `sleep`, `timeout`, `interval`, `Instant`.
//!
//! Floor 4. All of it follows the node's own monotonic clock, so a timer of a node whose clock
//! drifts fires early or late in true virtual time, and one of a paused node fires late. Virtual
//! time does not move while a task runs: a poll costs none.

mod instant;
mod interval;
mod sleep;
mod timeout;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Timeout, error, timeout, timeout_at};

use crate::exec::context;

/// The wall clock of the running node, as time since 1970; what `std::time::SystemTime::now`
/// shows inside the simulation.
///
/// # Panics
/// If this thread runs no simulation.
#[must_use]
#[track_caller]
pub fn wall_clock() -> Duration {
    Duration::from_nanos(context::world(|world, node| world.wall_ns(node)))
}
