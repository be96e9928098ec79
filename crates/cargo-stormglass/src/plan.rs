//! Which seeds run next.

use std::collections::VecDeque;
use std::time::Duration;

use stormglass::Config;

use crate::args::{Partition, Seeds};
use crate::ranges::Ranges;

/// Which seeds of each test are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub seeds: Option<Seeds>,
    pub offset: u64,
    /// No end: a time is the limit, or a number of failures.
    pub endless: bool,
    pub partition: Option<Partition>,
}

impl Asked {
    /// The range of one test.
    pub fn range(&self, config: &Config) -> (u64, u64) {
        let (first, end) = match self.seeds {
            Some(Seeds::Range(first, end)) => (first, end),
            Some(Seeds::Count(count)) => {
                (config.first_seed, config.first_seed.saturating_add(count))
            }
            None if self.endless => (config.first_seed, u64::MAX),
            None => (
                config.first_seed,
                config.first_seed.saturating_add(config.seeds),
            ),
        };
        let first = first.saturating_add(self.offset);
        let end = end.saturating_add(self.offset);
        let Some(Partition { number, of }) = self.partition else {
            return (first, end);
        };
        if end == u64::MAX {
            return (first.saturating_add((number - 1) << 40), end);
        }
        let cut = |part: u64| {
            let seeds = u128::from(end - first) * u128::from(part) / u128::from(of);
            first + u64::try_from(seeds).expect("a part is not more than the whole")
        };
        (cut(number - 1), cut(number))
    }
}

/// The seeds of one test that are still to be run.
#[derive(Debug, Default)]
pub struct Pending {
    /// `None` until the test's own configuration is known.
    ranges: Option<VecDeque<(u64, u64)>>,
    /// A first batch, which tells the configuration, is on its way.
    asked: bool,
    /// Seeds handed out.
    pub begun: u64,
    /// Seeds run, and how long they took.
    ran: u64,
    took: Duration,
}

/// How long a batch should last: short enough to stop soon, long enough to be worth a message.
const BATCH: Duration = Duration::from_millis(500);
const BATCH_MAX: u64 = 5_000;

impl Pending {
    /// Sets the range, without what was run before.
    pub fn set(&mut self, (first, end): (u64, u64), done: &Ranges) {
        if self.ranges.is_none() {
            self.ranges = Some(done.missing(first, end).into());
        }
    }

    pub const fn is_known(&self) -> bool {
        self.ranges.is_some()
    }

    /// Notes that somebody was sent to learn the configuration; false if somebody was before.
    pub const fn ask(&mut self) -> bool {
        let first = !self.asked;
        self.asked = true;
        first
    }

    pub fn is_done(&self) -> bool {
        self.ranges.as_ref().is_some_and(VecDeque::is_empty)
    }

    /// The next batch. Of little that is left, `slots` get a share each.
    pub fn take(&mut self, slots: u64, most: u64) -> Option<(u64, u64)> {
        let left: u128 = self
            .ranges
            .as_ref()?
            .iter()
            .map(|(first, end)| u128::from(end - first))
            .sum();
        let share = u64::try_from(left / u128::from(slots.max(1)))
            .unwrap_or(u64::MAX)
            .max(1);
        let wanted = self.batch().min(share).min(most);
        let (first, end) = self.ranges.as_mut()?.pop_front()?;
        let count = wanted.min(end - first);
        if first + count < end {
            self.give_back(first + count, end - first - count);
        }
        self.begun += count;
        Some((first, count))
    }

    /// Puts seeds back that were not run; they run first.
    pub fn give_back(&mut self, first: u64, count: u64) {
        if count > 0 {
            let ranges = self.ranges.get_or_insert_default();
            ranges.push_front((first, first + count));
        }
    }

    /// Notes what a seed took.
    pub fn took(&mut self, took: Duration) {
        self.ran += 1;
        self.took += took;
    }

    fn batch(&self) -> u64 {
        if self.ran == 0 {
            return 4;
        }
        let each = (self.took.as_nanos() / u128::from(self.ran)).max(1);
        let fits = u64::try_from(BATCH.as_nanos() / each).unwrap_or(BATCH_MAX);
        fits.clamp(1, BATCH_MAX).min(4 * self.ran)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(seeds: Option<Seeds>, endless: bool, partition: Option<(u64, u64)>) -> (u64, u64) {
        let config = Config {
            first_seed: 100,
            seeds: 10,
            ..Config::default()
        };
        let partition = partition.map(|(number, of)| Partition { number, of });
        let asked = Asked {
            seeds,
            offset: 1_000,
            endless,
            partition,
        };
        asked.range(&config)
    }

    #[test]
    fn a_test_says_its_seeds_unless_the_command_does() {
        assert_eq!(asked(None, false, None), (1_100, 1_110));
        assert_eq!(asked(Some(Seeds::Count(3)), false, None), (1_100, 1_103));
        assert_eq!(asked(Some(Seeds::Range(5, 7)), false, None), (1_005, 1_007));
        assert_eq!(asked(None, true, None), (1_100, u64::MAX));
    }

    #[test]
    fn parts_are_the_whole() {
        let mut all = Ranges::default();
        let mut sum = 0;
        for number in 1..=3 {
            let (first, end) = asked(None, false, Some((number, 3)));
            all.add(first, end);
            sum += end - first;
        }
        assert_eq!((all.count(), sum), (10, 10));
        let (one, _) = asked(None, true, Some((1, 3)));
        let (two, _) = asked(None, true, Some((2, 3)));
        assert_eq!(two - one, 1 << 40);
    }

    #[test]
    fn each_seed_is_handed_out_once() {
        let mut done = Ranges::default();
        done.add(5, 8);
        let mut pending = Pending::default();
        assert_eq!(pending.take(2, 10), None);
        pending.set((0, 100), &done);
        let (mut seen, mut given_back) = (done.clone(), false);
        while let Some((first, count)) = pending.take(2, 10) {
            assert!(count <= 10);
            pending.took(Duration::from_millis(20));
            if !given_back && count > 1 {
                given_back = true;
                pending.give_back(first + 1, count - 1);
                seen.add(first, first + 1);
                continue;
            }
            assert_eq!(seen.missing(first, first + count), [(first, first + count)]);
            seen.add(first, first + count);
        }
        assert!(pending.is_done() && given_back);
        assert_eq!(seen.count(), 100);
    }
}
