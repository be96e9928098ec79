//! A directed graph in flat arrays: strongly connected components and shortest cycles.
//!
//! Components: Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput. 1, 1972),
//! without recursion, so that a million nodes in a row are no trouble.

use crate::check::table::number;

/// Kinds of edges, as bits.
pub(super) mod kind {
    /// The second wrote what follows what the first wrote.
    pub(in crate::check::txn) const WW: u8 = 1;
    /// The second read what the first wrote.
    pub(in crate::check::txn) const WR: u8 = 2;
    /// The second overwrote what the first read.
    pub(in crate::check::txn) const RW: u8 = 4;
    /// The same process did both, one after the other.
    pub(in crate::check::txn) const PROCESS: u8 = 8;
    /// The first ended before the second began.
    pub(in crate::check::txn) const REALTIME: u8 = 16;
    /// All of them.
    pub(in crate::check::txn) const ALL: u8 = 31;
}

/// An edge, with its kind and the key that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: u8,
    pub(super) key: u32,
}

/// The edges of each node together.
#[derive(Debug)]
pub(super) struct Graph {
    starts: Vec<u32>,
    to: Vec<u32>,
    /// The key in the upper 27 bits, the kind in the lower 5.
    label: Vec<u32>,
}

/// With more keys than this, edges do not tell theirs.
const KEYS_MAX: u32 = (1 << 27) - 1;

/// No component, no node.
pub(super) const NONE: u32 = u32::MAX;

impl Graph {
    pub(super) fn new(nodes: u32, edges: &[Edge]) -> Self {
        let mut starts = vec![0_u32; nodes as usize + 1];
        for edge in edges {
            starts[edge.from as usize + 1] += 1;
        }
        for node in 0..nodes as usize {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let (mut to, mut label) = (vec![0; edges.len()], vec![0; edges.len()]);
        for edge in edges {
            let at = &mut next[edge.from as usize];
            to[*at as usize] = edge.to;
            label[*at as usize] = edge.key.min(KEYS_MAX) << 5 | u32::from(edge.kind);
            *at += 1;
        }
        Self { starts, to, label }
    }

    pub(super) fn nodes(&self) -> u32 {
        number(self.starts.len() - 1)
    }

    /// The edges of some kinds that leave a node.
    pub(super) fn edges(&self, from: u32, kinds: u8) -> impl Iterator<Item = Edge> + '_ {
        let all = self.starts[from as usize]..self.starts[from as usize + 1];
        all.filter_map(move |at| {
            let label = self.label[at as usize];
            let kind = label.to_le_bytes()[0] & kind::ALL;
            (kind & kinds != 0).then(|| Edge {
                from,
                to: self.to[at as usize],
                kind,
                key: label >> 5,
            })
        })
    }

    /// The number of each node's component, [`NONE`] if it is alone in it, with edges of some kinds
    /// between nodes that `within` calls equal; and how many components there are.
    pub(super) fn components(&self, kinds: u8, within: Option<&[u32]>) -> (Vec<u32>, u32) {
        let nodes = self.nodes() as usize;
        let mut tarjan = Tarjan {
            component: vec![NONE; nodes],
            components: 0,
            low: vec![0; nodes],
            stack: Vec::new(),
            time: 0,
        };
        let mut path: Vec<(u32, u32)> = Vec::new();
        for root in 0..self.nodes() {
            let skipped = within.is_some_and(|within| within[root as usize] == NONE);
            if tarjan.low[root as usize] != 0 || skipped {
                continue;
            }
            tarjan.enter(root);
            path.push((root, self.starts[root as usize]));
            while let Some((node, at)) = path.last_mut() {
                let node = *node;
                if *at == self.starts[node as usize + 1] {
                    path.pop();
                    tarjan.leave(node, path.last().map(|(parent, _)| *parent));
                    continue;
                }
                let here = *at as usize;
                *at += 1;
                let to = self.to[here];
                let is_kind = self.label[here].to_le_bytes()[0] & kinds != 0;
                let is_within =
                    within.is_none_or(|within| within[to as usize] == within[node as usize]);
                if !is_kind || !is_within {
                    continue;
                }
                if tarjan.low[to as usize] == 0 {
                    tarjan.enter(to);
                    path.push((to, self.starts[to as usize]));
                } else {
                    tarjan.see(node, to);
                }
            }
        }
        (tarjan.component, tarjan.components)
    }
}

/// The state of Tarjan's algorithm. `low` is 0 for nodes that were not met, and [`NONE`] for those
/// whose component is known.
struct Tarjan {
    component: Vec<u32>,
    components: u32,
    low: Vec<u32>,
    /// Nodes whose component is open, with the time of their meeting.
    stack: Vec<(u32, u32)>,
    time: u32,
}

impl Tarjan {
    fn enter(&mut self, node: u32) {
        self.time += 1;
        self.low[node as usize] = self.time;
        self.stack.push((node, self.time));
    }

    fn see(&mut self, node: u32, to: u32) {
        // A closed one has the greatest number.
        let low = self.low[to as usize].min(self.low[node as usize]);
        self.low[node as usize] = low;
    }

    fn leave(&mut self, node: u32, parent: Option<u32>) {
        let low = self.low[node as usize];
        // The times on the stack ascend, so the root of a component is where its low is found.
        let at = self.stack.partition_point(|(_, time)| *time < low);
        if self.stack[at].0 == node {
            let members = self.stack.split_off(at);
            let component = if members.len() == 1 {
                NONE
            } else {
                self.components += 1;
                self.components - 1
            };
            for (member, _) in members {
                self.low[member as usize] = NONE;
                self.component[member as usize] = component;
            }
        }
        if let Some(parent) = parent {
            self.see(parent, node);
        }
    }
}

