//! A loss of power: which changes that no sync made durable are kept, drawn for one run.

use super::change::{Change, Patch};
use super::config::CrashOdds;
use super::crash::{CrashPoint, Fill, Mark};
use super::page::{PAGE_BYTES, Sectors};
use crate::kernel::{Choices, Point};

/// What becomes of a change before its foundations are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Lose,
    Tear,
    Keep,
}

impl CrashPoint {
    /// Draws what a loss of power leaves. Takes no draw if nothing is pending.
    pub(crate) fn draw(
        &self,
        choices: &mut Choices,
        point: &mut Point,
        odds: &CrashOdds,
        sector_bytes: u32,
    ) -> (Vec<Mark>, Fill) {
        if self.pending.is_empty() {
            return (Vec::new(), Fill::Zeros);
        }
        let mut wishes = self.wishes(choices, point, odds);
        for (op, wish) in self.pending.iter().zip(&mut wishes) {
            let is_data = matches!(op.change, Change::Data { .. });
            if is_data && *wish == Wish::Lose && choices.chance(point, odds.torn) {
                *wish = Wish::Tear;
            }
        }
        // A torn write is no foundation for what needs all of it, and needs foundations itself.
        self.profile.found(&self.pending, |number, founded| {
            if !founded {
                wishes[number] = Wish::Lose;
            }
            wishes[number] == Wish::Keep
        });
        let tears_pages = self.profile.writes_whole_pages() || sector_bytes as usize == PAGE_BYTES;
        let marks: Vec<Mark> = self
            .pending
            .iter()
            .zip(wishes)
            .map(|(op, wish)| match (&op.change, wish) {
                (Change::Data { patches, .. }, Wish::Tear) => {
                    Mark::Torn(tear(choices, point, patches, tears_pages))
                }
                (_, Wish::Keep) => Mark::Kept,
                (_, Wish::Lose | Wish::Tear) => Mark::Lost,
            })
            .collect();
        let exposes = self.profile.exposes_garbage() && !self.exposed(&marks).is_empty();
        let fill = if exposes && choices.chance(point, odds.garbage) {
            Fill::Garbage(choices.draw(point))
        } else {
            Fill::Zeros
        };
        (marks, fill)
    }

    fn wishes(&self, choices: &mut Choices, point: &mut Point, odds: &CrashOdds) -> Vec<Wish> {
        let sum = odds.weights().expect("checked when they were set");
        let count = self.pending.len();
        let mut drawn = choices.below(point, sum);
        for (weight, outcome) in [odds.nothing, odds.prefix, odds.subset]
            .into_iter()
            .zip(0..)
        {
            if drawn >= weight.into() {
                drawn -= u64::from(weight);
                continue;
            }
            return match outcome {
                0 => vec![Wish::Lose; count],
                1 => {
                    let kept = choices.below(point, count as u64 + 1);
                    (0..count as u64)
                        .map(|op| if op < kept { Wish::Keep } else { Wish::Lose })
                        .collect()
                }
                _ => self.subset(choices, point),
            };
        }
        vec![Wish::Keep; count]
    }

    /// Each change with a chance of one half. Half of the time what these need is kept too, else
    /// they are lost with it: only one of both would make long chains always or never survive.
    fn subset(&self, choices: &mut Choices, point: &mut Point) -> Vec<Wish> {
        let generous = choices.below(point, 2) == 0;
        let mut bits = 0;
        let mut kept: Vec<bool> = (0..self.pending.len())
            .map(|op| {
                if op % 64 == 0 {
                    bits = choices.draw(point);
                }
                bits >> (op % 64) & 1 == 1
            })
            .collect();
        if generous {
            self.profile.close_over_needs(&self.pending, &mut kept);
        }
        let wish = |kept| if kept { Wish::Keep } else { Wish::Lose };
        kept.into_iter().map(wish).collect()
    }
}

/// Draws which sectors of a torn write are kept: those before a cut, those after it, or any.
fn tear(
    choices: &mut Choices,
    point: &mut Point,
    patches: &[Patch],
    whole_pages: bool,
) -> Vec<Sectors> {
    let pieces: u64 = patches
        .iter()
        .map(|patch| {
            u64::from(if whole_pages {
                1
            } else {
                patch.sectors.count()
            })
        })
        .sum();
    let style = choices.below(point, 3);
    // At least one piece on either side, if there are two.
    let cut = if pieces > 1 {
        choices.between(point, 1, pieces - 1)
    } else {
        choices.below(point, 2)
    };
    let mut bits = 0;
    let mut piece = 0;
    let mut keep = |choices: &mut Choices, point: &mut Point| {
        if style == 2 && piece % 64 == 0 {
            bits = choices.draw(point);
        }
        let kept = match style {
            0 => piece < cut,
            1 => piece >= cut,
            _ => bits >> (piece % 64) & 1 == 1,
        };
        piece += 1;
        kept
    };
    patches
        .iter()
        .map(|patch| {
            if whole_pages {
                return if keep(choices, point) {
                    patch.sectors
                } else {
                    Sectors::NONE
                };
            }
            let mut kept = Sectors::NONE;
            for sector in patch.sectors.iter() {
                if keep(choices, point) {
                    kept = kept.union(Sectors(1 << sector));
                }
            }
            kept
        })
        .collect()
}
