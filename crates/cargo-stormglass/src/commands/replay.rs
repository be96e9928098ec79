//! `replay`: a saved failure or a seed again, with its verdict, its digest and its trace.

use std::collections::VecDeque;
use std::path::Path;

use stormglass::run::Scenario;
use stormglass::run::worker::{Job, Labels, Message, Ran};
use stormglass::{Failed, Failure};

use super::{command, launch, replay_file, saved};
use crate::args::ReplayArgs;
use crate::corpus;
use crate::discover;
use crate::output::shown;
use crate::pool::run_scenario;
use crate::stop::{FAILED, FINE, NONDETERMINISM, Stop};
use crate::worker::{Launch, Served, Worker};

pub fn replay(args: &ReplayArgs) -> Result<u8, Stop> {
    let file = Path::new(&args.what);
    if file.is_file() {
        if args.seed.is_some() {
            return Err(Stop::usage(
                "a saved failure has its own seed: leave `--seed` out",
            ));
        }
        return replay_saved(args, file);
    }
    let Some(seed) = args.seed else {
        return Err(Stop::usage(format!(
            "`{}` is no file; to replay a test, give `--seed` too",
            args.what
        )));
    };
    replay_seed(args, seed)
}

fn replay_saved(args: &ReplayArgs, file: &Path) -> Result<u8, Stop> {
    let saved = saved(file, &args.cargo)?;
    let (scenario, launch) = (
        saved.scenario,
        launch(&saved.found, saved.test, &args.process, args.log.clone()),
    );
    if wants_trace(args) {
        return trace(args, &launch, scenario);
    }
    let labels = Labels {
        replay: replay_file(&args.cargo, &args.process, &launch.program, file),
        saved: shown(file),
        shrunk: None,
    };
    let ran = fresh(&launch, &scenario, Some(labels))?;
    let label = corpus::label(&scenario, &ran);
    tell(&ran);
    println!("{}: {}", label.name(), corpus::meaning(label));
    for target in &ran.stale {
        println!("  found no target: {target}");
    }
    if let Some(difference) = difference(&scenario.digest, &ran.digest) {
        // The code may have changed, or the run is another each time.
        let again = fresh(&launch, &scenario, None)?;
        if again.digest != ran.digest {
            println!(
                "not deterministic: {}",
                difference_words(&again.digest, &ran.digest)
            );
            let test = command("doctor", &args.cargo, &launch.program, &[&scenario.test]);
            println!("  {test} --seed {} names the leak", scenario.seed);
            return Ok(NONDETERMINISM);
        }
        println!("another run than the saved one, since the code has changed: {difference}");
    } else if is_digest(&ran.digest) {
        println!("the same run, event by event: digest {}", ran.digest);
    }
    Ok(if ran.failed.is_some() { FAILED } else { FINE })
}

fn replay_seed(args: &ReplayArgs, seed: u64) -> Result<u8, Stop> {
    let found = discover::find(&args.cargo)?;
    let test = found.one(&args.what)?;
    let launch = launch(&found, test, &args.process, args.log.clone());
    let mut worker = Worker::start(&launch).map_err(Stop::usage)?;
    let scenario = of_seed(&worker, &launch.test, seed);
    if wants_trace(args) {
        drop(worker);
        return trace(args, &launch, scenario);
    }
    let seed_word = seed.to_string();
    let own = [&*launch.test, "--seed", &seed_word];
    let labels = Labels {
        replay: command("replay", &args.cargo, &launch.program, &own),
        saved: "nowhere: `cargo stormglass run` saves what fails".to_owned(),
        shrunk: None,
    };
    let (ran, _) = run_scenario(&mut worker, &launch, &scenario, Some(labels));
    drop(worker);
    tell(&ran);
    let quiet = Launch {
        log: None,
        ..launch.clone()
    };
    let again = fresh(&quiet, &scenario, None)?;
    let print = |ran: &Ran| ran.failed.as_ref().map(|failed| failed.fingerprint.clone());
    if ran.digest != again.digest || print(&ran) != print(&again) {
        println!(
            "not deterministic: {}",
            difference_words(&ran.digest, &again.digest)
        );
        let doctor = command("doctor", &args.cargo, &launch.program, &own);
        println!("  {doctor} names the leak");
        return Ok(NONDETERMINISM);
    }
    if ran.failed.is_none() {
        println!("{} passed with seed {seed}", launch.test);
    }
    if is_digest(&ran.digest) {
        println!("the same run twice, event by event: digest {}", ran.digest);
    }
    Ok(if ran.failed.is_some() { FAILED } else { FINE })
}

