//! Stream sockets before they listen or connect: they may have an address, and have options.
//!
//! Owns the rules of `bind`, `listen` and `connect` on such a socket. It must never know what a
//! connection does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::host::{Protocol, Reuse, Use};
use super::mutant::{self, Mutant};
use super::options::Options;
use super::{Effects, EndId, Fabric, SocketId, os_error, subject};
use crate::kernel::{Kind, NodeId};

/// A socket that neither listens nor is connected.
#[derive(Debug)]
pub(super) struct TcpSocket {
    node: NodeId,
    address: Option<SocketAddr>,
    /// The wildcard address of the socket's family.
    any: IpAddr,
    options: Options,
}

/// Which addresses a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpFamily {
    V4,
    V6,
}

impl IpFamily {
    pub(super) const fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

impl Fabric {
    /// Opens a socket without an address.
    pub(crate) fn open(&mut self, node: NodeId, family: IpFamily) -> SocketId {
        let any = match family {
            IpFamily::V4 => Ipv4Addr::UNSPECIFIED.into(),
            IpFamily::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        self.unconnected.insert(TcpSocket {
            node,
            address: None,
            any,
            options: Options::default(),
        })
    }

    /// The options of a socket.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn socket_options(&mut self, id: SocketId) -> io::Result<&mut Options> {
        let socket = self.unconnected.get_mut(id);
        Ok(&mut socket.ok_or_else(closed)?.options)
    }

    /// The `IPV6_TCLASS` of a socket.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for one of IPv4, `EBADF`.
    pub(crate) fn traffic_class(&self, id: SocketId) -> io::Result<u8> {
        let socket = self.unconnected.get(id).ok_or_else(closed)?;
        match socket.any {
            IpAddr::V6(_) => Ok(socket.options.traffic_class),
            IpAddr::V4(_) => Err(os_error(libc::EOPNOTSUPP)),
        }
    }

    /// Sets the `IPV6_TCLASS` of a socket.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for one of IPv4, `EINVAL`, `EBADF`.
    pub(crate) fn set_traffic_class(&mut self, id: SocketId, class: u32) -> io::Result<()> {
        let socket = self.unconnected.get_mut(id).ok_or_else(closed)?;
        match socket.any {
            IpAddr::V6(_) => socket.options.set_traffic_class(class),
            IpAddr::V4(_) => Err(os_error(libc::ENOPROTOOPT)),
        }
    }

    /// Whether a peer that is quiet is asked whether it is still there.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn set_keepalive(&mut self, id: SocketId, keepalive: bool) -> io::Result<()> {
        let options = self.socket_options(id)?;
        options.keepalive = keepalive && !mutant::is(Mutant::KeepaliveForgotten);
        Ok(())
    }

