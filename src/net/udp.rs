//! Datagram sockets.

mod buffers;
mod options;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::addr::{ToSocketAddrs, resolve, try_each};
use super::handle::Home;
use super::ready::{Interest, Ready};
use crate::model::net::{SocketId, Take};

/// A UDP socket: `tokio::net::UdpSocket` on the simulated network.
///
/// Dropping it closes it. Of tokio's methods it lacks those that name a socket of the system or a
/// device: `from_std`, `into_std`, `as_fd` and the like, `device` and `bind_device`.
///
/// ```
/// use stormglass::net::UdpSocket;
///
/// let outcome = stormglass::sim::Builder::new().run(|sim| async move {
///     sim.node("server").run(|_| async {
///         let socket = UdpSocket::bind("0.0.0.0:7").await?;
///         let mut buffer = [0; 100];
///         let (length, from) = socket.recv_from(&mut buffer).await?;
///         socket.send_to(&buffer[..length], from).await?;
///         std::io::Result::Ok(())
///     });
///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
///     socket.connect("server:7").await?;
///     socket.send(b"hello").await?;
///     let mut buffer = [0; 100];
///     let length = socket.recv(&mut buffer).await?;
///     std::io::Result::Ok(buffer[..length] == *b"hello")
/// });
/// assert!(outcome.unwrap().unwrap());
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    home: Home,
    id: SocketId,
}

impl UdpSocket {
    /// Binds a socket on the running node; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of resolving; `InvalidInput` and `ENODEV` for the
    /// address of a group of IPv6 whose scope needs an interface.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let host = resolve(&addr);
        try_each(host, |address| {
            let (home, id) = Home::make(|net, base, node| net.udp_bind(base, node, address))?;
            Ok(Self { home, id })
        })
        .await
    }

    /// The address to which the socket is bound.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, _| net.udp_local(self.id))
    }

    /// The address to which the socket is connected.
    ///
    /// # Errors
    /// `NotConnected`, also if it is connected to port 0.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, _| net.udp_peer(self.id))
    }

    /// Fixes the address to which the socket sends, and from which alone it receives.
    ///
    /// # Errors
    /// `PermissionDenied` for a broadcast address without [`set_broadcast`](Self::set_broadcast),
    /// `NetworkUnreachable` and the like, and those of resolving.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let host = resolve(&addr);
        try_each(host, |address| {
            self.home.call(|net, _| net.udp_connect(self.id, address))
        })
        .await
    }

    /// Waits until one of what `interest` names is ready.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.poll_ready(cx, interest)).await
    }

    fn poll_ready(&self, cx: &Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let is = self.home.call(|net, _| net.udp_readiness(self.id))?;
        let ready = Ready::from(is).of_interest(interest);
        if ready.is_empty() {
            let _pending = self.home.poll(cx, |net, _| net.udp_arrival(self.id))?;
            return Poll::Pending;
        }
        Poll::Ready(Ok(ready))
    }

    /// Waits until a datagram can be sent, which it always can.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send_ready(cx)).await
    }

    /// Waits until a datagram, or an error, can be received.
    ///
    /// # Errors
    /// If the node has ended.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_recv_ready(cx)).await
    }

    /// As [`writable`](Self::writable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_send_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.local_addr().map(drop))
    }

    /// As [`readable`](Self::readable).
    ///
    /// # Errors
    /// If the node has ended.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.home.poll(cx, |net, _| net.udp_readable(self.id))
    }

    /// Sends a datagram to the connected address.
    ///
    /// # Errors
    /// `EDESTADDRREQ` if the socket is not connected, `EMSGSIZE` above 65,507 bytes with IPv4 and
    /// 65,527 with IPv6, `ConnectionRefused` if an earlier datagram found nobody.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_send(buf)
    }

    /// As [`send`](Self::send); it is always ready.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn poll_send(&self, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_send(buf))
    }

    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.home.call(|net, base| net.udp_send(base, self.id, buf))
    }

    /// Sends a datagram to an address, the first that `target` resolves to: to one node, to all, or
    /// to those that joined a group.
    ///
    /// # Errors
    /// `EMSGSIZE` above 65,507 bytes with IPv4 and 65,527 with IPv6, `InvalidInput` for port 0,
    /// `PermissionDenied` for a broadcast without [`set_broadcast`](Self::set_broadcast),
    /// `NetworkUnreachable` and the like, and those of resolving.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let host = resolve(&target);
        match host.await?.first() {
            Some(address) => self.try_send_to(buf, *address),
            None => {
                let text = "no addresses to send data to";
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }

    /// As [`send_to`](Self::send_to); it is always ready.
    ///
    /// # Errors
    /// Those of [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        _cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_send_to(buf, target))
    }

    /// As [`send_to`](Self::send_to).
    ///
    /// # Errors
    /// Those of [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.home
            .call(|net, base| net.udp_send_to(base, self.id, buf, target))
    }

    /// Receives a datagram; what does not fit the buffer is lost.
    ///
    /// Cancel safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// `ConnectionRefused` if a datagram sent to the connected address found nobody.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// As [`recv`](Self::recv).
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_recv_from(cx, buf))?;
        Poll::Ready(Ok(()))
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_recv_from(buf)?.0)
    }

    /// Receives a datagram and its sender; what does not fit the buffer is lost.
    ///
    /// Cancel safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// `ConnectionRefused` if a datagram sent to the connected address found nobody.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_take(cx, buf, Take::Remove)).await
    }

    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_take_into(cx, buf, Take::Remove)
    }

    /// As [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.home
            .attempt(|net, _| net.udp_recv_from(self.id, buf, Take::Remove))
    }

    /// Looks at the next datagram from the connected address, which stays.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.peek_from(buf).await?.0)
    }

    /// Looks at the next datagram and its sender; it stays.
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_take(cx, buf, Take::Peek)).await
    }

    /// As [`peek_from`](Self::peek_from).
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_take_into(cx, buf, Take::Peek)
    }

    /// As [`peek_from`](Self::peek_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.home
            .attempt(|net, _| net.udp_recv_from(self.id, buf, Take::Peek))
    }

    /// As [`peek`](Self::peek).
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_peek_from(cx, buf))?;
        Poll::Ready(Ok(()))
    }

    /// As [`peek`](Self::peek), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_peek_from(buf)?.0)
    }

    /// Looks who sent the next datagram, which stays.
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        poll_fn(|cx| self.poll_peek_sender(cx)).await
    }

    /// As [`peek_sender`](Self::peek_sender).
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let (_, sender) = ready!(self.poll_take(cx, &mut [], Take::Peek))?;
        Poll::Ready(Ok(sender))
    }

    /// As [`peek_sender`](Self::peek_sender), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.try_peek_from(&mut [])?.1)
    }

    /// Takes the error that the next call would give.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.home.call(|net, _| net.udp_take_error(self.id))
    }

    fn poll_take(
        &self,
        cx: &Context<'_>,
        buf: &mut [u8],
        take: Take,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.home
            .poll(cx, |net, _| net.udp_recv_from(self.id, buf, take))
    }

    fn poll_take_into(
        &self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        take: Take,
    ) -> Poll<io::Result<SocketAddr>> {
        let (length, from) = ready!(self.poll_take(cx, buf.initialize_unfilled(), take))?;
        buf.advance(length);
        Poll::Ready(Ok(from))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.home.release(|net, base| net.udp_close(base, self.id));
    }
}
