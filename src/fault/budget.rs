//! What a system claims to survive, and whether a plan keeps to it.
//!
//! Owns the groups, their quorums, and who is out while which fault lasts. It must never know how
//! a plan was made.
//!
//! Out of a group are nodes that are down or stand still, all but the largest side of a cut, and
//! for ever those whose disks may have been damaged. Delays, lost packets and bent clocks put
//! nobody out: a system that claims to survive any node's loss survives those.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::kind::FaultKind;
use super::plan::{FaultPlan, PlannedFault};
use super::target::{Host, Target};

/// Nodes that together hold something, and how many of them it takes.
#[derive(Clone, Debug)]
pub struct Group {
    /// The names of the nodes.
    pub members: Vec<String>,
    /// Which of them suffice.
    pub quorum: Quorum,
}

/// Which members of a group suffice for it to do its work and to lose nothing.
#[derive(Clone)]
#[non_exhaustive]
pub enum Quorum {
    /// More than half.
    Majority,
    /// All but so many.
    AllBut(usize),
    /// Whatever the function says of the names of those that are left. One that suffices with some
    /// nodes suffices with more.
    Custom(Suffices),
}

/// Whether the members of these names suffice.
pub type Suffices = Rc<dyn Fn(&[&str]) -> bool>;

impl Quorum {
    /// Whether `left` of `members` nodes suffice.
    fn holds(&self, left: &[&str], members: usize) -> bool {
        match self {
            Self::Majority => left.len() * 2 > members,
            Self::AllBut(lost) => left.len() + lost >= members,
            Self::Custom(suffice) => suffice(left),
        }
    }
}

impl Group {
    /// Whether the members suffice of which `is_out` says that they are not out.
    #[must_use]
    pub fn survives_without(&self, is_out: impl Fn(&str) -> bool) -> bool {
        let names = self.members.iter().map(String::as_str);
        let left: Vec<&str> = names.filter(|name| !is_out(name)).collect();
        self.quorum.holds(&left, self.members.len())
    }

    /// The most members that may all be out, whichever they are.
    #[must_use]
    pub fn lost_max(&self) -> usize {
        let count = self.members.len();
        let survives = |lost: usize| {
            subsets(count, lost).all(|out| {
                self.survives_without(|name| {
                    let number = self.members.iter().position(|member| member == name);
                    number.is_some_and(|number| out.contains(&number))
                })
            })
        };
        (0..=count)
            .take_while(|lost| survives(*lost))
            .last()
            .unwrap_or(0)
    }
}

/// The subsets of so many numbers below `n`.
fn subsets(n: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut next = (size <= n).then(|| (0..size).collect::<Vec<usize>>());
    core::iter::from_fn(move || {
        let current = next.take()?;
        let mut following = current.clone();
        // The last number that can still grow does; those after it follow closely.
        if let Some(place) = (0..size)
            .rev()
            .find(|place| following[*place] < n - size + place)
        {
            following[place] += 1;
            for after in place + 1..size {
                following[after] = following[after - 1] + 1;
            }
            next = Some(following);
        }
        Some(current)
    })
}

/// Who is out, and when.
#[derive(Clone, Debug)]
struct Outage {
    from: Duration,
    /// `None` is for ever.
    until: Option<Duration>,
    out: BTreeSet<usize>,
    /// How many more may be out that only the run tells: those of a label that is set then.
    unknown: usize,
}

/// Who is out while the faults of a plan last, to ask whether one more may come.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    hosts: &'a [Host<'a>],
    groups: &'a [Group],
    outages: Vec<Outage>,
}

