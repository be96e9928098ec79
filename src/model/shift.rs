//! A move of a clock, with its direction, and how a file writes it.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::signed_ns;
use crate::kernel::span::Span;

/// A move of a clock, with its direction. In files it is `"+2s"` or `"-250ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Shift {
    /// Later: the clock shows more.
    Forward(Duration),
    /// Earlier: the clock shows less.
    Back(Duration),
}

impl Shift {
    /// Signed nanoseconds, saturating at 292 years.
    pub(crate) fn ns(self) -> i64 {
        match self {
            Self::Forward(duration) => signed_ns(duration),
            Self::Back(duration) => -signed_ns(duration),
        }
    }

    pub(crate) const fn of_ns(ns: i64) -> Self {
        let duration = Duration::from_nanos(ns.unsigned_abs());
        if ns < 0 {
            Self::Back(duration)
        } else {
            Self::Forward(duration)
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(duration) => write!(f, "+{}", Span(*duration)),
            Self::Back(duration) => write!(f, "-{}", Span(*duration)),
        }
    }
}

impl From<Shift> for String {
    fn from(shift: Shift) -> Self {
        shift.to_string()
    }
}

impl TryFrom<String> for Shift {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Shift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (direction, rest): (fn(Duration) -> Self, &str) = match text.split_at_checked(1) {
            Some(("+", rest)) => (Self::Forward, rest),
            Some(("-", rest)) => (Self::Back, rest),
            _ => return Err(format!("`{text}` has no sign: write for example \"+2s\"")),
        };
        let span: Span = rest.parse()?;
        Ok(direction(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_survives_a_file_with_its_sign() {
        let two = Duration::from_secs(2);
        for (shift, text) in [(Shift::Forward(two), "+2s"), (Shift::Back(two), "-2s")] {
            assert_eq!(shift.to_string(), text);
            assert_eq!(text.parse(), Ok(shift));
            assert_eq!(Shift::of_ns(shift.ns()), shift);
        }
        for (wrong, part) in [
            ("2s", "no sign"),
            ("", "no sign"),
            ("+2", "no unit"),
            ("é2s", "no sign"),
        ] {
            let error = wrong.parse::<Shift>().unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
