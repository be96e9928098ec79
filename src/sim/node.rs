//! A simulated machine: making it, making it fail, and what its program is given.

use core::fmt;
use core::time::Duration;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::{Clock, State};
use crate::exec::{Ending, JoinHandle, Program, context, end_self, spawn_on};
use crate::kernel::{EntityKey, Kind, NodeId};
use crate::model::process::{End, Standstill};

/// What a node's program may return: nothing, or a result whose error counts as a failure of the
/// program.
pub trait ProgramResult {
    /// The error, as text.
    ///
    /// # Errors
    /// If the program failed.
    fn into_result(self) -> Result<(), String>;
}

impl ProgramResult for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

/// A program that loops for ever.
impl ProgramResult for Never {
    fn into_result(self) -> Result<(), String> {
        self
    }
}

/// The type `!`, which cannot be named directly on stable Rust: what a function that never
/// returns would return.
type Never = <fn() -> ! as Returns>::Output;

/// A function type, by what it returns.
#[doc(hidden)]
pub trait Returns {
    /// What it returns.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl<T: ProgramResult, E: fmt::Debug> ProgramResult for Result<T, E> {
    fn into_result(self) -> Result<(), String> {
        match self {
            Ok(value) => value.into_result(),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

/// A simulated machine, as its test sees it. Copies name the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    id: NodeId,
}

/// A node to be made; [`run`](Self::run) makes it.
#[must_use = "the node is made by `run` or `idle`"]
pub struct NodeBuilder {
    name: String,
    labels: Vec<(String, String)>,
    addresses: Vec<IpAddr>,
    group: Arc<[String]>,
}

/// What a program is given at each start of its node.
#[derive(Clone, Debug)]
pub struct NodeContext {
    node: Node,
    incarnation: u32,
    group: Arc<[String]>,
}

impl NodeBuilder {
    pub(crate) fn new(name: String) -> Self {
        let group = Arc::from([name.clone()]);
        Self { name, labels: Vec::new(), addresses: Vec::new(), group }
    }

    pub(crate) fn in_group(mut self, group: Arc<[String]>) -> Self {
        self.group = group;
        self
    }

    /// Labels the node, so that faults can be correlated: `zone`, `rack`, `version`.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        set_label(&mut self.labels, key.into(), value.into());
        self
    }

    /// Gives the node an address. Without any it has an IPv4 address made of its name.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Makes the node and starts `program` on it.
    ///
    /// The factory is called at each start, inside the node; what it captures outlives crashes,
    /// so state that a crash should lose belongs into the future.
    ///
    /// # Panics
    /// If a node of this name exists, or an address belongs to another.
    #[track_caller]
    pub fn run<F, Fut>(self, program: F) -> Node
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let location = Location::caller();
        let node = self.add();
        node.set_program(self.group, program);
        context::with(|context| context.start_node(node.id, location));
        node
    }

    /// Makes a node that runs nothing by itself, for tasks that the test
    /// [spawns](Node::spawn) on it.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn idle(self) -> Node {
        self.run(|_| std::future::pending::<()>())
    }

    #[track_caller]
    fn add(&self) -> Node {
        let Self { name, labels, addresses, .. } = self;
        let exists = context::world(|world, _| world.find_node(name).is_some());
        assert!(!exists, "there is a node `{name}` already: give each node a name of its own");
        let id = context::with(|context| context.add_node(name));
        context::world(|world, _| {
            world.net.add_host(id, name, addresses);
            world.node_mut(id).labels.clone_from(labels);
            let labels = labels.iter().map(|(key, value)| {
                EntityKey::pair(EntityKey::of(key), EntityKey::of(value)).number()
            });
            let labels = labels.fold(0, |sum: u64, label| sum.wrapping_add(label));
            world.base.record(id, Kind::NodeAdded, EntityKey::of(name).number(), labels);
        });
        Node { id }
    }
}

impl Node {
    pub(crate) const fn new(id: NodeId) -> Self {
        Self { id }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Its name, which is its host name.
    #[must_use]
    pub fn name(&self) -> String {
        context::world(|world, _| world.node(self.id).name.to_string())
    }

    /// Its first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        context::world(|world, _| world.net.addresses(self.id)[0])
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<String> {
        context::world(|world, _| {
            let labels = &world.node(self.id).labels;
            labels.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone())
        })
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> State {
        context::world(|world, _| world.node(self.id).process.state())
    }

    /// Whether its program has been started and has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        context::world(|world, _| world.node(self.id).process.is_alive())
    }

