//! Virtual time: nanoseconds since the simulation began.
//!
//! This is the true time of the simulated world. What a node sees is its own clock, which may be
//! ahead, behind, fast or slow (see [`model::clock`](crate::model::clock)).

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in virtual time, in nanoseconds since the simulation began.
///
/// It reaches 584 years; arithmetic saturates at both ends, since a deadline that cannot be
/// represented is one that is never reached.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimTime(u64);

impl SimTime {
    /// The moment at which a simulation begins.
    pub const ZERO: Self = Self(0);
    /// The end of time; no event happens then.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `nanos` nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// This time plus `duration`, or [`SimTime::MAX`] if that is too far away to represent.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration_to_nanos(duration)))
    }

    /// How long after `earlier` this is, or zero if it is before it.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The nanoseconds of a duration, saturating at `u64::MAX` (584 years).
#[must_use]
pub(crate) fn duration_to_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for SimTime {
    /// Seconds with nine decimals, the form used in reports: `12.400000000s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_seconds_with_nine_decimals() {
        assert_eq!(
            SimTime::from_nanos(12_400_000_001).to_string(),
            "12.400000001s"
        );
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(
            SimTime::MAX.saturating_add(Duration::from_secs(1)),
            SimTime::MAX
        );
        assert_eq!(SimTime::ZERO.saturating_add(Duration::MAX), SimTime::MAX);
        assert_eq!(SimTime::ZERO.saturating_since(SimTime::MAX), Duration::ZERO);
    }
}
