//! Durations and sizes as people write them, and numbers as people read them.

use std::time::Duration;

/// `90s`, `1.5s`, `10m`, `2h`, `250ms`.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number and a unit, such as 90s, 10m, 2h or 250ms".to_owned();
    let (number, ns) = [
        ("ns", 1_u64),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ]
    .into_iter()
    .find_map(|(unit, ns)| {
        let number = text.strip_suffix(unit)?;
        number
            .ends_with(|c: char| c.is_ascii_digit())
            .then_some((number, ns))
    })
    .ok_or_else(wrong)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let mut total = whole.checked_mul(ns).ok_or_else(wrong)?;
    let mut place = ns;
    for digit in decimals.chars() {
        place /= 10;
        total += u64::from(digit.to_digit(10).ok_or_else(wrong)?) * place;
    }
    Ok(Duration::from_nanos(total))
}

/// `4GiB`, `512MiB`, `1000000`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || "give a number of bytes, such as 4GiB, 512MiB or 1000000".to_owned();
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit() && c != '_') {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit.trim().trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.replace('_', "").parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// A count with its digits in groups of three.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 seed`, `1,000 seeds`.
pub fn plural(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", count(number))
}

/// A hash that names files and fingerprints: FNV-1a, 64 bits.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_time("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "s", "10", "1.x5s", "-1s"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_bytes("4GiB"), Ok(4 << 30));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("1_000"), Ok(1000));
        for wrong in ["", "GiB", "0", "4TiX"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "seed"), "1 seed");
        assert_eq!(plural(1000, "seed"), "1,000 seeds");
        // The reference value of the hash's authors.
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
