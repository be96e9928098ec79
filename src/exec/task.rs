//! Tasks: spawning, joining, aborting, and the table of what a node runs.

use core::fmt;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use async_task::{Builder, FallibleTask, Runnable, ScheduleInfo, WithInfo};

use super::context::{self, Context};
use super::foreign;
use super::panics;
use super::ready::ReadyTask;
use crate::kernel::{Kind, NodeId, Step, TaskId};

/// What a task carries beside its future; seen by the schedule function and the executor.
pub(crate) struct TaskMeta {
    /// The simulation that it belongs to.
    pub(crate) sim: u64,
    pub(crate) node: NodeId,
    pub(crate) incarnation: u32,
    pub(crate) id: TaskId,
    /// Its place in the node's table.
    pub(crate) slot: u32,
    /// What the scheduling policy thinks of it. Atomic only because wakers are `Sync`.
    pub(crate) rank: AtomicU64,
}

/// The unfinished tasks of one node.
#[derive(Default)]
pub(crate) struct TaskTable {
    slots: Vec<Option<TaskEntry>>,
    free: Vec<u32>,
}

/// One unfinished task.
pub(crate) struct TaskEntry {
    pub(crate) id: TaskId,
    pub(crate) location: &'static Location<'static>,
    /// Asked to abort.
    pub(crate) aborted: bool,
    /// `None` only while the task is being made.
    waker: Option<Waker>,
}

impl TaskTable {
    /// Number of unfinished tasks.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The unfinished tasks, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TaskEntry> {
        self.slots.iter().flatten()
    }

    /// The wakers of all unfinished tasks, in the order of spawning.
    pub(crate) fn into_wakers(self) -> Vec<Waker> {
        let mut entries: Vec<_> = self.slots.into_iter().flatten().collect();
        entries.sort_by_key(|entry| entry.id);
        entries
            .into_iter()
            .filter_map(|entry| entry.waker)
            .collect()
    }

    fn insert(&mut self, id: TaskId, location: &'static Location<'static>) -> u32 {
        let entry = Some(TaskEntry {
            id,
            location,
            aborted: false,
            waker: None,
        });
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = entry;
            return slot;
        }
        self.slots.push(entry);
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 tasks on a node")
    }

    pub(crate) fn get_mut(&mut self, slot: u32, id: TaskId) -> Option<&mut TaskEntry> {
        let entry = self.slots.get_mut(slot as usize)?.as_mut()?;
        (entry.id == id).then_some(entry)
    }

    fn remove(&mut self, slot: u32, id: TaskId) -> Option<TaskEntry> {
        self.get_mut(slot, id)?;
        self.free.push(slot);
        self.slots[slot as usize].take()
    }
}

/// Spawns `future` on a node. In a dead context, or on a node that is not running, nothing is
/// spawned and the handle reports a cancelled task.
pub(crate) fn spawn_on<F>(
    context: &Rc<Context>,
    node: NodeId,
    location: &'static Location<'static>,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let registered = if context.current.dead.get() {
        None
    } else {
        register(context, node, location)
    };
    let Some((meta, registration, step)) = registered else {
        return JoinHandle {
            task: None,
            abort: None,
        };
    };
    let id = meta.id;
    let abort = AbortHandle {
        sim: meta.sim,
        node,
        slot: meta.slot,
        id,
    };
    let body = TaskFuture {
        future: Some(future),
        registration,
    };
    let (runnable, task) = Builder::new().metadata(meta).spawn_local(
        move |_| body,
        WithInfo(schedule as fn(Runnable<TaskMeta>, ScheduleInfo)),
    );
    let waker = runnable.waker();
    context
        .world
        .borrow_mut()
        .node_mut(node)
        .tasks
        .set_waker(abort.slot, waker);
    // The first poll is caused by the spawn.
    let before = context.current.step.replace(step);
    runnable.schedule();
    context.current.step.set(before);
    JoinHandle {
        task: Some(task.fallible()),
        abort: Some(abort),
    }
}

fn register(
    context: &Context,
    node: NodeId,
    location: &'static Location<'static>,
) -> Option<(TaskMeta, Registration, Step)> {
    context.world(|world| {
        if !world.node(node).process.is_alive() {
            return None;
        }
        let id = world.next_task();
        let step = world.base.record(node, Kind::TaskSpawned, id.number(), 0);
        let (place, base) = world.node_and_base(node);
        let slot = place.tasks.insert(id, location);
        let incarnation = place.process.incarnation();
        let rank = AtomicU64::new(place.policy.rank(&mut base.choices));
        if let Some(progress) = &context.progress {
            progress.spawned(node, slot, id, location);
        }
        let meta = TaskMeta {
            sim: context.id,
            node,
            incarnation,
            id,
            slot,
            rank,
        };
        Some((
            meta,
            Registration {
                node,
                incarnation,
                id,
                slot,
            },
            step,
        ))
    })
}

