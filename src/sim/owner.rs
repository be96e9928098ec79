//! Whose simulation a handle is of: said and checked in one place.

use crate::exec::context;

/// The simulation to which a handle belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(u64);

impl Owner {
    pub(super) const fn new(sim: u64) -> Self {
        Self(sim)
    }

    /// Whether this thread runs it.
    pub(super) fn is_running(self) -> bool {
        context::try_with(|context| context.id == self.0) == Some(true)
    }

    /// # Panics
    /// If this thread runs another simulation, or none.
    #[track_caller]
    pub(super) fn check(self) {
        let same = context::with(|context| context.id == self.0);
        assert!(
            same,
            "this handle belongs to another simulation than the one running on this thread: keep \
             handles inside the test function that was given them"
        );
    }
}
