//! A host's place in the network: its addresses, its ports, whether it is up.
//!
//! Owns which ports are taken and which comes next. It must never know what a socket does.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::addr::{overlap, receives, wildcard};
use super::slab::SocketId;
use super::{Effects, os_error};
use crate::kernel::{Choices, EntityKey, Point, Site};

/// Where the ephemeral ports of a node begin, drawn once for each boot.
const PORT: Site = Site::new("net.port");

// Linux: net.ipv4.ip_local_port_range.
const EPHEMERAL_FIRST: u16 = 32_768;
const EPHEMERAL_LAST: u16 = 60_999;

/// A simulated machine as the network sees it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) up: bool,
    /// How often the host has lost power. What was sent to an earlier boot does not arrive.
    pub(super) boot: u32,
    pub(super) udp: Ports,
    pub(super) tcp: Ports,
    ephemeral: Ephemeral,
}

/// The next ephemeral port. They are given out in sequence, so that a closed one rests longest.
#[derive(Debug)]
struct Ephemeral {
    point: Point,
    next: Option<u16>,
}

/// The ports of one protocol that are taken on a host, in order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Ports {
    taken: Vec<Binding>,
}

#[derive(Debug)]
struct Binding {
    port: u16,
    address: IpAddr,
    /// Who receives what comes to the port: nobody, if a connection to elsewhere holds it.
    socket: Option<SocketId>,
}

impl Host {
    pub(super) fn new(name: EntityKey, addresses: Vec<IpAddr>) -> Self {
        let ephemeral = Ephemeral {
            point: Choices::point(PORT, name),
            next: None,
        };
        Self {
            addresses,
            up: true,
            boot: 0,
            udp: Ports::default(),
            tcp: Ports::default(),
            ephemeral,
        }
    }

    /// Power is lost: every port is free, and the next boot counts from elsewhere.
    pub(super) fn forget(&mut self) {
        self.udp.taken.clear();
        self.tcp.taken.clear();
        self.ephemeral.next = None;
    }

    /// The address to bind, with a port of its own if it asked for any, checked to be free.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for an address that is not the host's, `EADDRINUSE`.
    pub(super) fn bindable<F: Effects>(
        &mut self,
        fx: &mut F,
        protocol: Protocol,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let ip = address.ip().to_canonical();
        let is_here = ip.is_unspecified() || ip.is_loopback() || self.addresses.contains(&ip);
        if !is_here {
            return Err(os_error(libc::EADDRNOTAVAIL));
        }
        if address.port() == 0 {
            let port = self.ephemeral_port(fx, protocol, address.ip());
            // Linux calls the lack of a port for bind an address in use.
            return Ok(SocketAddr::new(
                address.ip(),
                port.ok_or_else(|| os_error(libc::EADDRINUSE))?,
            ));
        }
        if self.ports(protocol).is_taken(address.ip(), address.port()) {
            return Err(os_error(libc::EADDRINUSE));
        }
        Ok(address)
    }

    /// An ephemeral port for a connection that leaves from `source`, taken until it is released.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when all are taken.
    pub(super) fn port_for_connection<F: Effects>(
        &mut self,
        fx: &mut F,
        source: IpAddr,
    ) -> io::Result<u16> {
        let any = wildcard(source);
        let port = self
            .ephemeral_port(fx, Protocol::Tcp, any)
            .ok_or_else(|| os_error(libc::EADDRNOTAVAIL))?;
        self.tcp.take(SocketAddr::new(any, port), None);
        Ok(port)
    }

    fn ephemeral_port<F: Effects>(
        &mut self,
        fx: &mut F,
        protocol: Protocol,
        address: IpAddr,
    ) -> Option<u16> {
        const COUNT: u16 = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
        let Ephemeral { point, next } = &mut self.ephemeral;
        let start = *next.get_or_insert_with(|| {
            let low = u64::from(EPHEMERAL_FIRST);
            let drawn = fx.choices().between(point, low, u64::from(EPHEMERAL_LAST));
            u16::try_from(drawn).expect("drawn between two ports")
        });
        let after = |tried| EPHEMERAL_FIRST + (start - EPHEMERAL_FIRST + tried) % COUNT;
        let ports = self.ports(protocol);
        let tried = (0..COUNT).find(|tried| !ports.is_taken(address, after(*tried)))?;
        self.ephemeral.next = Some(after(tried + 1));
        Some(after(tried))
    }

    const fn ports(&self, protocol: Protocol) -> &Ports {
        match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }
}

/// Which table of ports is meant: the two have nothing to do with each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Ports {
    /// Takes a port for a socket, or for a connection (`None`). It must be free.
    pub(super) fn take(&mut self, address: SocketAddr, socket: Option<SocketId>) {
        let (port, address) = (address.port(), address.ip());
        let at = self.taken.partition_point(|binding| binding.port <= port);
        self.taken.insert(
            at,
            Binding {
                port,
                address,
                socket,
            },
        );
    }

    /// Frees the port that this socket holds, or that a connection holds (`None`).
    pub(super) fn release(&mut self, port: u16, socket: Option<SocketId>) {
        let first = self.first(port);
        let held = self.taken[first..]
            .iter()
            .take_while(|binding| binding.port == port)
            .position(|binding| binding.socket == socket);
        if let Some(held) = held {
            self.taken.remove(first + held);
        }
    }

    /// The socket that receives what comes to a concrete address. There is at most one, since no
    /// two that overlap are bound.
    pub(super) fn find(&self, to: SocketAddr) -> Option<SocketId> {
        let mut bindings = self.of(to.port());
        bindings
            .find(|binding| receives(binding.address, to.ip()))?
            .socket
    }

    fn is_taken(&self, address: IpAddr, port: u16) -> bool {
        self.of(port)
            .any(|binding| overlap(binding.address, address))
    }

    fn of(&self, port: u16) -> impl Iterator<Item = &Binding> {
        self.taken[self.first(port)..]
            .iter()
            .take_while(move |binding| binding.port == port)
    }

    fn first(&self, port: u16) -> usize {
        self.taken.partition_point(|binding| binding.port < port)
    }
}
