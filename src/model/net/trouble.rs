//! What is wrong with links by faults that begin and end.
//!
//! Owns the faults that are on and, for each link, how many of them concern it: so that one which
//! ends leaves what another still does. It must never know what a packet carries.

use core::time::Duration;
use std::collections::BTreeMap;

use super::burdens::Burdens;
use super::link_fault::{LinkFault, Pair};
use crate::kernel::{Choices, EntityKey, EventKey, Family, Point, SimTime, Site};

const FLAP: Site = Site::new("net.flap");
const SWIZZLE: Site = Site::new("net.swizzle");

/// Names a fault; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkFaultId(u64);

impl LinkFaultId {
    /// Names no fault.
    pub(crate) const NEVER_BEGUN: Self = Self(u64::MAX);
}

/// What changed for a link, for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Cut,
    Healed,
    Held,
    Released,
    Worsened,
    Recovered,
}

/// All faults of links that are on.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    next: u64,
    active: BTreeMap<LinkFaultId, Active>,
    cuts: Cuts,
    stops: BTreeMap<Pair, Stops>,
    burdens: Burdens,
    /// The swizzles that began at the latest instant at which one did.
    swizzles: (SimTime, Vec<EntityKey>),
}

#[derive(Debug)]
pub(super) struct Active {
    fault: LinkFault,
    links: Vec<Pair>,
    /// Whether it does anything at present; a flap does by turns.
    on: bool,
    /// What a flap draws its times from.
    point: Point,
    /// The event of a flap's next turn.
    turn: Option<EventKey>,
    begun: SimTime,
    /// The name of its first link.
    entity: EntityKey,
}

/// How many faults keep the packets of a link.
#[derive(Debug, Default)]
struct Stops {
    clogs: u32,
    holds: u32,
}

/// Why a link keeps its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Clog,
    Hold,
}

impl Stop {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Clog => Family::Clog,
            Self::Hold => Family::Hold,
        }
    }
}

impl Troubles {
    /// Whether any fault is on.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Adds a fault. Its draws are keyed by when and where it begins, `entity` being the name of
    /// its first link: no fault that acts elsewhere, or never, has a part in them. It does nothing
    /// yet.
    pub(super) fn add(
        &mut self,
        fault: LinkFault,
        mut links: Vec<Pair>,
        entity: EntityKey,
        now: SimTime,
    ) -> LinkFaultId {
        links.sort_unstable();
        links.dedup();
        let id = LinkFaultId(self.next);
        self.next += 1;
        let alike = |other: &&Active| {
            let flaps = matches!(other.fault, LinkFault::Flap { .. });
            flaps && other.begun == now && other.entity == entity
        };
        let nth = self.active.values().filter(alike).count() as u64;
        self.active.insert(
            id,
            Active {
                fault,
                links,
                on: false,
                point: Choices::point(FLAP, entity.indexed(now.as_nanos()).indexed(nth)),
                turn: None,
                begun: now,
                entity,
            },
        );
        id
    }

    /// The point from which a swizzle draws that begins now, of the nodes that `entity` names.
    pub(super) fn swizzle(&mut self, entity: EntityKey, now: SimTime) -> Point {
        if self.swizzles.0 != now {
            self.swizzles = (now, Vec::new());
        }
        let begun = &mut self.swizzles.1;
        let nth = begun.iter().filter(|other| **other == entity).count() as u64;
        begun.push(entity);
        Choices::point(SWIZZLE, entity.indexed(now.as_nanos()).indexed(nth))
    }

    /// Switches a fault on; gives the links for which that makes a difference.
    pub(super) fn switch_on(
        &mut self,
        id: LinkFaultId,
        entity: impl Fn(Pair) -> EntityKey,
    ) -> Vec<(Pair, Change)> {
        let Some(active) = self.active.get_mut(&id).filter(|active| !active.on) else {
            return Vec::new();
        };
        active.on = true;
        let (fault, links) = (active.fault.clone(), active.links.clone());
        let begun = active.begun;
        let mut changes = Vec::new();
        for pair in links {
            let change = self.burden(id, &fault, pair, (begun, entity(pair)));
            changes.extend(change.map(|change| (pair, change)));
        }
        changes
    }

