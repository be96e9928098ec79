//! A channel that keeps only the last value sent, as `tokio::sync::watch`.
//!
//! Owns the value, its version and the counts of handles. It must never know who waits: waiters are
//! in two lists of `Notify`, which wakes them in the order in which they began to wait.
//!
//! tokio's own spreads its receivers over eight lists and picks the list at random, to keep
//! threads from contending for a lock. In a simulation that would let the process decide who runs
//! first.
//!
//! # Fidelity
//!
//! Where tokio's would stop the thread until a [`Ref`] is dropped, this one panics: a simulation
//! has one thread, so the wait would never end.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use tokio::sync::Notify;

/// Makes a channel that holds `init`, which the receiver counts as seen.
///
/// # Example
/// ```
/// # async fn example() {
/// let (tx, mut rx) = stormglass::sync::watch::channel(1);
/// tx.send(2).unwrap();
/// rx.changed().await.unwrap();
/// assert_eq!(*rx.borrow(), 2);
/// # }
/// # futures::FutureExt::now_or_never(example()).unwrap();
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(init);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// The half that sets the value. When the last clone is dropped, the channel is closed.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A channel that has no receiver yet.
    pub fn new(init: T) -> Self {
        let shared = Shared {
            value: RwLock::new(init),
            version: AtomicU64::new(0),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(0),
            changed: Notify::new(),
            abandoned: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Sets the value and wakes the receivers that wait for a change.
    ///
    /// # Errors
    /// Gives the value back if there is no receiver. It is then not stored.
    ///
    /// # Panics
    /// If a [`Ref`] of this channel is alive.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), error::SendError<T>> {
        if self.is_closed() {
            return Err(error::SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Changes the value in place and wakes the receivers that wait for a change, also when there
    /// are none.
    ///
    /// # Panics
    /// If `modify` does; its changes then stay, and nobody is woken. If a [`Ref`] of this channel
    /// is alive.
    #[track_caller]
    pub fn send_modify<F>(&self, modify: F)
    where
        F: FnOnce(&mut T),
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value in place; the receivers see a change only if `modify` returns true. Gives
    /// what `modify` returned.
    ///
    /// # Panics
    /// If `modify` does; its changes then stay, and nobody is woken. If a [`Ref`] of this channel
    /// is alive.
    #[track_caller]
    pub fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let mut value = self.shared.write();
        let modified = modify(&mut value);
        if modified {
            // Still locked, so that a reader knows which version it looks at.
            self.shared.version.fetch_add(1, Ordering::Release);
        }
        drop(value);
        if modified {
            self.shared.changed.notify_waiters();
        }
        modified
    }

    /// Sets the value, wakes the receivers that wait for a change, also when there are none, and
    /// gives the value it replaced.
    ///
    /// # Panics
    /// If a [`Ref`] of this channel is alive.
    #[track_caller]
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|old| std::mem::swap(old, &mut value));
        value
    }

    /// The value. Sending panics as long as the [`Ref`] is alive.
    ///
    /// # Panics
    /// If called while [`send_modify`](Self::send_modify) runs its closure.
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref {
            value: self.shared.read(),
            has_changed: false,
        }
    }

    /// Whether all receivers are gone. [`subscribe`](Self::subscribe) opens the channel again.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until all receivers are gone. If a new one comes before this task runs again, it goes
    /// on waiting.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is lost if the future is dropped.
    pub async fn closed(&self) {
        while !self.is_closed() {
            // First ask to be told, then look again: the last receiver may go in between.
            let abandoned = self.shared.abandoned.notified();
            if self.is_closed() {
                return;
            }
            abandoned.await;
        }
    }

    /// A new receiver, which counts the current value as seen.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.shared.version())
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.load(Ordering::Relaxed)
    }

    /// How many senders there are, this one included.
    pub fn sender_count(&self) -> usize {
        self.shared.senders.load(Ordering::Relaxed)
    }

    /// Whether both send to one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.changed.notify_waiters();
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("shared", &self.shared)
            .finish()
    }
}

