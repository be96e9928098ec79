//! Datagrams: sent, maybe lost, maybe overtaken, received whole or cut short.
//!
//! Owns the sockets' receive queues and the datagrams in flight. It must never know streams.

mod audience;
mod copies;
mod fragment;
mod groups;
mod options;
mod packets;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

pub(super) use self::groups::Groups;
pub(crate) use self::options::UdpOptions;
pub(super) use self::packets::Packets;

use self::audience::{check_own, check_peer, check_way};
use self::fragment::{Carrier, fragments};
use self::groups::Membership;
use self::packets::Packet;
use super::addr::{Reach, shown};
use super::filter::{Kinds, Label, PacketKind};
use super::host::{Protocol, Reuse, Use};
use super::marks::Marks;
use super::mutant::{self, Mutant};
use super::wire::{Passage, Start};
use super::{Answer, Effects, Fabric, NetEvent, Readiness, Signal, SocketId, os_error, subject};
use crate::kernel::{Family, Kind, NodeId};

/// The longest payload of a datagram: 65,535 less the header of UDP, which IPv6 counts alone, and
/// that of IPv4.
const PAYLOAD_MAX_V4_BYTES: usize = 65_507;
const PAYLOAD_MAX_V6_BYTES: usize = 65_527;
/// What Linux refuses before it looks at anything else, with IPv4.
const LENGTH_MAX_BYTES: usize = 65_535;
/// The header of UDP.
const HEADER_BYTES: u64 = 8;
/// What fits a packet on every link.
const WHOLE_MAX_BYTES: usize = 1_232;
/// Word that nobody listens: its own headers, and those of the datagram.
const UNREACHABLE_BYTES: u64 = 56;
/// What a socket's queue holds. Linux: net.core.rmem_default.
const QUEUE_MAX_BYTES: usize = 212_992;
/// What each datagram costs of that besides its payload. On Linux a small one costs 832 bytes in
/// all; without this a queue of empty datagrams would have no bound.
const QUEUE_OVERHEAD_BYTES: usize = 800;

/// A bound socket.
#[derive(Debug)]
pub(super) struct UdpSocket {
    node: NodeId,
    local: SocketAddr,
    /// Where a connected socket sends to, and the only address from which it receives.
    peer: Option<SocketAddr>,
    /// Datagrams that arrived, by their slot in [`Packets`].
    queue: VecDeque<u32>,
    queued_bytes: usize,
    /// What the next call gives, once.
    error: Option<i32>,
    arrival: Signal,
    options: UdpOptions,
    /// The groups that it joined, in that order.
    memberships: Vec<Membership>,
}

impl UdpSocket {
    pub(super) const fn node(&self) -> NodeId {
        self.node
    }

    /// Whether it hears of an address: a connected socket hears of its peer alone, with port 0 of
    /// each port there.
    fn hears_of(&self, address: SocketAddr) -> bool {
        let address = shown(address, self.local.ip());
        self.peer.is_none_or(|peer| {
            peer.ip() == address.ip() && (peer.port() == 0 || peer.port() == address.port())
        })
    }
}

/// Whether a datagram leaves the queue when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is received.
    Remove,
    /// It stays.
    Peek,
}

