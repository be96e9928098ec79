//! How connections begin: listeners, asking, answering, and being refused.
//!
//! Owns the listeners and their queues. The handshake is TCP's: a SYN, an answer to it and an
//! answer to that. Each of the first two is sent again until it is answered; who gets no answer at
//! all gives up after the times that Linux takes.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::addr::{NOWHERE, shown};
use super::connection::{Connection, End, EndId, Owner, Side, State};
use super::host::{Reuse, Use};
use super::marks::Marks;
use super::mutant::{self, Mutant};
use super::options::Options;
use super::{
    Answer, Death, Effects, Fabric, IpFamily, NetEvent, Signal, SocketId, os_error, subject,
};
use crate::kernel::{Family, Kind, NodeId, SimTime};

/// The wait before the packet of a handshake is first sent again; it doubles each time (RFC 6298).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a client asks again, which makes 127 s. Linux: net.ipv4.tcp_syn_retries.
const ASK_RETRIES: u32 = 6;
/// How often a server answers again, which makes 63 s. Linux: net.ipv4.tcp_synack_retries.
const ANSWER_RETRIES: u32 = 5;

/// A socket that takes connections in.
#[derive(Debug)]
pub(super) struct Listener {
    node: NodeId,
    address: SocketAddr,
    /// What accepted sockets begin with.
    options: Options,
    backlog: usize,
    /// Connections whose handshake is under way.
    pub(super) answering: usize,
    /// Connections to be accepted.
    queue: VecDeque<Waiting>,
    arrival: Signal,
}

/// A connection to be accepted.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    connection: SocketId,
    /// A fault lets it be accepted only from then on, and all behind it.
    from: SimTime,
    /// Somebody would have accepted it before.
    missed: bool,
}

