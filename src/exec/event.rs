//! The one enumeration of everything that can happen.

use std::task::Waker;

use super::storm::{FaultRef, Turn};
use crate::kernel::{NodeId, Step};
use crate::model::disk::DiskEvent;
use crate::model::net::NetEvent;

/// An event that waits for its time, with the step that led to it.
pub(crate) struct Scheduled {
    pub(crate) cause: Step,
    pub(crate) event: Event,
}

/// What can happen at a point in time. There are no callbacks: the driver knows each kind.
pub(crate) enum Event {
    /// A timer of a node falls due.
    Timer {
        node: NodeId,
        /// What the node's monotonic clock shows then; kept so that the timer can be moved when
        /// that clock is changed.
        deadline_ns: u64,
        waker: Waker,
    },
    /// Something happens on the network.
    Net(NetEvent),
    /// A request to a disk has had its time.
    Disk(DiskEvent),
    /// A node that was busy with a blocking call is free again.
    NodeFree(NodeId),
    /// A node that was asked to stop has had its time.
    StopDeadline { node: NodeId, incarnation: u32 },
    /// A fault of a plan begins or ends.
    Fault { at: FaultRef, turn: Turn },
}
