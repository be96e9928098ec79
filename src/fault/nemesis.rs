//! The nemesis: draws fault plans from a seed.
//!
//! Owns which attacks a run has, how many, and when. Each run has a part of all attacks only, so
//! that one which would hide another is sometimes missing (swarm testing: Groce et al., ISSTA
//! 2012), and numbers that are drawn by their order of magnitude.

use core::time::Duration;
use std::collections::BTreeMap;

use super::attack::{Attack, Blow, Field};
use super::budget::{Budget, Group, Quorum};
use super::draws::Draws;
use super::plan::{FaultId, FaultPlan, PlannedFault};
use super::target::{ALL, Host, Target};
use crate::kernel::Choices;

/// Draws fault plans from a seed: which attacks a run has, when, and how hard they are.
///
/// ```
/// use std::time::Duration;
/// use stormglass::fault::{Nemesis, Quorum};
///
/// # let outcome = stormglass::sim::Builder::new().seed(5).run(|sim| async move {
/// let db = sim.group("db", 3..=5).run(|_| std::future::pending::<()>());
/// let nemesis = Nemesis {
///     lasts: Duration::from_secs(10),
///     ..Nemesis::of(db.names(), Quorum::Majority)
/// };
/// let storm = sim.unleash(&nemesis);
/// println!("{}", storm.plan());
/// storm.over().await;
/// # });
/// # outcome.unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Nemesis {
    /// How long faults go on, from the beginning of the plan: then all of them end.
    pub lasts: Duration,
    /// Which attacks there may be. A run has about half of them.
    pub attacks: Vec<Attack>,
    /// The most that one attack is made in a run; how often is drawn by order of magnitude.
    pub times_max: u32,
    /// What the system claims to survive: no plan puts more out at once.
    pub groups: Vec<Group>,
    /// Other nodes, such as clients, whose links may be struck, and nothing else of them.
    pub bystanders: Vec<String>,
    /// [Named points](crate::crash_point) of the programs at which a node may lose power.
    pub points: Vec<String>,
    /// Whether some node may get the label `role=leader` while the system runs.
    pub has_leader: bool,
}

impl Nemesis {
    /// The usual attacks on one group, for ten seconds, each up to eight times.
    #[must_use]
    pub fn of(members: Vec<String>, quorum: Quorum) -> Self {
        Self {
            lasts: Duration::from_secs(10),
            attacks: Attack::usual(),
            times_max: 8,
            groups: vec![Group { members, quorum }],
            bystanders: Vec::new(),
            points: Vec::new(),
            has_leader: false,
        }
    }

