//! The run loop: ready tasks until there are none, then the next event, until the test ends.

use std::future::Future;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::context::Context;
use super::event::{Event, Scheduled};
use super::failure::{Failed, Failure, WaitingTask};
use super::foreign;
use super::hooks::HOOKS;
use super::invariant::Every;
use super::policy::Policy;
use super::property::Properties;
use super::ready::ReadyTask;
use super::task::spawn_on;
use crate::fault::Decisions;
use crate::kernel::{Choices, Digest, FaultCounters, Kind, NodeId, SimTime, Step, TaskId};
use crate::model::process::End;
use crate::sys::{self, EscapeKind};

/// Bounds of a run. Reaching one is a failure, never a hang.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Virtual time.
    pub(crate) time: SimTime,
    /// Steps of the trace.
    pub(crate) steps: u64,
    /// Polls without virtual time moving.
    pub(crate) polls_at_one_instant: u64,
}

/// A node whose process ends as soon as the running poll returns.
pub(crate) struct Ending {
    pub(crate) node: NodeId,
    pub(crate) incarnation: u32,
    pub(crate) how: End,
    /// Start it again at once; the place that asked for it.
    pub(crate) restart: Option<&'static Location<'static>>,
}

/// What is known of a run when it is over.
pub(crate) struct Finished {
    pub(crate) failed: Option<Failed>,
    pub(crate) digest: Digest,
    pub(crate) steps: u64,
    pub(crate) now: SimTime,
    pub(crate) counters: FaultCounters,
    pub(crate) properties: Properties,
    pub(crate) decisions: Decisions,
    pub(crate) excused: bool,
    pub(crate) stale: Vec<String>,
    pub(crate) policy: Policy,
    pub(crate) escaped: Vec<EscapeKind>,
    /// By the nodes' numbers.
    pub(crate) node_names: Vec<String>,
}

/// How long a run that may use threads waits for one of them, in real time, before it calls a
/// simulation in which nothing can run a deadlock.
const THREAD_PATIENCE: Duration = Duration::from_secs(10);
/// Polls over which the tasks of a livelock are counted, to name the busiest.
const LIVELOCK_SAMPLE: usize = 1_000;

impl Context {
    /// Makes the test's own node and its main task.
    pub(crate) fn begin(
        self: &Rc<Self>,
        seed: u64,
        location: &'static Location<'static>,
        main: impl Future<Output = ()> + 'static,
    ) {
        let node = self.add_node("test");
        assert_eq!(node, NodeId::TEST, "the test's node is the first");
        self.world(|world| {
            world.net.add_host(node, "test", &[]);
            world.node_mut(node).process.start();
            world.base.record(node, Kind::Begin, 0, seed);
        });
        drop(spawn_on(self, node, location, main));
    }

    /// Runs until the test's main task ends or the run fails, then ends all nodes.
    pub(crate) fn run(self: &Rc<Self>) -> Finished {
        while !self.is_over() {
            self.run_ready();
            self.check_invariants(Every::Instant);
            if self.is_over() {
                break;
            }
            if !self.collect_foreign() && !self.advance() {
                self.idle();
            }
        }
        let finished = self.finish();
        self.tear_down();
        finished
    }

    fn is_over(&self) -> bool {
        self.finished.get() || self.world.borrow().failed.is_some()
    }

    /// Runs ready tasks until none is left, or until the run is over.
    fn run_ready(self: &Rc<Self>) {
        let mut batch = Vec::new();
        loop {
            self.ready.borrow_mut().take_listed(&mut batch);
            match batch.len() {
                0 => return,
                1 => {}
                _ => self.order(&mut batch),
            }
            for node in batch.drain(..) {
                self.run_node(node);
                if self.is_over() {
                    return;
                }
            }
        }
    }

    /// Orders nodes that are ready at one instant by a keyed priority, unless the policy is first
    /// in, first out. It is a function of node and time alone, so that it does not depend on
    /// which other nodes are ready.
    fn order(&self, batch: &mut [NodeId]) {
        let world = self.world.borrow();
        if world.settings.policy == Policy::Fifo {
            return;
        }
        let now = world.base.now;
        let priority = |node: NodeId| Choices::keyed(world.node(node).order_key, now);
        batch.sort_unstable_by_key(|&node| (priority(node), node));
    }

