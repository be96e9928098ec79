//! Why a history is not linearizable, in as few operations as it takes.
//!
//! First the shortest prefix that has no order, by halving: if a prefix has none, no longer one
//! has. Then fewer operations, by delta debugging (Zeller & Hildebrandt, "Simplifying and isolating
//! failure-inducing input", IEEE TSE 28, 2002, section 3): of more and more of them it is said that
//! nobody knows how they ended. What is left is 1-minimal: without the end of any one of them there
//! is an order. An operation is not taken out of the history, for without its write a read would be
//! a violation of another kind; it may just happen at any time after its call, or never.
//!
//! What ended last is tried first, since a violation rarely reaches far back. Cost: some dozens of
//! judgements of the whole history; of a million operations, about ten seconds.

use super::model::Model;
use super::part::{NEVER, Part, View, parts};
use super::search::{DeadEnd, Found, Limits, dead_ends, search};
use super::{Budget, Verdict, Violation, check_parts};
use crate::check::history::{History, Value};

/// Why operations have no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The object, if the history has several.
    pub key: Option<Value>,
    /// The position of the first event with which there is no order.
    pub position: u32,
    /// The operations, in the order of their calls: those that have no order, and those that come
    /// into the longest ones.
    pub operations: Vec<Shown>,
    /// The longest orders that there are.
    pub ends: Vec<End>,
}

/// An operation, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number in the history.
    pub operation: u32,
    /// Who called it.
    pub process: u32,
    /// What it was, with its outcome, as the model tells it.
    pub text: String,
    /// The position of its call.
    pub call: u32,
    /// The position of its return; `None` if it is unknown or does not matter.
    pub returns: Option<u32>,
}

/// An order that cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Operations, by their numbers in the history, each with the state after it.
    pub order: Vec<(u32, String)>,
    /// Operations that would have to come next, each with why it cannot.
    pub refused: Vec<(u32, String)>,
}

/// So many orders are shown.
const ENDS_MAX: usize = 4;
/// So many operations are tried first.
const LAST: usize = 32;
/// So many judgements are made for a smaller history; a hard one stays larger than it need be.
const TRIALS_MAX: u32 = 4_000;

/// Explains a violation; `None` if within this budget it cannot be seen to be one.
pub fn explain_violation<M: Model>(
    model: &M,
    history: &History,
    violation: &Violation,
    budget: &mut Budget<'_>,
) -> Option<Explanation> {
    let mut trials = Trials {
        model,
        history,
        all: &violation.operations,
        budget,
        left: TRIALS_MAX,
    };
    let before = trials.shortest_prefix()?;
    let mut firm = trials.last_that_fail(before);
    trials.shrink(&mut firm, before);
    let view = View {
        only: Some(&violation.operations),
        firm: Some(&firm),
        before,
    };
    // The history was decoded before.
    let parts = parts(model, history, view).ok()?;
    let part = parts.first()?;
    let mut never = || false;
    let mut limits = Limits {
        configurations: trials.budget.configurations,
        late: &mut never,
    };
    let ends = dead_ends(model, part, &mut limits, ENDS_MAX);
    let ends: Vec<End> = ends
        .into_iter()
        .map(|end| shown_end(model, part, &end))
        .collect();
    let in_order = |id: &u32| {
        ends.iter()
            .any(|end| end.order.iter().any(|(other, _)| other == id))
    };
    let operations = (0..part.len())
        .filter(|op| !part.is_open(*op) || in_order(&part.ids[*op]))
        .map(|op| {
            let id = part.ids[op];
            let operation = history.operations()[id as usize];
            Shown {
                operation: id,
                process: history.invocation(operation).process,
                text: model.describe(&part.ops[op]),
                call: part.calls[op],
                returns: (part.returns[op] != NEVER).then_some(part.returns[op]),
            }
        })
        .collect();
    Some(Explanation {
        key: violation.key.clone(),
        position: before - 1,
        operations,
        ends,
    })
}

struct Trials<'a, 'b, M> {
    model: &'a M,
    history: &'a History,
    all: &'a [u32],
    budget: &'a mut Budget<'b>,
    left: u32,
}