impl TaskTable {
    fn set_waker(&mut self, slot: u32, waker: Waker) {
        if let Some(entry) = &mut self.slots[slot as usize] {
            entry.waker = Some(waker);
        }
    }
}

/// Puts a woken task into its node's ready list; called by wakers, on any thread.
fn schedule(runnable: Runnable<TaskMeta>, info: ScheduleInfo) {
    let sim = runnable.metadata().sim;
    let mut runnable = Some(runnable);
    context::try_with(|context| {
        if context.id == sim
            && let Some(runnable) = runnable.take()
        {
            context.make_ready(runnable, info.woken_while_running);
        }
    });
    if let Some(runnable) = runnable {
        foreign::wake(runnable);
    }
}

impl Context {
    #[inline]
    pub(crate) fn make_ready(&self, runnable: Runnable<TaskMeta>, yielded: bool) {
        let task = ReadyTask {
            runnable,
            cause: self.current.step.get(),
        };
        if yielded && let Ok(mut world) = self.world.try_borrow_mut() {
            let node = task.runnable.metadata().node;
            world.node_mut(node).policy.yielded(&task);
        }
        self.ready.borrow_mut().push(task);
    }
}

pin_project_lite::pin_project! {
    /// What the executor polls: the spawned future, with its panics caught and its end noted.
    struct TaskFuture<F> {
        #[pin]
        future: Option<F>,
        registration: Registration,
    }

    impl<F> PinnedDrop for TaskFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            // A panic must not leave this destructor: `async-task` would abort the process.
            let mut this = this.project();
            if this.future.is_some() {
                let id = this.registration.id;
                panics::drop_dead(|| this.future.set(None), id);
            }
        }
    }
}

impl<F: Future> Future for TaskFuture<F> {
    type Output = Returned<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let id = this.registration.id;
        if this.registration.is_aborted() {
            let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
            return Poll::Ready(Returned::new(dropped.map_or_else(
                |payload| Err(JoinError::panicked(id, payload)),
                |()| Err(JoinError { id, payload: None }),
            )));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = this.future.as_mut().as_pin_mut();
            let polled = future.expect("a task is not polled after its end").poll(cx);
            if polled.is_ready() {
                // The future's own destructors belong to this poll, and to its node.
                this.future.set(None);
            }
            polled
        }));
        match polled {
            Ok(polled) => polled.map(|output| Returned::new(Ok(output))),
            Err(payload) => Poll::Ready(Returned::new(Err(JoinError::panicked(id, payload)))),
        }
    }
}

/// What a task returned, until somebody takes it.
///
/// Nobody takes that of a detached task. A panic of its destructor must not reach `async-task`,
/// which would abort the process: it is judged as a panic of the task.
struct Returned<T> {
    result: Option<Result<T, JoinError>>,
}

impl<T> Returned<T> {
    const fn new(result: Result<T, JoinError>) -> Self {
        Self {
            result: Some(result),
        }
    }

    fn take(mut self) -> Result<T, JoinError> {
        self.result.take().expect("it is taken once")
    }
}

impl<T> Drop for Returned<T> {
    fn drop(&mut self) {
        let Some(Ok(output)) = self.result.take() else {
            return;
        };
        if !std::mem::needs_drop::<T>() {
            return;
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(output))) {
            panics::in_running_task(&*payload);
        }
    }
}

/// A task's entry in its node's table, removed with the task.
struct Registration {
    node: NodeId,
    incarnation: u32,
    id: TaskId,
    slot: u32,
}

