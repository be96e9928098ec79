//! Unix datagram sockets.
//!
//! Owns each socket's queue, and who waits for room in it. It must never know streams. A datagram
//! is neither lost nor overtaken; a sender that finds the queue full is told to wait.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;

use super::name::{Bound, UnixName};
use super::{Room, SEND_BUFFER_BYTES, closed, cost, readiness};
use crate::kernel::{Kind, NodeId};
use crate::model::net::mutant::{self, Mutant};
use crate::model::net::slab::Slab;
use crate::model::net::{Answer, Effects, Fabric, Readiness, Signal, SocketId, os_error};

/// How many datagrams may be queued at a socket that is not connected to their sender, and one
/// more may. Linux: net.unix.max_dgram_qlen.
const QUEUE_MAX: usize = 10;
/// The longest datagram.
const DATAGRAM_MAX_BYTES: usize = SEND_BUFFER_BYTES as usize - 32;

/// A socket that sends and receives datagrams.
#[derive(Debug)]
pub(super) struct Socket {
    node: NodeId,
    name: UnixName,
    /// Where it sends to, and from whom alone it receives.
    peer: Option<Peer>,
    /// What can be received, and behind it the bytes of all of it, one after another.
    queue: VecDeque<Datagram>,
    bytes: VecDeque<u8>,
    read_ended: bool,
    write_ended: bool,
    /// What the next call is told. `epoll` does not call it readable, so that who waits to receive
    /// does not hear of it.
    error: Option<i32>,
    /// Something has arrived since a call last found nothing: it is worth receiving.
    heard: bool,
    arrival: Signal,
    room: Room,
    /// Senders that found the queue full.
    waiting: Vec<SocketId>,
}

/// The socket may be closed.
#[derive(Clone, Debug)]
struct Peer {
    id: SocketId,
    name: UnixName,
}

#[derive(Debug)]
struct Datagram {
    sender: SocketId,
    from: UnixName,
    length: usize,
    cost: u32,
}

impl Socket {
    fn new<F: Effects>(fx: &mut F, node: NodeId, name: UnixName) -> Self {
        Self {
            node,
            name,
            peer: None,
            queue: VecDeque::new(),
            bytes: VecDeque::new(),
            read_ended: false,
            write_ended: false,
            error: None,
            heard: false,
            arrival: Signal::new(fx),
            room: Room::new(fx),
            waiting: Vec::new(),
        }
    }

    pub(super) fn is_of(&self, node: NodeId) -> bool {
        self.node == node
    }

    fn is_connected_to(&self, other: SocketId) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.id == other)
    }

    /// Whether a sender's datagrams are taken at all.
    fn welcomes(&self, sender: SocketId) -> bool {
        let open = self.peer.is_none() || mutant::is(Mutant::UnixHearsEverybody);
        open || self.is_connected_to(sender)
    }

    /// Whether a sender has to wait for the queue to be shorter.
    fn is_full_for(&self, sender: SocketId) -> bool {
        let full = self.queue.len() > QUEUE_MAX && !mutant::is(Mutant::UnixQueueIsEndless);
        full && !self.is_connected_to(sender)
    }
}

impl Fabric {
    /// Makes a socket without a name.
    pub(crate) fn unix_datagram<F: Effects>(&mut self, fx: &mut F, node: NodeId) -> SocketId {
        let socket = Socket::new(fx, node, UnixName::Unnamed);
        self.unix.datagrams.insert(socket)
    }

