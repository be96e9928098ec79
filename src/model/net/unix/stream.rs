//! Unix streams: listening, connecting, and the two ends of a connection.
//!
//! Owns the listeners, and each end's bytes from the write that queues them to the read that takes
//! them. It must never know datagrams.

use std::collections::VecDeque;
use std::io;

use super::name::{Bound, UnixName};
use super::{Room, closed, cost, readiness};
use crate::kernel::{Kind, NodeId};
use crate::model::net::mutant::{self, Mutant};
use crate::model::net::{Answer, Effects, Fabric, Readiness, Signal, SocketId, os_error};

/// How many connections may wait to be accepted, and one more may: tokio asks for the most that
/// there can be. Linux: net.core.somaxconn.
const BACKLOG: usize = 4_096;

/// A socket that takes connections in.
#[derive(Debug)]
pub(super) struct Listener {
    node: NodeId,
    name: UnixName,
    /// Connections to be accepted: the ends that the program will hold.
    queue: VecDeque<SocketId>,
    arrival: Signal,
}

impl Listener {
    pub(super) fn is_of(&self, node: NodeId) -> bool {
        self.node == node
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    node: NodeId,
    name: UnixName,
    /// The other end, which may be closed.
    peer: SocketId,
    peer_name: UnixName,
    /// What can be read.
    bytes: VecDeque<u8>,
    /// The kernel's buffers in which it is.
    chunks: VecDeque<Chunk>,
    /// Nothing more comes.
    read_ended: bool,
    /// Nothing more can be written.
    write_ended: bool,
    /// What the next read is told once everything is read.
    error: Option<i32>,
    arrival: Signal,
    room: Room,
}

/// A buffer of a stream. It is freed when all of it is read.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    left: usize,
    cost: u32,
}

/// What a write that takes a part says of the room for more, as tokio's calls differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// There is none until an event says so.
    IsFull,
    /// It is worth trying.
    TellsNothing,
}

impl End {
    fn new<F: Effects>(fx: &mut F, node: NodeId, name: UnixName, peer_name: UnixName) -> Self {
        Self {
            node,
            name,
            peer: SocketId::NONE,
            peer_name,
            bytes: VecDeque::new(),
            chunks: VecDeque::new(),
            read_ended: false,
            write_ended: false,
            error: None,
            arrival: Signal::new(fx),
            room: Room::new(fx),
        }
    }

    pub(super) fn is_of(&self, node: NodeId) -> bool {
        self.node == node
    }

    /// Takes bytes out; gives what they had cost their sender.
    fn take(&mut self, buffer: &mut [u8]) -> (usize, u32) {
        let length = self.bytes.len().min(buffer.len());
        let (front, back) = self.bytes.as_slices();
        let split = length.min(front.len());
        buffer[..split].copy_from_slice(&front[..split]);
        buffer[split..length].copy_from_slice(&back[..length - split]);
        self.bytes.drain(..length);
        let (mut rest, mut freed) = (length, 0);
        while rest > 0 {
            let chunk = self.chunks.front_mut().expect("bytes are in buffers");
            let part = rest.min(chunk.left);
            chunk.left -= part;
            rest -= part;
            if chunk.left == 0 {
                freed += chunk.cost;
                self.chunks.pop_front();
            }
        }
        (length, freed)
    }
}

