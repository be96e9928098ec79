//! What the faults that are on draw for the packets of each link.
//!
//! Owns one choice point for each fault and each of its links. A link without faults has no entry,
//! and a fault that never acts is not among them. It must never know how a fault begins and ends.

use core::time::Duration;
use std::collections::BTreeMap;

use super::filter::Label;
use super::link_fault::{LinkFault, Pair};
use super::trouble::LinkFaultId;
use crate::kernel::{Choices, EntityKey, Point, Probability, SimTime};

/// The faults of each link that draw something for its packets.
#[derive(Debug, Default)]
pub(super) struct Burdens(BTreeMap<Pair, Vec<Burden>>);

/// One fault on one link.
#[derive(Debug)]
struct Burden {
    id: LinkFaultId,
    fault: LinkFault,
    point: Point,
    begun: SimTime,
}

/// What the faults of a link do to one packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// Whether a gray link loses it; `None` if the link is not gray.
    pub(super) gray: Option<bool>,
    /// Whether a filter that means it loses it; `None` if none does.
    pub(super) filter: Option<bool>,
    /// How much longer it takes; `None` if the link is not delayed.
    pub(super) delay: Option<Duration>,
}

impl Burdens {
    /// Adds a fault to a link; says whether it will ever do anything there. Its draws are keyed by
    /// the link and by when the fault began.
    pub(super) fn add(
        &mut self,
        pair: Pair,
        id: LinkFaultId,
        fault: &LinkFault,
        (begun, entity): (SimTime, EntityKey),
    ) -> bool {
        let Some(site) = fault.site().filter(|_| !fault.is_never()) else {
            return false;
        };
        let burdens = self.0.entry(pair).or_default();
        let kind = core::mem::discriminant(fault);
        let alike =
            |other: &&Burden| core::mem::discriminant(&other.fault) == kind && other.begun == begun;
        let nth = burdens.iter().filter(alike).count() as u64;
        let entity = entity.indexed(begun.as_nanos()).indexed(nth);
        burdens.push(Burden {
            id,
            fault: fault.clone(),
            point: Choices::point(site, entity),
            begun,
        });
        true
    }

    /// Takes a fault from a link; says whether it was there.
    pub(super) fn remove(&mut self, pair: Pair, id: LinkFaultId) -> bool {
        let Some(burdens) = self.0.get_mut(&pair) else {
            return false;
        };
        let before = burdens.len();
        burdens.retain(|burden| burden.id != id);
        let removed = burdens.len() < before;
        if burdens.is_empty() {
            self.0.remove(&pair);
        }
        removed
    }

    /// What the faults of a link do to its next packet.
    pub(super) fn weigh(&mut self, choices: &mut Choices, pair: Pair, label: &Label) -> Weight {
        let mut weight = Weight::default();
        for Burden { fault, point, .. } in self.of(pair) {
            match fault {
                LinkFault::Gray(chance) => {
                    let lost = choices.chance(point, *chance);
                    *weight.gray.get_or_insert(false) |= lost;
                }
                LinkFault::Filter { what, chance } if what.means(label) => {
                    let lost = choices.chance(point, *chance);
                    *weight.filter.get_or_insert(false) |= lost;
                }
                LinkFault::Delay(by) => {
                    let delay = weight.delay.get_or_insert(Duration::ZERO);
                    *delay = delay.saturating_add(by.sample(choices, point));
                }
                _ => {}
            }
        }
        weight
    }

    /// For each fault that replays datagrams of a link: how long after the next one it comes once
    /// more, if it does. A link without such faults costs no memory.
    pub(super) fn replays(&mut self, choices: &mut Choices, pair: Pair) -> Vec<Option<Duration>> {
        let replays = self.of(pair).iter_mut().filter_map(|burden| {
            let LinkFault::Replay { chance, after } = &burden.fault else {
                return None;
            };
            let again = choices.chance(&mut burden.point, *chance);
            let after = after.sample(choices, &mut burden.point);
            Some(again.then_some(after))
        });
        replays.collect()
    }

    /// Whether a fault of a link strikes, of those that `of` gives the chance of, and a number that
    /// decides how. `None` if there is no such fault.
    pub(super) fn strike(
        &mut self,
        choices: &mut Choices,
        pair: Pair,
        of: impl Fn(&LinkFault) -> Option<Probability>,
    ) -> Option<Option<u64>> {
        let mut struck = None;
        for Burden { fault, point, .. } in self.of(pair) {
            if let Some(chance) = of(fault) {
                let this = choices.chance(point, chance);
                let how = choices.draw(point);
                let struck = struck.get_or_insert(None);
                *struck = this.then_some(how).or(*struck);
            }
        }
        struck
    }

    /// How much longer the next connection that is made on a link waits to be accepted; `None` if
    /// none ever does.
    pub(super) fn slow_accept(&mut self, choices: &mut Choices, pair: Pair) -> Option<Duration> {
        let mut sum = None;
        for Burden { fault, point, .. } in self.of(pair) {
            if let LinkFault::SlowAccept(by) = fault {
                let sum = sum.get_or_insert(Duration::ZERO);
                *sum = sum.saturating_add(by.sample(choices, point));
            }
        }
        sum
    }

    /// Whether a link loses packets of streams, or corrupts them.
    #[inline]
    pub(super) fn harm_packets(&self, pair: Pair) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let harms = |burden: &Burden| {
            matches!(
                burden.fault,
                LinkFault::Gray(_) | LinkFault::Filter { .. } | LinkFault::CorruptStream(_)
            )
        };
        self.0
            .get(&pair)
            .is_some_and(|burdens| burdens.iter().any(harms))
    }

    /// Those of a link.
    fn of(&mut self, pair: Pair) -> &mut [Burden] {
        self.0.get_mut(&pair).map_or(&mut [], Vec::as_mut_slice)
    }
}
