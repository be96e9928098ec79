//! The simulation that this thread runs, and the task that it is running.
//!
//! Owns the one thread-local of the executor. Handles of floor 4 call [`with`] and [`world`];
//! nothing below this floor does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use super::driver::{Ending, Limits};
use super::invariant::Invariants;
use super::progress::Progress;
use super::ready::Ready;
use super::world::{Settings, World};
use crate::kernel::{NodeId, SimTime, Step, TaskId, Trace};
use crate::model::disk::Disks;
use crate::model::net::Fabric;

thread_local! {
    static CONTEXT: RefCell<Option<Rc<Context>>> = const { RefCell::new(None) };
}

/// Tells simulations of one process apart, so that a waker or handle of one is never taken for
/// another's. Only compared, never ordered or printed.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One simulation, on the thread that runs it.
pub(crate) struct Context {
    pub(crate) id: u64,
    pub(crate) current: Current,
    pub(crate) ready: RefCell<Ready>,
    pub(crate) world: RefCell<World>,
    pub(crate) limits: Limits,
    /// The test's main task has ended.
    pub(crate) finished: Cell<bool>,
    /// What must hold of the whole simulation.
    pub(super) invariants: Invariants,
    /// Nodes that end as soon as the running poll returns.
    pub(crate) ending: RefCell<Vec<Ending>>,
    /// How many unfinished tasks were asked to abort.
    pub(crate) aborts: Cell<usize>,
    /// Polls since virtual time moved.
    pub(crate) polls: Cell<u64>,
    /// Tells the watchdog what is running.
    pub(crate) progress: Option<Arc<Progress>>,
}

/// What is running.
pub(crate) struct Current {
    pub(crate) node: Cell<NodeId>,
    pub(crate) task: Cell<TaskId>,
    pub(crate) incarnation: Cell<u32>,
    pub(crate) step: Cell<Step>,
    /// The running code belongs to an incarnation that has ended: nothing it does may reach the
    /// network, the disk or the trace.
    pub(crate) dead: Cell<bool>,
}

/// A saved [`Current`], to be put back.
#[derive(Clone, Copy)]
pub(crate) struct Saved {
    node: NodeId,
    task: TaskId,
    incarnation: u32,
    step: Step,
    dead: bool,
}

impl Current {
    pub(crate) fn save(&self) -> Saved {
        Saved {
            node: self.node.get(),
            task: self.task.get(),
            incarnation: self.incarnation.get(),
            step: self.step.get(),
            dead: self.dead.get(),
        }
    }

    pub(crate) fn restore(&self, saved: Saved) {
        self.node.set(saved.node);
        self.task.set(saved.task);
        self.incarnation.set(saved.incarnation);
        self.step.set(saved.step);
        self.dead.set(saved.dead);
    }
}

impl Context {
    pub(crate) fn new(
        seed: u64,
        settings: Settings,
        limits: Limits,
        trace: Trace,
        (net, disks): (Fabric, Disks),
        progress: Option<Arc<Progress>>,
    ) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            current: Current {
                node: Cell::new(NodeId::TEST),
                task: Cell::new(TaskId::new(0)),
                incarnation: Cell::new(0),
                step: Cell::new(Step::new(0)),
                dead: Cell::new(false),
            },
            ready: RefCell::default(),
            world: RefCell::new(World::new(seed, settings, trace, net, disks)),
            limits,
            finished: Cell::new(false),
            invariants: Invariants::default(),
            ending: RefCell::default(),
            aborts: Cell::new(0),
            polls: Cell::new(0),
            progress,
        }
    }

    /// Calls `f` with the world, then the wakers that it asked for.
    ///
    /// `f` must not call a program's code; wakers may, which is why they wait.
    #[inline]
    pub(crate) fn world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.borrow_mut();
        world.base.cause = self.current.step.get();
        let result = f(&mut world);
        if world.base.woken.is_empty() {
            return result;
        }
        let step = world.base.cause;
        let mut woken = std::mem::take(&mut world.base.woken);
        drop(world);
        self.wake_all(&mut woken, step);
        // Keeps the capacity, unless a waker has put others there.
        let mut world = self.world.borrow_mut();
        if world.base.woken.is_empty() {
            world.base.woken = woken;
        }
        result
    }

    /// Calls the wakers with `step` as the cause of what they wake.
    fn wake_all(&self, woken: &mut Vec<Waker>, step: Step) {
        let before = self.current.step.replace(step);
        for waker in woken.drain(..) {
            waker.wake();
        }
        self.current.step.set(before);
    }

    pub(crate) fn now(&self) -> SimTime {
        self.world.borrow().base.now
    }
}

/// The trace of a simulation that is over.
pub(crate) fn into_trace(context: Rc<Context>) -> Trace {
    let trace = std::mem::take(&mut context.world.borrow_mut().base.trace);
    // Factories and what they captured go when the world is no longer borrowed.
    drop(context);
    trace
}

/// Makes `context` the simulation of this thread until the guard is dropped.
///
/// # Panics
/// If this thread runs a simulation already.
#[track_caller]
pub(crate) fn enter(context: Rc<Context>) -> Entered {
    CONTEXT.with(|slot| {
        assert!(
            slot.borrow().is_none(),
            "a simulation cannot be started inside a simulation: run it in the test itself"
        );
        *slot.borrow_mut() = Some(context);
    });
    Entered(())
}

/// Ends the simulation of this thread when dropped.
pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let context = CONTEXT.with(|slot| slot.borrow_mut().take());
        drop(context);
    }
}

/// Calls `f` with the simulation of this thread, if there is one.
#[inline]
pub(crate) fn try_with<R>(f: impl FnOnce(&Rc<Context>) -> R) -> Option<R> {
    CONTEXT
        .try_with(|slot| slot.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

/// Calls `f` with the simulation of this thread.
///
/// # Panics
/// If this thread runs no simulation.
#[inline]
#[track_caller]
pub(crate) fn with<R>(f: impl FnOnce(&Rc<Context>) -> R) -> R {
    match try_with(f) {
        Some(result) => result,
        None => panic!(
            "there is no simulation on this thread: call this from a task of a simulated node, \
             in a function marked #[stormglass::test] or passed to stormglass::run"
        ),
    }
}

/// Calls `f` with the world of this thread's simulation and the running node.
///
/// # Panics
/// If this thread runs no simulation.
#[inline]
#[track_caller]
pub(crate) fn world<R>(f: impl FnOnce(&mut World, NodeId) -> R) -> R {
    with(|context| {
        let node = context.current.node.get();
        context.world(|world| f(world, node))
    })
}

/// Whether the running code belongs to an incarnation that has ended. Outside a simulation none
/// does.
#[inline]
pub(crate) fn is_dead() -> bool {
    try_with(|context| context.current.dead.get()).unwrap_or(false)
}

/// As [`alive`], and does nothing on a thread that runs no simulation.
pub(crate) fn alive_if_any<R>(f: impl FnOnce(&Rc<Context>) -> R) -> Option<R> {
    let called = try_with(|context| (!context.current.dead.get()).then(|| f(context)));
    called.flatten()
}

/// Calls `f` with the simulation of this thread, unless the running code belongs to an incarnation
/// that has ended: what its destructors do must reach nothing.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub(crate) fn alive<R>(f: impl FnOnce(&Rc<Context>) -> R) -> Option<R> {
    with(|context| (!context.current.dead.get()).then(|| f(context)))
}
