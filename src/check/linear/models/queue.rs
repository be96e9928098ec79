//! A queue, first in first out.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Call, Effect, Model, Outcome, Part, Passage, Shortcut, judge_queue};
use crate::check::table::Interner;

/// A queue of values, empty in the beginning.
///
/// Operations: `enqueue` of a value; `dequeue`, whose answer is the value, or nil if there was
/// none.
///
/// Without a search (Henzinger, Sezgin & Vafeiadis 2013, section 3): histories in which each value
/// is put in once, and no dequeue has an unknown outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

/// An operation of a [`Queue`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueOp {
    /// It put this in.
    Enqueue(Value),
    /// It took this.
    Dequeue(Value),
    /// It found nothing.
    Empty,
    /// It may have taken whatever was the first.
    DequeueAny,
}

impl Model for Queue {
    type State = Vec<Value>;
    type Op = QueueOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<QueueOp>, String> {
        Ok(match (call.f, call.outcome) {
            ("enqueue", Outcome::Ok(_) | Outcome::Unknown) => {
                Some(QueueOp::Enqueue(call.input.clone()))
            }
            ("dequeue", Outcome::Ok(Value::Nil)) => Some(QueueOp::Empty),
            ("dequeue", Outcome::Ok(value)) => Some(QueueOp::Dequeue(value.clone())),
            ("dequeue", Outcome::Unknown) => Some(QueueOp::DequeueAny),
            ("enqueue" | "dequeue", Outcome::Refused(_)) => None,
            _ => return Err(no_such(call, "queue", "enqueue and dequeue")),
        })
    }

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, op: &QueueOp) -> Option<Vec<Value>> {
        match op {
            QueueOp::Enqueue(value) => {
                let mut state = state.clone();
                state.push(value.clone());
                Some(state)
            }
            QueueOp::Dequeue(value) => {
                let (first, rest) = state.split_first()?;
                (first == value).then(|| rest.to_vec())
            }
            QueueOp::Empty => state.is_empty().then(Vec::new),
            QueueOp::DequeueAny => state.split_first().map(|(_, rest)| rest.to_vec()),
        }
    }

    fn effect(&self, op: &QueueOp) -> Effect {
        match op {
            QueueOp::Enqueue(_) => Effect::Blind,
            QueueOp::Empty => Effect::Pure,
            QueueOp::Dequeue(_) | QueueOp::DequeueAny => Effect::Other,
        }
    }

    fn shortcut(&self, part: &Part<QueueOp>) -> Shortcut {
        passages(part).map_or_else(
            |known| known,
            |(values, empties)| judge_queue(part, &values, &empties),
        )
    }

    fn describe(&self, op: &QueueOp) -> String {
        match op {
            QueueOp::Enqueue(value) => format!("enqueue {value}"),
            QueueOp::Dequeue(value) => format!("dequeue -> {value}"),
            QueueOp::Empty => "dequeue -> nothing".to_owned(),
            QueueOp::DequeueAny => "dequeue -> ?".to_owned(),
        }
    }

    fn describe_state(&self, state: &Vec<Value>) -> String {
        format!("it holds {}", Value::List(state.clone()))
    }
}

/// Who put each value in and who took it, and who found none.
fn passages(part: &Part<QueueOp>) -> Result<(Vec<Passage>, Vec<u32>), Shortcut> {
    let mut values: Interner<&Value> = Interner::default();
    let mut passages: Vec<Passage> = Vec::new();
    let mut empties = Vec::new();
    for (op, what) in (0..).zip(&part.ops) {
        match what {
            QueueOp::Enqueue(value) => {
                if values.intern(value) as usize != passages.len() {
                    return Err(Shortcut::Ambiguous);
                }
                passages.push(Passage {
                    enqueue: op,
                    dequeue: None,
                });
            }
            QueueOp::Dequeue(_) => {}
            QueueOp::Empty => empties.push(op),
            QueueOp::DequeueAny => return Err(Shortcut::Ambiguous),
        }
    }
    for (op, what) in (0..).zip(&part.ops) {
        let QueueOp::Dequeue(value) = what else {
            continue;
        };
        let Some(n) = values.find(&value) else {
            // Nobody put it in.
            return Err(Shortcut::Violation);
        };
        if passages[n as usize].dequeue.replace(op).is_some() {
            // It was taken twice.
            return Err(Shortcut::Violation);
        }
    }
    passages.retain(|p| p.dequeue.is_some() || !part.is_open(p.enqueue as usize));
    Ok((passages, empties))
}
