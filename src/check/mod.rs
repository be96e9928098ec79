//! Judges of histories: what clients asked and were told, checked against what a system promises.
//!
//! Floor 6. All here takes data and gives data: a history may come from a simulation, from a file,
//! or from a cluster of real machines. No judge knows a simulation, and none reads a clock.
//!
//! | question | judge |
//! |---|---|
//! | Could overlapping operations have happened one at a time? | [`check_linearizable`] with a
//! [`Model`] |
//! | Which isolation level do transactions have? | [`check_transactions`] |
//! | Does a workload keep its own property? | `check_bank`, `check_set_full`, and so on |

pub(crate) mod history;
mod judge;
mod linear;
mod table;
mod txn;
mod workloads;

#[cfg(test)]
mod testing;

pub use history::{Event, History, Kind, Malformed, Mark, Operation, Recorder, Value};
pub use judge::{Format, Judgement, MODELS, Question, judge_file};
pub use linear::*;
pub use txn::*;
pub use workloads::*;
