//! Linearizability: whether operations that overlap could have happened one at a time, each between
//! its call and its return (Herlihy & Wing, "Linearizability", ACM TOPLAS 12, 1990, section 2).
//!
//! The way of a history: it is decoded by a [`Model`], which drops what tells nothing; taken apart
//! by object, which is exact; judged without a search where it is plain who wrote what
//! ([`Blocks`], [`judge_queue`]); and searched where it is not.
//!
//! # Blind spots
//! A verdict is about the clients that were recorded. What nobody read may be lost unseen, and a
//! model that knows less than the object does (such as one without expiry) gives false alarms.

mod configuration;
mod explain;
mod fast;
mod frontier;
mod model;
mod models;
mod part;
mod search;
mod states;
mod text;

pub use explain::{End, Explanation, Shown, explain_violation};
pub use fast::{Blocks, Passage, Shortcut, judge_queue};
pub use model::{Call, Effect, Model, OnFail, Outcome};
pub use models::{Counter, Kv, Lock, MultiRegister, Queue, Register, Set};
pub use part::{NEVER, Part};

pub(crate) use part::{View, parts};

use super::history::{History, Malformed, Value};
use search::{Found, Limits, search};

/// What a judgement may cost.
pub struct Budget<'a> {
    /// So many configurations for each object. It is counted, not timed: the same history has the
    /// same verdict everywhere. A configuration takes about a tenth of a microsecond and 64 bytes.
    pub configurations: u64,
    /// Whether the time is over: asked every few thousand configurations. The caller owns the
    /// clock.
    pub late: Option<&'a mut dyn FnMut() -> bool>,
}

impl Budget<'_> {
    /// So many configurations for each object, and any time.
    #[must_use]
    pub fn configurations(configurations: u64) -> Self {
        Self {
            configurations,
            late: None,
        }
    }
}

impl Default for Budget<'_> {
    /// Ten million configurations for each object: some seconds and under a gigabyte.
    fn default() -> Self {
        Self::configurations(10_000_000)
    }
}

/// What is known of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is linearizable.
    Linearizable {
        /// For each object an order of its operations, by their numbers in the history. Operations
        /// of unknown outcome that need not have happened are not in it.
        orders: Vec<Vec<u32>>,
    },
    /// It is not.
    Violation(Violation),
    /// Nobody knows.
    Unknown {
        /// Why not.
        reason: Reason,
        /// The operation whose return is the farthest that an order reached.
        reached: u32,
    },
}

/// An object whose operations have no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The object, if the history has several.
    pub key: Option<Value>,
    /// Its operations, by their numbers in the history.
    pub operations: Vec<u32>,
}

/// Why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The configurations were spent.
    Configurations,
    /// The time was over.
    Time,
}

/// Judges a history.
///
/// An object whose operations have no order is a violation, whatever is unknown of others.
///
/// ```
/// use stormglass::check::{Budget, History, Register, Verdict, check_linearizable};
///
/// let history = History::from_json_lines(
///     r#"{"process":0,"type":"invoke","f":"write","value":1}
///        {"process":0,"type":"ok","f":"write","value":1}
///        {"process":1,"type":"invoke","f":"read"}
///        {"process":1,"type":"ok","f":"read","value":null}"#,
/// )
/// .unwrap();
/// let verdict = check_linearizable(&Register::new(), &history, &mut Budget::default()).unwrap();
/// assert!(matches!(verdict, Verdict::Violation(_)));
/// ```
///
/// # Errors
/// If the model cannot have an operation of the history.
pub fn check_linearizable<M: Model>(
    model: &M,
    history: &History,
    budget: &mut Budget<'_>,
) -> Result<Verdict, Malformed> {
    let parts = parts(model, history, View::ALL)?;
    Ok(check_parts(model, &parts, budget))
}

/// Judges objects one after the other; those that need no search first.
pub(crate) fn check_parts<M: Model>(
    model: &M,
    parts: &[Part<M::Op>],
    budget: &mut Budget<'_>,
) -> Verdict {
    let mut orders = vec![Vec::new(); parts.len()];
    let mut ambiguous = Vec::new();
    let ids = |part: &Part<M::Op>, order: Vec<u32>| -> Vec<u32> {
        order.into_iter().map(|op| part.ids[op as usize]).collect()
    };
    for (n, part) in parts.iter().enumerate() {
        match model.shortcut(part) {
            Shortcut::Linearizable(order) => orders[n] = ids(part, order),
            Shortcut::Violation => return violation(part),
            Shortcut::Ambiguous => ambiguous.push(n),
        }
    }
    let mut unknown = None;
    for n in ambiguous {
        let part = &parts[n];
        let mut never = || false;
        let mut limits = Limits {
            configurations: budget.configurations,
            late: match &mut budget.late {
                Some(late) => late,
                None => &mut never,
            },
        };
        let found = match model.specialise(&part.ops) {
            Some(special) => search(&special, part, &mut limits),
            None => search(model, part, &mut limits),
        };
        let (reason, reached) = match found {
            Found::Order(order) => {
                orders[n] = ids(part, order);
                continue;
            }
            Found::Stuck(_) => return violation(part),
            Found::Spent(op) => (Reason::Configurations, op),
            Found::Late(op) => (Reason::Time, op),
        };
        let reached = part.ids[reached as usize];
        unknown.get_or_insert(Verdict::Unknown { reason, reached });
    }
    unknown.unwrap_or(Verdict::Linearizable { orders })
}

fn violation<O>(part: &Part<O>) -> Verdict {
    Verdict::Violation(Violation {
        key: part.key.clone(),
        operations: part.ids.clone(),
    })
}

#[cfg(test)]
mod tests;
