//! How a program came to some of what it does to a disk: call stacks, taken in a run that is made
//! for nothing else.
//!
//! Owns what is wanted and what was taken. Nothing that happens depends on it. It must never look
//! into a stack: that reads the program's own file, which is for whoever has left the simulation.

use std::backtrace::Backtrace;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that a program does. Numbers are those of the run, which are the same in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    /// A call that changes the disk.
    Call(u64),
    /// What comes right after a moment at which power may be lost.
    Moment(usize),
    /// An acknowledgement.
    Ack(usize),
}

/// Stacks by spot.
pub(crate) type Taken = BTreeMap<Spot, Arc<Backtrace>>;

/// The stacks of some spots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stacks {
    wanted: BTreeSet<Spot>,
    taken: Taken,
    /// Where the call that is carried out was asked for, if that was before.
    asked: Option<Arc<Backtrace>>,
}

impl Stacks {
    /// None yet.
    pub(crate) fn wanted(wanted: BTreeSet<Spot>) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// Where a call is asked for that is made now, or from here.
    pub(super) fn asking(&self) -> Arc<Backtrace> {
        let here = || Arc::new(Backtrace::force_capture());
        self.asked.clone().unwrap_or_else(here)
    }

    /// Says where the calls that follow were asked for; `None` is where they are made.
    pub(super) fn set_asked(&mut self, asked: Option<Arc<Backtrace>>) {
        self.asked = asked;
    }

    /// The program does this now.
    pub(super) fn met(&mut self, spot: Spot) {
        if self.wanted.contains(&spot) {
            let stack = self.asking();
            self.taken.entry(spot).or_insert(stack);
        }
    }

    /// All that were taken.
    pub(crate) fn into_taken(self) -> Taken {
        self.taken
    }
}