    /// Which start of its program runs, or ran last, from 1.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        context::world(|world, _| world.node(self.id).process.incarnation())
    }

    /// Its clocks.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        Clock::new(self.id)
    }

    /// Takes its power away: tasks and memory are gone at once, its peers hear nothing, packets
    /// to it vanish. False if it has no power already.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    pub fn crash(&self) -> bool {
        self.end(End::Crash)
    }

    /// Kills its process: tasks and memory are gone at once, and its machine, which stays up,
    /// closes its sockets. False if no process is alive.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    pub fn kill(&self) -> bool {
        self.end(End::Kill)
    }

    /// Asks its program to stop ([`NodeContext::stop_requested`]), waits until it has, and kills
    /// it after `patience` of virtual time. False if it was not running.
    pub async fn stop(&self, patience: Duration) -> bool {
        let asked = context::with(|context| context.stop_node(self.id, patience));
        if asked {
            self.ended().await;
        }
        asked
    }

    /// Waits until its program has ended, in whatever way.
    pub async fn ended(&self) {
        poll_fn(|cx| {
            context::world(|world, _| {
                let node = world.node(self.id);
                if !node.process.is_alive() {
                    return Poll::Ready(());
                }
                let changed = node.changed;
                world.base.waiters.wait(changed, cx.waker());
                Poll::Pending
            })
        })
        .await;
    }

    /// Starts its program again; one that is alive is killed first.
    #[track_caller]
    pub fn restart(&self) {
        let location = Location::caller();
        self.kill();
        context::with(|context| context.start_node(self.id, location));
    }

    /// Starts another version of its program, and labels the node `version`; a program that is
    /// alive is killed first. This is how an upgrade, or a rollback, is tested.
    #[track_caller]
    pub fn restart_with<F, Fut>(&self, version: impl Into<String>, program: F)
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let location = Location::caller();
        self.kill();
        let group = Arc::from([self.name()]);
        context::world(|world, _| {
            set_label(&mut world.node_mut(self.id).labels, "version".to_owned(), version.into());
        });
        self.set_program(group, program);
        context::with(|context| context.start_node(self.id, location));
    }

    /// Lets it stand still: it runs nothing, while packets arrive and its clocks go on; its
    /// timers fire late. False if it is not running or stands still already.
    pub fn pause(&self) -> bool {
        context::with(|context| context.stand_still(self.id, Standstill::Paused))
    }

    /// Suspends it like a virtual machine: as [`pause`](Self::pause), but its monotonic clock
    /// stands still too. False if it is not running or stands still already.
    pub fn suspend(&self) -> bool {
        context::with(|context| context.stand_still(self.id, Standstill::Suspended))
    }

    /// Lets it go on after [`pause`](Self::pause) or [`suspend`](Self::suspend). False if it did
    /// not stand still.
    pub fn resume(&self) -> bool {
        context::with(|context| context.resume(self.id))
    }

    /// Spawns a task on it, which goes down with it. On a node that is not running the handle
    /// reports a cancelled task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let location = Location::caller();
        context::with(|context| spawn_on(context, self.id, location, future))
    }

    fn end(&self, how: End) -> bool {
        let (dead, own) = context::with(|context| {
            (context.current.dead.get(), context.current.node.get() == self.id)
        });
        if dead {
            return false;
        }
        if own && self.id != NodeId::TEST {
            end_self(how);
        }
        let node = self.id;
        context::with(|context| {
            let incarnation = context.world.borrow().node(node).process.incarnation();
            context.end_node(&Ending { node, incarnation, how })
        })
    }

    fn set_program<F, Fut>(&self, group: Arc<[String]>, program: F)
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let node = *self;
        let program: Program = Rc::new(move |incarnation| {
            let future = program(NodeContext { node, incarnation, group: group.clone() });
            Box::pin(async move { future.await.into_result() })
        });
        let before = context::world(|world, _| world.node_mut(self.id).program.replace(program));
        // The old program's captures are dropped when the world is no longer borrowed.
        drop(before);
    }
}

impl NodeContext {
    /// The node.
    #[must_use]
    pub const fn node(&self) -> Node {
        self.node
    }

    /// The node's name, which is its host name.
    #[must_use]
    pub fn name(&self) -> String {
        self.node.name()
    }

    /// The node's first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.node.address()
    }

    /// The value of one of the node's labels.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<String> {
        self.node.label(key)
    }

    /// Which start of the program this is, from 1.
    #[must_use]
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The names of all nodes of this node's group, its own among them.
    #[must_use]
    pub fn group(&self) -> &[String] {
        &self.group
    }

    /// The names of the other nodes of this node's group.
    #[must_use]
    pub fn peers(&self) -> Vec<String> {
        let own = self.name();
        self.group.iter().filter(|name| **name != own).cloned().collect()
    }

    /// Waits until the node is asked to stop, which a program should then do.
    pub async fn stop_requested(&self) {
        poll_fn(|cx| {
            context::world(|world, _| {
                let node = world.node(self.node.id);
                if node.process.state() == State::Stopping {
                    return Poll::Ready(());
                }
                let changed = node.changed;
                world.base.waiters.wait(changed, cx.waker());
                Poll::Pending
            })
        })
        .await;
    }
}

fn set_label(labels: &mut Vec<(String, String)>, key: String, value: String) {
    labels.retain(|(other, _)| *other != key);
    labels.push((key, value));
    labels.sort();
}
