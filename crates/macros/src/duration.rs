//! Durations as people write them: `"60s"`, `"1.5h"`, `"250ms"`.
//!
//! Owns the units and the arithmetic, in whole nanoseconds and without floats, so that a limit in a
//! test is the number it shows. It must never know which argument it reads.

/// Parses a number, with or without decimals, and a unit. Blanks between the two are allowed.
///
/// # Errors
/// A message for the user, which ends with the fix, if the text is not a number and a known unit,
/// is not a whole number of nanoseconds, is zero, or is longer than `u64::MAX` nanoseconds.
pub(crate) fn parse_ns(text: &str) -> Result<u64, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(|| format!("`{text}` has no unit; write one of {}", unit_names()))?;
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.trim();
    let (_, unit_ns) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| {
            format!(
                "`{unit}` is not a unit of time; write one of {}",
                unit_names()
            )
        })?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !whole.is_empty() && (decimals.is_empty() != number.contains('.'));
    if !is_number || decimals.contains('.') {
        return Err(format!(
            "`{number}` is not a number; write for example \"60s\" or \"1.5s\""
        ));
    }
    let too_long = || format!("`{text}` is longer than 584 years; write a shorter time");

    // 1.25 s is 125 s over 100: multiply first, so that nothing is rounded on the way.
    let digits: u128 = format!("{whole}{decimals}")
        .parse()
        .map_err(|_| too_long())?;
    let decimal_places = u32::try_from(decimals.len()).map_err(|_| too_long())?;
    let denominator = 10u128.checked_pow(decimal_places).ok_or_else(too_long)?;
    let scaled = digits
        .checked_mul(u128::from(*unit_ns))
        .ok_or_else(too_long)?;
    if scaled % denominator != 0 {
        return Err(format!(
            "`{text}` is not a whole number of nanoseconds; drop some decimals"
        ));
    }
    match u64::try_from(scaled / denominator) {
        Ok(0) => Err(format!("`{text}` is no time at all; write a longer time")),
        Ok(ns) => Ok(ns),
        Err(_) => Err(too_long()),
    }
}

fn unit_names() -> String {
    let names: Vec<String> = UNITS.iter().map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::parse_ns;

    #[test]
    fn numbers_with_units_are_read() {
        let cases = [
            ("1ns", 1),
            ("7us", 7_000),
            ("250ms", 250_000_000),
            ("60s", 60_000_000_000),
            ("60 s", 60_000_000_000),
            ("5m", 300_000_000_000),
            ("2h", 7_200_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.25us", 250),
            ("0.5h", 1_800_000_000_000),
            ("18446744073709551615ns", u64::MAX),
        ];
        for (text, ns) in cases {
            assert_eq!(parse_ns(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn a_bad_duration_is_refused_with_the_fix() {
        let cases = [
            (
                "60",
                "`60` has no unit; write one of `ns`, `us`, `ms`, `s`, `m`, `h`",
            ),
            (
                "",
                "`` has no unit; write one of `ns`, `us`, `ms`, `s`, `m`, `h`",
            ),
            (
                "6 min",
                "`min` is not a unit of time; write one of `ns`, `us`, `ms`, `s`, `m`, `h`",
            ),
            (
                "-1s",
                "`-1s` is not a unit of time; write one of `ns`, `us`, `ms`, `s`, `m`, `h`",
            ),
            (
                "s",
                "`` is not a number; write for example \"60s\" or \"1.5s\"",
            ),
            (
                ".5s",
                "`.5` is not a number; write for example \"60s\" or \"1.5s\"",
            ),
            (
                "5.s",
                "`5.` is not a number; write for example \"60s\" or \"1.5s\"",
            ),
            (
                "1.2.3s",
                "`1.2.3` is not a number; write for example \"60s\" or \"1.5s\"",
            ),
            (
                "0.5ns",
                "`0.5ns` is not a whole number of nanoseconds; drop some decimals",
            ),
            ("0.0s", "`0.0s` is no time at all; write a longer time"),
            (
                "18446744073709551616ns",
                "`18446744073709551616ns` is longer than 584 years; write a shorter time",
            ),
            (
                "99999999h",
                "`99999999h` is longer than 584 years; write a shorter time",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(parse_ns(text), Err(message.to_owned()), "{text}");
        }
    }
}