impl Fabric {
    /// Listens for connections; port 0 takes an ephemeral one. `backlog` connections, and one more,
    /// may wait to be accepted; who asks beyond that gets no answer, and asks again.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`, `EADDRINUSE`.
    pub(crate) fn listen<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        address: SocketAddr,
        backlog: u32,
    ) -> io::Result<SocketId> {
        let id = self.open(node, IpFamily::of(address));
        // As tokio does, whose listeners share with connections of an earlier listener.
        self.socket_options(id)?.reuse = Reuse::Yes;
        let listener = self
            .bind(fx, id, address)
            .and_then(|()| self.listen_at(fx, id, backlog));
        self.close_socket(id);
        listener
    }

    /// Adds a listener at an address that is free for it.
    pub(super) fn add_listener<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        address: SocketAddr,
        backlog: u32,
        options: Options,
    ) -> SocketId {
        let id = self.listeners.insert(Listener {
            node,
            address,
            options,
            backlog: backlog as usize,
            answering: 0,
            queue: VecDeque::new(),
            arrival: Signal::new(fx),
        });
        let host = self.host_mut(node);
        host.tcp.take(address, id, Use::Receives, options.reuse);
        fx.record(Kind::SocketBound, node, subject(node, address), 1, &[]);
        id
    }

    /// Takes the oldest connection out of a listener's queue: the end, and the peer's address.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn accept<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
    ) -> io::Result<Answer<(EndId, SocketAddr)>> {
        let listener = self
            .listeners
            .get_mut(id)
            .ok_or_else(|| os_error(libc::EBADF))?;
        if let Some(first) = listener.queue.front_mut()
            && first.from > fx.now()
        {
            first.missed = true;
            return Ok(listener.arrival.wait());
        }
        let next = if mutant::is(Mutant::AcceptTakesTheNewest) {
            listener.queue.pop_back()
        } else {
            listener.queue.pop_front()
        };
        let Some(Waiting {
            connection, missed, ..
        }) = next
        else {
            return Ok(listener.arrival.wait());
        };
        if missed {
            self.wire.effective(Family::SlowAccept);
        }
        let entry = self
            .connections
            .get_mut(connection)
            .expect("the queue holds it");
        let end = entry.end_mut(Side::Server);
        end.hold(fx);
        Ok(Answer::Done((
            EndId {
                connection,
                side: Side::Server,
            },
            end.peer,
        )))
    }

    /// The address on which a listener listens.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn listener_local(&self, id: SocketId) -> io::Result<SocketAddr> {
        Ok(self
            .listeners
            .get(id)
            .ok_or_else(|| os_error(libc::EBADF))?
            .address)
    }

    /// What accepted sockets begin with.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn listener_options(&mut self, id: SocketId) -> io::Result<&mut Options> {
        let listener = self.listeners.get_mut(id);
        Ok(&mut listener.ok_or_else(|| os_error(libc::EBADF))?.options)
    }

    /// Closes a listener, and does nothing if it is closed. Connections that nobody accepted are
    /// reset.
    pub(crate) fn close_listener<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        self.end_listener(fx, id, Death::Kill);
    }

    /// Asks for a connection; [`connected`](Self::connected) tells what came of it.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when all ephemeral ports are taken, those of a route.
    pub(crate) fn connect<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        to: SocketAddr,
    ) -> io::Result<EndId> {
        let id = self.open(node, IpFamily::of(to));
        let end = self.connect_from(fx, id, to);
        self.close_socket(id);
        end
    }

    /// Makes a connection between two concrete addresses, for a socket bound to `bound`, and asks
    /// for it.
    pub(super) fn start_connection<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        bound: IpAddr,
        (source, target): (SocketAddr, SocketAddr),
        options: Options,
    ) -> EndId {
        let server_node = self.addresses.owner(node, target.ip());
        let local = shown(source, bound);
        let mut client = End::new(node, local, shown(target, bound), options);
        client.state = State::Asking;
        client.hold(fx);
        let server = End::new(server_node, target, source, Options::default());
        self.host_mut(node)
            .flows
            .take(source, target, options.reuse);
        let connection = self
            .connections
            .insert(Connection::new(client, server, target));
        let side = if source == target {
            Side::Alone
        } else {
            Side::Client
        };
        let end = EndId { connection, side };
        fx.record(
            Kind::ConnectSent,
            node,
            end.subject(),
            u64::from(source.port()) << 16 | u64::from(target.port()),
            &[],
        );
        self.ask(fx, end);
        end
    }

    /// Waits for the connection that was asked for.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `ETIMEDOUT`, `EBADF`.
    pub(crate) fn connected(&mut self, id: EndId) -> io::Result<Answer<()>> {
        let end = self.held_mut(id)?;
        if let Some(error) = end.error.take() {
            return Err(os_error(error));
        }
        match (end.state, &mut end.room) {
            (State::Asking, Some(signal)) => Ok(signal.wait()),
            _ => Ok(Answer::Done(())),
        }
    }

    fn ask<F: Effects>(&mut self, fx: &mut F, client: EndId) {
        let connection = self
            .connections
            .get_mut(client.connection)
            .expect("the caller has it");
        let node = connection.end(Side::Server).node;
        if node != NOWHERE {
            let event = NetEvent::Syn {
                connection: client.connection,
                marks: Marks::NONE,
            };
            self.send_packet(fx, client, event);
        }
        self.wait_for_answer(fx, client);
    }

    fn answer<F: Effects>(&mut self, fx: &mut F, server: EndId) {
        let event = NetEvent::SynAck {
            connection: server.connection,
            marks: Marks::NONE,
        };
        self.send_packet(fx, server, event);
        self.wait_for_answer(fx, server);
    }

    /// A client confirms that it has the answer.
    fn confirm<F: Effects>(&mut self, fx: &mut F, client: EndId) {
        let event = NetEvent::Established {
            connection: client.connection,
            marks: Marks::NONE,
        };
        self.send_packet(fx, client, event);
    }

    /// Sets the timer of a handshake anew.
    fn wait_for_answer<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let end = connection.end_mut(id.side);
        if let Some(timer) = end.timer.take() {
            fx.cancel(timer);
        }
        end.asked_at = fx.now();
        let at = fx
            .now()
            .saturating_add(ANSWER_TIMEOUT * (1 << end.attempts));
        end.timer = Some(fx.schedule(at, NetEvent::Timer { end: id }));
    }

    /// No answer came to the packet of a handshake.
    pub(super) fn ask_or_answer_again<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let end = connection.end_mut(id.side);
        end.attempts += 1;
        match end.state {
            State::Asking if end.attempts > ASK_RETRIES => {
                fx.record(Kind::StreamTimedOut, end.node, id.subject(), 0, &[]);
                self.count_silence(id);
                self.die(fx, id, Some(libc::ETIMEDOUT));
            }
            State::Asking if mutant::is(Mutant::AskedOnce) => {}
            State::Asking => self.ask(fx, id),
            State::Answering if end.attempts > ANSWER_RETRIES => self.die(fx, id, None),
            State::Answering => self.answer(fx, id),
            State::Void | State::Open | State::Dead => {}
        }
    }

    pub(super) fn on_syn<F: Effects>(&mut self, fx: &mut F, connection: SocketId, marks: Marks) {
        let server = EndId {
            connection,
            side: Side::Server,
        };
        let Some(entry) = self.connections.get(connection) else {
            return;
        };
        let state = entry.end(Side::Server).state;
        let asks = entry.end(Side::Client).state == State::Asking;
        let side = entry.asking_side();
        if side == Side::Alone && !mutant::is(Mutant::NoConnectionToItself) {
            // It asks and is asked: a simultaneous open (RFC 9293, 3.5), with itself.
            if asks {
                self.open_client(fx, EndId { connection, side });
            }
            return;
        }
        match state {
            State::Void if asks => {
                self.count_seen(server.other(), marks);
                self.take_in(fx, server);
            }
            // The answer is given again by its own timer.
            State::Answering | State::Asking | State::Open => {}
            // A host that has forgotten, or an asking that is long answered.
            State::Void | State::Dead => self.send_reset(fx, server),
        }
    }

    /// A host is asked for a connection: it answers, refuses, or if the queue is full is silent.
    fn take_in<F: Effects>(&mut self, fx: &mut F, server: EndId) {
        let entry = self
            .connections
            .get_mut(server.connection)
            .expect("the caller has it");
        let way = entry.way_of(Side::Client);
        let node = way.1;
        let Some(id) = self.hosts[node.index()]
            .as_ref()
            .and_then(|host| host.tcp.find(entry.target))
        else {
            if !mutant::is(Mutant::NoResetFromDeadPort) {
                self.send_reset(fx, server);
            }
            return;
        };
        if self.wire.refuses(fx, way) {
            let event = NetEvent::Reset {
                receiver: server.other(),
                marks: Marks::of(Family::Refuse),
            };
            self.send_packet(fx, server, event);
            return;
        }
        let listener = self
            .listeners
            .get_mut(id)
            .expect("a taken port names a listener");
        let full = listener.answering + listener.queue.len() > listener.backlog;
        if full && !mutant::is(Mutant::BacklogIgnored) {
            return;
        }
        listener.answering += 1;
        let (bound, mut options) = (listener.address.ip(), listener.options);
        if mutant::is(Mutant::OptionsNotInherited) {
            options = Options::default();
        }
        let at = listener.address;
        let client = entry.end(Side::Client).local;
        let canonical = SocketAddr::new(client.ip().to_canonical(), client.port());
        let target = entry.target;
        let end = entry.end_mut(Side::Server);
        end.local = shown(target, bound);
        if mutant::is(Mutant::AcceptedAtTheListener) {
            end.local = at;
        }
        end.peer = shown(canonical, bound);
        end.state = State::Answering;
        end.owner = Owner::Listener(id);
        let (local, peer) = (end.local, end.peer);
        entry.set_options(Side::Server, options);
        self.host_mut(node).flows.take(local, peer, options.reuse);
        self.answer(fx, server);
    }

    pub(super) fn on_syn_ack<F: Effects>(
        &mut self,
        fx: &mut F,
        connection: SocketId,
        marks: Marks,
    ) {
        let client = EndId {
            connection,
            side: Side::Client,
        };
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        let end = entry.end_mut(Side::Client);
        match end.state {
            State::Asking => {
                self.open_client(fx, client);
                self.count_seen(client, marks);
                self.confirm(fx, client);
            }
            State::Open => self.confirm(fx, client),
            State::Void | State::Answering => {}
            State::Dead => self.send_reset(fx, client),
        }
    }

    /// Who asked for a connection has got it.
    fn open_client<F: Effects>(&mut self, fx: &mut F, client: EndId) {
        let Some(entry) = self.connections.get_mut(client.connection) else {
            return;
        };
        let end = entry.end_mut(client.side);
        let (node, round_trip) = (end.node, fx.now().saturating_since(end.asked_at));
        end.wake_writer(fx);
        entry.round_trip = round_trip;
        fx.record(Kind::ConnectionEstablished, node, client.subject(), 0, &[]);
        self.open_end(fx, client);
    }

    /// A listener has a connection that waited longer than others.
    pub(super) fn on_acceptable<F: Effects>(&mut self, fx: &mut F, listener: SocketId) {
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.arrival.wake(fx);
        }
    }

    pub(super) fn on_established<F: Effects>(
        &mut self,
        fx: &mut F,
        connection: SocketId,
        marks: Marks,
    ) {
        let server = EndId {
            connection,
            side: Side::Server,
        };
        let Some(entry) = self.connections.get(connection) else {
            return;
        };
        match entry.end(Side::Server).state {
            State::Answering => {
                self.wire.count_marks(marks);
                self.enqueue(fx, server);
            }
            State::Void | State::Dead => self.send_reset(fx, server),
            State::Asking | State::Open => {}
        }
    }

    /// A server has heard that its answer arrived: the connection can be accepted.
    pub(super) fn enqueue<F: Effects>(&mut self, fx: &mut F, server: EndId) {
        let Some(entry) = self.connections.get_mut(server.connection) else {
            return;
        };
        let way = entry.way_of(Side::Client);
        let end = entry.end(Side::Server);
        let Owner::Listener(id) = end.owner else {
            return;
        };
        let late = self.wire.slow_accept(fx, way);
        let is_late = late > Duration::ZERO;
        let listener = self.listeners.get_mut(id).expect("it outlives its queue");
        listener.answering -= 1;
        let from = fx.now().saturating_add(late);
        listener.queue.push_back(Waiting {
            connection: server.connection,
            from,
            missed: is_late && listener.arrival.armed,
        });
        fx.record(Kind::ConnectionAccepted, end.node, server.subject(), 0, &[]);
        if is_late {
            fx.schedule(from, NetEvent::Acceptable { listener: id });
        } else {
            listener.arrival.wake(fx);
        }
        self.open_end(fx, server);
    }

    pub(super) fn close_listeners_of<F: Effects>(&mut self, fx: &mut F, node: NodeId, how: Death) {
        for id in self.listeners.ids_where(|listener| listener.node == node) {
            self.end_listener(fx, id, how);
        }
    }

    fn end_listener<F: Effects>(&mut self, fx: &mut F, id: SocketId, how: Death) {
        let waiting =
            |connection: &Connection| connection.end(Side::Server).owner == Owner::Listener(id);
        if self.listeners.get(id).is_none() {
            return;
        }
        for connection in self.connections.ids_where(waiting) {
            let server = EndId {
                connection,
                side: Side::Server,
            };
            if how == Death::Kill && !mutant::is(Mutant::NoResetFromListener) {
                self.send_reset(fx, server);
            }
            self.die(fx, server, None);
            if let Some(entry) = self.connections.get_mut(connection) {
                entry.end_mut(Side::Server).owner = Owner::Nobody;
            }
            self.forget_if_over(connection);
        }
        let Some(listener) = self.listeners.remove(id) else {
            return;
        };
        self.host_mut(listener.node)
            .tcp
            .release(listener.address.port(), id, Use::Receives);
        fx.free_token(listener.arrival.token);
    }
}
