//! What is running, told to the watchdog on another thread.
//!
//! The executor only stores; it never reads, so that a watched run is the same run.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::failure::{Failed, Moment, WaitingTask};
use crate::kernel::{NodeId, SimTime, Step, TaskId};

/// Shared between a simulation and the thread that watches it.
#[derive(Default)]
pub(crate) struct Progress {
    /// Grows with each poll; even while no poll is running.
    polls: AtomicU64,
    /// Node and slot of the running task.
    running: AtomicU64,
    incarnation: AtomicU32,
    step: AtomicU64,
    at: AtomicU64,
    sites: Mutex<Vec<NodeSites>>,
    /// A refused escape, told at once: its program may never yield again.
    escaped: Mutex<Option<Failed>>,
}

/// What was running at some moment.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    poll: bool,
    running: u64,
}

#[derive(Default)]
struct NodeSites {
    name: String,
    /// By slot: the task and where it was spawned.
    tasks: Vec<Option<(TaskId, &'static Location<'static>)>>,
}

impl Progress {
    pub(crate) fn node_added(&self, name: &str) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.push(NodeSites {
            name: name.to_owned(),
            tasks: Vec::new(),
        });
    }

    pub(crate) fn spawned(
        &self,
        node: NodeId,
        slot: u32,
        task: TaskId,
        location: &'static Location<'static>,
    ) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = &mut sites[node.index()].tasks;
        if tasks.len() <= slot as usize {
            tasks.resize(slot as usize + 1, None);
        }
        tasks[slot as usize] = Some((task, location));
    }

    pub(crate) fn escaped(&self, failed: &Failed) {
        let mut escaped = self.escaped.lock().unwrap_or_else(PoisonError::into_inner);
        escaped.get_or_insert_with(|| failed.clone());
    }

    /// The escape after which a program did not yield, if there was one.
    pub(crate) fn take_escape(&self) -> Option<Failed> {
        self.escaped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Virtual time has moved.
    #[inline]
    pub(crate) fn time(&self, at: SimTime) {
        self.at.store(at.as_nanos(), Ordering::Relaxed);
    }

    /// A poll of the task in `slot` of `node` begins.
    #[inline]
    pub(crate) fn poll(&self, node: NodeId, slot: u32, incarnation: u32, step: Step) {
        self.incarnation.store(incarnation, Ordering::Relaxed);
        self.step.store(step.number(), Ordering::Relaxed);
        self.running.store(
            u64::from(node.number()) << 32 | u64::from(slot),
            Ordering::Relaxed,
        );
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store((polls | 1) + 2, Ordering::Release);
    }

    /// What is running, to [go back to](Self::go_back_to).
    pub(crate) fn running(&self) -> Running {
        Running {
            poll: self.running_poll().is_some(),
            running: self.running.load(Ordering::Relaxed),
        }
    }

    /// What was running before goes on.
    pub(crate) fn go_back_to(&self, before: Running) {
        self.running.store(before.running, Ordering::Relaxed);
        let polls = self.polls.load(Ordering::Relaxed);
        let step = if before.poll { 2 } else { 1 };
        self.polls.store((polls | 1) + step, Ordering::Release);
    }

    /// No poll is running.
    #[inline]
    pub(crate) fn idle(&self) {
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store((polls | 1) + 1, Ordering::Release);
    }

    /// A number that changes with each poll, if one is running.
    pub(crate) fn running_poll(&self) -> Option<u64> {
        let polls = self.polls.load(Ordering::Acquire);
        (polls % 2 == 1).then_some(polls)
    }

    /// Where and when the running poll began.
    pub(crate) fn moment(&self) -> Moment {
        let running = self.running.load(Ordering::Relaxed);
        let node = NodeId::new(u32::try_from(running >> 32).expect("32 bits"));
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        Moment {
            node,
            name: sites
                .get(node.index())
                .map_or_else(|| "unknown".to_owned(), |site| site.name.clone()),
            incarnation: self.incarnation.load(Ordering::Relaxed),
            at: SimTime::from_nanos(self.at.load(Ordering::Relaxed)),
            step: Step::new(self.step.load(Ordering::Relaxed)),
        }
    }

    /// The task whose poll is running.
    pub(crate) fn running_task(&self) -> Option<WaitingTask> {
        let running = self.running.load(Ordering::Relaxed);
        let (node, slot) = (running >> 32, running & u64::from(u32::MAX));
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let node = sites.get(usize::try_from(node).ok()?)?;
        let (task, location) = (*node.tasks.get(usize::try_from(slot).ok()?)?)?;
        Some(WaitingTask {
            task,
            node: node.name.clone(),
            spawned_at: location.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_told_from_the_next_and_from_none() {
        let progress = Progress::default();
        assert_eq!(progress.running_poll(), None);
        progress.node_added("a");
        progress.spawned(NodeId::new(0), 2, TaskId::new(7), Location::caller());
        progress.poll(NodeId::new(0), 2, 1, Step::new(5));
        let first = progress.running_poll();
        assert!(first.is_some());
        assert_eq!(
            progress.running_task().map(|task| task.task),
            Some(TaskId::new(7))
        );
        progress.poll(NodeId::new(0), 1, 1, Step::new(6));
        assert_ne!(progress.running_poll(), first);
        assert_eq!(progress.running_task(), None);
        progress.idle();
        assert_eq!(progress.running_poll(), None);
    }
}
