//! Packets that a clogged or held link keeps, until they go on or are thrown away.
//!
//! Owns them in the order in which they arrived at the obstacle.

use std::collections::BTreeMap;

use super::connection::{EndId, Owner, Side, State};
use super::filter::{Kinds, PacketKind};
use super::link_fault::Pair;
use super::marks::Marks;
use super::trouble::Stop;
use super::{Effects, Fabric, NetEvent};
use crate::kernel::{Kind, NodeId, SimTime};

/// The packets that links keep.
#[derive(Debug, Default)]
pub(super) struct Kept {
    next: u64,
    packets: BTreeMap<u64, KeptPacket>,
    /// A packet is just being passed on, past the obstacle.
    passing: bool,
}

#[derive(Clone, Copy, Debug)]
struct KeptPacket {
    pair: Pair,
    event: NetEvent,
    since: SimTime,
    stop: Stop,
}

/// A packet that a link keeps, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) number: u64,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) what: PacketKind,
    pub(crate) payload: Vec<u8>,
    pub(crate) since: SimTime,
}

impl Fabric {
    /// Whether a packet that arrives now is kept by its link instead.
    #[inline]
    pub(super) fn keeps<F: Effects>(&mut self, fx: &mut F, event: NetEvent) -> bool {
        if self.wire.troubles().is_empty() || self.kept.passing {
            return false;
        }
        self.keep_if_stopped(fx, event)
    }

    fn keep_if_stopped<F: Effects>(&mut self, fx: &mut F, event: NetEvent) -> bool {
        let Some(pair) = self.way_of(event) else {
            return false;
        };
        let Some(stop) = self.wire.troubles().stop(pair) else {
            return false;
        };
        self.wire.count_kept(stop);
        let number = self.kept.next;
        self.kept.next += 1;
        let packet = KeptPacket {
            pair,
            event,
            since: fx.now(),
            stop,
        };
        self.kept.packets.insert(number, packet);
        record(fx, Kind::PacketKept, pair, number);
        if let NetEvent::Segment { sender, serial } = event {
            if let Some(connection) = self.connections.get_mut(sender.connection) {
                connection.pipe_mut(sender.side).note_kept(serial);
            }
            self.set_retransmit(fx, sender);
        }
        if let Some(sender) = waits_for(event)
            && let Some(connection) = self.connections.get_mut(sender.connection)
        {
            let pipe = connection.pipe_mut(sender.side);
            pipe.silenced.add(Marks::of(stop.family()));
        }
        true
    }

    /// The packets that links keep, in the order in which they came.
    pub(crate) fn in_flight(&self) -> Vec<InFlight> {
        let packets = self.kept.packets.iter();
        let shown = packets.map(|(number, packet)| InFlight {
            number: *number,
            from: packet.pair.0,
            to: packet.pair.1,
            what: self.kinds_of(packet.event).main(),
            payload: self.payload_of(packet.event),
            since: packet.since,
        });
        shown.collect()
    }

    /// Lets one kept packet go on, past all that are before it; says whether it was there.
    pub(crate) fn deliver_kept<F: Effects>(&mut self, fx: &mut F, number: u64) -> bool {
        let Some(packet) = self.kept.packets.remove(&number) else {
            return false;
        };
        self.pass_on(fx, number, packet);
        true
    }

    /// Throws one kept packet away; says whether it was there.
    pub(crate) fn discard_kept<F: Effects>(&mut self, fx: &mut F, number: u64) -> bool {
        let Some(packet) = self.kept.packets.remove(&number) else {
            return false;
        };
        let KeptPacket {
            pair, event, stop, ..
        } = packet;
        record(fx, Kind::PacketDiscarded, pair, number);
        if self.makes_a_difference(event) {
            let marks = Marks::of(stop.family());
            match waits_for(event) {
                Some(sender) => self.count_seen(sender, marks),
                None => self.wire.count_marks(marks),
            }
        }
        match event {
            NetEvent::Datagram { packet } => self.packets.release(packet),
            NetEvent::Segment { sender, serial } => {
                if let Some(connection) = self.connections.get_mut(sender.connection) {
                    let segment = connection.pipe_mut(sender.side).arrive(serial);
                    self.lose(fx, sender, segment);
                }
            }
            _ => {}
        }
        true
    }