    /// Gives a socket an address; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `EINVAL` if it has one or is of IPv6 and the address of IPv4, `EAFNOSUPPORT` the other way
    /// round, `EADDRNOTAVAIL`, `EADDRINUSE`, `EBADF`.
    pub(crate) fn bind<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        address: SocketAddr,
    ) -> io::Result<()> {
        let socket = self.unconnected.get(id).ok_or_else(closed)?;
        match (socket.any, address.ip()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => return Err(os_error(libc::EAFNOSUPPORT)),
            (IpAddr::V6(_), IpAddr::V4(_)) => return Err(os_error(libc::EINVAL)),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {}
        }
        if socket.address.is_some() {
            return Err(os_error(libc::EINVAL));
        }
        let (node, mut reuse) = (socket.node, socket.options.reuse);
        if mutant::is(Mutant::ReuseAlways) {
            reuse = Reuse::Yes;
        }
        let host = self.host_mut(node);
        let address = host.bindable(fx, Protocol::Tcp, address, reuse)?;
        host.tcp.take(address, id, Use::Keeps, reuse);
        let socket = self.unconnected.get_mut(id).ok_or_else(closed)?;
        socket.address = Some(address);
        fx.record(Kind::SocketBound, node, subject(node, address), 0, &[]);
        Ok(())
    }

    /// The address of a socket: port 0 of the wildcard if it has none.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn socket_local(&self, id: SocketId) -> io::Result<SocketAddr> {
        let socket = self.unconnected.get(id).ok_or_else(closed)?;
        Ok(socket
            .address
            .unwrap_or_else(|| SocketAddr::new(socket.any, 0)))
    }

    /// Listens at the address of a socket, an ephemeral one if it has none: it becomes the
    /// listener. `backlog` connections, and one more, may wait to be accepted; who asks beyond that
    /// gets no answer, and asks again.
    ///
    /// # Errors
    /// `EADDRINUSE` if another that shares the address listens already, `EBADF`.
    pub(crate) fn listen_at<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        backlog: u32,
    ) -> io::Result<SocketId> {
        if self
            .unconnected
            .get(id)
            .is_some_and(|socket| socket.address.is_none())
        {
            let any = self.socket_local(id)?;
            self.bind(fx, id, any)?;
        }
        let address = self.socket_local(id)?;
        let socket = self.unconnected.get(id).ok_or_else(closed)?;
        let (node, options) = (socket.node, socket.options);
        if self.host(node).tcp.is_received_at(address) && !mutant::is(Mutant::ListenedAtTwice) {
            return Err(os_error(libc::EADDRINUSE));
        }
        self.close_socket(id);
        Ok(self.add_listener(fx, node, address, backlog, options))
    }

    /// Asks for a connection from a socket. An address that it was given is kept for as long as the
    /// program holds the connection.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EINVAL`; `EADDRNOTAVAIL` if there is such a connection, or was a minute
    /// ago, or all
    /// ephemeral ports are taken; those of a route; `EBADF`.
    pub(crate) fn connect_from<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        to: SocketAddr,
    ) -> io::Result<EndId> {
        let socket = self.unconnected.get(id).ok_or_else(closed)?;
        match (socket.any, to.ip()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => return Err(os_error(libc::EAFNOSUPPORT)),
            // The address is too short for one of IPv6.
            (IpAddr::V6(_), IpAddr::V4(_)) => return Err(os_error(libc::EINVAL)),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {}
        }
        let many = match to.ip().to_canonical() {
            IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_multicast(),
        };
        if many {
            return Err(os_error(libc::ENETUNREACH));
        }
        let (node, options) = (socket.node, socket.options);
        let bound = socket.address.map_or(socket.any, |address| address.ip());
        let own_port = socket.address.map(|address| address.port());
        let own = &self.host(node).addresses;
        let route = self.addresses.route(node, own, bound, to.ip())?;
        let target = SocketAddr::new(route.to, to.port());
        let host = self.host_mut(node);
        let source = match own_port {
            Some(port) => SocketAddr::new(route.source, port),
            None => {
                let port = host.port_for_connection(fx, route.source, target)?;
                SocketAddr::new(route.source, port)
            }
        };
        if host.flows.contains(fx.now(), source, target) {
            return Err(os_error(libc::EADDRNOTAVAIL));
        }
        let end = self.start_connection(fx, node, bound, (source, target), options);
        match own_port {
            Some(_) => self.held_mut(end)?.bound = Some(id),
            None => self.close_socket(id),
        }
        Ok(end)
    }

    /// Closes a socket and gives its address back; nothing if that was done before.
    pub(crate) fn close_socket(&mut self, id: SocketId) {
        let Some(socket) = self.unconnected.remove(id) else {
            return;
        };
        if let Some(address) = socket.address {
            let ports = &mut self.host_mut(socket.node).tcp;
            ports.release(address.port(), id, Use::Keeps);
        }
    }

    pub(super) fn close_unconnected_of(&mut self, node: NodeId) {
        for id in self.unconnected.ids_where(|socket| socket.node == node) {
            self.close_socket(id);
        }
    }
}

fn closed() -> io::Error {
    os_error(libc::EBADF)
}
