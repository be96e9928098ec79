//! Tests of the exploration, by a machine that does no more than it must.

mod engine;
mod entry;
mod log;
mod on_node;
mod states;
mod toy;
