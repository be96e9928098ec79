//! The handle of a simulation that a test holds.

use core::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::owner::Owner;
use super::{GroupBuilder, Names, Network, Node, NodeBuilder, Storm};
use crate::exec::context;
use crate::fault::{FaultPlan, Nemesis};
use crate::fs::AtlasMap;
use crate::kernel::{EntityKey, Kind, NodeId, SimTime};

/// The simulation, as its test sees it. Copies name the same simulation.
#[derive(Clone, Copy, Debug)]
pub struct Sim {
    owner: Owner,
}

impl Sim {
    pub(crate) const fn new(id: u64) -> Self {
        Self {
            owner: Owner::new(id),
        }
    }

    /// # Panics
    /// If this thread runs another simulation, or none.
    #[track_caller]
    pub(super) fn check_owner(&self) {
        self.owner.check();
    }

    /// A node to be made.
    ///
    /// Its name is its host name, and the key of everything random about it: the same name gives
    /// the same draws, whatever other nodes there are.
    pub fn node(&self, name: impl Into<String>) -> NodeBuilder {
        self.owner.check();
        NodeBuilder::new(name.into())
    }

    /// A group of nodes to be made, `name-0` and so on; how many is drawn from `sizes` by the
    /// seed. A smaller group is the same world with fewer nodes.
    ///
    /// ```
    /// # use stormglass::sim::Builder;
    /// # let outcome = Builder::new().run(|sim| async move {
    /// let db = sim.group("db", 3..=7).run(|node| async move {
    ///     let peers = node.group();
    ///     assert!((3..=7).contains(&peers.len()));
    /// });
    /// assert_eq!(db[0].name(), "db-0");
    /// # });
    /// # outcome.unwrap();
    /// ```
    pub fn group(
        &self,
        name: impl Into<String>,
        sizes: core::ops::RangeInclusive<u32>,
    ) -> GroupBuilder {
        self.owner.check();
        GroupBuilder::new(name.into(), sizes)
    }

