//! A set of tasks, joined in the order in which they end.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::Id;
use crate::exec::{AbortHandle, JoinError, JoinHandle, context, spawn_on};

/// Tasks that are joined in the order in which they end; dropping the set aborts them.
pub struct JoinSet<T> {
    /// By a number of the set's own; ordered, so that whatever walks it is deterministic.
    tasks: BTreeMap<u64, JoinHandle<T>>,
    next: u64,
    ended: Arc<Ended>,
}

/// Numbers of tasks that may have ended, in the order in which they said so.
#[derive(Default)]
struct Ended {
    state: Mutex<EndedState>,
}

#[derive(Default)]
struct EndedState {
    numbers: VecDeque<u64>,
    waker: Option<Waker>,
}

/// Wakes the set and tells which task it was.
struct Member {
    number: u64,
    ended: Arc<Ended>,
}

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut state = self.ended.lock();
            state.numbers.push_back(self.number);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Ended {
    fn lock(&self) -> std::sync::MutexGuard<'_, EndedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tasks: BTreeMap::new(),
            next: 0,
            ended: Arc::default(),
        }
    }

    /// Number of tasks that have not been joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all tasks have been joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Aborts all tasks; they are still to be joined.
    pub fn abort_all(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }

    /// Lets all tasks go on without the set.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
        self.ended.lock().numbers.clear();
    }

    fn add(&mut self, mut task: JoinHandle<T>) -> AbortHandle {
        let abort = task.abort_handle();
        let number = self.next;
        self.next += 1;
        // This poll registers a waker, so that the set knows in which order its tasks end. Only a
        // task that could not be spawned is ready by now.
        let waker = self.waker(number);
        if Pin::new(&mut task)
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            self.ended.lock().numbers.push_back(number);
        }
        self.tasks.insert(number, task);
        abort
    }

    fn waker(&self, number: u64) -> Waker {
        Waker::from(Arc::new(Member {
            number,
            ended: self.ended.clone(),
        }))
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the running node and adds it to the set.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let location = Location::caller();
        let task = context::with(|context| {
            spawn_on(context, context.current.node.get(), location, future)
        });
        self.add(task)
    }

    /// The same as [`spawn`](Self::spawn), for programs that name tokio's `spawn_local`.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.spawn(future)
    }

    /// Runs a blocking closure as a task and adds it to the set; see
    /// [`spawn_blocking`](super::spawn_blocking).
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, closure: F) -> AbortHandle
    where
        F: FnOnce() -> T + 'static,
    {
        self.spawn(async move { super::block_in_place(closure) })
    }

    /// The output of the next task to end; `None` if the set is empty. Cancel safe.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's id.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The output of a task that has ended, if one has.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        Some(self.try_join_next_with_id()?.map(|(_, output)| output))
    }

    /// As [`try_join_next`](Self::try_join_next), with the task's id.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        match self.poll_join_next_with_id(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended,
            Poll::Pending => None,
        }
    }

    /// Polls for the next task to end.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|ended| ended.map(|result| result.map(|(_, output)| output)))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the task's id.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            let number = {
                let mut state = self.ended.lock();
                match state.numbers.pop_front() {
                    Some(number) => number,
                    None => {
                        // `try_join_next` asks with a waker that does nothing, which must not
                        // replace that of a task that waits.
                        if !cx.waker().will_wake(Waker::noop()) {
                            state.waker = Some(cx.waker().clone());
                        }
                        return Poll::Pending;
                    }
                }
            };
            let waker = self.waker(number);
            let Some(task) = self.tasks.get_mut(&number) else {
                continue;
            };
            let id = task.id();
            if let Poll::Ready(output) = Pin::new(task).poll(&mut Context::from_waker(&waker)) {
                self.tasks.remove(&number);
                return Poll::Ready(Some(output.map(|output| (id, output))));
            }
        }
    }

    /// Aborts all tasks and waits for their ends.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Joins all tasks, in the order in which they end.
    ///
    /// # Panics
    /// With the panic of a task that panicked, or if one was cancelled.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(output) = self.join_next().await {
            match output {
                Ok(output) => outputs.push(output),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => panic!("{error}"),
            }
        }
        outputs
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + 'static,
    T: 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + 'static,
    T: 'static,
{
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