fn fresh(launch: &Launch, scenario: &Scenario, labels: Option<Labels>) -> Result<Box<Ran>, Stop> {
    let mut worker = Worker::start(launch).map_err(Stop::usage)?;
    Ok(run_scenario(&mut worker, launch, scenario, labels).0)
}

/// A seed of a test as a scenario, whose failure nobody knows yet.
fn of_seed(worker: &Worker, test: &str, seed: u64) -> Scenario {
    let died = stormglass::run::worker::FailedRun::died(test, &worker.config, seed, "", &[]);
    died.scenario
}

fn tell(ran: &Ran) {
    let Some(failed) = &ran.failed else { return };
    match &failed.report {
        Some(report) => println!("{report}"),
        None => {
            println!("{}", failed.scenario.failed);
            if let Failure::Died { last_words, .. } = &failed.scenario.failed.failure {
                for line in last_words {
                    println!("  {line}");
                }
            }
        }
    }
}

const fn wants_trace(args: &ReplayArgs) -> bool {
    args.until_step.is_some() || args.at.is_some()
}

/// Prints all that happens up to the moment that was asked for.
fn trace(args: &ReplayArgs, launch: &Launch, scenario: Scenario) -> Result<u8, Stop> {
    let at = args
        .at
        .map(|at| u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
    let digest = scenario.digest.clone();
    let job = Job::Trace {
        scenario: Box::new(scenario),
        until_step: args.until_step.unwrap_or(u64::MAX),
        until_ns: at.unwrap_or(u64::MAX),
    };
    let mut worker = Worker::start(launch).map_err(Stop::usage)?;
    let (mut kept, mut result) = (VecDeque::new(), None);
    let served = worker.serve(&job, |message| {
        match message {
            Message::Line(line) => match args.last {
                Some(last) => {
                    kept.push_back(line);
                    if kept.len() > last {
                        kept.pop_front();
                    }
                }
                None => println!("{line}"),
            },
            Message::Ran(ran) => result = Some(ran),
            _ => {}
        }
        true
    });
    for line in kept {
        println!("{line}");
    }
    let Some(ran) = result else {
        if let Served::Gone { death, .. } = served {
            eprintln!("the process ended by {}, and its trace with it", death.how);
        }
        return Ok(FAILED);
    };
    if let Some(difference) = difference(&digest, &ran.digest) {
        eprintln!("another run than the saved one: {difference}");
    }
    match &ran.failed {
        Some(failed) => {
            let Failed { failure, moment } = &failed.scenario.failed;
            eprintln!("in the end: {failure}, on {moment}");
            Ok(FAILED)
        }
        None => Ok(FINE),
    }
}

/// Whether a run has a digest: one that was given up, or whose process died, has none.
fn is_digest(digest: &str) -> bool {
    digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// In what two digests differ, if both runs have one.
fn difference(saved: &str, now: &str) -> Option<String> {
    (is_digest(saved) && is_digest(now) && saved != now)
        .then(|| format!("digest {saved} was saved, and {now} is now"))
}

fn difference_words(one: &str, two: &str) -> String {
    if one == two {
        return "it failed in one process and not in another".to_owned();
    }
    format!("digest {one} in one process, {two} in another")
}
