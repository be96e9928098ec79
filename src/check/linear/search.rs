//! The search for an order of operations.
//!
//! Depth first over configurations, as Wing & Gong, "Testing and verifying concurrent objects"
//! (J. Par. Distr. Comp. 17, 1993), section 4, with Lowe's memory of configurations that lead
//! nowhere ("Testing for linearizability", Conc. Comp. Pract. Exp. 29, 2017, sections 4 and 5).
//!
//! A configuration is the *frontier* (the first return that was not passed), the state by its
//! number, and one bit for each operation open at the frontier: all that returned before it are
//! done by definition. So a configuration is a few words, and where nothing is open it is the state
//! alone: quiescent points cut the history in time by themselves, and what is carried across one is
//! the set of states that were reached there.
//!
//! # Reductions
//! Each leaves at least one order if there is any.
//!
//! 1. *Pure operations at once.* One that changes no state is done as soon as it can be.
//! 2. *Equal operations in order.* Of open operations that are equal, the one that returns first is
//!    done first; of those that never return, the one that was called first.
//! 3. *Dominance.* Of two configurations that differ only in operations that never return, the one
//!    that used fewer of them can do all that the other can. When a configuration is found to lead
//!    nowhere, what is remembered is not which of them it had used but which of those it missed:
//!    every other that lacks the same leads nowhere too. This is the learning of conflicts of
//!    constraint solvers (Dechter, "Enhancement schemes for constraint processing", Artif. Intell.
//!    41, 1990, section 3).
//! 4. *Overwritten operations.* When an operation overwrites the state, each open one whose outcome
//!    tells nothing could have been done right before it without a trace. It is marked *free*: its
//!    return is passed whether it is done or not. In return, no operation is done right before an
//!    overwriting one unless somebody saw it.
//!
//! # Complexity
//! The problem is NP-complete (Gibbons & Korach 1997, theorem 4.1). Time and memory are bounded by
//! the number of configurations: returns times states times 3 to the power of open operations,
//! times the sets of operations that never return which no other set dominates. In practice these
//! sets are few, since only what is missed is remembered.

use std::hash::Hasher as _;

use super::configuration::{
    Here, Layout, Order, UNSEEN, clear, frontier_of, has, head, is_blind, set, state_of, words,
};
use super::frontier::Frontiers;
use super::model::{Effect, Model};
use super::part::Part;
use super::states::{NONE, States};
use crate::check::table::{Mix, Slots, number};

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An order of operations, numbered as in the part.
    Order(Vec<u32>),
    /// There is none. Those that return before this operation have an order; with its return none
    /// has. It is numbered as in the part.
    Stuck(u32),
    /// The budget was spent; this operation's return is the farthest that was reached.
    Spent(u32),
    /// The time was over, in the same way.
    Late(u32),
}

/// An order that could not be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadEnd {
    /// Operations, numbered as in the part.
    pub(crate) order: Vec<u32>,
}

/// What a search may cost.
pub(crate) struct Limits<'a> {
    /// So many configurations; what is left of them.
    pub(crate) configurations: u64,
    /// Asked now and then; whether the time is over.
    pub(crate) late: &'a mut dyn FnMut() -> bool,
}

/// How often the clock is asked: every so many configurations, about a millisecond.
const LATE_EVERY: u64 = 4096;

/// Searches for an order.
pub(crate) fn search<M: Model>(model: &M, part: &Part<M::Op>, limits: &mut Limits<'_>) -> Found {
    Search::new(model, part).run(limits)
}

/// The ends of the longest orders of a part that has none, so many at most; those that return
/// something others do not come first.
pub(crate) fn dead_ends<M: Model>(
    model: &M,
    part: &Part<M::Op>,
    limits: &mut Limits<'_>,
    count: usize,
) -> Vec<DeadEnd> {
    let mut search = Search::new(model, part);
    match search.run(limits) {
        Found::Stuck(_) => search.dead_ends(count),
        Found::Order(_) | Found::Spent(_) | Found::Late(_) => Vec::new(),
    }
}

/// What leads from one configuration to the next.
#[derive(Clone, Copy)]
enum Move {
    /// The operation is done.
    Do(u32),
    /// The operation's return is passed, since it is free.
    Pass(u32),
}

/// A configuration that was reached; its words are kept apart.
#[derive(Clone, Copy)]
struct Node {
    /// From where; [`NONE`] at the root.
    parent: u32,
    by: Move,
    /// The next that differs only in operations that never return, or [`NONE`].
    next: u32,
    /// The next candidate to try.
    candidate: u32,
    hash: u64,
}

