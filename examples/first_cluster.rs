//! Runs the first cluster, a replicated key-value store, through storms of faults.
//!
//! ```text
//! cargo run --release --example first_cluster -- --seed 7
//! cargo run --release --example first_cluster -- --seeds 1000
//! ```

#![expect(clippy::print_stdout, reason = "a program that talks to a person")]

use std::process::ExitCode;

use lexopt::prelude::*;
use stormglass::run::run_seed;
use stormglass::sim::Outcome;
use stormglass_clusters::kv::{self, Bug, Report};

const HELP: &str = "\
Runs a replicated key-value store of five nodes and three clients in the simulation: crashes, cuts,
pauses, bent clocks and more for eight seconds, then quiet, then the judgement.

USAGE: cargo run --release --example first_cluster -- [OPTIONS]

    --seed S         run one seed and tell what happened (default: seed 0)
    --seeds N|A..B   run the seeds 0 to N-1, or A to B-1, and tell each digest
    --reverse        run them from the last to the first
    --bug NAME       run with a planted bug: ack-before-majority, recover-alone, forget-sessions,
                     newest-clock-wins, sync-later, recover-from-first, read-while-recovering,
                     forget-answers, late-answer, timeout-is-failure
    --history        with --seed: print all that the clients saw
    --log LEVEL      print tracing events: error, warn, info, debug, trace
    --help           print this

Ends with 0 if all went well, 100 if a run failed, 96 if the arguments make no sense.
";

const FAILED: u8 = 100;
const USAGE: u8 = 96;

/// What the command line asks for.
#[derive(Debug, Default)]
struct Arguments {
    seeds: Option<Seeds>,
    reverse: bool,
    bug: Option<Bug>,
    history: bool,
    log: Option<String>,
    help: bool,
}

#[derive(Debug)]
enum Seeds {
    One(u64),
    Range(std::ops::Range<u64>),
}

fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()) {
        Ok(Arguments { help: true, .. }) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Arguments {
            log: Some(level), ..
        }) => again_with_log(&level),
        Ok(arguments) => match arguments.seeds.as_ref().unwrap_or(&Seeds::One(0)) {
            Seeds::One(seed) => one(&arguments, *seed),
            Seeds::Range(seeds) if arguments.reverse => many(&arguments, seeds.clone().rev()),
            Seeds::Range(seeds) => many(&arguments, seeds.clone()),
        },
        Err(error) => {
            eprintln!("first_cluster: {error}; --help tells what there is");
            ExitCode::from(USAGE)
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seed") => arguments.seeds = Some(Seeds::One(parser.value()?.parse()?)),
            Long("seeds") => {
                arguments.seeds = Some(Seeds::Range(parser.value()?.parse_with(parse_range)?));
            }
            Long("reverse") => arguments.reverse = true,
            Long("bug") => arguments.bug = Some(parser.value()?.parse()?),
            Long("history") => arguments.history = true,
            Long("log") => arguments.log = Some(parser.value()?.parse_with(parse_level)?),
            Short('h') | Long("help") => arguments.help = true,
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(arguments)
}

fn parse_range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let range = match text.split_once("..") {
        Some((first, end)) => first.parse().ok().zip(end.parse().ok()),
        None => text.parse().ok().map(|count| (0, count)),
    };
    let range = range
        .map(|(first, end)| first..end)
        .filter(|range| !range.is_empty());
    range.ok_or_else(|| "give a number above 0, or a range such as 5..10".to_owned())
}

fn parse_level(text: &str) -> Result<String, String> {
    let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
    known
        .then(|| text.to_owned())
        .ok_or_else(|| "give error, warn, info, debug or trace".to_owned())
}

/// Runs this program again without `--log` and with `STORMGLASS_LOG`, which is read when a process
/// starts.
#[expect(clippy::disallowed_methods, reason = "outside the simulation")]
fn again_with_log(level: &str) -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    while let Some(index) = arguments.iter().position(|argument| argument == "--log") {
        arguments.drain(index..index + 2);
    }
    arguments.retain(|argument| !argument.to_string_lossy().starts_with("--log="));
    let status = std::env::current_exe().and_then(|program| {
        let mut again = std::process::Command::new(program);
        again.args(arguments).env("STORMGLASS_LOG", level).status()
    });
    match status {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("first_cluster: cannot start itself again: {error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(arguments: &Arguments, seed: u64) -> Outcome<Report> {
    let bug = arguments.bug;
    run_seed(&kv::config(), seed, move |sim| kv::run(sim, bug))
}

/// Why a run failed, if it did.
fn failure(outcome: &Outcome<Report>) -> Option<String> {
    let broken = outcome
        .value
        .as_ref()
        .and_then(|report| report.verdict.as_ref().err());
    let failed = outcome.failed.as_ref().map(ToString::to_string);
    failed.or_else(|| broken.map(ToString::to_string))
}

fn many(arguments: &Arguments, seeds: impl Iterator<Item = u64>) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for seed in seeds {
        let outcome = simulate(arguments, seed);
        println!("seed {seed} digest {}", outcome.digest);
        match failure(&outcome) {
            None => passed += 1,
            Some(why) => {
                failed += 1;
                eprintln!("seed {seed} failed: {why}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

fn one(arguments: &Arguments, seed: u64) -> ExitCode {
    let outcome = simulate(arguments, seed);
    let failure = failure(&outcome);
    println!(
        "seed {seed}: {} of virtual time, {} steps",
        outcome.end, outcome.steps
    );
    if let Some(report) = &outcome.value {
        tell(arguments, report);
    }
    println!(
        "\n{:<16}{:>10}{:>10}{:>10}",
        "what they did", "offered", "fired", "effective"
    );
    for (family, counter) in outcome.counters.iter() {
        let (offered, fired, effective) = (counter.offered, counter.fired, counter.effective);
        println!(
            "{:<16}{offered:>10}{fired:>10}{effective:>10}",
            family.name()
        );
    }
    println!();
    match &failure {
        None => println!(
            "passed: every key behaved like one register, no acknowledged write is lost, five logs \
             are equal, and all clients were served when the faults were over"
        ),
        Some(why) => println!("FAILED: {why}"),
    }
    println!("digest {}", outcome.digest);
    if failure.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

fn tell(arguments: &Arguments, report: &Report) {
    println!("\nfaults (kv-0 is the primary)");
    for line in report.plan.to_string().lines() {
        println!("  {line}");
    }
    println!("  kv-0 to kv-4 were started {:?} times", report.starts);
    if arguments.history {
        println!("\nhistory");
        for event in report.history.events() {
            println!("  {event}");
        }
    }
    println!(
        "\n{:<10}{:>6}{:>6}{:>6}  longest wait",
        "clients", "ok", "info", "fail"
    );
    for client in 0..kv::world::CLIENTS {
        let counts = report.history.counts(client);
        let gap = report.history.longest_gap(client).as_secs_f64();
        let (ok, info, fail) = (counts.ok, counts.info, counts.fail);
        println!("client-{client:<3}{ok:>6}{info:>6}{fail:>6}  {gap:.3} s");
    }
    println!("  {} entries in the log", report.entries);
}
