//! A network as a state machine: hosts, datagrams, ordered byte streams, links and their faults,
//! and the Unix sockets of each host.
//!
//! Owns every socket, every packet in flight and the links between hosts. It takes the time as an
//! argument, asks for timers and wake-ups through [`Effects`], and must never know a future, a task
//! or a program.
//!
//! A call that cannot finish answers with the [`Token`] on which to wait; who waits, and how, is
//! not known here.
//!
//! # Fidelity
//! Streams have no congestion control: a sender sends what the receiver's window allows, and on a
//! link with a bandwidth waits for its turn. Segments of one write travel together, in two packets
//! at most, unless the link may lose them. Acknowledgements are never delayed, so that Nagle's rule
//! holds a small write back for one round trip and no longer; they travel and are lost as packets
//! are, yet are not among those that a hold lists.
//!
//! What arrives behind a gap is kept, and what is missing before it is sent again as soon as the
//! sender hears of it; of a gap behind the one of which it hears it may know up to half a round
//! trip early. What is lost at the end of what was sent, and what is lost again, waits for the
//! retransmission timer: the probe that Linux sends after two round trips is missing. The timer is
//! 200 ms and the round trip of the handshake, whatever the later ones are. A sender before a
//! closed window asks whether it still is only where packets may be lost, or while a fault keeps
//! the question or the answer away: elsewhere what is answered tells it nothing that it does not
//! hear anyway, but that a window is open by less than half. A connection is given up after 15 such
//! waits, after nine questions of keep-alive, and without a program a minute after its end has
//! arrived.
//!
//! A packet in flight when its link is cut is lost if the link is still cut at its arrival. One in
//! flight when its receiver dies comes to whatever it finds: addresses say for whom a packet is,
//! and no network knows of restarts. So an old datagram comes to the next program that binds its
//! port, an old asking for a connection to the next that listens there, and what belongs to a
//! connection that the host has forgotten is answered with a reset. Only while its host is down a
//! packet is lost.
//!
//! All hosts are on one network without parts: 255.255.255.255 means each of them, and no other
//! address but 127.255.255.255, within a host, is a broadcast. A host has two interfaces: `lo`, of
//! index 1, and that of the network, of index 2, which for groups of IPv6 needs an address of IPv6.
//! A datagram for many is a copy for each host that is meant when it is sent, and each copy crosses
//! its own link; a member that joins while a copy is in flight does not get it. No word of joining
//! and leaving travels (IGMP, MLD), sources are not told apart, a TTL other than 0 reaches all, and
//! the scope of a group of IPv6 matters only where it stays in the host. A port has one socket that
//! receives, since tokio's datagram sockets cannot share one (`SO_REUSEADDR`). Addresses are shown
//! without the index of their interface.

mod addr;
mod burdens;
mod connection;
mod dns;
mod faults;
mod filter;
mod flow;
mod flows;
mod gaps;
mod handshake;
mod host;
mod kept;
mod link;
mod link_fault;
mod links;
mod mangle;
mod map;
mod marks;
mod mutant;
mod options;
mod pipe;
mod quiet;
mod recovery;
mod slab;
mod socket;
mod stream;
pub(crate) mod topology;
mod trouble;
mod udp;
mod unix;
mod wire;

#[cfg(test)]
mod tests;

use core::mem::size_of;
use std::io;
use std::net::{IpAddr, SocketAddr};

pub(crate) use connection::EndId;
pub use dns::{AddressOrder, DnsConfig};
pub(crate) use dns::{Failing, Lookup};
pub use filter::{PacketFilter, PacketKind};
pub(crate) use host::Reuse;
pub(crate) use kept::InFlight;
pub use link::{Bandwidth, LinkConfig, LinkError, QueueDrop};
pub(crate) use link_fault::{LinkFault, Pair};
#[cfg(feature = "mutants")]
pub use mutant::{Mutant, with_mutant};
pub(crate) use options::Options;
pub(crate) use slab::SocketId;
pub(crate) use socket::IpFamily;
pub(crate) use stream::Readiness;
pub(crate) use trouble::LinkFaultId;
pub(crate) use udp::{Take, UdpOptions};
pub(crate) use unix::{Partial, UnixName};