struct Search<'a, M: Model> {
    part: &'a Part<M::Op>,
    states: States<'a, M>,
    frontiers: Frontiers,
    layout: Layout,
    nodes: Vec<Node>,
    bits: Vec<u64>,
    /// For each node, which operations that never return it missed, as far as it is known.
    missed: Vec<u64>,
    slots: Slots,
    /// The configuration that is being made.
    now: Vec<u64>,
    deepest: u32,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, part: &'a Part<M::Op>) -> Self {
        let (states, class) = States::new(model, &part.ops);
        let frontiers = Frontiers::new(part, class, &states);
        assert!(frontiers.len() < 1 << 31, "fewer than 2^31 operations");
        let open = frontiers.open_bits.div_ceil(64);
        let layout = Layout {
            done: 1,
            free: 1 + open,
            crashed: 1 + 2 * open,
            words: 1 + 2 * open + frontiers.crashed.len().div_ceil(64),
        };
        Self {
            part,
            states,
            frontiers,
            layout,
            nodes: Vec::new(),
            bits: Vec::new(),
            missed: Vec::new(),
            slots: Slots::default(),
            now: vec![0; layout.words],
            deepest: 0,
        }
    }

    fn run(&mut self, limits: &mut Limits<'_>) -> Found {
        self.begin(&mut Order::default());
        if self.passed() {
            return Found::Order(self.order(None));
        }
        let root = self.enter(NONE, Move::Pass(NONE));
        let mut at = root.expect("nothing was visited");
        loop {
            let Some(by) = self.next_move(at) else {
                at = self.leave(at);
                if at == NONE {
                    return Found::Stuck(self.stuck());
                }
                continue;
            };
            self.now.copy_from_slice(words(&self.bits, self.layout, at));
            self.apply(by, &mut Order::default());
            if self.passed() {
                return Found::Order(self.order(Some((at, by))));
            }
            let Some(node) = self.enter(at, by) else {
                continue;
            };
            at = node;
            if limits.configurations == 0 {
                return Found::Spent(self.stuck());
            }
            limits.configurations -= 1;
            if limits.configurations.is_multiple_of(LATE_EVERY) && (limits.late)() {
                return Found::Late(self.stuck());
            }
        }
    }

    /// The operation whose return was passed by no configuration.
    fn stuck(&self) -> u32 {
        self.frontiers.order[self.deepest as usize]
    }

    /// Makes the first configuration.
    fn begin(&mut self, order: &mut Order) {
        self.now.fill(0);
        self.now[0] = head(0, 0, false);
        self.settle(order);
    }

    /// Whether the configuration being made has passed all returns.
    fn passed(&self) -> bool {
        frontier_of(self.now[0]) == self.frontiers.len()
    }

    /// Leaves a configuration that leads nowhere, for the one before it: remembers what it missed
    /// in place of what it had used.
    fn leave(&mut self, node: u32) -> u32 {
        let layout = self.layout;
        let len = layout.words - layout.crashed;
        let start = node as usize * layout.words + layout.crashed;
        let missed = &self.missed[node as usize * len..][..len];
        self.bits[start..start + len].copy_from_slice(missed);
        self.forget_dominated(node);
        let Node { parent, by, .. } = self.nodes[node as usize];
        if parent != NONE {
            self.blame(parent, by, node);
        }
        parent
    }

    /// Takes those out of memory that missed all that this one missed.
    fn forget_dominated(&mut self, node: u32) {
        let (layout, bits) = (self.layout, &self.bits);
        let key = |node| &words(bits, layout, node)[..layout.crashed];
        let missed = |node| &words(bits, layout, node)[layout.crashed..];
        let hash = self.nodes[node as usize].hash;
        let first = self.slots.find(hash, |other| key(other) == key(node));
        // The first stays, since the table knows it.
        let mut last = first.unwrap_or(node);
        let mut at = self.nodes[last as usize].next;
        while at != NONE {
            let next = self.nodes[at as usize].next;
            let mut pairs = missed(node).iter().zip(missed(at));
            if at != node && pairs.all(|(fewer, more)| fewer & !more == 0) {
                self.nodes[last as usize].next = next;
            } else {
                last = at;
            }
            at = next;
        }
    }

    /// Adds what `culprit`, to which a move leads or which can do all that is led to, missed to
    /// what a node missed: all but one of the move's own kind, which the move itself used.
    fn blame(&mut self, node: u32, by: Move, culprit: u32) {
        let layout = self.layout;
        let len = layout.words - layout.crashed;
        let missed = &mut self.missed[node as usize * len..][..len];
        let own = match by {
            Move::Do(op) if self.frontiers.rank[op as usize] == self.frontiers.len() => {
                let class = self.frontiers.class[op as usize];
                let ops = self
                    .frontiers
                    .crashed_of(self.frontiers.crashed_class(class));
                let used = &words(&self.bits, layout, culprit)[layout.crashed..];
                let bits = ops.iter().map(|op| self.frontiers.bit[*op as usize]);
                bits.take_while(|bit| has(used, *bit)).last()
            }
            Move::Do(_) | Move::Pass(_) => None,
        };
        let culprit = &words(&self.bits, layout, culprit)[layout.crashed..];
        for (n, (missed, word)) in missed.iter_mut().zip(culprit).enumerate() {
            let own = own.filter(|bit| *bit as usize / 64 == n);
            *missed |= word & !own.map_or(0, |bit| 1 << (bit % 64));
        }
    }

    /// Keeps the configuration being made; `None` if one that can do as much was there.
    fn enter(&mut self, parent: u32, by: Move) -> Option<u32> {
        let (layout, now, bits) = (self.layout, &self.now, &self.bits);
        let mut mix = Mix::default();
        now[..layout.crashed].iter().for_each(|word| mix.add(*word));
        let hash = mix.finish();
        let is = |node| words(bits, layout, node)[..layout.crashed] == now[..layout.crashed];
        let first = self.slots.find(hash, is);
        let mut at = first.unwrap_or(NONE);
        while at != NONE {
            let used = &words(bits, layout, at)[layout.crashed..];
            let mut pairs = used.iter().zip(&now[layout.crashed..]);
            if pairs.all(|(fewer, more)| fewer & !more == 0) {
                self.blame(parent, by, at);
                return None;
            }
            at = self.nodes[at as usize].next;
        }
        let node = number(self.nodes.len());
        let mut next = NONE;
        match first {
            // The first stays in the table, and the new one comes second.
            Some(first) => next = std::mem::replace(&mut self.nodes[first as usize].next, node),
            None => {
                let nodes = &self.nodes;
                self.slots.put(hash, node, |n| nodes[n as usize].hash);
            }
        }
        self.nodes.push(Node {
            parent,
            by,
            next,
            candidate: 0,
            hash,
        });
        self.bits.extend_from_slice(&self.now);
        let len = self.missed.len() + layout.words - layout.crashed;
        self.missed.resize(len, 0);
        self.deepest = self.deepest.max(frontier_of(self.now[0]));
        Some(node)
    }

    /// The next move to try in a configuration: to pass, then operations by their return, then
    /// those that never return.
    fn next_move(&mut self, at: u32) -> Option<Move> {
        let node = &mut self.nodes[at as usize];
        let here = Here {
            frontiers: &self.frontiers,
            words: words(&self.bits, self.layout, at),
            layout: self.layout,
        };
        let frontier = here.frontier();
        let state = state_of(here.words[0]);
        let acting = self.frontiers.acting(frontier);
        let returning = self.frontiers.order[frontier as usize];
        let unseen = here.words[0] & UNSEEN != 0;
        let all = acting.len() + 1 + self.frontiers.crashed_classes.len();
        while (node.candidate as usize) < all {
            let candidate = node.candidate as usize;
            node.candidate += 1;
            let Some(n) = candidate.checked_sub(1) else {
                // What nobody saw can be done after the return as well.
                if !unseen && here.is_free(returning) {
                    return Some(Move::Pass(returning));
                }
                continue;
            };
            let crashed = n
                .checked_sub(acting.len())
                .map(|n| self.frontiers.crashed_of(n));
            let first = crashed.map_or_else(|| acting[n], |ops| ops[0]);
            let class = self.frontiers.class[first as usize];
            let effect = self.states.effect(class);
            let overwrites = effect == Effect::Overwrite;
            let next = self.states.step(state, class);
            if next == NONE || (unseen && overwrites) {
                continue;
            }
            let traceless = crashed.is_some() || is_blind(effect);
            if traceless && first != returning && !here.is_seen(&mut self.states, next) {
                continue;
            }
            let Some(ops) = crashed else {
                if let Some(op) = here.acting(&acting[..=n]) {
                    return Some(Move::Do(op));
                }
                continue;
            };
            // One that changes nothing is of no use, unless it hides others.
            if next == state && !overwrites {
                continue;
            }
            if let Some(op) = here.crashed(ops, &self.part.calls, &self.part.returns) {
                return Some(Move::Do(op));
            }
            let used = &here.words[self.layout.crashed..];
            let missed = &mut self.missed[at as usize * used.len()..];
            let bits = ops.iter().map(|op| self.frontiers.bit[*op as usize]);
            bits.take_while(|bit| has(used, *bit))
                .for_each(|bit| set(missed, bit));
        }
        None
    }

    /// Changes the configuration being made by a move, and adds what is done to an order.
    fn apply(&mut self, by: Move, order: &mut Order) {
        let layout = self.layout;
        let (frontier, state) = (frontier_of(self.now[0]), state_of(self.now[0]));
        let op = match by {
            Move::Do(op) => op,
            Move::Pass(op) => {
                order.hide(op);
                let bit = self.frontiers.bit[op as usize];
                set(&mut self.now[layout.done..], bit);
                self.now[0] = head(frontier, state, false);
                self.settle(order);
                return;
            }
        };
        let (bit, class) = (
            self.frontiers.bit[op as usize],
            self.frontiers.class[op as usize],
        );
        let next = self.states.step(state, class);
        assert!(next != NONE, "a move is a possible operation");
        let crashed = self.frontiers.rank[op as usize] == self.frontiers.len();
        let effect = self.states.effect(class);
        if crashed {
            set(&mut self.now[layout.crashed..], bit);
        } else {
            set(&mut self.now[layout.done..], bit);
            clear(&mut self.now[layout.free..], bit);
        }
        if effect == Effect::Overwrite {
            order.overwrite();
            self.mark_free(frontier);
        }
        order.now(op);
        self.now[0] = head(frontier, next, false);
        let seen = self.settle(order);
        let still_open = frontier_of(self.now[0]) == frontier;
        if (crashed || is_blind(effect)) && still_open && !seen {
            self.now[0] |= UNSEEN;
        }
    }

    /// Marks what could have been done right before the overwriting operation.
    fn mark_free(&mut self, frontier: u32) {
        let (done, free) = self.now[self.layout.done..].split_at_mut(self.layout.free - 1);
        for other in self.frontiers.acting(frontier) {
            let bit = self.frontiers.bit[*other as usize];
            let effect = self.states.effect(self.frontiers.class[*other as usize]);
            if is_blind(effect) && !has(done, bit) {
                set(free, bit);
            }
        }
    }

    /// Does all pure operations that can be done, and passes the returns of what is done. Whether a
    /// pure operation was done.
    fn settle(&mut self, order: &mut Order) -> bool {
        let layout = self.layout;
        let (mut frontier, state) = (frontier_of(self.now[0]), state_of(self.now[0]));
        let mut seen = false;
        while frontier < self.frontiers.len() {
            for op in self.frontiers.pure(frontier) {
                let bit = self.frontiers.bit[*op as usize];
                let class = self.frontiers.class[*op as usize];
                if !has(&self.now[layout.done..], bit) && self.states.step(state, class) == state {
                    set(&mut self.now[layout.done..], bit);
                    order.now(*op);
                    seen = true;
                }
            }
            let bit = self.frontiers.bit[self.frontiers.order[frontier as usize] as usize];
            if !has(&self.now[layout.done..], bit) {
                break;
            }
            clear(&mut self.now[layout.done..], bit);
            clear(&mut self.now[layout.free..], bit);
            frontier += 1;
        }
        self.now[0] = head(frontier, state, false);
        seen
    }

    /// The operations done on the way to a node and by one more move.
    fn order(&mut self, last: Option<(u32, Move)>) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = NONE;
        if let Some((node, by)) = last {
            path.push(by);
            at = node;
        }
        while at != NONE {
            let node = self.nodes[at as usize];
            if node.parent != NONE {
                path.push(node.by);
            }
            at = node.parent;
        }
        let mut order = Order {
            kept: true,
            ..Order::default()
        };
        self.begin(&mut order);
        for by in path.into_iter().rev() {
            self.apply(by, &mut order);
        }
        order.into_ops()
    }

    fn dead_ends(&mut self, count: usize) -> Vec<DeadEnd> {
        let at_deepest = |node: &u32| {
            let words = words(&self.bits, self.layout, *node);
            frontier_of(words[0]) == self.deepest
        };
        let mut ends: Vec<u32> = (0..number(self.nodes.len())).filter(at_deepest).collect();
        // One for each state first.
        let state = |node: &u32| state_of(words(&self.bits, self.layout, *node)[0]);
        let mut states = Vec::new();
        let is_new: Vec<bool> = ends
            .iter()
            .map(|node| {
                let new = !states.contains(&state(node));
                if new && states.len() < count {
                    states.push(state(node));
                }
                new
            })
            .collect();
        let mut by_news: Vec<(bool, u32)> = is_new.into_iter().map(|new| !new).zip(ends).collect();
        by_news.sort_unstable();
        ends = by_news
            .into_iter()
            .map(|(_, node)| node)
            .take(count)
            .collect();
        ends.into_iter()
            .map(|node| {
                let (parent, by) = (
                    self.nodes[node as usize].parent,
                    self.nodes[node as usize].by,
                );
                let last = (parent != NONE).then_some((parent, by));
                DeadEnd {
                    order: self.order(last),
                }
            })
            .collect()
    }
}
