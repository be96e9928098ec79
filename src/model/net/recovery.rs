//! How a stream recovers from loss without waiting for the retransmission timer.
//!
//! Owns what happens when a segment arrives behind a gap: its receiver says so at once, and the
//! sender sends again what is missing before it, at once if enough has arrived behind the gap, and
//! else a quarter of a round trip later. What is lost at the end of all that was sent, or lost
//! again, waits for the timer.
//!
//! Source: RFC 6675 and RFC 8985, as Linux has them on by default.

use super::connection::{EndId, State};
use super::filter::{Kinds, PacketKind};
use super::mutant::{self, Mutant};
use super::pipe::Segment;
use super::wire::{Passage, Start};
use super::{Effects, Fabric, NetEvent};
use crate::kernel::{Family, Kind, SimTime};

/// So many packets behind a gap mean that it was not just overtaken. RFC 5681: three.
const DUPLICATES: u32 = 3;

impl Fabric {
    /// The receiver of a segment that arrived behind a gap says so to its sender.
    pub(super) fn report_gap<F: Effects>(&mut self, fx: &mut F, sender: EndId, arrived: Segment) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side.other());
        let label = connection.label(sender.side.other(), Kinds::of(PacketKind::Ack), 0);
        let patience = connection.round_trip / 4;
        let (end, pipe) = connection.sending(sender.side);
        let kept = self.wire.troubles().stop(way).is_some();
        if end.state != State::Open || kept || mutant::is(Mutant::GapNotReported) {
            return;
        }
        let passage = self.wire.send(fx, way, || label, Start::AT_ONCE);
        let Passage::Arrives { at, .. } = passage else {
            return;
        };
        let Some(packets) = pipe.report_gap(arrived) else {
            return;
        };
        let at = pipe.last_news().map_or(at, |last| at.max(last));
        let event = NetEvent::Recover { sender };
        if packets >= DUPLICATES {
            if packets == DUPLICATES
                && let Some(key) = pipe.recover.take()
            {
                fx.cancel(key);
            }
            pipe.recover.get_or_insert_with(|| fx.schedule(at, event));
        } else {
            let at = at.saturating_add(patience);
            pipe.recover.get_or_insert_with(|| fx.schedule(at, event));
        }
    }

    /// A sender has heard what is missing, and sends it again.
    pub(super) fn on_recover<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side);
        connection.pipe_mut(sender.side).recover = None;
        if self.wire.blocks(way.1, way.0) {
            self.wire.effective(Family::Partition);
            return;
        }
        self.send_missing(fx, sender, false);
        self.restart_retransmit(fx, sender, fx.now());
    }

    /// Sends again what is known to be missing, as the link has room for it: the first packet, if
    /// the sender has waited for its turn, in any case. Says whether it has, and had no use for it.
    pub(super) fn send_missing<F: Effects>(
        &mut self,
        fx: &mut F,
        sender: EndId,
        mut has_waited: bool,
    ) -> bool {
        loop {
            let Some(connection) = self.connections.get_mut(sender.connection) else {
                return has_waited;
            };
            let way = connection.way_of(sender.side);
            let (end, pipe) = connection.sending(sender.side);
            if pipe.pace.is_some() || !pipe.misses_something() {
                return has_waited;
            }
            let start = if core::mem::take(&mut has_waited) {
                Start::InTurn
            } else if let Some(at) = self.wire.turn_of_stream(fx, way) {
                pipe.pace = Some(fx.schedule(at, NetEvent::Pace { sender }));
                return false;
            } else {
                Start::AT_ONCE
            };
            let node = end.node;
            let limit = self.burst(fx, way);
            let Some(connection) = self.connections.get_mut(sender.connection) else {
                return false;
            };
            let missing = connection.pipe_mut(sender.side).next_missing(limit);
            let segment = missing.expect("something is missing");
            let length = segment.length();
            fx.record(
                Kind::StreamRetransmitted,
                node,
                sender.subject(),
                length,
                &[],
            );
            self.launch(fx, sender, segment, start);
        }
    }

    /// If something is still missing, there is a full wait before the timer sends it again, from
    /// when the sender heard something.
    pub(super) fn restart_retransmit<F: Effects>(
        &mut self,
        fx: &mut F,
        sender: EndId,
        heard_at: SimTime,
    ) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let pipe = connection.pipe_mut(sender.side);
        if let Some(key) = pipe.retransmit.take() {
            fx.cancel(key);
        }
        if pipe.has_gap() {
            self.set_retransmit_from(fx, sender, heard_at);
        }
    }
}
