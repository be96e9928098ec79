//! Datagrams: sent, maybe lost, maybe overtaken, received whole or cut short.
//!
//! Owns the sockets' receive queues and the datagrams in flight. It must never know streams.

mod fragment;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use self::fragment::{Carrier, fragments};
use super::addr::shown;
use super::host::{Protocol, Reuse, Use};
use super::trouble::Pair;
use super::wire::{Marks, Passage};
use super::{Answer, Effects, Fabric, NetEvent, Signal, SocketId, os_error, subject};
use crate::kernel::{Family, Kind, NodeId};

/// The longest payload of a datagram: 65,535 less the headers of IP and UDP.
const PAYLOAD_MAX_BYTES: usize = 65_507;
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
/// Buffers up to this size are kept for later datagrams; four of them to a page of memory, and
/// more than an Ethernet frame carries.
const KEPT_BUFFER_MAX_BYTES: usize = 2_048;

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
}

impl UdpSocket {
    pub(super) const fn node(&self) -> NodeId {
        self.node
    }
}

/// Datagrams in flight and in queues. A slot keeps its buffer when it is free.
#[derive(Debug, Default)]
pub(super) struct Packets {
    slots: Vec<Packet>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Packet {
    sender: SocketId,
    from_node: NodeId,
    from: SocketAddr,
    to_node: NodeId,
    to: SocketAddr,
    /// The boot of the receiving host for which it was sent.
    boot: u32,
    bytes: Vec<u8>,
    marks: Marks,
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
    /// Binds a socket; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`, `EADDRINUSE`.
    pub(crate) fn udp_bind<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        address: SocketAddr,
    ) -> io::Result<SocketId> {
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
    /// Those of a route, `EBADF`.
    pub(crate) fn udp_connect(&mut self, id: SocketId, peer: SocketAddr) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        let host = self.hosts[socket.node.index()]
            .as_mut()
            .expect("a socket has a host");
        let bound = socket.local.ip();
        let route = self
            .addresses
            .route(socket.node, &host.addresses, bound, peer.ip())?;
        if bound.is_unspecified() {
            let source = SocketAddr::new(route.source, socket.local.port());
            socket.local = shown(source, bound);
            host.udp.release(source.port(), id, Use::Receives);
            host.udp.take(socket.local, id, Use::Receives, Reuse::No);
        }
        socket.peer = Some(shown(SocketAddr::new(route.to, peer.port()), bound));
        Ok(())
    }

