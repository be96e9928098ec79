//! A connection: two ends on two hosts, and the two directions between them.
//!
//! Owns what both ends know and who holds them. Both live in one entry, so that a packet needs no
//! lookup by address; an end that its host has forgotten is `Dead` here, and answers as a host does
//! that never heard of the connection.

use core::time::Duration;
use std::net::SocketAddr;

use super::addr::NOWHERE;
use super::filter::{Kinds, Label};
use super::flows::Parting;
use super::kept::receiver_of;
use super::marks::Marks;
use super::mutant::{self, Mutant};
use super::options::Options;
use super::pipe::Pipe;
use super::wire::{Passage, Start};
use super::{Effects, Fabric, NetEvent, Signal, SocketId};
use crate::kernel::{EventKey, Family, Kind, NodeId, SimTime};

/// The headers of IP and TCP without options.
pub(super) const HEADER_BYTES: u64 = 40;

/// An end of a connection, as a program holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndId {
    pub(super) connection: SocketId,
    pub(super) side: Side,
}

/// Which end of a connection is meant; also names the direction that it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that asked for the connection.
    Client,
    /// The one that listened.
    Server,
    /// The only one, of a socket that connected to its own address: it receives what it sends. It
    /// lives in the client's place.
    Alone,
}

#[derive(Debug)]
pub(super) struct Connection {
    ends: [End; 2],
    /// By the side that sends.
    pipes: [Pipe; 2],
    /// Where the client's first packet goes: an address that is never a wildcard.
    pub(super) target: SocketAddr,
    /// How long the client waited for its answer; decides when lost bytes are sent again.
    pub(super) round_trip: Duration,
}

/// What one host knows of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    pub(super) owner: Owner,
    /// What the next call gives, once.
    pub(super) error: Option<i32>,
    /// Whether there was an error, told or not.
    pub(super) failed: bool,
    /// Woken when there is something to read; there is one while a program holds the end.
    pub(super) arrival: Option<Signal>,
    /// Woken when there is room to write, and when a connection is made.
    pub(super) room: Option<Signal>,
    /// The event for when nothing comes from the peer: in the handshake or later.
    pub(super) timer: Option<EventKey>,
    /// How often the peer was asked in vain.
    pub(super) attempts: u32,
    /// When the packet of the handshake was last sent.
    pub(super) asked_at: SimTime,
    /// When something last came from the peer, other than word of what arrived there.
    pub(super) heard_at: SimTime,
    /// The socket's own binding, if it asked for an address before it connected.
    pub(super) bound: Option<SocketId>,
    /// Whether it ended what it sends before the peer did: then its addresses rest afterwards.
    pub(super) closed_first: bool,
    pub(super) options: Options,
}

/// The states of TCP as far as they make a difference here. What a program may still read or write
/// depends on the pipes, not on the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A server that has not been asked yet.
    Void,
    /// A client that has asked.
    Asking,
    /// A server that has answered, and waits to hear that its answer arrived.
    Answering,
    Open,
    /// The host answers what arrives with a reset.
    Dead,
}

/// Who will close an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody: it ends when both directions have.
    Nobody,
    /// It waits in the queue of a listener, or will.
    Listener(SocketId),
    Program,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
            Self::Alone => Self::Alone,
        }
    }

    #[inline]
    const fn index(self) -> usize {
        self as usize & 1
    }
}

impl EndId {
    pub(super) const fn client(connection: SocketId) -> Self {
        Self {
            connection,
            side: Side::Client,
        }
    }

    pub(super) const fn server(connection: SocketId) -> Self {
        Self {
            connection,
            side: Side::Server,
        }
    }

    pub(super) const fn other(self) -> Self {
        Self {
            connection: self.connection,
            side: self.side.other(),
        }
    }

    /// The connection as the subject of a record.
    pub(super) const fn subject(self) -> u64 {
        self.connection.number()
    }
}

