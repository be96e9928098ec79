//! Several registers, of which an operation reads and writes some at once.

use std::borrow::Cow;

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Call, Effect, Model, Outcome};

/// Registers by key, each nil in the beginning.
///
/// Operations: `txn`, `read` or `write` of a list of steps `[f, key, value]`, where `f` is `read`
/// or `r`, `write` or `w`; all steps of one operation happen at once, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct MultiRegister;

/// An operation of a [`MultiRegister`]: its steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MultiOp(Vec<MultiStep>);

/// A step of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum MultiStep {
    Read(Value, Value),
    Write(Value, Value),
}

impl Model for MultiRegister {
    /// The registers that are not nil, by key.
    type State = Vec<(Value, Value)>;
    type Op = MultiOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<MultiOp>, String> {
        if !matches!(call.f, "txn" | "read" | "write") {
            return Err(no_such(call, "multi-register", "txn, read and write"));
        }
        let steps = match call.outcome {
            Outcome::Ok(value) if value.as_list().is_some() => value,
            Outcome::Ok(_) | Outcome::Unknown => call.input,
            Outcome::Refused(_) => return Ok(None),
        };
        let wrong = || format!("its value is a list of [f, key, value], and this is {steps}");
        let mut decoded = Vec::new();
        for step in steps.as_list().ok_or_else(wrong)? {
            let Some([f, key, value]) = step.as_list() else {
                return Err(wrong());
            };
            match (f.as_text(), call.outcome) {
                (Some("r" | "read"), Outcome::Ok(_)) => {
                    decoded.push(MultiStep::Read(key.clone(), value.clone()));
                }
                // What it read is unknown.
                (Some("r" | "read"), Outcome::Refused(_) | Outcome::Unknown) => {}
                (Some("w" | "write"), _) => {
                    decoded.push(MultiStep::Write(key.clone(), value.clone()));
                }
                _ => return Err(wrong()),
            }
        }
        Ok((!decoded.is_empty()).then_some(MultiOp(decoded)))
    }

    fn initial(&self) -> Vec<(Value, Value)> {
        Vec::new()
    }

    fn step(&self, state: &Self::State, op: &MultiOp) -> Option<Self::State> {
        let mut state = state.clone();
        for step in &op.0 {
            match step {
                MultiStep::Read(key, value) => {
                    let found = state.binary_search_by(|(other, _)| other.cmp(key));
                    let found = found.map_or(&Value::Nil, |at| &state[at].1);
                    if found != value {
                        return None;
                    }
                }
                MultiStep::Write(key, value) => {
                    let found = state.binary_search_by(|(other, _)| other.cmp(key));
                    match (found, value) {
                        (Ok(at), Value::Nil) => drop(state.remove(at)),
                        (Err(_), Value::Nil) => {}
                        (Ok(at), value) => state[at].1 = value.clone(),
                        (Err(at), value) => state.insert(at, (key.clone(), value.clone())),
                    }
                }
            }
        }
        Some(state)
    }

    fn effect(&self, op: &MultiOp) -> Effect {
        let is_read = |step: &MultiStep| matches!(step, MultiStep::Read(..));
        if op.0.iter().all(is_read) {
            Effect::Pure
        } else if !op.0.iter().any(is_read) {
            Effect::Blind
        } else {
            Effect::Other
        }
    }

    /// All keys are one object, since an operation concerns several. The key of an event, if it has
    /// one, tells such objects apart.
    fn key<'a>(&self, call: &Call<'a>) -> Option<Cow<'a, Value>> {
        call.key.map(Cow::Borrowed)
    }

    fn describe(&self, op: &MultiOp) -> String {
        let steps = op.0.iter().map(|step| match step {
            MultiStep::Read(key, value) => format!("{key} -> {value}"),
            MultiStep::Write(key, value) => format!("{key} = {value}"),
        });
        steps.collect::<Vec<_>>().join(", ")
    }

    fn describe_state(&self, state: &Self::State) -> String {
        let registers = state.iter().map(|(key, value)| format!("{key} = {value}"));
        let registers: Vec<String> = registers.collect();
        if registers.is_empty() {
            return "all are nil".to_owned();
        }
        registers.join(", ")
    }
}
