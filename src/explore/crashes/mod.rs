//! Every state in which a loss of power may leave a disk, tried one by one.
//!
//! Owns the exploration of a test of three parts: what is there before, what is interrupted, and
//! what judges the disk afterwards. The parts are run by a [machine](machine), which tells the
//! moments at which power may be lost: on a disk of their own, or on a simulated node.
//!
//! Sources: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014); Mohan et al.,
//! "Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing" (OSDI 2018); Kalbfleisch
//! et al., "Vinter" (USENIX ATC 2022).

mod bounds;
mod cause;
mod engine;
mod entry;
mod legal;
mod machine;
mod measure;
mod minimal;
mod on_node;
mod report;
mod stack;
mod state;
mod states;
mod telling;
mod trie;

#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use measure::Images;

pub use bounds::{Bounds, Pruning};
pub use entry::{Ctx, explore_crashes};
pub use on_node::{NodeCtx, explore_crashes_on_node};
pub use report::{CrashBug, Explored};
pub use state::{CrashState, ParseCrashStateError};