use self::addr::Addresses;
use self::connection::Connection;
use self::dns::Names;
use self::handshake::Listener;
use self::host::Host;
use self::kept::Kept;
use self::marks::Marks;
use self::slab::Slab;
use self::socket::TcpSocket;
use self::udp::{Groups, Packets, UdpSocket};
use self::wire::Wire;
pub(crate) use super::surroundings::{Answer, Token};
use super::surroundings::{Signal, Surroundings};
use crate::kernel::{EntityKey, EventKey, FaultCounters, NodeId, SimTime};

/// What the network asks of the world around it.
pub(crate) trait Effects: Surroundings {
    /// Has `event` given to [`Fabric::handle`] at that time.
    fn schedule(&mut self, at: SimTime, event: NetEvent) -> EventKey;
}

/// What happens in the network at some time. Carries ids; what they name is kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetEvent {
    /// A datagram arrives.
    Datagram { packet: u32 },
    /// The word that nobody listens arrives at the sender of a datagram.
    Unreachable {
        socket: SocketId,
        by: NodeId,
        marks: Marks,
    },
    /// The asking of a connection arrives.
    Syn { connection: SocketId, marks: Marks },
    /// The answer to it arrives.
    SynAck { connection: SocketId, marks: Marks },
    /// The answer to that arrives.
    Established { connection: SocketId, marks: Marks },
    /// The timer of an end fires: for its handshake, or because the connection is quiet.
    Timer { end: EndId },
    /// Bytes arrive that this end sent, in the packet of that number.
    Segment { sender: EndId, serial: u32 },
    /// Word of what arrived comes to the end that sent it.
    Acknowledgement { sender: EndId },
    /// This end sends again what was lost.
    Retransmit { sender: EndId },
    /// Word of what arrived behind a gap comes to the end that sent it.
    Recover { sender: EndId },
    /// It is this end's turn to send on a link with a queue.
    Pace { sender: EndId },
    /// The question whether it is still there arrives at the peer of this end.
    Probe { sender: EndId },
    /// A reset arrives at this end.
    Reset { receiver: EndId, marks: Marks },
    /// A connection that waited longer than others may be accepted.
    Acceptable { listener: SocketId },
    /// A link that flaps turns.
    Turn { fault: LinkFaultId, on: bool },
    /// The name server's answer arrives.
    NameAnswered { lookup: SocketId },
}

const _: () = assert!(
    size_of::<NetEvent>() <= 24,
    "events are moved around in the queue"
);

impl NetEvent {
    /// What faults did to the packet that arrives; `None` if that is kept with what it carries, or
    /// the event is none.
    const fn marks_mut(&mut self) -> Option<&mut Marks> {
        match self {
            Self::Unreachable { marks, .. }
            | Self::Syn { marks, .. }
            | Self::SynAck { marks, .. }
            | Self::Established { marks, .. }
            | Self::Reset { marks, .. } => Some(marks),
            _ => None,
        }
    }
}

/// How a node's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process died; its kernel closes its sockets, and the peers hear of it.
    Kill,
    /// Power was lost; nobody hears anything.
    Crash,
}

/// All hosts, sockets and links of a world.
#[derive(Debug)]
pub(crate) struct Fabric {
    hosts: Vec<Option<Host>>,
    addresses: Addresses,
    names: Names,
    wire: Wire,
    kept: Kept,
    sockets: Slab<UdpSocket>,
    packets: Packets,
    groups: Groups,
    listeners: Slab<Listener>,
    /// Stream sockets that neither listen nor are connected.
    unconnected: Slab<TcpSocket>,
    connections: Slab<Connection>,
    unix: unix::Sockets,
}