/// Which cycles are wanted: a small automaton that reads the kinds of edges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Edges that a cycle may have.
    pub(super) kinds: u8,
    /// How many further edges of kind `rw` it may have.
    pub(super) more_rw: MoreRw,
}

/// What a cycle that began with an `rw` edge may have of them further on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoreRw {
    /// None.
    None,
    /// Any, if no two follow one another, counting the last and the first.
    Apart,
    /// Any.
    Any,
}

/// Finds shortest cycles, with memory that is used again.
pub(super) struct Cycles<'a> {
    graph: &'a Graph,
    /// For each node and state of the automaton, the visit in which it was last met and by which
    /// edge from which state.
    met: Vec<u32>,
    by: Vec<(u32, u32)>,
    visit: u32,
    /// So many edges may still be looked at.
    pub(super) budget: u64,
}

impl<'a> Cycles<'a> {
    pub(super) fn new(graph: &'a Graph, budget: u64) -> Self {
        let places = graph.nodes() as usize * 2;
        Self {
            graph,
            met: vec![0; places],
            by: vec![(NONE, NONE); places],
            visit: 0,
            budget,
        }
    }

    /// The shortest cycle that begins with this edge and stays within its component.
    pub(super) fn through(
        &mut self,
        first: Edge,
        wanted: Wanted,
        component: &[u32],
    ) -> Option<Vec<Edge>> {
        let home = component[first.from as usize];
        self.visit += 1;
        // The state: whether the last edge was of kind `rw`, as far as it matters.
        let apart = wanted.more_rw == MoreRw::Apart;
        let start = place(first.to, apart && first.kind == kind::RW);
        self.met[start as usize] = self.visit;
        self.by[start as usize] = (NONE, NONE);
        let mut queue = vec![start];
        let mut at = 0;
        let kinds = match wanted.more_rw {
            MoreRw::None => wanted.kinds & !kind::RW,
            MoreRw::Apart | MoreRw::Any => wanted.kinds,
        };
        while at < queue.len() {
            let here = queue[at];
            at += 1;
            let (node, after_rw) = (here / 2, here % 2 == 1);
            for edge in self.graph.edges(node, kinds) {
                self.budget = self.budget.saturating_sub(1);
                let is_rw = apart && edge.kind == kind::RW;
                if (is_rw && after_rw) || component[edge.to as usize] != home {
                    continue;
                }
                if edge.to == first.from && !is_rw {
                    return Some(self.path(first, edge, here));
                }
                let to = place(edge.to, is_rw);
                if self.met[to as usize] != self.visit {
                    self.met[to as usize] = self.visit;
                    self.by[to as usize] = (here, u32::from(edge.kind) << 27 | edge.key);
                    queue.push(to);
                }
            }
            if self.budget == 0 {
                return None;
            }
        }
        None
    }

    fn path(&self, first: Edge, last: Edge, from: u32) -> Vec<Edge> {
        let mut path = vec![last];
        let mut at = from;
        while self.by[at as usize].0 != NONE {
            let (before, label) = self.by[at as usize];
            path.push(Edge {
                from: before / 2,
                to: at / 2,
                kind: label.to_le_bytes()[3] >> 3,
                key: label & KEYS_MAX,
            });
            at = before;
        }
        path.push(first);
        path.reverse();
        path
    }
}

fn place(node: u32, after_rw: bool) -> u32 {
    node * 2 + u32::from(after_rw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: u32, to: u32, kind: u8) -> Edge {
        Edge {
            from,
            to,
            kind,
            key: 7,
        }
    }

    #[test]
    fn components_are_found_by_kind() {
        let edges = [
            edge(0, 1, kind::WW),
            edge(1, 2, kind::WR),
            edge(2, 0, kind::RW),
            edge(2, 3, kind::WW),
            edge(3, 4, kind::WW),
            edge(4, 3, kind::WW),
        ];
        let graph = Graph::new(6, &edges);
        let (component, count) = graph.components(kind::ALL, None);
        assert_eq!(count, 2);
        assert_eq!(component[0], component[2]);
        assert_ne!(component[0], component[3]);
        assert_eq!(component[5], NONE);
        let (component, count) = graph.components(kind::WW, None);
        assert_eq!((component[0], count), (NONE, 1));
        // A line of a million nodes needs no stack.
        let line: Vec<Edge> = (0..999_999).map(|n| edge(n, n + 1, kind::WW)).collect();
        assert_eq!(
            Graph::new(1_000_000, &line).components(kind::ALL, None).1,
            0
        );
    }

    #[test]
    fn shortest_cycles_keep_to_what_is_wanted() {
        let edges = [
            edge(0, 1, kind::RW),
            edge(1, 0, kind::RW),
            edge(1, 2, kind::WR),
            edge(2, 3, kind::RW),
            edge(3, 0, kind::WW),
        ];
        let graph = Graph::new(4, &edges);
        let (component, _) = graph.components(kind::ALL, None);
        let mut cycles = Cycles::new(&graph, 100);
        let mut len = |more_rw| {
            let wanted = Wanted {
                kinds: kind::ALL,
                more_rw,
            };
            let cycle = cycles.through(edges[0], wanted, &component);
            cycle.map(|cycle| {
                assert!(cycle.iter().all(|found| edges.contains(found)));
                cycle.len()
            })
        };
        assert_eq!(len(MoreRw::Any), Some(2));
        assert_eq!(len(MoreRw::Apart), Some(4));
        assert_eq!(len(MoreRw::None), None);
    }
}
