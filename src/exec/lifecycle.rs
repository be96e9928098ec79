//! Starting and ending nodes, and letting them stand still.

use std::mem;
use std::panic::Location;
use std::rc::Rc;

use super::context::{self, Context};
use super::driver::Ending;
use super::event::Event;
use super::failure::Failure;
use super::hooks::HOOKS;
use super::panics::{self, CrashedItself, OnPanic};
use super::task::spawn_on;
use crate::kernel::{Family, Kind, NodeId, SimTime};
use crate::model::net::Death;
use crate::model::process::{End, Standstill};
use crate::sys;

impl Context {
    /// Adds a node to the world; it does not run yet.
    pub(crate) fn add_node(&self, name: &str) -> NodeId {
        let node = self.world(|world| world.add_node(name));
        self.ready.borrow_mut().add_node();
        if let Some(progress) = &self.progress {
            progress.node_added(name);
        }
        node
    }

    /// Starts the next incarnation of a node's program; false if one is alive.
    pub(crate) fn start_node(
        self: &Rc<Self>,
        id: NodeId,
        location: &'static Location<'static>,
    ) -> bool {
        let started = self.world(|world| {
            let incarnation = world.node_mut(id).process.start()?;
            let step = world
                .base
                .record(id, Kind::NodeStarted, u64::from(incarnation), 0);
            world.net.host_up(id);
            world.base.wake(world.nodes[id.index()].changed);
            let program = world.node(id).program.clone();
            let program = program.expect("a node has a program before it is started");
            Some((incarnation, program, step))
        });
        let Some((incarnation, program, step)) = started else {
            return false;
        };
        let body = async move {
            let _ending = EndsNode {
                node: id,
                incarnation,
            };
            // The factory runs inside the node too: it is the program's code.
            if let Err(message) = program(incarnation).await {
                program_failed(id, incarnation, message);
            }
        };
        let before = self.current.step.replace(step);
        drop(spawn_on(self, id, location, body));
        self.current.step.set(before);
        true
    }

    /// Ends the nodes that asked for it in the poll that has just returned.
    pub(crate) fn end_nodes(self: &Rc<Self>) {
        // A node that ended itself has left its dead context behind.
        self.current.dead.set(false);
        loop {
            let Some(ending) = self.ending.borrow_mut().pop() else {
                return;
            };
            let ended = self.end_node(&ending);
            if ended && let Some(location) = ending.restart {
                self.start_node(ending.node, location);
            }
        }
    }

    /// Ends the incarnation of a node that runs now, as [`end_node`](Self::end_node) does.
    pub(crate) fn end_current(self: &Rc<Self>, node: NodeId, how: End) -> bool {
        let incarnation = self.world.borrow().node(node).process.incarnation();
        self.end_node(&Ending {
            node,
            incarnation,
            how,
            restart: None,
        })
    }

    /// Ends an incarnation: its tasks and sockets are gone when this returns. False if that
    /// incarnation has ended already.
    pub(crate) fn end_node(self: &Rc<Self>, ending: &Ending) -> bool {
        let Ending {
            node: id,
            incarnation,
            how,
            ..
        } = *ending;
        let saved = self.current.save();
        let ended = self.world(|world| {
            let now = world.base.now;
            let node = world.node_mut(id);
            let standstill = node.process.standstill();
            if node.process.incarnation() != incarnation || !node.process.end(how) {
                return None;
            }
            let tasks = mem::take(&mut node.tasks);
            let locals = mem::take(&mut node.locals);
            let aborting = tasks.iter().filter(|task| task.aborted).count();
            self.aborts.set(self.aborts.get() - aborting);
            node.busy_until = SimTime::ZERO;
            if standstill == Some(Standstill::Suspended) {
                node.clock.resume(now);
            }
            if let Some(deadline) = node.stop_deadline.take() {
                world.base.queue.cancel(deadline);
            }
            let (kind, family, death) = match how {
                End::Exit => (Kind::NodeExited, None, Death::Kill),
                End::Stop => (Kind::NodeStopped, None, Death::Kill),
                End::Kill => (Kind::NodeKilled, Some(Family::Kill), Death::Kill),
                End::Crash => (Kind::NodeCrashed, Some(Family::Crash), Death::Crash),
            };
            if let Some(family) = family {
                world.base.counters.offered(family);
                world.base.counters.fired(family);
                if tasks.len() > 0 {
                    world.base.counters.effective(family);
                }
            }
            world.standing_still -= u32::from(standstill.is_some());
            let unfinished = tasks.len() as u64;
            let step = world
                .base
                .record(id, kind, u64::from(incarnation), unfinished);
            world.net.process_died(&mut world.base, id, death);
            match death {
                Death::Kill => world.disks.process_died(&mut world.base, id),
                Death::Crash => world.disks.power_lost(&mut world.base, id),
            }
            world.base.wake(world.nodes[id.index()].changed);
            Some((tasks, locals, step))
        });
        let Some((tasks, locals, step)) = ended else {
            return false;
        };
        self.current.node.set(id);
        self.current.incarnation.set(incarnation);
        self.current.step.set(step);
        self.current.dead.set(true);
        {
            let _inside = sys::enter(&HOOKS);
            self.drop_tasks(id, tasks.into_wakers());
            for (_, local) in locals {
                panics::drop_dead(|| drop(local), "a node_local!");
            }
        }
        self.current.restore(saved);
        true
    }

