//! Datagram sockets.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::ReadBuf;

use super::super::handle::Home;
use super::super::ready::{Interest, Ready, if_ready, when_ready};
use super::SocketAddr;
use crate::exec::Base;
use crate::model::net::{Answer, Fabric, SocketId, UnixName};

/// A Unix datagram socket: `tokio::net::UnixDatagram` on the simulated node.
///
/// No datagram is lost: who sends waits until there is room. As on Linux, who sends to a socket
/// that is connected to nobody, by its name, may have eleven datagrams there, together with all
/// others who do.
///
/// Dropping it closes it. Its path stays.
///
/// ```
/// use stormglass::net::UnixDatagram;
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let log = UnixDatagram::bind("/run/log")?;
///     let program = UnixDatagram::unbound()?;
///     program.send_to(b"hello", "/run/log").await?;
///     let mut buffer = [0; 100];
///     let (length, from) = log.recv_from(&mut buffer).await?;
///     assert!(from.is_unnamed());
///     std::io::Result::Ok(buffer[..length] == *b"hello")
/// });
/// assert!(outcome.unwrap().unwrap());
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    home: Home,
    id: SocketId,
}

impl UnixDatagram {
    /// Binds a socket on the running node. An empty path takes an abstract name that is free.
    ///
    /// # Errors
    /// `AddrInUse` if there is the path already, `InvalidInput` if it is too long or has a zero
    /// byte in it.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn bind<P>(path: P) -> io::Result<Self>
    where
        P: AsRef<Path>,
    {
        let name = UnixName::of_path(path.as_ref())?;
        let (home, id) = Home::make(|net, base, node| net.unix_datagram_bind(base, node, name))?;
        Ok(Self { home, id })
    }

