//! The network between nodes, for the test that cuts and slows it.

use super::Node;
use crate::exec::context;
use crate::kernel::NodeId;
use crate::model::net::LinkConfig;

/// The network between the nodes of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    _private: (),
}

impl Network {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }

    /// Cuts the link from one node to another: from now on nothing sent on it arrives, and
    /// whoever sends is told nothing. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn cut(&self, from: Node, to: Node) {
        context::world(|world, _| world.net.cut(&mut world.base, from.id(), to.id()));
    }

    /// Heals the link from one node to another.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn heal(&self, from: Node, to: Node) {
        context::world(|world, _| world.net.heal(&mut world.base, from.id(), to.id()));
    }

    /// Whether the link from one node to another is cut.
    #[must_use]
    #[track_caller]
    pub fn is_cut(&self, from: Node, to: Node) -> bool {
        context::world(|world, _| world.net.is_cut(from.id(), to.id()))
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
        let ids: Vec<Vec<NodeId>> =
            groups.iter().map(|group| group.iter().map(Node::id).collect()).collect();
        let ids: Vec<&[NodeId]> = ids.iter().map(Vec::as_slice).collect();
        context::world(|world, _| world.net.partition(&mut world.base, &ids));
    }

    /// As [`partition`](Self::partition), healed when the guard is dropped.
    ///
    /// # Panics
    /// If a node is in two groups.
    #[track_caller]
    pub fn partition_scoped(&self, groups: &[&[Node]]) -> PartitionGuard {
        let mut cut = Vec::new();
        for (i, group) in groups.iter().enumerate() {
            for other in groups.iter().enumerate().filter(|(j, _)| *j != i).flat_map(|(_, g)| *g) {
                cut.extend(
                    group
                        .iter()
                        .filter(|from| !self.is_cut(**from, *other))
                        .map(|from| (*from, *other)),
                );
            }
        }
        self.partition(groups);
        PartitionGuard { cut }
    }

    /// Cuts a node off from all others, in both directions.
    #[track_caller]
    pub fn isolate(&self, node: Node) {
        context::world(|world, _| world.net.isolate(&mut world.base, node.id()));
    }

    /// Heals every link.
    #[track_caller]
    pub fn heal_all(&self) {
        context::world(|world, _| world.net.heal_all(&mut world.base));
    }

    /// Gives the link from one node to another latency and loss of its own, for packets sent from
    /// now on. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub fn set_link(&self, from: Node, to: Node, config: LinkConfig) {
        context::world(|world, _| world.net.set_link(from.id(), to.id(), Some(config)));
    }

    /// Changes all links that have no settings of their own, for packets sent from now on.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub fn set_default_link(&self, config: LinkConfig) {
        context::world(|world, _| world.net.set_default_link(config));
    }
}

/// Heals the links that a [partition](Network::partition_scoped) cut when it is dropped.
#[must_use = "dropping the guard heals the partition at once"]
#[derive(Debug)]
pub struct PartitionGuard {
    cut: Vec<(Node, Node)>,
}

impl Drop for PartitionGuard {
    fn drop(&mut self) {
        // A guard held by a task that goes down with its node heals as well; after the
        // simulation there is nothing to heal.
        context::try_with(|context| {
            context.world(|world| {
                for (from, to) in &self.cut {
                    world.net.heal(&mut world.base, from.id(), to.id());
                }
            });
        });
    }
}
