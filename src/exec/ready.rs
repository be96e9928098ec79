//! The tasks that are ready to run, by node.
//!
//! Apart from the world, because a waker may be called while the world is borrowed.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use async_task::Runnable;

use super::policy::Ranked;
use super::task::TaskMeta;
use crate::kernel::{NodeId, Step};

/// Ready tasks of all nodes.
#[derive(Default)]
pub(crate) struct Ready {
    nodes: Vec<NodeReady>,
    /// Nodes with ready tasks, in the order in which they became so; each at most once.
    listed: Vec<NodeId>,
}

#[derive(Default)]
struct NodeReady {
    tasks: VecDeque<ReadyTask>,
    listed: bool,
}

/// A task that is ready, and the step that made it so.
pub(crate) struct ReadyTask {
    pub(crate) runnable: Runnable<TaskMeta>,
    pub(crate) cause: Step,
}

impl Ranked for ReadyTask {
    fn rank(&self) -> u64 {
        self.runnable.metadata().rank.load(Ordering::Relaxed)
    }

    fn set_rank(&self, rank: u64) {
        self.runnable.metadata().rank.store(rank, Ordering::Relaxed);
    }
}

impl Ready {
    pub(crate) fn add_node(&mut self) {
        self.nodes.push(NodeReady::default());
    }

    #[inline]
    pub(crate) fn push(&mut self, task: ReadyTask) {
        let id = task.runnable.metadata().node;
        let node = &mut self.nodes[id.index()];
        node.tasks.push_back(task);
        if !node.listed {
            node.listed = true;
            self.listed.push(id);
        }
    }

    /// The ready tasks of one node.
    #[inline]
    pub(crate) fn tasks(&mut self, id: NodeId) -> &mut VecDeque<ReadyTask> {
        &mut self.nodes[id.index()].tasks
    }

    /// `preferred` if it has ready tasks, or else some node that has.
    pub(crate) fn find(&self, preferred: NodeId) -> Option<NodeId> {
        if !self.nodes[preferred.index()].tasks.is_empty() {
            return Some(preferred);
        }
        let mut nodes = (0..).zip(&self.nodes);
        let found = nodes.find(|(_, node)| !node.tasks.is_empty());
        found.map(|(number, _)| NodeId::new(number))
    }

    /// Lists a node again if it has ready tasks.
    pub(crate) fn list(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        if !node.listed && !node.tasks.is_empty() {
            node.listed = true;
            self.listed.push(id);
        }
    }

    /// Moves the listed nodes into `batch`, which must be empty, and unlists them.
    #[inline]
    pub(crate) fn take_listed(&mut self, batch: &mut Vec<NodeId>) {
        debug_assert!(batch.is_empty());
        std::mem::swap(&mut self.listed, batch);
        for id in batch.iter() {
            self.nodes[id.index()].listed = false;
        }
    }
}
