//! Wakers that were used on a thread that does not run their simulation.
//!
//! That is an escape: the order of threads is decided by no seed. The tasks are kept here, since
//! they may only be dropped on their own thread, until their simulation collects them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use async_task::Runnable;

use super::task::TaskMeta;

static WOKEN: Mutex<Vec<Runnable<TaskMeta>>> = Mutex::new(Vec::new());
static ARRIVED: Condvar = Condvar::new();
/// Length of [`WOKEN`], so that asking costs one load when there are none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Keeps a task that was woken on a foreign thread.
pub(crate) fn wake(runnable: Runnable<TaskMeta>) {
    let mut woken = WOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    woken.push(runnable);
    COUNT.store(woken.len(), Ordering::Release);
    ARRIVED.notify_all();
}

/// Whether any simulation's task was woken on a foreign thread.
#[inline]
pub(crate) fn any() -> bool {
    COUNT.load(Ordering::Acquire) != 0
}

/// Takes the tasks of one simulation.
pub(crate) fn take(sim: u64) -> Vec<Runnable<TaskMeta>> {
    if !any() {
        return Vec::new();
    }
    let mut woken = WOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = woken
        .extract_if(.., |runnable| runnable.metadata().sim == sim)
        .collect();
    COUNT.store(woken.len(), Ordering::Release);
    mine
}

/// Waits for real time until a task of one simulation is woken by another thread, and takes those
/// that were; empty after `patience`.
pub(crate) fn wait(sim: u64, patience: Duration) -> Vec<Runnable<TaskMeta>> {
    let woken = WOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let none = |woken: &mut Vec<Runnable<TaskMeta>>| {
        !woken.iter().any(|runnable| runnable.metadata().sim == sim)
    };
    let waited = ARRIVED.wait_timeout_while(woken, patience, none);
    drop(waited);
    take(sim)
}
