//! A lock.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Call, Model, Outcome};

/// A lock that one holds at a time, free in the beginning.
///
/// Operations: `acquire` and `release`. The holder is the operation's value, or its process if the
/// value is nil; only the holder may release. Since a process ends with an operation of unknown
/// outcome, a client that carries on as another process needs a value of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock;

/// An operation of a [`Lock`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LockOp {
    /// It holds the lock.
    Acquire(Value),
    /// It holds the lock no longer.
    Release(Value),
}

impl Model for Lock {
    /// Who holds it.
    type State = Option<Value>;
    type Op = LockOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<LockOp>, String> {
        let holder = match call.input {
            Value::Nil => Value::from(call.process),
            value => value.clone(),
        };
        Ok(match (call.f, call.outcome) {
            (_, Outcome::Refused(_)) => None,
            ("acquire", _) => Some(LockOp::Acquire(holder)),
            ("release", _) => Some(LockOp::Release(holder)),
            _ => return Err(no_such(call, "lock", "acquire and release")),
        })
    }

    fn initial(&self) -> Option<Value> {
        None
    }

    fn step(&self, state: &Option<Value>, op: &LockOp) -> Option<Option<Value>> {
        match op {
            LockOp::Acquire(holder) => state.is_none().then(|| Some(holder.clone())),
            LockOp::Release(holder) => (state.as_ref() == Some(holder)).then_some(None),
        }
    }

    fn describe(&self, op: &LockOp) -> String {
        match op {
            LockOp::Acquire(holder) => format!("acquire by {holder}"),
            LockOp::Release(holder) => format!("release by {holder}"),
        }
    }

    fn describe_state(&self, state: &Option<Value>) -> String {
        match state {
            Some(holder) => format!("{holder} holds it"),
            None => "nobody holds it".to_owned(),
        }
    }
}