impl Connection {
    pub(super) fn new(client: End, server: End, target: SocketAddr) -> Self {
        Self {
            pipes: [
                Pipe::new(&client.options, &server.options),
                Pipe::new(&server.options, &client.options),
            ],
            ends: [client, server],
            target,
            round_trip: Duration::ZERO,
        }
    }

    #[inline]
    pub(super) const fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    #[inline]
    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    /// The direction that this side sends.
    #[inline]
    pub(super) const fn pipe(&self, sender: Side) -> &Pipe {
        &self.pipes[sender.index()]
    }

    #[inline]
    pub(super) const fn pipe_mut(&mut self, sender: Side) -> &mut Pipe {
        &mut self.pipes[sender.index()]
    }

    /// An end together with the direction that it sends.
    #[inline]
    pub(super) const fn sending(&mut self, sender: Side) -> (&mut End, &mut Pipe) {
        (
            &mut self.ends[sender.index()],
            &mut self.pipes[sender.index()],
        )
    }

    /// The link that this side sends on.
    #[inline]
    pub(super) const fn way_of(&self, sender: Side) -> (NodeId, NodeId) {
        (self.end(sender).node, self.end(sender.other()).node)
    }

    /// What a link sees of a packet that this side sends, with that many bytes of data.
    #[inline]
    pub(super) const fn label(&self, sender: Side, kinds: Kinds, bytes: u64) -> Label {
        Label {
            kinds,
            port: Some(self.end(sender.other()).local.port()),
            bytes: bytes + HEADER_BYTES,
        }
    }

    /// The side that lives in the client's place.
    pub(super) fn asking_side(&self) -> Side {
        let client = self.end(Side::Client);
        if client.local == client.peer {
            Side::Alone
        } else {
            Side::Client
        }
    }

    /// Gives an end its options, before anything is sent.
    pub(super) fn set_options(&mut self, side: Side, options: Options) {
        self.ends[side.index()].options = options;
        let [client, server] = &self.ends;
        self.pipes = [
            Pipe::new(&client.options, &server.options),
            Pipe::new(&server.options, &client.options),
        ];
    }

    /// Whether nobody will ever ask for this connection again.
    fn is_over(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.owner == Owner::Nobody && matches!(end.state, State::Dead | State::Void))
    }
}

impl End {
    pub(super) const fn new(
        node: NodeId,
        local: SocketAddr,
        peer: SocketAddr,
        options: Options,
    ) -> Self {
        Self {
            node,
            local,
            peer,
            state: State::Void,
            owner: Owner::Nobody,
            error: None,
            failed: false,
            arrival: None,
            room: None,
            timer: None,
            attempts: 0,
            asked_at: SimTime::ZERO,
            heard_at: SimTime::ZERO,
            bound: None,
            closed_first: false,
            options,
        }
    }

    /// A program holds the end from now on.
    pub(super) fn hold<F: Effects>(&mut self, fx: &mut F) {
        self.owner = Owner::Program;
        self.arrival = Some(Signal::new(fx));
        self.room = Some(Signal::new(fx));
    }

    /// The program lets the end go.
    pub(super) fn let_go<F: Effects>(&mut self, fx: &mut F) {
        self.owner = Owner::Nobody;
        for signal in [self.arrival.take(), self.room.take()]
            .into_iter()
            .flatten()
        {
            fx.free_token(signal.token);
        }
    }

    pub(super) fn wake_reader<F: Effects>(&mut self, fx: &mut F) {
        if let Some(signal) = &mut self.arrival {
            signal.wake(fx);
        }
    }

    pub(super) fn wake_writer<F: Effects>(&mut self, fx: &mut F) {
        if let Some(signal) = &mut self.room {
            signal.wake(fx);
        }
    }

    /// Whether a program waits for room.
    pub(super) fn is_writer_waiting(&self) -> bool {
        self.room.as_ref().is_some_and(|signal| signal.armed)
    }
}

impl Fabric {
    /// All ends that there are.
    pub(super) fn ends(&self) -> impl Iterator<Item = EndId> + use<> {
        let connections = self.connections.ids_where(|_| true).into_iter();
        connections.flat_map(|connection| Side::BOTH.map(|side| EndId { connection, side }))
    }

