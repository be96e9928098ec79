//! Faults of a node's clocks.

use core::time::Duration;

use super::Node;
use crate::exec::World;
use crate::model::Shift;

/// The clocks of one node, for the test that makes them run wrong.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    node: Node,
}

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
    pub fn set_drift_ppm(&self, ppm: i64) {
        let id = self.node.id();
        self.act(|world| world.set_drift(id, ppm));
    }

    /// Moves the wall clock at once, as an operator or a first NTP answer does.
    #[track_caller]
    pub fn step(&self, shift: Shift) {
        let id = self.node.id();
        self.act(|world| world.step_clock(id, shift));
    }

    /// Moves the wall clock gradually, at 500 parts per million, as NTP does.
    #[track_caller]
    pub fn slew(&self, shift: Shift) {
        let id = self.node.id();
        self.act(|world| world.slew_clock(id, shift));
    }

    /// Sets how far the wall clock is ahead of true time, at once.
    #[track_caller]
    pub fn set_offset(&self, offset: Shift) {
        let error_ns = self.wall_error_ns();
        let by_ns = offset.ns().saturating_sub(error_ns);
        self.step(Shift::of_ns(by_ns));
    }

    /// How far the wall clock is ahead of, or behind, true time.
    #[must_use]
    #[track_caller]
    pub fn offset(&self) -> Shift {
        Shift::of_ns(self.wall_error_ns())
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
    fn act(&self, change: impl FnOnce(&mut World)) {
        self.node.act(|context| context.world(change));
    }
}
