//! A reading of a node's monotonic clock.
#![expect(
    clippy::disallowed_types,
    reason = "inside the simulation std's clock is the node's"
)]

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

use crate::exec::context;
use crate::kernel::duration_to_nanos;

/// A reading of the running node's monotonic clock, like `std::time::Instant` and tokio's.
///
/// Readings of different nodes cannot be compared in any meaningful way: their clocks may drift.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    /// What the clock shows now.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[must_use]
    #[track_caller]
    #[inline]
    pub fn now() -> Self {
        Self {
            ns: context::world(|world, node| world.monotonic_ns(node)),
        }
    }

    pub(crate) const fn from_ns(ns: u64) -> Self {
        Self { ns }
    }

    pub(crate) const fn as_ns(self) -> u64 {
        self.ns
    }

    /// Time from `earlier` to this instant, or zero if it is later.
    #[must_use]
    pub const fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// Time from `earlier` to this instant, or `None` if it is later.
    #[must_use]
    pub const fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        match self.ns.checked_sub(earlier.ns) {
            Some(ns) => Some(Duration::from_nanos(ns)),
            None => None,
        }
    }

    /// Time from `earlier` to this instant, or zero if it is later.
    #[must_use]
    pub const fn saturating_duration_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }

    /// Time from this instant to now.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[must_use]
    #[track_caller]
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// This instant plus `duration`, or `None` if it cannot be represented.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        let ns = u64::try_from(duration.as_nanos()).ok()?;
        self.ns.checked_add(ns).map(Self::from_ns)
    }

    /// This instant less `duration`, or `None` if it cannot be represented.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        let ns = u64::try_from(duration.as_nanos()).ok()?;
        self.ns.checked_sub(ns).map(Self::from_ns)
    }

    /// This instant plus `duration`, or the far future.
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        Self {
            ns: self.ns.saturating_add(duration_to_nanos(duration)),
        }
    }

    /// The `std` instant that shows the same; needs the calling thread to be inside the
    /// simulation, where `std`'s clock is the node's.
    #[must_use]
    #[track_caller]
    pub fn into_std(self) -> std::time::Instant {
        let (now, std_now) = (Self::now(), std_now());
        if self >= now {
            std_now + (self - now)
        } else {
            std_now - (now - self)
        }
    }

    /// The instant that shows the same as a `std` instant taken inside the simulation.
    #[must_use]
    #[track_caller]
    pub fn from_std(std: std::time::Instant) -> Self {
        let (now, std_now) = (Self::now(), std_now());
        if std >= std_now {
            now + (std - std_now)
        } else {
            now - (std_now - std)
        }
    }
}

fn std_now() -> std::time::Instant {
    std::time::Instant::now()
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration)
            .expect("overflow when adding duration to instant")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration)
            .expect("overflow when subtracting duration from instant")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl From<std::time::Instant> for Instant {
    #[track_caller]
    fn from(std: std::time::Instant) -> Self {
        Self::from_std(std)
    }
}

impl From<Instant> for std::time::Instant {
    #[track_caller]
    fn from(instant: Instant) -> Self {
        instant.into_std()
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Instant({}.{:09}s)",
            self.ns / 1_000_000_000,
            self.ns % 1_000_000_000
        )
    }
}
