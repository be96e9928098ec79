//! Example clusters and a log, each with the faults that it must survive and bugs that it must not
//! have.
//!
//! The examples run them for people and `sim-tests` runs them for the record, so both are made of
//! this one library.

pub mod kv;
pub mod wal;
