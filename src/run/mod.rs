//! The entry that joins the floors for a test: seeds, threads, the watchdog, the report.
//!
//! Floor 9. [`run`] is what a person calls and [`test`] what the attribute macro calls; both run
//! each seed on a fresh thread of the operating system, so that no crate's thread-local state
//! passes from one simulation to the next.

mod doctor;
pub(crate) mod env;
mod scenario;
mod shrink;
mod thread;
pub mod worker;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use futures::future::LocalBoxFuture;

pub use crate::explore::Scenario;
pub use doctor::{Diagnosis, doctor};
pub use scenario::replay;
pub use shrink::{find_failure, shrink};

use crate::exec::{Failed, Failure};
use crate::fault::Decisions;
use crate::kernel::DigestMode;
use crate::report::text;
use crate::sim::{Config, Outcome, ProgramResult, Sim};
use doctor::Call;
use env::Settings;
use thread::{Keep, Watched};

/// Records that a report looks back over, to tell what led to the failure.
const RING: usize = 100_000;

/// Runs `test` once for each seed of `config`, and panics with a report at the first failure.
///
/// The future's output may be nothing or a `Result`, whose error fails the run. The environment
/// can override which seeds run, and more: see the [crate's documentation](crate#environment).
///
/// ```
/// use stormglass::{Config, run};
///
/// let summary = run(Config { seeds: 3, ..Config::default() }, |sim| async move {
///     assert_eq!(sim.nodes().len(), 0);
/// });
/// assert_eq!(summary.seeds, 3);
/// ```
///
/// # Panics
/// If a run fails, with a report of at most 25 lines; if the configuration or the environment
/// makes no sense.
#[track_caller]
pub fn run<F, Fut>(config: Config, test: F) -> Summary
where
    F: Fn(Sim) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: ProgramResult + 'static,
{
    run_named(
        &name_of_caller(Location::caller()),
        config,
        &Test::new(test),
    )
}

/// What a run is called that nobody has named.
fn name_of_caller(location: &Location<'_>) -> String {
    test_of_thread().unwrap_or_else(|| format!("{}:{}", location.file(), location.line()))
}

/// The test that this thread runs, if it runs one: test runners name the thread after it.
fn test_of_thread() -> Option<String> {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main")?;
    Some(name.to_owned())
}

/// What `#[stormglass::test]` expands to: [`run`], with the test's path as its name.
///
/// `declared` is a text that stays in the program's file, so that a runner finds the test there:
/// the path and the place between [marks](DECLARED).
///
/// # Panics
/// As [`run`].
#[doc(hidden)]
#[track_caller]
pub fn test<F, Fut>(declared: &str, config: Config, test: F)
where
    F: Fn(Sim) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: ProgramResult + 'static,
{
    let path = declared
        .strip_prefix(DECLARED)
        .and_then(|rest| rest.split('\u{2}').next())
        .expect("the attribute marks the path");
    // Test runners name a test by its path without the crate.
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    run_named(name, config, &Test::new(test));
}

/// What begins the text by which a test is found in its program's file; the test's path, `\u{2}`,
/// its `file:line` and `\u{1}` follow.
#[doc(hidden)]
pub const DECLARED: &str = "\u{1}stormglass test\u{2}";

/// What a successful [`run`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Seeds that ran.
    pub seeds: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// Virtual time of all runs.
    pub virtual_time: std::time::Duration,
}

/// Runs one seed on a fresh thread, with a watchdog, and gives its outcome, failed or not.
///
/// This is for programs that run many seeds themselves; a test calls [`run`].
///
/// # Panics
/// If the configuration makes no sense.
#[track_caller]
pub fn run_seed<F, Fut>(config: &Config, seed: u64, test: F) -> Outcome<Fut::Output>
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
{
    if let Err(error) = config.validate() {
        panic!("the configuration makes no sense: {error}");
    }
    let settings = env::get();
    thread::run(
        Watched {
            config,
            seed,
            given: &Decisions::default(),
            keep: Keep::Nothing,
            place: Location::caller(),
            log: settings.log,
        },
        test,
    )
}

