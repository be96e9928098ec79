//! Stream sockets before they listen or connect.

use core::time::Duration;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use super::handle::Home;
use super::listener::TcpListener;
use super::stream::TcpStream;
use crate::model::net::{IpFamily, Options, Reuse, SocketId};

/// A TCP socket that has not been made a listener or a stream yet: `tokio::net::TcpSocket` on the
/// simulated network. With it a program sets options and its own address first.
///
/// Dropping it closes it.
///
/// ```
/// use stormglass::net::{TcpSocket, TcpStream};
///
/// let outcome = stormglass::sim::Builder::new().run(|_sim| async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseaddr(true)?;
///     socket.bind("127.0.0.1:80".parse().unwrap())?;
///     let listener = socket.listen(16)?;
///     let client = TcpSocket::new_v4()?;
///     client.bind("127.0.0.1:4000".parse().unwrap())?;
///     let _stream = client.connect(listener.local_addr()?).await?;
///     let (_, peer) = listener.accept().await?;
///     std::io::Result::Ok(peer.port())
/// });
/// assert_eq!(outcome.unwrap().unwrap(), 4000);
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    home: Home,
    id: SocketId,
}

impl TcpSocket {
    /// A socket for IPv4, on the running node.
    ///
    /// # Errors
    /// If the node has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn new_v4() -> io::Result<Self> {
        Self::open(IpFamily::V4)
    }

    /// A socket for IPv6, on the running node.
    ///
    /// # Errors
    /// If the node has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub fn new_v6() -> io::Result<Self> {
        Self::open(IpFamily::V6)
    }

    fn open(family: IpFamily) -> io::Result<Self> {
        let (home, id) = Home::make(|net, _, node| Ok(net.open(node, family)))?;
        Ok(Self { home, id })
    }

    /// Gives the socket an address; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `AddrInUse`, also while a connection of that port, or one that ended less than a minute ago,
    /// does not share it (see [`set_reuseaddr`](Self::set_reuseaddr)); `AddrNotAvailable`;
    /// `InvalidInput` if it has an address.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.home.call(|net, base| net.bind(base, self.id, addr))
    }

    /// Listens. `backlog` connections, and one more, may wait to be accepted; who asks beyond that
    /// gets no answer, and asks again.
    ///
    /// # Errors
    /// `AddrInUse` if another socket that shares the address listens.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let id = self
            .home
            .call(|net, base| net.listen_at(base, self.id, backlog))?;
        Ok(TcpListener::new(self.home, id))
    }

    /// Connects from the socket's address, an ephemeral port if it has none.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`]; `AddrNotAvailable` if there is such a connection, or was
    /// less than a minute ago.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let end = self
            .home
            .call(|net, base| net.connect_from(base, self.id, addr))?;
        // From here on the connection is given up if the future is dropped, and the stream keeps
        // what the socket was bound to.
        let stream = TcpStream::new(self.home, end);
        core::mem::forget(self);
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    /// The address of the socket; port 0 if it has none.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.home.call(|net, _| net.socket_local(self.id))
    }

    /// The socket's pending error: none, since nothing has happened to it yet.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.options().map(|_| None)
    }

    /// Shares the port with connections, and with sockets that do so too and do not listen: so that
    /// a server that starts again can listen while its last connections come to their end.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.set(|options| options.reuse = if reuseaddr { Reuse::Yes } else { Reuse::No })
    }

    /// Whether the port is shared.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.options()?.reuse == Reuse::Yes)
    }

    /// Has a peer that is quiet for two hours asked whether it is still there: nine times, 75 s
    /// apart, and then the connection has timed out.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.home
            .call(|net, _| net.set_keepalive(self.id, keepalive))
    }

    /// Whether a quiet peer is asked whether it is still there.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.options()?.keepalive)
    }

    /// Switches Nagle's algorithm off.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set(|options| options.nodelay = nodelay)
    }

    /// Whether Nagle's algorithm is switched off.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.options()?.nodelay)
    }

    /// Sets how long closing lingers. Zero makes closing a reset.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.set(|options| options.set_linger(linger))
    }

    /// Makes closing a reset, which throws away what was not sent.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// How long closing lingers.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.options()?.linger)
    }

    /// Sets how many bytes are kept until they are acknowledged: as on Linux twice what is asked
    /// for, half of which is for data, from 4,608 to 425,984.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.set(|options| options.set_send_buffer(size))
    }

    /// The size of the send buffer in bytes.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(self.options()?.send_buffer())
    }

    /// Sets how many bytes are taken before they are read: as on Linux twice what is asked for,
    /// half of which is for data, from 2,304 to 425,984.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.set(|options| options.set_receive_buffer(size))
    }

    /// The size of the receive buffer in bytes.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(self.options()?.receive_buffer())
    }

    /// The type of service of what is sent over IPv4 (`IP_TOS`). It is remembered and changes
    /// nothing.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.options()?.tos.into())
    }

    /// Sets the type of service of what is sent over IPv4 (`IP_TOS`). It is remembered and changes
    /// nothing.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.set(|options| options.set_tos(tos))
    }

    /// The traffic class of what is sent over IPv6 (`IPV6_TCLASS`). It is remembered and changes
    /// nothing.
    ///
    /// # Errors
    /// `Unsupported` for a socket of IPv4.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        (self.home).call(|net, _| net.traffic_class(self.id).map(u32::from))
    }

    /// Sets the traffic class of what is sent over IPv6 (`IPV6_TCLASS`). It is remembered and
    /// changes nothing.
    ///
    /// # Errors
    /// The system's `ENOPROTOOPT` for a socket of IPv4; `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        (self.home).call(|net, _| net.set_traffic_class(self.id, tclass))
    }

    fn options(&self) -> io::Result<Options> {
        self.home
            .call(|net, _| net.socket_options(self.id).copied())
    }

    fn set(&self, set: impl FnOnce(&mut Options)) -> io::Result<()> {
        self.home
            .call(|net, _| net.socket_options(self.id).map(set))
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        self.home.release(|net, _| net.close_socket(self.id));
    }
}
