//! Faults on links, as they begin and end: cuts, flaps, clogs, holds, grays, delays, resets.
//!
//! Owns the order of what happens at both moments, so that the trace tells of it and what waits for
//! it goes on.

use super::connection::{EndId, Owner, State};
use super::link_fault::Pair;
use super::trouble::Change;
use super::{Effects, Fabric, LinkFault, LinkFaultId, NetEvent};
use crate::kernel::{Choices, EntityKey, Family, Kind, NodeId, Point, SimTime, Site};

/// How much of what is on its way to an end that is reset still arrives.
const RESET: Site = Site::new("net.reset");

impl Fabric {
    /// Begins a fault on links, until it is [ended](Self::end_fault) or the links are healed.
    ///
    /// What is in flight meets the fault when it arrives. Faults add up: what two of them cut,
    /// both must heal.
    ///
    /// # Panics
    /// If a node has no host, or a link leads from a node to itself.
    #[track_caller]
    pub(crate) fn begin_fault<F: Effects>(
        &mut self,
        fx: &mut F,
        fault: LinkFault,
        links: Vec<Pair>,
    ) -> LinkFaultId {
        for (from, to) in &links {
            self.check_pair(*from, *to);
        }
        let all = self.wire.links();
        let first = links.iter().min().map(|pair| all.entity(pair.0, pair.1));
        let entity = first.unwrap_or(EntityKey::of("no link"));
        let id = self.wire.troubles_mut().add(fault, links, entity, fx.now());
        self.switch_on(fx, id);
        self.plan_turn(fx, id);
        id
    }

    /// The point from which a swizzle of these nodes draws that begins now.
    ///
    /// # Panics
    /// If a node has no host.
    #[track_caller]
    pub(crate) fn swizzle_point(&mut self, nodes: &[NodeId], now: SimTime) -> Point {
        for node in nodes {
            self.host(*node);
        }
        let (links, troubles) = self.wire.links_and_troubles();
        let names = nodes.iter().map(|node| links.name(*node));
        let entity = names.fold(EntityKey::of("nodes"), EntityKey::pair);
        troubles.swizzle(entity, now)
    }

    /// Ends a fault; nothing happens if it has ended.
    pub(crate) fn end_fault<F: Effects>(&mut self, fx: &mut F, id: LinkFaultId) {
        let changes = self.wire.troubles_mut().switch_off(id);
        if let Some(turn) = self.wire.troubles_mut().remove(id) {
            fx.cancel(turn);
        }
        self.tell(fx, &changes);
    }

    /// Takes the link from one node to another out of all faults.
    ///
    /// # Panics
    /// If either node has no host, or they are the same.
    #[track_caller]
    pub(crate) fn heal<F: Effects>(&mut self, fx: &mut F, from: NodeId, to: NodeId) {
        self.check_pair(from, to);
        let (changes, over) = self.wire.troubles_mut().clear((from, to));
        for id in over {
            if let Some(turn) = self.wire.troubles_mut().remove(id) {
                fx.cancel(turn);
            }
        }
        self.tell(fx, &changes);
    }

    /// Ends all faults on links.
    pub(crate) fn heal_all<F: Effects>(&mut self, fx: &mut F) {
        for id in self.wire.troubles().ids() {
            self.end_fault(fx, id);
        }
    }

