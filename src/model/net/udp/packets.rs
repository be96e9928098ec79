//! Datagrams in flight and in queues, in slots that are used again.
//!
//! Owns their bytes. It must never know why one is sent, or who receives it.

use std::net::SocketAddr;

use super::super::SocketId;
use super::super::trouble::Pair;
use super::super::wire::Marks;
use crate::kernel::NodeId;

/// Datagrams in flight and in queues. A slot keeps its buffer when it is free.
#[derive(Debug, Default)]
pub(in crate::model::net) struct Packets {
    slots: Vec<Packet>,
    free: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Packet {
    pub(super) sender: SocketId,
    pub(super) from_node: NodeId,
    pub(super) from: SocketAddr,
    pub(super) to_node: NodeId,
    pub(super) to: SocketAddr,
    /// The boot of the receiving host for which it was sent.
    pub(super) boot: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) marks: Marks,
}

impl Packets {
    /// Takes a slot for a packet, which gets the slot's empty buffer and the payload.
    pub(super) fn add(&mut self, mut packet: Packet, payload: &[u8]) -> u32 {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            packet.bytes = core::mem::take(&mut place.bytes);
            packet.bytes.extend_from_slice(payload);
            *place = packet;
            return slot;
        }
        let slot = u32::try_from(self.slots.len()).expect("memory ends before 2^32 datagrams");
        packet.bytes.extend_from_slice(payload);
        self.slots.push(packet);
        slot
    }

    /// Flips bits of a packet if it is marked so.
    pub(super) fn corrupt(&mut self, slot: u32) {
        let packet = &mut self.slots[slot as usize];
        if packet.bytes.is_empty() {
            packet.marks.corrupt = None;
        }
        let Some(how) = packet.marks.corrupt else {
            return;
        };
        let bits = packet.bytes.len() as u64 * 8;
        let first = how % bits;
        self.flip(slot, first);
        // Every other time a second bit, in another byte.
        if how >> 32 & 1 == 1 && first + 9 < bits {
            self.flip(slot, first + 9);
        }
    }

    fn flip(&mut self, slot: u32, bit: u64) {
        let place = usize::try_from(bit / 8).expect("it is within the packet");
        self.slots[slot as usize].bytes[place] ^= 1 << (bit % 8);
    }

    /// The nodes from and to which a packet goes.
    pub(in crate::model::net) fn way(&self, slot: u32) -> Pair {
        let packet = &self.slots[slot as usize];
        (packet.from_node, packet.to_node)
    }

    /// What a packet carries.
    pub(in crate::model::net) fn bytes(&self, slot: u32) -> &[u8] {
        &self.slots[slot as usize].bytes
    }

    /// One of them.
    pub(super) fn get(&self, slot: u32) -> &Packet {
        &self.slots[slot as usize]
    }

    /// Slots in use, and slots made.
    #[cfg(test)]
    pub(in crate::model::net) fn counts(&self) -> (usize, usize) {
        (self.slots.len() - self.free.len(), self.slots.len())
    }

    /// Frees a slot.
    pub(in crate::model::net) fn release(&mut self, slot: u32) {
        let bytes = &mut self.slots[slot as usize].bytes;
        bytes.clear();
        if bytes.capacity() > KEPT_BUFFER_MAX_BYTES {
            *bytes = Vec::new();
        }
        self.free.push(slot);
    }
}

/// Buffers up to this size are kept for later datagrams; four of them to a page of memory, and
/// more than an Ethernet frame carries.
const KEPT_BUFFER_MAX_BYTES: usize = 2_048;
