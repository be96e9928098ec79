//! Channels, locks and signals between tasks, in the names of `tokio::sync`.
//!
//! Owns the choice, item by item, between tokio's own type and one written here. It must never know
//! the simulation: nothing in this module reads a clock, draws a number or touches the executor; it
//! only wakes wakers.
//!
//! # What comes from tokio, and why it may
//!
//! An item of tokio may be used in a simulation if it needs no runtime and wakes its waiters in an
//! order that depends on nothing but the calls made. Read in the source of tokio 1.54.1, which has
//! one generator of random numbers (`context::thread_rng_n`, one for each thread and seeded from a
//! counter of the process) and one budget of the cooperative scheduler (`task::coop`):
//!
//! | item | who is woken first | generator | budget |
//! |---|---|---|---|
//! | [`Semaphore`] | the longest waiting (intrusive list) | no | asked, without limit |
//! | [`Mutex`], [`RwLock`], [`OnceCell`] | as `Semaphore`, which they are made of | no | the same |
//! | [`mpsc`] | one receiver; senders as `Semaphore` | no | asked, without limit |
//! | [`oneshot`] | one waiter on each side | no | asked, without limit |
//! | [`broadcast`] | the longest waiting (intrusive list) | no | asked, without limit |
//! | [`Notify`] | the longest waiting; `notify_last` the last | no | not asked |
//! | [`SetOnce`] | as `Notify`, which it is made of | no | not asked |
//! | `watch` | a **random** one of eight lists, with feature `rt` or `macros` | **yes** | asked |
//! | `Barrier` | as `watch`, which it is made of | **yes** | asked |
//!
//! Features unify over a build, so any dependency may switch `rt` on. Therefore [`watch`] and
//! [`Barrier`] are written here: same names, same behaviour, and all waiters in one list.
//!
//! *Without limit*: tokio gives a budget of 128 operations to a poll made by its own scheduler, by
//! its `block_on` or by its `LocalSet`. On any other thread the budget is unlimited from the start
//! and charging it does nothing, so a task of a simulation never sees the forced `Pending`.
//! (A simulation that is run *inside* a tokio task would: give it a thread of its own.)
//!
//! # Fidelity
//!
//! - The methods named `blocking_*` stop the only thread that the simulation has. They work when
//!   they need not wait; if they must, the run ends as a hang.
//! - `mpsc::Sender::send_timeout` needs tokio's timer and panics: wrap
//!   [`send`](mpsc::Sender::send) in the simulation's own `timeout`.
//! - The `Debug` form of some of tokio's types shows addresses, which differ between runs. Do not
//!   let it decide anything.

mod barrier;
pub mod watch;

#[cfg(test)]
mod tests;

pub use barrier::{Barrier, BarrierWaitResult};
pub use tokio::sync::{
    AcquireError, MappedMutexGuard, Mutex, MutexGuard, Notify, OnceCell, OwnedMappedMutexGuard,
    OwnedMutexGuard, OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard,
    OwnedSemaphorePermit, RwLock, RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
    Semaphore, SemaphorePermit, SetError, SetOnce, SetOnceError, TryAcquireError, TryLockError,
    broadcast, futures, mpsc, oneshot,
};
