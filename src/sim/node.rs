//! A simulated machine: making it, making it fail, and what its program is given.

use core::fmt;
use core::time::Duration;
use std::future::Future;
use std::net::IpAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::owner::Owner;
use super::{Clock, Disk, State};
use crate::exec::{Context, JoinHandle, Program, World, context, end_self, spawn_on};
use crate::kernel::{EntityKey, Kind, NodeId};
use crate::model::process::{End, Process, Standstill};

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
    owner: Owner,
    id: NodeId,
}

/// A node to be made; [`run`](Self::run) makes it.
#[must_use = "the node is made by `run` or `idle`"]
pub struct NodeBuilder {
    name: String,
    labels: Vec<(String, String)>,
    addresses: Vec<IpAddr>,
    /// The names of all nodes of its group, if it is not alone.
    group: Option<Arc<[String]>>,
}

/// What a program is given at each start of its node.
#[derive(Clone, Debug)]
pub struct NodeContext {
    node: Node,
    incarnation: u32,
    group: Arc<[String]>,
}

impl NodeBuilder {
    pub(crate) const fn new(name: String) -> Self {
        Self {
            name,
            labels: Vec::new(),
            addresses: Vec::new(),
            group: None,
        }
    }

    pub(crate) fn in_group(mut self, group: Arc<[String]>) -> Self {
        self.group = Some(group);
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
    /// If a node of this name exists, an address belongs to another, or the calling code belongs
    /// to a node that has ended.
    #[track_caller]
    pub fn run<F, Fut>(self, program: F) -> Node
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let location = Location::caller();
        let node = self.add();
        node.set_program(program);
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
    fn add(self) -> Node {
        let Self {
            name,
            labels,
            addresses,
            group,
        } = self;
        let added = context::alive(|context| {
            let exists = context.world(|world| world.find_node(&name).is_some());
            assert!(
                !exists,
                "there is a node `{name}` already: give each node a name of its own"
            );
            let id = context.add_node(&name);
            context.world(|world| {
                world.net.add_host(id, &name, &addresses);
                world.net.set_labels(id, labels.clone());
                let sum = labels_number(&labels);
                world
                    .base
                    .record(id, Kind::NodeAdded, EntityKey::of(&name).number(), sum);
                let node = world.node_mut(id);
                node.labels = labels;
                if let Some(group) = group {
                    node.group = group;
                }
            });
            Node {
                owner: Owner::new(context.id),
                id,
            }
        });
        added.expect("a node is made by code of a node that has not ended")
    }
}

impl Node {
    /// Whether this thread runs the node's simulation.
    pub(super) fn is_running_here(self) -> bool {
        self.owner.is_running()
    }

    pub(super) const fn new(owner: Owner, id: NodeId) -> Self {
        Self { owner, id }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Its name, which is its host name.
    #[must_use]
    #[track_caller]
    pub fn name(&self) -> String {
        self.read(|world| world.node(self.id).name.to_string())
    }

    /// Its first address.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> IpAddr {
        self.read(|world| world.net.addresses(self.id)[0])
    }

    /// The value of a label.
    #[must_use]
    #[track_caller]
    pub fn label(&self, key: &str) -> Option<String> {
        self.read(|world| {
            let labels = &world.node(self.id).labels;
            labels
                .iter()
                .find(|(other, _)| other == key)
                .map(|(_, value)| value.clone())
        })
    }

    /// Labels it from now on, such as with the `role` that its program has come to: the nodes that
    /// a fault plan means by a label are those that have it when the fault begins.
    #[track_caller]
    pub fn set_label(&self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        self.act(|context| {
            context.world(|world| {
                let labels = &mut world.node_mut(self.id).labels;
                set_label(labels, key, value);
                let labels = labels.clone();
                let sum = labels_number(&labels);
                world.base.record(self.id, Kind::NodeLabelled, 0, sum);
                world.net.set_labels(self.id, labels);
            });
        });
    }

    /// What it is doing.
    #[must_use]
    #[track_caller]
    pub fn state(&self) -> State {
        self.read(|world| world.node(self.id).process.state())
    }

    /// Whether its program has been started and has not ended.
    #[must_use]
    #[track_caller]
    pub fn is_alive(&self) -> bool {
        self.read(|world| world.node(self.id).process.is_alive())
    }

    /// Which start of its program runs, or ran last, from 1.
    #[must_use]
    #[track_caller]
    pub fn incarnation(&self) -> u32 {
        self.read(|world| world.node(self.id).process.incarnation())
    }

    /// Its clocks.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        Clock::new(*self)
    }

    /// Its disk.
    #[must_use]
    pub const fn disk(&self) -> Disk {
        Disk::new(*self)
    }

    /// Takes its power away: tasks and memory are gone at once, its peers hear nothing, packets
    /// to it vanish. False if it has no power already.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    ///
    /// # Panics
    /// If it is the test's own node.
    #[track_caller]
    pub fn crash(&self) -> bool {
        self.end(End::Crash, None)
    }

    /// Kills its process: tasks and memory are gone at once, and its machine, which stays up,
    /// closes its sockets. False if no process is alive.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    ///
    /// # Panics
    /// If it is the test's own node.
    #[track_caller]
    pub fn kill(&self) -> bool {
        self.end(End::Kill, None)
    }

