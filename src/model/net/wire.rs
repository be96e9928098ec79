//! The way between two hosts: how long a packet takes, whether it is lost, whether there is one.
//!
//! Owns the links, the faults on them and the counters of all faults that act on packets. It knows
//! the [`Label`] of a packet, and must never know what one carries.

use core::time::Duration;

use super::Effects;
use super::addr::NOWHERE;
use super::filter::Label;
use super::link::LinkConfig;
use super::link_fault::{LinkFault, Pair};
use super::links::{Crossing, Links, Manner, Mischief};
use super::marks::Marks;
use super::trouble::{Stop, Troubles};
use crate::kernel::{EntityKey, Family, FaultCounters, NodeId, Probability, SimTime};

/// How long a packet takes within one host. About what Linux needs; constant, since a host's own
/// packets meet no network.
const LOOPBACK_LATENCY: Duration = Duration::from_micros(10);
/// The largest packet within one host. Linux: the MTU of `lo`.
pub(super) const LOOPBACK_MTU_BYTES: u32 = 65_536;

/// What becomes of a packet, as far as it is known when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It arrives then, unless the link is cut meanwhile; what has happened to it by then.
    Arrives { at: SimTime, marks: Marks },
    /// A fault of this family takes it.
    Lost(Family),
    /// It goes to an address that nobody has.
    Nowhere,
}

/// How a packet of a stream comes to its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At once. It arrives at least so long behind all that its end sent before.
    Behind(Duration),
    /// After it has waited at its host for the link's queue to be short.
    InTurn,
}

impl Start {
    pub(super) const AT_ONCE: Self = Self::Behind(Duration::ZERO);
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) passage: Passage,
    /// When a second copy arrives.
    pub(super) copy: Option<SimTime>,
    /// Bits are flipped, decided by this number.
    pub(super) flip: Option<u64>,
}

/// All links, their faults, and the counters of those.
#[derive(Debug)]
pub(super) struct Wire {
    links: Links,
    troubles: Troubles,
    counters: FaultCounters,
}

impl Wire {
    pub(super) fn new(default: LinkConfig) -> Self {
        Self {
            links: Links::new(default),
            troubles: Troubles::default(),
            counters: FaultCounters::default(),
        }
    }

    /// Names a node; its links' choice points are keyed by it.
    pub(super) fn add(&mut self, node: NodeId, name: EntityKey) {
        self.links.add(node, name);
    }

    pub(super) const fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    pub(super) const fn links(&self) -> &Links {
        &self.links
    }

    pub(super) const fn troubles_mut(&mut self) -> &mut Troubles {
        &mut self.troubles
    }

    pub(super) const fn links_and_troubles(&mut self) -> (&Links, &mut Troubles) {
        (&self.links, &mut self.troubles)
    }

    pub(super) const fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    pub(super) const fn counters(&self) -> &FaultCounters {
        &self.counters
    }

    /// Sends a packet of a stream, or one that no program sees: it is never doubled or reordered,
    /// and a corrupt one is lost.
    #[inline]
    pub(super) fn send<F: Effects>(
        &mut self,
        fx: &mut F,
        (from, to): Pair,
        label: impl FnOnce() -> Label,
        start: Start,
    ) -> Passage {
        match self.send_plainly(fx.now(), from, to) {
            Some(passage) => passage,
            None => self.send_over(fx, (from, to), label(), start),
        }
    }

    #[inline(never)]
    fn send_over<F: Effects>(
        &mut self,
        fx: &mut F,
        pair: Pair,
        label: Label,
        start: Start,
    ) -> Passage {
        let now = fx.now();
        let mut crossing = self.links.cross(fx.choices(), pair, label.bytes, 1, now);
        if start == Start::InTurn {
            // Its wait before the queue and the one in it are one deed.
            crossing.waited = true;
            crossing.dropped.get_or_insert(false);
        }
        match self.judge(fx, pair, label, crossing) {
            Passage::Arrives { marks, .. } if marks.contains(Family::Corrupt) => {
                Passage::Lost(Family::Corrupt)
            }
            passage => passage,
        }
    }

