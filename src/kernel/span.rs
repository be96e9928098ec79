//! Durations as people write them in files: `"60s"`, `"1.5ms"`, `"-250us"`.
//!
//! Owns the units and the arithmetic, in whole nanoseconds and without floats, so that a number
//! that is written is the number that is read. It must never know what lasts that long.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::time::duration_to_nanos;

/// A duration in the form of a file: in the largest unit that it has one of, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = duration_to_nanos(self.0);
        // Minutes and hours are read and not written: 90 s tells more than 1.5 m.
        let fits = |(_, unit_ns): &&(&str, u64)| ns >= *unit_ns;
        let Some((unit, unit_ns)) = UNITS[2..].iter().find(fits) else {
            return f.pad("0s");
        };
        let decimals = format!("{:09}", (ns % unit_ns) * (1_000_000_000 / unit_ns));
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        f.pad(&format!("{}{point}{decimals}{unit}", ns / unit_ns))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("`{text}` has no unit: write one of {}", unit_names()))?;
        let (number, unit) = text.split_at(end);
        let unit = unit.trim();
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, unit_ns) = known
            .ok_or_else(|| format!("`{unit}` is no unit of time: write one of {}", unit_names()))?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let is_number = !whole.is_empty() && decimals.is_empty() != number.contains('.');
        if !is_number || decimals.contains('.') {
            return Err(format!(
                "`{text}` is no duration: write for example \"1.5s\""
            ));
        }
        let too_long = || format!("`{text}` is longer than 584 years");
        // 1.25 s is 125 s over 100: multiply first, so that nothing is rounded on the way.
        let digits: u128 = format!("{whole}{decimals}")
            .parse()
            .map_err(|_| too_long())?;
        let places = u32::try_from(decimals.len()).map_err(|_| too_long())?;
        let over = 10_u128.checked_pow(places).ok_or_else(too_long)?;
        let scaled = digits
            .checked_mul(u128::from(*unit_ns))
            .ok_or_else(too_long)?;
        if scaled % over != 0 {
            return Err(format!(
                "`{text}` is no whole number of nanoseconds: drop some decimals"
            ));
        }
        let ns = u64::try_from(scaled / over).map_err(|_| too_long())?;
        Ok(Self(Duration::from_nanos(ns)))
    }
}

fn unit_names() -> String {
    UNITS.map(|(name, _)| name).join(", ")
}

/// From the largest to the smallest.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// For `#[serde(with)]`: a duration as text.
pub(crate) mod text {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Span, de};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        Span(*span).to_string().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let span: Span = text.parse().map_err(de::Error::custom)?;
        Ok(span.0)
    }
}

/// For `#[serde(with)]`: a duration as text, or nothing.
pub(crate) mod optional_text {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Span, de};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| Span(span).to_string()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let span: Span = text.parse().map_err(de::Error::custom)?;
        Ok(Some(span.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_written_as_people_do() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (999, "999ns"),
            (1_500, "1.5us"),
            (2_000_000, "2ms"),
            (2_000_001, "2.000001ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "90s"),
            (1_234_567_891, "1.234567891s"),
            (u64::MAX, "18446744073.709551615s"),
        ];
        for (ns, text) in cases {
            assert_eq!(Span(Duration::from_nanos(ns)).to_string(), text);
        }
    }

    #[test]
    fn what_people_write_is_read() {
        let cases = [
            ("2h", 7_200_000_000_000),
            ("1.5 m", 90_000_000_000),
            ("0s", 0),
            ("0.25us", 250),
        ];
        for (text, ns) in cases {
            assert_eq!(text.parse(), Ok(Span(Duration::from_nanos(ns))), "{text}");
        }
        let wrong = [
            ("60", "no unit"),
            ("60 parsecs", "no unit of time"),
            ("s", "no duration"),
            ("1.s", "no duration"),
            ("1.2.3s", "no duration"),
            ("-1s", "no unit of time"),
            ("0.5ns", "whole number"),
            ("99999999999h", "584 years"),
        ];
        for (text, part) in wrong {
            let error = text.parse::<Span>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ns in any::<u64>(), shift in 0_u32..64) {
            let span = Span(Duration::from_nanos(ns >> shift));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
