//! Scheduling policies: which of a node's ready tasks runs next.
//!
//! A policy only decides; the ready list is in [`ready`](super::ready). Each decision is drawn
//! at choice points of the node itself, so what happens on one node shifts no other node's
//! sequence.

use serde::{Deserialize, Serialize};

use crate::kernel::{Choices, EntityKey, Point, Site};

/// How the next task of a node is picked among its ready ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// Every ready task is equally likely.
    #[default]
    Random,
    /// First in, first out.
    Fifo,
    /// Probabilistic concurrency testing: tasks have random priorities, the highest runs, and at
    /// `depth - 1` random picks of the node's first `picks` the running task drops to the bottom.
    ///
    /// A task that yields drops to the bottom too, since a task spinning on `yield_now` would
    /// otherwise starve the one it waits for. With that departure the bound of the paper, a bug
    /// of depth `d` is hit with probability `1 / (n k^(d-1))` for `n` tasks and `k` picks, holds
    /// for programs that do not yield.
    ///
    /// Source: Burckhardt, Kothari, Musuvathi, Nagarakatte: "A Randomized Scheduler with
    /// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010, section 2.
    Pct {
        /// How many ordering constraints the bug needs; at least 1.
        depth: u32,
        /// Over how many picks of a node the changes of priority are spread; at least 1.
        picks: u32,
    },
    /// One task of each node, drawn as tasks are spawned, runs only when no other is ready, up to
    /// 1,000 picks in a row; the others run in random order.
    StarveOne,
    /// One of the other policies, drawn from the seed: half of the seeds run `Random`, the rest
    /// share `Fifo`, `Pct` (depth 3 over 1,000 picks) and `StarveOne` evenly.
    BySeed,
}

impl Policy {
    /// The policy that a run with this seed uses: `self` unless it is [`Policy::BySeed`].
    pub(crate) fn resolve(self, choices: &mut Choices) -> Self {
        if self != Self::BySeed {
            return self;
        }
        let mut point = Choices::point(Site::new("exec.policy"), EntityKey::of("run"));
        match choices.below(&mut point, 6) {
            0..3 => Self::Random,
            3 => Self::Fifo,
            4 => Self::Pct {
                depth: 3,
                picks: 1_000,
            },
            _ => Self::StarveOne,
        }
    }
}

/// What a policy remembers for one node.
pub(crate) struct PolicyState {
    pick: Point,
    rank: Point,
    kind: PolicyKind,
}

enum PolicyKind {
    Random,
    Fifo,
    Pct {
        /// Picks at which the running task drops, highest last.
        changes: Vec<u64>,
        picks: u64,
        /// The next rank below all others.
        bottom: u64,
    },
    StarveOne {
        in_a_row: u32,
    },
}

/// Ranks given at spawning start here; those given by demotion count down from it.
const DEMOTED: u64 = 1 << 32;
/// Picks in a row for which a starved task is passed over.
const STARVED_PICKS: u32 = 1_000;
/// One task in this many is starved.
const STARVED_SHARE: u64 = 8;

/// What a ready task is to a policy.
pub(crate) trait Ranked {
    /// The rank given to the task when it was spawned.
    fn rank(&self) -> u64;
    /// Gives the task another rank.
    fn set_rank(&self, rank: u64);
}

impl PolicyState {
    pub(crate) fn new(policy: Policy, choices: &mut Choices, node: EntityKey) -> Self {
        let pick = Choices::point(Site::new("exec.pick"), node);
        let rank = Choices::point(Site::new("exec.rank"), node);
        let kind = match policy {
            Policy::Random | Policy::BySeed => PolicyKind::Random,
            Policy::Fifo => PolicyKind::Fifo,
            Policy::StarveOne => PolicyKind::StarveOne { in_a_row: 0 },
            Policy::Pct { depth, picks } => {
                let mut point = Choices::point(Site::new("exec.change"), node);
                let mut changes: Vec<u64> = (1..depth)
                    .map(|_| choices.below(&mut point, u64::from(picks.max(1))))
                    .collect();
                changes.sort_unstable_by(|a, b| b.cmp(a));
                PolicyKind::Pct {
                    changes,
                    picks: 0,
                    bottom: DEMOTED,
                }
            }
        };
        Self { pick, rank, kind }
    }

    /// The rank of a task that is being spawned.
    #[inline]
    pub(crate) fn rank(&mut self, choices: &mut Choices) -> u64 {
        match self.kind {
            PolicyKind::Random | PolicyKind::Fifo => 0,
            PolicyKind::Pct { .. } => choices.draw(&mut self.rank) | DEMOTED << 1,
            PolicyKind::StarveOne { .. } => {
                u64::from(choices.below(&mut self.rank, STARVED_SHARE) == 0)
            }
        }
    }

    /// Takes the task to run next out of `ready`, which is in order of arrival.
    #[inline]
    pub(crate) fn pick<T: Ranked>(
        &mut self,
        choices: &mut Choices,
        ready: &mut std::collections::VecDeque<T>,
    ) -> Option<T> {
        match &mut self.kind {
            PolicyKind::Random => {
                let index = random_index(choices, &mut self.pick, ready.len())?;
                ready.swap_remove_back(index)
            }
            PolicyKind::Fifo => ready.pop_front(),
            PolicyKind::Pct {
                changes,
                picks,
                bottom,
            } => {
                let index = highest(ready)?;
                if changes.last() == Some(picks) {
                    changes.pop();
                    *bottom -= 1;
                    ready[index].set_rank(*bottom);
                    let next = highest(ready)?;
                    *picks += 1;
                    return ready.remove(next);
                }
                *picks += 1;
                ready.remove(index)
            }
            PolicyKind::StarveOne { in_a_row } => {
                let fed = ready.iter().filter(|task| task.rank() == 0).count();
                if fed == 0 || (fed < ready.len() && *in_a_row == STARVED_PICKS) {
                    *in_a_row = 0;
                    let index = ready.iter().position(|task| task.rank() != 0)?;
                    return ready.remove(index);
                }
                *in_a_row = if fed < ready.len() { *in_a_row + 1 } else { 0 };
                let nth = random_index(choices, &mut self.pick, fed)?;
                let mut indices = (0..ready.len()).filter(|&index| ready[index].rank() == 0);
                let index = indices.nth(nth)?;
                ready.remove(index)
            }
        }
    }

    /// Notes that a task woke itself while it ran, which is what a yield does.
    #[inline]
    pub(crate) fn yielded(&mut self, task: &impl Ranked) {
        if let PolicyKind::Pct { bottom, .. } = &mut self.kind {
            *bottom -= 1;
            task.set_rank(*bottom);
        }
    }
}

fn random_index(choices: &mut Choices, point: &mut Point, length: usize) -> Option<usize> {
    match length {
        0 => None,
        1 => Some(0),
        _ => usize::try_from(choices.below(point, length as u64)).ok(),
    }
}

fn highest<T: Ranked>(ready: &std::collections::VecDeque<T>) -> Option<usize> {
    // Of equals the first wins, so the comparison is made from the back.
    let best = ready
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, task)| task.rank());
    best.map(|(index, _)| index)
}
