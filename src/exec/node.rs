//! One simulated machine, as the executor keeps it: clocks, process, tasks, choice points.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use super::policy::{Policy, PolicyState};
use super::task::TaskTable;
use crate::kernel::{Choices, EntityKey, EventKey, Point, SimTime, Site};
use crate::model::clock::NodeClock;
use crate::model::net::Token;
use crate::model::process::Process;

/// What a node runs: called with the incarnation's number at each start.
pub(crate) type Program = Rc<dyn Fn(u32) -> Pin<Box<dyn Future<Output = Result<(), String>>>>>;

/// One simulated machine.
pub(crate) struct Node {
    pub(crate) name: Rc<str>,
    /// Zone, rack, version and whatever else faults are to be correlated by; sorted by key.
    pub(crate) labels: Vec<(String, String)>,
    /// The names of all nodes of its group, its own among them.
    pub(crate) group: Arc<[String]>,
    pub(crate) clock: NodeClock,
    pub(crate) process: Process,
    pub(crate) program: Option<Program>,
    pub(crate) tasks: TaskTable,
    pub(crate) policy: PolicyState,
    /// Orders this node among those that are ready at one instant.
    pub(crate) order_key: u64,
    pub(crate) select: Point,
    pub(crate) user: Point,
    pub(crate) entropy: Point,
    pub(crate) blocking: Point,
    /// State of `node_local!`, in order of first use; gone with the incarnation.
    pub(crate) locals: Vec<(usize, Rc<dyn Any>)>,
    /// Woken when the process changes state.
    pub(crate) changed: Token,
    /// When a program that was asked to stop has had its time.
    pub(crate) stop_deadline: Option<EventKey>,
    /// Until when a blocking call keeps the node from running.
    pub(crate) busy_until: SimTime,
}

impl Node {
    pub(crate) fn new(
        name: &str,
        wall_start_ns: u64,
        policy: Policy,
        choices: &mut Choices,
        changed: Token,
    ) -> Self {
        let key = EntityKey::of(name);
        let mut order = Choices::point(Site::new("exec.order"), key);
        Self {
            name: name.into(),
            labels: Vec::new(),
            group: Arc::from([name.to_owned()]),
            clock: NodeClock::new(wall_start_ns),
            process: Process::new(),
            program: None,
            tasks: TaskTable::default(),
            policy: PolicyState::new(policy, choices, key),
            order_key: choices.draw(&mut order),
            select: Choices::point(Site::new("exec.select"), key),
            user: Choices::point(Site::new("user.rng"), key),
            entropy: Choices::point(Site::new("sys.entropy"), key),
            blocking: Choices::point(Site::new("exec.blocking"), key),
            locals: Vec::new(),
            changed,
            stop_deadline: None,
            busy_until: SimTime::ZERO,
        }
    }
}
