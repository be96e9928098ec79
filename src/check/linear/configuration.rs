//! Configurations of the search: how they lie in words, and what may be done in one.

use super::frontier::Frontiers;
use super::model::{Effect, Model};
use super::states::{NONE, States};
use crate::check::table::number;

/// Where the words of a configuration are.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) done: usize,
    pub(super) free: usize,
    pub(super) crashed: usize,
    pub(super) words: usize,
}

/// In the first word, beside frontier and state: the last operation was seen by none.
pub(super) const UNSEEN: u64 = 1 << 63;

pub(super) fn head(frontier: u32, state: u32, unseen: bool) -> u64 {
    let flag = if unseen { UNSEEN } else { 0 };
    flag | u64::from(frontier) << 32 | u64::from(state)
}

pub(super) fn frontier_of(head: u64) -> u32 {
    ((head & !UNSEEN) >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is taken")]
pub(super) fn state_of(head: u64) -> u32 {
    head as u32
}

pub(super) fn has(words: &[u64], bit: u32) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

pub(super) fn set(words: &mut [u64], bit: u32) {
    words[bit as usize / 64] |= 1 << (bit % 64);
}

pub(super) fn clear(words: &mut [u64], bit: u32) {
    words[bit as usize / 64] &= !(1 << (bit % 64));
}

/// Whether an operation tells nothing about the state.
pub(super) fn is_blind(effect: Effect) -> bool {
    matches!(effect, Effect::Blind | Effect::Overwrite)
}

pub(super) fn words(bits: &[u64], layout: Layout, node: u32) -> &[u64] {
    &bits[node as usize * layout.words..][..layout.words]
}

/// A configuration that was reached, to be looked at.
pub(super) struct Here<'a> {
    pub(super) frontiers: &'a Frontiers,
    pub(super) words: &'a [u64],
    pub(super) layout: Layout,
}

impl Here<'_> {
    pub(super) fn frontier(&self) -> u32 {
        frontier_of(self.words[0])
    }

    pub(super) fn is_done(&self, op: u32) -> bool {
        has(
            &self.words[self.layout.done..],
            self.frontiers.bit[op as usize],
        )
    }

    pub(super) fn is_free(&self, op: u32) -> bool {
        has(
            &self.words[self.layout.free..],
            self.frontiers.bit[op as usize],
        )
    }

    /// The last of these, unless it is done or an equal one returns earlier.
    pub(super) fn acting(&self, ops: &[u32]) -> Option<u32> {
        let (op, earlier) = ops.split_last()?;
        if self.is_done(*op) {
            return None;
        }
        let (class, free) = (self.frontiers.class[*op as usize], self.is_free(*op));
        let equal = |other: &u32| {
            self.frontiers.class[*other as usize] == class
                && !self.is_done(*other)
                && self.is_free(*other) == free
        };
        (!earlier.iter().any(equal)).then_some(*op)
    }

    /// Whether anything that is open tells a state apart: a pure operation that is possible in it,
    /// or another that does not just overwrite it.
    pub(super) fn is_seen<M: Model>(&self, states: &mut States<'_, M>, state: u32) -> bool {
        let class = |op: &u32| self.frontiers.class[*op as usize];
        let sees = |op: &u32, states: &mut States<'_, M>| {
            states.effect(class(op)) != Effect::Overwrite && states.step(state, class(op)) != NONE
        };
        let frontier = self.frontier();
        let open = [
            self.frontiers.pure(frontier),
            self.frontiers.acting(frontier),
        ];
        let mut open = open.into_iter().flatten();
        open.any(|op| !self.is_done(*op) && sees(op, states))
            || self
                .frontiers
                .crashed_seeing
                .iter()
                .any(|op| sees(op, states))
    }

    /// The first of a class that never returned, was called, and was not used.
    pub(super) fn crashed(&self, ops: &[u32], calls: &[u32], returns: &[u32]) -> Option<u32> {
        let used = &self.words[self.layout.crashed..];
        let op = ops
            .iter()
            .find(|op| !has(used, self.frontiers.bit[**op as usize]))?;
        let returning = self.frontiers.order[self.frontier() as usize];
        (calls[*op as usize] < returns[returning as usize]).then_some(*op)
    }
}

/// The operations done, in order; kept only if somebody wants to know.
#[derive(Default)]
pub(super) struct Order {
    pub(super) kept: bool,
    pub(super) ops: Vec<u32>,
    /// Where the last overwriting operation stands.
    pub(super) overwrites: u32,
    /// Operations that stand right before the operation at a place.
    pub(super) hidden: Vec<(u32, u32)>,
}

impl Order {
    pub(super) fn now(&mut self, op: u32) {
        if self.kept {
            self.ops.push(op);
        }
    }

    pub(super) fn overwrite(&mut self) {
        self.overwrites = number(self.ops.len());
    }

    pub(super) fn hide(&mut self, op: u32) {
        if self.kept {
            self.hidden.push((self.overwrites, op));
        }
    }

    pub(super) fn into_ops(mut self) -> Vec<u32> {
        self.hidden.sort_unstable();
        let mut all = Vec::with_capacity(self.ops.len() + self.hidden.len());
        let mut hidden = self.hidden.into_iter().peekable();
        for (place, op) in (0..).zip(self.ops) {
            while let Some((_, hidden)) = hidden.next_if(|(at, _)| *at == place) {
                all.push(hidden);
            }
            all.push(op);
        }
        all
    }
}
