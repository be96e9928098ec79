//! What a campaign must have seen: that properties were reached and planned faults bit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stormglass::kernel::{Family, FaultCounter};
use stormglass::property::PropertyCount;

use crate::marks::PropertyMark;
use crate::tally::Tally;

/// What was seen of one goal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Goal {
    /// A property that should hold at least once.
    Property {
        name: String,
        claim: String,
        /// `file:line`, if it is known.
        place: Option<String>,
        reached: u64,
        held: u64,
        margin: Option<i64>,
    },
    /// A fault of a plan that should change something at least once.
    Fault {
        name: String,
        offered: u64,
        fired: u64,
        effective: u64,
        /// What makes it effective.
        effective_means: String,
    },
}

impl Goal {
    pub const fn is_met(&self) -> bool {
        match self {
            Self::Property { held, .. } => *held > 0,
            Self::Fault { effective, .. } => *effective > 0,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Property { name, .. } | Self::Fault { name, .. } => name,
        }
    }
}

/// A program of a campaign, as far as goals are concerned.
pub struct Member<'a> {
    pub properties: &'a [PropertyMark],
    /// Whether all of its tests are part of the campaign: else nobody may have come to a place.
    pub is_whole: bool,
    /// The tests that ran.
    pub tallies: Vec<&'a Tally>,
}

/// All goals that were to be reached after so many seeds of each test, met or not. A program of
/// which a test has run fewer has none.
pub fn judge(members: &[Member<'_>], after: u64) -> Vec<Goal> {
    if after == 0 {
        return Vec::new();
    }
    let mut seen: BTreeMap<&str, PropertyCount> = BTreeMap::new();
    let mut faults: BTreeMap<Family, FaultCounter> = BTreeMap::new();
    let mut planned: BTreeSet<Family> = BTreeSet::new();
    let tallies = members.iter().flat_map(|member| &member.tallies);
    for tally in tallies {
        for (name, count) in &tally.properties {
            seen.entry(name).or_default().add(count);
        }
        for (family, counter) in tally.counters.iter() {
            let sum = faults.entry(family).or_default();
            sum.offered += counter.offered;
            sum.fired += counter.fired;
            sum.effective += counter.effective;
        }
        if tally.seeds.count() >= after {
            planned.extend(&tally.planned);
        }
    }
    let has_run = |tally: &&&Tally| tally.seeds.count() >= after;
    // Places that nobody came to are missed only where all that may come there has run enough.
    let mut names: BTreeMap<&str, Option<&PropertyMark>> = BTreeMap::new();
    let mut excused: BTreeSet<&str> = BTreeSet::new();
    for member in members {
        let enough = member.tallies.iter().filter(has_run).count() == member.tallies.len();
        let goals = member.properties.iter().filter(|mark| mark.claim.is_goal());
        for mark in goals {
            if member.is_whole && enough {
                names.entry(&mark.name).or_insert(Some(mark));
            } else {
                excused.insert(&mark.name);
            }
        }
        // What was reached and never held is missed whoever came there.
        for tally in member.tallies.iter().filter(has_run) {
            let goals = tally.properties.iter().filter(|(_, count)| {
                count
                    .claim
                    .is_some_and(stormglass::property::Claim::is_goal)
            });
            for (name, _) in goals {
                let mark = member.properties.iter().find(|mark| mark.name == *name);
                names.entry(name).or_insert(mark);
            }
        }
    }
    let mut goals = Vec::new();
    for (name, mark) in names {
        let count = seen.get(name).cloned().unwrap_or_default();
        if count.reached == 0 && excused.contains(name) {
            continue;
        }
        let claim = count.claim.or(mark.map(|mark| mark.claim));
        goals.push(Goal::Property {
            name: name.to_owned(),
            claim: claim
                .map_or("", stormglass::property::Claim::name)
                .to_owned(),
            place: mark.map(|mark| mark.place.clone()),
            reached: count.reached,
            held: count.held,
            margin: count.margin,
        });
    }
    for family in planned {
        let counter = faults.get(&family).copied().unwrap_or_default();
        goals.push(Goal::Fault {
            name: family.name().to_owned(),
            offered: counter.offered,
            fired: counter.fired,
            effective: counter.effective,
            effective_means: family.effective_means().to_owned(),
        });
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;
    use stormglass::property::Claim;

    fn mark(name: &str, claim: Claim) -> PropertyMark {
        PropertyMark {
            name: name.to_owned(),
            claim,
            place: "src/a.rs:1".to_owned(),
        }
    }

    fn tally(seeds: u64, properties: &[(&str, u64, u64)]) -> Tally {
        let mut tally = Tally::default();
        tally.seeds.add(0, seeds);
        for (name, reached, held) in properties {
            let count = PropertyCount {
                claim: Some(Claim::Sometimes),
                reached: *reached,
                held: *held,
                margin: None,
            };
            tally.properties.insert((*name).to_owned(), count);
        }
        tally
    }

    fn unmet(members: &[Member<'_>]) -> Vec<String> {
        let goals = judge(members, 100);
        let unmet = goals.iter().filter(|goal| !goal.is_met());
        unmet.map(|goal| goal.name().to_owned()).collect()
    }

    #[test]
    fn a_goal_is_missed_only_by_a_campaign_that_could_reach_it() {
        let marks = [
            mark("met", Claim::Sometimes),
            mark("never reached", Claim::Reachable),
            mark("never held", Claim::Sometimes),
            mark("no goal", Claim::Unreachable),
        ];
        let check = |seeds: u64, is_whole: bool, expected: &[&str]| {
            let tally = tally(seeds, &[("met", 5, 1), ("never held", 5, 0)]);
            let member = Member {
                properties: &marks,
                is_whole,
                tallies: vec![&tally],
            };
            assert_eq!(unmet(&[member]), expected);
        };
        check(100, true, &["never held", "never reached"]);
        check(99, true, &[]);
        check(100, false, &["never held"]);
    }

    #[test]
    fn a_planned_fault_must_bite() {
        let mut tally = tally(100, &[]);
        tally.planned.insert(Family::Crash);
        tally.counters.offered(Family::Crash);
        tally.counters.fired(Family::Crash);
        tally.counters.offered(Family::Loss);
        let member = |tally| Member {
            properties: &[],
            is_whole: true,
            tallies: vec![tally],
        };
        assert_eq!(unmet(&[member(&tally)]), ["process.crash"]);
        let mut bitten = tally.clone();
        bitten.counters.effective(Family::Crash);
        assert_eq!(unmet(&[member(&bitten)]), [""; 0]);
    }
}