    /// Whether the link from one node to another is cut.
    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.wire.troubles().is_cut((from, to))
    }

    /// All links between a node and the others, away from it, towards it, or both.
    ///
    /// # Panics
    /// If the node has no host.
    #[track_caller]
    pub(crate) fn links_of(&self, node: NodeId, out: bool, into: bool) -> Vec<Pair> {
        self.host(node);
        let others = self.nodes().filter(|other| *other != node);
        let pairs = |other| [(node, other), (other, node)];
        let picked = others.flat_map(pairs);
        picked
            .filter(|(from, _)| if *from == node { out } else { into })
            .collect()
    }

    /// Resets all connections between two nodes, as a middlebox does that has lost its memory:
    /// every open end hears of it at once. Of what was on its way to an end a first part arrives
    /// before, of a length drawn from nothing to all.
    ///
    /// # Panics
    /// If a node has no host.
    #[track_caller]
    pub(crate) fn reset_between<F: Effects>(&mut self, fx: &mut F, a: NodeId, b: NodeId) {
        self.host(a);
        self.host(b);
        self.reset_ends(fx, a, b);
        self.reset_ends(fx, b, a);
    }

    /// Resets, at one node alone, its connections with another, which are half-open afterwards.
    ///
    /// # Panics
    /// If a node has no host.
    #[track_caller]
    pub(crate) fn reset_at<F: Effects>(&mut self, fx: &mut F, node: NodeId, peer: NodeId) {
        self.host(node);
        self.host(peer);
        self.reset_ends(fx, node, peer);
    }

    fn reset_ends<F: Effects>(&mut self, fx: &mut F, node: NodeId, peer: NodeId) {
        let link = self.wire.links().entity(peer, node);
        let entity = link.indexed(fx.now().as_nanos());
        let mut nth = 0;
        for id in self.ends() {
            let Some(entry) = self.connections.get(id.connection) else {
                continue;
            };
            let error = match entry.end(id.side).state {
                State::Asking => libc::ECONNREFUSED,
                State::Answering | State::Open => libc::ECONNRESET,
                State::Void | State::Dead => continue,
            };
            if entry.way_of(id.side) == (node, peer) {
                // Whoever is not accepted yet is told when the program first uses it.
                let told = match entry.end(id.side).owner {
                    Owner::Program => true,
                    Owner::Listener(_) => entry.end(id.side).state == State::Open,
                    Owner::Nobody => false,
                };
                self.wire.count_reset();
                if told {
                    self.wire.effective(Family::Reset);
                }
                self.deliver_the_last(fx, id, entity.indexed(nth));
                nth += 1;
                fx.record(Kind::StreamReset, node, id.subject(), 1, &[]);
                self.die(fx, id, Some(error));
            }
        }
    }

    /// An end that will be reset receives a drawn part of what is on its way to it.
    fn deliver_the_last<F: Effects>(&mut self, fx: &mut F, receiver: EndId, entity: EntityKey) {
        let Some(connection) = self.connections.get_mut(receiver.connection) else {
            return;
        };
        let node = connection.end(receiver.side).node;
        let is_open = connection.end(receiver.side).state == State::Open;
        let pipe = connection.pipe_mut(receiver.side.other());
        let under_way = pipe.under_way();
        if !is_open || under_way == 0 {
            return;
        }
        let mut point = Choices::point(RESET, entity);
        let bytes = fx.choices().below(&mut point, under_way + 1);
        if bytes > 0 {
            pipe.deliver_first(bytes);
            fx.record(Kind::StreamDelivered, node, receiver.subject(), bytes, &[]);
        }
    }

    /// A flap turns from cut to whole or back.
    pub(super) fn on_turn<F: Effects>(&mut self, fx: &mut F, id: LinkFaultId, on: bool) {
        if on {
            self.switch_on(fx, id);
        } else {
            let changes = self.wire.troubles_mut().switch_off(id);
            self.tell(fx, &changes);
        }
        self.plan_turn(fx, id);
    }

    fn switch_on<F: Effects>(&mut self, fx: &mut F, id: LinkFaultId) {
        let (links, troubles) = self.wire.links_and_troubles();
        let changes = troubles.switch_on(id, |pair| links.entity(pair.0, pair.1));
        self.tell(fx, &changes);
    }

    fn plan_turn<F: Effects>(&mut self, fx: &mut F, id: LinkFaultId) {
        let troubles = self.wire.troubles_mut();
        if let Some((lasts, on)) = troubles.turn(fx.choices(), id) {
            let event = NetEvent::Turn { fault: id, on: !on };
            let key = fx.schedule(fx.now().saturating_add(lasts), event);
            troubles.set_turn(id, key);
        }
    }

    /// Puts changes of links into the trace, and sees to what they mean for packets on their way.
    fn tell<F: Effects>(&mut self, fx: &mut F, changes: &[(Pair, Change)]) {
        let mut stopped = false;
        let mut released = Vec::new();
        for ((from, to), change) in changes {
            let kind = match change {
                Change::Cut => Kind::LinkCut,
                Change::Healed => Kind::LinkHealed,
                Change::Held => Kind::LinkHeld,
                Change::Released => Kind::LinkReleased,
                Change::Worsened => Kind::LinkWorsened,
                Change::Recovered => Kind::LinkRecovered,
            };
            fx.record(kind, *from, u64::from(to.number()), 0, &[]);
            stopped |= matches!(change, Change::Cut | Change::Held);
            if *change == Change::Released {
                released.push((*from, *to));
            }
        }
        if !released.is_empty() {
            released.sort_unstable();
            self.release(fx, &released);
        }
        if stopped {
            self.judge_acknowledgements_at_arrival(fx);
        }
    }
}
