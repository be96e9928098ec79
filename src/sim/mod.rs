//! What a test holds: the simulation, its nodes, its network, its outcome.
//!
//! Floor 5. It joins the executor and the models, and contains no model and no choice but those
//! that a test asks for.

mod builder;
mod clock;
mod config;
mod group;
mod handle;
mod local;
mod network;
mod node;
mod outcome;

pub use builder::Builder;
pub use clock::{Clock, Shift};
pub use config::Config;
pub use group::{Group, GroupBuilder};
pub use handle::Sim;
pub use local::NodeLocal;
pub use network::{Network, PartitionGuard};
pub use node::{Node, NodeBuilder, NodeContext, ProgramResult};
pub use outcome::Outcome;

pub use crate::model::process::State;
