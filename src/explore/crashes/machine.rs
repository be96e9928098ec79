//! What the exploration asks of whoever runs programs on a disk.
//!
//! Owns the border: everything beyond it is what the programs are and how they reach their disk.

use std::collections::BTreeSet;

use crate::model::disk::{Image, Profile, Spot, Watch};

/// Runs the parts of a test on a disk.
pub(crate) trait Machine<A> {
    /// Runs a part on a disk that was mounted in a state, and records what the run was.
    ///
    /// The run must depend on the part and on the disk alone. Call stacks of some spots are taken
    /// with it; as a rule of none, since they take time.
    fn run(
        &mut self,
        profile: Profile,
        disk: Image,
        part: Part<'_, A>,
        stacks: BTreeSet<Spot>,
    ) -> Run<A>;
}

/// A part of a test.
#[derive(Debug)]
pub(crate) enum Part<'a, A> {
    /// What is there before: its end is durable.
    Setup,
    /// What is interrupted.
    Workload,
    /// What judges the disk after a crash, by what was acknowledged before it.
    Check(&'a [A]),
}

/// What a run was.
#[derive(Debug)]
pub(crate) struct Run<A> {
    /// Why it failed.
    pub(crate) result: Result<(), String>,
    /// What the workload acknowledged, in order.
    pub(crate) acked: Vec<A>,
    /// What the program would see at the end.
    pub(crate) visible: Image,
    pub(crate) watch: Watch,
}