    /// Two sockets without names, connected to each other.
    ///
    /// # Errors
    /// If the node has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (home, (one, other)) =
            Home::make(|net, base, node| Ok(net.unix_datagram_pair(base, node)))?;
        Ok((Self { home, id: one }, Self { home, id: other }))
    }

    /// A socket without a name, on the running node.
    ///
    /// # Errors
    /// If the node has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn unbound() -> io::Result<Self> {
        let (home, id) = Home::make(|net, base, node| Ok(net.unix_datagram(base, node)))?;
        Ok(Self { home, id })
    }

    /// Fixes the socket to which this one sends, and from which alone it receives.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`, `PermissionDenied` if the other is connected elsewhere,
    /// `InvalidInput` for what is no path, `EPROTOTYPE` if it is a listener's.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let name = UnixName::of_path(path.as_ref())?;
        self.home
            .call(|net, base| net.unix_datagram_connect(base, self.id, name))
    }

    /// Waits until one of what `interest` names is ready.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.poll_ready(cx, interest)).await
    }

    fn poll_ready(&self, cx: &Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let ready = self.ready_now(interest)?;
        if !ready.is_empty() {
            return Poll::Ready(Ok(ready));
        }
        // None of these is ready, and so the task is told when one is.
        if interest.is_writable() || interest.is_error() {
            let _pending = self
                .home
                .poll(cx, |net, _| net.unix_datagram_change(self.id))?;
        }
        if interest.is_readable() || interest.is_priority() {
            let _pending = self
                .home
                .poll(cx, |net, _| net.unix_datagram_arrival(self.id))?;
        }
        Poll::Pending
    }

    /// What is ready now of what `interest` names.
    fn ready_now(&self, interest: Interest) -> io::Result<Ready> {
        let is = (self.home).call(|net, _| net.unix_datagram_readiness(self.id))?;
        Ok(Ready::from(is).of_interest(interest))
    }

    /// Carries out `f` if something is ready of what `interest` names.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is ready, those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        if_ready(self.ready_now(interest)?, f)
    }

    /// Carries out `f` when something is ready of what `interest` names, and again as long as it
    /// says that it would block.
    ///
    /// # Errors
    /// Those of `f`; if the node has ended.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        when_ready(|cx| self.poll_ready(cx, interest), f).await
    }

    /// Waits until it is worth sending.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send_ready(cx)).await
    }

    /// As [`writable`](Self::writable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.unix_send_ready(self.id))
    }

    /// Waits until a datagram, or an error, can be received.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_recv_ready(cx)).await
    }

    /// As [`readable`](Self::readable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.unix_recv_ready(self.id))
    }

    /// Sends a datagram to the peer, and waits for room.
    ///
    /// # Errors
    /// `NotConnected`; `ConnectionRefused`, once, if the peer is closed; `BrokenPipe` after either
    /// side was shut down; `EMSGSIZE` above 212,960 bytes.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// Sends a datagram to the peer without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.home
            .attempt(|net, base| net.unix_send(base, self.id, buf, None))
    }

    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.home
            .poll(cx, |net, base| net.unix_send(base, self.id, buf, None))
    }

    /// Sends a datagram to the socket of a path, and waits for room.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and `BrokenPipe` and `EMSGSIZE` as with
    /// [`send`](Self::send).
    pub async fn send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        poll_fn(|cx| self.poll_send_to(cx, buf, &target)).await
    }

    /// Sends a datagram to the socket of a path without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`send_to`](Self::send_to).
    pub fn try_send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        let name = UnixName::of_path(target.as_ref())?;
        self.home
            .attempt(|net, base| net.unix_send(base, self.id, buf, Some(&name)))
    }

    /// As [`send_to`](Self::send_to).
    ///
    /// # Errors
    /// Those of [`send_to`](Self::send_to).
    pub fn poll_send_to<P>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>>
    where
        P: AsRef<Path>,
    {
        let name = UnixName::of_path(target.as_ref())?;
        self.home.poll(cx, |net, base| {
            net.unix_send(base, self.id, buf, Some(&name))
        })
    }

    /// Receives a datagram: how many bytes fit the buffer. What does not fit is lost.
    ///
    /// Cancel safe: no datagram is lost if the future is dropped.
    ///
    /// # Errors
    /// `ConnectionReset`, once, if the peer connected elsewhere.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// Receives a datagram without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_recv_from(buf)?.0)
    }

    /// As [`recv`](Self::recv).
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buf).map_ok(drop)
    }

    /// As [`recv`](Self::recv), and who sent it.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_take(cx, buf)).await
    }

    /// As [`try_recv`](Self::try_recv), and who sent it.
    ///
    /// # Errors
    /// Those of [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let take = self
            .home
            .attempt(|net, base| net.unix_recv(base, self.id, buf));
        take.map(|(length, from)| (length, SocketAddr::new(from)))
    }

    /// As [`recv`](Self::recv), behind what a buffer holds. What does not fit the buffer's next
    /// chunk is lost.
    ///
    /// Cancel safe: no datagram is lost if the future is dropped.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.recv_buf_from(buf).await?.0)
    }

    /// As [`recv_buf`](Self::recv_buf), and who sent it.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let take = poll_fn(|cx| (self.home).poll(cx, |net, base| self.take_into(net, base, buf)));
        let (length, from) = take.await?;
        Ok((length, SocketAddr::new(from)))
    }

    /// As [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.try_recv_buf_from(buf)?.0)
    }

    /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let take = (self.home).attempt(|net, base| self.take_into(net, base, buf));
        take.map(|(length, from)| (length, SocketAddr::new(from)))
    }

    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let (length, from) = ready!(self.poll_take(cx, buf.initialize_unfilled()))?;
        buf.advance(length);
        Poll::Ready(Ok(from))
    }

    /// The name of the socket.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let name = self.home.call(|net, _| net.unix_datagram_name(self.id))?;
        Ok(SocketAddr::new(name))
    }

    /// The name of the peer, which may be closed.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let name = self.home.call(|net, _| net.unix_datagram_peer(self.id))?;
        Ok(SocketAddr::new(name))
    }

    /// Takes the error that the next call would give.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.home.call(|net, _| net.unix_datagram_error(self.id))?;
        Ok(error.map(io::Error::from_raw_os_error))
    }

    /// Ends receiving, sending, or both.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.home
            .call(|net, base| net.unix_datagram_shutdown(base, self.id, how))
    }

    fn take_into<B: BufMut>(
        &self,
        net: &mut Fabric,
        base: &mut Base,
        buf: &mut B,
    ) -> io::Result<Answer<(usize, UnixName)>> {
        net.unix_recv_with(base, self.id, |bytes| {
            let length = bytes.len().min(buf.chunk_mut().len());
            buf.put_slice(&bytes[..length]);
            length
        })
    }

    fn poll_take(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let take = self
            .home
            .poll(cx, |net, base| net.unix_recv(base, self.id, buf));
        take.map_ok(|(length, from)| (length, SocketAddr::new(from)))
    }
}

impl Drop for UnixDatagram {
    fn drop(&mut self) {
        self.home
            .release(|net, base| net.unix_datagram_close(base, self.id));
    }
}
