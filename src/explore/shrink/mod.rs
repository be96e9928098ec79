//! Shrinking: from a scenario that fails to the least that fails in the same way.
//!
//! Owns what is tried, in which order, and when to stop. It must never know how a scenario is run:
//! an oracle tells whether one still fails as the first did, in this process or in another.
//!
//! The big cuts come first: faults, then operations, by [`ddmin`](super::ddmin); then nodes; then
//! what is left is made simpler: times shorter and rounder, parameters plain, and the noise of the
//! schedule and of latencies quiet. All of it again until a whole round changes nothing. So with
//! enough runs no single fault, operation or name can be taken out of the result.
//!
//! What a program draws itself, such as the jitter of a timeout, shifts when an operation before it
//! is taken out, and a failure that needs luck is then missed. So what can go no further is tried
//! again with other seeds, the more of them the larger the cut: plan and operations stay as they
//! are, and only the dice are thrown again.
//!
//! # Blind spots
//!
//! Operations are taken out whole: what is inside one is the test's, and is left as it is. Two
//! faults that only together can go are kept, if they are not neighbours in a plan. A group
//! may become smaller than its test would ever draw it, since a scenario does not know its range.

mod simpler;
#[cfg(test)]
mod tests;

use core::fmt;
use core::ops::ControlFlow;
use std::collections::{BTreeMap, BTreeSet};

use super::ddmin::ddmin;
use super::scenario::{Scenario, Size};
use crate::fault::{Decisions, FaultId, FaultPlan, PlannedFault};

/// How much shrinking may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effort {
    /// Runs of the test, but for the few that confirm the result.
    pub runs_max: u64,
}

impl Default for Effort {
    /// Two thousand runs: a plan of 100 faults and a workload of 600 operations take some 500.
    fn default() -> Self {
        Self { runs_max: 2_000 }
    }
}

impl Effort {
    /// So many runs.
    #[must_use]
    pub const fn runs(runs_max: u64) -> Self {
        Self { runs_max }
    }
}

/// What an oracle says of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fails as the first one did: with the same [`Fingerprint`](super::Fingerprint).
    Same,
    /// It does not fail, or in another way.
    Other,
}

/// What is being taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing: whether the failure is there at all.
    Check,
    /// Faults.
    Faults,
    /// Operations of workloads.
    Operations,
    /// Members of groups, and names in the targets of faults.
    Nodes,
    /// Times and parameters of faults.
    Parameters,
    /// What varies without being a fault: the schedule, latencies, the configuration's own faults.
    Noise,
    /// Nothing: whether the result is as it seemed.
    Confirm,
}

/// How far shrinking has come, before a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// What is being taken away.
    pub stage: Stage,
    /// Runs so far.
    pub runs: u64,
    /// The size of the least scenario that is known to fail.
    pub best: Size,
    /// The size of the one that is tried now.
    pub tried: Size,
}

/// What shrinking gave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shrunk {
    /// The least scenario that was found: the oracle's last [`Verdict::Same`] was about it. It may
    /// have another seed. Its `failed` and `digest` are still those of the first scenario.
    pub scenario: Scenario,
    /// The size of the first scenario.
    pub from: Size,
    /// The size of this one.
    pub to: Size,
    /// How many runs it took.
    pub runs: u64,
    /// Why it is no less.
    pub end: End,
}

/// Why shrinking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Nothing more can be taken away alone.
    Minimal,
    /// The runs were used up.
    OutOfRuns,
    /// The caller wanted no more.
    Stopped,
    /// The failure of the first scenario does not come back; that is what was given.
    NotReproduced,
}

/// Makes a failing scenario as small as it can.
///
/// `oracle` runs a scenario and says whether it fails as the first one does; what it said is not
/// asked again, but for the result, which is run once more in the end. `progress` is called before
/// each run, and may stop it all: because of a deadline, for example.
///
/// The result is never larger than what was given, and the oracle has said last of all that it
/// [fails the same](Verdict::Same); if an oracle contradicts itself, it is one that was found
/// before.
pub fn shrink(
    scenario: &Scenario,
    effort: &Effort,
    mut oracle: impl FnMut(&Scenario) -> Verdict,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Shrunk {
    let mut search = Search {
        best: scenario.clone(),
        found: Vec::new(),
        tried: BTreeMap::new(),
        runs: 0,
        runs_max: effort.runs_max,
        first_seed: scenario.seed,
        end: None,
        oracle: &mut oracle,
        progress: &mut progress,
    };
    if search.run(Stage::Check, scenario) {
        search.cut_to_the_end();
        search.confirm(scenario);
    } else {
        search.end.get_or_insert(End::NotReproduced);
    }
    Shrunk {
        from: scenario.size(),
        to: search.best.size(),
        scenario: search.best,
        runs: search.runs,
        end: search.end.unwrap_or(End::Minimal),
    }
}

/// A search that is under way.
struct Search<'a> {
    best: Scenario,
    /// The scenarios that were best before this one, latest last; the latest few only.
    found: Vec<Scenario>,
    /// What the oracle has said, by what of a scenario is ever changed.
    tried: BTreeMap<Vec<u8>, bool>,
    runs: u64,
    runs_max: u64,
    first_seed: u64,
    /// Why no more runs are made, if so.
    end: Option<End>,
    oracle: &'a mut dyn FnMut(&Scenario) -> Verdict,
    progress: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
}