impl Fabric {
    /// Binds a socket; port 0 takes an ephemeral one. Bound to the address of a group, or to a
    /// broadcast address, it receives only what is sent there.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`, `EADDRINUSE`; `EINVAL` and `ENODEV` for the address of a group whose scope
    /// needs an interface.
    pub(crate) fn udp_bind<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        address: SocketAddr,
    ) -> io::Result<SocketId> {
        check_own(address)?;
        let local = self
            .host_mut(node)
            .bindable(fx, Protocol::Udp, address, Reuse::No)?;
        let id = self.sockets.insert(UdpSocket {
            node,
            local,
            peer: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            error: None,
            arrival: Signal::new(fx),
            options: UdpOptions::new(local.is_ipv6()),
            memberships: Vec::new(),
        });
        let host = self.host_mut(node);
        host.udp.take(local, id, Use::Receives, Reuse::No);
        fx.record(Kind::SocketBound, node, subject(node, local), 0, &[]);
        Ok(id)
    }

    /// Fixes the peer of a socket: it sends there and receives only from there. A socket bound to
    /// a wildcard address gets the address from which it reaches the peer.
    ///
    /// # Errors
    /// `EACCES` for a broadcast address if the socket may not send there, those of a route,
    /// `EBADF`.
    pub(crate) fn udp_connect(&mut self, id: SocketId, peer: SocketAddr) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        check_peer(peer)?;
        let host = self.hosts[socket.node.index()]
            .as_mut()
            .expect("a socket has a host");
        let bound = socket.local.ip();
        let route = self
            .addresses
            .route(socket.node, &host.addresses, bound, peer.ip())?;
        socket.options.permit(Reach::of(route.to))?;
        if bound.is_unspecified() {
            let source = SocketAddr::new(route.source, socket.local.port());
            socket.local = shown(source, bound);
            host.udp.release(source.port(), id, Use::Receives);
            host.udp.take(socket.local, id, Use::Receives, Reuse::No);
        }
        socket.peer = Some(shown(SocketAddr::new(route.to, peer.port()), bound));
        Ok(())
    }

    /// Sends a datagram, to each host that the address means. It never waits.
    ///
    /// # Errors
    /// `EINVAL` for port 0, `EACCES` for a broadcast that is not allowed, `EMSGSIZE` above 65,507
    /// bytes with IPv4 and 65,527 with IPv6, `ECONNREFUSED` if an earlier one found nobody, those
    /// of a route, `EBADF`.
    pub(crate) fn udp_send_to<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
        to: SocketAddr,
    ) -> io::Result<usize> {
        if payload.len() > LENGTH_MAX_BYTES && to.ip().to_canonical().is_ipv4() {
            return Err(os_error(libc::EMSGSIZE));
        }
        if to.port() == 0 {
            return Err(os_error(libc::EINVAL));
        }
        self.send_datagram(fx, id, payload, to)
    }

    /// Sends a datagram to the peer of a connected socket.
    ///
    /// # Errors
    /// `EDESTADDRREQ` if the socket is not connected, and those of
    /// [`udp_send_to`](Self::udp_send_to), but for that of port 0.
    pub(crate) fn udp_send<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
    ) -> io::Result<usize> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        let peer = socket.peer.ok_or_else(|| os_error(libc::EDESTADDRREQ))?;
        self.send_datagram(fx, id, payload, peer)
    }

    fn send_datagram<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
        to: SocketAddr,
    ) -> io::Result<usize> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        let (node, local, options) = (socket.node, socket.local, socket.options);
        check_way(to)?;
        let host = self.hosts[node.index()]
            .as_ref()
            .expect("a socket has a host");
        let route = self
            .addresses
            .route(node, &host.addresses, local.ip(), to.ip())?;
        let reach = Reach::of(route.to);
        options.permit(reach)?;
        let longest = match route.to {
            IpAddr::V4(_) => PAYLOAD_MAX_V4_BYTES,
            IpAddr::V6(_) => PAYLOAD_MAX_V6_BYTES,
        };
        if payload.len() > longest {
            return Err(os_error(libc::EMSGSIZE));
        }
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        let packet = Packet {
            sender: id,
            from_node: node,
            from: SocketAddr::new(route.source, local.port()),
            to_node: route.node,
            to: SocketAddr::new(route.to, to.port()),
            bytes: Vec::new(),
            marks: Marks::NONE,
            flip: None,
        };
        match reach {
            Reach::One => self.send_copy(fx, packet, payload),
            Reach::Broadcast | Reach::Group => {
                self.send_to_many(fx, reach, &options, &packet, payload);
            }
        }
        Ok(payload.len())
    }

    /// Sends a datagram, or a copy of it, to one host.
    fn send_copy<F: Effects>(&mut self, fx: &mut F, packet: Packet, payload: &[u8]) {
        let (node, length) = (packet.from_node, payload.len() as u64);
        let subject = subject(packet.to_node, packet.to);
        fx.record(Kind::DatagramSent, node, subject, length, payload);
        self.launch_datagram(fx, packet, payload);
    }

    /// The bytes that carry a datagram, with all headers, and in how many packets.
    fn size_on_wire<F: Effects>(
        &mut self,
        fx: &mut F,
        packet: &Packet,
        length: usize,
    ) -> (u64, u32) {
        let carrier = if packet.to.is_ipv6() {
            Carrier::V6
        } else {
            Carrier::V4
        };
        let payload = u32::try_from(length).expect("it was found to fit a datagram");
        let mut packets = 1;
        if length > WHOLE_MAX_BYTES {
            let manner = self.wire.manner(fx, packet.from_node, packet.to_node);
            packets = fragments(payload, manner.mtu_bytes, carrier);
        }
        let headers = u64::from(packets * carrier.header_bytes()) + HEADER_BYTES;
        (u64::from(payload) + headers, packets)
    }

    fn launch_datagram<F: Effects>(&mut self, fx: &mut F, mut packet: Packet, payload: &[u8]) {
        let (node, to_node) = (packet.from_node, packet.to_node);
        let (bytes, fragments) = self.size_on_wire(fx, &packet, payload.len());
        let label = Label {
            kinds: Kinds::of(PacketKind::Datagram),
            port: Some(packet.to.port()),
            bytes,
        };
        let flight = (self.wire).send_datagram(fx, (node, to_node), label, fragments);
        if !self.wire.troubles().is_empty() {
            self.launch_replays(fx, flight.passage, &packet, payload);
        }
        match flight.passage {
            Passage::Arrives { at, marks } => {
                if let Some(copy) = flight.copy {
                    self.launch_copy(fx, copy, &packet, payload, Family::Duplicate);
                }
                (packet.marks, packet.flip) = (marks, flight.flip);
                let packet = self.packets.add(packet, payload);
                if flight.flip.is_some() {
                    self.packets.corrupt(packet);
                }
                fx.schedule(at, NetEvent::Datagram { packet });
                return;
            }
            Passage::Lost(family) => {
                if self.has_room(to_node, packet.from, packet.to, payload.len()) {
                    self.wire.effective(family);
                }
            }
            Passage::Nowhere => {}
        }
        let subject = subject(to_node, packet.to);
        let length = payload.len() as u64;
        fx.record(Kind::DatagramDropped, node, subject, length, &[]);
    }

    /// Receives a datagram, or looks at it: how many bytes fit the buffer, and who sent it. What
    /// does not fit is lost.
    ///
    /// # Errors
    /// `ECONNREFUSED` if a datagram sent to the peer found nobody, `EBADF`.
    pub(crate) fn udp_recv_from(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        take: Take,
    ) -> io::Result<Answer<(usize, SocketAddr)>> {
        self.udp_recv_with(id, take, |bytes| {
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            length
        })
    }

    /// Has a datagram read, by a function that says how much of it it took, and tells who sent it.
    ///
    /// # Errors
    /// Those of [`udp_recv_from`](Self::udp_recv_from).
    pub(crate) fn udp_recv_with(
        &mut self,
        id: SocketId,
        take: Take,
        read: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<Answer<(usize, SocketAddr)>> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        let Some(&slot) = socket.queue.front() else {
            return Ok(socket.arrival.wait());
        };
        let packet = self.packets.get_mut(slot);
        let length = read(&packet.bytes);
        if !packet.marks.is_empty() {
            self.wire.count_marks(packet.take_seen(length));
        }
        let from = shown(packet.from, socket.local.ip());
        if take == Take::Remove {
            socket.queue.pop_front();
            socket.queued_bytes -= cost(packet.bytes.len());
            self.packets.release(slot);
        }
        Ok(Answer::Done((length, from)))
    }

    /// What is ready at a socket: there is always room to send.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_readiness(&self, id: SocketId) -> io::Result<Readiness> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        let failed = socket.error.is_some();
        Ok(Readiness {
            readable: failed || !socket.queue.is_empty(),
            writable: true,
            read_closed: false,
            write_closed: failed,
            error: failed,
        })
    }

    /// Waits until a datagram, or an error, can be received.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_readable(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        let ready = socket.error.is_some() || !socket.queue.is_empty();
        Ok(if ready {
            Answer::Done(())
        } else {
            socket.arrival.wait()
        })
    }

    /// Waits for what is not there yet.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_arrival(&mut self, id: SocketId) -> io::Result<Answer<()>> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        Ok(socket.arrival.wait())
    }

    /// Takes the error that the next call would give: `SO_ERROR`.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_take_error(&mut self, id: SocketId) -> io::Result<Option<io::Error>> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        Ok(socket.error.take().map(os_error))
    }

    /// The address to which a socket is bound.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_local(&self, id: SocketId) -> io::Result<SocketAddr> {
        Ok(self.sockets.get(id).ok_or_else(closed)?.local)
    }

    /// The peer of a connected socket.
    ///
    /// # Errors
    /// `ENOTCONN`, also if the port of the peer is 0; `EBADF`.
    pub(crate) fn udp_peer(&self, id: SocketId) -> io::Result<SocketAddr> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        let peer = socket.peer.filter(|peer| peer.port() != 0);
        peer.ok_or_else(|| os_error(libc::ENOTCONN))
    }

    /// The options of a socket.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn udp_options(&mut self, id: SocketId) -> io::Result<&mut UdpOptions> {
        Ok(&mut self.sockets.get_mut(id).ok_or_else(closed)?.options)
    }

    /// Closes a socket, and does nothing if it is closed. Datagrams on their way still leave.
    pub(crate) fn udp_close<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        let Some(socket) = self.sockets.remove(id) else {
            return;
        };
        self.host_mut(socket.node)
            .udp
            .release(socket.local.port(), id, Use::Receives);
        if !mutant::is(Mutant::MemberForEver) {
            self.leave_all(&socket);
        }
        for packet in socket.queue {
            self.packets.release(packet);
        }
        fx.free_token(socket.arrival.token);
    }

    pub(super) fn close_sockets_of<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        for id in self.sockets.ids_where(|socket| socket.node == node) {
            self.udp_close(fx, id);
        }
    }

    pub(super) fn on_datagram<F: Effects>(&mut self, fx: &mut F, slot: u32) {
        let packet = self.packets.get(slot);
        let (from_node, from, to_node) = (packet.from_node, packet.from, packet.to_node);
        let length = packet.bytes.len() as u64;
        let delivered = if self.wire.blocks(from_node, to_node) {
            if self.would_receive(slot) {
                self.wire.effective(Family::Partition);
            }
            false
        } else {
            self.host(to_node).up && self.receive(fx, slot)
        };
        if !delivered {
            self.packets.release(slot);
            let subject = subject(from_node, from);
            fx.record(Kind::DatagramDropped, to_node, subject, length, &[]);
        }
    }

    /// Puts a datagram into the queue of its socket; says whether there was one with room.
    fn receive<F: Effects>(&mut self, fx: &mut F, slot: u32) -> bool {
        let packet = self.packets.get(slot);
        let Some(id) = self.udp_receiver(packet.to_node, packet.from, packet.to) else {
            self.say_unreachable(fx, slot);
            return false;
        };
        let socket = self
            .sockets
            .get_mut(id)
            .expect("a taken port names a socket");
        let cost = cost(packet.bytes.len());
        if socket.queued_bytes + cost > QUEUE_MAX_BYTES {
            return false;
        }
        socket.queued_bytes += cost;
        socket.queue.push_back(slot);
        let (kind, subject) = (
            Kind::DatagramDelivered,
            subject(packet.from_node, packet.from),
        );
        fx.record(
            kind,
            packet.to_node,
            subject,
            packet.bytes.len() as u64,
            &packet.bytes,
        );
        socket.arrival.wake(fx);
        true
    }

    /// Whether a datagram would reach a socket if it arrived now.
    pub(super) fn would_receive(&self, slot: u32) -> bool {
        let packet = self.packets.get(slot);
        self.has_room(packet.to_node, packet.from, packet.to, packet.bytes.len())
    }

    /// Whether there is a socket for a datagram of that length, with room for it.
    #[cold]
    fn has_room(&self, node: NodeId, from: SocketAddr, to: SocketAddr, length: usize) -> bool {
        let receiver = self.udp_receiver(node, from, to);
        let socket = receiver.and_then(|id| self.sockets.get(id));
        let room = |socket: &UdpSocket| socket.queued_bytes + cost(length) <= QUEUE_MAX_BYTES;
        self.host(node).up && socket.is_some_and(room)
    }

    /// Sends back the word that nobody listens, which only a connected socket hears. Nobody says so
    /// of what is for many.
    fn say_unreachable<F: Effects>(&mut self, fx: &mut F, slot: u32) {
        let packet = self.packets.get(slot);
        let (sender, by, back) = (packet.sender, packet.to_node, packet.from_node);
        let to = packet.to;
        let is_one = Reach::of(to.ip()) == Reach::One;
        let hears = |socket: &UdpSocket| socket.peer.is_some() && socket.hears_of(to);
        if !is_one || !self.sockets.get(sender).is_some_and(hears) {
            return;
        }
        let label = Label {
            kinds: Kinds::of(PacketKind::Unreachable),
            port: None,
            bytes: UNREACHABLE_BYTES,
        };
        match self.wire.send(fx, (by, back), || label, Start::AT_ONCE) {
            Passage::Arrives { at, marks } => {
                let socket = sender;
                fx.schedule(at, NetEvent::Unreachable { socket, by, marks });
            }
            Passage::Lost(family) => self.wire.effective(family),
            Passage::Nowhere => {}
        }
    }

    pub(super) fn on_unreachable<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        by: NodeId,
        marks: Marks,
    ) {
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        if self.wire.blocks(by, socket.node) {
            self.wire.effective(Family::Partition);
            return;
        }
        socket.error = Some(libc::ECONNREFUSED);
        socket.arrival.wake(fx);
        self.wire.count_marks(marks);
    }

    /// The socket that receives what comes from one address to another, if any does now.
    fn udp_receiver(&self, node: NodeId, from: SocketAddr, to: SocketAddr) -> Option<SocketId> {
        let id = self.host(node).udp.find(to)?;
        let reaches = !to.ip().is_multicast() || self.takes(node, from.ip(), to.ip());
        let hears = self.sockets.get(id)?.hears_of(from);
        (reaches && hears).then_some(id)
    }
}

/// What a datagram of that length takes of its queue.
const fn cost(length: usize) -> usize {
    length + QUEUE_OVERHEAD_BYTES
}

fn closed() -> io::Error {
    os_error(libc::EBADF)
}