    /// Sends a datagram in that many fragments.
    #[inline]
    pub(super) fn send_datagram<F: Effects>(
        &mut self,
        fx: &mut F,
        (from, to): Pair,
        label: Label,
        fragments: u32,
    ) -> Flight {
        let mut flight = Flight {
            passage: Passage::Nowhere,
            copy: None,
            flip: None,
        };
        if let Some(passage) = self.send_plainly(fx.now(), from, to) {
            flight.passage = passage;
            return flight;
        }
        let now = fx.now();
        let pair = (from, to);
        let crossing = self
            .links
            .cross(fx.choices(), pair, label.bytes, fragments, now);
        let mut mischief = Mischief::default();
        if crossing.mischief {
            mischief = self.links.mischief(fx.choices(), from, to);
        }
        flight.passage = self.judge(fx, pair, label, crossing);
        let Passage::Arrives { at, mut marks } = flight.passage else {
            return flight;
        };
        flight.flip = crossing.corrupt.flatten();
        if let Some(copy) = mischief.copy {
            self.counters.offered(Family::Duplicate);
            if let Some(latency) = copy {
                self.counters.fired(Family::Duplicate);
                // A fault that delays the link delays the copy too.
                let late = at.saturating_since(now).saturating_sub(crossing.latency);
                flight.copy = Some(now.saturating_add(latency).saturating_add(late));
            }
        }
        if let Some(held_up) = mischief.held_up {
            self.counters.offered(Family::Reorder);
            if let Some(delay) = held_up {
                self.counters.fired(Family::Reorder);
                if delay > Duration::ZERO {
                    marks.add(Marks::of(Family::Reorder));
                }
                let at = at.saturating_add(delay);
                flight.passage = Passage::Arrives { at, marks };
            }
        }
        flight
    }

    /// When a datagram that has this passage comes once more, by faults that replay datagrams.
    /// Their draws are made even if it does not arrive.
    pub(super) fn replays<F: Effects>(
        &mut self,
        fx: &mut F,
        pair: Pair,
        passage: Passage,
    ) -> Vec<SimTime> {
        let draws = self.troubles.burdens_mut().replays(fx.choices(), pair);
        let Passage::Arrives { at, .. } = passage else {
            return Vec::new();
        };
        for draw in &draws {
            self.counters.offered(Family::Replay);
            if draw.is_some() {
                self.counters.fired(Family::Replay);
            }
        }
        let again = draws.into_iter().flatten();
        again.map(|after| at.saturating_add(after)).collect()
    }

    /// What becomes of a packet when there is nothing to draw and nothing that goes wrong.
    #[inline]
    fn send_plainly(&self, now: SimTime, from: NodeId, to: NodeId) -> Option<Passage> {
        let unharmed = |latency| Passage::Arrives {
            at: now.saturating_add(latency),
            marks: Marks::NONE,
        };
        if from == to {
            return Some(unharmed(LOOPBACK_LATENCY));
        }
        if to == NOWHERE {
            return Some(Passage::Nowhere);
        }
        let latency = self.links.plain()?;
        let quiet = self.troubles.is_empty();
        quiet.then(|| unharmed(latency))
    }

    /// Counts what a packet met, and says what becomes of it.
    fn judge<F: Effects>(
        &mut self,
        fx: &mut F,
        pair: Pair,
        label: Label,
        crossing: Crossing,
    ) -> Passage {
        let mut marks = Marks::NONE;
        let mut latency = crossing.latency;
        if self.troubles.is_empty() && crossing.is_clean() {
            let at = fx.now().saturating_add(latency);
            return Passage::Arrives { at, marks };
        }
        let weight = self
            .troubles
            .burdens_mut()
            .weigh(fx.choices(), pair, &label);
        if self.blocks(pair.0, pair.1) {
            return Passage::Lost(Family::Partition);
        }
        if let Some(dropped) = crossing.dropped {
            self.counters.offered(Family::Bandwidth);
            if dropped {
                self.counters.fired(Family::Bandwidth);
                return Passage::Lost(Family::Bandwidth);
            }
        }
        for (family, verdict) in [
            (Family::Loss, crossing.loss),
            (Family::Gray, weight.gray),
            (Family::Filter, weight.filter),
        ] {
            let Some(verdict) = verdict else { continue };
            self.counters.offered(family);
            if verdict {
                self.counters.fired(family);
                return Passage::Lost(family);
            }
        }
        if crossing.waited {
            self.counters.fired(Family::Bandwidth);
            marks.add(Marks::of(Family::Bandwidth));
        }
        if let Some(corrupt) = crossing.corrupt {
            self.counters.offered(Family::Corrupt);
            if corrupt.is_some() {
                self.counters.fired(Family::Corrupt);
                marks.add(Marks::of(Family::Corrupt));
            }
        }
        if let Some(delay) = weight.delay {
            self.counters.offered(Family::Delay);
            if delay > Duration::ZERO {
                self.counters.fired(Family::Delay);
                marks.add(Marks::of(Family::Delay));
                latency = latency.saturating_add(delay);
            }
        }
        let at = fx.now().saturating_add(latency);
        Passage::Arrives { at, marks }
    }

