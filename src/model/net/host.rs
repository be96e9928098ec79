//! A host's place in the network: its addresses, its ports, whether it is up.
//!
//! Owns which ports are taken and which comes next. It must never know what a socket does.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::addr::{Reach, overlap, receives};
use super::flows::Flows;
use super::slab::SocketId;
use super::unix::Names;
use super::{Effects, os_error};
use crate::kernel::{Choices, EntityKey, Point, SimTime, Site};

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
    pub(super) udp: Ports,
    pub(super) tcp: Ports,
    pub(super) flows: Flows,
    /// Of Unix sockets. They outlast a loss of power, as files do.
    pub(super) names: Names,
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
    socket: SocketId,
    use_of: Use,
    reuse: Reuse,
}

/// What a socket has a port for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It receives what comes to the port.
    Receives,
    /// It keeps the port, for a connection or for later.
    Keeps,
}

/// Whether a socket of streams shares its port with others that would: `SO_REUSEADDR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It does not.
    #[default]
    No,
    /// It does, with all that do and do not listen.
    Yes,
}

impl Reuse {
    pub(super) const fn allowed(self) -> bool {
        matches!(self, Self::Yes)
    }
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
            udp: Ports::default(),
            tcp: Ports::default(),
            flows: Flows::default(),
            names: Names::default(),
            ephemeral,
        }
    }

    /// Power is lost: every port is free, and the next boot counts from elsewhere.
    pub(super) fn forget(&mut self) {
        self.udp.taken.clear();
        self.tcp.taken.clear();
        self.flows.clear();
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
        reuse: Reuse,
    ) -> io::Result<SocketAddr> {
        let ip = address.ip().to_canonical();
        let is_here = ip.is_unspecified() || ip.is_loopback() || self.addresses.contains(&ip);
        let is_for_many = protocol == Protocol::Udp && Reach::of(ip) != Reach::One;
        if !is_here && !is_for_many {
            return Err(os_error(libc::EADDRNOTAVAIL));
        }
        if address.port() == 0 {
            let now = fx.now();
            let port = self.ephemeral_port(fx, |host, port| {
                host.is_free(
                    now,
                    protocol,
                    SocketAddr::new(address.ip(), port),
                    Reuse::No,
                )
            });
            // Linux calls the lack of a port for bind an address in use.
            return Ok(SocketAddr::new(
                address.ip(),
                port.ok_or_else(|| os_error(libc::EADDRINUSE))?,
            ));
        }
        if !self.is_free(fx.now(), protocol, address, reuse) {
            return Err(os_error(libc::EADDRINUSE));
        }
        Ok(address)
    }

    /// An ephemeral port for a connection from the address `source` to `peer`. Ports are shared by
    /// connections to different peers.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when all are taken.
    pub(super) fn port_for_connection<F: Effects>(
        &mut self,
        fx: &mut F,
        source: IpAddr,
        peer: SocketAddr,
    ) -> io::Result<u16> {
        let now = fx.now();
        self.ephemeral_port(fx, |host, port| {
            let local = SocketAddr::new(source, port);
            !host
                .tcp
                .of(port)
                .any(|binding| overlap(binding.address, source))
                && !host.flows.contains(now, local, peer)
        })
        .ok_or_else(|| os_error(libc::EADDRNOTAVAIL))
    }

    fn ephemeral_port<F: Effects>(
        &mut self,
        fx: &mut F,
        mut is_free: impl FnMut(&mut Self, u16) -> bool,
    ) -> Option<u16> {
        const COUNT: u16 = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
        let Ephemeral { point, next } = &mut self.ephemeral;
        let start = *next.get_or_insert_with(|| {
            let low = u64::from(EPHEMERAL_FIRST);
            let drawn = fx.choices().between(point, low, u64::from(EPHEMERAL_LAST));
            u16::try_from(drawn).expect("drawn between two ports")
        });
        let after = |tried| EPHEMERAL_FIRST + (start - EPHEMERAL_FIRST + tried) % COUNT;
        let tried = (0..COUNT).find(|tried| is_free(self, after(*tried)))?;
        self.ephemeral.next = Some(after(tried + 1));
        Some(after(tried))
    }

    fn is_free(
        &mut self,
        now: SimTime,
        protocol: Protocol,
        address: SocketAddr,
        reuse: Reuse,
    ) -> bool {
        match protocol {
            Protocol::Udp => !self.udp.is_taken(address, reuse),
            Protocol::Tcp => {
                !self.tcp.is_taken(address, reuse) && !self.flows.prevents(now, address, reuse)
            }
        }
    }
}

/// Which table of ports is meant: the two have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Ports {
    /// Takes a port for a socket. It must be free.
    pub(super) fn take(
        &mut self,
        address: SocketAddr,
        socket: SocketId,
        use_of: Use,
        reuse: Reuse,
    ) {
        let port = address.port();
        let at = self.taken.partition_point(|binding| binding.port <= port);
        let binding = Binding {
            port,
            address: address.ip(),
            socket,
            use_of,
            reuse,
        };
        self.taken.insert(at, binding);
    }

    /// Frees the port that a socket has for this use.
    pub(super) fn release(&mut self, port: u16, socket: SocketId, use_of: Use) {
        let first = self.first(port);
        let held = self.taken[first..]
            .iter()
            .take_while(|binding| binding.port == port)
            .position(|binding| (binding.socket, binding.use_of) == (socket, use_of));
        if let Some(held) = held {
            self.taken.remove(first + held);
        }
    }

    /// The socket that receives what comes to a concrete address. There is at most one, since no
    /// two that overlap are bound.
    pub(super) fn find(&self, to: SocketAddr) -> Option<SocketId> {
        let mut bindings = self.of(to.port());
        let found = bindings.find(|binding| {
            binding.use_of == Use::Receives && receives(binding.address, to.ip())
        })?;
        Some(found.socket)
    }

    /// Whether a socket receives what comes to an address, or to a part of it.
    pub(super) fn is_received_at(&self, address: SocketAddr) -> bool {
        self.of(address.port()).any(|binding| {
            binding.use_of == Use::Receives && overlap(binding.address, address.ip())
        })
    }

    /// Whether a socket that would share this address is in the way: one that receives shares with
    /// nobody.
    fn is_taken(&self, address: SocketAddr, reuse: Reuse) -> bool {
        self.of(address.port()).any(|binding| {
            let shares = reuse.allowed() && binding.reuse.allowed() && binding.use_of == Use::Keeps;
            overlap(binding.address, address.ip()) && !shares
        })
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