impl Fabric {
    /// Listens for connections at a name.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub(crate) fn unix_listen<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        name: UnixName,
    ) -> io::Result<SocketId> {
        let name = self.host_mut(node).names.free(name)?;
        fx.record(Kind::UnixBound, node, name.number(), 1, &[]);
        let id = self.unix.listeners.insert(Listener {
            node,
            name: name.clone(),
            queue: VecDeque::new(),
            arrival: Signal::new(fx),
        });
        let names = &mut self.host_mut(node).names;
        names.bind(&name, Bound::Listener(id));
        Ok(id)
    }

    /// Takes the oldest connection out of a listener's queue: the end, and the peer's name.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_accept(&mut self, id: SocketId) -> io::Result<Answer<(SocketId, UnixName)>> {
        let listener = self.unix.listeners.get_mut(id).ok_or_else(closed)?;
        let Some(end) = listener.queue.pop_front() else {
            return Ok(listener.arrival.wait());
        };
        let peer = self.unix_peer_name(end)?;
        Ok(Answer::Done((end, peer)))
    }

    /// The name at which a listener listens.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_listener_name(&self, id: SocketId) -> io::Result<UnixName> {
        let listener = self.unix.listeners.get(id).ok_or_else(closed)?;
        Ok(listener.name.clone())
    }

    /// Closes a listener, and does nothing if it is closed. Connections that nobody accepted are
    /// reset. Its path stays.
    pub(crate) fn unix_close_listener<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        let Some(listener) = self.unix.listeners.remove(id) else {
            return;
        };
        let names = &mut self.host_mut(listener.node).names;
        names.release(&listener.name, Bound::Listener(id));
        let silent = mutant::is(Mutant::UnixNoResetFromListener);
        for end in listener.queue {
            self.unix_drop_end(fx, end, (!silent).then_some(libc::ECONNRESET));
        }
        fx.free_token(listener.arrival.token);
    }

    /// Connects to a listener, which need not accept for it.
    ///
    /// # Errors
    /// `ENOENT` for a path that is none, `ECONNREFUSED` where nobody listens, `EPROTOTYPE` at a
    /// datagram socket, `EAGAIN` when the listener's queue is full, `EINVAL` for an empty path.
    pub(crate) fn unix_connect<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        name: UnixName,
    ) -> io::Result<SocketId> {
        let Bound::Listener(to) = self.host(node).names.find(&name)? else {
            return Err(os_error(libc::EPROTOTYPE));
        };
        let listener = self
            .unix
            .listeners
            .get_mut(to)
            .expect("its name leads to it");
        if listener.queue.len() > BACKLOG {
            return Err(os_error(libc::EAGAIN));
        }
        let (ours, theirs) = self.unix_ends(fx, node, name);
        let listener = self
            .unix
            .listeners
            .get_mut(to)
            .expect("its name leads to it");
        listener.queue.push_back(theirs);
        listener.arrival.wake(fx);
        Ok(ours)
    }

    /// Makes two ends that are connected to each other and have no names.
    pub(crate) fn unix_pair<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
    ) -> (SocketId, SocketId) {
        self.unix_ends(fx, node, UnixName::Unnamed)
    }

    /// The two ends of a new connection, of which the second has a name.
    fn unix_ends<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        name: UnixName,
    ) -> (SocketId, SocketId) {
        let unnamed = UnixName::Unnamed;
        let ends = &mut self.unix.ends;
        let ours = ends.insert(End::new(fx, node, unnamed.clone(), name.clone()));
        let theirs = ends.insert(End {
            peer: ours,
            ..End::new(fx, node, name, unnamed)
        });
        ends.get_mut(ours).expect("it was just made").peer = theirs;
        let (subject, value) = (ours.number(), theirs.number());
        fx.record(Kind::UnixConnected, node, subject, value, &[]);
        (ours, theirs)
    }

    /// Writes to a stream: how many bytes were queued at the peer, at least one if there are any.
    /// Waits for room.
    ///
    /// # Errors
    /// `EPIPE` after the stream was shut down or the peer closed, `EBADF`.
    pub(crate) fn unix_write<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        data: &[u8],
        partial: Partial,
    ) -> io::Result<Answer<usize>> {
        let ends = &mut self.unix.ends;
        let end = ends.get_mut(id).ok_or_else(closed)?;
        if end.write_ended {
            return Err(os_error(libc::EPIPE));
        }
        if data.is_empty() && !end.room.full {
            return Ok(Answer::Done(0));
        }
        if end.room.full || !end.room.is_left() {
            return Ok(end.room.wait());
        }
        let (node, peer, mut used) = (end.node, end.peer, end.room.used);
        let receiver = ends
            .get_mut(peer)
            .expect("a peer that closes ends what is written");
        let mut accepted = 0;
        while accepted < data.len() && used < super::SEND_BUFFER_BYTES {
            let left = (data.len() - accepted).min(cost::CHUNK_MAX_BYTES);
            let cost = cost::of_chunk(left);
            receiver.chunks.push_back(Chunk { left, cost });
            accepted += left;
            used += cost;
        }
        let taken = &data[..accepted];
        receiver.bytes.extend(taken);
        let length = accepted as u64;
        fx.record(Kind::UnixSent, node, peer.number(), length, taken);
        receiver.arrival.wake(fx);
        let end = ends.get_mut(id).expect("it was found above");
        end.room.used = used;
        end.room.full = accepted < data.len() && partial == Partial::IsFull;
        Ok(Answer::Done(accepted))
    }

    /// Reads from a stream: how many bytes, 0 at its end. Waits for the first.
    ///
    /// # Errors
    /// `ECONNRESET`, once, after all that had arrived, if the peer closed without reading all of
    /// what it was sent; `EBADF`.
    pub(crate) fn unix_read<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        buffer: &mut [u8],
    ) -> io::Result<Answer<usize>> {
        let ends = &mut self.unix.ends;
        let end = ends.get_mut(id).ok_or_else(closed)?;
        if end.bytes.is_empty() {
            if let Some(error) = end.error.take() {
                return Err(os_error(error));
            }
            return Ok(if end.read_ended {
                Answer::Done(0)
            } else {
                end.arrival.wait()
            });
        }
        let peer = end.peer;
        let (length, freed) = end.take(buffer);
        if freed > 0
            && let Some(sender) = ends.get_mut(peer)
        {
            sender.room.release(freed);
            if sender.room.is_wide() {
                sender.room.open(fx);
            }
        }
        Ok(Answer::Done(length))
    }

    /// What is ready at an end, as the operating system tells it.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_readiness(&self, id: SocketId) -> io::Result<Readiness> {
        let end = self.unix.ends.get(id).ok_or_else(closed)?;
        Ok(readiness(
            !end.bytes.is_empty(),
            !end.room.full || end.write_ended,
            (end.read_ended, end.write_ended),
            end.error.is_some(),
        ))
    }

    /// Waits for what comes next: bytes, the end, a failure.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_arrival(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let end = self.unix.ends.get_mut(id).ok_or_else(closed)?;
        Ok(end.arrival.wait())
    }

    /// Waits until a read would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_readable(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let end = self.unix.ends.get_mut(id).ok_or_else(closed)?;
        Ok(if end.bytes.is_empty() && !end.read_ended {
            end.arrival.wait()
        } else {
            Answer::Done(())
        })
    }

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_writable(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let end = self.unix.ends.get_mut(id).ok_or_else(closed)?;
        Ok(if end.room.full && !end.write_ended {
            end.room.signal.wait()
        } else {
            Answer::Done(())
        })
    }

    /// Ends what this end writes.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_shutdown<F: Effects>(&mut self, fx: &mut F, id: SocketId) -> io::Result<()> {
        let ends = &mut self.unix.ends;
        let end = ends.get_mut(id).ok_or_else(closed)?;
        end.write_ended = true;
        end.room.open(fx);
        let (node, peer) = (end.node, end.peer);
        if let Some(receiver) = ends.get_mut(peer) {
            receiver.read_ended = true;
            fx.record(Kind::UnixFinished, node, peer.number(), 0, &[]);
            receiver.arrival.wake(fx);
        }
        Ok(())
    }

    /// Closes an end, and does nothing if it is closed. The peer reads what it was sent, and then
    /// is told if something that it had sent was not read.
    pub(crate) fn unix_close<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        let end = self.unix.ends.get(id);
        let unread = end.is_some_and(|end| !end.bytes.is_empty())
            && !mutant::is(Mutant::UnixNoResetOnUnreadData);
        self.unix_drop_end(fx, id, unread.then_some(libc::ECONNRESET));
    }

    fn unix_drop_end<F: Effects>(&mut self, fx: &mut F, id: SocketId, error: Option<i32>) {
        let Some(end) = self.unix.ends.remove(id) else {
            return;
        };
        if let Some(peer) = self.unix.ends.get_mut(end.peer) {
            peer.read_ended = true;
            peer.write_ended = true;
            peer.error = error;
            let kind = match error {
                Some(_) => Kind::UnixReset,
                None => Kind::UnixFinished,
            };
            fx.record(kind, end.node, end.peer.number(), 0, &[]);
            peer.arrival.wake(fx);
            peer.room.open(fx);
        }
        fx.free_token(end.arrival.token);
        fx.free_token(end.room.signal.token);
    }

    /// The error that the next read would give, once: `SO_ERROR`.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_error(&mut self, id: SocketId) -> io::Result<Option<i32>> {
        let end = self.unix.ends.get_mut(id).ok_or_else(closed)?;
        Ok(end.error.take())
    }

    /// The name of an end.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_name(&self, id: SocketId) -> io::Result<UnixName> {
        Ok(self.unix.ends.get(id).ok_or_else(closed)?.name.clone())
    }

    /// The name of the other end, which it keeps when it is closed.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unix_peer_name(&self, id: SocketId) -> io::Result<UnixName> {
        Ok(self.unix.ends.get(id).ok_or_else(closed)?.peer_name.clone())
    }
}