    /// Runs the ready tasks of one node until none is left or the node may not run.
    fn run_node(self: &Rc<Self>, id: NodeId) {
        let inside = sys::enter(&HOOKS);
        while let Some(task) = self.next_task(id) {
            let meta = task.runnable.metadata();
            self.current.node.set(id);
            self.current.task.set(meta.id);
            self.current.incarnation.set(meta.incarnation);
            if let Some(progress) = &self.progress {
                progress.poll(id, meta.slot, meta.incarnation, self.current.step.get());
            }
            task.runnable.run();
            let polls = self.polls.get() + 1;
            self.polls.set(polls);
            if !self.ending.borrow().is_empty() {
                self.end_nodes();
            }
            self.check_invariants(Every::Step);
            if self.is_over() {
                break;
            }
            if polls >= self.limits.polls_at_one_instant {
                drop(inside);
                self.livelock(id, polls);
                return;
            }
        }
        if let Some(progress) = &self.progress {
            progress.idle();
        }
    }

    /// Takes the task of a node that runs next and records its poll.
    #[inline]
    fn next_task(&self, id: NodeId) -> Option<ReadyTask> {
        let mut world = self.world.borrow_mut();
        if world.base.trace.steps() >= self.limits.steps {
            let steps = self.limits.steps;
            world.fail(id, Failure::StepLimit { steps });
            return None;
        }
        let (node, base) = world.node_and_base(id);
        if !node.process.may_run() || node.busy_until > base.now {
            return None;
        }
        let mut ready = self.ready.borrow_mut();
        let tasks = ready.tasks(id);
        let count = tasks.len() as u64;
        let task = node.policy.pick(&mut base.choices, tasks)?;
        base.cause = task.cause;
        let step = base.record(
            id,
            Kind::TaskPolled,
            task.runnable.metadata().id.number(),
            count,
        );
        self.current.step.set(step);
        Some(task)
    }

    /// Lets the next event happen, and all others that are due at the same time; false if there
    /// is none.
    fn advance(self: &Rc<Self>) -> bool {
        let popped = {
            let mut world = self.world.borrow_mut();
            // Timers of a node that stands still wait at the end of time, which never comes.
            let all_still =
                world.standing_still > 0 && world.base.queue.next_at() == Some(SimTime::MAX);
            if all_still {
                None
            } else {
                world.base.queue.pop()
            }
        };
        let Some((at, scheduled)) = popped else {
            return false;
        };
        if at > self.limits.time {
            self.time_is_up();
            return true;
        }
        let before = std::mem::replace(&mut self.world.borrow_mut().base.now, at);
        if at > before {
            self.polls.set(0);
            if let Some(progress) = &self.progress {
                progress.time(at);
            }
        }
        let mut next = Some(scheduled);
        while let Some(scheduled) = next {
            self.happen(scheduled);
            next = self.world.borrow_mut().base.queue.pop_at(at);
        }
        true
    }

    fn happen(self: &Rc<Self>, scheduled: Scheduled) {
        self.current.step.set(scheduled.cause);
        match scheduled.event {
            Event::Timer {
                node,
                deadline_ns,
                waker,
            } => {
                let step = {
                    let mut world = self.world.borrow_mut();
                    world.base.cause = scheduled.cause;
                    world.base.record(node, Kind::TimerFired, deadline_ns, 0)
                };
                self.current.step.set(step);
                self.current.node.set(node);
                waker.wake();
            }
            Event::Net(event) => self.world(|world| world.net.handle(&mut world.base, event)),
            Event::Disk(event) => self.world(|world| world.disk_event(event)),
            Event::NodeFree(node) => self.ready.borrow_mut().list(node),
            Event::StopDeadline { node, incarnation } => {
                self.end_node(&Ending {
                    node,
                    incarnation,
                    how: End::Stop,
                    restart: None,
                });
            }
            Event::Fault { at, turn } => self.fault_turn(at, turn),
        }
    }

    fn time_is_up(&self) {
        self.world(|world| {
            world.base.now = self.limits.time;
            let waiting = world.waiting_tasks();
            let limit = self.limits.time.as_duration();
            world.fail(NodeId::TEST, Failure::TimeLimit { limit, waiting });
        });
    }

