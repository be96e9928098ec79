//! A part laid out by its returns: what is open at each, and which bit stands for what.

use super::model::{Effect, Model};
use super::part::{NEVER, Part};
use super::states::States;
use crate::check::table::number;

/// The layout of a part. A *frontier* is a return that the search has not passed.
pub(super) struct Frontiers {
    /// Operations that returned, in the order of their returns: one frontier each.
    pub(super) order: Vec<u32>,
    /// The frontier of each operation; the number of frontiers if it never returned.
    pub(super) rank: Vec<u32>,
    /// The class of each operation.
    pub(super) class: Vec<u32>,
    /// The bit of each operation: among those of open ones, used again after its return, or among
    /// those of operations that never returned.
    pub(super) bit: Vec<u32>,
    /// How many bits the operations that return need.
    pub(super) open_bits: usize,
    /// Operations that never returned; those of a class together, in the order of their calls.
    pub(super) crashed: Vec<u32>,
    /// Where each class begins in `crashed`.
    pub(super) crashed_classes: Vec<u32>,
    /// One of each class of them that does not just overwrite the state.
    pub(super) crashed_seeing: Vec<u32>,
    /// The operations open at each frontier that are not pure, by their return.
    acting: Lists,
    /// The pure ones.
    pure: Lists,
}

#[derive(Default)]
struct Lists {
    starts: Vec<u32>,
    ops: Vec<u32>,
}

impl Lists {
    fn get(&self, list: u32) -> &[u32] {
        let (start, end) = (self.starts[list as usize], self.starts[list as usize + 1]);
        &self.ops[start as usize..end as usize]
    }
}

impl Frontiers {
    pub(super) fn new<M: Model>(
        part: &Part<M::Op>,
        class: Vec<u32>,
        states: &States<'_, M>,
    ) -> Self {
        let all = 0..number(part.len());
        let returned = |op: &u32| part.returns[*op as usize] != NEVER;
        let mut order: Vec<u32> = all.clone().filter(returned).collect();
        order.sort_unstable_by_key(|op| part.returns[*op as usize]);
        let mut rank = vec![number(order.len()); part.len()];
        for (frontier, op) in (0..).zip(&order) {
            rank[*op as usize] = frontier;
        }
        let mut crashed: Vec<u32> = all.filter(|op| !returned(op)).collect();
        crashed.sort_by_key(|op| class[*op as usize]);
        let mut crashed_classes = Vec::new();
        for (at, op) in crashed.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| crashed[before]);
            if before.is_none_or(|before| class[before as usize] != class[*op as usize]) {
                crashed_classes.push(number(at));
            }
        }
        let firsts = crashed_classes.iter().map(|start| crashed[*start as usize]);
        let crashed_seeing = firsts
            .filter(|op| states.effect(class[*op as usize]) != Effect::Overwrite)
            .collect();
        let mut bit = vec![0; part.len()];
        for (n, op) in (0..).zip(&crashed) {
            bit[*op as usize] = n;
        }
        let mut this = Self {
            order,
            rank,
            class,
            bit,
            open_bits: 0,
            crashed,
            crashed_classes,
            crashed_seeing,
            acting: Lists::default(),
            pure: Lists::default(),
        };
        this.sweep(part, states);
        this
    }

    /// Goes through the returns, keeps what is open, and gives bits.
    fn sweep<M: Model>(&mut self, part: &Part<M::Op>, states: &States<'_, M>) {
        let mut called = 0;
        let mut open: Vec<u32> = Vec::new();
        let mut free_bits: Vec<u32> = Vec::new();
        let mut pure = Vec::new();
        for frontier in 0..self.order.len() {
            let returning = self.order[frontier];
            let at = part.returns[returning as usize];
            while called < part.len() && part.calls[called] < at {
                if part.returns[called] != NEVER {
                    self.bit[called] = free_bits.pop().unwrap_or_else(|| {
                        self.open_bits += 1;
                        number(self.open_bits - 1)
                    });
                    let rank = self.rank[called];
                    let before = open.partition_point(|op| self.rank[*op as usize] < rank);
                    open.insert(before, number(called));
                }
                called += 1;
            }
            self.acting.starts.push(number(self.acting.ops.len()));
            self.pure.starts.push(number(self.pure.ops.len()));
            pure.clear();
            for op in &open {
                match states.effect(self.class[*op as usize]) {
                    Effect::Pure => pure.push(*op),
                    Effect::Blind | Effect::Overwrite | Effect::Other => self.acting.ops.push(*op),
                }
            }
            self.pure.ops.extend_from_slice(&pure);
            debug_assert_eq!(open[0], returning);
            open.remove(0);
            free_bits.push(self.bit[returning as usize]);
        }
        self.acting.starts.push(number(self.acting.ops.len()));
        self.pure.starts.push(number(self.pure.ops.len()));
    }

    pub(super) fn len(&self) -> u32 {
        number(self.order.len())
    }

    /// The operations open at a frontier that may change the state, by their return.
    pub(super) fn acting(&self, frontier: u32) -> &[u32] {
        self.acting.get(frontier)
    }

    /// The operations open at a frontier that never change the state.
    pub(super) fn pure(&self, frontier: u32) -> &[u32] {
        self.pure.get(frontier)
    }

    /// The number of a class among those of which an operation never returned.
    pub(super) fn crashed_class(&self, class: u32) -> usize {
        self.crashed_classes
            .partition_point(|start| self.class[self.crashed[*start as usize] as usize] < class)
    }

    /// The operations of a class that never returned, by number of the class among such classes.
    pub(super) fn crashed_of(&self, n: usize) -> &[u32] {
        let start = self.crashed_classes[n] as usize;
        let next = self.crashed_classes.get(n + 1);
        &self.crashed[start..next.map_or(self.crashed.len(), |end| *end as usize)]
    }
}
