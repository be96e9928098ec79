//! What a program sets on a datagram socket, and the groups that it joins.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use crate::model::net::UdpOptions;

impl UdpSocket {
    /// Whether the socket may send to a broadcast address: `SO_BROADCAST`.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.option(|options| Ok(options.broadcast))
    }

    /// Allows the socket to send to 255.255.255.255, which means all nodes of the simulation, or to
    /// 127.255.255.255, its own.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.option(|options| {
            options.broadcast = on;
            Ok(())
        })
    }

    /// Whether what the socket sends to a group comes to its own host: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.option(|options| Ok(options.multicast_loop_v4))
    }

    /// Has what the socket sends to a group come to its own host, or not. As on Linux this does
    /// nothing at the loopback interface, nor on a socket of IPv6, whose
    /// [own option](Self::set_multicast_loop_v6) counts for groups of IPv4 too.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.option(|options| {
            options.multicast_loop_v4 = on;
            Ok(())
        })
    }

    /// How far what the socket sends to a group of IPv4 goes: `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.option(|options| Ok(options.multicast_ttl_v4()))
    }

    /// Sets how far what the socket sends to a group of IPv4 goes: with 0 it stays in the host,
    /// with more it reaches all nodes.
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.option(|options| options.set_multicast_ttl_v4(ttl))
    }

    /// As [`multicast_loop_v4`](Self::multicast_loop_v4), of a socket of IPv6.
    ///
    /// # Errors
    /// `Unsupported` for a socket of IPv4.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.option(|options| options.multicast_loop_v6())
    }

    /// Has what the socket sends to a group come to its own host, or not.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.option(|options| options.set_multicast_loop_v6(on))
    }

    /// The class of what the socket sends by IPv6: `IPV6_TCLASS`.
    ///
    /// # Errors
    /// `Unsupported` for a socket of IPv4.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.option(|options| options.tclass_v6())
    }

    /// Sets the class of what the socket sends by IPv6, which changes nothing.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        self.option(|options| options.set_tclass_v6(tclass))
    }

    /// How many networks a datagram may cross: `IP_TTL`.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn ttl(&self) -> io::Result<u32> {
        self.option(|options| Ok(options.ttl()))
    }

    /// Sets how many networks a datagram may cross, which changes nothing: there is one.
    ///
    /// # Errors
    /// `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.option(|options| options.set_ttl(ttl))
    }

    /// The type of service of what the socket sends by IPv4: `IP_TOS`.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.option(|options| Ok(options.tos()))
    }

    /// Sets the type of service, which changes nothing. Of the number the lowest byte counts.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.option(|options| {
            options.set_tos(tos);
            Ok(())
        })
    }

    /// As [`tos_v4`](Self::tos_v4).
    ///
    /// # Errors
    /// If the node has ended.
    #[deprecated(note = "renamed to `tos_v4`, as in tokio")]
    #[doc(hidden)]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// As [`set_tos_v4`](Self::set_tos_v4).
    ///
    /// # Errors
    /// If the node has ended.
    #[deprecated(note = "renamed to `set_tos_v4`, as in tokio")]
    #[doc(hidden)]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// Joins a group at the interface that has the address `interface`: 0.0.0.0 and the node's own
    /// mean the network, 127.0.0.1 the loopback.
    ///
    /// While any socket of a node is in a group, each that is bound to the port at the wildcard or
    /// at the group's address receives what is sent there, whether or not it joined, as on Linux
    /// (`IP_MULTICAST_ALL`). The socket leaves when it is dropped, or its node ends.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::time::Duration;
    /// use stormglass::net::UdpSocket;
    /// use stormglass::time::sleep;
    ///
    /// const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
    ///
    /// let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    ///     let members = ["a", "b"].map(|name| {
    ///         sim.node(name).run(|_| async {
    ///             let socket = UdpSocket::bind("0.0.0.0:7").await?;
    ///             socket.join_multicast_v4(GROUP, Ipv4Addr::UNSPECIFIED)?;
    ///             let mut data = Vec::with_capacity(100);
    ///             let (_, from) = socket.recv_buf_from(&mut data).await?;
    ///             socket.send_to(&data, from).await.map(drop)
    ///         })
    ///     });
    ///     sleep(Duration::from_millis(1)).await;
    ///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
    ///     socket.send_to(b"who is there?", (GROUP, 7)).await?;
    ///     let mut answers = Vec::new();
    ///     for _ in members {
    ///         let (_, from) = socket.recv_from(&mut [0; 100]).await?;
    ///         answers.push(from.ip());
    ///     }
    ///     answers.sort();
    ///     let mut all = members.map(|node| node.address());
    ///     all.sort();
    ///     std::io::Result::Ok(answers == all)
    /// });
    /// assert!(outcome.unwrap().unwrap());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if `multiaddr` is no group, `ENODEV` if `interface` is not the node's,
    /// `AddrInUse` if the socket is in the group, `ENOBUFS` if it is in 20 others.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.home
            .call(|net, _| net.udp_join_v4(self.id, multiaddr, interface))
    }

    /// Joins a group at the interface of an index: 0 and 2 mean the network, 1 the loopback.
    /// Otherwise as [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `InvalidInput` if `multiaddr` is no group, `AddrInUse`
    /// if the socket is in it, `ENODEV` if there is no such interface or the node has no address of
    /// IPv6.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.home
            .call(|net, _| net.udp_join_v6(self.id, multiaddr, interface))
    }

    /// Leaves a group that was joined at the same interface.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the socket is not in it.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.home
            .call(|net, _| net.udp_leave_v4(self.id, multiaddr, interface))
    }

    /// Leaves a group that was joined at the same interface, or with 0 at any.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `InvalidInput` if `multiaddr` is no group,
    /// `AddrNotAvailable` if the socket is not in it.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.home
            .call(|net, _| net.udp_leave_v6(self.id, multiaddr, interface))
    }

    fn option<T>(&self, option: impl FnOnce(&mut UdpOptions) -> io::Result<T>) -> io::Result<T> {
        self.home
            .call(|net, _| net.udp_options(self.id).and_then(option))
    }
}
