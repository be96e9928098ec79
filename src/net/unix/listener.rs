//! Sockets that take connections in.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::task::{Context, Poll, ready};

use super::super::handle::Home;
use super::SocketAddr;
use super::stream::UnixStream;
use crate::model::net::{SocketId, UnixName};

/// A listening Unix socket: `tokio::net::UnixListener` on the simulated node.
///
/// Dropping it closes it, and resets the connections that nobody has accepted. Its path stays.
///
/// ```
/// use stormglass::net::{UnixListener, UnixStream};
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let listener = UnixListener::bind("\0abstract")?;
///     let stream = UnixStream::connect("\0abstract").await?;
///     let (_accepted, peer) = listener.accept().await?;
///     assert!(peer.is_unnamed());
///     let name = stream.peer_addr()?;
///     std::io::Result::Ok(name.as_abstract_name() == Some(b"abstract"))
/// });
/// assert!(outcome.unwrap().unwrap());
/// ```
#[derive(Debug)]
pub struct UnixListener {
    home: Home,
    id: SocketId,
}

impl UnixListener {
    /// Listens on the running node. A path that begins with a zero byte is an abstract name, and
    /// an empty one takes an abstract name that is free.
    ///
    /// # Errors
    /// `AddrInUse` if there is the path already, `InvalidInput` if it is too long or has a zero
    /// byte in it.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn bind<P>(path: P) -> io::Result<Self>
    where
        P: AsRef<Path>,
    {
        Self::bind_to(UnixName::of(path.as_ref())?)
    }

    /// As [`bind`](Self::bind), by an address; one without a name takes an abstract name that is
    /// free.
    ///
    /// # Errors
    /// `AddrInUse`.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        Self::bind_to(socket_addr.name())
    }

    #[track_caller]
    fn bind_to(name: UnixName) -> io::Result<Self> {
        let (home, id) = Home::make(|net, base, node| net.unix_listen(base, node, name))?;
        Ok(Self { home, id })
    }

    /// The name at which it listens.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let name = self.home.call(|net, _| net.unix_listener_name(self.id))?;
        Ok(SocketAddr::new(name))
    }

    /// What went wrong: nothing can at a listener.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.local_addr().map(|_| None)
    }

    /// Waits for a connection: its stream, and the peer's name.
    ///
    /// Cancel safe: no connection is lost if the future is dropped.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (end, peer) = ready!(self.home.poll(cx, |net, _| net.unix_accept(self.id)))?;
        let stream = UnixStream::new(self.home, end);
        Poll::Ready(Ok((stream, SocketAddr::new(peer))))
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        self.home
            .release(|net, base| net.unix_close_listener(base, self.id));
    }
}
