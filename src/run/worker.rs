//! A worker: this test's process, when it runs what the runner of a campaign asks for.
//!
//! Owns the messages between the two, one line of JSON each, and the loop that serves them. The
//! runner starts the test's program with [`SOCKET`] in its environment and the test's name as the
//! only one to run; the first call of [`run`](super::run) in it connects there, serves until the
//! socket closes, and ends the process. Whatever ends the process before, the runner knows by
//! [`Message::Began`] which run it was.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::env::Settings;
use super::thread::Keep;
use super::{RING, Test, attempt, was_given_up};
use crate::exec::{Failed, Failure, Moment, Properties};
use crate::explore::{Fingerprint, Scenario};
use crate::fault::Decisions;
use crate::kernel::{self, Entry, Family, FaultCounters, NodeId, SimTime, Step};
use crate::report::text;
use crate::sim::{Config, Outcome};
use crate::sys;

/// The environment variable that holds the path of the runner's socket.
pub const SOCKET: &str = "STORMGLASS_WORKER";
/// The environment variable that holds how many bytes of memory a worker may use; absent is
/// without limit.
pub const MEMORY: &str = "STORMGLASS_WORKER_MEMORY";

/// What a runner asks a worker for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Job {
    /// Some seeds, with the test's own configuration.
    Seeds {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
    },
    /// A scenario.
    Scenario {
        /// The scenario.
        scenario: Box<Scenario>,
        /// What the report says of it if it fails; `None` if no report is wanted, which takes a
        /// second run.
        report: Option<Labels>,
    },
    /// A scenario, whose trace is told up to a moment, line by line.
    Trace {
        /// The scenario.
        scenario: Box<Scenario>,
        /// The last step that is told.
        until_step: u64,
        /// The virtual time of the last step that is told, in nanoseconds.
        until_ns: u64,
    },
}

/// What the runner knows of a failure that its report must say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// A command that replays it.
    pub replay: String,
    /// Where it is saved.
    pub saved: String,
    /// How much of the failing run is needed to fail, if it was shrunk.
    pub shrunk: Option<String>,
}

/// What a worker tells its runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// It is there. The first message.
    Ready {
        /// The test's name.
        test: String,
        /// The test's own configuration.
        config: Box<Config>,
    },
    /// A run begins.
    Began {
        /// Its seed.
        seed: u64,
    },
    /// A line of a trace.
    Line(String),
    /// A run is over.
    Ran(Box<Ran>),
    /// A job is done.
    Idle,
}

/// What a run gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ran {
    /// Its seed.
    pub seed: u64,
    /// The digest of all that happened, as 32 hex digits; empty if the run was given up.
    pub digest: String,
    /// Steps of the trace.
    pub steps: u64,
    /// Virtual time at the end, in nanoseconds.
    pub virtual_ns: u64,
    /// What the faults did.
    pub counters: FaultCounters,
    /// The families of the faults that its plans name, whether they came to act or not.
    #[serde(default)]
    pub planned: BTreeSet<Family>,
    /// What was seen of properties.
    pub properties: Properties,
    /// Whether a stall was forgiven, since a quorum was lost.
    pub excused: bool,
    /// Given decisions that found nothing to decide.
    pub stale: Vec<String>,
    /// How it failed, if it did.
    pub failed: Option<Box<FailedRun>>,
}

/// How a run failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedRun {
    /// All that is needed to run it again.
    pub scenario: Scenario,
    /// Which failure it is.
    pub fingerprint: Fingerprint,
    /// The report, if it was asked for.
    pub report: Option<String>,
}

impl Ran {
    /// A run in the midst of which its process ended.
    #[must_use]
    pub fn died(failed: FailedRun) -> Self {
        Self {
            seed: failed.scenario.seed,
            digest: String::new(),
            steps: 0,
            virtual_ns: 0,
            counters: FaultCounters::default(),
            planned: BTreeSet::new(),
            properties: Properties::new(),
            excused: false,
            stale: Vec::new(),
            failed: Some(Box::new(failed)),
        }
    }
}

impl FailedRun {
    /// A run in the midst of which its process ended: what the runner knows of it. Its decisions
    /// died with it, and are drawn anew from the seed.
    #[must_use]
    pub fn died(test: &str, config: &Config, seed: u64, how: &str, last_words: &[String]) -> Self {
        let failed = Failed {
            failure: Failure::Died {
                how: how.to_owned(),
                last_words: last_words.to_vec(),
            },
            moment: Moment {
                node: NodeId::TEST,
                name: "test".to_owned(),
                incarnation: 1,
                at: SimTime::ZERO,
                step: Step::new(0),
            },
        };
        let decisions = Decisions::default();
        let digest = String::new();
        Self {
            scenario: Scenario::new(test, config, seed, &decisions, &failed, digest),
            fingerprint: Fingerprint::of(&failed),
            report: None,
        }
    }
}

/// Serves a runner until it hangs up, and ends the process.
pub(super) fn serve(
    socket: &Path,
    name: &str,
    config: &Config,
    settings: &Settings,
    test: &Test,
) -> ! {
    let code = match try_serve(socket, name, config, settings, test) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("stormglass: the worker of `{name}` lost its runner: {error}");
            LOST
        }
    };
    std::process::exit(code)
}

/// What a worker exits with whose runner is gone.
const LOST: i32 = 96;

