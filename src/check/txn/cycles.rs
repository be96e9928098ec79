//! From edges to anomalies: which kinds of cycles there are.
//!
//! Adya, "Weak consistency" (MIT thesis, 1999), sections 3.1 and 4.2: G0 is a cycle of `ww` edges,
//! G1c one of `ww` and `wr`, G-single one with one `rw`, G2-item one with any. Cerone & Gotsman,
//! "Analysing snapshot isolation" (J. ACM 65, 2018), theorem 9: a cycle in which no two `rw` follow
//! one another violates snapshot isolation. Each again with edges of processes and of real time.
//!
//! One pass over all edges finds that there is no cycle, in linear time. Where there are some, each
//! component is searched for the weakest of each form; `G-single` and `G-nonadjacent` may need a
//! search for each `rw` edge of a component, which is bounded: past the bound a component is told
//! by the first cycle that is found in it, classified as what it is.

use super::graph::{Cycles, Edge, Graph, MoreRw, NONE, Wanted, kind};
use super::models::{Class, Strength};

/// A cycle, of which form, and by which edges.
pub(super) struct Cycle {
    pub(super) class: Class,
    pub(super) strength: Strength,
    pub(super) edges: Vec<Edge>,
}

/// Edges looked at in all searches of one history: some seconds.
const BUDGET: u64 = 200_000_000;
/// So many edges of a component are tried for the shortest cycle.
const TRIES_MAX: usize = 64;
/// So many components are told of.
const COMPONENTS_MAX: u32 = 64;

/// The cycles of a graph, of each component the weakest of each form. `nodes` are transactions up
/// to `transactions`, and ends of transactions from there on.
pub(super) fn find(nodes: u32, transactions: u32, edges: &[Edge]) -> Vec<Cycle> {
    let graph = Graph::new(nodes, edges);
    let (all, count) = graph.components(kind::ALL, None);
    if count == 0 {
        return Vec::new();
    }
    let mut search = Search {
        cycles: Cycles::new(&graph, BUDGET),
        graph: &graph,
        transactions,
        found: Vec::new(),
    };
    for strength in Strength::ALL {
        let order = match strength {
            Strength::Plain => 0,
            Strength::Session => kind::PROCESS,
            Strength::RealTime => kind::REALTIME,
        };
        search.forms(&all, order, strength);
    }
    search.found
}

struct Search<'a> {
    graph: &'a Graph,
    cycles: Cycles<'a>,
    transactions: u32,
    found: Vec<Cycle>,
}

impl Search<'_> {
    /// Finds cycles of all forms with one more kind of edges.
    fn forms(&mut self, all: &[u32], order: u8, strength: Strength) {
        let forms = [
            (Class::G0, kind::WW, kind::WW),
            (Class::G1c, kind::WW | kind::WR, kind::WR),
            (Class::GSingle, kind::WW | kind::WR | kind::RW, kind::RW),
        ];
        for (class, kinds, first) in forms {
            let kinds = kinds | order;
            let (component, count) = self.graph.components(kinds, Some(all));
            if count == 0 {
                continue;
            }
            // The edges of each component with which a cycle may begin.
            let mut firsts: Vec<Vec<Edge>> = vec![Vec::new(); count.min(COMPONENTS_MAX) as usize];
            for node in 0..self.graph.nodes() {
                let home = component[node as usize];
                if home < COMPONENTS_MAX {
                    let edges = self.graph.edges(node, first);
                    let within = edges.filter(|edge| component[edge.to as usize] == home);
                    firsts[home as usize].extend(within);
                }
            }
            for firsts in firsts.iter().filter(|firsts| !firsts.is_empty()) {
                let home = all[firsts[0].from as usize];
                if class == Class::GSingle {
                    self.with_rw(firsts, kinds, &component, (home, all), strength);
                } else if !self.is_known(home, all, &[class]) {
                    let any = (kinds, MoreRw::Any);
                    let cycle = self.shortest(firsts, any, &component, TRIES_MAX);
                    self.add(class, strength, cycle);
                }
            }
        }
    }

    /// Finds the weakest form of cycles with anti-dependencies of a component.
    fn with_rw(
        &mut self,
        firsts: &[Edge],
        kinds: u8,
        component: &[u32],
        (home, all): (u32, &[u32]),
        strength: Strength,
    ) {
        let forms = [
            (Class::GSingle, MoreRw::None, usize::MAX),
            (Class::GNonadjacent, MoreRw::Apart, usize::MAX),
            (Class::G2Item, MoreRw::Any, TRIES_MAX),
        ];
        for (n, (class, more, tries)) in forms.into_iter().enumerate() {
            let as_weak: Vec<Class> = forms[..=n].iter().map(|form| form.0).collect();
            if self.is_known(home, all, &as_weak) {
                return;
            }
            let cycle = self.shortest(firsts, (kinds, more), component, tries);
            if let Some(cycle) = cycle {
                // Past the bound of the searches, it may be a weaker form than is looked for.
                let class = classify(&cycle).min(class);
                self.add(class, strength, Some(cycle));
                return;
            }
        }
    }

    /// Whether a component has such a cycle already, with fewer kinds of edges.
    fn is_known(&self, home: u32, all: &[u32], classes: &[Class]) -> bool {
        self.found.iter().any(|cycle| {
            classes.contains(&cycle.class) && all[cycle.edges[0].from as usize] == home
        })
    }

    /// The shortest cycle that begins with one of some edges. All are tried until one is found, and
    /// some more for a shorter one.
    fn shortest(
        &mut self,
        firsts: &[Edge],
        (kinds, more_rw): (u8, MoreRw),
        component: &[u32],
        tries: usize,
    ) -> Option<Vec<Edge>> {
        let mut best: Option<Vec<Edge>> = None;
        let wanted = Wanted { kinds, more_rw };
        let reserve = self.cycles.budget / 8;
        for (n, first) in firsts.iter().enumerate() {
            if (n >= tries || n >= TRIES_MAX) && best.is_some() {
                break;
            }
            if more_rw != MoreRw::Any && self.cycles.budget <= reserve {
                break;
            }
            if let Some(cycle) = self.cycles.through(*first, wanted, component)
                && best.as_ref().is_none_or(|best| cycle.len() < best.len())
            {
                best = Some(cycle);
            }
        }
        best
    }

    /// Keeps a cycle, with ends of transactions left out.
    fn add(&mut self, class: Class, strength: Strength, cycle: Option<Vec<Edge>>) {
        let Some(cycle) = cycle else { return };
        let mut edges: Vec<Edge> = Vec::with_capacity(cycle.len());
        // It begins with an edge between transactions.
        for edge in cycle {
            if edge.from < self.transactions {
                edges.push(edge);
            } else if let Some(last) = edges.last_mut() {
                last.to = edge.to;
            }
        }
        debug_assert!(edges.iter().all(|edge| edge.to != NONE));
        self.found.push(Cycle {
            class,
            strength,
            edges,
        });
    }
}

/// The form of a cycle.
fn classify(cycle: &[Edge]) -> Class {
    let is_rw = |edge: &Edge| edge.kind == kind::RW;
    let count = cycle.iter().filter(|edge| is_rw(edge)).count();
    let mut pairs = cycle.iter().zip(cycle.iter().cycle().skip(1));
    match count {
        0 if cycle.iter().any(|edge| edge.kind == kind::WR) => Class::G1c,
        0 => Class::G0,
        1 => Class::GSingle,
        _ if pairs.any(|(one, next)| is_rw(one) && is_rw(next)) => Class::G2Item,
        _ => Class::GNonadjacent,
    }
}
