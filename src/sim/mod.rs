//! What a test holds: the simulation, its nodes, its network, its outcome.
//!
//! Floor 5. It joins the executor and the models, and contains no model and no choice but those
//! that a test asks for.

mod builder;
mod claims;
mod clock;
mod config;
mod disk;
mod fault;
mod group;
mod handle;
mod links;
mod local;
mod names;
mod network;
mod node;
mod outcome;
mod owner;
mod packet;
mod recorded;
mod storm;

pub use builder::Builder;
pub use clock::Clock;
pub use config::Config;
pub use disk::{Disk, DiskFault, DiskFaultGuard, DiskImage};
pub use fault::{Fault, FaultGuard};
pub use group::{Group, GroupBuilder};
pub use handle::Sim;
pub use links::Links;
pub use local::NodeLocal;
pub use names::{Names, NamesGuard};
pub use network::Network;
pub use node::{Node, NodeBuilder, NodeContext, ProgramResult};
pub use outcome::Outcome;
pub use packet::Packet;
pub(crate) use recorded::{acknowledge, record};
pub use storm::Storm;

pub use crate::exec::Every;
pub use crate::model::Shift;
pub use crate::model::net::{PacketFilter, PacketKind};
pub use crate::model::process::State;