    /// Whether a fault of this family strikes on a link, of those that `of` gives the chance of:
    /// then a number that decides how.
    pub(super) fn strike<F: Effects>(
        &mut self,
        fx: &mut F,
        pair: Pair,
        family: Family,
        of: impl Fn(&LinkFault) -> Option<Probability>,
    ) -> Option<u64> {
        let burdens = self.troubles.burdens_mut();
        let struck = burdens.strike(fx.choices(), pair, of)?;
        self.counters.offered(family);
        if struck.is_some() {
            self.counters.fired(family);
        }
        struck
    }

    /// Whether a fault has a host refuse who asks it for a connection on a link.
    pub(super) fn refuses<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> bool {
        let of = |fault: &LinkFault| match fault {
            LinkFault::Refuse(chance) => Some(*chance),
            _ => None,
        };
        !self.troubles.is_empty() && self.strike(fx, pair, Family::Refuse, of).is_some()
    }

    /// How much longer a connection that was made on a link waits to be accepted.
    pub(super) fn slow_accept<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> Duration {
        if self.troubles.is_empty() {
            return Duration::ZERO;
        }
        let late = (self.troubles.burdens_mut()).slow_accept(fx.choices(), pair);
        if late.is_some() {
            self.counters.offered(Family::SlowAccept);
        }
        let late = late.unwrap_or_default();
        if late > Duration::ZERO {
            self.counters.fired(Family::SlowAccept);
        }
        late
    }

    /// How a stream may send from one host to another.
    #[inline]
    pub(super) fn manner<F: Effects>(&mut self, fx: &mut F, from: NodeId, to: NodeId) -> Manner {
        if from == to || to == NOWHERE {
            return Manner {
                mtu_bytes: LOOPBACK_MTU_BYTES,
                smooth: true,
            };
        }
        let mut manner = self.links.manner(fx.choices(), from, to);
        manner.smooth &= !self.troubles.burdens().harm_packets((from, to));
        manner
    }

    /// Whether a link may have a queue.
    #[inline]
    pub(super) fn has_queues(&self) -> bool {
        self.links.has_queues()
    }

    /// Bytes that a stream sends in one packet on a link that is not smooth.
    pub(super) fn burst<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> u64 {
        self.links.burst(fx.choices(), pair)
    }

    /// At which of the places between `count` segments a stream's packets part, counted from 1.
    pub(super) fn parting<F: Effects>(&mut self, fx: &mut F, pair: Pair, count: u64) -> u64 {
        self.links.parting(fx.choices(), pair, count)
    }

    /// When the queue of a link is short enough for a stream to send, if that is later than now.
    pub(super) fn turn<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> Option<SimTime> {
        let now = fx.now();
        self.links.turn(fx.choices(), pair, now)
    }

    /// As [`turn`](Self::turn), of any link: one within a host has no queue.
    pub(super) fn turn_of_stream<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> Option<SimTime> {
        if pair.0 == pair.1 || pair.1 == NOWHERE || !self.has_queues() {
            return None;
        }
        self.turn(fx, pair)
    }

    /// Whether what is sent on a link, or what answers it, may not arrive.
    pub(super) fn may_be_silent<F: Effects>(&mut self, fx: &mut F, pair: Pair) -> bool {
        [pair, (pair.1, pair.0)].into_iter().any(|pair| {
            let stopped = self.troubles.is_cut(pair) || self.troubles.stop(pair).is_some();
            stopped || !self.manner(fx, pair.0, pair.1).smooth
        })
    }

    /// Whether a cut stops a packet here and now: asked when it is sent and when it arrives.
    #[inline]
    pub(super) fn blocks(&mut self, from: NodeId, to: NodeId) -> bool {
        if !self.troubles.are_cuts() || from == to {
            return false;
        }
        self.counters.offered(Family::Partition);
        let cut = self.troubles.is_cut((from, to));
        if cut {
            self.counters.fired(Family::Partition);
        }
        cut
    }

    /// Counts a packet that a link keeps.
    pub(super) fn count_kept(&mut self, stop: Stop) {
        self.count_act(stop.family());
    }

    /// Counts an end of a connection that is reset from outside.
    pub(super) fn count_reset(&mut self) {
        self.count_act(Family::Reset);
    }

    /// Counts a chance that a family took.
    fn count_act(&mut self, family: Family) {
        self.counters.offered(family);
        self.counters.fired(family);
    }

    /// Counts that a fault of a family, counted as fired before, made a difference.
    pub(super) fn effective(&mut self, family: Family) {
        self.counters.effective(family);
    }

    /// Counts what happened to a packet that makes a difference to its receiver.
    #[inline]
    pub(super) fn count_marks(&mut self, marks: Marks) {
        if !marks.is_empty() {
            self.count_all(marks);
        }
    }

    #[cold]
    fn count_all(&mut self, marks: Marks) {
        for family in marks.families() {
            self.counters.effective(family);
        }
    }
}
