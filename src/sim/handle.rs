//! The handle of a simulation that a test holds.

use core::time::Duration;

use super::owner::Owner;
use super::{GroupBuilder, Names, Network, Node, NodeBuilder, Storm};
use crate::exec::context;
use crate::fault::FaultPlan;
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
        let number = context::alive(|context| context.begin_storm(plan));
        Storm::new(
            self.owner,
            number.expect("a plan is put in force by code of a node that has not ended"),
        )
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
