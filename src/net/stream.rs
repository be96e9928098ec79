//! Connections.

use core::time::Duration;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::addr::{ToSocketAddrs, nowhere, resolve};
use super::handle::Home;
use super::parts::{READ_MAX_BYTES, joined, read_parts};
use super::ready::{Interest, Ready, if_ready, when_ready};
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::model::net::EndId;

/// A TCP connection: `tokio::net::TcpStream` on the simulated network.
///
/// Dropping it closes it: what was written is still sent, unless something received was not read,
/// in which case the peer is sent a reset.
///
/// ```
/// use stormglass::io::{AsyncReadExt, AsyncWriteExt};
/// use stormglass::net::{TcpListener, TcpStream};
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let listener = TcpListener::bind("127.0.0.1:80").await?;
///     let mut client = TcpStream::connect("localhost:80").await?;
///     client.write_all(b"hello").await?;
///     client.shutdown().await?;
///     let (mut server, _) = listener.accept().await?;
///     let mut text = String::new();
///     server.read_to_string(&mut text).await?;
///     std::io::Result::Ok(text)
/// });
/// assert_eq!(outcome.unwrap().unwrap(), "hello");
/// ```
#[derive(Debug)]
pub struct TcpStream {
    home: Home,
    id: EndId,
}

impl TcpStream {
    pub(super) const fn new(home: Home, id: EndId) -> Self {
        Self { home, id }
    }

    /// Connects from the running node, trying the addresses of `addr` in order.
    ///
    /// # Errors
    /// `ConnectionRefused` when nobody listens there; `TimedOut` after 127 s of silence, from a
    /// host that is down, cut off or does not exist; those of resolving.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let host = resolve(&addr);
        let mut result = Err(nowhere());
        for address in host.await? {
            result = Self::connect_to(address).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    async fn connect_to(address: SocketAddr) -> io::Result<Self> {
        let (home, id) = Home::make(|net, base, node| net.connect(base, node, address))?;
        // From here on the connection is given up if the future is dropped.
        let stream = Self { home, id };
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    pub(super) fn poll_connected(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.connected(self.id))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, _| net.local(self.id))
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` if the connection has failed.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, base| net.peer(base, self.id))
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
            let _pending = self.home.poll(cx, |net, _| net.arrival(self.id))?;
        }
        Poll::Pending
    }

    /// What is ready now of what `interest` names.
    fn ready_now(&self, interest: Interest) -> io::Result<Ready> {
        let is = self.home.call(|net, base| net.readiness(base, self.id))?;
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

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// As [`readable`](Self::readable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.readable(self.id))
    }

    /// As [`writable`](Self::writable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, base| net.writable(base, self.id))
    }

    /// Reads without waiting: how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.home.attempt(|net, base| net.read(base, self.id, buf))
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

    /// Writes without waiting: how many bytes were accepted.
    ///
    /// # Errors
    /// `WouldBlock`, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.home.attempt(|net, base| net.write(base, self.id, buf))
    }

    /// Reads without waiting, into one buffer after another: how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`, and those of reading.
    pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        read_parts(bufs, |bytes| self.try_read(bytes))
    }

    /// Writes without waiting, one buffer after another: how many bytes were accepted.
    ///
    /// # Errors
    /// `WouldBlock`, and those of writing.
    pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(&joined(bufs))
    }

    /// Waits for bytes and looks at them; they stay.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.home.poll(cx, |net, _| net.peek(self.id, buf))).await
    }

    /// As [`peek`](Self::peek).
    ///
    /// # Errors
    /// Those of reading.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let unfilled = buf.initialize_unfilled();
        let length = ready!(self.home.poll(cx, |net, _| net.peek(self.id, unfilled)))?;
        buf.advance(length);
        Poll::Ready(Ok(length))
    }

    /// Whether Nagle's algorithm is switched off.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.home.call(|net, _| Ok(net.options(self.id)?.nodelay))
    }

    /// Switches Nagle's algorithm off, which holds a write that does not fill a packet back while
    /// another such is not acknowledged.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        (self.home).call(|net, base| net.set_nodelay(base, self.id, nodelay))
    }

    /// Whether acknowledgements are sent at once. It is remembered and changes nothing: all are.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn quickack(&self) -> io::Result<bool> {
        self.home.call(|net, _| Ok(net.options(self.id)?.quickack))
    }

    /// Has acknowledgements sent at once. It is remembered and changes nothing: all are.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.home.call(|net, _| {
            net.options(self.id)
                .map(|options| options.quickack = quickack)
        })
    }

    /// How long closing lingers.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.home.call(|net, _| Ok(net.options(self.id)?.linger))
    }

    /// Sets how long closing lingers. Zero, and what rounds down to zero seconds, makes closing a
    /// reset; any other time is remembered and changes nothing.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.home.call(|net, _| {
            net.options(self.id)
                .map(|options| options.set_linger(linger))
        })
    }

    /// Makes closing a reset, which throws away what was not sent.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// How many routers a packet may pass. It is remembered and changes nothing.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn ttl(&self) -> io::Result<u32> {
        self.home
            .call(|net, _| Ok(net.options(self.id)?.ttl.into()))
    }

    /// Sets how many routers a packet may pass. It is remembered and changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.home.call(|net, _| net.options(self.id)?.set_ttl(ttl))
    }

    /// What ended the connection, if no call has told it yet; it is told once.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.home.call(|net, _| net.stream_error(self.id))?;
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
                .poll(cx, |net, base| net.read(base, self.id, unfilled))
        )?;
        buf.advance(length);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write_buffers(
        &self,
        cx: &Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_bytes(cx, &joined(bufs))
    }

    pub(super) fn poll_write_bytes(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.home
            .poll(cx, |net, base| net.write(base, self.id, buf))
    }

    pub(super) fn end_writing(&self) -> io::Result<()> {
        match self.home.call(|net, base| net.shutdown(base, self.id)) {
            // As tokio does: what has ended already needs no end.
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(()),
            result => result,
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_bytes(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
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

impl AsRef<Self> for TcpStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.home.release(|net, base| net.close(base, self.id));
    }
}