impl Registration {
    /// Whether the task was asked to abort. Looks it up only when some task was.
    #[inline]
    fn is_aborted(&self) -> bool {
        context::with(|context| {
            if context.aborts.get() == 0 {
                return false;
            }
            let mut world = context.world.borrow_mut();
            let entry = world.node_mut(self.node).tasks.get_mut(self.slot, self.id);
            let aborted = entry.is_some_and(|entry| entry.aborted);
            if aborted {
                world.base.cause = context.current.step.get();
                world
                    .base
                    .record(self.node, Kind::TaskAborted, self.id.number(), 0);
            }
            aborted
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        context::try_with(|context| {
            let removed = {
                let mut world = context.world.borrow_mut();
                let node = world.node_mut(self.node);
                if node.process.incarnation() == self.incarnation {
                    node.tasks.remove(self.slot, self.id)
                } else {
                    None
                }
            };
            if removed.as_ref().is_some_and(|entry| entry.aborted) {
                context.aborts.set(context.aborts.get() - 1);
            }
            // Its waker goes when the world is no longer borrowed.
            drop(removed);
        });
    }
}

/// An owned permission to join a task: await it for the task's output. Dropping it detaches the
/// task.
///
/// Like tokio's, but that tasks need not be `Send`.
pub struct JoinHandle<T> {
    task: Option<FallibleTask<Returned<T>, TaskMeta>>,
    abort: Option<AbortHandle>,
}

impl<T> JoinHandle<T> {
    /// Asks the task to end: its future is dropped when it would next be polled.
    pub fn abort(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }

    /// A handle that can abort the task, and nothing else.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone().unwrap_or(AbortHandle {
            sim: 0,
            node: NodeId::TEST,
            slot: 0,
            id: TaskId::NEVER_SPAWNED,
        })
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(FallibleTask::is_finished)
    }

    /// The task's id; [`TaskId::NEVER_SPAWNED`] if its node was not running.
    #[must_use]
    pub fn id(&self) -> TaskId {
        let abort = self.abort.as_ref();
        abort.map_or(TaskId::NEVER_SPAWNED, |abort| abort.id)
    }
}

// As tokio's, whatever the output is.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let id = self.id();
        let cancelled = JoinError { id, payload: None };
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(cancelled));
        };
        Pin::new(task)
            .poll(cx)
            .map(|output| output.map_or(Err(cancelled), Returned::take))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .finish()
    }
}

/// An owned permission to abort a task.
#[derive(Clone, Debug)]
pub struct AbortHandle {
    sim: u64,
    node: NodeId,
    slot: u32,
    id: TaskId,
}

impl AbortHandle {
    /// Asks the task to end: its future is dropped when it would next be polled. Does nothing if
    /// it has ended.
    pub fn abort(&self) {
        context::try_with(|context| {
            if context.id != self.sim || context.current.dead.get() {
                return;
            }
            let waker = {
                let mut world = context.world.borrow_mut();
                let tasks = &mut world.node_mut(self.node).tasks;
                let Some(entry) = tasks.get_mut(self.slot, self.id) else {
                    return;
                };
                if entry.aborted {
                    return;
                }
                entry.aborted = true;
                entry.waker.clone()
            };
            context.aborts.set(context.aborts.get() + 1);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        context::try_with(|context| {
            let mut world = context.world.borrow_mut();
            context.id != self.sim
                || world
                    .node_mut(self.node)
                    .tasks
                    .get_mut(self.slot, self.id)
                    .is_none()
        })
        .unwrap_or(true)
    }

    /// The task's id.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }
}

/// Why a task gave no output: it panicked, or it was cancelled (aborted, or its node went down).
pub struct JoinError {
    id: TaskId,
    /// In a mutex only so that the error is `Sync`, as tokio's is.
    payload: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    /// Judges the panic of a task, and is the error that whoever joins it sees.
    fn panicked(id: TaskId, payload: Box<dyn Any + Send>) -> Self {
        panics::in_task(id, &*payload);
        Self {
            id,
            payload: Some(Mutex::new(payload)),
        }
    }

    /// Whether the task was aborted or its node went down.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        self.payload.is_none()
    }

    /// Whether the task panicked.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.payload.is_some()
    }

    /// The task's id.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The value with which the task panicked.
    ///
    /// # Panics
    /// If the task did not panic; see [`try_into_panic`](Self::try_into_panic).
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.try_into_panic()
            .expect("the task did not panic: ask `is_panic` first")
    }

    /// The value with which the task panicked.
    ///
    /// # Errors
    /// `self` if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.payload {
            Some(payload) => Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(Self {
                id: self.id,
                payload: None,
            }),
        }
    }
}

impl JoinError {
    fn message(&self) -> Option<String> {
        let payload = self
            .payload
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(panics::message(&**payload))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => write!(f, "task {} was cancelled", self.id),
            Some(message) => write!(f, "task {} panicked with message {message:?}", self.id),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => write!(f, "JoinError::Cancelled({})", self.id),
            Some(message) => write!(f, "JoinError::Panic({}, {message:?})", self.id),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(match error.payload {
            None => "task was cancelled",
            Some(_) => "task panicked",
        })
    }
}