    /// Links, which are sorted, let go what they kept, in order.
    pub(super) fn release<F: Effects>(&mut self, fx: &mut F, links: &[Pair]) {
        let here = |entry: &(&u64, &KeptPacket)| links.binary_search(&entry.1.pair).is_ok();
        let numbers: Vec<u64> = self
            .kept
            .packets
            .iter()
            .filter(here)
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            if let Some(packet) = self.kept.packets.remove(&number) {
                self.pass_on(fx, number, packet);
            }
        }
        self.acknowledge_what_was_kept(fx, links);
    }

    fn pass_on<F: Effects>(&mut self, fx: &mut F, number: u64, packet: KeptPacket) {
        let KeptPacket {
            pair,
            mut event,
            since,
            stop,
        } = packet;
        record(fx, Kind::PacketPassed, pair, number);
        if fx.now() > since {
            self.mark(&mut event, Marks::of(stop.family()));
        }
        self.kept.passing = true;
        self.handle(fx, event);
        self.kept.passing = false;
    }

    /// Something happened to a packet that shows if somebody receives it.
    fn mark(&mut self, event: &mut NetEvent, marks: Marks) {
        match event {
            NetEvent::Datagram { packet } => self.packets.mark(*packet, marks),
            NetEvent::Segment { sender, serial } => {
                if let Some(connection) = self.connections.get_mut(sender.connection) {
                    connection.pipe_mut(sender.side).mark(*serial, marks);
                }
            }
            // To be asked a little later makes no difference.
            NetEvent::Probe { .. } => {}
            _ => event.marks_mut().expect("only packets are kept").add(marks),
        }
    }

    /// The link on which a packet arrives; `None` if the event is none, or meets no network.
    fn way_of(&self, event: NetEvent) -> Option<Pair> {
        let (from, to) = match event {
            NetEvent::Datagram { packet } => self.packets.way(packet),
            NetEvent::Unreachable { socket, by, .. } => (by, self.sockets.get(socket)?.node()),
            _ => {
                let end = receiver_of(event)?;
                let connection = self.connections.get(end.connection)?;
                connection.way_of(end.side.other())
            }
        };
        (from != to).then_some((from, to))
    }

    /// Whether a packet that is lost or thrown away would have made a difference to a program, had
    /// it arrived now.
    pub(super) fn makes_a_difference(&self, event: NetEvent) -> bool {
        match event {
            NetEvent::Datagram { packet } => return self.would_receive(packet),
            NetEvent::Unreachable { socket, .. } => return self.sockets.get(socket).is_some(),
            _ => {}
        }
        let Some(to) = receiver_of(event) else {
            return false;
        };
        let Some(connection) = self.connections.get(to.connection) else {
            return false;
        };
        let end = connection.end(to.side);
        let asks = connection.end(Side::Client).state == State::Asking;
        let matters = match event {
            NetEvent::Syn { .. } => asks && end.state == State::Void,
            NetEvent::SynAck { .. } => asks,
            NetEvent::Established { .. } => end.state == State::Answering,
            NetEvent::Segment { sender, serial } => {
                let pipe = connection.pipe(sender.side);
                let segment = pipe.in_flight(serial);
                segment.is_some_and(|segment| pipe.would_deliver(segment))
            }
            // One alone makes none; that all are lost is counted when the connection is given up.
            NetEvent::Probe { .. } => false,
            _ => end.owner != Owner::Nobody && !matches!(end.state, State::Void | State::Dead),
        };
        matters && self.host(end.node).up
    }

    fn kinds_of(&self, event: NetEvent) -> Kinds {
        if let NetEvent::Segment { sender, serial } = event
            && let Some(connection) = self.connections.get(sender.connection)
            && let Some(segment) = connection.pipe(sender.side).in_flight(serial)
        {
            return Kinds::of_segment(segment);
        }
        Kinds::of_event(event)
    }

    fn payload_of(&self, event: NetEvent) -> Vec<u8> {
        match event {
            NetEvent::Datagram { packet } => self.packets.bytes(packet).to_vec(),
            NetEvent::Segment { sender, serial } => {
                let connection = self.connections.get(sender.connection);
                connection.map_or_else(Vec::new, |entry| entry.pipe(sender.side).payload(serial))
            }
            _ => Vec::new(),
        }
    }
}

/// The end at which a packet of a stream arrives; `None` if the event is no such packet.
pub(super) const fn receiver_of(event: NetEvent) -> Option<EndId> {
    Some(match event {
        NetEvent::Syn { connection, .. } | NetEvent::Established { connection, .. } => {
            EndId::server(connection)
        }
        NetEvent::SynAck { connection, .. } => EndId::client(connection),
        NetEvent::Segment { sender, .. } | NetEvent::Probe { sender } => sender.other(),
        NetEvent::Reset { receiver, .. } => receiver,
        NetEvent::Datagram { .. }
        | NetEvent::Unreachable { .. }
        | NetEvent::Timer { .. }
        | NetEvent::Acknowledgement { .. }
        | NetEvent::Retransmit { .. }
        | NetEvent::Recover { .. }
        | NetEvent::Acceptable { .. }
        | NetEvent::Pace { .. }
        | NetEvent::Turn { .. }
        | NetEvent::NameAnswered { .. } => return None,
    })
}

/// The end that will give up if a packet does not arrive.
const fn waits_for(event: NetEvent) -> Option<EndId> {
    match event {
        NetEvent::Syn { connection, .. } | NetEvent::SynAck { connection, .. } => {
            Some(EndId::client(connection))
        }
        NetEvent::Segment { sender, .. } | NetEvent::Probe { sender } => Some(sender),
        _ => None,
    }
}

fn record<F: Effects>(fx: &mut F, kind: Kind, (from, to): Pair, number: u64) {
    fx.record(kind, from, u64::from(to.number()), number, &[]);
}
