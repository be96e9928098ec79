//! How the bytes of streams travel: sending, acknowledging, sending again.
//!
//! Owns the rules by which the two ends of a connection act on its pipes. A write that finds room
//! is one packet and one event. Acknowledgements cost an event only when a sender waits for one,
//! and the timer that sends again is set only when something was in fact lost: both are unseen by
//! programs, which observe the same as if every acknowledgement and timer were simulated.

use core::time::Duration;

use super::connection::{EndId, Owner, Side, State};
use super::flows::Parting;
use super::link::Passage;
use super::pipe::Segment;
use super::{Effects, Fabric, NetEvent};
use crate::kernel::{Family, Kind};

/// What is lost is sent again this long after a round trip, at first. Linux: TCP_RTO_MIN.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// The wait doubles each time up to this. Linux: TCP_RTO_MAX.
const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
/// How often something is sent again before the connection is given up, which makes 15 minutes.
/// Linux: net.ipv4.tcp_retries2.
const RETRIES_MAX: u32 = 15;

impl Fabric {
    /// Sends what the window allows.
    pub(super) fn transmit<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let pipe = connection.pipe_mut(id.side);
        if let Some(segment) = pipe.next_segment() {
            let unsent = pipe.has_unsent();
            self.launch(fx, id, segment);
            if !unsent {
                return;
            }
        }
        self.watch_news(fx, id);
    }

    fn launch<F: Effects>(&mut self, fx: &mut F, sender: EndId, segment: Segment) {
        match self.send_packet(fx, sender, NetEvent::Segment { sender }) {
            Passage::Arrives(_) => {
                if let Some(connection) = self.connections.get_mut(sender.connection) {
                    connection.pipe_mut(sender.side).depart(segment);
                }
            }
            Passage::Lost(family) => {
                self.wire.effective(family);
                self.lose(fx, sender);
            }
            Passage::Nowhere => {}
        }
    }

    /// Something that this end sent is lost.
    fn lose<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        connection.pipe_mut(sender.side).stalled = true;
        self.set_retransmit(fx, sender);
    }

    /// Sees to it that the end sends again, since it hears nothing.
    fn set_retransmit<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let first = RETRANSMIT_MIN + connection.round_trip;
        let (end, pipe) = connection.sending(sender.side);
        if end.state == State::Dead || pipe.retransmit.is_some() {
            return;
        }
        let wait = first.saturating_mul(1 << pipe.retries).min(RETRANSMIT_MAX);
        let at = fx.now().saturating_add(wait);
        pipe.retransmit = Some(fx.schedule(at, NetEvent::Retransmit { sender }));
    }

    pub(super) fn on_retransmit<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let (end, pipe) = connection.sending(sender.side);
        let node = end.node;
        pipe.retransmit = None;
        if pipe.retries == RETRIES_MAX {
            fx.record(Kind::StreamTimedOut, node, sender.subject(), 0, &[]);
            self.die(fx, sender, Some(libc::ETIMEDOUT));
            return;
        }
        pipe.retries += 1;
        pipe.stalled = false;
        pipe.learn(fx.now());
        let segment = pipe.segment_again();
        fx.record(
            Kind::StreamRetransmitted,
            node,
            sender.subject(),
            segment.length(),
            &[],
        );
        self.launch(fx, sender, segment);
    }

    pub(super) fn on_segment<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let receiver = sender.other();
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let (from, to) = (
            connection.end(sender.side).node,
            connection.end(receiver.side).node,
        );
        let pipe = connection.pipe_mut(sender.side);
        let segment = pipe.arrive();
        let brings = pipe.would_deliver(segment);
        if self.wire.blocks(from, to) {
            if brings {
                self.wire.effective(Family::Partition);
            }
            self.lose(fx, sender);
            return;
        }
        if !self.host(to).up {
            self.lose(fx, sender);
            return;
        }
        match self.state_of(receiver) {
            State::Void | State::Asking | State::Dead => {
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
            self.abort(fx, receiver);
            return;
        }
        let Some(delivery) = connection.pipe_mut(sender.side).deliver(segment) else {
            return;
        };
        let end = connection.end_mut(receiver.side);
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
        }
        self.acknowledge(fx, sender);
        if delivery.fin {
            self.end_if_finished(fx, receiver);
            self.end_if_finished(fx, sender);
        }
    }

    /// The other end tells `sender` what has arrived and how much more it takes.
    pub(super) fn acknowledge<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let Some(connection) = self.connections.get_mut(sender.connection) else {
            return;
        };
        let from = connection.end(sender.side.other()).node;
        let (end, pipe) = connection.sending(sender.side);
        if end.state == State::Dead {
            return;
        }
        let waits = pipe.has_unsent() || end.is_writer_waiting();
        match self.wire.send(fx, from, end.node) {
            Passage::Arrives(at) => {
                pipe.tell(at);
                pipe.retries = 0;
                if !pipe.stalled
                    && let Some(key) = pipe.retransmit.take()
                {
                    fx.cancel(key);
                }
            }
            Passage::Lost(family) => {
                if waits {
                    self.wire.effective(family);
                }
                pipe.tell_in_vain();
                if pipe.is_unacknowledged() {
                    self.set_retransmit(fx, sender);
                }
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
            // A closed window is asked about until the answer arrives.
            None if pipe.news_lost => self.set_retransmit(fx, sender),
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
        let mut unheard = false;
        if self.wire.blocks(from, end.node) {
            pipe.learn_nothing(fx.now());
            unheard = pipe.is_unacknowledged();
            if pipe.has_unsent() || end.is_writer_waiting() {
                self.wire.effective(Family::Partition);
            }
        } else {
            pipe.learn(fx.now());
        }
        if pipe.is_roomy() {
            end.wake_writer(fx);
        }
        if let Some(at) = pipe.next_news().filter(|_| !self.wire.cuts().is_empty()) {
            let event = NetEvent::Acknowledgement { sender };
            pipe.news_event = Some(fx.schedule(at, event));
        }
        if unheard {
            self.set_retransmit(fx, sender);
        }
        self.transmit(fx, sender);
    }

    /// Links were cut: acknowledgements on them, which have no events of their own, get them, so
    /// that they are lost if the link is still cut when they arrive. Walks all connections once,
    /// however many links were cut.
    pub(super) fn judge_acknowledgements_at_arrival<F: Effects>(&mut self, fx: &mut F) {
        for id in self.connections.ids_where(|_| true) {
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            for side in Side::BOTH {
                let from = connection.end(side.other()).node;
                let (end, pipe) = connection.sending(side);
                if end.state == State::Dead || !self.wire.cuts().contains(from, end.node) {
                    continue;
                }
                pipe.learn(fx.now());
                if pipe.news_event.is_none()
                    && let Some(at) = pipe.next_news()
                {
                    let sender = EndId {
                        connection: id,
                        side,
                    };
                    pipe.news_event = Some(fx.schedule(at, NetEvent::Acknowledgement { sender }));
                }
            }
        }
    }

    /// An end that no program holds is gone when both directions have ended.
    pub(super) fn end_if_finished<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get(id.connection) else {
            return;
        };
        let end = connection.end(id.side);
        let finished = Side::BOTH
            .iter()
            .all(|side| connection.pipe(*side).is_finished());
        if finished && end.owner == Owner::Nobody && end.state == State::Open {
            let (node, local, peer) = (end.node, end.local, end.peer);
            if end.closed_first {
                let flows = &mut self.host_mut(node).flows;
                flows.part(fx.now(), local, peer, Parting::TimeWait);
            }
            self.die(fx, id, None);
        }
    }

    fn state_of(&self, id: EndId) -> State {
        let connection = self.connections.get(id.connection);
        connection.map_or(State::Dead, |connection| connection.end(id.side).state)
    }
}
