//! The fault atlas: which storage may be damaged, so that every datum keeps enough good copies.
//!
//! A cluster that keeps a datum on three nodes and survives the damage of one copy must not be
//! blamed when all three were damaged. The test declares groups of nodes, how many copies may be
//! bad, and, if it can, which bytes of a node's files hold which object. Owns who was damaged
//! where; it must never know what the damage is.
//!
//! Source: the fault atlas of TigerBeetle's simulator (`ClusterFaultAtlas` in
//! `src/testing/storage.zig`).

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::NodeId;

/// Where the copies of each object lie: the same on each node of a group. Bytes of no object may be
/// damaged on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtlasMap {
    /// It is not known: all that a node holds is one object.
    Unknown,
    /// A file is a row of objects of one size, in bytes: blocks of a replicated device, segments of
    /// a log.
    Blocks {
        /// The file.
        path: String,
        /// Bytes of each; not 0.
        bytes: u64,
    },
    /// Each object is some bytes of a file, or a whole one.
    Places(Vec<AtlasPlace>),
}

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtlasPlace {
    /// The file.
    pub path: String,
    /// Bytes of it; `None` is all.
    pub bytes: Option<Range<u64>>,
}

/// All groups of one simulation.
#[derive(Debug, Default)]
pub(crate) struct Atlas {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    nodes: Vec<NodeId>,
    bad_copies_max: usize,
    map: AtlasMap,
    /// The nodes on which each object may be damaged; without a map all is one object.
    damaged: BTreeMap<u64, BTreeSet<NodeId>>,
}

/// Without a map, everything that a node holds is this object.
const EVERYTHING: u64 = 0;

impl Atlas {
    /// Declares that among `nodes` at most so many copies of each object may be bad.
    ///
    /// # Panics
    /// If blocks have no bytes.
    #[track_caller]
    pub(crate) fn add(&mut self, nodes: Vec<NodeId>, bad_copies_max: usize, map: AtlasMap) {
        if let AtlasMap::Blocks { bytes, .. } = map {
            assert!(
                bytes > 0,
                "blocks of 0 bytes are none: give a size of at least 1"
            );
        }
        self.groups.push(Group {
            nodes,
            bad_copies_max,
            map,
            damaged: BTreeMap::new(),
        });
    }

    /// Whether anything was declared of a node.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.groups.iter().any(|group| group.nodes.contains(&node))
    }

    /// Asks leave to damage some bytes of a node's file, in each of the groups it is in. If it is
    /// given, they count as damaged from then on, whatever is written there: how long the damage
    /// lasts on the other copies is the cluster's to say, and not known here.
    pub(crate) fn allows(&mut self, node: NodeId, path: &str, bytes: &Range<u64>) -> bool {
        let mut marks = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            if !group.nodes.contains(&node) {
                continue;
            }
            for object in group.map.objects(path, bytes) {
                let damaged = group.damaged.get(&object);
                let others = damaged.map_or(0, |nodes| {
                    nodes.iter().filter(|other| **other != node).count()
                });
                if others >= group.bad_copies_max {
                    return false;
                }
                marks.push((number, object));
            }
        }
        for (number, object) in marks {
            let damaged = &mut self.groups[number].damaged;
            damaged.entry(object).or_default().insert(node);
        }
        true
    }

    /// A node's copies are good again: its disk was replaced, or the cluster has repaired it.
    pub(crate) fn repaired(&mut self, node: NodeId) {
        for group in &mut self.groups {
            for nodes in group.damaged.values_mut() {
                nodes.remove(&node);
            }
        }
    }
}

impl AtlasMap {
    /// The objects that lie in some bytes of a file.
    fn objects(&self, at: &str, range: &Range<u64>) -> Vec<u64> {
        match self {
            Self::Unknown => vec![EVERYTHING],
            Self::Blocks { path, bytes } if path == at && !range.is_empty() => {
                (range.start / bytes..=(range.end - 1) / bytes).collect()
            }
            Self::Blocks { .. } => Vec::new(),
            Self::Places(places) => (0..)
                .zip(places)
                .filter(|(_, place)| place.path == at && place.overlaps(range))
                .map(|(number, _)| number)
                .collect(),
        }
    }
}

impl AtlasPlace {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        let bytes = self.bytes.as_ref();
        bytes.is_none_or(|bytes| bytes.start < range.end && range.start < bytes.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    #[test]
    fn without_a_map_so_many_nodes_may_be_damaged() {
        let mut atlas = Atlas::default();
        atlas.add((1..=3).map(node).collect(), 1, AtlasMap::Unknown);
        assert!(atlas.allows(node(2), "a", &(0..1)));
        assert!(atlas.allows(node(2), "b", &(5..9)), "it is damaged already");
        assert!(!atlas.allows(node(1), "a", &(0..1)));
        assert!(
            atlas.allows(node(9), "a", &(0..1)),
            "nothing is declared of it"
        );
        atlas.repaired(node(2));
        assert!(atlas.allows(node(1), "a", &(0..1)));
        assert!(!atlas.allows(node(2), "a", &(0..1)));
    }

    #[test]
    fn with_a_map_each_object_is_counted_alone() {
        let mut atlas = Atlas::default();
        let (path, bytes) = ("/data".to_owned(), 100);
        let nodes = (1..=3).map(node).collect();
        atlas.add(nodes, 1, AtlasMap::Blocks { path, bytes });
        assert!(atlas.allows(node(1), "/data", &(0..50)));
        assert!(atlas.allows(node(2), "/data", &(100..150)));
        assert!(
            !atlas.allows(node(3), "/data", &(150..250)),
            "block 1 has a bad copy"
        );
        assert!(
            atlas.allows(node(3), "/data", &(200..250)),
            "a refusal damages nothing"
        );
        assert!(!atlas.allows(node(1), "/data", &(200..201)));
        assert!(
            atlas.allows(node(3), "/cache", &(0..50)),
            "no object is there"
        );
    }

    #[test]
    fn objects_may_lie_anywhere() {
        let mut atlas = Atlas::default();
        let place = |path: &str, bytes| AtlasPlace {
            path: path.to_owned(),
            bytes,
        };
        let places = vec![
            place("/a", Some(10..20)),
            place("/a", None),
            place("/b", None),
        ];
        let nodes = (1..=2).map(node).collect();
        atlas.add(nodes, 1, AtlasMap::Places(places));
        assert!(atlas.allows(node(1), "/b", &(0..1)));
        assert!(!atlas.allows(node(2), "/b", &(5..6)));
        assert!(
            atlas.allows(node(2), "/a", &(0..10)),
            "the second object alone"
        );
        assert!(!atlas.allows(node(1), "/a", &(15..16)));
        assert!(atlas.allows(node(1), "/c", &(0..1)), "nothing is there");
    }

    #[test]
    #[should_panic(expected = "give a size of at least 1")]
    fn blocks_have_bytes() {
        let (path, bytes) = (String::new(), 0);
        Atlas::default().add(Vec::new(), 1, AtlasMap::Blocks { path, bytes });
    }

    #[test]
    fn a_node_in_two_groups_needs_leave_of_both() {
        let mut atlas = Atlas::default();
        atlas.add(vec![node(1), node(2)], 1, AtlasMap::Unknown);
        atlas.add(vec![node(2), node(3)], 1, AtlasMap::Unknown);
        assert!(atlas.allows(node(3), "a", &(0..1)));
        assert!(!atlas.allows(node(2), "a", &(0..1)));
        assert!(
            atlas.allows(node(1), "a", &(0..1)),
            "the refusal was not counted"
        );
    }
}
