//! The draws of one attack, from a choice point of its own.
//!
//! Owns how numbers are drawn by their order of magnitude. It must never know what is drawn with
//! them.

use core::time::Duration;

use super::attack::Attack;
use crate::kernel::{Choices, EntityKey, Point, Probability, Site};
use crate::model::Shift;

/// The draws of one attack.
pub(super) struct Draws<'a> {
    choices: &'a mut Choices,
    point: Point,
}

impl<'a> Draws<'a> {
    /// The draws of an attack of this name and number; `None` is of the attack as a whole.
    pub(super) fn new(choices: &'a mut Choices, attack: Attack, number: Option<u32>) -> Self {
        let key = EntityKey::of(attack.name());
        let entity = number.map_or(key, |number| key.indexed(u64::from(number)));
        Self {
            choices,
            point: Choices::point(SITE, entity),
        }
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        let percent = Probability::percent(percent);
        self.choices.chance(&mut self.point, percent)
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.choices.between(&mut self.point, low, high)
    }

    /// A number from `low` to `high` of which each power of two is equally likely.
    pub(super) fn log_between(&mut self, low: u64, high: u64) -> u64 {
        let octaves = (high / low.max(1)).max(1).ilog2();
        let octave = self.between(0, u64::from(octaves));
        let least = low.max(1) << octave;
        let most = (least.saturating_mul(2) - 1).min(high);
        self.between(least.min(most), most)
    }

    /// Whole milliseconds, each power of two equally likely.
    pub(super) fn millis(&mut self, low: u64, high: Duration) -> Duration {
        let high = u64::try_from(high.as_millis()).unwrap_or(u64::MAX).max(low);
        Duration::from_millis(self.log_between(low, high))
    }

    pub(super) fn index(&mut self, count: usize) -> usize {
        let below = self.choices.below(&mut self.point, count as u64);
        usize::try_from(below).expect("it is below a length")
    }

    pub(super) fn pick(&mut self, from: &[String]) -> String {
        from[self.index(from.len())].clone()
    }

    pub(super) fn shuffled(&mut self, list: &[String]) -> Vec<String> {
        let mut list = list.to_vec();
        self.choices.shuffle(&mut self.point, &mut list);
        list
    }

    /// From one in a million to half, each power of two equally likely.
    pub(super) fn rate(&mut self, low_ppm: u64, high_ppm: u64) -> Probability {
        let ppm = self.log_between(low_ppm, high_ppm);
        Probability::per_million(u32::try_from(ppm).expect("at most a million"))
    }

    pub(super) fn shift(&mut self, most: Duration) -> Shift {
        let by = self.millis(1, most);
        if self.chance(50) {
            Shift::Forward(by)
        } else {
            Shift::Back(by)
        }
    }
}

const SITE: Site = Site::new("nemesis.attack");
