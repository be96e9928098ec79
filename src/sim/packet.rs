//! A packet that a link keeps, as a test sees it.

use super::Node;
use super::owner::Owner;
use crate::kernel::SimTime;
use crate::model::net::{InFlight, PacketKind};

/// A packet that a clogged or held link keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    number: u64,
    /// Who sent it.
    pub from: Node,
    /// To whom it goes.
    pub to: Node,
    /// What it is.
    pub kind: PacketKind,
    /// The bytes that it carries; of a stream only those that have not been read by another way.
    pub payload: Vec<u8>,
    /// Virtual time at which it came to the obstacle.
    pub since: SimTime,
}

impl Packet {
    pub(super) fn new(owner: Owner, packet: InFlight) -> Self {
        Self {
            number: packet.number,
            from: Node::new(owner, packet.from),
            to: Node::new(owner, packet.to),
            kind: packet.what,
            payload: packet.payload,
            since: packet.since,
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}
