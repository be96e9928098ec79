//! What a run gave.

use std::fmt;

use crate::exec::{Failed, Moment, Policy, Properties};
use crate::fault::Decisions;
use crate::kernel::{Digest, FaultCounters, NodeId, Ring, SimTime, Step};
use crate::sys::EscapeKind;

/// What a run gave.
#[non_exhaustive]
pub struct Outcome<T> {
    /// The seed.
    pub seed: u64,
    /// What the test function returned; `None` if it did not come to its end.
    pub value: Option<T>,
    /// Why the run failed, if it did.
    pub failed: Option<Failed>,
    /// The digest of everything that happened.
    pub digest: Digest,
    /// Steps of the trace.
    pub steps: u64,
    /// Virtual time at the end.
    pub end: SimTime,
    /// What the faults did.
    pub counters: FaultCounters,
    /// What was seen of properties.
    pub properties: Properties,
    /// What was decided for the run besides its seed and configuration.
    pub decisions: Decisions,
    /// Whether a stall was forgiven, since a group had lost its quorum
    /// ([`Storm::quiet`](super::Storm::quiet)).
    pub excused: bool,
    /// Of the decisions that the run was given, those that found nothing to decide: each in a few
    /// words. A run with any may say nothing about the failure that the decisions are from.
    pub stale: Vec<String>,
    /// The scheduling policy, as resolved.
    pub policy: Policy,
    /// Ways out of the simulation that were taken because the configuration allows them: if there
    /// are any, the run may not be replayable.
    pub escaped: Vec<EscapeKind>,
    /// The nodes' names, by their numbers.
    pub node_names: Vec<String>,
    /// The last records and log lines, if the run was to keep them.
    pub ring: Option<Ring>,
}

impl<T> Outcome<T> {
    /// The end of the run, on the test's own node.
    pub(crate) fn last_moment(&self) -> Moment {
        Moment {
            node: NodeId::TEST,
            name: "test".to_owned(),
            incarnation: 1,
            at: self.end,
            step: Step::new(self.steps.saturating_sub(1)),
        }
    }

    /// The value, for runs that are expected to pass.
    ///
    /// # Panics
    /// If the run failed, with the failure.
    #[track_caller]
    pub fn unwrap(self) -> T {
        match (self.value, self.failed) {
            (_, Some(failed)) => panic!("seed {}: {failed}", self.seed),
            (Some(value), None) => value,
            (None, None) => unreachable!("a run that did not fail has come to its end"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("seed", &self.seed)
            .field("value", &self.value)
            .field("failed", &self.failed)
            .field("digest", &self.digest.to_string())
            .field("steps", &self.steps)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
