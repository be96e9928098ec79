//! A node's calls of its disk: what the disk is told of the node around it.

use std::io;
use std::panic::Location;

use super::world::World;
use crate::kernel::{Family, Kind, NodeId};
use crate::model::disk::call::{Call, Reply};
use crate::model::disk::{Around, DiskEvent, Image, Persistence, RequestId, Rule};

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

    /// Has a part of a node's disk fail, and gives the number by which that is ended.
    pub(crate) fn begin_disk_fault(&mut self, node: NodeId, rule: Rule) -> u64 {
        let wall_ns = self.shown_ns(node);
        let number = self.disks.device(node, wall_ns).add_rule(rule);
        self.base.record(node, Kind::DiskFault, number, 1);
        number
    }

    /// A part of a node's disk fails no more.
    pub(crate) fn end_disk_fault(&mut self, node: NodeId, number: u64) {
        let wall_ns = self.shown_ns(node);
        self.disks.device(node, wall_ns).end_rule(number);
        self.base.record(node, Kind::DiskFault, number, 0);
    }

    /// Puts an empty disk in the place of a node's.
    pub(crate) fn wipe_disk(&mut self, node: NodeId) {
        let wall_ns = self.shown_ns(node);
        self.base.record(node, Kind::DiskReplaced, 0, 1);
        self.disks.wipe(&mut self.base, node, wall_ns);
    }

    /// Has a node's disk hold what another held, or it itself at another time.
    pub(crate) fn restore_disk(&mut self, node: NodeId, image: Image) {
        let wall_ns = self.shown_ns(node);
        self.base.record(node, Kind::DiskReplaced, 0, 0);
        let family = Family::OlderImage;
        self.disks
            .replace(&mut self.base, node, wall_ns, image, family);
    }

    /// What a node's wall clock shows, for stamps of its disk: nobody has read it.
    pub(super) fn shown_ns(&self, node: NodeId) -> u64 {
        self.node(node).clock.wall_ns(self.base.now)
    }
}
