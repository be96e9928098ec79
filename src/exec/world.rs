//! The world: every table of a simulation, owned in one place and reached by ids.

use std::task::Waker;
use std::time::Duration;

use super::event::{Event, Scheduled};
use super::failure::{Failed, Failure, Moment, WaitingTask};
use super::node::Node;
use super::panics::OnPanic;
use super::policy::Policy;
use super::property::Properties;
use super::storm::Storms;
use super::wait::Waiters;
use crate::fault::Decisions;
use crate::kernel::{
    Choices, Distribution, EntityKey, EventKey, Family, FaultCounters, Kind, NodeId, Queue,
    SimTime, Step, TaskId, Trace,
};
use crate::model::Surroundings;
use crate::model::disk::{self, DiskEvent, Disks};
use crate::model::net::{self, Fabric, NetEvent, Token};
use crate::sys::EscapeKind;

/// How a simulation behaves that is not decided by its seed.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    pub(crate) on_panic: OnPanic,
    /// What nodes' wall clocks show at the beginning, in nanoseconds since 1970.
    pub(crate) wall_start_ns: u64,
    /// How long a blocking call keeps its node busy.
    pub(crate) blocking: Distribution,
    /// Ways out of the simulation that are left open.
    pub(crate) allowed: Vec<EscapeKind>,
}

/// All state of one simulation but its ready tasks.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) base: Base,
    pub(crate) nodes: Vec<Node>,
    pub(crate) net: Fabric,
    pub(crate) disks: Disks,
    pub(crate) settings: Settings,
    pub(crate) failed: Option<Failed>,
    /// Ways out that were taken because they were allowed.
    pub(crate) escaped: Vec<EscapeKind>,
    pub(crate) next_task: u64,
    /// How many nodes are paused or suspended.
    pub(crate) standing_still: u32,
    /// The fault plans in force.
    pub(crate) storms: Storms,
    /// Decisions of another run, which this one takes over as far as they go.
    pub(crate) given: Decisions,
    /// What was seen of properties.
    pub(crate) properties: Properties,
    /// A stall was forgiven, since a group had lost its quorum.
    pub(crate) excused: bool,
    /// The decisions of this run.
    pub(crate) made: Decisions,
}

