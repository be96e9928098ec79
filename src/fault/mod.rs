//! Fault plans: what goes wrong in a run, when, where and for how long, as data.
//!
//! Floor 2. A [`FaultPlan`] can be written by hand, read from a file, drawn from a seed by a
//! [`Nemesis`], printed, edited, saved and cut down. It must never know a future or a simulation:
//! the executor lets its faults happen.
//!
//! ```
//! use std::time::Duration;
//! use stormglass::fault::{FaultKind, FaultPlan, Target};
//!
//! let mut plan = FaultPlan::new();
//! let cut = plan.add(Duration::from_secs(2), FaultKind::Cut, Target::isolate("db-1"));
//! cut.duration = Some(Duration::from_secs(3));
//! plan.add(Duration::from_secs(4), FaultKind::Crash, Target::node("db-2"));
//! plan.heal = Some(Duration::from_secs(10));
//! assert!(plan.validate().is_ok());
//!
//! let text = serde_json::to_string(&plan).unwrap();
//! assert_eq!(serde_json::from_str::<FaultPlan>(&text).unwrap(), plan);
//! ```
#![deny(clippy::float_arithmetic)]

mod attack;
mod budget;
mod decisions;
mod draws;
mod kind;
mod nemesis;
mod plan;
#[cfg(feature = "proptest")]
pub mod strategy;
mod target;

pub use attack::Attack;
pub use budget::{Group, Quorum, Suffices};
pub use decisions::Decisions;
pub use kind::{Aim, FaultKind, LinkChange, NamesChange};
pub use nemesis::Nemesis;
pub use plan::{FaultId, FaultPlan, PlanError, PlannedFault};
pub(crate) use target::Host;
pub use target::Target;

pub use crate::model::Shift;
pub use crate::model::net::{PacketFilter, PacketKind};
