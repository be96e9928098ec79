//! Which links a fault concerns, as a test names them.

use super::Node;
use crate::exec::World;
use crate::kernel::NodeId;
use crate::model::net::{Pair, topology};

/// A set of directed links between nodes, for the faults of a [`Network`](super::Network).
#[derive(Clone, Debug)]
#[must_use = "links are only named; a fault of the network does something to them"]
pub struct Links {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Pairs(Vec<Pair>),
    /// Between a node and all others: away from it, towards it.
    Of {
        node: NodeId,
        out: bool,
        into: bool,
    },
}

impl Links {
    /// From each node of the one set to each other node of the other.
    pub fn one_way(from: &[Node], to: &[Node]) -> Self {
        Self::pairs(topology::one_way(&ids(from), &ids(to)))
    }

    /// Between each node of the one set and each other node of the other, in both directions.
    pub fn both_ways(a: &[Node], b: &[Node]) -> Self {
        Self::pairs(topology::both_ways(&ids(a), &ids(b)))
    }

    /// Among these nodes.
    pub fn among(nodes: &[Node]) -> Self {
        Self::one_way(nodes, nodes)
    }

    /// Between a node and all others that there are when the fault begins.
    pub fn of(node: Node) -> Self {
        Self::at(node, true, true)
    }

    /// On which a node sends to others.
    pub fn out_of(node: Node) -> Self {
        Self::at(node, true, false)
    }

    /// On which a node receives from others.
    pub fn into(node: Node) -> Self {
        Self::at(node, false, true)
    }

    /// Both these links and those.
    pub fn and(mut self, more: Self) -> Self {
        self.parts.extend(more.parts);
        self
    }

    pub(super) fn pairs(pairs: Vec<Pair>) -> Self {
        Self {
            parts: vec![Part::Pairs(pairs)],
        }
    }

    fn at(node: Node, out: bool, into: bool) -> Self {
        let node = node.id();
        Self {
            parts: vec![Part::Of { node, out, into }],
        }
    }

    /// The links by the numbers of their nodes.
    pub(super) fn resolve(self, world: &World) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for part in self.parts {
            pairs.extend(match part {
                Part::Pairs(pairs) => pairs,
                Part::Of { node, out, into } => world.net.links_of(node, out, into),
            });
        }
        pairs
    }
}

pub(super) fn ids(nodes: &[Node]) -> Vec<NodeId> {
    nodes.iter().map(Node::id).collect()
}
