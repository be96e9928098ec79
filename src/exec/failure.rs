//! How a run can fail, as values.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::{NodeId, SimTime, Step, TaskId};
use crate::sys::EscapeKind;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The code under test panicked; on the test's own node that is a failed assertion.
    Panic {
        /// The panic's message.
        message: String,
        /// Source line, `file:line:column`.
        location: String,
    },
    /// The test function returned an error.
    Error {
        /// The error, as `Debug` prints it.
        message: String,
    },
    /// Nothing can ever run again and the test is not finished.
    Deadlock {
        /// The tasks that wait, in the order of spawning.
        waiting: Vec<WaitingTask>,
    },
    /// Tasks run and run, and time does not move.
    Livelock {
        /// Polls without time moving.
        polls: u64,
        /// The tasks that ran, busiest first.
        busy: Vec<WaitingTask>,
    },
    /// The run took more steps than it may.
    StepLimit {
        /// The limit.
        steps: u64,
    },
    /// Virtual time ran out.
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// The tasks that wait, in the order of spawning.
        waiting: Vec<WaitingTask>,
    },
    /// The code under test tried to leave the simulation.
    Escape {
        /// In which way.
        kind: EscapeKind,
        /// The call, such as `pthread_create`.
        call: String,
        /// What it was about, such as a path.
        detail: Option<String>,
        /// The source line that led to it, as far as debug information tells.
        place: Option<String>,
    },
    /// A task never yielded: the wall-clock watchdog ran out of patience.
    Hang {
        /// How long the poll had lasted.
        after: Duration,
        /// The task.
        task: Option<WaitingTask>,
    },
    /// Two runs of one scenario differed.
    Nondeterminism {
        /// What differed first, and why that may be.
        report: String,
    },
}

/// A task, as failure reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingTask {
    /// Its id.
    pub task: TaskId,
    /// Name of its node.
    pub node: String,
    /// Where it was spawned, `file:line:column`.
    pub spawned_at: String,
}

/// Where and when something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Which start of its program.
    pub incarnation: u32,
    /// Virtual time.
    pub at: SimTime,
    /// Position in the trace.
    pub step: Step,
}

/// A failure with its place and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// Where and when.
    pub moment: Moment,
}

impl Failure {
    /// The variant's name, as reports print it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Panic { .. } => "Panic",
            Self::Error { .. } => "Error",
            Self::Deadlock { .. } => "Deadlock",
            Self::Livelock { .. } => "Livelock",
            Self::StepLimit { .. } => "StepLimit",
            Self::TimeLimit { .. } => "TimeLimit",
            Self::Escape { .. } => "Escape",
            Self::Hang { .. } => "Hang",
            Self::Nondeterminism { .. } => "Nondeterminism",
        }
    }
}

impl fmt::Display for Failure {
    /// One line: what went wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Panic { message, location } => write!(f, "{message} ({location})"),
            Self::Error { message } => write!(f, "the test returned {message}"),
            Self::Deadlock { waiting } => {
                let tasks = waiting.len();
                write!(f, "nothing can ever run again; {tasks} tasks wait")
            }
            Self::Livelock { polls, .. } => {
                write!(f, "{polls} polls and virtual time does not move")
            }
            Self::StepLimit { steps } => write!(f, "the run took {steps} steps, its limit"),
            Self::TimeLimit { limit, .. } => {
                write!(f, "not finished after {limit:?} of virtual time, its limit")
            }
            Self::Escape { kind, call, detail, place } => {
                write!(f, "{kind} by `{call}`")?;
                if let Some(detail) = detail {
                    write!(f, " of {detail}")?;
                }
                if let Some(place) = place {
                    write!(f, " at {place}")?;
                }
                write!(f, "; {}", kind.advice())
            }
            Self::Hang { after, task } => {
                write!(f, "a poll has not returned after {after:?} of real time")?;
                match task {
                    Some(task) => write!(f, ": {task}"),
                    None => Ok(()),
                }
            }
            Self::Nondeterminism { report } => f.write_str(report),
        }
    }
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, spawned at {}", self.task, self.node, self.spawned_at)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, incarnation {})", self.name, self.node, self.incarnation)?;
        write!(f, " at {}, step {}", self.at, self.step)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  on {}", self.failure, self.moment)
    }
}

impl std::error::Error for Failed {}
