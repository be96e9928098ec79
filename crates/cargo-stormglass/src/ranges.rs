//! Sets of seeds, as ranges.

use serde::{Deserialize, Serialize};

/// A set of seeds: ranges without their ends, in order, that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds the seeds from `first` to `end` - 1.
    pub fn add(&mut self, mut first: u64, mut end: u64) {
        if first >= end {
            return;
        }
        // The usual case: one more at the end of the last range.
        if let Some(last) = self.0.last_mut()
            && last.1 == first
        {
            last.1 = end;
            return;
        }
        self.0.retain(|&(a, b)| {
            let touches = a <= end && first <= b;
            if touches {
                (first, end) = (first.min(a), end.max(b));
            }
            !touches
        });
        let at = self.0.partition_point(|&(a, _)| a < first);
        self.0.insert(at, (first, end));
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// How many seeds there are.
    pub fn count(&self) -> u64 {
        self.iter().map(|(first, end)| end - first).sum()
    }

    /// What of a range is not in the set.
    pub fn missing(&self, mut first: u64, end: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        for (a, b) in self.iter() {
            if b <= first || a >= end {
                continue;
            }
            if a > first {
                missing.push((first, a));
            }
            first = b;
        }
        if first < end {
            missing.push((first, end));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a plain list of seeds, for all small sets.
    #[test]
    fn it_is_a_set() {
        for bits in 0_u32..1 << 10 {
            let mut ranges = Ranges::default();
            // In an order that is not that of the seeds.
            for seed in [3, 9, 0, 7, 1, 8, 2, 6, 5, 4] {
                if bits >> seed & 1 == 1 {
                    ranges.add(seed, seed + 1);
                }
            }
            assert_eq!(ranges.count(), u64::from(bits.count_ones()));
            let missing = ranges.missing(2, 9);
            for seed in 2..9 {
                let is_missing = missing.iter().any(|&(a, b)| a <= seed && seed < b);
                assert_eq!(is_missing, bits >> seed & 1 == 0, "{ranges:?}");
            }
            let all: Vec<(u64, u64)> = ranges.iter().collect();
            assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].0), "{all:?}");
        }
        let mut ranges = Ranges::default();
        for (first, end) in [(10, 20), (30, 40), (15, 35), (5, 5)] {
            ranges.add(first, end);
        }
        assert_eq!(ranges, Ranges(vec![(10, 40)]));
    }
}
