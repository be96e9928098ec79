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
    /// A property that was claimed does not hold.
    Violation {
        /// The property's name.
        property: String,
        /// What is claimed of it, and what was seen.
        message: String,
        /// Source line, `file:line`.
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
    /// The process of the run ended in the midst of it: by an abort, a stack overflow, for want of
    /// memory, or from outside. Only a runner sees that, so the moment is the beginning.
    Died {
        /// How it ended, such as `signal 6 (SIGABRT)`.
        how: String,
        /// The last lines that it wrote to its standard error.
        last_words: Vec<String>,
    },
    /// Two runs of one scenario differed; the moment is that of the first difference.
    Nondeterminism {
        /// Through what the difference came in.
        leak: Leak,
        /// The experiment that told the leak.
        evidence: String,
        /// In what the first two records that differ do so.
        difference: String,
        /// What the run in this process did there, with what led to it, latest last.
        first: Vec<String>,
        /// What the run in a fresh process did there, with what led to it, latest last.
        second: Vec<String>,
    },
}

/// Through what two runs of one scenario came to differ, as the determinism doctor found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Leak {
    /// What earlier runs left behind in the process.
    ProcessState,
    /// Where things are in memory.
    Addresses,
    /// The keys of a `HashMap` or `HashSet`.
    HashOrder,
    /// Random numbers of the machine.
    Entropy,
    /// A real clock, or the time-stamp counter.
    Clock,
    /// Threads of the operating system, which the configuration allows.
    Threads,
    /// None that the doctor can take away.
    Unknown,
}

impl Leak {
    /// The name that reports print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessState => "process-state",
            Self::Addresses => "addresses",
            Self::HashOrder => "hash-order",
            Self::Entropy => "entropy",
            Self::Clock => "clock",
            Self::Threads => "threads",
            Self::Unknown => "unknown",
        }
    }

    /// What it likely is and what to do about it, in one sentence.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ProcessState => {
                "a static counter or cache, or the unbiased `select!` of tokio or futures, which \
                 seeds itself from one: make the state `node_local!`, use `stormglass::select!` or \
                 a biased one, or run each seed in a process of its own"
            }
            Self::Addresses => {
                "something orders or hashes by pointer: give what it handles a number and use that"
            }
            Self::HashOrder => {
                "a HashMap or HashSet made before the simulation is iterated in it: make it \
                 inside, or use a BTreeMap"
            }
            Self::Entropy => {
                "random numbers of the machine are used inside: make the generator in the \
                 simulation, with stormglass::rand or from any crate's entropy"
            }
            Self::Clock => {
                "real time is used inside: read std's clock or stormglass::time in the simulation"
            }
            Self::Threads => {
                "threads run in an order that no seed decides: start tasks with \
                 stormglass::task::spawn or spawn_blocking and take `thread` out of \
                 `Config::allow`"
            }
            Self::Unknown => "nothing that the doctor can take away: compare the two records",
        }
    }
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
            Self::Violation { .. } => "Violation",
            Self::Error { .. } => "Error",
            Self::Deadlock { .. } => "Deadlock",
            Self::Livelock { .. } => "Livelock",
            Self::StepLimit { .. } => "StepLimit",
            Self::TimeLimit { .. } => "TimeLimit",
            Self::Escape { .. } => "Escape",
            Self::Hang { .. } => "Hang",
            Self::Died { .. } => "Died",
            Self::Nondeterminism { .. } => "Nondeterminism",
        }
    }
}

/// Whether a line of a process's last words says why it ended: the words are those of std.
pub(crate) fn is_telling(line: &str) -> bool {
    const TELLING: [&str; 4] = [
        "has overflowed its stack",
        "memory allocation of",
        "panicked at",
        "AddressSanitizer",
    ];
    TELLING.iter().any(|words| line.contains(words))
}

impl fmt::Display for Failure {
    /// One line: what went wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Panic { message, location } => write!(f, "{message} ({location})"),
            Self::Violation {
                property,
                message,
                location,
            } => write!(f, "\"{property}\" is broken: {message} ({location})"),
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
            Self::Escape {
                kind,
                call,
                detail,
                place,
            } => {
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
            Self::Died { how, last_words } => {
                write!(f, "the process ended by {how}")?;
                match last_words.iter().rev().find(|line| is_telling(line)) {
                    Some(line) => write!(f, ": {}", line.trim()),
                    None => Ok(()),
                }
            }
            Self::Nondeterminism { leak, .. } => {
                write!(
                    f,
                    "the same seed gave another run in a fresh process; the leak: {leak}"
                )
            }
        }
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on {}, spawned at {}",
            self.task, self.node, self.spawned_at
        )
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, incarnation {})",
            self.name, self.node, self.incarnation
        )?;
        write!(f, " at {}, step {}", self.at, self.step)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  on {}", self.failure, self.moment)
    }
}

impl std::error::Error for Failed {}
