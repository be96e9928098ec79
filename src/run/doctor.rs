//! The determinism doctor: does a seed give the same run in another process, and if not, why?
//!
//! The first run is here, the second in a fresh process after a decoy (another seed), so that
//! whatever one run leaves behind for the next can bite. Both write all that happens to files. If
//! the files differ, more processes are started, each cured of one source of difference,
//! until the runs of one kind of them agree: that was the leak. It is found by experiment and
//! never guessed.
//!
//! A process of the doctor's is this very program, told by an [`Order`] in its environment which
//! call of which test it is for. It runs as ever until it comes to that call, and ends there.
//!
//! Running a seed twice is what FoundationDB's simulator and madsim do to find non-determinism;
//! the fresh process, the decoy and the cures are ours.

mod leak;
mod process;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::env::{self, Settings};
use super::thread::Keep;
use super::{Test, attempt, name_of_caller, test_of_thread, was_given_up};
use crate::exec::{Failed, Failure, Leak};
use crate::fault::Decisions;
use crate::kernel::{Digest, DigestMode};
use crate::sim::{Config, Outcome, ProgramResult, Sim};
use crate::sys::probe;
use process::{Lab, Stopwatch};

/// Runs one seed here and in a fresh process, and tells whether both were the same run; if not,
/// which leak made the difference.
///
/// `STORMGLASS_CHECK=1` does this to each seed that a test runs. The fresh process is this program
/// again: a plain program with its own arguments, a test with the test's name alone. It takes the
/// same way to this call as this process did and ends there.
///
/// ```
/// use stormglass::{Config, run};
///
/// let diagnosis = run::doctor(Config::default(), 7, |sim| async move {
///     sim.mark("seven", 7);
/// });
/// assert!(diagnosis.failed.is_none());
/// ```
///
/// # Panics
/// If the configuration makes no sense, or the fresh process cannot be started, or it ends without
/// having come to this call.
#[track_caller]
pub fn doctor<F, Fut>(mut config: Config, seed: u64, test: F) -> Diagnosis
where
    F: Fn(Sim) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: ProgramResult + 'static,
{
    let settings = env::get();
    let call = Call::next(&name_of_caller(Location::caller()));
    config.digest = DigestMode::Full;
    if let Err(error) = config.validate() {
        panic!(
            "the configuration of `{}` makes no sense: {error}",
            call.test
        );
    }
    let (test, given) = (Test::new(test), &Decisions::default());
    call.obey(&config, given, settings, &test);
    let outcome = match settings.order {
        // This process is for another call; what it is asked here must not start more of them.
        Some(_) => attempt(&config, seed, given, Keep::Nothing, settings, &test),
        None => call.attempt_twice(&config, seed, given, settings, &test),
    };
    Diagnosis {
        seed,
        digest: outcome.digest,
        steps: outcome.steps,
        failed: outcome.failed,
    }
}

/// What the [`doctor`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The seed.
    pub seed: u64,
    /// The digest of everything that happened in the run in this process.
    pub digest: Digest,
    /// Steps of that run.
    pub steps: u64,
    /// [`Failure::Nondeterminism`] if the two runs differ; else why the run failed, if it did.
    pub failed: Option<Failed>,
}

impl Diagnosis {
    /// The leak, if the two runs differ.
    #[must_use]
    pub const fn leak(&self) -> Option<Leak> {
        match &self.failed {
            Some(Failed {
                failure: Failure::Nondeterminism { leak, .. },
                ..
            }) => Some(*leak),
            _ => None,
        }
    }
}

/// One of a program's calls of [`run`](super::run) or [`doctor`], so that it is found again in
/// another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The test that makes it; the name of the run, if none does.
    test: String,
    /// How many calls were made there before it.
    index: u64,
}

/// What a process of the doctor's is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    call: Call,
    seed: u64,
    /// Whether another seed runs first.
    decoy: bool,
    /// The file for the trace.
    trace: PathBuf,
}

impl Order {
    /// The environment variable that holds it.
    pub(crate) const VARIABLE: &str = "STORMGLASS_DOCTOR";

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| {
            let name = Self::VARIABLE;
            format!("{name} is set by the doctor for processes that it starts: {error}")
        })
    }
}

impl Call {
    /// The call that is being made, of the run of this name. Each is to be counted once.
    pub(crate) fn next(name: &str) -> Self {
        // Several tests, running at once, may call runs of one name.
        let test = test_of_thread().unwrap_or_else(|| name.to_owned());
        static CALLS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(test.clone()).or_default();
        let index = *count;
        *count += 1;
        Self { test, index }
    }

    /// Does what this process was started for and ends it, if that is this call.
    pub(super) fn obey(
        &self,
        config: &Config,
        given: &Decisions,
        settings: &Settings,
        test: &Test,
    ) {
        let Some(order) = settings.order.as_ref().filter(|order| order.call == *self) else {
            return;
        };
        probe::start_clocks();
        let config = Config {
            digest: DigestMode::Full,
            ..config.clone()
        };
        if order.decoy {
            // Whether it fails is of no interest: it is there for what it leaves behind.
            attempt(
                &config,
                order.seed.wrapping_add(1),
                given,
                Keep::Nothing,
                settings,
                test,
            );
        }
        let file = File::create(&order.trace)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", order.trace.display()));
        let outcome = attempt(
            &config,
            order.seed,
            given,
            Keep::Written(file),
            settings,
            test,
        );
        if was_given_up(&outcome) {
            let failed = outcome.failed.expect("a run that was given up has failed");
            eprintln!("{failed}");
            std::process::exit(GIVEN_UP);
        }
        std::process::exit(DONE);
    }

    /// Runs a seed here and in a fresh process. The outcome is that of the run here, failed with
    /// [`Failure::Nondeterminism`] if the other was not the same.
    #[track_caller]
    pub(super) fn attempt_twice(
        &self,
        config: &Config,
        seed: u64,
        given: &Decisions,
        settings: &Settings,
        test: &Test,
    ) -> Outcome<Result<(), String>> {
        let unable =
            |error: String| -> ! { panic!("cannot check seed {seed} of `{}`: {error}", self.test) };
        let mut lab = Lab::new(self, seed).unwrap_or_else(|error| unable(error));
        let trace = lab.file("first");
        let file = File::create(&trace)
            .unwrap_or_else(|error| unable(format!("cannot write {}: {error}", trace.display())));
        let watch = Stopwatch::start();
        let mut outcome = attempt(config, seed, given, Keep::Written(file), settings, test);
        if was_given_up(&outcome) {
            return outcome;
        }
        lab.allow_for(watch.elapsed());
        match leak::diagnose(&lab, &trace, &outcome) {
            Ok(None) => outcome,
            Ok(Some(failed)) => {
                outcome.failed = Some(failed);
                outcome
            }
            Err(error) => unable(error),
        }
    }
}

/// What a process of the doctor's exits with when it has done what it was for. No code of the
/// program under test should be the same.
const DONE: i32 = 98;
/// What it exits with if the run hung.
const GIVEN_UP: i32 = 97;
