//! The two ways to a disk: through its queue, or blocking; and what is open behind either.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::handle::{Home, Place};
use crate::model::disk::Persistence;
use crate::model::disk::call::{Call, Fd, Reply};

/// A way to a disk, for one process.
pub(super) trait Port: Clone + 'static {
    /// Has a call carried out.
    fn ask(&self, place: Place, call: Call) -> impl Future<Output = io::Result<Reply>>;

    /// Has a call carried out, and again if it was interrupted or wrote less than it should, until
    /// it is done or fails.
    fn insist(&self, place: Place, call: Call) -> impl Future<Output = io::Result<Reply>>;

    /// Another descriptor of the same open file.
    fn duplicate(&self, fd: Fd) -> io::Result<Fd>;

    /// Closes a descriptor as soon as nothing under way uses it.
    fn close(&self, fd: Fd);
}

impl Port for Home {
    async fn ask(&self, place: Place, call: Call) -> io::Result<Reply> {
        self.begin(place, call, Persistence::Once)?.await
    }

    async fn insist(&self, place: Place, call: Call) -> io::Result<Reply> {
        self.begin(place, call, Persistence::UntilDone)?.await
    }

    fn duplicate(&self, fd: Fd) -> io::Result<Fd> {
        self.call(|world, node| world.disks.duplicate(node, fd))
    }

    fn close(&self, fd: Fd) {
        let closed = self.call(|world, node| {
            world.disks.close(node, fd);
            Ok(())
        });
        // What belongs to a process that has ended is closed already.
        drop(closed);
    }
}

/// Something open, which is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Descriptor<P: Port> {
    pub(super) port: P,
    pub(super) fd: Fd,
}

impl<P: Port> Descriptor<P> {
    /// Another descriptor of the same open file: they share their place in it.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        let port = self.port.clone();
        let fd = port.duplicate(self.fd)?;
        Ok(Self { port, fd })
    }
}

impl<P: Port> Drop for Descriptor<P> {
    fn drop(&mut self) {
        self.port.close(self.fd);
    }
}

/// The end of something that does not wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a blocking call does not wait"),
    }
}

pub(super) fn opened(reply: &Reply) -> Fd {
    match reply {
        Reply::Opened(fd) => *fd,
        other => unreachable!("opening gives a descriptor and not {other:?}"),
    }
}

pub(super) fn bytes(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Bytes(bytes) => bytes,
        other => unreachable!("reading gives bytes and not {other:?}"),
    }
}

pub(super) fn written(reply: &Reply) -> usize {
    match reply {
        Reply::Written(length) => *length,
        other => unreachable!("writing gives a length and not {other:?}"),
    }
}

pub(super) fn place_in_file(reply: &Reply) -> u64 {
    match reply {
        Reply::Place(place) => *place,
        other => unreachable!("seeking gives a place and not {other:?}"),
    }
}