fn try_serve(
    socket: &Path,
    name: &str,
    config: &Config,
    settings: &Settings,
    test: &Test,
) -> io::Result<()> {
    if let Some(bytes) = settings.worker_memory {
        sys::limit_memory(bytes)?;
    }
    let stream = UnixStream::connect(socket)?;
    let jobs = BufReader::new(stream.try_clone()?);
    let mut worker = Worker {
        stream,
        name,
        settings,
        test,
    };
    worker.tell(&Message::Ready {
        test: name.to_owned(),
        config: Box::new(config.clone()),
    })?;
    for line in jobs.lines() {
        match serde_json::from_str(&line?)? {
            Job::Seeds { first, count } => {
                for seed in first..first.saturating_add(count) {
                    worker.run(config, seed, &Decisions::default(), None)?;
                }
            }
            Job::Scenario { scenario, report } => {
                let (seed, given) = (scenario.seed, &scenario.decisions);
                worker.run(&scenario.config, seed, given, report.as_ref())?;
            }
            Job::Trace {
                scenario,
                until_step,
                until_ns,
            } => worker.trace(&scenario, until_step, until_ns)?,
        }
        worker.tell(&Message::Idle)?;
    }
    Ok(())
}

struct Worker<'a> {
    stream: UnixStream,
    name: &'a str,
    settings: &'a Settings,
    test: &'a Test,
}

impl Worker<'_> {
    fn tell(&mut self, message: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }

    fn run(
        &mut self,
        config: &Config,
        seed: u64,
        given: &Decisions,
        report: Option<&Labels>,
    ) -> io::Result<()> {
        self.tell(&Message::Began { seed })?;
        let outcome = attempt(config, seed, given, Keep::Nothing, self.settings, self.test);
        self.tell_outcome(config, outcome, report)
    }

    fn trace(&mut self, scenario: &Scenario, until_step: u64, until_ns: u64) -> io::Result<()> {
        let Scenario { config, seed, .. } = scenario;
        let given = &scenario.decisions;
        self.tell(&Message::Began { seed: *seed })?;
        let path = std::env::temp_dir().join(format!("stormglass-{}.trace", std::process::id()));
        let keep = Keep::Written(File::create(&path)?);
        let outcome = attempt(config, *seed, given, keep, self.settings, self.test);
        let mut reader = BufReader::new(File::open(&path)?);
        // It stays readable, and goes with the process however that ends.
        fs::remove_file(&path)?;
        while let Some(entry) = kernel::read(&mut reader)? {
            let line = match entry {
                Entry::Record(record)
                    if record.step.number() > until_step || record.at.as_nanos() > until_ns =>
                {
                    break;
                }
                Entry::Record(record) => text::record_line(&record, &outcome.node_names),
                Entry::Note(_, text) => text,
                Entry::Payload(..) => continue,
            };
            self.tell(&Message::Line(line))?;
        }
        self.tell_outcome(config, outcome, None)
    }

    fn tell_outcome(
        &mut self,
        config: &Config,
        outcome: Outcome<Result<(), String>>,
        report: Option<&Labels>,
    ) -> io::Result<()> {
        let given_up = was_given_up(&outcome);
        let failed = self.failed(config, &outcome, report);
        let plans = outcome.decisions.plans.iter();
        let faults = plans.flat_map(|plan| &plan.faults);
        let planned = faults
            .flat_map(|planned| planned.fault.families())
            .collect();
        self.tell(&Message::Ran(Box::new(Ran {
            seed: outcome.seed,
            digest: if given_up {
                String::new()
            } else {
                outcome.digest.to_string()
            },
            steps: outcome.steps,
            virtual_ns: outcome.end.as_nanos(),
            counters: outcome.counters,
            planned,
            properties: outcome.properties,
            excused: outcome.excused,
            stale: outcome.stale,
            failed,
        })))?;
        if given_up {
            // Its thread cannot be stopped, and must not take the time of other runs.
            std::process::exit(0);
        }
        Ok(())
    }

    fn failed(
        &self,
        config: &Config,
        outcome: &Outcome<Result<(), String>>,
        report: Option<&Labels>,
    ) -> Option<Box<FailedRun>> {
        let failed = outcome.failed.as_ref()?;
        let digest = if was_given_up(outcome) {
            "unknown, since the run was given up".to_owned()
        } else {
            outcome.digest.to_string()
        };
        let (seed, decisions) = (outcome.seed, &outcome.decisions);
        let replayed = (report.is_some() && !was_given_up(outcome)).then(|| {
            let keep = Keep::Last(RING);
            attempt(config, seed, decisions, keep, self.settings, self.test)
        });
        let report = report.map(|labels| {
            let second = replayed
                .as_ref()
                .map(|replayed| replayed.digest.to_string());
            let report = text::Report {
                name: self.name,
                seed,
                failed,
                replay: &labels.replay,
                saved: &labels.saved,
                shrunk: labels.shrunk.as_deref(),
                first: &digest,
                second: second.as_deref(),
                ring: replayed
                    .as_ref()
                    .and_then(|replayed| replayed.ring.as_ref()),
                node_names: &outcome.node_names,
                policy: outcome.policy,
                decisions,
                escaped: &outcome.escaped,
                scenario: None,
            };
            report.to_string()
        });
        let fingerprint = Fingerprint::of(failed);
        Some(Box::new(FailedRun {
            scenario: Scenario::new(self.name, config, seed, decisions, failed, digest),
            fingerprint,
            report,
        }))
    }
}
