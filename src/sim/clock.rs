//! Faults of a node's clocks.

use core::time::Duration;

use super::Node;
use crate::kernel::{Family, Kind};
use crate::model::clock::{ppm, signed_ns};

/// The clocks of one node, for the test that makes them run wrong.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    node: Node,
}

/// A move of a clock, with its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Later: the clock shows more.
    Forward(Duration),
    /// Earlier: the clock shows less.
    Back(Duration),
}

impl Shift {
    fn ns(self) -> i64 {
        match self {
            Self::Forward(duration) => signed_ns(duration),
            Self::Back(duration) => -signed_ns(duration),
        }
    }
}

/// Numbers of the settings in [`Kind::ClockChanged`] records.
const DRIFT: u64 = 0;
const STEP: u64 = 1;
const SLEW: u64 = 2;

impl Clock {
    pub(crate) const fn new(node: Node) -> Self {
        Self { node }
    }

    /// Lets both clocks run `ppm` parts per million too fast, or too slow if negative. Timers that
    /// wait are moved to where the node's clock will then show their deadline.
    ///
    /// # Panics
    /// If the clocks would stop or run backwards (`ppm <= -1_000_000`), or run more than a thousand
    /// times too fast (`ppm > 1_000_000_000`).
    #[track_caller]
    pub fn set_drift_ppm(&self, ppm_value: i64) {
        let id = self.node.id();
        self.node.act(|context| {
            context.world(|world| {
                let now = world.base.now;
                let changed = world.node_mut(id).clock.set_drift(now, ppm(ppm_value));
                world
                    .base
                    .record(id, Kind::ClockChanged, DRIFT, ppm_value.cast_unsigned());
                world.base.counters.offered(Family::ClockDrift);
                if changed {
                    world.base.counters.fired(Family::ClockDrift);
                }
                world.rearm_timers(id);
            });
        });
    }

    /// Moves the wall clock at once, as an operator or a first NTP answer does.
    #[track_caller]
    pub fn step(&self, shift: Shift) {
        self.shift_wall(shift, STEP, Family::ClockStep);
    }

    /// Moves the wall clock gradually, at 500 parts per million, as NTP does.
    #[track_caller]
    pub fn slew(&self, shift: Shift) {
        self.shift_wall(shift, SLEW, Family::ClockSlew);
    }

    /// Sets how far the wall clock is ahead of true time, at once.
    #[track_caller]
    pub fn set_offset(&self, offset: Shift) {
        let error_ns = self.wall_error_ns();
        let by_ns = offset.ns().saturating_sub(error_ns);
        self.step(shift_of(by_ns));
    }

    /// How far the wall clock is ahead of, or behind, true time.
    #[must_use]
    #[track_caller]
    pub fn offset(&self) -> Shift {
        shift_of(self.wall_error_ns())
    }

    /// What the node's wall clock shows, as time since 1970. Does not count as a read by the
    /// program.
    #[must_use]
    #[track_caller]
    pub fn wall(&self) -> Duration {
        let id = self.node.id();
        Duration::from_nanos(
            self.node
                .read(|world| world.node(id).clock.wall_ns(world.base.now)),
        )
    }

    #[track_caller]
    fn wall_error_ns(&self) -> i64 {
        let id = self.node.id();
        self.node.read(|world| {
            let now = world.base.now;
            let true_ns = world.settings.wall_start_ns.saturating_add(now.as_nanos());
            world.node(id).clock.wall_error_ns(now, true_ns)
        })
    }

    #[track_caller]
    fn shift_wall(&self, shift: Shift, setting: u64, family: Family) {
        let id = self.node.id();
        self.node.act(|context| {
            context.world(|world| {
                let now = world.base.now;
                let clock = &mut world.node_mut(id).clock;
                if family == Family::ClockSlew {
                    clock.slew(now, shift.ns());
                } else {
                    clock.step(now, shift.ns());
                }
                world
                    .base
                    .record(id, Kind::ClockChanged, setting, shift.ns().cast_unsigned());
                world.base.counters.offered(family);
                if shift.ns() != 0 {
                    world.base.counters.fired(family);
                }
            });
        });
    }
}

fn shift_of(ns: i64) -> Shift {
    let duration = Duration::from_nanos(ns.unsigned_abs());
    if ns < 0 {
        Shift::Back(duration)
    } else {
        Shift::Forward(duration)
    }
}