impl Fabric {
    /// A network without hosts, whose links behave like `default`.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn new(default: LinkConfig) -> Self {
        Self {
            hosts: Vec::new(),
            addresses: Addresses::default(),
            names: Names::default(),
            wire: Wire::new(default),
            kept: Kept::default(),
            sockets: Slab::new(),
            packets: Packets::default(),
            groups: Groups::default(),
            listeners: Slab::new(),
            unconnected: Slab::new(),
            connections: Slab::new(),
            unix: unix::Sockets::new(),
        }
    }

    /// Adds a host, up, that `name` resolves to. Its addresses are those given, and unless an IPv4
    /// address is among them one in 10.0.0.0/8 made from its name, which comes first.
    ///
    /// # Panics
    /// If the node has a host already, or an address belongs to another or cannot be a host's own.
    #[track_caller]
    pub(crate) fn add_host(&mut self, node: NodeId, name: &str, addresses: &[IpAddr]) {
        let mut own: Vec<_> = addresses.iter().map(IpAddr::to_canonical).collect();
        if !own.iter().any(IpAddr::is_ipv4) {
            own.insert(0, self.addresses.default_for(EntityKey::of(name)));
        }
        for address in &own {
            self.addresses.add(*address, node);
        }
        self.names.add_node(node, name, own.clone());
        let key = EntityKey::of(name);
        self.wire.add(node, key);
        if self.hosts.len() <= node.index() {
            self.hosts.resize_with(node.index() + 1, || None);
        }
        let place = &mut self.hosts[node.index()];
        assert!(
            place.is_none(),
            "{node} has a host already: add each node once"
        );
        *place = Some(Host::new(key, own));
    }

    /// The addresses of a node's host, the first of each family being its source address.
    #[track_caller]
    pub(crate) fn addresses(&self, node: NodeId) -> &[IpAddr] {
        &self.host(node).addresses
    }

    /// Changes all links for which nothing else is set, for packets sent from now on.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn set_default_link(&mut self, config: LinkConfig) {
        self.wire.links_mut().set_default(config);
    }

    /// Gives the link from one node to another settings of its own, or takes them away, for packets
    /// sent from now on. The opposite direction is not touched.
    ///
    /// # Panics
    /// If either node has no host, or the settings make no sense.
    #[track_caller]
    pub(crate) fn set_link(&mut self, from: NodeId, to: NodeId, config: Option<LinkConfig>) {
        self.check_pair(from, to);
        self.wire.links_mut().set(from, to, config);
    }

    /// The settings that a link has of its own, if it has any, and those that hold for it.
    ///
    /// # Panics
    /// If either node has no host.
    #[track_caller]
    pub(crate) fn link_settings<F: Effects>(
        &mut self,
        fx: &mut F,
        from: NodeId,
        to: NodeId,
    ) -> (Option<LinkConfig>, LinkConfig) {
        self.check_pair(from, to);
        self.wire.links_mut().settings(fx.choices(), from, to)
    }

    /// Gives the links from and to a node settings, or takes them away; a link's own go before.
    ///
    /// # Panics
    /// If the node has no host, or the settings make no sense.
    #[track_caller]
    pub(crate) fn set_node_links(&mut self, node: NodeId, config: Option<LinkConfig>) {
        self.host(node);
        self.wire.links_mut().set_node(node, config);
    }

    /// Gives the links from nodes with one value of a label to nodes with another settings, or
    /// takes them away; those of a link and of a node go before.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn set_zone_links(
        &mut self,
        key: &str,
        from_to: (&str, &str),
        config: Option<LinkConfig>,
    ) {
        self.wire.links_mut().set_zone(key, from_to, config);
    }

    /// Labels a node's host, instead of all labels that it had.
    pub(crate) fn set_labels(&mut self, node: NodeId, labels: Vec<(String, String)>) {
        self.wire.links_mut().set_labels(node, labels);
    }

    /// The sockets of a node's process come to the end that its death gives them. After a
    /// [`Crash`](Death::Crash) the host is down.
    ///
    /// # Panics
    /// If the node has no host.
    #[track_caller]
    pub(crate) fn process_died<F: Effects>(&mut self, fx: &mut F, node: NodeId, how: Death) {
        self.close_streams_of(fx, node, how);
        self.close_listeners_of(fx, node, how);
        self.close_unconnected_of(node);
        self.close_sockets_of(fx, node);
        self.close_unix_of(fx, node);
        self.give_up_lookups_of(fx, node);
        if how == Death::Crash {
            let host = self.host_mut(node);
            host.forget();
            host.up = false;
        }
    }

    /// A crashed host has power again: packets sent from now on arrive.
    ///
    /// # Panics
    /// If the node has no host.
    #[track_caller]
    pub(crate) fn host_up(&mut self, node: NodeId) {
        self.host_mut(node).up = true;
    }

    /// What the faults of the network did.
    pub(crate) fn counters(&self) -> FaultCounters {
        let mut counters = self.wire.counters().clone();
        counters.add(self.names.counters());
        counters
    }

    /// Carries out what was scheduled.
    pub(crate) fn handle<F: Effects>(&mut self, fx: &mut F, event: NetEvent) {
        if self.keeps(fx, event) {
            return;
        }
        match event {
            NetEvent::Datagram { packet } => self.on_datagram(fx, packet),
            NetEvent::Unreachable { socket, by, marks } => {
                self.on_unreachable(fx, socket, by, marks);
            }
            NetEvent::Syn { .. }
            | NetEvent::SynAck { .. }
            | NetEvent::Established { .. }
            | NetEvent::Reset { .. }
                if self.swallows(event) => {}
            NetEvent::Syn { connection, marks } => self.on_syn(fx, connection, marks),
            NetEvent::SynAck { connection, marks } => self.on_syn_ack(fx, connection, marks),
            NetEvent::Established { connection, marks } => {
                self.on_established(fx, connection, marks);
            }
            NetEvent::Timer { end } => self.on_timer(fx, end),
            NetEvent::Segment { sender, serial } => self.on_segment(fx, sender, serial),
            NetEvent::Acknowledgement { sender } => self.on_acknowledgement(fx, sender),
            NetEvent::Retransmit { sender } => self.on_retransmit(fx, sender),
            NetEvent::Recover { sender } => self.on_recover(fx, sender),
            NetEvent::Pace { sender } => self.on_pace(fx, sender),
            NetEvent::Probe { sender } => self.on_probe(fx, sender),
            NetEvent::Reset { receiver, marks } => self.on_reset(fx, receiver, marks),
            NetEvent::Acceptable { listener } => self.on_acceptable(fx, listener),
            NetEvent::Turn { fault, on } => self.on_turn(fx, fault, on),
            NetEvent::NameAnswered { lookup } => self.on_name_answered(fx, lookup),
        }
    }

    #[track_caller]
    fn host(&self, node: NodeId) -> &Host {
        let host = self.hosts.get(node.index()).and_then(Option::as_ref);
        host.unwrap_or_else(|| panic!("{node} is in no network: add it to this simulation first"))
    }

    #[track_caller]
    fn host_mut(&mut self, node: NodeId) -> &mut Host {
        let host = self.hosts.get_mut(node.index()).and_then(Option::as_mut);
        host.unwrap_or_else(|| panic!("{node} is in no network: add it to this simulation first"))
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> {
        (0..)
            .zip(&self.hosts)
            .filter(|(_, host)| host.is_some())
            .map(|(n, _)| NodeId::new(n))
    }

    #[track_caller]
    fn check_pair(&self, from: NodeId, to: NodeId) {
        self.host(from);
        self.host(to);
        assert!(from != to, "{from} has no link to itself: name two nodes");
    }
}

/// The error of this number, as the operating system would give it.
fn os_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// An address as the subject of a record: the node and the port.
fn subject(node: NodeId, address: SocketAddr) -> u64 {
    u64::from(node.number()) << 16 | u64::from(address.port())
}
