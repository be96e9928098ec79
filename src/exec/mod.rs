//! The seeded executor: one world, its events, its tasks, and who runs next.
//!
//! Floor 3. Everything that can happen is one [`Event`] in one queue; between two events the
//! tasks that became ready run, node by node, in an order that only choice points decide. The
//! thread-local [`context`] is how the handles of the floor above reach the world.
//!
//! It must never know what a program under test is for, nor how a test is written.
#![deny(clippy::float_arithmetic)]

mod clock;
pub(crate) mod context;
mod disk;
mod driver;
mod event;
mod failure;
mod foreign;
mod hooks;
mod invariant;
mod lifecycle;
mod log;
mod node;
mod overlay;
mod panics;
mod points;
mod policy;
mod progress;
mod property;
mod ready;
mod select;
mod storm;
mod strike;
mod task;
mod wait;
mod world;

pub(crate) use context::{Context, into_trace};
pub(crate) use driver::Limits;
pub(crate) use event::Event;
pub(crate) use failure::is_telling;
pub use failure::{Failed, Failure, Leak, Moment, WaitingTask};
pub use invariant::Every;
pub(crate) use lifecycle::end_self;
pub(crate) use log::Capture;
pub(crate) use node::Program;
pub use panics::OnPanic;
pub(crate) use panics::expecting_panics;
pub(crate) use panics::install_hook as install_panic_hook;
pub use policy::Policy;
pub(crate) use progress::Progress;
pub use property::{Claim, Properties, PropertyCount, PropertySite};
pub use select::select_start;
pub(crate) use task::spawn_on;
pub use task::{AbortHandle, JoinError, JoinHandle};
pub(crate) use world::{Base, Settings, World};