    /// The node of this name, if there is one. The test's own node is called `test`: its links
    /// can be cut and its clocks bent, but it cannot go down.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Node> {
        self.owner.check();
        let id = context::world(|world, _| world.find_node(name))?;
        Some(Node::new(self.owner, id))
    }

    /// All nodes but the test's own, in the order of creation.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        self.owner.check();
        context::world(|world, _| {
            let numbers = (1..).zip(&world.nodes[1..]).map(|(number, _)| number);
            numbers
                .map(|number| Node::new(self.owner, NodeId::new(number)))
                .collect()
        })
    }

    /// The network between the nodes.
    #[must_use]
    pub fn network(&self) -> Network {
        self.owner.check();
        Network::new(self.owner)
    }

    /// The names of hosts.
    #[must_use]
    pub fn names(&self) -> Names {
        self.owner.check();
        Names::new(self.owner)
    }

    /// Declares that `nodes` hold copies of the same objects, and survive so many bad copies of
    /// each: silent damage of their disks, and sectors that cannot be read, strike no more. A node
    /// may be in several such groups. Damage counts for ever, but for a disk that is
    /// [wiped](super::Disk::wipe).
    ///
    /// ```
    /// use stormglass::fs::AtlasMap;
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let nodes = sim.group("db", 3..=3).run(|_| std::future::pending::<()>());
    /// let (path, bytes) = ("/data".to_owned(), 4096);
    /// sim.disk_atlas(&nodes, 1, AtlasMap::Blocks { path, bytes });
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If the map has blocks of no bytes.
    #[track_caller]
    pub fn disk_atlas(&self, nodes: &[Node], bad_copies_max: usize, map: AtlasMap) {
        self.owner.check();
        let nodes = nodes.iter().map(Node::id).collect();
        context::world(|world, _| world.disks.atlas_mut().add(nodes, bad_copies_max, map));
    }

    /// Puts a fault plan in force: its times count from now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stormglass::fault::{FaultKind, FaultPlan, Target};
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let db = sim.group("db", 3..=3).run(|_| std::future::pending::<()>());
    /// let mut plan = FaultPlan::new();
    /// let crash = plan.add(Duration::from_secs(1), FaultKind::Crash, Target::node("db-1"));
    /// crash.duration = Some(Duration::from_secs(2));
    /// sim.apply(&plan).over().await;
    /// assert_eq!((db[1].incarnation(), sim.elapsed().as_secs()), (2, 3));
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If the plan makes no sense, or the calling code belongs to a node that has ended.
    #[track_caller]
    pub fn apply(&self, plan: &FaultPlan) -> Storm {
        self.owner.check();
        let number = context::alive(|context| context.begin_storm(plan.clone()));
        Storm::new(
            self.owner,
            number.expect("a plan is put in force by code of a node that has not ended"),
        )
    }

    /// Draws a fault plan from the seed, for the nodes that there are, and puts it in force.
    ///
    /// The disks of each group are kept from damage beyond what it claims to survive
    /// ([`disk_atlas`](Self::disk_atlas)).
    ///
    /// # Panics
    /// If the nemesis makes no sense, such as by naming a node that there is not, or the calling
    /// code belongs to a node that has ended.
    #[track_caller]
    pub fn unleash(&self, nemesis: &Nemesis) -> Storm {
        self.owner.check();
        let number = context::alive(|context| {
            let number = context.unleash(nemesis);
            context.world(|world| {
                for group in &nemesis.groups {
                    let nodes = group.members.iter();
                    let nodes = nodes.filter_map(|name| world.find_node(name)).collect();
                    let disks = &mut world.disks;
                    disks
                        .atlas_mut()
                        .add(nodes, group.lost_max(), AtlasMap::Unknown);
                }
            });
            number
        });
        Storm::new(
            self.owner,
            number.expect("a plan is put in force by code of a node that has not ended"),
        )
    }

    /// The operations of a workload: those that `make` gives, or those that the run was given in
    /// their place when a failure is replayed or cut down. So a workload that is data from the
    /// beginning is cut down with the faults.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use stormglass::rand;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// enum Op {
    ///     Put(u64),
    ///     Get,
    /// }
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let op = || if rand::chance(1, 2) { Op::Put(rand::below(10)) } else { Op::Get };
    /// let ops = sim.workload("client", || (0..20).map(|_| op()).collect());
    /// assert_eq!(ops.len(), 20);
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If another workload has this name, or one that was given cannot be read.
    #[track_caller]
    pub fn workload<T>(&self, name: &str, make: impl FnOnce() -> Vec<T>) -> Vec<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.owner.check();
        // What it draws is drawn whether or not it is used.
        let made = make();
        let given = context::world(|world, _| world.given.workloads.get(name).cloned());
        let data = given.clone().unwrap_or_else(|| {
            let json = made.iter().map(serde_json::to_value);
            json.collect::<Result<_, _>>()
                .unwrap_or_else(|error| panic!("`{name}` cannot be written as JSON: {error}"))
        });
        let before = context::world(|world, _| world.made.workloads.insert(name.to_owned(), data));
        assert!(
            before.is_none(),
            "there is a workload `{name}` already: give each a name of its own"
        );
        let Some(given) = given else { return made };
        let read = given.into_iter().map(serde_json::from_value);
        read.collect::<Result<_, _>>().unwrap_or_else(|error| {
            panic!("the scenario's workload `{name}` is of another version of the test: {error}")
        })
    }

    /// True virtual time since the beginning, whatever any node's clock shows.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.owner.check();
        context::with(|context| context.now())
    }

    /// True virtual time since the beginning, as a duration.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now().as_duration()
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.owner.check();
        context::world(|world, _| world.seed)
    }

    /// Steps of the trace so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.owner.check();
        context::world(|world, _| world.base.trace.steps())
    }

    /// Adds a mark to the trace, and so to the digest: a name and a number that say how far the
    /// test has come.
    pub fn mark(&self, name: &str, number: u64) {
        self.owner.check();
        let key = EntityKey::of(name).number();
        context::alive(|context| {
            let node = context.current.node.get();
            context.world(|world| world.base.record(node, Kind::Mark, key, number));
        });
    }
}
