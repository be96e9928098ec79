//! The clocks of one node: a monotonic and a wall clock that may run wrong.
//!
//! Owns the mapping between true virtual time and what the node reads. It must never know who
//! reads it or what waits for it; whoever changes a clock re-arms the node's timers.
//!
//! # Fidelity
//! Both clocks hang on one oscillator, so drift moves both; offset, step and slew move the wall
//! clock alone. The monotonic clock never goes back, and stands still while the node is
//! suspended, as `CLOCK_MONOTONIC` does on Linux; the wall clock goes on. A reboot does not set
//! the monotonic clock back.

use core::time::Duration;

use crate::kernel::SimTime;

/// The clocks of one node.
#[derive(Clone, Debug)]
pub(crate) struct NodeClock {
    monotonic: Line,
    wall: Line,
    slew: Option<Slew>,
    /// Clock faults whose change no program has seen yet.
    unseen: Unseen,
}

/// Which clock faults a read has just made effective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unseen {
    /// The rate was changed.
    pub drift: bool,
    /// The wall clock was stepped.
    pub step: bool,
    /// The wall clock is being slewed.
    pub slew: bool,
}

impl Unseen {
    const NONE: Self = Self {
        drift: false,
        step: false,
        slew: false,
    };

    const fn any(self) -> bool {
        self.drift || self.step || self.slew
    }
}

/// What the monotonic clock shows when the simulation begins: an hour, so that programs may
/// subtract a little from the first instant that they see.
pub(crate) const MONOTONIC_START_NS: u64 = 3_600_000_000_000;

/// How fast a slew moves the wall clock: the 500 parts per million of `adjtime`.
const SLEW_PPB: i64 = 500_000;

impl NodeClock {
    /// Clocks that run right; the wall clock shows `wall_start_ns` nanoseconds since 1970 when
    /// the simulation begins.
    pub(crate) const fn new(wall_start_ns: u64) -> Self {
        Self {
            monotonic: Line::new(MONOTONIC_START_NS),
            wall: Line::new(wall_start_ns),
            slew: None,
            unseen: Unseen::NONE,
        }
    }

    /// What the monotonic clock shows, in nanoseconds.
    #[inline]
    pub(crate) fn monotonic_ns(&self, now: SimTime) -> u64 {
        self.monotonic.at(now)
    }

    /// What the wall clock shows, in nanoseconds since 1970.
    pub(crate) fn wall_ns(&self, now: SimTime) -> u64 {
        let slewed = self.slew.map_or(0, |slew| slew.done_ns(now));
        self.wall.at(now).saturating_add_signed(slewed)
    }

    /// The first virtual time at which the monotonic clock shows `monotonic_ns` or more;
    /// [`SimTime::MAX`] while it stands still before that.
    #[inline]
    pub(crate) fn when_monotonic(&self, monotonic_ns: u64) -> SimTime {
        self.monotonic.when(monotonic_ns)
    }

    /// By how many parts per billion both clocks run too fast.
    pub(crate) const fn drift_ppb(&self) -> i64 {
        self.monotonic.rate_ppb
    }

    /// Sets the rate of both clocks: `ppb` parts per billion too fast, or too slow if negative.
    /// False if that was the rate before.
    ///
    /// # Panics
    /// If a clock would stand still or run backwards (`ppb <= -1_000_000_000`), or run more than a
    /// thousand times too fast.
    #[track_caller]
    pub(crate) fn set_drift(&mut self, now: SimTime, ppb: i64) -> bool {
        assert!(
            ppb > -NANOS,
            "a drift of {ppb} ppb would stop the clock: use pause or suspend"
        );
        assert!(
            ppb <= 1_000 * NANOS,
            "a drift of {ppb} ppb is more than a thousand times too fast: that is no clock"
        );
        let changed = self.monotonic.rate_ppb != ppb;
        self.monotonic.set_rate(now, ppb);
        self.wall.set_rate(now, ppb);
        self.unseen.drift |= changed;
        changed
    }

    /// Moves the wall clock at once.
    pub(crate) fn step(&mut self, now: SimTime, by_ns: i64) {
        self.wall.rebase(now);
        self.wall.value = self.wall.value.saturating_add_signed(by_ns);
        self.unseen.step |= by_ns != 0;
    }

    /// Moves the wall clock by `by_ns` at 500 ppm, beginning now; what is left of an earlier slew
    /// is dropped.
    pub(crate) fn slew(&mut self, now: SimTime, by_ns: i64) {
        let settled = self.slew.map_or(0, |slew| slew.done_ns(now));
        self.wall.rebase(now);
        self.wall.value = self.wall.value.saturating_add_signed(settled);
        self.slew = Some(Slew { since: now, by_ns });
        self.unseen.slew |= by_ns != 0;
    }

