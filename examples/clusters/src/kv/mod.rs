//! A small replicated key-value store: one primary, synchronous replicas, a majority decides.
//!
//! Five nodes hold the same log of writes. `kv-0` is the primary, always: there is no election, so
//! while it is down the store is down. What there is to get right without one:
//!
//! - A write is acknowledged when a majority has it in memory that survives a crash. The primary
//!   is only one of the five: its own copy may be the slow one.
//! - A primary that restarts asks a majority for their logs before it serves, since what it
//!   acknowledged may be in theirs and not in its own.
//! - A read is answered when a majority has confirmed, after the read came, that it still follows
//!   this primary.
//! - A client that hears nothing asks again under the same number, and the write takes effect
//!   once: the session table, which says what each client was last told, is part of the replicated
//!   state.
//!
//! There is no simulated disk yet: a node's log lives in a small [`Nvram`].
//!
//! Read in this order. The program: [`message`], [`log`], [`store`], [`primary`] and [`replica`]
//! (pure: a message in, messages out), then [`primary_server`], [`replica_server`] and [`client`]
//! (sockets and timers, over [`frame`]). The test of it: [`nemesis`], [`history`], [`judge`],
//! [`world`].
//!
//! The way of recovering and of counting copies is that of Raft with the election left out
//! (Ongaro 2014, sections 3.5 and 3.6); sessions are those of its section 6.3.

pub mod message;

pub mod log;

pub mod store;

mod bug;
mod nvram;

pub mod primary;
pub mod replica;

pub mod frame;

pub mod primary_server;
pub mod replica_server;

pub mod client;

pub mod nemesis;

pub mod history;
pub mod judge;

pub mod world;

pub use bug::Bug;
pub use nvram::Nvram;
pub use world::{Planned, Report, config, run};