/// How many runs with other seeds the cuts of one size cost together: all halves, all quarters.
const OTHER_SEEDS: usize = 64;
/// With how many other seeds one cut is tried at most.
const OTHER_SEEDS_MAX: usize = 24;
/// How many earlier results are kept, to fall back on when an oracle contradicts itself.
const FOUND_MAX: usize = 8;

impl Search<'_> {
    fn cut_to_the_end(&mut self) {
        loop {
            let before = self.best.clone();
            self.faults();
            self.operations();
            self.nodes();
            self.parameters();
            self.noise();
            if self.end.is_some() || self.best == before {
                return;
            }
        }
    }

    fn faults(&mut self) {
        let base = self.best.clone();
        let ids = |(plan, faults): (usize, &FaultPlan)| -> Vec<(usize, FaultId)> {
            let ids = faults.faults.iter().map(|planned| (plan, planned.id));
            ids.collect()
        };
        let all = base.decisions.plans.iter().enumerate().flat_map(ids);
        ddmin(all.collect(), |kept: &[(usize, FaultId)]| {
            let kept: BTreeSet<_> = kept.iter().collect();
            self.try_with(Stage::Faults, &base, |decisions| {
                for (number, plan) in decisions.plans.iter_mut().enumerate() {
                    let is_kept = |planned: &PlannedFault| kept.contains(&(number, planned.id));
                    plan.faults.retain(is_kept);
                }
            })
        });
    }

    /// Whole lists first, then operations of all that are left.
    fn operations(&mut self) {
        let base = self.best.clone();
        let lists = base.decisions.workloads.iter();
        let filled = lists.filter(|(_, list)| !list.is_empty());
        let names: Vec<&String> = filled.map(|(name, _)| name).collect();
        ddmin(names, |kept: &[&String]| {
            self.try_with(Stage::Operations, &base, |decisions| {
                for (name, list) in &mut decisions.workloads {
                    if !kept.contains(&name) {
                        list.clear();
                    }
                }
            })
        });
        let base = self.best.clone();
        let mut all: Vec<(&str, usize)> = Vec::new();
        for (name, list) in &base.decisions.workloads {
            all.extend((0..list.len()).map(|number| (name.as_str(), number)));
        }
        ddmin(all, |kept: &[(&str, usize)]| {
            let kept: BTreeSet<_> = kept.iter().collect();
            self.try_with(Stage::Operations, &base, |decisions| {
                for (name, list) in &mut decisions.workloads {
                    let mut numbers = 0..;
                    list.retain(|_| {
                        let number = numbers.next().expect("it has no end");
                        kept.contains(&(name.as_str(), number))
                    });
                }
            })
        });
    }

    /// Smaller groups, and then targets of fewer names.
    fn nodes(&mut self) {
        let groups: Vec<String> = self.best.decisions.groups.keys().cloned().collect();
        for group in groups {
            while let Some(&size) = self.best.decisions.groups.get(&group) {
                let base = self.best.clone();
                let smaller = [1, size / 4, size / 2, size.saturating_sub(1)];
                let mut smaller = smaller
                    .into_iter()
                    .filter(|fewer| (1..size).contains(fewer));
                let found = smaller.any(|fewer| {
                    self.try_with(Stage::Nodes, &base, |decisions| {
                        decisions.groups.insert(group.clone(), fewer);
                        for member in fewer..size {
                            forget(decisions, &format!("{group}-{member}"));
                        }
                    })
                });
                if !found {
                    break;
                }
            }
        }
        self.each_fault(Stage::Nodes, |planned| {
            let patterns = planned.target.patterns().into_iter();
            let without = |pattern| {
                planned.target.without(pattern).map(|target| PlannedFault {
                    target,
                    ..planned.clone()
                })
            };
            patterns.filter_map(without).collect()
        });
    }

    fn parameters(&mut self) {
        self.each_fault(Stage::Parameters, simpler::faults);
        for number in 0..self.best.decisions.plans.len() {
            loop {
                let base = self.best.clone();
                let mut simpler = simpler::heals(&base.decisions.plans[number]).into_iter();
                let found = simpler.any(|heal| {
                    self.try_with(Stage::Parameters, &base, |decisions| {
                        decisions.plans[number].heal = heal;
                    })
                });
                if !found {
                    break;
                }
            }
        }
    }

    /// Quiets all of the noise at once, and if that is too much, each kind of it.
    fn noise(&mut self) {
        let mut quiet = self.best.clone();
        for change in simpler::NOISE {
            change(&mut quiet.config);
        }
        if self.try_it(Stage::Noise, &quiet) {
            return;
        }
        for change in simpler::NOISE {
            let mut quiet = self.best.clone();
            change(&mut quiet.config);
            self.try_it(Stage::Noise, &quiet);
        }
    }

    /// Replaces each fault by a simpler one, as long as one of those that `simpler` gives will do.
    fn each_fault(&mut self, stage: Stage, simpler: impl Fn(&PlannedFault) -> Vec<PlannedFault>) {
        for plan in 0..self.best.decisions.plans.len() {
            for fault in 0..self.best.decisions.plans[plan].faults.len() {
                loop {
                    let base = self.best.clone();
                    let others = simpler(&base.decisions.plans[plan].faults[fault]);
                    let found = others.into_iter().any(|other| {
                        self.try_with(stage, &base, |decisions| {
                            decisions.plans[plan].faults[fault] = other.clone();
                        })
                    });
                    if !found {
                        break;
                    }
                }
            }
        }
    }

    fn try_with(
        &mut self,
        stage: Stage,
        base: &Scenario,
        change: impl FnOnce(&mut Decisions),
    ) -> bool {
        if self.end.is_some() {
            return false;
        }
        let mut other = base.clone();
        other.seed = self.best.seed;
        change(&mut other.decisions);
        if self.try_it(stage, &other) {
            return true;
        }
        let parts = |size: Size| size.faults + size.operations;
        let (had, has) = (parts(self.best.size()), parts(other.size()));
        if has >= had {
            return false;
        }
        let worth = (had - has) * OTHER_SEEDS / had;
        (1..=worth.clamp(1, OTHER_SEEDS_MAX)).any(|number| {
            other.seed = self.first_seed.wrapping_add(number as u64);
            self.try_it(stage, &other)
        })
    }

    /// Whether a scenario fails as the first one; it is then the best.
    fn try_it(&mut self, stage: Stage, other: &Scenario) -> bool {
        let unchanged = *other == self.best;
        let mut plans = other.decisions.plans.iter();
        let makes_sense =
            other.config.validate().is_ok() && plans.all(|plan| plan.validate().is_ok());
        if self.end.is_some() || unchanged || !makes_sense || !self.run(stage, other) {
            return false;
        }
        if self.found.len() == FOUND_MAX {
            self.found.remove(0);
        }
        self.found
            .push(std::mem::replace(&mut self.best, other.clone()));
        true
    }

    /// Asks the oracle, unless it was asked before.
    fn run(&mut self, stage: Stage, other: &Scenario) -> bool {
        let key = serde_json::to_vec(&(other.seed, &other.config, &other.decisions));
        let key = key.expect("a scenario has text keys only");
        if let Some(same) = self.tried.get(&key) {
            return *same;
        }
        if self.runs >= self.runs_max {
            self.end = Some(End::OutOfRuns);
            return false;
        }
        let progress = Progress {
            stage,
            runs: self.runs,
            best: self.best.size(),
            tried: other.size(),
        };
        if (self.progress)(&progress).is_break() {
            self.end = Some(End::Stopped);
            return false;
        }
        self.runs += 1;
        let same = (self.oracle)(other) == Verdict::Same;
        self.tried.insert(key, same);
        same
    }

    /// Runs the result once more, and if it has changed its mind, those before it, and the first.
    fn confirm(&mut self, first: &Scenario) {
        loop {
            self.runs += 1;
            let (best, tried) = (self.best.size(), self.best.size());
            let (stage, runs) = (Stage::Confirm, self.runs);
            // Whoever wants to stop has to wait for this: a result that does not fail is none.
            let _ = (self.progress)(&Progress {
                stage,
                runs,
                best,
                tried,
            });
            if (self.oracle)(&self.best) == Verdict::Same {
                return;
            }
            let is_first = self.best == *first;
            self.best = self.found.pop().unwrap_or_else(|| first.clone());
            if is_first {
                self.end = Some(End::NotReproduced);
                return;
            }
        }
    }
}

/// Takes a node's name out of all targets, and with it the faults that strike nobody else.
fn forget(decisions: &mut Decisions, name: &str) {
    for plan in &mut decisions.plans {
        plan.faults.retain_mut(|planned| {
            if !planned.target.patterns().contains(&name) {
                return true;
            }
            let target = planned.target.without(name);
            let left = target.is_some();
            if let Some(target) = target {
                planned.target = target;
            }
            left
        });
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Check => "checking",
            Self::Faults => "faults",
            Self::Operations => "operations",
            Self::Nodes => "nodes",
            Self::Parameters => "parameters",
            Self::Noise => "noise",
            Self::Confirm => "confirming",
        })
    }
}