    /// How far the wall clock is ahead of (or behind) `true_ns`.
    pub(crate) fn wall_error_ns(&self, now: SimTime, true_ns: u64) -> i64 {
        let error = i128::from(self.wall_ns(now)) - i128::from(true_ns);
        i64::try_from(error).unwrap_or(if error > 0 { i64::MAX } else { i64::MIN })
    }

    /// Stops the monotonic clock.
    pub(crate) fn suspend(&mut self, now: SimTime) {
        self.monotonic.rebase(now);
        self.monotonic.stopped = true;
    }

    /// Lets the monotonic clock go on from where it stopped.
    pub(crate) fn resume(&mut self, now: SimTime) {
        self.monotonic.rebase(now);
        self.monotonic.stopped = false;
    }

    /// The clock faults that a read of the monotonic clock (or, with `wall`, of the wall clock)
    /// makes effective; each is reported once.
    #[inline]
    pub(crate) fn seen(&mut self, wall: bool) -> Option<Unseen> {
        if !self.unseen.any() {
            return None;
        }
        let Unseen { drift, step, slew } = self.unseen;
        let seen = Unseen {
            drift,
            step: step && wall,
            slew: slew && wall,
        };
        self.unseen = Unseen {
            drift: false,
            step: step && !wall,
            slew: slew && !wall,
        };
        seen.any().then_some(seen)
    }
}

const NANOS: i64 = 1_000_000_000;

/// A value that grows with virtual time at a constant rate.
#[derive(Clone, Debug)]
struct Line {
    since: SimTime,
    value: u64,
    /// Parts per billion above the true rate.
    rate_ppb: i64,
    stopped: bool,
}

impl Line {
    const fn new(value: u64) -> Self {
        Self {
            since: SimTime::ZERO,
            value,
            rate_ppb: 0,
            stopped: false,
        }
    }

    #[inline]
    fn at(&self, now: SimTime) -> u64 {
        if self.stopped {
            return self.value;
        }
        let elapsed = now.as_nanos() - self.since.as_nanos();
        if self.rate_ppb == 0 {
            return self.value.saturating_add(elapsed);
        }
        let local = i128::from(elapsed) * i128::from(NANOS + self.rate_ppb) / i128::from(NANOS);
        self.value
            .saturating_add(u64::try_from(local).unwrap_or(u64::MAX))
    }

    #[inline]
    fn when(&self, value: u64) -> SimTime {
        let Some(missing) = value.checked_sub(self.value) else {
            return self.since;
        };
        if missing == 0 {
            return self.since;
        }
        if self.stopped {
            return SimTime::MAX;
        }
        if self.rate_ppb == 0 {
            return SimTime::from_nanos(self.since.as_nanos().saturating_add(missing));
        }
        // Rounded up: a timer must never fire before its clock shows the deadline.
        let rate = i128::from(NANOS + self.rate_ppb);
        let elapsed = (i128::from(missing) * i128::from(NANOS) + rate - 1) / rate;
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        SimTime::from_nanos(self.since.as_nanos().saturating_add(elapsed))
    }

    fn rebase(&mut self, now: SimTime) {
        self.value = self.at(now);
        self.since = now;
    }

    fn set_rate(&mut self, now: SimTime, ppb: i64) {
        self.rebase(now);
        self.rate_ppb = ppb;
    }
}

#[derive(Clone, Copy, Debug)]
struct Slew {
    since: SimTime,
    by_ns: i64,
}

impl Slew {
    fn done_ns(self, now: SimTime) -> i64 {
        let elapsed = i128::from(now.as_nanos() - self.since.as_nanos());
        let most = elapsed * i128::from(SLEW_PPB) / i128::from(NANOS);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.by_ns.clamp(-most, most)
    }
}

/// Parts per million as parts per billion.
pub(crate) const fn ppm(ppm: i64) -> i64 {
    ppm.saturating_mul(1_000)
}