impl<'a> Budget<'a> {
    pub(super) const fn new(hosts: &'a [Host<'a>], groups: &'a [Group]) -> Self {
        Self {
            hosts,
            groups,
            outages: Vec::new(),
        }
    }

    /// Whether all groups survive these faults, with those that were taken before.
    pub(super) fn take(&mut self, plan: &FaultPlan, faults: &[PlannedFault]) -> bool {
        let before = self.outages.len();
        let new = faults
            .iter()
            .filter_map(|planned| self.outage(plan, planned));
        let new: Vec<Outage> = new.collect();
        self.outages.extend(new);
        // Who is out changes when an outage begins, so those moments are enough.
        let begins: Vec<Duration> = self.outages.iter().map(|outage| outage.from).collect();
        let fine = begins.into_iter().all(|at| self.holds_at(at));
        if !fine {
            self.outages.truncate(before);
        }
        fine
    }

    fn holds_at(&self, at: Duration) -> bool {
        let mut out: BTreeSet<usize> = BTreeSet::new();
        let mut unknown = 0;
        for outage in &self.outages {
            // A node that comes back at the instant at which another goes was not back before it.
            if outage.from <= at && outage.until.is_none_or(|until| until >= at) {
                out.extend(&outage.out);
                unknown += outage.unknown;
            }
        }
        let is_out = |name: &str| {
            let number = self.hosts.iter().position(|host| host.name == name);
            number.is_none_or(|number| out.contains(&number))
        };
        self.groups.iter().all(|group| {
            let in_order = group.members.iter().filter(|name| !is_out(name));
            let left: Vec<&str> = in_order.map(String::as_str).collect();
            // Whoever the unknown are, what is left must suffice.
            subsets(left.len(), unknown.min(left.len())).all(|gone| {
                let rest = left.iter().enumerate();
                let rest = rest.filter(|(number, _)| !gone.contains(number));
                let rest: Vec<&str> = rest.map(|(_, name)| *name).collect();
                group.quorum.holds(&rest, group.members.len())
            })
        })
    }

    /// Who is out because of a fault; `None` if nobody is.
    fn outage(&self, plan: &FaultPlan, planned: &PlannedFault) -> Option<Outage> {
        let fault = &planned.fault;
        let lasting = matches!(fault, FaultKind::Wipe | FaultKind::Rollback)
            || matches!(fault, FaultKind::Disk { .. } | FaultKind::DropCache);
        let (out, unknown) = match fault {
            down if down.takes_nodes_down() || lasting => self.nodes_of(&planned.target),
            FaultKind::DiskFull { .. } => self.nodes_of(&planned.target),
            FaultKind::Cut | FaultKind::Flap { .. } | FaultKind::Clog => {
                self.cut_off(&planned.target)
            }
            _ => return None,
        };
        (!out.is_empty() || unknown > 0).then(|| Outage {
            from: planned.at,
            until: plan.end_of(planned).filter(|_| !lasting),
            out,
            unknown,
        })
    }

    /// The nodes that a target names, and how many it names by labels that no node has yet.
    fn nodes_of(&self, target: &Target) -> (BTreeSet<usize>, usize) {
        let found = target.nodes(self.hosts).found.into_iter().collect();
        (found, self.unknown_in(&target.patterns()))
    }

    fn unknown_in(&self, patterns: &[&str]) -> usize {
        let unknown = |pattern: &&&str| {
            let nobody = Target::node(**pattern).nodes(self.hosts).found.is_empty();
            pattern.contains('=') && nobody
        };
        patterns.iter().filter(unknown).count()
    }

    /// All but the side of a cut with which the groups do best.
    fn cut_off(&self, target: &Target) -> (BTreeSet<usize>, usize) {
        let members = |patterns: &[String]| -> BTreeSet<usize> {
            Target::Nodes(patterns.to_vec())
                .nodes(self.hosts)
                .found
                .into_iter()
                .collect()
        };
        let unknown = self.unknown_in(&target.patterns());
        let sides: Vec<BTreeSet<usize>> = match target {
            Target::Groups(groups) => {
                let named = groups
                    .iter()
                    .filter(|group| !group.iter().any(|name| name == "*"));
                let named: Vec<BTreeSet<usize>> = named.map(|group| members(group)).collect();
                if named.len() == groups.len() {
                    named
                } else {
                    let taken: BTreeSet<usize> = named.iter().flatten().copied().collect();
                    let rest = (0..self.hosts.len()).filter(|number| !taken.contains(number));
                    named.into_iter().chain([rest.collect()]).collect()
                }
            }
            Target::Links { from, to } => {
                let (from, to) = (members(from), members(to));
                let to = to.difference(&from).copied().collect();
                vec![from, to]
            }
            // Each of a ring still sees two others, and all see each other by way of them.
            Target::Ring(_) | Target::Nodes(_) | Target::Names(_) => return (BTreeSet::new(), 0),
        };
        let all: BTreeSet<usize> = sides.iter().flatten().copied().collect();
        let in_groups = |side: &BTreeSet<usize>| {
            let names = side.iter().map(|number| self.hosts[*number].name);
            let member = |name: &str| {
                self.groups
                    .iter()
                    .any(|group| group.members.iter().any(|member| member == name))
            };
            names.filter(|name| member(name)).count()
        };
        let best = sides.iter().max_by_key(|side| in_groups(side));
        let best = best.cloned().unwrap_or_default();
        (all.difference(&best).copied().collect(), unknown)
    }
}