    /// Drops the tasks of a node in the order of spawning. Waking one hands over its runnable,
    /// whose drop drops the future.
    fn drop_tasks(&self, id: NodeId, wakers: Vec<std::task::Waker>) {
        for waker in wakers {
            waker.wake();
        }
        // A task that another thread has woken waits there, and not in the ready list.
        self.collect_foreign();
        let running = self.progress.as_ref().map(|progress| progress.running());
        loop {
            let mut ready = mem::take(self.ready.borrow_mut().tasks(id));
            if ready.is_empty() {
                break;
            }
            ready
                .make_contiguous()
                .sort_by_key(|task| task.runnable.metadata().id);
            for task in ready {
                let meta = task.runnable.metadata();
                self.current.task.set(meta.id);
                if let Some(progress) = &self.progress {
                    progress.poll(id, meta.slot, meta.incarnation, self.current.step.get());
                }
                drop(task);
            }
        }
        if let (Some(progress), Some(running)) = (&self.progress, running) {
            progress.go_back_to(running);
        }
    }

    /// Asks a node's program to stop, and ends it after `patience`. False if it is not running.
    pub(crate) fn stop_node(&self, id: NodeId, patience: std::time::Duration) -> bool {
        self.world(|world| {
            let incarnation = world.node(id).process.incarnation();
            if !world.node_mut(id).process.request_stop() {
                return false;
            }
            world
                .base
                .record(id, Kind::NodeStopping, u64::from(incarnation), 0);
            let deadline = Event::StopDeadline {
                node: id,
                incarnation,
            };
            let deadline = world.base.push_after(patience, deadline);
            world.node_mut(id).stop_deadline = Some(deadline);
            let counters = &mut world.base.counters;
            counters.offered(Family::Stop);
            counters.fired(Family::Stop);
            counters.effective(Family::Stop);
            world.base.wake(world.nodes[id.index()].changed);
            true
        })
    }

    /// Lets a node stand still. False if it is not running or stands still already.
    pub(crate) fn stand_still(&self, id: NodeId, how: Standstill) -> bool {
        self.world(|world| {
            if !world.node_mut(id).process.stand_still(how) {
                return false;
            }
            let now = world.base.now;
            let family = family_of(how);
            if how == Standstill::Suspended {
                world.node_mut(id).clock.suspend(now);
            }
            world.base.counters.offered(family);
            world.base.counters.fired(family);
            let suspended = u64::from(how == Standstill::Suspended);
            world.base.record(id, Kind::NodePaused, 0, suspended);
            world.standing_still += 1;
            world.rearm_timers(id);
            true
        })
    }

    /// Lets a node go on. False if it did not stand still.
    pub(crate) fn resume(&self, id: NodeId) -> bool {
        let missed_polls = !self.ready.borrow_mut().tasks(id).is_empty();
        let resumed = self.world(|world| {
            let Some(how) = world.node_mut(id).process.resume() else {
                return false;
            };
            world.standing_still -= 1;
            let now = world.base.now;
            if how == Standstill::Suspended {
                world.node_mut(id).clock.resume(now);
            }
            if missed_polls || world.has_due_timer(id) {
                world.base.counters.effective(family_of(how));
            }
            world.base.record(id, Kind::NodeResumed, 0, 0);
            world.rearm_timers(id);
            true
        });
        if resumed {
            self.ready.borrow_mut().list(id);
        }
        resumed
    }

    /// Drops all tasks of all nodes, in the order of nodes, with a dead context: the run is over
    /// and nothing they do counts.
    pub(crate) fn tear_down(self: &Rc<Self>) {
        self.current.dead.set(true);
        let _inside = sys::enter(&HOOKS);
        let nodes = self.world.borrow().nodes.len();
        for index in 0..nodes {
            let id = NodeId::new(u32::try_from(index).expect("as many as there are nodes"));
            let (tasks, locals) = {
                let mut world = self.world.borrow_mut();
                let node = world.node_mut(id);
                (mem::take(&mut node.tasks), mem::take(&mut node.locals))
            };
            self.current.node.set(id);
            self.drop_tasks(id, tasks.into_wakers());
            for (_, local) in locals {
                panics::drop_dead(|| drop(local), "a node_local!");
            }
        }
    }
}

/// Ends the running node in the middle of its poll, and starts it again if asked to.
///
/// The poll ends by unwinding, so this returns only in a destructor that runs because of another
/// unwinding, which ends the poll as well.
pub(crate) fn end_self(how: End, restart: Option<&'static Location<'static>>) {
    context::with(|context| {
        let (node, incarnation) = (
            context.current.node.get(),
            context.current.incarnation.get(),
        );
        context.ending.borrow_mut().push(Ending {
            node,
            incarnation,
            how,
            restart,
        });
        // What the unwinding drops belongs to an incarnation that has ended.
        context.current.dead.set(true);
    });
    if !std::thread::panicking() {
        std::panic::resume_unwind(Box::new(CrashedItself));
    }
}

const fn family_of(how: Standstill) -> Family {
    match how {
        Standstill::Paused => Family::Pause,
        Standstill::Suspended => Family::Suspend,
    }
}

/// Ends its node's process when the program's main future is dropped: returned, panicked or
/// aborted.
struct EndsNode {
    node: NodeId,
    incarnation: u32,
}

impl Drop for EndsNode {
    fn drop(&mut self) {
        let Self { node, incarnation } = *self;
        context::try_with(|context| {
            if !context.current.dead.get() {
                let ending = Ending {
                    node,
                    incarnation,
                    how: End::Exit,
                    restart: None,
                };
                context.ending.borrow_mut().push(ending);
            }
        });
    }
}

/// A program returned an error: a failure where a panic would be one.
fn program_failed(node: NodeId, incarnation: u32, message: String) {
    context::with(|context| {
        context.world(|world| match world.settings.on_panic {
            OnPanic::Fail => world.fail(node, Failure::Error { message }),
            OnPanic::KillNode | OnPanic::JoinError => {
                let text = format!("program returned {message} (incarnation {incarnation})");
                world.base.trace.note(&text);
            }
        });
    });
}