/// Signed nanoseconds of a duration, saturating at 292 years.
pub(crate) fn signed_ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WALL_START: u64 = 1_700_000_000_000_000_000;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_right_clock_shows_virtual_time() {
        let clock = NodeClock::new(WALL_START);
        assert_eq!(
            clock.monotonic_ns(at(5)),
            MONOTONIC_START_NS + 5_000_000_000
        );
        assert_eq!(clock.wall_ns(at(5)), WALL_START + 5_000_000_000);
    }

    #[test]
    fn drift_moves_both_clocks() {
        let mut clock = NodeClock::new(WALL_START);
        clock.set_drift(at(0), ppm(100));
        assert_eq!(
            clock.monotonic_ns(at(10)) - MONOTONIC_START_NS,
            10_001_000_000
        );
        assert_eq!(clock.wall_ns(at(10)) - WALL_START, 10_001_000_000);
        clock.set_drift(at(10), 0);
        assert_eq!(
            clock.monotonic_ns(at(20)) - MONOTONIC_START_NS,
            20_001_000_000
        );
    }

    #[test]
    fn a_step_moves_the_wall_clock_alone() {
        let mut clock = NodeClock::new(WALL_START);
        clock.step(at(1), -30_000_000_000);
        assert_eq!(
            clock.monotonic_ns(at(1)),
            MONOTONIC_START_NS + 1_000_000_000
        );
        assert_eq!(
            clock.wall_error_ns(at(1), WALL_START + 1_000_000_000),
            -30_000_000_000
        );
    }

    #[test]
    fn a_slew_is_gradual_and_ends() {
        let mut clock = NodeClock::new(WALL_START);
        clock.slew(at(0), 1_000_000);
        assert_eq!(
            clock.wall_error_ns(at(1), WALL_START + 1_000_000_000),
            500_000
        );
        assert_eq!(
            clock.wall_error_ns(at(2), WALL_START + 2_000_000_000),
            1_000_000
        );
        assert_eq!(
            clock.wall_error_ns(at(9), WALL_START + 9_000_000_000),
            1_000_000
        );
        clock.slew(at(9), -2_000_000);
        assert_eq!(
            clock.wall_error_ns(at(10), WALL_START + 10_000_000_000),
            500_000
        );
    }

    #[test]
    fn a_suspended_clock_loses_monotonic_time_alone() {
        let mut clock = NodeClock::new(WALL_START);
        clock.suspend(at(1));
        assert_eq!(
            clock.when_monotonic(MONOTONIC_START_NS + 2_000_000_000),
            SimTime::MAX
        );
        clock.resume(at(11));
        assert_eq!(
            clock.monotonic_ns(at(12)),
            MONOTONIC_START_NS + 2_000_000_000
        );
        assert_eq!(clock.wall_ns(at(12)), WALL_START + 12_000_000_000);
    }

    #[test]
    fn a_change_is_seen_once_and_by_the_clock_that_it_changed() {
        let mut clock = NodeClock::new(WALL_START);
        assert_eq!(clock.seen(true), None);
        clock.step(at(0), 1);
        assert_eq!(clock.seen(false), None);
        assert_eq!(
            clock.seen(true),
            Some(Unseen {
                step: true,
                ..Unseen::NONE
            })
        );
        assert_eq!(clock.seen(true), None);
        clock.set_drift(at(0), 1);
        assert_eq!(
            clock.seen(false),
            Some(Unseen {
                drift: true,
                ..Unseen::NONE
            })
        );
    }

    proptest! {
        #[test]
        fn a_timer_fires_at_the_first_moment_that_shows_its_deadline(
            rate in -900_000_000_i64..=2_000_000_000,
            start in 0_u64..1_000_000_000_000,
            wait in 1_u64..1_000_000_000_000,
        ) {
            let mut clock = NodeClock::new(WALL_START);
            clock.set_drift(SimTime::from_nanos(start), rate);
            let deadline = clock.monotonic_ns(SimTime::from_nanos(start)) + wait;
            let when = clock.when_monotonic(deadline);
            prop_assert!(clock.monotonic_ns(when) >= deadline);
            let before = SimTime::from_nanos(when.as_nanos() - 1);
            let before_start = before < SimTime::from_nanos(start);
            prop_assert!(before_start || clock.monotonic_ns(before) < deadline);
        }

        #[test]
        fn the_monotonic_clock_never_goes_back(
            changes in proptest::collection::vec(
                (1_u64..1_000_000_000, 0_u8..5, -900_000_000_i64..900_000_000),
                1..50,
            ),
        ) {
            let mut clock = NodeClock::new(WALL_START);
            let (mut now, mut last) = (0, 0);
            for (wait, what, amount) in changes {
                now += wait;
                let time = SimTime::from_nanos(now);
                match what {
                    0 => _ = clock.set_drift(time, amount),
                    1 => clock.step(time, amount),
                    2 => clock.slew(time, amount),
                    3 => clock.suspend(time),
                    _ => clock.resume(time),
                }
                prop_assert!(clock.monotonic_ns(time) >= last);
                last = clock.monotonic_ns(time);
            }
        }
    }
}