    /// Switches a fault off; gives the links for which that makes a difference.
    pub(super) fn switch_off(&mut self, id: LinkFaultId) -> Vec<(Pair, Change)> {
        let Some(active) = self.active.get_mut(&id).filter(|active| active.on) else {
            return Vec::new();
        };
        active.on = false;
        let (fault, links) = (active.fault.clone(), active.links.clone());
        let mut changes = Vec::new();
        for pair in links {
            changes.extend(self.relieve(id, &fault, pair).map(|change| (pair, change)));
        }
        changes
    }

    /// Forgets a fault that is off; gives the event of its next turn.
    pub(super) fn remove(&mut self, id: LinkFaultId) -> Option<EventKey> {
        self.active.remove(&id)?.turn
    }

    /// Takes a link out of all faults; gives the changes, and the faults that have no link left.
    pub(super) fn clear(&mut self, pair: Pair) -> (Vec<(Pair, Change)>, Vec<LinkFaultId>) {
        let mut changes = Vec::new();
        let mut over = Vec::new();
        for id in self.ids() {
            let active = self.active.get_mut(&id).expect("it is listed");
            let Ok(place) = active.links.binary_search(&pair) else {
                continue;
            };
            active.links.remove(place);
            if active.links.is_empty() {
                over.push(id);
            }
            if active.on {
                let fault = active.fault.clone();
                changes.extend(self.relieve(id, &fault, pair).map(|change| (pair, change)));
            }
        }
        (changes, over)
    }

    /// All faults, the oldest first.
    pub(super) fn ids(&self) -> Vec<LinkFaultId> {
        self.active.keys().copied().collect()
    }

    /// A flap turns: how long until it turns again, and whether it is on. `None` for other faults.
    pub(super) fn turn(
        &mut self,
        choices: &mut Choices,
        id: LinkFaultId,
    ) -> Option<(Duration, bool)> {
        let active = self.active.get_mut(&id)?;
        let LinkFault::Flap { down, up } = &active.fault else {
            return None;
        };
        let lasts = if active.on { down } else { up };
        Some((lasts.sample(choices, &mut active.point), active.on))
    }

    /// Notes the event of a flap's next turn.
    pub(super) fn set_turn(&mut self, id: LinkFaultId, key: EventKey) {
        if let Some(active) = self.active.get_mut(&id) {
            active.turn = Some(key);
        }
    }

    /// Whether a link is cut.
    #[inline]
    pub(super) fn is_cut(&self, pair: Pair) -> bool {
        self.cuts.contains(pair)
    }

    /// Whether any link is cut.
    #[inline]
    pub(super) const fn are_cuts(&self) -> bool {
        self.cuts.count > 0
    }

    /// Whether and why a link keeps its packets.
    #[inline]
    pub(super) fn stop(&self, pair: Pair) -> Option<Stop> {
        if self.stops.is_empty() {
            return None;
        }
        let stops = self.stops.get(&pair)?;
        Some(if stops.holds > 0 {
            Stop::Hold
        } else {
            Stop::Clog
        })
    }

    /// What the faults draw that are on for the packets of links.
    pub(super) const fn burdens(&self) -> &Burdens {
        &self.burdens
    }

    pub(super) const fn burdens_mut(&mut self) -> &mut Burdens {
        &mut self.burdens
    }

    fn burden(
        &mut self,
        id: LinkFaultId,
        fault: &LinkFault,
        pair: Pair,
        key: (SimTime, EntityKey),
    ) -> Option<Change> {
        match fault {
            LinkFault::Cut | LinkFault::Flap { .. } => self.cuts.add(pair).then_some(Change::Cut),
            LinkFault::Clog | LinkFault::Hold => {
                let stops = self.stops.entry(pair).or_default();
                let first = stops.clogs + stops.holds == 0;
                match fault {
                    LinkFault::Hold => stops.holds += 1,
                    _ => stops.clogs += 1,
                }
                first.then_some(Change::Held)
            }
            _ => {
                let acts = self.burdens.add(pair, id, fault, key);
                acts.then_some(Change::Worsened)
            }
        }
    }

    fn relieve(&mut self, id: LinkFaultId, fault: &LinkFault, pair: Pair) -> Option<Change> {
        match fault {
            LinkFault::Cut | LinkFault::Flap { .. } => {
                self.cuts.remove(pair).then_some(Change::Healed)
            }
            LinkFault::Clog | LinkFault::Hold => {
                let stops = self.stops.get_mut(&pair).expect("it was counted");
                match fault {
                    LinkFault::Hold => stops.holds -= 1,
                    _ => stops.clogs -= 1,
                }
                let last = stops.clogs + stops.holds == 0;
                if last {
                    self.stops.remove(&pair);
                }
                last.then_some(Change::Released)
            }
            _ => self.burdens.remove(pair, id).then_some(Change::Recovered),
        }
    }
}