/// What each seed of a test runs, on a thread of its own.
#[derive(Clone)]
struct Test {
    /// Where it is written.
    place: &'static Location<'static>,
    body: Arc<dyn Fn(Sim) -> LocalBoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Test {
    #[track_caller]
    fn new<F, Fut>(test: F) -> Self
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult + 'static,
    {
        Self {
            place: Location::caller(),
            body: Arc::new(move |sim| {
                let future = test(sim);
                Box::pin(async move { future.await.into_result() })
            }),
        }
    }
}

#[track_caller]
fn run_named(name: &str, mut config: Config, test: &Test) -> Summary {
    let settings = env::get();
    let scenario = scenario::for_test(name, settings);
    if let Some(scenario) = &scenario {
        config = scenario.config.clone();
        (config.first_seed, config.seeds) = (scenario.seed, 1);
    } else {
        settings.seeds.override_in(&mut config);
    }
    if let Err(error) = config.validate() {
        panic!("the configuration of `{name}` makes no sense: {error}");
    }
    if let Some(socket) = &settings.worker {
        worker::serve(socket, name, &config, settings, test);
    }
    let given = scenario.as_ref().map(|scenario| scenario.decisions.clone());
    let given = given.unwrap_or_default();
    let call = Call::next(name);
    call.obey(&config, &given, settings, test);
    if settings.check {
        config.digest = DigestMode::Full;
    }
    let mut summary = Summary {
        seeds: 0,
        steps: 0,
        virtual_time: std::time::Duration::ZERO,
    };
    for seed in config.first_seed..=config.first_seed + (config.seeds - 1) {
        let outcome = if settings.check {
            call.attempt_twice(&config, seed, &given, settings, test)
        } else {
            attempt(&config, seed, &given, Keep::Nothing, settings, test)
        };
        if let Some(failed) = &outcome.failed {
            let kept = scenario.as_ref();
            fail(name, &config, settings, test, &outcome, failed, kept);
        }
        if let Some(scenario) = &scenario {
            scenario::passed(scenario, &outcome.stale);
        }
        summary.seeds += 1;
        summary.steps += outcome.steps;
        summary.virtual_time += outcome.end.as_duration();
    }
    summary
}

/// Runs one seed of a test; an error that the test returns becomes a failure.
fn attempt(
    config: &Config,
    seed: u64,
    given: &Decisions,
    keep: Keep,
    settings: &Settings,
    test: &Test,
) -> Outcome<Result<(), String>> {
    let test = test.clone();
    let watched = Watched {
        config,
        seed,
        given,
        keep,
        place: test.place,
        log: settings.log,
    };
    let mut outcome = thread::run(watched, move |sim| async move { (test.body)(sim).await });
    if outcome.failed.is_none()
        && let Some(Err(message)) = &outcome.value
    {
        let moment = outcome.last_moment();
        let failure = Failure::Error {
            message: message.clone(),
        };
        outcome.failed = Some(Failed { failure, moment });
    }
    outcome
}

/// Whether the watchdog ended a run, so that its thread may still be running.
const fn was_given_up<T>(outcome: &Outcome<T>) -> bool {
    outcome.steps == 0
}

/// Replays a failing seed with its last records kept, saves it as a scenario unless it is `kept` as
/// one, shrinks it if the environment says so, and panics with the report.
#[track_caller]
fn fail(
    name: &str,
    config: &Config,
    settings: &Settings,
    test: &Test,
    outcome: &Outcome<Result<(), String>>,
    failed: &Failed,
    kept: Option<&Scenario>,
) -> ! {
    let is_different = matches!(failed.failure, Failure::Nondeterminism { .. });
    // A run that was given up has left a thread behind that cannot be stopped, and one that is
    // another each time would be another again.
    let replayed = (!was_given_up(outcome) && !is_different).then(|| {
        let (seed, given) = (outcome.seed, &outcome.decisions);
        attempt(config, seed, given, Keep::Last(RING), settings, test)
    });
    let first = if was_given_up(outcome) {
        "unknown, since the run was given up".to_owned()
    } else {
        outcome.digest.to_string()
    };
    let second = replayed
        .as_ref()
        .map(|replayed| replayed.digest.to_string());
    let (seed, decisions) = (outcome.seed, &outcome.decisions);
    let whole = Scenario::new(name, config, seed, decisions, failed, first.clone());
    let saved = match (kept, &settings.scenario) {
        (Some(_), Some(path)) => path.display().to_string(),
        _ => scenario::save(&whole, scenario::Kind::Whole, seed),
    };
    let mut report = text::Report {
        name,
        seed,
        failed,
        replay: &settings.replay_command(name, seed, is_different),
        saved: &saved,
        shrunk: None,
        first: &first,
        second: second.as_deref(),
        ring: replayed
            .as_ref()
            .and_then(|replayed| replayed.ring.as_ref()),
        node_names: &outcome.node_names,
        policy: outcome.policy,
        decisions,
        escaped: &outcome.escaped,
        scenario: kept.map(|kept| scenario::compare(kept, &whole.fingerprint)),
    };
    // Only what comes back can be made smaller.
    let limit = settings.shrink.filter(|_| second.as_ref() == Some(&first));
    let Some(limit) = limit else {
        panic!("{report}");
    };
    let found = shrink::for_a_while(&whole, limit, test);
    let less = &found.scenario;
    let path = scenario::save(less, scenario::Kind::Shrunk, seed);
    let last = attempt(
        &less.config,
        less.seed,
        &less.decisions,
        Keep::Last(RING),
        settings,
        test,
    );
    let needed = format!("{path}: {}", text::needed(&found));
    let replay = Settings::replay_file_command(name, &path);
    let second = last.digest.to_string();
    report.replay = &replay;
    report.shrunk = Some(&needed);
    report.seed = less.seed;
    report.failed = last.failed.as_ref().unwrap_or(failed);
    report.first = &less.digest;
    report.second = Some(&second);
    report.ring = last.ring.as_ref();
    report.node_names = &last.node_names;
    report.policy = last.policy;
    report.decisions = &less.decisions;
    panic!("{report}");
}
