//! Whom a fault strikes: nodes, links and names, by how a person names them.
//!
//! Owns the patterns and what they match among the hosts of a world. It must never know what the
//! fault does.

use core::fmt;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Whom a fault strikes.
///
/// Nodes are named by *patterns*: a node's name (`db-1`), the beginning of names (`db-*`), the
/// value of a label (`zone=eu`), or `*`, which is all nodes, and in [`Groups`](Self::Groups) and
/// [`Links`](Self::Links) all that the other side does not name. They are looked up when the fault
/// begins, so that a label such as `role=leader` may be set while the system runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Target {
    /// Nodes.
    Nodes(Vec<String>),
    /// The links from each of the one set to each other node of the other.
    Links {
        /// Who sends.
        from: Vec<String>,
        /// Who receives.
        to: Vec<String>,
    },
    /// All links between nodes of different groups, in both directions. Nodes in no group keep
    /// theirs, so a bridge between two groups is a node that is in neither.
    Groups(Vec<Vec<String>>),
    /// All links among nodes but those to the neighbours, in the order given, the last being a
    /// neighbour of the first.
    Ring(Vec<String>),
    /// Names that are looked up, for every node.
    Names(Vec<String>),
}

/// A host, as far as a target tells hosts apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [(String, String)],
}

/// What a target matched, by the numbers of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matched<T> {
    pub(crate) found: Vec<T>,
    /// Names of nodes that there are not.
    pub(crate) missing: Vec<String>,
}

impl Target {
    /// One node.
    pub fn node(pattern: impl Into<String>) -> Self {
        Self::Nodes(vec![pattern.into()])
    }

    /// All links between a node and the others.
    pub fn isolate(pattern: impl Into<String>) -> Self {
        Self::Groups(vec![vec![pattern.into()], vec!["*".to_owned()]])
    }

    /// The link from one node to another.
    pub fn link(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self::Links {
            from: vec![from.into()],
            to: vec![to.into()],
        }
    }

    /// The patterns, or the names that are looked up.
    #[must_use]
    pub fn patterns(&self) -> Vec<&str> {
        let lists: Vec<&Vec<String>> = match self {
            Self::Nodes(list) | Self::Ring(list) | Self::Names(list) => vec![list],
            Self::Links { from, to } => vec![from, to],
            Self::Groups(groups) => groups.iter().collect(),
        };
        lists.into_iter().flatten().map(String::as_str).collect()
    }

    /// The target without a pattern; `None` if nothing is left that a fault could strike.
    #[must_use]
    pub fn without(&self, pattern: &str) -> Option<Self> {
        let rest = |list: &Vec<String>| -> Vec<String> {
            let others = list.iter().filter(|other| *other != pattern);
            others.cloned().collect()
        };
        let left = match self {
            Self::Nodes(list) => Self::Nodes(rest(list)),
            Self::Ring(list) => Self::Ring(rest(list)),
            Self::Names(list) => Self::Names(rest(list)),
            Self::Links { from, to } => Self::Links {
                from: rest(from),
                to: rest(to),
            },
            Self::Groups(groups) => {
                let groups = groups.iter().map(rest);
                Self::Groups(groups.filter(|group| !group.is_empty()).collect())
            }
        };
        left.check().is_ok().then_some(left)
    }