    /// Makes a socket with a name.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub(crate) fn unix_datagram_bind<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        name: UnixName,
    ) -> io::Result<SocketId> {
        let name = self.host_mut(node).names.free(name)?;
        fx.record(Kind::UnixBound, node, name.number(), 0, &[]);
        let socket = Socket::new(fx, node, name.clone());
        let id = self.unix.datagrams.insert(socket);
        let names = &mut self.host_mut(node).names;
        names.bind(&name, Bound::Datagram(id));
        Ok(id)
    }

    /// Makes two sockets that are connected to each other and have no names.
    pub(crate) fn unix_datagram_pair<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
    ) -> (SocketId, SocketId) {
        let ids = [(); 2].map(|()| self.unix_datagram(fx, node));
        for (id, other) in [(ids[0], ids[1]), (ids[1], ids[0])] {
            let socket = self.unix.datagrams.get_mut(id);
            socket.expect("it was just made").peer = Some(Peer {
                id: other,
                name: UnixName::Unnamed,
            });
        }
        let (subject, value) = (ids[0].number(), ids[1].number());
        fx.record(Kind::UnixConnected, node, subject, value, &[]);
        (ids[0], ids[1])
    }

    /// Fixes the socket to which one sends, and from which alone it receives. What it has not
    /// received from another is thrown away.
    ///
    /// # Errors
    /// Those of finding a name, `EPROTOTYPE` for a listener's; `EPERM` if the other is connected
    /// elsewhere, `EBADF`.
    pub(crate) fn unix_datagram_connect<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        name: UnixName,
    ) -> io::Result<()> {
        let sockets = &mut self.unix.datagrams;
        let node = sockets.get(id).ok_or_else(closed)?.node;
        let to = self.hosts[node.index()]
            .as_ref()
            .expect("a socket has a host")
            .names
            .find(&name)?;
        let Bound::Datagram(to) = to else {
            return Err(os_error(libc::EPROTOTYPE));
        };
        if !sockets.get(to).is_some_and(|other| other.welcomes(id)) {
            return Err(os_error(libc::EPERM));
        }
        let socket = sockets.get_mut(id).ok_or_else(closed)?;
        let before = socket.peer.replace(Peer { id: to, name });
        let (subject, value) = (id.number(), to.number());
        fx.record(Kind::UnixConnected, node, subject, value, &[]);
        if let Some(before) = before.filter(|before| before.id != to) {
            disconnected(fx, sockets, id, before.id);
        }
        event(fx, sockets, id);
        Ok(())
    }

    /// Sends a datagram to a name, or else to the peer. Waits for room, here and there.
    ///
    /// # Errors
    /// `EMSGSIZE` above 212,960 bytes; `EPIPE` after this socket ended sending or the other
    /// receiving; those of finding a name, `EPROTOTYPE` for a listener's; `EPERM` if the other is
    /// connected elsewhere; without a name `ENOTCONN`, and `ECONNREFUSED`, once, if the peer is
    /// closed; `ECONNRESET`, once, if the peer connected elsewhere; `EBADF`.
    pub(crate) fn unix_send<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
        to: Option<&UnixName>,
    ) -> io::Result<Answer<usize>> {
        let sockets = &mut self.unix.datagrams;
        let socket = sockets.get_mut(id).ok_or_else(closed)?;
        if socket.room.full {
            return Ok(socket.room.signal.wait());
        }
        if payload.len() > DATAGRAM_MAX_BYTES {
            return Err(os_error(libc::EMSGSIZE));
        }
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        if socket.write_ended {
            return Err(os_error(libc::EPIPE));
        }
        if !socket.room.is_left() {
            return Ok(socket.room.wait());
        }
        let (node, from) = (socket.node, socket.name.clone());
        let target = match (to, &socket.peer) {
            (Some(name), _) => {
                let host = self.hosts[node.index()].as_ref();
                match host.expect("a socket has a host").names.find(name)? {
                    Bound::Datagram(target) => target,
                    Bound::Listener(_) => return Err(os_error(libc::EPROTOTYPE)),
                }
            }
            (None, Some(peer)) => peer.id,
            (None, None) => return Err(os_error(libc::ENOTCONN)),
        };
        let Some(other) = sockets.get_mut(target) else {
            let socket = sockets.get_mut(id).ok_or_else(closed)?;
            socket.peer = None;
            disconnected(fx, sockets, id, target);
            return Err(os_error(libc::ECONNREFUSED));
        };
        if !other.welcomes(id) {
            return Err(os_error(libc::EPERM));
        }
        if other.read_ended {
            return Err(os_error(libc::EPIPE));
        }
        if target != id && other.is_full_for(id) {
            if !other.waiting.contains(&id) {
                other.waiting.push(id);
            }
            return wait_at(sockets, id, target);
        }
        let cost = cost::of_datagram(payload.len());
        other.bytes.extend(payload);
        other.queue.push_back(Datagram {
            sender: id,
            from,
            length: payload.len(),
            cost,
        });
        let length = payload.len() as u64;
        fx.record(Kind::UnixSent, node, target.number(), length, payload);
        other.heard = true;
        other.arrival.wake(fx);
        sockets.get_mut(id).ok_or_else(closed)?.room.used += cost;
        Ok(Answer::Done(payload.len()))
    }

    /// Receives a datagram: how many bytes fit the buffer, and who sent it. What does not fit is
    /// lost.
    ///
    /// # Errors
    /// `ECONNRESET`, once, if the peer connected elsewhere; `EBADF`.
    pub(crate) fn unix_recv<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        buffer: &mut [u8],
    ) -> io::Result<Answer<(usize, UnixName)>> {
        self.unix_recv_with(fx, id, |bytes| {
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            length
        })
    }

    /// Has a datagram read, by a function that says how much of it it took, and tells who sent it.
    ///
    /// # Errors
    /// Those of [`unix_recv`](Self::unix_recv).
    pub(crate) fn unix_recv_with<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        read: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<Answer<(usize, UnixName)>> {
        let sockets = &mut self.unix.datagrams;
        let socket = sockets.get_mut(id).ok_or_else(closed)?;
        if !socket.heard {
            return Ok(socket.arrival.wait());
        }
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        let Some(datagram) = socket.queue.pop_front() else {
            socket.heard = false;
            return Ok(socket.arrival.wait());
        };
        let length = read(&socket.bytes.make_contiguous()[..datagram.length]);
        socket.bytes.drain(..datagram.length);
        freed(fx, sockets, &datagram);
        tell_waiting(fx, sockets, id);
        Ok(Answer::Done((length, datagram.from)))
    }

    /// Waits until a datagram can be received, or nothing more.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_recv_ready(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.unix.datagrams.get_mut(id).ok_or_else(closed)?;
        let ready = !socket.queue.is_empty() || socket.read_ended;
        Ok(if ready {
            Answer::Done(())
        } else {
            socket.arrival.wait()
        })
    }

    /// What is ready at a socket, as the operating system tells it.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_readiness(&self, id: SocketId) -> io::Result<Readiness> {
        let socket = self.unix.datagrams.get(id).ok_or_else(closed)?;
        Ok(readiness(
            !socket.queue.is_empty(),
            !socket.room.full,
            (socket.read_ended, socket.write_ended),
            socket.error.is_some(),
        ))
    }

    /// Waits for what comes next to be received, or the end of receiving.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_arrival(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.unix.datagrams.get_mut(id).ok_or_else(closed)?;
        Ok(socket.arrival.wait())
    }

    /// Waits for room, or a failure.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_change(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.unix.datagrams.get_mut(id).ok_or_else(closed)?;
        Ok(socket.room.signal.wait())
    }

    /// Waits until it is worth sending.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_send_ready(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.unix.datagrams.get_mut(id).ok_or_else(closed)?;
        Ok(if socket.room.full {
            socket.room.signal.wait()
        } else {
            Answer::Done(())
        })
    }

    /// Ends receiving, sending, or both.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_shutdown<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        how: Shutdown,
    ) -> io::Result<()> {
        let sockets = &mut self.unix.datagrams;
        let socket = sockets.get_mut(id).ok_or_else(closed)?;
        socket.read_ended |= matches!(how, Shutdown::Read | Shutdown::Both);
        socket.write_ended |= matches!(how, Shutdown::Write | Shutdown::Both);
        socket.heard |= socket.read_ended;
        socket.arrival.wake(fx);
        event(fx, sockets, id);
        Ok(())
    }

    /// Closes a socket, and does nothing if it is closed. What was not received is thrown away;
    /// its path stays.
    pub(crate) fn unix_datagram_close<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        let sockets = &mut self.unix.datagrams;
        let Some(socket) = sockets.remove(id) else {
            return;
        };
        for datagram in &socket.queue {
            freed(fx, sockets, datagram);
        }
        for sender in socket.waiting {
            event(fx, sockets, sender);
        }
        let names = &mut self.host_mut(socket.node).names;
        names.release(&socket.name, Bound::Datagram(id));
        fx.free_token(socket.arrival.token);
        fx.free_token(socket.room.signal.token);
    }

    /// The error that the next call would give, once: `SO_ERROR`.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_error(&mut self, id: SocketId) -> io::Result<Option<i32>> {
        let socket = self.unix.datagrams.get_mut(id).ok_or_else(closed)?;
        Ok(socket.error.take())
    }

    /// The name of a socket.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_datagram_name(&self, id: SocketId) -> io::Result<UnixName> {
        let socket = self.unix.datagrams.get(id).ok_or_else(closed)?;
        Ok(socket.name.clone())
    }

    /// The name of a socket's peer.
    ///
    /// # Errors
    /// `ENOTCONN`, `EBADF`.
    pub(crate) fn unix_datagram_peer(&self, id: SocketId) -> io::Result<UnixName> {
        let socket = self.unix.datagrams.get(id).ok_or_else(closed)?;
        let peer = socket.peer.as_ref();
        let peer = peer.ok_or_else(|| os_error(libc::ENOTCONN))?;
        Ok(peer.name.clone())
    }
}

