//! A meeting point for a fixed number of tasks, as `tokio::sync::Barrier`.
//!
//! Owns the count of those that have arrived. It must never know which task is which.
//!
//! tokio's own is built on its `watch`, which wakes in random order.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Lets `n` tasks wait for each other.
///
/// The first `n - 1` to call [`wait`](Self::wait) are held until the `n`th does. They are then
/// woken in the order in which they began to wait, and the barrier is ready for the next `n`.
///
/// # Example
/// ```
/// # async fn example() {
/// let barrier = stormglass::sync::Barrier::new(2);
/// let (first, second) = stormglass::join!(biased; barrier.wait(), barrier.wait());
/// assert!(!first.is_leader());
/// assert!(second.is_leader());
/// # }
/// # use futures::FutureExt;
/// # let mut example = Box::pin(example());
/// # assert!(example.as_mut().now_or_never().is_none());
/// # example.now_or_never().unwrap();
/// ```
pub struct Barrier {
    n: usize,
    /// How many of the current generation have arrived; below `n` whenever it is not locked.
    arrived: Mutex<usize>,
    released: Notify,
}

impl Barrier {
    /// A barrier for `n` tasks. As in std and tokio, 0 means the same as 1: nobody ever waits.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            n: n.max(1),
            arrived: Mutex::new(0),
            released: Notify::new(),
        }
    }

    /// Waits until `n` tasks have called this.
    ///
    /// The last one to arrive is the [leader](BarrierWaitResult::is_leader).
    ///
    /// # Cancel safety
    /// Not cancel safe, as in tokio: a call that was polled once has arrived, even if its future is
    /// dropped before the others come.
    pub async fn wait(&self) -> BarrierWaitResult {
        let released = {
            let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            *arrived += 1;
            if *arrived == self.n {
                *arrived = 0;
                // Still locked: who arrives from now on belongs to the next generation, and asks
                // for its own release only after this one.
                self.released.notify_waiters();
                return BarrierWaitResult(true);
            }
            self.released.notified()
        };
        released.await;
        BarrierWaitResult(false)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not derived: the waiters inside `Notify` would print as addresses.
        f.debug_struct("Barrier")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] gives: whether this task is the one that opened the barrier.
#[derive(Debug, Clone)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for exactly one of each `n` tasks, the last to arrive.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
