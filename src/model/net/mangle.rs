//! What faults do to the bytes of streams, and to the calls that move them.
//!
//! Owns the flipping of bits that no checksum notices, and calls that move less than they could. It
//! must never know how bytes travel.

use super::connection::EndId;
use super::link_fault::{LinkFault, Pair};
use super::pipe::Segment;
use super::wire::Wire;
use super::{Effects, Fabric};
use crate::kernel::{Family, Kind};

/// A call that moves bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Write,
    Read,
}

impl Wire {
    /// How many of that many bytes a call on a stream moves that travels on this link.
    #[inline]
    pub(super) fn shortened<F: Effects>(
        &mut self,
        fx: &mut F,
        call: Call,
        link: Pair,
        length: usize,
    ) -> usize {
        if self.troubles().is_empty() || length < 2 {
            return length;
        }
        self.shorten(fx, call, link, length)
    }

    #[cold]
    fn shorten<F: Effects>(&mut self, fx: &mut F, call: Call, link: Pair, length: usize) -> usize {
        let (family, of): (_, fn(&LinkFault) -> _) = match call {
            Call::Write => (Family::StreamShortWrite, |fault| match fault {
                LinkFault::ShortWrite(chance) => Some(*chance),
                _ => None,
            }),
            Call::Read => (Family::StreamShortRead, |fault| match fault {
                LinkFault::ShortRead(chance) => Some(*chance),
                _ => None,
            }),
        };
        let Some(how) = self.strike(fx, link, family, of) else {
            return length;
        };
        self.effective(family);
        let less = length as u64 - 1;
        usize::try_from(1 + how % less).expect("it is less than the length")
    }
}

impl Fabric {
    /// Bits of a segment that arrives are flipped, if a fault of its link does so.
    #[cold]
    pub(super) fn corrupt_segment<F: Effects>(
        &mut self,
        fx: &mut F,
        sender: EndId,
        segment: Segment,
    ) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let link = connection.way_of(sender.side);
        let pipe = connection.pipe_mut(sender.side);
        let Some((begin, end)) = pipe.first_new(segment) else {
            return;
        };
        let of = |fault: &LinkFault| match fault {
            LinkFault::CorruptStream(chance) => Some(*chance),
            _ => None,
        };
        let Some(how) = self.wire.strike(fx, link, Family::StreamCorrupt, of) else {
            return;
        };
        let bits = (end - begin) * 8;
        let first = how % bits;
        pipe.flip(begin * 8 + first);
        // Every other time a second bit, in another byte, as in datagrams.
        if how >> 32 & 1 == 1 && first + 9 < bits {
            pipe.flip(begin * 8 + first + 9);
        }
        let place = begin + first / 8;
        pipe.corrupt.push(place);
        fx.record(Kind::StreamCorrupted, link.1, sender.subject(), place, &[]);
    }

    /// Bytes were read: those with flipped bits among them matter.
    #[cold]
    pub(super) fn count_corrupt(&mut self, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        for _ in 0..connection.pipe_mut(sender.side).take_corrupt_read() {
            self.wire.effective(Family::StreamCorrupt);
        }
    }
}