/// Has a sender wait for room at a socket. `poll` finds no room for one that is connected to it;
/// for another it does, so there is no waiting for that but with the send itself.
fn wait_at<T>(
    sockets: &mut Slab<Socket>,
    sender: SocketId,
    target: SocketId,
) -> io::Result<Answer<T>> {
    let socket = sockets.get_mut(sender).ok_or_else(closed)?;
    Ok(if socket.is_connected_to(target) {
        socket.room.wait()
    } else {
        socket.room.signal.wait()
    })
}

/// Something happened at a socket that makes `poll` look at it again: if there is room now, it is
/// worth sending.
fn event<F: Effects>(fx: &mut F, sockets: &mut Slab<Socket>, id: SocketId) {
    let Some(socket) = sockets.get(id) else {
        return;
    };
    if socket.room.full && !socket.room.is_wide() {
        return;
    }
    if socket.room.full
        && let Some(peer) = socket.peer.as_ref().map(|peer| peer.id)
        && let Some(other) = sockets.get_mut(peer)
        && other.is_full_for(id)
    {
        other.waiting.push(id);
        return;
    }
    if let Some(socket) = sockets.get_mut(id) {
        socket.room.open(fx);
    }
}

/// A datagram left the queue in which it was charged.
fn freed<F: Effects>(fx: &mut F, sockets: &mut Slab<Socket>, datagram: &Datagram) {
    if let Some(sender) = sockets.get_mut(datagram.sender) {
        sender.room.release(datagram.cost);
        event(fx, sockets, datagram.sender);
    }
}

/// A queue has become shorter.
fn tell_waiting<F: Effects>(fx: &mut F, sockets: &mut Slab<Socket>, id: SocketId) {
    let Some(socket) = sockets.get_mut(id) else {
        return;
    };
    for sender in core::mem::take(&mut socket.waiting) {
        event(fx, sockets, sender);
    }
}

/// A socket is no longer connected to `before`: what it has not received is thrown away, and
/// `before`, if it still was connected to it, is told so.
fn disconnected<F: Effects>(
    fx: &mut F,
    sockets: &mut Slab<Socket>,
    id: SocketId,
    before: SocketId,
) {
    let Some(socket) = sockets.get_mut(id) else {
        return;
    };
    let node = socket.node;
    let thrown = core::mem::take(&mut socket.queue);
    socket.bytes.clear();
    for datagram in &thrown {
        freed(fx, sockets, datagram);
    }
    if thrown.is_empty() {
        return;
    }
    tell_waiting(fx, sockets, id);
    if let Some(other) = sockets.get_mut(before)
        && other.is_connected_to(id)
    {
        other.error = Some(libc::ECONNRESET);
        fx.record(Kind::UnixReset, node, before.number(), 0, &[]);
        other.room.open(fx);
    }
}
