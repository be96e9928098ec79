//! What an object does: the trait of sequential models, and what the engine hands to them.

use core::fmt::Debug;
use core::hash::Hash;
use std::borrow::Cow;

use super::fast::Shortcut;
use super::part::Part;
use crate::check::history::Value;

/// A sequential object: what each operation does to each state.
///
/// An operation is decoded together with its outcome, so that [`step`](Self::step) answers whether
/// that outcome is possible in a state, and what the next state is.
///
/// ```
/// use stormglass::check::{Call, Effect, Model, Outcome};
///
/// /// A light, switched on and off, that tells whether it is on.
/// struct Light;
///
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// enum Op {
///     Switch(bool),
///     Look(bool),
/// }
///
/// impl Model for Light {
///     type State = bool;
///     type Op = Op;
///
///     fn decode(&self, call: &Call<'_>) -> Result<Option<Op>, String> {
///         Ok(match (call.f, call.outcome) {
///             ("on", _) => Some(Op::Switch(true)),
///             ("off", _) => Some(Op::Switch(false)),
///             ("look", Outcome::Ok(value)) => Some(Op::Look(*value == true.into())),
///             // Nobody knows what it saw, and it changed nothing.
///             ("look", _) => None,
///             (f, _) => return Err(format!("a light has no `{f}`")),
///         })
///     }
///
///     fn initial(&self) -> bool {
///         false
///     }
///
///     fn step(&self, on: &bool, op: &Op) -> Option<bool> {
///         match op {
///             Op::Switch(on) => Some(*on),
///             Op::Look(seen) => (seen == on).then_some(*on),
///         }
///     }
///
///     fn effect(&self, op: &Op) -> Effect {
///         match op {
///             Op::Switch(_) => Effect::Overwrite,
///             Op::Look(_) => Effect::Pure,
///         }
///     }
/// }
/// ```
pub trait Model {
    /// What is remembered between operations.
    type State: Clone + Debug + Eq + Hash;
    /// An operation with its outcome.
    type Op: Clone + Debug + Eq + Hash;

    /// What a call means; `None` if it says nothing and changed nothing, as a read whose answer is
    /// unknown.
    ///
    /// # Errors
    /// What is wrong with the call, if the model cannot have it.
    fn decode(&self, call: &Call<'_>) -> Result<Option<Self::Op>, String>;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after an operation, or `None` if its outcome is impossible in this state.
    ///
    /// An operation of unknown outcome needs no possibility that it did nothing: that is what not
    /// being in the order is for.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// What is known of an operation in every state; it makes the search shorter. A wrong answer
    /// makes the verdict wrong; [`Effect::Other`] is always right.
    fn effect(&self, op: &Self::Op) -> Effect {
        let _ = op;
        Effect::Other
    }

    /// What the `fail` of an operation means.
    fn on_fail(&self, f: &str) -> OnFail {
        let _ = f;
        OnFail::DidNotHappen
    }

    /// The object that a call concerns, if each has a state of its own; calls of different objects
    /// are judged apart, which is exact (Herlihy & Wing 1990, section 3.1, locality).
    fn key<'a>(&self, call: &Call<'a>) -> Option<Cow<'a, Value>> {
        call.key.map(Cow::Borrowed)
    }

    /// A model of the same object that is quicker for these operations, if there is one. It may
    /// treat states as one that these operations cannot tell apart.
    fn specialise(&self, ops: &[Self::Op]) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = ops;
        None
    }

    /// A verdict without a search, if these operations allow it.
    fn shortcut(&self, part: &Part<Self::Op>) -> Shortcut {
        let _ = part;
        Shortcut::Ambiguous
    }

    /// An operation as people read it.
    fn describe(&self, op: &Self::Op) -> String {
        format!("{op:?}")
    }

    /// A state as people read it.
    fn describe_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}

/// A call of an operation, with what is known of its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who called.
    pub process: u32,
    /// The operation's name.
    pub f: &'a str,
    /// The object that it concerns.
    pub key: Option<&'a Value>,
    /// What it takes.
    pub input: &'a Value,
    /// What became of it.
    pub outcome: Outcome<'a>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was done, and gave this.
    Ok(&'a Value),
    /// It was done and refused, with this answer.
    Refused(&'a Value),
    /// Nobody knows: it may have been done, and may be done at any time after its call.
    Unknown,
}

/// What a `fail` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFail {
    /// The operation did not take place and never will; it is as if it was not called.
    DidNotHappen,
    /// The operation took place and was refused, which tells something about the state.
    Refused,
}

/// What an operation does in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes no state in which its outcome is possible: a read.
    Pure,
    /// It is possible in every state, and its outcome tells nothing: an append.
    Blind,
    /// The same, and the state after it does not depend on the one before: a write.
    Overwrite,
    /// Nothing of that is known.
    Other,
}
