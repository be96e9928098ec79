//! The crash states of one moment, the most telling first: which of them are tried.
//!
//! Owns the bounds' meaning. It must never know what a state is tried for.
//!
//! Source: the classes are those of ALICE (Pillai et al., OSDI 2014, section 4.2: prefixes, one
//! lost, one torn) and of CrashMonkey's bounded search (Mohan et al., OSDI 2018).

use core::ops::ControlFlow;

use super::bounds::Bounds;
use super::legal::Legal;
use super::telling::telling;
use crate::kernel::{Choices, EntityKey, Point, Probability, Site};
use crate::model::disk::{Change, CrashPoint, Mark, Patch, Sectors};

const EXPLORE: Site = Site::new("crash.explore");

/// What becomes of each change.
pub(crate) type Marks = Vec<Mark>;

/// Whom states are shown to; a break ends the enumeration.
type Visit<'a, B> = &'a mut dyn FnMut(Marks) -> ControlFlow<B>;

/// The states of one moment.
pub(crate) struct States<'a> {
    point: &'a CrashPoint,
    bounds: &'a Bounds,
    legal: Legal,
    /// Changes whose loss may be seen, each alone.
    single: Vec<Vec<usize>>,
    /// The same, with runs of contiguous appends as one where there are many.
    groups: Vec<Vec<usize>>,
}

impl<'a> States<'a> {
    pub(crate) fn of(point: &'a CrashPoint, bounds: &'a Bounds) -> Self {
        let single: Vec<Vec<usize>> = telling(point).into_iter().map(|op| vec![op]).collect();
        let few = bounds.exhaustive_up_to.max(bounds.pairs_up_to);
        let groups = if single.len() > few {
            appends_as_one(point, &single)
        } else {
            single.clone()
        };
        Self {
            point,
            bounds,
            legal: Legal::of(point),
            single,
            groups,
        }
    }

