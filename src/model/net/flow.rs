//! How the bytes of streams travel: sending, acknowledging, sending again.
//!
//! Owns the rules by which the two ends of a connection act on its pipes. A write that finds room
//! is one packet and one event. Acknowledgements cost an event only when a sender waits for one,
//! and the timer that sends again is set only when something was in fact lost: both are unseen by
//! programs, which observe the same as if every acknowledgement and timer were simulated.

use core::time::Duration;

use super::connection::{EndId, HEADER_BYTES, Owner, State};
use super::filter::{Kinds, PacketKind};
use super::flows::Parting;
use super::link_fault::Pair;
use super::marks::Marks;
use super::mutant::{self, Mutant};
use super::pipe::Segment;
use super::wire::{LOOPBACK_MTU_BYTES, Passage, Start};
use super::{Effects, Fabric, NetEvent};
use crate::kernel::{Family, Kind, SimTime};

/// What is lost is sent again this long after a round trip, at first. Linux: TCP_RTO_MIN.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// The wait doubles each time up to this. Linux: TCP_RTO_MAX.
const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
/// The largest run of segments that travels together. Linux: GSO_MAX_SIZE.
const BURST_MAX_BYTES: u64 = LOOPBACK_MTU_BYTES as u64;
/// What fits a packet on every link.
const SEGMENT_MIN_BYTES: u64 = 1_280 - HEADER_BYTES;
/// How long after the first segments of a run the rest arrives, at the least: the time of a segment
/// at 10 Gbit/s.
const SEGMENT_GAP: Duration = Duration::from_nanos(1_200);
/// How often something is sent again before the connection is given up, which makes 15 minutes.
/// Linux: net.ipv4.tcp_retries2.
const RETRIES_MAX: u32 = 15;

