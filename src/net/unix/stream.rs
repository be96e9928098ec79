//! Connections.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::handle::Home;
use super::super::parts::{READ_MAX_BYTES, joined, read_parts};
use super::super::ready::{Interest, Ready, if_ready, when_ready};
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::{SocketAddr, UCred};
use crate::model::net::{Partial, SocketId, UnixName};

/// A connection of Unix sockets: `tokio::net::UnixStream` on the simulated node.
///
/// Dropping it closes it: what was written can still be read, and a peer of which something was not
/// read is told by a reset.
///
/// ```
/// use stormglass::io::{AsyncReadExt, AsyncWriteExt};
/// use stormglass::net::UnixStream;
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let (mut one, mut other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     drop(one);
///     let mut text = String::new();
///     other.read_to_string(&mut text).await?;
///     std::io::Result::Ok(text)
/// });
/// assert_eq!(outcome.unwrap().unwrap(), "hello");
/// ```
#[derive(Debug)]
pub struct UnixStream {
    home: Home,
    id: SocketId,
}

impl UnixStream {
    pub(super) const fn new(home: Home, id: SocketId) -> Self {
        Self { home, id }
    }

    /// Connects to a listener of the running node. A path that begins with a zero byte is an
    /// abstract name.
    ///
    /// # Errors
    /// `NotFound` if there is no such path; `ConnectionRefused` if nobody listens there any more;
    /// `WouldBlock` if so many connections wait there that no more can; `InvalidInput` for what is
    /// no path; `EPROTOTYPE` if it is a datagram socket's.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub async fn connect<P>(path: P) -> io::Result<Self>
    where
        P: AsRef<Path>,
    {
        Self::connect_to(UnixName::of(path.as_ref())?)
    }

    /// As [`connect`](Self::connect), by an address.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect); `InvalidInput` for an address without a name.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[expect(clippy::unused_async, reason = "tokio's signature")]
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        Self::connect_to(socket_addr.name())
    }

    fn connect_to(name: UnixName) -> io::Result<Self> {
        let (home, id) = Home::make(|net, base, node| net.unix_connect(base, node, name))?;
        Ok(Self { home, id })
    }

    /// Two streams without names, connected to each other.
    ///
    /// # Errors
    /// If the node has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (home, (one, other)) = Home::make(|net, base, node| Ok(net.unix_pair(base, node)))?;
        Ok((Self::new(home, one), Self::new(home, other)))
    }

    /// Waits until one of what `interest` names is ready.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.poll_ready(cx, interest)).await
    }

    fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let ready = self.ready_now(interest)?;
        if !ready.is_empty() {
            return Poll::Ready(Ok(ready));
        }
        // None of these is ready, and so the task is told when one is.
        if interest.is_writable() {
            let _pending = self.poll_write_ready(cx)?;
        }
        if interest != Interest::WRITABLE {
            let _pending = self.home.poll(cx, |net, _| net.unix_arrival(self.id))?;
        }
        Poll::Pending
    }

    /// What is ready now of what `interest` names.
    fn ready_now(&self, interest: Interest) -> io::Result<Ready> {
        let is = self.home.call(|net, _| net.unix_readiness(self.id))?;
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

    /// Waits until a read would not wait: there are bytes, or the end, or an error.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    /// As [`readable`](Self::readable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.unix_readable(self.id))
    }

    /// Reads without waiting: how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.home
            .attempt(|net, base| net.unix_read(base, self.id, buf))
    }

    /// Reads without waiting, into the buffer's next chunk: how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`, and those of reading.
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let mut bytes = [0; READ_MAX_BYTES];
        let wanted = buf.chunk_mut().len().min(bytes.len());
        let length = self.try_read(&mut bytes[..wanted])?;
        buf.put_slice(&bytes[..length]);
        Ok(length)
    }

    /// Reads without waiting, into one buffer after another: how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`, and those of reading.
    pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        read_parts(bufs, |bytes| self.try_read(bytes))
    }

    /// Waits until a write would not wait: there is room, or an error.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// As [`writable`](Self::writable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.unix_writable(self.id))
    }

    /// Writes without waiting: how many bytes were accepted.
    ///
    /// # Errors
    /// `WouldBlock`, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.home
            .attempt(|net, base| net.unix_write(base, self.id, buf, Partial::TellsNothing))
    }

    /// Writes without waiting, one buffer after another: how many bytes were accepted.
    ///
    /// # Errors
    /// `WouldBlock`, and those of writing.
    pub fn try_write_vectored(&self, buf: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(&joined(buf))
    }

    /// The name of this end.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let name = self.home.call(|net, _| net.unix_name(self.id))?;
        Ok(SocketAddr::new(name))
    }

    /// The name of the other end, which may be closed.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let name = self.home.call(|net, _| net.unix_peer_name(self.id))?;
        Ok(SocketAddr::new(name))
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        self.peer_addr().map(|_| UCred::ROOT)
    }

    /// What ended the connection, if no call has told it yet; it is told once.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.home.call(|net, _| net.unix_error(self.id))?;
        Ok(error.map(io::Error::from_raw_os_error))
    }

    /// Splits the stream into halves that borrow it.
    pub const fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Splits the stream into halves that own it. Dropping the writing half ends what is written;
    /// the stream is closed with the second half.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    pub(super) fn poll_read_bytes(
        &self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = buf.initialize_unfilled();
        let length = ready!(
            self.home
                .poll(cx, |net, base| net.unix_read(base, self.id, unfilled))
        )?;
        buf.advance(length);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write_bytes(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.home.poll(cx, |net, base| {
            net.unix_write(base, self.id, buf, Partial::IsFull)
        })
    }

    pub(super) fn poll_write_buffers(
        &self,
        cx: &Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.home.poll(cx, |net, base| {
            net.unix_write(base, self.id, &joined(bufs), Partial::TellsNothing)
        })
    }

    pub(super) fn end_writing(&self) -> io::Result<()> {
        self.home.call(|net, base| net.unix_shutdown(base, self.id))
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_bytes(cx, buf)
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_bytes(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_buffers(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is held back, so there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end_writing())
    }
}

impl AsRef<Self> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Drop for UnixStream {
    fn drop(&mut self) {
        self.home.release(|net, base| net.unix_close(base, self.id));
    }
}
