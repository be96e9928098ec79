//! Sockets that take connections in.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use super::addr::{ToSocketAddrs, resolve, try_each};
use super::handle::Home;
use super::stream::TcpStream;
use crate::model::net::SocketId;

/// How many connections may wait to be accepted, as with tokio's `bind`.
const BACKLOG: u32 = 1_024;

/// A listening TCP socket: `tokio::net::TcpListener` on the simulated network.
///
/// Dropping it closes it, and resets the connections that nobody has accepted.
///
/// ```
/// use stormglass::net::{TcpListener, TcpStream};
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let (accepted, peer) = listener.accept().await?;
///     assert_eq!(stream.local_addr()?, peer);
///     assert_eq!(accepted.peer_addr()?, peer);
///     std::io::Result::Ok(())
/// });
/// outcome.unwrap().unwrap();
/// ```
#[derive(Debug)]
pub struct TcpListener {
    home: Home,
    id: SocketId,
}

impl TcpListener {
    pub(super) const fn new(home: Home, id: SocketId) -> Self {
        Self { home, id }
    }

    /// Listens on the running node; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of resolving.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let host = resolve(&addr);
        try_each(host, |address| {
            let (home, id) =
                Home::make(|net, base, node| net.listen(base, node, address, BACKLOG))?;
            Ok(Self { home, id })
        })
        .await
    }

    /// Waits for a connection: its stream, and the peer's address.
    ///
    /// Cancel safe: no connection is lost if the future is dropped.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (end, peer) = ready!(self.home.poll(cx, |net, base| net.accept(base, self.id)))?;
        Poll::Ready(Ok((TcpStream::new(self.home, end), peer)))
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, _| net.listener_local(self.id))
    }

    /// How many routers a packet of an accepted stream may pass. It is remembered and changes
    /// nothing.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn ttl(&self) -> io::Result<u32> {
        (self.home).call(|net, _| Ok(net.listener_options(self.id)?.ttl.into()))
    }

    /// Sets how many routers a packet of an accepted stream may pass. It is remembered and changes
    /// nothing.
    ///
    /// # Errors
    /// `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        (self.home).call(|net, _| net.listener_options(self.id)?.set_ttl(ttl))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.home
            .release(|net, base| net.close_listener(base, self.id));
    }
}