    /// Shows each state to `visit`. The same may come more than once.
    pub(crate) fn each<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        self.beginnings(visit)?;
        self.all_but_one(visit)?;
        self.one_alone(visit)?;
        if self.bounds.torn {
            self.torn(visit)?;
        }
        if self.groups.len() <= self.bounds.exhaustive_up_to {
            self.all_subsets(visit)?;
        } else if self.groups.len() <= self.bounds.pairs_up_to {
            self.all_but_two(visit)?;
        }
        self.random(visit)
    }

    /// Nothing, everything, and all between in the order in which they were made.
    fn beginnings<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        let count = self.single.len();
        visit(self.up_to(0))?;
        for end in (1..=count).rev() {
            visit(self.up_to(end))?;
        }
        ControlFlow::Continue(())
    }

    fn all_but_one<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        for lost in self.units() {
            let mut marks = self.everything();
            mark(&mut marks, lost, &Mark::Lost);
            visit(self.legal.founded(marks))?;
        }
        ControlFlow::Continue(())
    }

    fn one_alone<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        for kept in self.units() {
            let mut marks = self.up_to(0);
            mark(&mut marks, kept, &Mark::Kept);
            visit(self.legal.completed(marks))?;
        }
        ControlFlow::Continue(())
    }

    /// Each write cut at three borders of sectors, and at three of pages, since a disk may write no
    /// less; once with all later changes and once with none of them.
    fn torn<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        for (number, unit) in self.single.iter().enumerate() {
            let op = unit[0];
            let Some(patches) = self.patches(op) else {
                continue;
            };
            for torn in self.cuts(patches) {
                let torn = Mark::Torn(torn);
                for mut marks in [self.up_to(number), self.everything()] {
                    marks[op] = torn.clone();
                    visit(self.legal.founded(marks))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What is there of a write that was cut, in each way once.
    fn cuts(&self, patches: &[Patch]) -> Vec<Vec<Sectors>> {
        let mut ways: Vec<Vec<Sectors>> = Vec::new();
        for pieces in [self.pieces(patches), pages(patches)] {
            let mut cuts = vec![1, pieces.len() / 2, pieces.len().saturating_sub(1)];
            cuts.retain(|cut| (1..pieces.len()).contains(cut));
            for cut in cuts {
                let kept = assemble(patches, &pieces[..cut]);
                if !ways.contains(&kept) {
                    ways.push(kept);
                }
            }
        }
        ways
    }

    fn all_but_two<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        for (number, lost) in self.groups.iter().enumerate() {
            for other in &self.groups[..number] {
                let mut marks = self.everything();
                mark(&mut marks, lost, &Mark::Lost);
                mark(&mut marks, other, &Mark::Lost);
                visit(self.legal.founded(marks))?;
            }
        }
        ControlFlow::Continue(())
    }

    fn all_subsets<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        for subset in 0..1_u64 << self.groups.len() {
            let mut marks = self.everything();
            for (number, group) in self.groups.iter().enumerate() {
                if subset >> number & 1 == 0 {
                    mark(&mut marks, group, &Mark::Lost);
                }
            }
            let legal = self.legal.founded(marks.clone());
            // A subset that is not legal leads to a smaller one, which comes by itself.
            if self
                .single
                .iter()
                .all(|unit| legal[unit[0]] == marks[unit[0]])
            {
                visit(legal)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn random<B>(&self, visit: Visit<'_, B>) -> ControlFlow<B> {
        if self.single.is_empty() {
            return ControlFlow::Continue(());
        }
        // The same states whatever was tried before.
        let mut choices = Choices::new(self.bounds.seed);
        let entity = EntityKey::of("crash").indexed(low_half(self.point.durable.hash()));
        let mut draws = Choices::point(EXPLORE, entity.indexed(self.single.len() as u64));
        for _ in 0..self.bounds.random {
            let marks = self.drawn(&mut choices, &mut draws);
            // Half of the states are the changes that were drawn and what they need, half those of
            // them that need nothing else.
            let marks = if choices.chance(&mut draws, Probability::percent(50)) {
                self.legal.completed(marks)
            } else {
                self.legal.founded(marks)
            };
            visit(self.legal.founded(marks))?;
        }
        ControlFlow::Continue(())
    }

    fn drawn(&self, choices: &mut Choices, draws: &mut Point) -> Marks {
        let percent = 25 * (1 + choices.below(draws, 3));
        let kept = Probability::new(u32::try_from(percent).expect("at most 75"), 100);
        let mut marks = self.everything();
        for unit in &self.single {
            let op = unit[0];
            if !choices.chance(draws, kept) {
                marks[op] = Mark::Lost;
            } else if let Some(patches) = self.patches(op)
                && self.bounds.torn
                && choices.chance(draws, TORN)
            {
                let mut pieces = self.pieces(patches);
                let all = pieces.len();
                pieces.retain(|_| choices.chance(draws, Probability::percent(50)));
                if pieces.is_empty() {
                    marks[op] = Mark::Lost;
                } else if pieces.len() < all {
                    marks[op] = Mark::Torn(assemble(patches, &pieces));
                }
            }
        }
        marks
    }

    /// What is lost or kept by itself where each choice makes one state.
    fn units(&self) -> &[Vec<usize>] {
        if self.single.len() <= EACH_UP_TO {
            &self.single
        } else {
            &self.groups
        }
    }

    fn everything(&self) -> Marks {
        vec![Mark::Kept; self.point.pending.len()]
    }

    /// The first changes, up to a number of those whose loss may be seen.
    fn up_to(&self, end: usize) -> Marks {
        let mut marks = self.everything();
        for unit in &self.single[end..] {
            mark(&mut marks, unit, &Mark::Lost);
        }
        self.legal.founded(marks)
    }

    /// What a change wrote, if it wrote.
    fn patches(&self, op: usize) -> Option<&'a [Patch]> {
        match &self.point.pending[op].change {
            Change::Data { patches, .. } => Some(patches),
            _ => None,
        }
    }

    /// Parts of a write that are there or not: a page's place in it, and sectors.
    fn pieces(&self, patches: &[Patch]) -> Vec<(usize, Sectors)> {
        if self.bounds.writes_whole_pages() || self.point.profile.writes_whole_pages() {
            return pages(patches);
        }
        let sectors = |(number, patch): (usize, &Patch)| {
            let sectors = patch.sectors.iter();
            sectors
                .map(|sector| (number, Sectors(1 << sector)))
                .collect::<Vec<_>>()
        };
        patches.iter().enumerate().flat_map(sectors).collect()
    }
}

/// The pages of a write: its parts where the disk writes no less.
fn pages(patches: &[Patch]) -> Vec<(usize, Sectors)> {
    let pages = patches.iter().enumerate();
    pages
        .map(|(number, patch)| (number, patch.sectors))
        .collect()
}

fn mark(marks: &mut Marks, ops: &[usize], with: &Mark) {
    for &op in ops {
        marks[op] = with.clone();
    }
}

fn assemble(patches: &[Patch], pieces: &[(usize, Sectors)]) -> Vec<Sectors> {
    let mut sectors = vec![Sectors::NONE; patches.len()];
    for (number, piece) in pieces {
        sectors[*number] = sectors[*number].union(*piece);
    }
    sectors
}

/// Makes one of all changes in a row that make the same file longer.
fn appends_as_one(point: &CrashPoint, single: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let appends_to = |op: usize| match &point.pending[op].change {
        Change::Data {
            ino, grows: true, ..
        } => Some(*ino),
        Change::Size { ino, from, to } if to > from => Some(*ino),
        _ => None,
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for unit in single {
        let op = unit[0];
        match groups.last_mut() {
            Some(group) if appends_to(op).is_some() && appends_to(op) == appends_to(group[0]) => {
                group.push(op);
            }
            _ => groups.push(vec![op]),
        }
    }
    groups
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn low_half(hash: u128) -> u64 {
    hash as u64
}

/// How often a kept write of a random state is torn.
const TORN: Probability = Probability::new(1, 8);
/// Of more changes, runs of appends are lost and kept as one: a moment of thousands of small
/// appends would else take all states there are.
const EACH_UP_TO: usize = 64;
