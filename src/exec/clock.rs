//! Faults of nodes' clocks: the change, its record, its counters, and the timers it moves.

use super::world::World;
use crate::kernel::{Family, Kind, NodeId};
use crate::model::Shift;
use crate::model::clock::ppm;

/// Numbers of the settings in [`Kind::ClockChanged`] records.
const DRIFT: u64 = 0;
const STEP: u64 = 1;
const SLEW: u64 = 2;

impl World {
    /// By how many parts per million a node's clocks run too fast.
    pub(crate) fn drift_ppm(&self, id: NodeId) -> i64 {
        self.node(id).clock.drift_ppb() / ppm(1)
    }

    /// Lets both clocks of a node run so many parts per million too fast, and moves its timers.
    ///
    /// # Panics
    /// If the clocks would stop, run backwards, or run more than a thousand times too fast.
    #[track_caller]
    pub(crate) fn set_drift(&mut self, id: NodeId, drift_ppm: i64) {
        let now = self.base.now;
        let changed = self.node_mut(id).clock.set_drift(now, ppm(drift_ppm));
        self.base
            .record(id, Kind::ClockChanged, DRIFT, drift_ppm.cast_unsigned());
        self.base.counters.offered(Family::ClockDrift);
        if changed {
            self.base.counters.fired(Family::ClockDrift);
        }
        self.rearm_timers(id);
    }

    /// Moves a node's wall clock at once.
    pub(crate) fn step_clock(&mut self, id: NodeId, by: Shift) {
        let now = self.base.now;
        self.node_mut(id).clock.step(now, by.ns());
        self.note_shift(id, STEP, Family::ClockStep, by);
    }

    /// Moves a node's wall clock gradually.
    pub(crate) fn slew_clock(&mut self, id: NodeId, by: Shift) {
        let now = self.base.now;
        self.node_mut(id).clock.slew(now, by.ns());
        self.note_shift(id, SLEW, Family::ClockSlew, by);
    }

    fn note_shift(&mut self, id: NodeId, setting: u64, family: Family, by: Shift) {
        let ns = by.ns();
        self.base
            .record(id, Kind::ClockChanged, setting, ns.cast_unsigned());
        self.base.counters.offered(family);
        if ns != 0 {
            self.base.counters.fired(family);
        }
    }
}
