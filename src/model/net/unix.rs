//! Unix domain sockets: streams and datagrams between the tasks of one host.
//!
//! Owns what both kinds share: the names, and what queued bytes cost their sender. It must never
//! know links or addresses. Nothing travels: what is sent is in the receiver's queue at once, and
//! whoever waits there is woken.
//!
//! # Fidelity
//! Accounting is that of Linux 6.18 with pages of 4 KiB and its default settings. Names are not
//! looked up in directories: a path is what was given, but for doubled slashes and dots in it, and
//! need no directory. There are no descriptors or credentials in messages, no `SOCK_SEQPACKET`, no
//! out-of-band bytes, and no options.

mod cost;
mod datagram;
mod name;
mod stream;

pub(super) use name::Names;
pub(crate) use name::UnixName;
pub(crate) use stream::Partial;

use std::io;
use std::path::Path;

use self::datagram::Socket;
use self::stream::{End, Listener};
use super::mutant::{self, Mutant};
use super::slab::Slab;
use super::{Answer, Effects, Fabric, Readiness, Signal, os_error};
use crate::kernel::{Kind, NodeId};

/// The Unix sockets of all hosts.
#[derive(Debug)]
pub(super) struct Sockets {
    listeners: Slab<Listener>,
    ends: Slab<End>,
    datagrams: Slab<Socket>,
}

impl Sockets {
    pub(super) const fn new() -> Self {
        Self {
            listeners: Slab::new(),
            ends: Slab::new(),
            datagrams: Slab::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.listeners.len() + self.ends.len() + self.datagrams.len()
    }
}

impl Fabric {
    /// Removes the path of a socket, which the socket does not notice.
    ///
    /// # Errors
    /// `ENOENT`.
    pub(crate) fn unix_remove<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        path: &Path,
    ) -> io::Result<()> {
        self.host_mut(node).names.remove(path)?;
        fx.record(Kind::UnixRemoved, node, name::number(path), 0, &[]);
        Ok(())
    }

    /// Closes the sockets of a node's process. Their paths stay.
    pub(super) fn close_unix_of<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        let sockets = &self.unix;
        let listeners = sockets.listeners.ids_where(|listener| listener.is_of(node));
        let ends = sockets.ends.ids_where(|end| end.is_of(node));
        let datagrams = sockets.datagrams.ids_where(|socket| socket.is_of(node));
        for id in ends {
            self.unix_close(fx, id);
        }
        for id in listeners {
            self.unix_close_listener(fx, id);
        }
        for id in datagrams {
            self.unix_datagram_close(fx, id);
        }
    }
}

/// What a socket may have queued at its receivers before it has to wait. Linux:
/// net.core.wmem_default.
const SEND_BUFFER_BYTES: u32 = 212_992;

/// A socket's room for what it sends, and who waits for it.
#[derive(Debug)]
struct Room {
    /// What is queued at receivers, as it is charged.
    used: u32,
    /// A write did not find room. As `epoll` tells it, there is none until an event says so.
    full: bool,
    signal: Signal,
}

impl Room {
    fn new<F: Effects>(fx: &mut F) -> Self {
        Self {
            used: 0,
            full: false,
            signal: Signal::new(fx),
        }
    }

    /// Whether the kernel takes more.
    const fn is_left(&self) -> bool {
        self.used < SEND_BUFFER_BYTES
    }

    /// Whether `poll` calls the socket writable: three quarters are free.
    fn is_wide(&self) -> bool {
        self.used <= SEND_BUFFER_BYTES / 4 || mutant::is(Mutant::UnixRoomAtOnce)
    }

    /// There is no room, until an event says so.
    fn wait<T>(&mut self) -> Answer<T> {
        self.full = true;
        self.signal.wait()
    }

    /// Something that was charged left its queue.
    fn release(&mut self, cost: u32) {
        assert!(cost <= self.used, "what is freed was charged");
        self.used -= cost;
    }

    /// An event says that it is worth trying again.
    fn open<F: Effects>(&mut self, fx: &mut F) {
        self.full = false;
        self.signal.wake(fx);
    }
}

/// What is ready at a socket, as the operating system tells it: of one that has something to read,
/// would take what is written, has ended one or both directions, has failed.
const fn readiness(
    has_some: bool,
    writable: bool,
    (read_ended, write_ended): (bool, bool),
    failed: bool,
) -> Readiness {
    Readiness {
        readable: has_some || read_ended,
        writable,
        read_closed: read_ended,
        write_closed: read_ended && write_ended || writable && failed,
        error: failed,
    }
}

fn closed() -> io::Error {
    os_error(libc::EBADF)
}
