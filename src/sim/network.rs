//! The network between nodes, for the test that cuts and slows it.

use super::Node;
use crate::exec::{World, context};
use crate::kernel::NodeId;
use crate::model::net::LinkConfig;

/// The network between the nodes of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    sim: u64,
}

impl Network {
    pub(crate) const fn new(sim: u64) -> Self {
        Self { sim }
    }

    /// Cuts the link from one node to another: from now on nothing sent on it arrives, and
    /// whoever sends is told nothing. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn cut(&self, from: Node, to: Node) {
        self.act(|world| world.net.cut(&mut world.base, from.id(), to.id()));
    }

    /// Heals the link from one node to another.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn heal(&self, from: Node, to: Node) {
        self.act(|world| world.net.heal(&mut world.base, from.id(), to.id()));
    }

    /// Whether the link from one node to another is cut.
    #[must_use]
    #[track_caller]
    pub fn is_cut(&self, from: Node, to: Node) -> bool {
        from.read(|world| world.net.is_cut(from.id(), to.id()))
    }

    /// Cuts every link between nodes of different groups, in both directions. Nodes in no group
    /// keep all their links.
    ///
    /// ```
    /// # use stormglass::sim::Builder;
    /// # let outcome = Builder::new().run(|sim| async move {
    /// # let nodes = sim.group("db", 5..=5).run(|_| std::future::pending::<()>());
    /// sim.network().partition(&[&nodes[..2], &nodes[2..]]);
    /// assert!(sim.network().is_cut(nodes[0], nodes[4]));
    /// sim.network().heal_all();
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If a node is in two groups.
    #[track_caller]
    pub fn partition(&self, groups: &[&[Node]]) {
        let ids: Vec<Vec<NodeId>> = groups
            .iter()
            .map(|group| group.iter().map(Node::id).collect())
            .collect();
        let ids: Vec<&[NodeId]> = ids.iter().map(Vec::as_slice).collect();
        self.act(|world| world.net.partition(&mut world.base, &ids));
    }

    /// As [`partition`](Self::partition), healed when the guard is dropped by a node
    /// that has not ended.
    ///
    /// # Panics
    /// If a node is in two groups.
    #[track_caller]
    pub fn partition_scoped(&self, groups: &[&[Node]]) -> PartitionGuard {
        let mut cut = Vec::new();
        for (i, group) in groups.iter().enumerate() {
            for other in groups
                .iter()
                .enumerate()
                .filter(|(j, _)| *j != i)
                .flat_map(|(_, g)| *g)
            {
                cut.extend(
                    group
                        .iter()
                        .filter(|from| !self.is_cut(**from, *other))
                        .map(|from| (*from, *other)),
                );
            }
        }
        self.partition(groups);
        PartitionGuard {
            network: *self,
            cut,
        }
    }

    /// Cuts a node off from all others, in both directions.
    #[track_caller]
    pub fn isolate(&self, node: Node) {
        self.act(|world| world.net.isolate(&mut world.base, node.id()));
    }

    /// Heals every link.
    #[track_caller]
    pub fn heal_all(&self) {
        self.act(|world| world.net.heal_all(&mut world.base));
    }

    /// Gives the link from one node to another latency and loss of its own, for packets sent from
    /// now on. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub fn set_link(&self, from: Node, to: Node, config: LinkConfig) {
        self.act(|world| world.net.set_link(from.id(), to.id(), Some(config)));
    }

    /// Changes all links that have no settings of their own, for packets sent from now on.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub fn set_default_link(&self, config: LinkConfig) {
        self.act(|world| world.net.set_default_link(config));
    }

    /// Does something to the network, unless the calling code belongs to an incarnation that has
    /// ended.
    #[track_caller]
    fn act(&self, f: impl FnOnce(&mut World)) {
        let same = context::with(|context| context.id == self.sim);
        assert!(
            same,
            "this network belongs to another simulation than the one running on this thread: keep \
             its handle inside the test function"
        );
        context::alive(|context| context.world(f));
    }
}

/// Heals the links that a [partition](Network::partition_scoped) cut when it is dropped.
#[must_use = "dropping the guard heals the partition at once"]
#[derive(Debug)]
pub struct PartitionGuard {
    network: Network,
    cut: Vec<(Node, Node)>,
}

impl Drop for PartitionGuard {
    fn drop(&mut self) {
        // After the simulation there is nothing to heal, and a node that goes down heals nothing:
        // the partition was not its own doing.
        let running = context::try_with(|context| context.id == self.network.sim);
        if running == Some(true) {
            for (from, to) in &self.cut {
                self.network.heal(*from, *to);
            }
        }
    }
}
