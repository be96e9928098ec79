//! A node's calls of its disk: what the disk is told of the node around it.

use std::io;
use std::panic::Location;

use super::world::World;
use crate::kernel::NodeId;
use crate::model::disk::call::{Call, Reply};
use crate::model::disk::{Around, DiskEvent, Persistence, RequestId};

/// The place of the program that makes a call.
pub(crate) type Place = &'static Location<'static>;

impl World {
    /// Asks a node's disk for a call, which happens when its time has come.
    pub(crate) fn ask_disk(
        &mut self,
        node: NodeId,
        place: Place,
        call: Call,
        persistence: Persistence,
    ) -> RequestId {
        let around = self.around(node, place);
        let base = &mut self.base;
        self.disks.submit(base, node, around, call, persistence)
    }

    /// Carries out a call of a node's disk at once, and keeps the node busy for as long as it
    /// takes.
    pub(crate) fn block_on_disk(
        &mut self,
        node: NodeId,
        place: Place,
        call: Call,
    ) -> io::Result<Reply> {
        let around = self.around(node, place);
        let (reply, takes) = self.disks.at_once(&mut self.base, node, &around, call);
        self.block_for(node, takes);
        reply
    }

    pub(super) fn disk_event(&mut self, event: DiskEvent) {
        let (nodes, now) = (&self.nodes, self.base.now);
        let wall_ns = |node: NodeId| nodes[node.index()].clock.wall_ns(now);
        self.disks.handle(&mut self.base, event, wall_ns);
    }

    pub(crate) fn around(&self, node: NodeId, place: Place) -> Around {
        Around {
            wall_ns: self.node(node).clock.wall_ns(self.base.now),
            place: Some(place),
        }
    }
}