impl Fabric {
    /// Sends what the window allows.
    pub(super) fn transmit<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        self.send_in_turn(fx, id, false);
        self.watch_news(fx, id);
    }

    /// Sends what the window allows and the link has room for; the first packet, if it has waited
    /// for its turn, in any case.
    fn send_in_turn<F: Effects>(&mut self, fx: &mut F, id: EndId, mut has_waited: bool) {
        let mut gap = Duration::ZERO;
        loop {
            let Some(connection) = self.connections.get_mut(id.connection) else {
                return;
            };
            let pair = connection.way_of(id.side);
            let (end, pipe) = connection.sending(id.side);
            let Some((begin, mut length)) = pipe.sendable().filter(|_| pipe.pace.is_none()) else {
                return;
            };
            let ignored = end.options.nodelay || mutant::is(Mutant::NagleIgnored);
            let holds = pipe.holds_small() && !ignored;
            if length < SEGMENT_MIN_BYTES && !self.wire.has_queues() {
                // Fills no packet, and waits on no link: the link need not be asked.
                if holds {
                    return;
                }
                let segment = pipe.next_segment(begin, length);
                pipe.note_small();
                let more = pipe.is_torn();
                self.launch(fx, id, segment, Start::Behind(gap));
                if more {
                    continue;
                }
                return;
            }
            let manner = self.wire.manner(fx, pair.0, pair.1);
            let full = manner.segment_bytes();
            let rest = length % full;
            if holds {
                length -= rest;
                if length == 0 {
                    return;
                }
            }
            let limit = if manner.smooth {
                let burst = length.min(BURST_MAX_BYTES);
                let count = burst.div_ceil(full);
                if pipe.is_idle() && count > 1 && pair.0 != pair.1 {
                    // The reader may find the first of it alone.
                    let first = self.wire.parting(fx, pair, count);
                    gap = SEGMENT_GAP;
                    first * full
                } else {
                    burst
                }
            } else if mutant::is(Mutant::MssIgnored) {
                BURST_MAX_BYTES
            } else if has_waited {
                full
            } else if let Some(at) = self.wire.turn(fx, pair) {
                pipe.pace = Some(fx.schedule(at, NetEvent::Pace { sender: id }));
                return;
            } else {
                self.wire.burst(fx, pair)
            };
            let turn = if core::mem::take(&mut has_waited) {
                Start::InTurn
            } else {
                Start::Behind(gap)
            };
            let segment = pipe.next_segment(begin, limit.min(length));
            if limit >= length && rest > 0 && !holds {
                pipe.note_small();
            }
            self.launch(fx, id, segment, turn);
        }
    }

    pub(super) fn on_pace<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        connection.pipe_mut(sender.side).pace = None;
        let turn_is_left = self.send_missing(fx, sender, true);
        self.send_in_turn(fx, sender, turn_is_left);
        self.watch_news(fx, sender);
    }

    /// Puts a segment on its way.
    pub(super) fn launch<F: Effects>(
        &mut self,
        fx: &mut F,
        sender: EndId,
        mut segment: Segment,
        start: Start,
    ) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        segment.acked = connection.pipe(sender.side.other()).arrived();
        let serial = connection.pipe(sender.side).next_serial();
        let event = NetEvent::Segment { sender, serial };
        let freight = (Kinds::of_segment(segment), segment.length());
        match self.send_bytes(fx, sender, freight, start, event) {
            Passage::Arrives { marks, .. } => {
                segment.marks = marks;
                if let Some(connection) = self.connections.get_mut(sender.connection) {
                    connection.pipe_mut(sender.side).depart(segment);
                }
            }
            Passage::Lost(family) => {
                self.count_lost(sender, segment, family);
                self.lose(fx, sender, segment);
            }
            Passage::Nowhere => {}
        }
    }

    /// Counts that a segment is lost when it is sent.
    #[cold]
    fn count_lost(&mut self, sender: EndId, segment: Segment, family: Family) {
        let connection = self.connections.get(sender.connection);
        if connection.is_some_and(|entry| entry.pipe(sender.side).is_news(segment)) {
            self.count_missed(sender, family);
        } else if segment.is_probe() {
            self.count_unheard(sender, family);
        }
    }

    /// Counts that what an end sent, and would have brought the other something, is lost.
    fn count_missed(&mut self, sender: EndId, family: Family) {
        let connection = self.connections.get(sender.connection);
        let to = connection.map(|connection| connection.end(sender.side.other()).node);
        if to.is_some_and(|to| self.host(to).up) {
            self.wire.effective(family);
        }
    }

    /// Counts that word for an end of what has arrived, or the asking for it, is lost: at once if
    /// the end waits for it, and otherwise when it gives up.
    pub(super) fn count_unheard(&mut self, sender: EndId, family: Family) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let from = connection.end(sender.side.other()).node;
        let (end, pipe) = connection.sending(sender.side);
        if !pipe.has_unsent() && !end.is_writer_waiting() {
            pipe.silenced.add(Marks::of(family));
        } else if self.host(from).up {
            self.wire.effective(family);
        }
    }

    /// A segment that this end sent is lost.
    pub(super) fn lose<F: Effects>(&mut self, fx: &mut F, sender: EndId, segment: Segment) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        connection.pipe_mut(sender.side).note_lost(segment);
        self.set_retransmit(fx, sender);
    }

    /// Sees to it that the end sends again, since it hears nothing.
    pub(super) fn set_retransmit<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        self.set_retransmit_from(fx, sender, fx.now());
    }

    /// Sees to it that the end sends again, if it hears nothing from that time on.
    pub(super) fn set_retransmit_from<F: Effects>(
        &mut self,
        fx: &mut F,
        sender: EndId,
        from: SimTime,
    ) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let first = RETRANSMIT_MIN + connection.round_trip;
        let (end, pipe) = connection.sending(sender.side);
        if end.state == State::Dead || pipe.retransmit.is_some() {
            return;
        }
        let times = match pipe.patience() {
            _ if mutant::is(Mutant::RetransmissionHasNoPatience) => 0,
            times => times,
        };
        let wait = first.saturating_mul(1 << times);
        let wait = wait.min(RETRANSMIT_MAX);
        let at = from.saturating_add(wait);
        pipe.retransmit = Some(fx.schedule(at, NetEvent::Retransmit { sender }));
    }

    pub(super) fn on_retransmit<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side);
        let limit = self.burst(fx, way);
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let (end, pipe) = connection.sending(sender.side);
        let node = end.node;
        pipe.retransmit = None;
        if pipe.retries == RETRIES_MAX && !mutant::is(Mutant::RetransmissionNeverEnds) {
            fx.record(Kind::StreamTimedOut, node, sender.subject(), 0, &[]);
            self.count_silence(sender);
            self.die(fx, sender, Some(libc::ETIMEDOUT));
            return;
        }
        pipe.retries = RETRIES_MAX.min(pipe.retries + 1);
        pipe.learn(fx.now());
        if pipe.is_shut_out() {
            pipe.probes = RETRIES_MAX.min(pipe.probes + 1);
        }
        let segment = pipe.segment_again(limit);
        fx.record(
            Kind::StreamRetransmitted,
            node,
            sender.subject(),
            segment.length(),
            &[],
        );
        if !mutant::is(Mutant::RetransmissionLost) {
            self.launch(fx, sender, segment, Start::AT_ONCE);
        }
        self.transmit(fx, sender);
    }

    /// Bytes that an end sends again at once.
    pub(super) fn burst<F: Effects>(&mut self, fx: &mut F, (from, to): Pair) -> u64 {
        let manner = self.wire.manner(fx, from, to);
        if manner.smooth {
            BURST_MAX_BYTES
        } else {
            manner.segment_bytes()
        }
    }

    pub(super) fn on_segment<F: Effects>(&mut self, fx: &mut F, sender: EndId, serial: u32) {
        let receiver = sender.other();
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let (from, to) = (
            connection.end(sender.side).node,
            connection.end(receiver.side).node,
        );
        let pipe = connection.pipe_mut(sender.side);
        let segment = pipe.arrive(serial);
        if self.wire.blocks(from, to) {
            if pipe.would_deliver(segment) {
                self.count_missed(sender, Family::Partition);
            } else if segment.is_probe() {
                self.count_unheard(sender, Family::Partition);
            }
            self.lose(fx, sender, segment);
            return;
        }
        if !self.host(to).up {
            self.lose(fx, sender, segment);
            return;
        }
        match self.state_of(receiver) {
            State::Void | State::Asking | State::Dead => {
                // The reset may be lost; then the sender asks again.
                self.set_retransmit(fx, sender);
                self.send_reset(fx, receiver);
                return;
            }
            // Whoever sends bytes has got the answer.
            State::Answering => self.enqueue(fx, receiver),
            State::Open => {}
        }
        self.take_segment(fx, sender, segment);
    }

    /// An open end receives a segment.
    fn take_segment<F: Effects>(&mut self, fx: &mut F, sender: EndId, segment: Segment) {
        let receiver = sender.other();
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        if connection.end(receiver.side).owner == Owner::Nobody && segment.length() > 0 {
            // Nobody will ever read it.
            self.set_retransmit(fx, sender);
            self.abort(fx, receiver);
            return;
        }
        let released = connection.pipe_mut(receiver.side).hear(segment.acked);
        let connection = if self.wire.troubles().is_empty() {
            connection
        } else {
            self.corrupt_segment(fx, sender, segment);
            let connection = self.connections.get_mut(sender.connection);
            connection.expect("to flip its bits ends no connection")
        };
        let Some(delivery) = connection.pipe_mut(sender.side).deliver(segment) else {
            // What is before it was lost, or comes later.
            self.set_retransmit(fx, sender);
            self.report_gap(fx, sender, segment);
            self.count_seen(sender, segment.marks);
            if released {
                self.transmit(fx, receiver);
            }
            return;
        };
        let end = connection.end_mut(receiver.side);
        end.heard_at = fx.now();
        if delivery.bytes > 0 {
            fx.record(
                Kind::StreamDelivered,
                end.node,
                sender.subject(),
                delivery.bytes,
                &[],
            );
        }
        if delivery.fin {
            fx.record(Kind::StreamFinished, end.node, sender.subject(), 0, &[]);
        }
        if delivery.bytes > 0 || delivery.fin {
            end.wake_reader(fx);
            self.count_seen(sender, segment.marks);
        }
        self.acknowledge(fx, sender);
        if delivery.fin {
            self.end_if_finished(fx, receiver);
            self.end_if_finished(fx, sender);
        }
        if segment.has_fin() {
            self.await_end(fx, sender);
        }
        if released {
            self.transmit(fx, receiver);
        }
    }

    /// The other end tells `sender` what has arrived and how much more it takes.
    pub(super) fn acknowledge<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side.other());
        let (end, pipe) = connection.sending(sender.side);
        if end.state == State::Dead {
            return;
        }
        let waits = pipe.has_unsent() || end.is_writer_waiting();
        if let Some(stop) = self.wire.troubles().stop(way) {
            self.wire.count_kept(stop);
            pipe.tell_later(Marks::of(stop.family()));
            if pipe.is_unacknowledged() || waits {
                self.set_retransmit(fx, sender);
            }
            return;
        }
        let label = || connection.label(sender.side.other(), Kinds::of(PacketKind::Ack), 0);
        let passage = self.wire.send(fx, way, label, Start::AT_ONCE);
        let pipe = connection.pipe_mut(sender.side);
        match passage {
            Passage::Arrives { at, marks } => {
                let more = pipe.tell(at, marks);
                // A wider window says nothing of what is still missing.
                if more || !pipe.has_gap() {
                    pipe.retries = 0;
                    if pipe.retransmit.is_some() {
                        self.restart_retransmit(fx, sender, at);
                    }
                }
            }
            Passage::Lost(family) => {
                pipe.tell_in_vain();
                if pipe.is_unacknowledged() {
                    self.set_retransmit(fx, sender);
                }
                self.count_unheard(sender, family);
            }
            Passage::Nowhere => {}
        }
        if waits {
            self.watch_news(fx, sender);
        }
    }

    /// Has a sender that waits told when the next acknowledgement is there.
    pub(super) fn watch_news<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side);
        let (end, pipe) = connection.sending(sender.side);
        let waits = pipe.has_unsent() || end.is_writer_waiting();
        if !waits || end.state == State::Dead || pipe.news_event.is_some() {
            return;
        }
        match pipe.next_news() {
            Some(at) => {
                let event = NetEvent::Acknowledgement { sender };
                pipe.news_event = Some(fx.schedule(at.max(fx.now()), event));
            }
            None if mutant::is(Mutant::ProbeNotSent) => {}
            // A closed window is asked about until the answer arrives.
            None if pipe.news_lost => self.set_retransmit(fx, sender),
            // It always is; that changes something only where an answer may not arrive.
            None if pipe.is_shut_out() && self.wire.may_be_silent(fx, way) => {
                self.set_retransmit(fx, sender);
            }
            None => {}
        }
    }

    pub(super) fn on_acknowledgement<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let from = connection.end(sender.side.other()).node;
        let (end, pipe) = connection.sending(sender.side);
        pipe.news_event = None;
        let waits = pipe.has_unsent() || end.is_writer_waiting();
        let mut unheard = false;
        if self.wire.blocks(from, end.node) {
            pipe.learn_nothing(fx.now());
            unheard = pipe.is_unacknowledged();
            if waits {
                self.wire.effective(Family::Partition);
            } else {
                pipe.silenced.add(Marks::of(Family::Partition));
            }
        } else {
            let marks = pipe.learn(fx.now());
            if waits {
                self.wire.count_marks(marks);
            }
        }
        if pipe.is_roomy() {
            end.wake_writer(fx);
        }
        if let Some(at) = pipe.next_news().filter(|_| self.wire.troubles().are_cuts()) {
            let event = NetEvent::Acknowledgement { sender };
            pipe.news_event = Some(fx.schedule(at, event));
        }
        if unheard {
            self.set_retransmit(fx, sender);
        }
        self.transmit(fx, sender);
    }

    /// Links were cut or held: acknowledgements on them, which have no events of their own, get
    /// them, so that they are lost if the link is still cut when they arrive, or wait; and senders
    /// before a closed window ask from now on. Walks all connections once, however many links it
    /// were.
    pub(super) fn judge_acknowledgements_at_arrival<F: Effects>(&mut self, fx: &mut F) {
        for sender in self.ends() {
            self.judge_at_arrival(fx, sender);
            self.watch_news(fx, sender);
        }
    }

    fn judge_at_arrival<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let way = connection.way_of(sender.side.other());
        let (end, pipe) = connection.sending(sender.side);
        let stop = self.wire.troubles().stop(way);
        if end.state == State::Dead || stop.is_none() && !self.wire.troubles().is_cut(way) {
            return;
        }
        pipe.learn(fx.now());
        let Some(at) = pipe.next_news() else {
            return;
        };
        if let Some(stop) = stop {
            for _ in 0..pipe.words() {
                self.wire.count_kept(stop);
            }
            pipe.tell_later(Marks::of(stop.family()));
            if let Some(key) = pipe.news_event.take() {
                fx.cancel(key);
            }
            self.set_retransmit(fx, sender);
        } else if pipe.news_event.is_none() {
            pipe.news_event = Some(fx.schedule(at, NetEvent::Acknowledgement { sender }));
        }
    }

    /// Links let go the word of what arrived: what is true now stands for all of it.
    pub(super) fn acknowledge_what_was_kept<F: Effects>(&mut self, fx: &mut F, links: &[Pair]) {
        for sender in self.ends() {
            let Some(connection) = self.connections.get_mut(sender.connection) else {
                continue;
            };
            let way = connection.way_of(sender.side.other());
            let kept = !connection.pipe(sender.side).kept_by.is_empty();
            if kept && links.binary_search(&way).is_ok() {
                self.acknowledge(fx, sender);
            }
        }
    }

    /// An end that no program holds is gone when both directions have ended.
    pub(super) fn end_if_finished<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get(id.connection) else {
            return;
        };
        let end = connection.end(id.side);
        let finished = [id.side, id.side.other()]
            .iter()
            .all(|side| connection.pipe(*side).is_finished());
        if finished && end.owner == Owner::Nobody && end.state == State::Open {
            self.end_orphan(fx, id);
        }
    }

    /// An end that no program holds is gone; its addresses rest if it closed first.
    pub(super) fn end_orphan<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get(id.connection) else {
            return;
        };
        let end = connection.end(id.side);
        let (node, local, peer) = (end.node, end.local, end.peer);
        if end.closed_first {
            let flows = &mut self.host_mut(node).flows;
            flows.part(fx.now(), local, peer, Parting::TimeWait);
        }
        self.die(fx, id, None);
    }

    pub(super) fn state_of(&self, id: EndId) -> State {
        let connection = self.connections.get(id.connection);
        connection.map_or(State::Dead, |connection| connection.end(id.side).state)
    }
}