    /// Nothing is ready and nothing will happen: a deadlock, unless a thread may yet wake a task.
    fn idle(&self) {
        let threads = self.world.borrow().escaped.contains(&EscapeKind::Thread);
        if threads {
            let woken = foreign::wait(self.id, THREAD_PATIENCE);
            if !woken.is_empty() {
                for runnable in woken {
                    self.make_ready(runnable, false);
                }
                return;
            }
        }
        self.world(|world| {
            let waiting = world.waiting_tasks();
            world.fail(NodeId::TEST, Failure::Deadlock { waiting });
        });
    }

    /// Makes tasks ready that were woken on other threads, and says whether there were any. That
    /// is an escape, unless threads are allowed.
    pub(crate) fn collect_foreign(&self) -> bool {
        let woken = foreign::take(self.id);
        let Some(first) = woken.first() else {
            return false;
        };
        let node = first.metadata().node;
        self.world(|world| {
            if world.settings.allowed.contains(&EscapeKind::Thread) {
                if !world.escaped.contains(&EscapeKind::Thread) {
                    world.escaped.push(EscapeKind::Thread);
                }
                return;
            }
            let failure = Failure::Escape {
                kind: EscapeKind::Thread,
                call: "Waker::wake".to_owned(),
                detail: Some("a task of the simulation, on another thread".to_owned()),
                place: None,
            };
            world.fail(node, failure);
        });
        for runnable in woken {
            self.make_ready(runnable, false);
        }
        true
    }

    /// Names the tasks that keep running at one instant, by running them a little longer.
    #[cold]
    fn livelock(self: &Rc<Self>, suspect: NodeId, polls: u64) {
        let mut counted: Vec<(u32, WaitingTask)> = Vec::new();
        let _inside = sys::enter(&HOOKS);
        for _ in 0..LIVELOCK_SAMPLE {
            let ready = self.ready.borrow_mut().find(suspect);
            let Some(task) = ready.and_then(|id| self.next_task(id)) else {
                break;
            };
            let meta = task.runnable.metadata();
            let (node, task_id, slot) = (meta.node, meta.id, meta.slot);
            self.current.node.set(node);
            self.current.task.set(task_id);
            self.current.incarnation.set(meta.incarnation);
            if let Some((count, _)) = counted.iter_mut().find(|(_, seen)| seen.task == task_id) {
                *count += 1;
            } else if let Some(seen) = self.describe(node, slot, task_id) {
                counted.push((1, seen));
            }
            task.runnable.run();
            self.end_nodes();
        }
        counted.sort_by_key(|(count, seen)| (std::cmp::Reverse(*count), seen.task));
        let busy = counted.into_iter().map(|(_, seen)| seen).collect();
        self.world(|world| world.fail(NodeId::TEST, Failure::Livelock { polls, busy }));
    }

    fn describe(&self, node: NodeId, slot: u32, task: TaskId) -> Option<WaitingTask> {
        let mut world = self.world.borrow_mut();
        let place = world.node_mut(node);
        let entry = place.tasks.get_mut(slot, task)?;
        Some(WaitingTask {
            task,
            node: place.name.to_string(),
            spawned_at: entry.location.to_string(),
        })
    }

    fn finish(&self) -> Finished {
        self.current.step.set(Step::new(
            self.world.borrow().base.trace.steps().saturating_sub(1),
        ));
        self.world(|world| {
            let failed = u64::from(world.failed.is_some());
            world.base.record(NodeId::TEST, Kind::End, failed, 0);
            let mut counters = world.base.counters.clone();
            counters.add(&world.net.counters());
            counters.add(&world.disks.counters());
            Finished {
                failed: world.failed.clone(),
                digest: world.base.trace.digest().clone(),
                steps: world.base.trace.steps(),
                now: world.base.now,
                counters,
                properties: std::mem::take(&mut world.properties),
                excused: world.excused,
                stale: world.stale(),
                decisions: std::mem::take(&mut world.made),
                policy: world.settings.policy,
                escaped: world.escaped.clone(),
                node_names: world
                    .nodes
                    .iter()
                    .map(|node| node.name.to_string())
                    .collect(),
            }
        })
    }
}
