//! States and operations by number, and each step computed once.

use super::model::{Effect, Model};
use crate::check::table::{Interner, Slots, hash_of};

/// No state.
pub(super) const NONE: u32 = u32::MAX;
/// Not computed yet.
const OPEN: u32 = u32::MAX - 1;
/// With more classes than this, rows of the table would be long and nearly empty.
const ROW_CLASSES_MAX: usize = 64;

/// The part of the state space that was seen, as a table: state times class of operation to state.
///
/// Operations that are equal are one class.
pub(super) struct States<'a, M: Model> {
    model: &'a M,
    classes: Vec<M::Op>,
    effects: Vec<Effect>,
    states: Interner<M::State>,
    /// Rows of states, if classes are few.
    rows: Vec<u32>,
    /// Steps by state and class, if they are many.
    steps: Vec<(u32, u32, u32)>,
    slots: Slots,
}

impl<'a, M: Model> States<'a, M> {
    /// The states of a model, of which the initial one has number 0, and the class of each
    /// operation.
    pub(super) fn new(model: &'a M, ops: &[M::Op]) -> (Self, Vec<u32>) {
        let mut interner: Interner<M::Op> = Interner::default();
        let classes: Vec<u32> = ops.iter().map(|op| interner.intern_ref(op)).collect();
        let mut this = Self {
            model,
            effects: interner.items().iter().map(|op| model.effect(op)).collect(),
            classes: interner.into_items(),
            states: Interner::default(),
            rows: Vec::new(),
            steps: Vec::new(),
            slots: Slots::default(),
        };
        let initial = this.intern(model.initial());
        debug_assert_eq!(initial, 0);
        (this, classes)
    }

    pub(super) fn effect(&self, class: u32) -> Effect {
        self.effects[class as usize]
    }

    fn intern(&mut self, state: M::State) -> u32 {
        let number = self.states.intern(state);
        let rows = self.classes.len() * self.states.len();
        if self.classes.len() <= ROW_CLASSES_MAX && self.rows.len() < rows {
            self.rows.resize(rows, OPEN);
        }
        number
    }

    /// The state after an operation of a class, or [`NONE`].
    pub(super) fn step(&mut self, state: u32, class: u32) -> u32 {
        if self.classes.len() <= ROW_CLASSES_MAX {
            let at = state as usize * self.classes.len() + class as usize;
            if self.rows[at] == OPEN {
                self.rows[at] = self.compute(state, class);
            }
            return self.rows[at];
        }
        let hash = hash_of(&(state, class));
        let steps = &self.steps;
        let is = |n: u32| steps[n as usize].0 == state && steps[n as usize].1 == class;
        if let Some(n) = self.slots.find(hash, is) {
            return self.steps[n as usize].2;
        }
        let next = self.compute(state, class);
        let number = crate::check::table::number(self.steps.len());
        self.steps.push((state, class, next));
        let steps = &self.steps;
        self.slots.put(hash, number, |n| {
            let (state, class, _) = steps[n as usize];
            hash_of(&(state, class))
        });
        next
    }

    fn compute(&mut self, state: u32, class: u32) -> u32 {
        let op = &self.classes[class as usize];
        match self.model.step(self.states.get(state), op) {
            None => NONE,
            Some(next) if next == *self.states.get(state) => state,
            Some(next) => self.intern(next),
        }
    }
}