    /// Sends a packet without data from an end to the other, behind all that it sent before.
    pub(super) fn send_packet<F: Effects>(&mut self, fx: &mut F, from: EndId, event: NetEvent) {
        let kinds = Kinds::of_event(event);
        if let Passage::Lost(family) = self.send_bytes(fx, from, (kinds, 0), Start::AT_ONCE, event)
            && self.makes_a_difference(event)
        {
            self.wire.effective(family);
        }
    }

    /// Sends a packet of these kinds with that many bytes of data; says what becomes of it.
    #[inline]
    pub(super) fn send_bytes<F: Effects>(
        &mut self,
        fx: &mut F,
        from: EndId,
        (kinds, bytes): (Kinds, u64),
        start: Start,
        mut event: NetEvent,
    ) -> Passage {
        let Some(connection) = self.connections.get_mut(from.connection) else {
            return Passage::Nowhere;
        };
        let way = connection.way_of(from.side);
        let label = || connection.label(from.side, kinds, bytes);
        let mut passage = self.wire.send(fx, way, label, start);
        if let Passage::Arrives { at, marks } = &mut passage {
            let gap = match start {
                Start::Behind(gap) => gap,
                Start::InTurn => Duration::ZERO,
            };
            let pipe = connection.pipe_mut(from.side);
            let earliest = pipe.last_arrival.saturating_add(gap);
            pipe.last_arrival = earliest.max(*at);
            if *at <= earliest {
                // What is before it makes it as late.
                *marks = Marks::NONE;
            }
            if !marks.is_empty()
                && let Some(place) = event.marks_mut()
            {
                place.add(*marks);
            }
            fx.schedule(pipe.last_arrival, event);
        }
        passage
    }

    /// Whether a cut, or a host that is down, swallows a packet of a stream without data that
    /// arrives now.
    pub(super) fn swallows(&mut self, event: NetEvent) -> bool {
        let Some(to) = receiver_of(event) else {
            return false;
        };
        let Some(connection) = self.connections.get(to.connection) else {
            return true;
        };
        let (node, from) = connection.way_of(to.side);
        if self.wire.blocks(from, node) {
            if self.makes_a_difference(event) {
                self.wire.effective(Family::Partition);
            }
            return true;
        }
        !self.host(node).up
    }

    /// Counts what happened to a packet of a stream that makes a difference; it is not one of those
    /// that keep this end waiting any more.
    #[inline]
    pub(super) fn count_seen(&mut self, waits: EndId, marks: Marks) {
        if marks.is_empty() {
            return;
        }
        self.wire.count_marks(marks);
        if let Some(connection) = self.connections.get_mut(waits.connection) {
            connection.pipe_mut(waits.side).silenced.remove(marks);
        }
    }

    /// An end gives the connection up, since it hears nothing: faults are why, unless the other
    /// host is down, and the program is told.
    pub(super) fn count_silence(&mut self, id: EndId) {
        let Some(connection) = self.connections.get(id.connection) else {
            return;
        };
        let silenced = connection.pipe(id.side).silenced;
        let told = connection.end(id.side).owner == Owner::Program;
        let to = connection.end(id.side.other()).node;
        if told && to != NOWHERE && self.host(to).up {
            self.count_seen(id, silenced);
        }
    }

    /// Sends a reset from an end. Nobody sends it again if it is lost: the other end will hear of
    /// it when it next sends something.
    pub(super) fn send_reset<F: Effects>(&mut self, fx: &mut F, from: EndId) {
        let event = NetEvent::Reset {
            receiver: from.other(),
            marks: Marks::NONE,
        };
        self.send_packet(fx, from, event);
    }

