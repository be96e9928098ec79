//! A counter.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Call, Effect, Model, NEVER, Outcome, Part, Shortcut};

/// A number, 0 in the beginning, that wraps around at 64 bits.
///
/// Operations: `add` of a number, which may be negative; `read`, whose answer is the sum.
///
/// Without a search: a read outside the bounds of what may have been added is a violation. What is
/// within them needs the search, which is short if the numbers added are few: equal ones are done
/// in the order of their returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// An operation of a [`Counter`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// It added this.
    Add(i64),
    /// It gave this.
    Read(i64),
}

impl Model for Counter {
    type State = i64;
    type Op = CounterOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<CounterOp>, String> {
        let whole = |value: &Value| {
            let none = || format!("a counter counts in whole numbers, and this is {value}");
            value.as_int().ok_or_else(none)
        };
        Ok(match (call.f, call.outcome) {
            ("add", Outcome::Ok(_) | Outcome::Unknown) => {
                let number = whole(call.input)?;
                // To add nothing is to do nothing.
                (number != 0).then_some(CounterOp::Add(number))
            }
            ("read", Outcome::Ok(value)) => Some(CounterOp::Read(whole(value)?)),
            ("add" | "read", _) => None,
            _ => return Err(no_such(call, "counter", "add and read")),
        })
    }

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, op: &CounterOp) -> Option<i64> {
        match op {
            CounterOp::Add(number) => Some(state.wrapping_add(*number)),
            CounterOp::Read(number) => (number == state).then_some(*state),
        }
    }

    fn effect(&self, op: &CounterOp) -> Effect {
        match op {
            CounterOp::Add(_) => Effect::Blind,
            CounterOp::Read(_) => Effect::Pure,
        }
    }

    fn shortcut(&self, part: &Part<CounterOp>) -> Shortcut {
        if bounds_hold(part) {
            Shortcut::Ambiguous
        } else {
            Shortcut::Violation
        }
    }

    fn describe(&self, op: &CounterOp) -> String {
        match op {
            CounterOp::Add(number) => format!("add {number}"),
            CounterOp::Read(number) => format!("read -> {number}"),
        }
    }

    fn describe_state(&self, state: &i64) -> String {
        format!("the sum is {state}")
    }
}

/// Whether each read lies between what was surely added and what may have been.
///
/// An addition is sure if it returned before the read was called, and possible if it was called
/// before the read returned; sums may wrap around, and then nothing is said.
fn bounds_hold(part: &Part<CounterOp>) -> bool {
    // At a time: how much is added to the lower and to the upper bound from then on.
    let mut changes: Vec<(u32, i128, i128)> = Vec::new();
    let mut reads: Vec<(u32, u32, i64)> = Vec::new();
    for op in 0..part.len() {
        let (call, returns) = (part.calls[op], part.returns[op]);
        match part.ops[op] {
            CounterOp::Add(number) => {
                let number = i128::from(number);
                changes.push((call, number.min(0), number.max(0)));
                if returns != NEVER {
                    changes.push((returns, number.max(0), number.min(0)));
                }
            }
            CounterOp::Read(number) => reads.push((call, returns, number)),
        }
    }
    changes.sort_unstable();
    let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
    // A read's bounds are those of the wrong side of its interval: what a sure addition of a
    // positive number gave before its call, what a possible one may give before its return.
    let (mut sure, mut possible) = (Sums::default(), Sums::default());
    for (time, lower, upper) in changes {
        sure.push(time, lower.max(0), upper.min(0));
        possible.push(time, lower.min(0), upper.max(0));
    }
    if !range.contains(&possible.last().0) || !range.contains(&possible.last().1) {
        return true;
    }
    reads.into_iter().all(|(call, returns, number)| {
        // Positive numbers are surely there if they returned before the call, negative ones may be
        // there if they were called before the return; for the upper bound the other way round.
        let low = sure.at(call).0 + possible.at(returns).0;
        let high = possible.at(returns).1 + sure.at(call).1;
        (low..=high).contains(&i128::from(number))
    })
}

/// Sums of changes up to a time.
#[derive(Default)]
struct Sums {
    times: Vec<u32>,
    sums: Vec<(i128, i128)>,
}

impl Sums {
    fn push(&mut self, time: u32, one: i128, other: i128) {
        let last = self.last();
        self.times.push(time);
        self.sums.push((last.0 + one, last.1 + other));
    }

    fn last(&self) -> (i128, i128) {
        self.sums.last().copied().unwrap_or_default()
    }

    /// The sums before a time.
    fn at(&self, time: u32) -> (i128, i128) {
        match self.times.partition_point(|at| *at < time) {
            0 => (0, 0),
            n => self.sums[n - 1],
        }
    }
}
