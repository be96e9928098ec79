//! Datagrams that arrive once more, by faults.
//!
//! Owns the copies' way into flight. It must never know why and when a fault makes one.

use super::super::marks::Marks;
use super::super::wire::Passage;
use super::super::{Effects, Fabric, NetEvent};
use super::packets::Packet;
use crate::kernel::{Family, SimTime};

impl Fabric {
    /// Has a datagram arrive once more for each fault that replays it.
    #[cold]
    pub(super) fn launch_replays<F: Effects>(
        &mut self,
        fx: &mut F,
        passage: Passage,
        packet: &Packet,
        payload: &[u8],
    ) {
        let pair = (packet.from_node, packet.to_node);
        for at in self.wire.replays(fx, pair, passage) {
            self.launch_copy(fx, at, packet, payload, Family::Replay);
        }
    }

    /// Has a datagram arrive once more, by a fault of this family.
    #[cold]
    pub(super) fn launch_copy<F: Effects>(
        &mut self,
        fx: &mut F,
        at: SimTime,
        packet: &Packet,
        payload: &[u8],
        family: Family,
    ) {
        let copy = Packet {
            marks: Marks::of(family),
            bytes: Vec::new(),
            ..*packet
        };
        let packet = self.packets.add(copy, payload);
        fx.schedule(at, NetEvent::Datagram { packet });
    }
}
