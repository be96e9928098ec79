//! Datagrams in flight and in queues, in slots that are used again.
//!
//! Owns their bytes. It must never know why one is sent, or who receives it.

use std::net::SocketAddr;

use super::super::SocketId;
use super::super::link_fault::Pair;
use super::super::marks::Marks;
use crate::kernel::{Family, NodeId};

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
    pub(super) bytes: Vec<u8>,
    pub(super) marks: Marks,
    /// Bits are flipped, decided by this number.
    pub(super) flip: Option<u64>,
}

impl Packet {
    /// What happened to it that a program sees which gets so many of its bytes, and did not before.
    pub(super) fn take_seen(&mut self, length: usize) -> Marks {
        let corrupt = Marks::of(Family::Corrupt);
        let mut seen = core::mem::take(&mut self.marks);
        let first = self.first_flipped();
        if seen.contains(Family::Corrupt) && first.is_none_or(|bit| bit / 8 >= length as u64) {
            seen.remove(corrupt);
            self.marks = corrupt;
        }
        seen
    }

    /// The first of its bits that are flipped; none in an empty one.
    fn first_flipped(&self) -> Option<u64> {
        self.flip?.checked_rem(self.bits())
    }

    const fn bits(&self) -> u64 {
        self.bytes.len() as u64 * 8
    }
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
        let packet = &self.slots[slot as usize];
        let (Some(how), Some(first)) = (packet.flip, packet.first_flipped()) else {
            return;
        };
        self.flip(slot, first);
        // Every other time a second bit, in another byte.
        let bits = self.slots[slot as usize].bits();
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

    /// Something happened to a packet that shows if somebody receives it.
    pub(in crate::model::net) fn mark(&mut self, slot: u32, marks: Marks) {
        self.slots[slot as usize].marks.add(marks);
    }

    /// What a packet carries.
    pub(in crate::model::net) fn bytes(&self, slot: u32) -> &[u8] {
        &self.slots[slot as usize].bytes
    }

    /// One of them.
    pub(super) fn get(&self, slot: u32) -> &Packet {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Packet {
        &mut self.slots[slot as usize]
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
