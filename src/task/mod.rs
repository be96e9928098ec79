//! Tasks, in tokio's names: `spawn`, `JoinHandle`, `JoinSet`, `yield_now`, `spawn_blocking`.
//!
//! Floor 4. A task belongs to the node that spawned it and goes down with it.
//!
//! There is no `LocalSet`: every task is local, and [`spawn_local`] works wherever [`spawn`] does.

mod join_set;

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::task::Poll;

pub use crate::exec::{AbortHandle, JoinError, JoinHandle};
use crate::exec::{context, spawn_on};
pub use crate::kernel::TaskId as Id;
pub use join_set::JoinSet;

/// Spawns a task on the running node.
///
/// Unlike tokio's, the future need not be `Send`: a simulation has one thread.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let location = Location::caller();
    context::with(|context| spawn_on(context, context.current.node.get(), location, future))
}

/// The same as [`spawn`], for programs that name tokio's `spawn_local`.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    spawn(future)
}

/// Runs a blocking closure as a task of the running node.
///
/// It runs to its end in one poll, and its node runs nothing else for as long as the
/// configuration says that a blocking call takes. A closure that waits for another task can
/// therefore never end: that is a hang, which the watchdog reports.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + 'static,
    R: 'static,
{
    spawn(async move { block_in_place(closure) })
}

/// Runs a blocking closure at once; the running node runs nothing else, after this poll, for as
/// long as the configuration says that a blocking call takes.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn block_in_place<F, R>(closure: F) -> R
where
    F: FnOnce() -> R,
{
    let result = closure();
    context::alive(|context| {
        let node = context.current.node.get();
        context.world(|world| world.block(node));
    });
    result
}

/// Lets other ready tasks of the node run.
///
/// Under the random policy this task may be the next one again.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The running task's id.
///
/// # Panics
/// If this thread runs no simulation.
#[must_use]
#[track_caller]
pub fn id() -> Id {
    context::with(|context| context.current.task.get())
}

/// The running task's id; `None` if this thread runs no simulation.
#[must_use]
pub fn try_id() -> Option<Id> {
    context::try_with(|context| context.current.task.get())
}