/// What every model call needs: time, choices, the queue, the trace. Apart from [`World`] so that
/// a model of the world and this can be borrowed at once.
pub(crate) struct Base {
    pub(crate) now: SimTime,
    pub(crate) queue: Queue<Scheduled>,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    pub(crate) counters: FaultCounters,
    pub(crate) waiters: Waiters,
    /// Wakers to call as soon as the world is no longer borrowed.
    pub(crate) woken: Vec<Waker>,
    /// The step that leads to what is being done.
    pub(crate) cause: Step,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        mut settings: Settings,
        trace: Trace,
        net: Fabric,
        disks: Disks,
    ) -> Self {
        let mut choices = Choices::new(seed);
        settings.policy = settings.policy.resolve(&mut choices);
        Self {
            seed,
            base: Base {
                now: SimTime::ZERO,
                queue: Queue::new(),
                choices,
                trace,
                counters: FaultCounters::default(),
                waiters: Waiters::default(),
                woken: Vec::new(),
                cause: Step::new(0),
            },
            nodes: Vec::new(),
            net,
            disks,
            settings,
            failed: None,
            escaped: Vec::new(),
            next_task: 0,
            standing_still: 0,
            storms: Storms::default(),
            given: Decisions::default(),
            made: Decisions::default(),
            properties: Properties::new(),
            excused: false,
        }
    }

    /// Adds a node that was never started.
    pub(crate) fn add_node(&mut self, name: &str) -> NodeId {
        let id = NodeId::new(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        let changed = self.base.waiters.token();
        let Settings {
            wall_start_ns,
            policy,
            ..
        } = self.settings;
        let node = Node::new(name, wall_start_ns, policy, &mut self.base.choices, changed);
        self.nodes.push(node);
        self.disks.add_node(EntityKey::of(name));
        id
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The nodes and what every model call needs, at once.
    pub(crate) fn node_and_base(&mut self, id: NodeId) -> (&mut Node, &mut Base) {
        (&mut self.nodes[id.index()], &mut self.base)
    }

    pub(crate) fn find_node(&self, name: &str) -> Option<NodeId> {
        let index = self.nodes.iter().position(|node| &*node.name == name)?;
        u32::try_from(index).ok().map(NodeId::new)
    }

    pub(crate) fn next_task(&mut self) -> TaskId {
        let task = TaskId::new(self.next_task);
        self.next_task += 1;
        task
    }

    /// Ends the run with `failure` at `node`; the first failure stays.
    pub(crate) fn fail(&mut self, node: NodeId, failure: Failure) {
        if self.failed.is_none() {
            let moment = self.moment(node);
            self.failed = Some(Failed { failure, moment });
        }
    }

    /// Here and now, on `node`.
    pub(crate) fn moment(&self, node: NodeId) -> Moment {
        let place = self.node(node);
        Moment {
            node,
            name: place.name.to_string(),
            incarnation: place.process.incarnation(),
            at: self.base.now,
            step: self.base.cause,
        }
    }

    /// All unfinished tasks in the order of spawning.
    pub(crate) fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let mut tasks: Vec<_> = self
            .nodes
            .iter()
            .flat_map(|node| {
                node.tasks.iter().map(|entry| WaitingTask {
                    task: entry.id,
                    node: node.name.to_string(),
                    spawned_at: entry.location.to_string(),
                })
            })
            .collect();
        tasks.sort_by_key(|waiting| waiting.task);
        tasks
    }

    /// What the monotonic clock of `node` shows; counts clock faults that become visible by it.
    #[inline]
    pub(crate) fn monotonic_ns(&mut self, id: NodeId) -> u64 {
        self.count_seen(id, false);
        self.node(id).clock.monotonic_ns(self.base.now)
    }

    /// What the wall clock of `node` shows; counts clock faults that become visible by it.
    pub(crate) fn wall_ns(&mut self, id: NodeId) -> u64 {
        self.count_seen(id, true);
        self.node(id).clock.wall_ns(self.base.now)
    }

    /// Arms a timer of `node` for the moment at which its monotonic clock shows `deadline_ns`;
    /// `None` if that is beyond the end of time.
    #[inline]
    pub(crate) fn arm_timer(
        &mut self,
        id: NodeId,
        deadline_ns: u64,
        waker: &Waker,
    ) -> Option<EventKey> {
        let at = self
            .node(id)
            .clock
            .when_monotonic(deadline_ns)
            .max(self.base.now);
        if at == SimTime::MAX {
            return None;
        }
        let event = Event::Timer {
            node: id,
            deadline_ns,
            waker: waker.clone(),
        };
        Some(self.base.push(at, event))
    }

    /// Keeps `node` busy for as long as a blocking call takes.
    pub(crate) fn block(&mut self, id: NodeId) {
        let blocking = &self.settings.blocking;
        let (node, base) = (&mut self.nodes[id.index()], &mut self.base);
        let busy = blocking.sample(&mut base.choices, &mut node.blocking);
        self.block_for(id, busy);
    }

    /// Keeps `node` busy for so long, after what keeps it busy already.
    pub(crate) fn block_for(&mut self, id: NodeId, busy: Duration) {
        let (node, base) = (&mut self.nodes[id.index()], &mut self.base);
        let until = base.now.max(node.busy_until).saturating_add(busy);
        base.record(id, Kind::Blocked, 0, until.as_nanos());
        if until > base.now {
            node.busy_until = until;
            base.push(until, Event::NodeFree(id));
        }
    }

    /// Moves all timers of `node` to where its clock now says they belong; to the end of time if
    /// it stands still. Walks all pending events: this is for faults, which are rare.
    pub(crate) fn rearm_timers(&mut self, id: NodeId) {
        let mine = |scheduled: &Scheduled| match scheduled.event {
            Event::Timer { node, .. } => node == id,
            Event::Net(_)
            | Event::Disk(_)
            | Event::NodeFree(_)
            | Event::StopDeadline { .. }
            | Event::Fault { .. } => false,
        };
        let still = self.node(id).process.standstill().is_some();
        for key in self.base.queue.keys_where(mine) {
            let Some(Scheduled {
                event: Event::Timer { deadline_ns, .. },
                ..
            }) = self.base.queue.get(key)
            else {
                continue;
            };
            let due = self
                .node(id)
                .clock
                .when_monotonic(*deadline_ns)
                .max(self.base.now);
            let at = if still { SimTime::MAX } else { due };
            self.base.queue.reschedule(key, at);
        }
    }

    /// Whether a timer of `node` is due by the node's own clock.
    pub(crate) fn has_due_timer(&self, id: NodeId) -> bool {
        let now_ns = self.node(id).clock.monotonic_ns(self.base.now);
        let due = |scheduled: &Scheduled| {
            matches!(scheduled.event, Event::Timer { node, deadline_ns, .. }
                if node == id && deadline_ns <= now_ns)
        };
        !self.base.queue.keys_where(due).is_empty()
    }

    #[inline]
    fn count_seen(&mut self, id: NodeId, wall: bool) {
        if let Some(seen) = self.nodes[id.index()].clock.seen(wall) {
            let counters = &mut self.base.counters;
            for (saw, family) in [
                (seen.drift, Family::ClockDrift),
                (seen.step, Family::ClockStep),
                (seen.slew, Family::ClockSlew),
            ] {
                if saw {
                    counters.effective(family);
                }
            }
        }
    }
}

