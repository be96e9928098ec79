//! Places of programs at which faults strike: named points, and places with a rare way.
//!
//! Owns which of them a fault is waiting at, and from what each draws.

use std::collections::BTreeMap;

use super::context::Context;
use super::storm::FaultRef;
use super::world::World;
use crate::fault::FaultKind;
use crate::kernel::{Choices, EntityKey, Family, Kind, NodeId, Point, Site};

/// The places at which faults strike now.
#[derive(Default)]
pub(super) struct Points {
    /// Faults that have places take their rare way, on which nodes.
    buggify: Vec<(FaultRef, Vec<NodeId>)>,
    /// From what each such place of each node draws, by the hash of its name.
    draws: BTreeMap<(NodeId, u64), Point>,
    /// Named points at which a node is to lose power, and how many passes are left.
    armed: BTreeMap<(NodeId, String), Vec<(FaultRef, u32)>>,
}

impl Points {
    /// Has a node lose power at the given pass of a named point.
    pub(super) fn arm(&mut self, at: FaultRef, node: NodeId, point: &str, pass: u32) {
        let armed = self.armed.entry((node, point.to_owned())).or_default();
        armed.push((at, pass));
    }

    /// A fault waits at no place any more.
    pub(super) fn disarm(&mut self, at: FaultRef) {
        for armed in self.armed.values_mut() {
            armed.retain(|(other, _)| *other != at);
        }
        self.armed.retain(|_, armed| !armed.is_empty());
        self.buggify.retain(|(other, _)| *other != at);
    }

    /// Has marked places of nodes take their rare way.
    pub(super) fn buggify(&mut self, at: FaultRef, nodes: &[NodeId]) {
        self.buggify.push((at, nodes.to_vec()));
    }
}

impl Context {
    /// The program of the running node passes a named point. True if the node is to lose power.
    pub(crate) fn pass_point(&self, name: &str) -> bool {
        let node = self.current.node.get();
        self.world(|world| {
            let key = EntityKey::of(name).number();
            world.base.record(node, Kind::PointPassed, key, 0);
            if world.storms.points.armed.is_empty() {
                return false;
            }
            let armed = world.storms.points.armed.get_mut(&(node, name.to_owned()));
            let Some(armed) = armed else { return false };
            for (_, left) in armed.iter_mut() {
                *left = left.saturating_sub(1);
            }
            let reached: Vec<FaultRef> = armed
                .extract_if(.., |(_, left)| *left == 0)
                .map(|(at, _)| at)
                .collect();
            for at in &reached {
                world.hold_down(*at, node);
            }
            !reached.is_empty()
        })
    }
}

impl World {
    /// Whether a marked place of the program of a node takes its rare way, which is drawn only
    /// while a fault asks for it.
    ///
    /// Each place is active in a part of all runs, and then takes the rare way in a part of all
    /// passes, as `FoundationDB`'s `BUGGIFY` does.
    pub(crate) fn buggify(&mut self, id: NodeId, name: &str) -> bool {
        if self.storms.points.buggify.is_empty() {
            return false;
        }
        let key = EntityKey::of(name);
        let mut takes = false;
        for (at, nodes) in self.storms.points.buggify.clone() {
            let FaultKind::Buggify {
                sites,
                active,
                fires,
            } = self.storms.planned(at).fault.clone()
            else {
                continue;
            };
            let named = sites.is_empty() || sites.iter().any(|site| site == name);
            // The same draw each time: a place is active for a whole run.
            let mut place = Choices::point(BUGGIFY_PLACE, key);
            let choices = &mut self.base.choices;
            if !named || !nodes.contains(&id) || !choices.chance(&mut place, active) {
                continue;
            }
            let node = EntityKey::of(&self.nodes[id.index()].name);
            let points = &mut self.storms.points.draws;
            let point = points.entry((id, key.number()));
            let point =
                point.or_insert_with(|| Choices::point(BUGGIFY_PASS, EntityKey::pair(node, key)));
            self.base.counters.offered(Family::Buggify);
            let now = choices.chance(point, fires);
            if now {
                self.base.counters.fired(Family::Buggify);
                self.base.counters.effective(Family::Buggify);
            }
            self.base
                .record(id, Kind::Buggified, key.number(), u64::from(now));
            takes |= now;
        }
        takes
    }
}

const BUGGIFY_PLACE: Site = Site::new("buggify.place");
const BUGGIFY_PASS: Site = Site::new("buggify.pass");