    /// Draws a plan for these hosts.
    pub(crate) fn plan(&self, hosts: &[Host<'_>], choices: &mut Choices) -> FaultPlan {
        let field = self.field(hosts);
        let mut drawn: Vec<(Duration, Attack, Vec<Blow>)> = Vec::new();
        for attack in self.swarm(choices) {
            let times = Draws::new(choices, attack, None).log_between(1, u64::from(self.times_max));
            for number in 0..u32::try_from(times).expect("at most `times_max`") {
                let mut draws = Draws::new(choices, attack, Some(number));
                let lasts_ms = u64::try_from(self.lasts.as_millis()).unwrap_or(u64::MAX);
                let at = Duration::from_millis(draws.between(0, lasts_ms.saturating_sub(1)));
                drawn.push((at, attack, attack.draw(&field, &mut draws)));
            }
        }
        self.assemble(hosts, drawn)
    }

    /// A plan of what attacks have drawn, as far as the budget allows; each with its time.
    pub(super) fn assemble(
        &self,
        hosts: &[Host<'_>],
        mut drawn: Vec<(Duration, Attack, Vec<Blow>)>,
    ) -> FaultPlan {
        let mut plan = FaultPlan {
            heal: Some(self.lasts),
            faults: Vec::new(),
        };
        let mut budget = Budget::new(hosts, &self.groups);
        // Those that begin first are within the budget first.
        drawn.sort_by_key(|(at, attack, _)| (*at, *attack));
        for (at, _, blows) in drawn {
            let next = plan.faults.len();
            let faults = blows.into_iter().map(|blow| planned(at, blow));
            let mut faults: Vec<PlannedFault> =
                faults.filter(|planned| planned.at < self.lasts).collect();
            for (number, planned) in (next + 1..).zip(&mut faults) {
                planned.id = FaultId(u32::try_from(number).expect("fewer than 2^32 faults"));
            }
            if budget.take(&plan, &faults) {
                plan.faults.extend(faults);
            }
        }
        plan
    }

    /// The attacks that this run has: each with a chance of one half, and at least one.
    fn swarm(&self, choices: &mut Choices) -> Vec<Attack> {
        let mut is_in = |attack: &Attack| Draws::new(choices, *attack, Some(u32::MAX)).chance(50);
        let attacks = self.attacks.iter().copied();
        let chosen: Vec<Attack> = attacks.filter(|attack| is_in(attack)).collect();
        if chosen.is_empty() {
            return self.attacks.first().copied().into_iter().collect();
        }
        chosen
    }

    pub(super) fn field(&self, hosts: &[Host<'_>]) -> Field {
        let mut victims: Vec<String> = Vec::new();
        for member in self.groups.iter().flat_map(|group| &group.members) {
            if !victims.contains(member) {
                victims.push(member.clone());
            }
        }
        let mut zones: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for host in hosts {
            let is_victim = victims.iter().any(|name| name == host.name);
            let zone = host.labels.iter().find(|(key, _)| key == "zone");
            if let Some((_, zone)) = zone.filter(|_| is_victim) {
                zones.entry(zone).or_default().push(host.name.to_owned());
            }
        }
        Field {
            all: [victims.as_slice(), &self.bystanders].concat(),
            victims,
            zones: zones.into_values().collect(),
            points: self.points.clone(),
            has_leader: self.has_leader,
            lasts_max: self.lasts / 3,
        }
    }

    /// What is wrong with it.
    pub(crate) fn check(&self, hosts: &[Host<'_>]) -> Result<(), String> {
        if self.attacks.is_empty() {
            return Err("it has no attacks: give some, or apply a plan of your own".to_owned());
        }
        if self.lasts < Duration::from_millis(100) {
            return Err("it lasts less than 100 ms: give it the time that faults take".to_owned());
        }
        if self.times_max == 0 {
            return Err("`times_max` is 0: give at least 1".to_owned());
        }
        let members = self.groups.iter().flat_map(|group| &group.members);
        for name in members.chain(&self.bystanders) {
            let missing = Target::node(name).nodes(hosts).found.is_empty();
            if missing || name == ALL {
                return Err(format!(
                    "there is no node `{name}`: name nodes that were made"
                ));
            }
        }
        Ok(())
    }
}

fn planned(at: Duration, blow: Blow) -> PlannedFault {
    PlannedFault {
        id: FaultId(0),
        at: at + blow.after,
        duration: blow.duration,
        fault: blow.fault,
        target: blow.target,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fault::FaultKind;

    const NAMES: [&str; 7] = ["test", "a", "b", "c", "d", "e", "client"];

    fn with_hosts<T>(act: impl FnOnce(&[Host<'_>]) -> T) -> T {
        let zones = ["x", "y", "z"].map(|zone| vec![("zone".to_owned(), zone.to_owned())]);
        let host = |number: usize| Host {
            name: NAMES[number],
            labels: &zones[number % 3],
        };
        act(&[0, 1, 2, 3, 4, 5, 6].map(host))
    }

    fn nemesis(quorum: Quorum) -> Nemesis {
        let members = NAMES[1..6].iter().map(|name| (*name).to_owned());
        Nemesis {
            attacks: Attack::ALL.to_vec(),
            bystanders: vec!["client".to_owned()],
            points: vec!["synced".to_owned()],
            has_leader: true,
            ..Nemesis::of(members.collect(), quorum)
        }
    }

    fn plan(nemesis: &Nemesis, seed: u64) -> FaultPlan {
        with_hosts(|hosts| nemesis.plan(hosts, &mut Choices::new(seed)))
    }

    #[test]
    fn a_seed_is_a_plan_that_makes_sense_and_ends() {
        let nemesis = nemesis(Quorum::Majority);
        let mut all = BTreeSet::new();
        for seed in 0..300 {
            let (plan, again) = (plan(&nemesis, seed), plan(&nemesis, seed));
            assert_eq!(plan, again);
            assert_eq!(plan.validate(), Ok(()), "{plan}");
            assert!(plan.end().unwrap() <= nemesis.lasts, "{plan}");
            all.insert(plan.to_string());
        }
        assert!(all.len() >= 299, "plans differ");
    }

    #[test]
    fn every_kind_of_fault_is_drawn_and_none_always() {
        let nemesis = nemesis(Quorum::AllBut(5));
        let mut seen: Vec<(&str, u32)> = Vec::new();
        for seed in 0..200 {
            let plan = plan(&nemesis, seed);
            let kinds: BTreeSet<&str> = plan.faults.iter().map(|one| one.fault.name()).collect();
            for kind in kinds {
                match seen.iter_mut().find(|(other, _)| *other == kind) {
                    Some((_, count)) => *count += 1,
                    None => seen.push((kind, 1)),
                }
            }
        }
        // Nobody needs a dropped cache to be drawn: a loss of power drops it.
        assert_eq!(seen.len(), 32, "{seen:?}");
        assert!(
            seen.iter().all(|(_, count)| (20..200).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn no_more_are_out_at_once_than_the_group_survives() {
        let down = |plan: &FaultPlan, at: Duration| -> usize {
            let out = plan.faults.iter().filter(|one| {
                let end = plan.end_of(one).unwrap();
                one.fault.takes_nodes_down() && one.at <= at && at < end
            });
            let names: BTreeSet<usize> =
                with_hosts(|hosts| out.flat_map(|one| one.target.nodes(hosts).found).collect());
            names.len()
        };
        let most = |quorum: Quorum| {
            let nemesis = nemesis(quorum);
            let counts = (0..200).flat_map(|seed| {
                let plan = plan(&nemesis, seed);
                let begins: Vec<Duration> = plan.faults.iter().map(|one| one.at).collect();
                begins
                    .into_iter()
                    .map(move |at| down(&plan, at))
                    .collect::<Vec<_>>()
            });
            counts.max().unwrap()
        };
        assert_eq!(most(Quorum::Majority), 2);
        assert_eq!(most(Quorum::AllBut(1)), 1);
        assert_eq!(most(Quorum::AllBut(0)), 0);
        assert_eq!(
            most(Quorum::AllBut(5)),
            5,
            "without a budget there are blackouts"
        );
    }

    #[test]
    fn an_attack_taken_away_leaves_the_others_as_they_were() {
        let all = nemesis(Quorum::AllBut(5));
        let without_crash = Nemesis {
            attacks: Attack::ALL
                .iter()
                .copied()
                .filter(|one| *one != Attack::Wipe)
                .collect(),
            ..all.clone()
        };
        for seed in 0..50 {
            let strip = |plan: FaultPlan| -> Vec<(Duration, FaultKind, Target)> {
                let others = plan
                    .faults
                    .into_iter()
                    .filter(|one| one.fault != FaultKind::Wipe);
                others.map(|one| (one.at, one.fault, one.target)).collect()
            };
            let (with, without) = (plan(&all, seed), plan(&without_crash, seed));
            assert_eq!(strip(with), strip(without));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |change: &dyn Fn(&mut Nemesis), part: &str| {
            let mut nemesis = nemesis(Quorum::Majority);
            change(&mut nemesis);
            let error = with_hosts(|hosts| nemesis.check(hosts)).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check(&|nemesis| nemesis.attacks.clear(), "no attacks");
        check(&|nemesis| nemesis.lasts = Duration::ZERO, "100 ms");
        check(&|nemesis| nemesis.times_max = 0, "times_max");
        check(
            &|nemesis| nemesis.bystanders.push("nobody".to_owned()),
            "`nobody`",
        );
        let fine = nemesis(Quorum::Majority);
        assert_eq!(with_hosts(|hosts| fine.check(hosts)), Ok(()));
    }
}
