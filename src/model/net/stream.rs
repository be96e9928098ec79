//! How streams flow: writing, sending, acknowledging, sending again, ending.
//!
//! Owns the rules by which the two ends of a connection act on its pipes. A write that finds room
//! is one packet and one event. Acknowledgements cost an event only when a sender waits for one,
//! and the timer that sends again is set only when something was in fact lost: both are unseen by
//! programs, which observe the same as if every acknowledgement and timer were simulated.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use super::connection::{Connection, End, EndId, Owner, Side, State};
use super::link::Passage;
use super::pipe::Segment;
use super::{Answer, Death, Effects, Fabric, NetEvent, os_error};
use crate::kernel::{Family, Kind, NodeId};

/// What is lost is sent again this long after a round trip, at first. Linux: TCP_RTO_MIN.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// The wait doubles each time up to this. Linux: TCP_RTO_MAX.
const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
/// How often something is sent again before the connection is given up, which makes 15 minutes.
/// Linux: net.ipv4.tcp_retries2.
const RETRIES_MAX: u32 = 15;

impl Fabric {
    /// Writes to a stream: how many bytes were accepted, at least one if there are any. Waits for
    /// room.
    ///
    /// # Errors
    /// `EPIPE` after the stream was shut down or the connection ended; what ended it, once:
    /// `ECONNRESET`, `ETIMEDOUT`; `ENOTCONN`, `EBADF`.
    pub(crate) fn write<F: Effects>(
        &mut self,
        fx: &mut F,
        id: EndId,
        data: &[u8],
    ) -> io::Result<Answer<usize>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let (end, pipe) = connection.sending(id.side);
        if let Some(error) = end.error.take() {
            return Err(os_error(error));
        }
        match end.state {
            State::Open if !pipe.is_closed() => {}
            State::Asking => return Err(os_error(libc::ENOTCONN)),
            State::Open | State::Void | State::Answering | State::Dead => {
                return Err(os_error(libc::EPIPE));
            }
        }
        pipe.learn(fx.now());
        let accepted = pipe.write(data);
        if accepted == 0 && !data.is_empty() {
            let answer = wait_for_room(end);
            self.watch_news(fx, id);
            return Ok(answer);
        }
        let data = &data[..accepted];
        fx.record(
            Kind::StreamSent,
            end.node,
            id.subject(),
            accepted as u64,
            data,
        );
        self.transmit(fx, id);
        Ok(Answer::Done(accepted))
    }

    /// Reads from a stream: how many bytes, 0 at its end. Waits for the first.
    ///
    /// # Errors
    /// What ended the connection, once, after what had arrived before: `ECONNRESET`, `ETIMEDOUT`;
    /// `ENOTCONN`, `EBADF`.
    pub(crate) fn read<F: Effects>(
        &mut self,
        fx: &mut F,
        id: EndId,
        buffer: &mut [u8],
    ) -> io::Result<Answer<usize>> {
        let answer = self.peek(id, buffer)?;
        if let Answer::Done(length @ 1..) = answer {
            let connection = held(self.connections.get_mut(id.connection), id)?;
            let open = connection.end(id.side).state == State::Open;
            if connection.pipe_mut(id.side.other()).consume(length) && open {
                self.acknowledge(fx, id.other());
            }
        }
        Ok(answer)
    }

    /// Like [`read`](Self::read), but what is read stays.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(crate) fn peek(&mut self, id: EndId, buffer: &mut [u8]) -> io::Result<Answer<usize>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let incoming = connection.pipe(id.side.other());
        let length = incoming.peek(buffer);
        if length > 0 || buffer.is_empty() || incoming.is_finished() {
            return Ok(Answer::Done(length));
        }
        let end = connection.end_mut(id.side);
        if let Some(error) = end.error.take() {
            return Err(os_error(error));
        }
        match (end.state, &mut end.arrival) {
            (State::Asking, _) => Err(os_error(libc::ENOTCONN)),
            (State::Open, Some(signal)) => Ok(signal.wait()),
            _ => Ok(Answer::Done(0)),
        }
    }

    /// Waits until a read would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn readable(&mut self, id: EndId) -> io::Result<Answer<()>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let incoming = connection.pipe(id.side.other());
        let ready = incoming.readable() > 0 || incoming.is_finished();
        let end = connection.end_mut(id.side);
        Ok(match &mut end.arrival {
            Some(signal) if !ready && end.state == State::Open => signal.wait(),
            _ => Answer::Done(()),
        })
    }

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn writable<F: Effects>(&mut self, fx: &mut F, id: EndId) -> io::Result<Answer<()>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        if end.state != State::Open || pipe.is_closed() || pipe.free() > 0 {
            return Ok(Answer::Done(()));
        }
        let answer = wait_for_room(end);
        self.watch_news(fx, id);
        Ok(answer)
    }

    /// Ends the direction that this end sends, behind what was written.
    ///
    /// # Errors
    /// `ENOTCONN` if the connection ended, `EBADF`.
    pub(crate) fn shutdown<F: Effects>(&mut self, fx: &mut F, id: EndId) -> io::Result<()> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let (end, pipe) = connection.sending(id.side);
        if end.state != State::Open {
            return Err(os_error(libc::ENOTCONN));
        }
        pipe.finish();
        self.transmit(fx, id);
        Ok(())
    }

    /// The program lets an end go; nothing happens if it did before. What was written is still
    /// sent, unless something unread is thrown away or the end lingers for no time: then the peer
    /// is sent a reset.
    pub(crate) fn close<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Ok(connection) = held(self.connections.get_mut(id.connection), id) else {
            return;
        };
        let unread = connection.pipe(id.side.other()).readable() > 0;
        let (end, pipe) = connection.sending(id.side);
        end.let_go(fx);
        let (node, port, state) = (end.node, end.local.port(), end.state);
        let abort = unread || end.linger == Some(Duration::ZERO);
        if state == State::Open && !abort {
            pipe.finish();
        }
        if id.side == Side::Client {
            self.host_mut(node).tcp.release(port, None);
        }
        match state {
            State::Open if abort => self.abort(fx, id),
            State::Open => {
                self.transmit(fx, id);
                self.end_if_finished(fx, id);
            }
            State::Void | State::Asking | State::Answering | State::Dead => {
                self.die(fx, id, None);
            }
        }
    }

    /// The address of an end.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn local(&mut self, id: EndId) -> io::Result<SocketAddr> {
        Ok(self.held_mut(id)?.local)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN` if the connection ended, `EBADF`.
    pub(crate) fn peer(&mut self, id: EndId) -> io::Result<SocketAddr> {
        let end = self.held_mut(id)?;
        if end.state == State::Dead {
            Err(os_error(libc::ENOTCONN))
        } else {
            Ok(end.peer)
        }
    }

    /// The end's option of this name; it has no effect, since nothing is held back.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn nodelay(&mut self, id: EndId) -> io::Result<&mut bool> {
        Ok(&mut self.held_mut(id)?.nodelay)
    }

    /// How long closing lingers; only zero makes a difference.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn linger(&mut self, id: EndId) -> io::Result<&mut Option<Duration>> {
        Ok(&mut self.held_mut(id)?.linger)
    }

    pub(super) fn held_mut(&mut self, id: EndId) -> io::Result<&mut End> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        Ok(connection.end_mut(id.side))
    }

    /// Sends what the window allows.
    fn transmit<F: Effects>(&mut self, fx: &mut F, id: EndId) {
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
    fn acknowledge<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
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
    fn watch_news<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
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

    /// A link is cut: acknowledgements on it, which have no events of their own, get them, so that
    /// they are lost if the link is still cut when they arrive.
    pub(super) fn judge_acknowledgements_at_arrival<F: Effects>(
        &mut self,
        fx: &mut F,
        from: NodeId,
        to: NodeId,
    ) {
        let between = |connection: &Connection| {
            let nodes = Side::BOTH.map(|side| connection.end(side).node);
            nodes == [from, to] || nodes == [to, from]
        };
        for id in self.connections.ids_where(between) {
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            let side = if connection.end(Side::Client).node == to {
                Side::Client
            } else {
                Side::Server
            };
            let (end, pipe) = connection.sending(side);
            pipe.learn(fx.now());
            if pipe.news_event.is_none()
                && end.state != State::Dead
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

    /// An end that no program holds is gone when both directions have ended.
    fn end_if_finished<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get(id.connection) else {
            return;
        };
        let end = connection.end(id.side);
        let finished = Side::BOTH
            .iter()
            .all(|side| connection.pipe(*side).is_finished());
        if finished && end.owner == Owner::Nobody && end.state == State::Open {
            self.die(fx, id, None);
        }
    }

    pub(super) fn close_streams_of<F: Effects>(&mut self, fx: &mut F, node: NodeId, how: Death) {
        let here = |connection: &Connection| {
            Side::BOTH
                .iter()
                .any(|side| connection.end(*side).node == node)
        };
        for connection in self.connections.ids_where(here) {
            for side in Side::BOTH {
                let id = EndId { connection, side };
                let entry = self.connections.get(connection);
                if entry.is_some_and(|entry| entry.end(side).node == node) {
                    match how {
                        Death::Kill => self.close(fx, id),
                        Death::Crash => self.lose_power(fx, id),
                    }
                }
            }
        }
    }

    /// An end is forgotten together with its host.
    fn lose_power<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        // While the client still asks, the next boot may well say yes.
        let asked = connection.end(id.side.other()).state == State::Asking;
        let end = connection.end_mut(id.side);
        if end.state == State::Void {
            return;
        }
        end.let_go(fx);
        self.die(fx, id, None);
        if asked && let Some(connection) = self.connections.get_mut(id.connection) {
            connection.end_mut(id.side).state = State::Void;
        }
    }

    fn state_of(&self, id: EndId) -> State {
        let connection = self.connections.get(id.connection);
        connection.map_or(State::Dead, |connection| connection.end(id.side).state)
    }
}

/// The connection of an end that a program holds.
fn held(connection: Option<&mut Connection>, id: EndId) -> io::Result<&mut Connection> {
    connection
        .filter(|connection| connection.end(id.side).owner == Owner::Program)
        .ok_or_else(|| os_error(libc::EBADF))
}

fn wait_for_room<T>(end: &mut End) -> Answer<T> {
    end.room.as_mut().expect("a program holds the end").wait()
}
