//! What many runs of one test tell: where two of them part, how little of one is enough to fail,
//! and which losses of power a program does not survive.
//!
//! Floor 7. It takes traces as data, also from files that another process wrote, and crash states
//! as disks; the simulations that it needs are run for it by lower floors.

mod crashes;
mod ddmin;
mod diverge;
mod fingerprint;
mod scenario;
mod shrink;

pub use crate::model::disk::Profile;
#[doc(hidden)]
pub use crashes::Images;
pub use crashes::{
    Bounds, CrashBug, CrashState, Ctx, Explored, NodeCtx, ParseCrashStateError, Pruning,
    explore_crashes, explore_crashes_on_node,
};
pub use diverge::{Difference, Divergence, first_difference};
pub use fingerprint::Fingerprint;
pub use scenario::{Label, Scenario, Size};
pub use shrink::{Effort, End, Progress, Shrunk, Stage, Verdict, shrink};