    /// Sends a datagram. It never waits.
    ///
    /// # Errors
    /// `EINVAL` for port 0, `EMSGSIZE` above 65,507 bytes, `ECONNREFUSED` if an earlier one found
    /// nobody, those of a route, `EBADF`.
    pub(crate) fn udp_send_to<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
        to: SocketAddr,
    ) -> io::Result<usize> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        if to.port() == 0 {
            return Err(os_error(libc::EINVAL));
        }
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(os_error(libc::EMSGSIZE));
        }
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        let (node, local) = (socket.node, socket.local);
        let own = &self.host(node).addresses;
        let route = self.addresses.route(node, own, local.ip(), to.ip())?;
        let to = SocketAddr::new(route.to, to.port());
        let from = SocketAddr::new(route.source, local.port());
        let length = payload.len() as u64;
        fx.record(
            Kind::DatagramSent,
            node,
            subject(route.node, to),
            length,
            payload,
        );
        let packet = Packet {
            sender: id,
            from_node: node,
            from,
            to_node: route.node,
            to,
            boot: 0,
            bytes: Vec::new(),
            marks: Marks::default(),
        };
        self.launch_datagram(fx, packet, payload);
        Ok(payload.len())
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
        let size = self.size_on_wire(fx, &packet, payload.len());
        let flight = self.wire.send_datagram(fx, node, to_node, size);
        match flight.passage {
            Passage::Arrives(at) => {
                packet.boot = self.host(to_node).boot;
                if let Some(copy) = flight.copy {
                    let packet = Packet {
                        marks: Marks::of_copy(),
                        bytes: Vec::new(),
                        ..packet
                    };
                    let packet = self.packets.add(packet, payload);
                    fx.schedule(copy, NetEvent::Datagram { packet });
                }
                packet.marks = flight.marks;
                let packet = self.packets.add(packet, payload);
                self.packets.corrupt(packet);
                fx.schedule(at, NetEvent::Datagram { packet });
                return;
            }
            Passage::Lost(family) => {
                self.count_lost_datagram(family, to_node, packet.from, packet.to);
            }
            Passage::Nowhere => {}
        }
        let subject = subject(to_node, packet.to);
        let length = payload.len() as u64;
        fx.record(Kind::DatagramDropped, node, subject, length, &[]);
    }

    /// Sends a datagram to the peer of a connected socket.
    ///
    /// # Errors
    /// `EDESTADDRREQ` if the socket is not connected, and those of
    /// [`udp_send_to`](Self::udp_send_to).
    pub(crate) fn udp_send<F: Effects>(
        &mut self,
        fx: &mut F,
        id: SocketId,
        payload: &[u8],
    ) -> io::Result<usize> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        let peer = socket.peer.ok_or_else(|| os_error(libc::EDESTADDRREQ))?;
        self.udp_send_to(fx, id, payload, peer)
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
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        if let Some(error) = socket.error.take() {
            return Err(os_error(error));
        }
        let Some(&slot) = socket.queue.front() else {
            return Ok(socket.arrival.wait());
        };
        let packet = &self.packets.slots[slot as usize];
        let length = packet.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&packet.bytes[..length]);
        let from = shown(packet.from, socket.local.ip());
        if take == Take::Remove {
            socket.queue.pop_front();
            socket.queued_bytes -= cost(packet);
            self.packets.release(slot);
        }
        Ok(Answer::Done((length, from)))
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
    /// `ENOTCONN`, `EBADF`.
    pub(crate) fn udp_peer(&self, id: SocketId) -> io::Result<SocketAddr> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        socket.peer.ok_or_else(|| os_error(libc::ENOTCONN))
    }

    /// Closes a socket, and does nothing if it is closed. Datagrams on their way still leave.
    pub(crate) fn udp_close<F: Effects>(&mut self, fx: &mut F, id: SocketId) {
        let Some(socket) = self.sockets.remove(id) else {
            return;
        };
        self.host_mut(socket.node)
            .udp
            .release(socket.local.port(), id, Use::Receives);
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
        let packet = &self.packets.slots[slot as usize];
        let (from_node, from, to_node, to) =
            (packet.from_node, packet.from, packet.to_node, packet.to);
        let (boot, length) = (packet.boot, packet.bytes.len() as u64);
        let delivered = if self.wire.blocks(from_node, to_node) {
            self.count_lost_datagram(Family::Partition, to_node, from, to);
            false
        } else {
            let host = self.host(to_node);
            host.up && host.boot == boot && self.receive(fx, slot)
        };
        if !delivered {
            self.packets.release(slot);
            let subject = subject(from_node, from);
            fx.record(Kind::DatagramDropped, to_node, subject, length, &[]);
        }
    }

    /// Puts a datagram into the queue of its socket; says whether there was one with room.
    fn receive<F: Effects>(&mut self, fx: &mut F, slot: u32) -> bool {
        let packet = &self.packets.slots[slot as usize];
        let Some(id) = self.udp_receiver(packet.to_node, packet.from, packet.to) else {
            self.say_unreachable(fx, slot);
            return false;
        };
        let socket = self
            .sockets
            .get_mut(id)
            .expect("a taken port names a socket");
        if socket.queued_bytes + cost(packet) > QUEUE_MAX_BYTES {
            return false;
        }
        socket.queued_bytes += cost(packet);
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
        let marks = packet.marks;
        self.wire.count_marks(marks);
        true
    }

    /// Whether a datagram would reach a socket if it arrived now.
    pub(super) fn would_receive(&self, slot: u32) -> bool {
        let packet = &self.packets.slots[slot as usize];
        let host = self.host(packet.to_node);
        let receiver = self.udp_receiver(packet.to_node, packet.from, packet.to);
        host.up && host.boot == packet.boot && receiver.is_some()
    }

    /// Sends back the word that nobody listens, which only a connected socket hears.
    fn say_unreachable<F: Effects>(&mut self, fx: &mut F, slot: u32) {
        let packet = &self.packets.slots[slot as usize];
        let (sender, by, back) = (packet.sender, packet.to_node, packet.from_node);
        let to = packet.to;
        let hears = |socket: &UdpSocket| {
            socket
                .peer
                .is_some_and(|peer| peer == shown(to, socket.local.ip()))
        };
        if !self.sockets.get(sender).is_some_and(hears) {
            return;
        }
        match self.wire.send(fx, by, back, UNREACHABLE_BYTES) {
            Passage::Arrives(at) => {
                fx.schedule(at, NetEvent::Unreachable { socket: sender, by });
            }
            Passage::Lost(family) => self.wire.effective(family),
            Passage::Nowhere => {}
        }
    }

    pub(super) fn on_unreachable<F: Effects>(&mut self, fx: &mut F, id: SocketId, by: NodeId) {
        let Some(socket) = self.sockets.get_mut(id) else {
            return;
        };
        if self.wire.blocks(by, socket.node) {
            self.wire.effective(Family::Partition);
            return;
        }
        socket.error = Some(libc::ECONNREFUSED);
        socket.arrival.wake(fx);
    }

    /// The socket that receives what comes from one address to another, if any does now.
    fn udp_receiver(&self, node: NodeId, from: SocketAddr, to: SocketAddr) -> Option<SocketId> {
        let id = self.host(node).udp.find(to)?;
        let socket = self.sockets.get(id)?;
        let welcome = socket
            .peer
            .is_none_or(|peer| peer == shown(from, socket.local.ip()));
        welcome.then_some(id)
    }

    /// Counts the loss of a datagram as effective if somebody would have received it.
    fn count_lost_datagram(
        &mut self,
        family: Family,
        to_node: NodeId,
        from: SocketAddr,
        to: SocketAddr,
    ) {
        if self.host(to_node).up && self.udp_receiver(to_node, from, to).is_some() {
            self.wire.effective(family);
        }
    }
}

