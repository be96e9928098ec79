//! Judges of single workloads: one pass over a history each, for a property that needs no search.
//!
//! The workloads and their names are those of Jepsen's tests (`jepsen.checker`, `jepsen.tests`).
//! All take time n log n or less in the lengths of values, and each tells what it cannot see.

mod balance;
mod bank;
mod causal;
mod fork;
mod once;
mod sets;

pub use balance::{Balance, check_counter, check_total_queue};
pub use bank::{Bank, check_bank};
pub use causal::{check_causal, check_monotonic};
pub use fork::check_long_fork;
pub use once::check_unique_ids;
pub use sets::{Elements, check_set_full};

use core::fmt;

use super::history::{Event, History, Kind, Malformed, Operation, Value};

/// Something that the property of a workload excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it is called, such as `lost`.
    pub name: &'static str,
    /// The operations that show it, by their numbers in the history.
    pub operations: Vec<u32>,
    /// How one sees it.
    pub because: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.because)
    }
}

impl Fault {
    fn new(name: &'static str, operations: &[u32], because: impl Into<String>) -> Self {
        Self {
            name,
            operations: operations.to_vec(),
            because: because.into(),
        }
    }
}

/// An operation with what was asked and what came of it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    id: u32,
    operation: Operation,
    invoke: &'a Event,
    end: Option<&'a Event>,
}

impl<'a> Asked<'a> {
    /// The operations of a history, in the order of their invocations.
    fn all(history: &'a History) -> impl Iterator<Item = Self> {
        (0..).zip(history.operations()).map(|(id, operation)| Self {
            id,
            operation: *operation,
            invoke: history.invocation(*operation),
            end: history.completion(*operation),
        })
    }

    /// What it gave, if it was done.
    fn ok(&self) -> Option<&'a Value> {
        let end = self.end?;
        (end.kind == Kind::Ok).then_some(&end.value)
    }

    /// Whether it may have been done.
    fn may_be_done(&self) -> bool {
        self.end.is_none_or(|end| end.kind != Kind::Fail)
    }

    /// The position of its end, if it was done; after all others, if that is unknown.
    fn end_position(&self) -> u32 {
        match self.ok() {
            Some(_) => self.operation.complete.unwrap_or(u32::MAX),
            None => u32::MAX,
        }
    }

    /// That it has another form than the workload's.
    fn wrong(&self, help: &'static str) -> Malformed {
        let Self { id, invoke, .. } = self;
        let value = self.ok().unwrap_or(&invoke.value);
        let reason = format!("operation {id}, `{}`, has the value {value}", invoke.f);
        Malformed::new(reason, help)
    }

    /// A list that it gave.
    fn list(&self, help: &'static str) -> Result<&'a [Value], Malformed> {
        let list = self.ok().and_then(Value::as_list);
        list.ok_or_else(|| self.wrong(help))
    }
}

#[cfg(test)]
mod tests;