    /// Asks its program to stop ([`NodeContext::stop_requested`]), waits until it has, and kills
    /// it after `patience` of virtual time. False if it was not running.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.may_go_down();
        let ended = self.ended();
        let asked = self.act(|context| context.stop_node(self.id, patience)) == Some(true);
        if asked {
            ended.await;
        }
        asked
    }

    /// Waits until its program has ended, in whatever way; one that was started again meanwhile
    /// has.
    #[track_caller]
    pub fn ended(&self) -> impl Future<Output = ()> + use<> {
        let incarnation = self.incarnation();
        NodeChange::new(*self, move |process| {
            !process.is_alive() || process.incarnation() != incarnation
        })
    }

    /// Starts its program again; one that is alive is killed first.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    ///
    /// # Panics
    /// If it is the test's own node.
    #[track_caller]
    pub fn restart(&self) {
        let location = Location::caller();
        self.end(End::Kill, Some(location));
        self.act(|context| context.start_node(self.id, location));
    }

    /// Starts another version of its program, and labels the node `version`; a program that is
    /// alive is killed first. This is how an upgrade, or a rollback, is tested.
    ///
    /// A node that does this to itself stops in the middle of its poll: the call does not return.
    ///
    /// # Panics
    /// If it is the test's own node.
    #[track_caller]
    pub fn restart_with<F, Fut>(&self, version: impl Into<String>, program: F)
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        self.set_label("version", version);
        self.act(|_| self.set_program(program));
        self.restart();
    }

    /// Lets it stand still: it runs nothing, while packets arrive and its clocks go on; its
    /// timers fire late. False if it is not running or stands still already.
    #[track_caller]
    pub fn pause(&self) -> bool {
        self.may_go_down();
        self.act(|context| context.stand_still(self.id, Standstill::Paused)) == Some(true)
    }

    /// Suspends it like a virtual machine: as [`pause`](Self::pause), but its monotonic clock
    /// stands still too. False if it is not running or stands still already.
    #[track_caller]
    pub fn suspend(&self) -> bool {
        self.may_go_down();
        self.act(|context| context.stand_still(self.id, Standstill::Suspended)) == Some(true)
    }

    /// Lets it go on after [`pause`](Self::pause) or [`suspend`](Self::suspend). False if it did
    /// not stand still.
    #[track_caller]
    pub fn resume(&self) -> bool {
        self.act(|context| context.resume(self.id)) == Some(true)
    }

    /// Spawns a task on it, which goes down with it. On a node that is not running the handle
    /// reports a cancelled task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let location = Location::caller();
        self.owner.check();
        context::with(|context| spawn_on(context, self.id, location, future))
    }

    #[track_caller]
    fn end(&self, how: End, restart: Option<&'static Location<'static>>) -> bool {
        self.may_go_down();
        let own = self.act(|context| context.current.node.get() == self.id);
        match own {
            None => false,
            Some(true) => {
                end_self(how, restart);
                true
            }
            Some(false) => context::with(|context| context.end_current(self.id, how)),
        }
    }

    /// Reads from the world.
    #[track_caller]
    pub(super) fn read<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        self.owner.check();
        context::world(|world, _| f(world))
    }

    /// Does something to the simulation, unless the calling code belongs to an incarnation that
    /// has ended.
    #[track_caller]
    pub(super) fn act<R>(&self, f: impl FnOnce(&Rc<Context>) -> R) -> Option<R> {
        self.owner.check();
        context::alive(f)
    }

    /// # Panics
    /// If it is the test's own node.
    #[track_caller]
    fn may_go_down(&self) {
        assert!(
            self.id != NodeId::TEST,
            "the node `test` runs the test itself and cannot go down or stand still: make a node \
             for what shall"
        );
    }

    fn set_program<F, Fut>(&self, program: F)
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let node = *self;
        let program: Program = Rc::new(move |incarnation| {
            let group = node.read(|world| world.node(node.id).group.clone());
            let future = program(NodeContext {
                node,
                incarnation,
                group,
            });
            Box::pin(async move { future.await.into_result() })
        });
        let before = self.read(|world| world.node_mut(self.id).program.replace(program));
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
        self.group
            .iter()
            .filter(|name| **name != own)
            .cloned()
            .collect()
    }

    /// Waits until the node is asked to stop, which a program should then do.
    pub fn stop_requested(&self) -> impl Future<Output = ()> + use<> {
        NodeChange::new(self.node, |process| process.state() == State::Stopping)
    }
}

/// Waits until something is true of a node's process.
struct NodeChange<F> {
    node: Node,
    is_so: F,
    /// Registered with the node, and taken back when the wait is dropped.
    waker: Option<Waker>,
}

impl<F: Fn(&Process) -> bool> NodeChange<F> {
    const fn new(node: Node, is_so: F) -> Self {
        Self {
            node,
            is_so,
            waker: None,
        }
    }
}

impl<F: Fn(&Process) -> bool + Unpin> Future for NodeChange<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        this.node.read(|world| {
            let node = world.node(this.node.id);
            if (this.is_so)(&node.process) {
                return Poll::Ready(());
            }
            let changed = node.changed;
            world.base.waiters.wait(changed, cx.waker());
            this.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl<F> Drop for NodeChange<F> {
    fn drop(&mut self) {
        let Some(waker) = self.waker.take() else {
            return;
        };
        if !self.node.is_running_here() {
            return;
        }
        let forgotten = context::try_with(|context| {
            let mut world = context.world.borrow_mut();
            let changed = world.node(self.node.id).changed;
            world.base.waiters.forget(changed, &waker)
        });
        drop(forgotten);
    }
}

/// A number that depends on all labels, for the trace.
fn labels_number(labels: &[(String, String)]) -> u64 {
    let keys = labels
        .iter()
        .map(|(key, value)| EntityKey::pair(EntityKey::of(key), EntityKey::of(value)).number());
    keys.fold(0, u64::wrapping_add)
}

fn set_label(labels: &mut Vec<(String, String)>, key: String, value: String) {
    labels.retain(|(other, _)| *other != key);
    labels.push((key, value));
    labels.sort();
}