    pub(super) fn on_reset<F: Effects>(&mut self, fx: &mut F, at: EndId, marks: Marks) {
        let Some(connection) = self.connections.get_mut(at.connection) else {
            return;
        };
        let finished = connection.pipe(at.side.other()).is_finished();
        let (end, pipe) = connection.sending(at.side);
        pipe.learn(fx.now());
        let over = finished && pipe.is_end_acknowledged();
        let (node, closed) = (end.node, pipe.is_closed());
        if end.state == State::Open && mutant::is(Mutant::ResetIgnored) {
            return;
        }
        let (kind, error) = match end.state {
            State::Void | State::Dead => return,
            State::Asking if mutant::is(Mutant::RefusedIsReset) => {
                (Kind::StreamReset, Some(libc::ECONNRESET))
            }
            State::Asking => (Kind::ConnectionRefused, Some(libc::ECONNREFUSED)),
            State::Answering | State::Open if mutant::is(Mutant::ResetReadsAsEnd) => {
                (Kind::StreamReset, None)
            }
            // Both had ended, and for the program nothing is left to be reset.
            State::Answering | State::Open if over => (Kind::StreamReset, None),
            // The peer had ended, and reading tells no more than that.
            State::Answering | State::Open if finished && !closed => {
                (Kind::StreamReset, Some(libc::EPIPE))
            }
            State::Answering | State::Open => (Kind::StreamReset, Some(libc::ECONNRESET)),
        };
        fx.record(kind, node, at.subject(), 0, &[]);
        if end.owner != Owner::Nobody {
            self.wire.count_marks(marks);
        }
        self.die(fx, at, error);
    }

    /// An end stops being one: it sends nothing more, and its program is told why.
    pub(super) fn die<F: Effects>(&mut self, fx: &mut F, at: EndId, error: Option<i32>) {
        let Some(connection) = self.connections.get_mut(at.connection) else {
            return;
        };
        let asked = connection.end(at.side.other()).state == State::Asking;
        let (end, pipe) = connection.sending(at.side);
        if end.state == State::Answering
            && let Owner::Listener(listener) = end.owner
        {
            end.owner = Owner::Nobody;
            self.listeners
                .get_mut(listener)
                .expect("it outlives its queue")
                .answering -= 1;
        }
        // While the client still asks, the server may yet say yes: its next boot, for one.
        end.state = if asked { State::Void } else { State::Dead };
        end.error = error;
        end.failed = error.is_some();
        if let Some(Some(host)) = self.hosts.get_mut(end.node.index()) {
            host.flows
                .part(fx.now(), end.local, end.peer, Parting::AtOnce);
        }
        let events = [
            end.timer.take(),
            pipe.news_event.take(),
            pipe.retransmit.take(),
            pipe.recover.take(),
            pipe.pace.take(),
        ];
        for key in events.into_iter().flatten() {
            fx.cancel(key);
        }
        end.wake_reader(fx);
        end.wake_writer(fx);
        self.notice_death(fx, at.other());
        self.forget_if_over(at.connection);
    }

    /// The other end of one that is gone goes on asking, if it waits for anything; if it waits for
    /// nothing and no program holds it, it is given up.
    fn notice_death<F: Effects>(&mut self, fx: &mut F, survivor: EndId) {
        let Some(connection) = self.connections.get_mut(survivor.connection) else {
            return;
        };
        let (end, pipe) = connection.sending(survivor.side);
        if end.state != State::Open {
            return;
        }
        if pipe.has_unsent() || pipe.is_unacknowledged() || end.is_writer_waiting() {
            self.set_retransmit(fx, survivor);
        } else if end.owner == Owner::Nobody && pipe.is_finished() {
            self.end_orphan(fx, survivor);
        }
    }

    /// Resets a connection from one end, which dies.
    pub(super) fn abort<F: Effects>(&mut self, fx: &mut F, from: EndId) {
        self.send_reset(fx, from);
        self.die(fx, from, None);
    }

    /// Forgets a connection of which no end is left. What is in flight finds nothing.
    pub(super) fn forget_if_over(&mut self, id: SocketId) {
        if self.connections.get(id).is_some_and(Connection::is_over) {
            self.connections.remove(id);
        }
    }
}
