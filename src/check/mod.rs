//! Judges of histories.

/// h
pub mod history;
mod table;
pub use history::{Event, History, Kind, Malformed, Mark, Operation, Recorder, Value};