    /// Whether there is anything to strike.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Nodes(list) if list.is_empty() => Err("it names no node"),
            Self::Names(list) if list.is_empty() => Err("it names no name"),
            Self::Ring(list) if list.len() < 4 => {
                Err("fewer than four nodes are a ring as they are: name four or more")
            }
            Self::Links { from, to } if from.is_empty() || to.is_empty() => {
                Err("links lead from somewhere to somewhere: name both ends")
            }
            Self::Groups(groups) if groups.len() < 2 => {
                Err("a partition has at least two groups: name them, or `*` for all others")
            }
            Self::Groups(groups) if groups.iter().any(Vec::is_empty) => Err("a group is empty"),
            Self::Nodes(_)
            | Self::Names(_)
            | Self::Ring(_)
            | Self::Links { .. }
            | Self::Groups(_) => Ok(()),
        }
    }

    /// The nodes of [`Nodes`](Self::Nodes), each once, in the order in which they are named.
    pub(crate) fn nodes(&self, hosts: &[Host<'_>]) -> Matched<usize> {
        let mut matched = Matched::default();
        if let Self::Nodes(list) = self {
            matched.found = select(list, hosts, &BTreeSet::new(), &mut matched.missing);
        }
        matched
    }

    /// The directed links, each once.
    pub(crate) fn links(&self, hosts: &[Host<'_>]) -> Matched<(usize, usize)> {
        let mut missing = Vec::new();
        let mut found = BTreeSet::new();
        match self {
            Self::Nodes(_) | Self::Names(_) => {}
            Self::Links { from, to } => {
                let sides = sides(&[from, to], hosts, &mut missing);
                pairs(&sides[0], &sides[1], &mut found);
            }
            Self::Groups(groups) => {
                let lists: Vec<&Vec<String>> = groups.iter().collect();
                let sides = sides(&lists, hosts, &mut missing);
                for (number, a) in sides.iter().enumerate() {
                    for b in &sides[number + 1..] {
                        pairs(a, b, &mut found);
                        pairs(b, a, &mut found);
                    }
                }
            }
            Self::Ring(list) => {
                let ring = select(list, hosts, &BTreeSet::new(), &mut missing);
                let apart = |a: usize, b: usize| {
                    let distance = a.abs_diff(b);
                    distance.min(ring.len() - distance) > 1
                };
                for a in 0..ring.len() {
                    let far = (0..ring.len()).filter(|b| apart(a, *b));
                    found.extend(far.map(|b| (ring[a], ring[b])));
                }
            }
        }
        Matched {
            found: found.into_iter().collect(),
            missing,
        }
    }
}

/// What lists of patterns match, where `*` is all that no other list names.
fn sides(lists: &[&Vec<String>], hosts: &[Host<'_>], missing: &mut Vec<String>) -> Vec<Vec<usize>> {
    let mut named: Vec<BTreeSet<usize>> = Vec::new();
    for list in lists {
        let plain: Vec<String> = list.iter().filter(|other| *other != ALL).cloned().collect();
        let found = select(&plain, hosts, &BTreeSet::new(), missing);
        named.push(found.into_iter().collect());
    }
    let mut unheard = Vec::new();
    let side = |(number, list): (usize, &&Vec<String>)| {
        let mut taken = BTreeSet::new();
        for (other, named) in named.iter().enumerate() {
            if other != number {
                taken.extend(named);
            }
        }
        select(list, hosts, &taken, &mut unheard)
    };
    lists.iter().enumerate().map(side).collect()
}

/// The hosts that patterns match, but for those `taken` in what `*` matches.
fn select(
    list: &[String],
    hosts: &[Host<'_>],
    taken: &BTreeSet<usize>,
    missing: &mut Vec<String>,
) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for pattern in list {
        let mut known = false;
        for (number, host) in hosts.iter().enumerate() {
            let matches = host.matches(pattern) && !(pattern == ALL && taken.contains(&number));
            known |= matches;
            if matches && !found.contains(&number) {
                found.push(number);
            }
        }
        let is_name = !pattern.contains(['=', '*']);
        if !known && is_name {
            missing.push(pattern.clone());
        }
    }
    found
}

fn pairs(from: &[usize], to: &[usize], found: &mut BTreeSet<(usize, usize)>) {
    for a in from {
        let others = to.iter().filter(|b| *b != a);
        found.extend(others.map(|b| (*a, *b)));
    }
}

impl Host<'_> {
    fn matches(&self, pattern: &str) -> bool {
        if let Some((key, value)) = pattern.split_once('=') {
            let has = |(k, v): &(String, String)| k == key && v == value;
            return self.labels.iter().any(has);
        }
        match pattern.strip_suffix('*') {
            Some(beginning) => self.name.starts_with(beginning),
            None => self.name == pattern,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes(list) | Self::Names(list) => f.write_str(&list.join(", ")),
            Self::Links { from, to } => write!(f, "{} -> {}", from.join(", "), to.join(", ")),
            Self::Groups(groups) => {
                let groups: Vec<String> = groups.iter().map(|group| group.join(", ")).collect();
                f.write_str(&groups.join(" | "))
            }
            Self::Ring(list) => write!(f, "ring {}", list.join(", ")),
        }
    }
}

/// The pattern for all nodes.
pub(super) const ALL: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(zone: &str) -> Vec<(String, String)> {
        vec![("zone".to_owned(), zone.to_owned())]
    }

    /// `test`, `a-0` and `a-2` in zone `x`, `a-1` and `b` in zone `y`.
    fn with_hosts<T>(act: impl FnOnce(&[Host<'_>]) -> T) -> T {
        let (none, x, y) = (Vec::new(), labels("x"), labels("y"));
        let host = |name, labels| Host { name, labels };
        act(&[
            host("test", &none),
            host("a-0", &x),
            host("a-1", &y),
            host("a-2", &x),
            host("b", &y),
        ])
    }

    fn list(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|text| (*text).to_owned()).collect()
    }

    #[track_caller]
    fn check_nodes(patterns: &[&str], found: &[usize], missing: &[&str]) {
        let matched = with_hosts(|hosts| Target::Nodes(list(patterns)).nodes(hosts));
        assert_eq!(matched.found, found);
        assert_eq!(matched.missing, missing);
    }

    #[test]
    fn patterns_are_names_beginnings_labels_and_all() {
        check_nodes(&["a-1"], &[2], &[]);
        check_nodes(&["b", "a-*"], &[4, 1, 2, 3], &[]);
        check_nodes(&["zone=y", "a-1"], &[2, 4], &[]);
        check_nodes(&["*"], &[0, 1, 2, 3, 4], &[]);
        check_nodes(&["a", "a-1"], &[2], &["a"]);
        check_nodes(&["role=leader"], &[], &[]);
    }

    #[track_caller]
    fn check_links(target: &Target, found: &[(usize, usize)]) {
        let matched = with_hosts(|hosts| target.links(hosts));
        assert_eq!(matched.found, found);
    }

    #[test]
    fn all_is_what_the_others_do_not_name() {
        let from_b = [(4, 0), (4, 1), (4, 2), (4, 3)];
        check_links(&Target::link("b", "*"), &from_b);
        let both = [
            (0, 4),
            (1, 4),
            (2, 4),
            (3, 4),
            (4, 0),
            (4, 1),
            (4, 2),
            (4, 3),
        ];
        check_links(&Target::isolate("b"), &both);
    }

    #[test]
    fn groups_leave_those_in_none_alone() {
        let target = Target::Groups(vec![list(&["zone=x"]), list(&["b"])]);
        check_links(&target, &[(1, 4), (3, 4), (4, 1), (4, 3)]);
    }

    #[test]
    fn a_ring_keeps_its_neighbours() {
        let target = Target::Ring(list(&["a-0", "a-1", "a-2", "b"]));
        check_links(&target, &[(1, 3), (2, 4), (3, 1), (4, 2)]);
    }

    #[test]
    fn a_missing_name_is_told() {
        let target = Target::link("c", "b");
        let matched = with_hosts(|hosts| target.links(hosts));
        assert_eq!(matched.missing, ["c"]);
        assert!(matched.found.is_empty());
    }

    #[test]
    fn a_pattern_can_be_taken_out_while_something_is_left() {
        let nodes = Target::Nodes(list(&["a", "b"]));
        assert_eq!(nodes.without("a"), Some(Target::node("b")));
        assert_eq!(Target::node("b").without("b"), None);
        assert_eq!(Target::isolate("b").without("b"), None);
        let three = Target::Groups(vec![list(&["a"]), list(&["b"]), list(&["c"])]);
        let two = Target::Groups(vec![list(&["a"]), list(&["c"])]);
        assert_eq!(three.without("b"), Some(two));
    }
}