impl Packets {
    /// Takes a slot for a packet, which gets the slot's empty buffer and the payload.
    fn add(&mut self, mut packet: Packet, payload: &[u8]) -> u32 {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            packet.bytes = core::mem::take(&mut place.bytes);
            packet.bytes.extend_from_slice(payload);
            *place = packet;
            return slot;
        }
        let slot = u32::try_from(self.slots.len()).expect("memory ends before 2^32 datagrams");
        packet.bytes.extend_from_slice(payload);
        self.slots.push(packet);
        slot
    }

    /// Flips bits of a packet if it is marked so.
    fn corrupt(&mut self, slot: u32) {
        let packet = &mut self.slots[slot as usize];
        if packet.bytes.is_empty() {
            packet.marks.corrupt = None;
        }
        let Some(how) = packet.marks.corrupt else {
            return;
        };
        let bits = packet.bytes.len() as u64 * 8;
        let first = how % bits;
        self.flip(slot, first);
        // Every other time a second bit, in another byte.
        if how >> 32 & 1 == 1 && first + 9 < bits {
            self.flip(slot, first + 9);
        }
    }

    fn flip(&mut self, slot: u32, bit: u64) {
        let place = usize::try_from(bit / 8).expect("it is within the packet");
        self.slots[slot as usize].bytes[place] ^= 1 << (bit % 8);
    }

    /// The nodes from and to which a packet goes.
    pub(super) fn way(&self, slot: u32) -> Pair {
        let packet = &self.slots[slot as usize];
        (packet.from_node, packet.to_node)
    }

    pub(super) fn bytes(&self, slot: u32) -> &[u8] {
        &self.slots[slot as usize].bytes
    }

    /// Slots in use, and slots made.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.slots.len() - self.free.len(), self.slots.len())
    }

    pub(super) fn release(&mut self, slot: u32) {
        let bytes = &mut self.slots[slot as usize].bytes;
        bytes.clear();
        if bytes.capacity() > KEPT_BUFFER_MAX_BYTES {
            *bytes = Vec::new();
        }
        self.free.push(slot);
    }
}

fn cost(packet: &Packet) -> usize {
    packet.bytes.len() + QUEUE_OVERHEAD_BYTES
}

fn closed() -> io::Error {
    os_error(libc::EBADF)
}