/// How many faults cut each directed link.
#[derive(Debug, Default)]
struct Cuts {
    /// By the sending node, then by the receiving one.
    rows: Vec<Vec<u16>>,
    /// Links that are cut.
    count: usize,
}

impl Cuts {
    /// Counts one more; says whether the link was whole.
    fn add(&mut self, (from, to): Pair) -> bool {
        if self.rows.len() <= from.index() {
            self.rows.resize(from.index() + 1, Vec::new());
        }
        let row = &mut self.rows[from.index()];
        if row.len() <= to.index() {
            row.resize(to.index() + 1, 0);
        }
        let cuts = &mut row[to.index()];
        *cuts = cuts.checked_add(1).expect("fewer than 2^16 faults at once");
        self.count += usize::from(*cuts == 1);
        *cuts == 1
    }

    /// Counts one less; says whether the link is whole again.
    fn remove(&mut self, (from, to): Pair) -> bool {
        let cuts = &mut self.rows[from.index()][to.index()];
        *cuts -= 1;
        self.count -= usize::from(*cuts == 0);
        *cuts == 0
    }

    #[inline]
    fn contains(&self, (from, to): Pair) -> bool {
        let row = self.rows.get(from.index());
        row.and_then(|row| row.get(to.index()))
            .is_some_and(|cuts| *cuts > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::NodeId;

    const fn pair(from: u32, to: u32) -> Pair {
        (NodeId::new(from), NodeId::new(to))
    }

    fn begin(troubles: &mut Troubles, fault: LinkFault, links: &[Pair]) -> LinkFaultId {
        let id = troubles.add(fault, links.to_vec(), EntityKey::of("x"), SimTime::ZERO);
        troubles.switch_on(id, |_| EntityKey::of("x"));
        id
    }

    #[test]
    fn what_two_faults_cut_both_must_heal() {
        let mut troubles = Troubles::default();
        let one = begin(&mut troubles, LinkFault::Cut, &[pair(3, 200), pair(3, 0)]);
        let two = begin(&mut troubles, LinkFault::Cut, &[pair(3, 200), pair(3, 200)]);
        assert!(troubles.is_cut(pair(3, 200)) && troubles.is_cut(pair(3, 0)));
        assert!(!troubles.is_cut(pair(200, 3)) && !troubles.is_cut(pair(3, 199)));
        assert_eq!(troubles.switch_off(one), [(pair(3, 0), Change::Healed)]);
        assert_eq!(troubles.switch_off(one), [], "it is off");
        assert!(troubles.is_cut(pair(3, 200)));
        assert_eq!(troubles.switch_off(two), [(pair(3, 200), Change::Healed)]);
        assert!(!troubles.are_cuts());
        assert_eq!(troubles.remove(one), None);
        assert_eq!(troubles.ids(), [two]);
    }

    #[test]
    fn a_link_that_is_cleared_is_out_of_all_faults() {
        let mut troubles = Troubles::default();
        let cut = begin(&mut troubles, LinkFault::Cut, &[pair(1, 2), pair(2, 1)]);
        let hold = begin(&mut troubles, LinkFault::Hold, &[pair(1, 2)]);
        let (changes, over) = troubles.clear(pair(1, 2));
        assert_eq!(
            changes,
            [(pair(1, 2), Change::Healed), (pair(1, 2), Change::Released)]
        );
        assert_eq!(over, [hold]);
        assert_eq!(troubles.stop(pair(1, 2)), None);
        assert_eq!(troubles.switch_off(cut), [(pair(2, 1), Change::Healed)]);
    }

    #[test]
    fn a_hold_goes_before_a_clog() {
        let mut troubles = Troubles::default();
        let clog = begin(&mut troubles, LinkFault::Clog, &[pair(1, 2)]);
        assert_eq!(troubles.stop(pair(1, 2)), Some(Stop::Clog));
        let hold = begin(&mut troubles, LinkFault::Hold, &[pair(1, 2)]);
        assert_eq!(troubles.stop(pair(1, 2)), Some(Stop::Hold));
        assert_eq!(troubles.switch_off(hold), [], "it is still clogged");
        assert_eq!(troubles.switch_off(clog), [(pair(1, 2), Change::Released)]);
        assert_eq!(troubles.stop(pair(1, 2)), None);
    }
}