impl<M: Model> Trials<'_, '_, M> {
    /// Whether the operations have no order if only the ends of some are known.
    fn fails(&mut self, firm: Option<&[u32]>, before: u32) -> bool {
        self.left = self.left.saturating_sub(1);
        let view = View {
            only: Some(self.all),
            firm,
            before,
        };
        let parts = parts(self.model, self.history, view);
        parts.is_ok_and(|parts| {
            matches!(
                check_parts(self.model, &parts, self.budget),
                Verdict::Violation(_)
            )
        })
    }

    /// The position after the first event with which there is no order.
    fn shortest_prefix(&mut self) -> Option<u32> {
        let ends = self.all.iter().filter_map(|id| {
            let operation = self.history.operations()[*id as usize];
            operation.complete.map(|at| at + 1)
        });
        let mut ends: Vec<u32> = ends.collect();
        ends.sort_unstable();
        let (mut low, mut high) = (0, ends.len().checked_sub(1)?);
        // A search comes no farther than a prefix of which the rest is not known.
        if let Some(stuck) = self.stuck() {
            low = ends.partition_point(|end| *end < stuck).min(high);
            if self.fails(None, ends[low]) {
                return Some(ends[low]);
            }
        }
        if !self.fails(None, ends[high]) {
            return None;
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.fails(None, ends[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(ends[high])
    }

    /// The position after the return that a search could not pass, if it is a short one.
    fn stuck(&mut self) -> Option<u32> {
        let view = View {
            only: Some(self.all),
            ..View::ALL
        };
        let parts = parts(self.model, self.history, view).ok()?;
        let part = parts.first()?;
        let mut never = || false;
        let mut limits = Limits {
            configurations: 4 * part.len() as u64 + 1_000,
            late: &mut never,
        };
        match search(self.model, part, &mut limits) {
            Found::Stuck(op) => Some(part.returns[op as usize] + 1),
            Found::Order(_) | Found::Spent(_) | Found::Late(_) => None,
        }
    }

    /// The operations that ended last before a position, as many as it takes to have no order.
    fn last_that_fail(&mut self, before: u32) -> Vec<u32> {
        let operations = self.history.operations();
        let end = |id: &u32| operations[*id as usize].complete.unwrap_or(NEVER);
        let mut all: Vec<u32> = self
            .all
            .iter()
            .copied()
            .filter(|id| end(id) < before)
            .collect();
        all.sort_unstable_by_key(end);
        let mut count = LAST;
        loop {
            let mut firm = all[all.len().saturating_sub(count)..].to_vec();
            firm.sort_unstable();
            if count >= all.len() || self.fails(Some(&firm), before) {
                return firm;
            }
            count *= 4;
        }
    }

    /// Takes out what need not be known, until each that is left must be.
    fn shrink(&mut self, firm: &mut Vec<u32>, before: u32) {
        let mut chunk = firm.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            let mut smaller = false;
            // From the front: what is long ago matters least.
            while at < firm.len() && self.left > 0 {
                let end = (at + chunk).min(firm.len());
                let mut rest = firm.clone();
                rest.drain(at..end);
                if self.fails(Some(&rest), before) {
                    *firm = rest;
                    smaller = true;
                } else {
                    at = end;
                }
            }
            if self.left == 0 || (chunk == 1 && !smaller) {
                return;
            }
            chunk = chunk.div_ceil(2);
        }
    }
}

/// Does an order again, and asks why nothing can follow.
fn shown_end<M: Model>(model: &M, part: &Part<M::Op>, end: &DeadEnd) -> End {
    let mut state = model.initial();
    let mut order = Vec::new();
    let mut is_done = vec![false; part.len()];
    for op in &end.order {
        is_done[*op as usize] = true;
        if let Some(next) = model.step(&state, &part.ops[*op as usize]) {
            state = next;
        }
        order.push((part.ids[*op as usize], model.describe_state(&state)));
    }
    // What is not done must be called before the first of them returns.
    let left = (0..part.len()).filter(|op| !is_done[*op]);
    let limit = left
        .clone()
        .map(|op| part.returns[op])
        .min()
        .unwrap_or(NEVER);
    let refused = left
        .filter(|op| part.calls[*op] < limit && !part.is_open(*op))
        .map(|op| {
            let text = model.describe(&part.ops[op]);
            let why = match model.step(&state, &part.ops[op]) {
                None => format!(
                    "`{text}` is impossible when {}",
                    model.describe_state(&state)
                ),
                Some(_) => format!("`{text}` is possible, and leads no further"),
            };
            (part.ids[op], why)
        })
        .collect();
    End { order, refused }
}