impl fmt::Debug for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Majority => f.write_str("Majority"),
            Self::AllBut(lost) => write!(f, "AllBut({lost})"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn group(quorum: Quorum) -> Group {
        let members = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        Group { members, quorum }
    }

    /// Whether faults are taken one after the other, each at a second and for so many.
    #[track_caller]
    fn check(quorum: Quorum, faults: &[(u32, u32, FaultKind, Target)], taken: &[bool]) {
        let names = ["test", "a", "b", "c", "d", "e", "client"];
        let zone = vec![("zone".to_owned(), "x".to_owned())];
        let host = |name: &'static str| Host {
            name,
            labels: if name < "c" { zone.as_slice() } else { &[] },
        };
        let hosts = names.map(host);
        let groups = [group(quorum)];
        let mut budget = Budget::new(&hosts, &groups);
        let mut plan = FaultPlan::new();
        for ((at, lasts, fault, target), taken) in faults.iter().zip(taken) {
            let planned = plan.add(*at * S, fault.clone(), target.clone());
            planned.duration = Some(*lasts * S);
            let planned = planned.clone();
            assert_eq!(
                budget.take(&plan, &[planned]),
                *taken,
                "{fault} of {target}"
            );
        }
    }

    #[test]
    fn as_many_may_be_out_as_the_quorum_allows_and_then_others() {
        let crash = |at, lasts, node: &str| (at, lasts, FaultKind::Crash, Target::node(node));
        let faults = [
            crash(1, 9, "a"),
            crash(2, 9, "b"),
            crash(3, 9, "b"),
            crash(3, 1, "c"),
            crash(3, 9, "client"),
        ];
        check(Quorum::Majority, &faults, &[true, true, true, false, true]);
        check(Quorum::AllBut(1), &faults[..2], &[true, false]);
        let with_a = Quorum::Custom(Rc::new(|left| left.contains(&"a")));
        check(with_a, &faults[..4], &[false, true, true, true]);
        let later = [
            crash(1, 9, "a"),
            crash(2, 9, "b"),
            crash(10, 1, "c"),
            crash(12, 1, "c"),
        ];
        check(Quorum::Majority, &later, &[true, true, false, true]);
    }

    #[test]
    fn a_cut_puts_the_smaller_side_out() {
        let cut = |target| (1, 9, FaultKind::Cut, target);
        let list = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let two = cut(Target::Groups(vec![
            list(&["a", "b", "client"]),
            list(&["*"]),
        ]));
        let pause = |node: &str| (2, 1, FaultKind::Pause, Target::node(node));
        check(Quorum::Majority, &[two.clone(), pause("a")], &[true, true]);
        check(Quorum::Majority, &[two, pause("c")], &[true, false]);
        let bridge = cut(Target::Groups(vec![list(&["a", "b"]), list(&["d", "e"])]));
        check(
            Quorum::Majority,
            &[bridge.clone(), pause("a")],
            &[true, true],
        );
        check(Quorum::Majority, &[bridge, pause("c")], &[true, false]);
        let from_client = cut(Target::link("client", "*"));
        check(Quorum::AllBut(0), &[from_client], &[true]);
        let one_way = cut(Target::link("a", "*"));
        check(Quorum::AllBut(0), &[one_way], &[false]);
    }

    #[test]
    fn labels_are_counted_where_they_are_known_and_where_not() {
        let crash = |label: &str| (1, 1, FaultKind::Crash, Target::node(label));
        check(Quorum::Majority, &[crash("zone=x")], &[true]);
        check(Quorum::AllBut(1), &[crash("zone=x")], &[false]);
        check(Quorum::AllBut(1), &[crash("role=leader")], &[true]);
        check(Quorum::AllBut(0), &[crash("role=leader")], &[false]);
        check(
            Quorum::AllBut(1),
            &[crash("role=leader"), crash("a")],
            &[true, false],
        );
    }

    #[test]
    fn damage_is_for_ever_and_delays_put_nobody_out() {
        let wipe = |at, node: &str| (at, 1, FaultKind::Wipe, Target::node(node));
        let faults = [wipe(1, "a"), wipe(20, "a"), wipe(40, "b")];
        check(Quorum::AllBut(1), &faults, &[true, true, false]);
        let ppm = 10;
        let drift = (1, 1, FaultKind::ClockDrift { ppm }, Target::node("*"));
        check(Quorum::AllBut(0), &[drift], &[true]);
    }

    #[test]
    fn the_most_that_may_be_lost_is_found() {
        assert_eq!(group(Quorum::Majority).lost_max(), 2);
        assert_eq!(group(Quorum::AllBut(1)).lost_max(), 1);
        let a_or_two = Quorum::Custom(Rc::new(|left| left.contains(&"a") || left.len() >= 2));
        assert_eq!(group(a_or_two).lost_max(), 3);
    }
}