impl Base {
    /// Queues an event caused by the current step.
    #[inline]
    pub(crate) fn push(&mut self, at: SimTime, event: Event) -> EventKey {
        self.queue.push(
            at,
            Scheduled {
                cause: self.cause,
                event,
            },
        )
    }

    /// Queues an event `after` from now.
    pub(crate) fn push_after(&mut self, after: Duration, event: Event) -> EventKey {
        self.push(self.now.saturating_add(after), event)
    }

    /// Adds a record caused by the current step, and makes it the current step.
    #[inline]
    pub(crate) fn record(&mut self, node: NodeId, kind: Kind, subject: u64, value: u64) -> Step {
        self.cause = self
            .trace
            .record(self.now, node, kind, self.cause, subject, value);
        self.cause
    }

    /// Has all who wait on `token` woken once the world is no longer borrowed.
    pub(crate) fn wake(&mut self, token: Token) {
        self.waiters.wake(token, &mut self.woken);
    }
}

impl net::Effects for Base {
    fn schedule(&mut self, at: SimTime, event: NetEvent) -> EventKey {
        self.push(at, Event::Net(event))
    }
}

impl disk::Effects for Base {
    fn schedule(&mut self, at: SimTime, event: DiskEvent) -> EventKey {
        self.push(at, Event::Disk(event))
    }
}

impl Surroundings for Base {
    fn now(&self) -> SimTime {
        self.now
    }

    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }

    fn cancel(&mut self, key: EventKey) {
        self.queue.cancel(key);
    }

    fn wake(&mut self, token: Token) {
        self.waiters.wake(token, &mut self.woken);
    }

    fn token(&mut self) -> Token {
        self.waiters.token()
    }

    fn free_token(&mut self, token: Token) {
        self.waiters.free(token, &mut self.woken);
    }

    fn record(
        &mut self,
        kind: Kind,
        node: NodeId,
        subject: u64,
        value: u64,
        payload: &[u8],
    ) -> Step {
        self.cause = self
            .trace
            .record_payload(self.now, node, kind, self.cause, subject, value, payload);
        self.cause
    }
}