/// The half that reads the value and waits for it to change.
///
/// Each receiver remembers which version it has seen; a clone has seen the same.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    fn new(shared: &Arc<Shared<T>>, seen: u64) -> Self {
        shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(shared),
            seen,
        }
    }

    /// The value, without marking it as seen. Sending panics as long as the [`Ref`] is alive.
    ///
    /// # Panics
    /// If called while [`Sender::send_modify`] runs its closure.
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        let value = self.shared.read();
        Ref {
            value,
            has_changed: self.shared.version() != self.seen,
        }
    }

    /// The value, now seen. Sending panics as long as the [`Ref`] is alive.
    ///
    /// # Panics
    /// If called while [`Sender::send_modify`] runs its closure.
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.shared.read_and_see(&mut self.seen)
    }

    /// Whether the value is one that this receiver has not seen.
    ///
    /// # Errors
    /// If the channel is closed, whether or not the last value was seen.
    pub fn has_changed(&self) -> Result<bool, error::RecvError> {
        if self.is_closed() {
            return Err(error::RecvError(()));
        }
        Ok(self.shared.version() != self.seen)
    }

    /// Whether all senders are gone.
    pub fn is_closed(&self) -> bool {
        self.shared.senders.load(Ordering::Acquire) == 0
    }

    /// Makes the current value count as not seen.
    pub fn mark_changed(&mut self) {
        // Any version that is not the current one will do; older ones never come back.
        self.seen = self.seen.wrapping_sub(1);
    }

    /// Makes the current value count as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version();
    }

    /// Waits for a value that this receiver has not seen, and marks it as seen.
    ///
    /// # Errors
    /// If the channel is closed and its last value was seen.
    ///
    /// # Cancel safety
    /// Cancel safe: a value is marked as seen only when this completes.
    pub async fn changed(&mut self) -> Result<(), error::RecvError> {
        changed(&self.shared, &mut self.seen).await
    }

    /// Waits for a value that `is_wanted` accepts, beginning with the current one, seen or not. All
    /// values looked at are marked as seen.
    ///
    /// # Errors
    /// If the channel is closed and its last value is not wanted.
    ///
    /// # Panics
    /// If `is_wanted` does. If polled while [`Sender::send_modify`] runs its closure.
    ///
    /// # Cancel safety
    /// Cancel safe: a later call begins with the value that is current then.
    pub async fn wait_for(
        &mut self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, error::RecvError> {
        loop {
            {
                let value = self.shared.read_and_see(&mut self.seen);
                if is_wanted(&value) {
                    return Ok(value);
                }
            }
            changed(&self.shared, &mut self.seen).await?;
        }
    }

    /// Whether both read from one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(&self.shared, self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.shared.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.abandoned.notify_waiters();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen;
        f.debug_struct("Receiver")
            .field("shared", &self.shared)
            .field("seen", &seen)
            .finish()
    }
}

/// A look at the value. Drop it soon, and never hold it over an `.await`.
#[derive(Debug)]
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
    has_changed: bool,
}

impl<T> Ref<'_, T> {
    /// Whether the receiver that was borrowed had not seen this value. False if borrowed from the
    /// sender.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

pub mod error {
    //! What sending and receiving can fail with.

    use std::error::Error;
    use std::fmt;

    pub use tokio::sync::watch::error::SendError;

    /// All senders are gone.
    #[derive(Debug, Clone)]
    pub struct RecvError(pub(super) ());

    impl fmt::Display for RecvError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("channel closed")
        }
    }

    impl Error for RecvError {}
}

struct Shared<T> {
    value: RwLock<T>,
    /// Raised by one, under the lock of `value`, each time that receivers are to see a change.
    version: AtomicU64,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    /// Told when `version` has risen and when the last sender is gone.
    changed: Notify,
    /// Told when the last receiver is gone.
    abandoned: Notify,
}

impl<T> Shared<T> {
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    #[track_caller]
    fn read_and_see(&self, seen: &mut u64) -> Ref<'_, T> {
        let value = self.read();
        let version = self.version();
        let has_changed = version != *seen;
        *seen = version;
        Ref { value, has_changed }
    }

    /// A panic inside `modify` leaves its changes and a poisoned lock; tokio's watch goes on.
    #[track_caller]
    fn read(&self) -> RwLockReadGuard<'_, T> {
        match self.value.try_read() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => panic!(
                "this watch channel is being modified, so reading it would wait forever: do not \
                 use the channel inside the closure of `send_modify` or `send_if_modified`"
            ),
        }
    }

    #[track_caller]
    fn write(&self) -> RwLockWriteGuard<'_, T> {
        match self.value.try_write() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => panic!(
                "a `Ref` of this watch channel is alive, so sending would wait forever: drop it \
                 before you send, and never hold it over an `.await`"
            ),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not derived: the waiters inside `Notify` would print as addresses.
        f.debug_struct("Shared")
            .field("value", &self.value)
            .field("version", &self.version)
            .field("senders", &self.senders)
            .field("receivers", &self.receivers)
            .finish_non_exhaustive()
    }
}

/// [`Receiver::changed`], with the receiver in two parts: [`Receiver::wait_for`] may still be
/// lending out the first when it comes here.
async fn changed<T>(shared: &Shared<T>, seen: &mut u64) -> Result<(), error::RecvError> {
    loop {
        // First ask to be told, then look: a change in between is not missed.
        let changed = shared.changed.notified();

        // The senders are counted before the version is read, since the last thing that a sender
        // does may be to send.
        let is_closed = shared.senders.load(Ordering::Acquire) == 0;
        let version = shared.version();
        if version != *seen {
            *seen = version;
            return Ok(());
        }
        if is_closed {
            return Err(error::RecvError(()));
        }
        changed.await;
    }
}
