//! Shrinking in this process: each candidate is run on a thread of its own, as a seed is.
//!
//! Owns the oracle and the deadline. What is tried is [`explore`](crate::explore::shrink())'s.

#![expect(
    clippy::disallowed_types,
    reason = "how long a person wants to wait is real time, and no run sees it"
)]

use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::env::Settings;
use super::thread::Keep;
use super::{Test, attempt, name_of_caller, was_given_up};
use crate::explore::{self, Effort, End, Fingerprint, Progress, Scenario, Shrunk, Verdict};
use crate::fault::Decisions;
use crate::sim::{Config, ProgramResult, Sim};

/// Runs a test over the seeds of `config` until one fails, and gives that as a scenario.
///
/// As [`run`](super::run()), but the environment is not asked, and a failure is a value.
///
/// # Panics
/// If the configuration makes no sense.
#[track_caller]
pub fn find_failure<F, Fut>(config: &Config, test: F) -> Option<Scenario>
where
    F: Fn(Sim) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: ProgramResult + 'static,
{
    if let Err(error) = config.validate() {
        panic!("the configuration makes no sense: {error}");
    }
    let name = name_of_caller(std::panic::Location::caller());
    let test = Test::new(test);
    let (quiet, none) = (Settings::default(), Decisions::default());
    let seeds = config.first_seed..=config.first_seed + (config.seeds - 1);
    seeds.into_iter().find_map(|seed| {
        let outcome = attempt(config, seed, &none, Keep::Nothing, &quiet, &test);
        let failed = outcome.failed.as_ref()?;
        let digest = outcome.digest.to_string();
        Some(Scenario::new(
            &name,
            config,
            seed,
            &outcome.decisions,
            failed,
            digest,
        ))
    })
}

/// Makes a scenario of a test as small as it can, by running the test in this process.
///
/// The result is as [`explore::shrink`](explore::shrink()) says, with the failure and the digest of
/// its own run. A failure that takes the process with it, or hangs, must be shrunk from outside:
/// this ends at the first run that hangs.
///
/// ```
/// use std::ops::ControlFlow;
/// use stormglass::explore::Effort;
/// use stormglass::{Config, Sim, run};
///
/// async fn too_many(sim: Sim) -> Result<(), String> {
///     let ops = sim.workload("ops", || (0..100_u32).collect());
///     let odd = ops.iter().filter(|op| *op % 2 == 1).count();
///     if odd > 2 { Err("more than two odd ones".to_owned()) } else { Ok(()) }
/// }
///
/// let scenario = run::find_failure(&Config::default(), too_many).unwrap();
/// let go_on = |_: &_| ControlFlow::Continue(());
/// let shrunk = run::shrink(&scenario, &Effort::default(), too_many, go_on);
/// assert_eq!((shrunk.from.operations, shrunk.to.operations), (100, 3));
/// ```
pub fn shrink<F, Fut>(
    scenario: &Scenario,
    effort: &Effort,
    test: F,
    progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Shrunk
where
    F: Fn(Sim) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: ProgramResult + 'static,
{
    in_process(scenario, effort, &Test::new(test), progress)
}

/// Shrinks for so long, as a failing test does.
pub(super) fn for_a_while(scenario: &Scenario, limit: Duration, test: &Test) -> Shrunk {
    let began = Instant::now();
    in_process(scenario, &Effort::default(), test, |_| {
        if began.elapsed() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
}

fn in_process(
    scenario: &Scenario,
    effort: &Effort,
    test: &Test,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Shrunk {
    let quiet = Settings::default();
    // Of the last run that failed the same: with what was decided in it, which may be less than it
    // was given, as it may not have come to all of it.
    let mut latest = None;
    let hung = std::cell::Cell::new(false);
    let oracle = |candidate: &Scenario| {
        let Scenario {
            config,
            seed,
            decisions,
            ..
        } = candidate;
        let outcome = attempt(config, *seed, decisions, Keep::Nothing, &quiet, test);
        // A thread that hangs is left behind and takes the time of all that follows.
        hung.set(hung.get() || was_given_up(&outcome));
        let same = |failed: &&_| Fingerprint::of(failed) == scenario.fingerprint;
        let Some(failed) = outcome.failed.as_ref().filter(same) else {
            return Verdict::Other;
        };
        let (decisions, digest) = (&outcome.decisions, outcome.digest.to_string());
        let name = &candidate.test;
        latest = Some(Scenario::new(
            name, config, *seed, decisions, failed, digest,
        ));
        Verdict::Same
    };
    let mut shrunk = explore::shrink(scenario, effort, oracle, |now| {
        if hung.get() {
            return ControlFlow::Break(());
        }
        progress(now)
    });
    if let Some(latest) = latest.filter(|_| shrunk.end != End::NotReproduced) {
        shrunk.to = latest.size();
        shrunk.scenario = latest;
    }
    shrunk
}
