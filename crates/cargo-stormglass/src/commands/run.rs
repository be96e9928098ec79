//! `run`: a campaign from its arguments to its exit code and files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use clap::Parser;

use crate::args::{self, Command, CommandLine, Format, RunArgs};
use crate::campaign::Campaign;
use crate::cargo;
use crate::discover;
use crate::failure::State;
use crate::journal::{self, Begun, Journal, Line, Told};
use crate::output::{Over, human, junit, markdown, ndjson, sarif};
use crate::plan::Asked;
use crate::pool::{self, Event, Shared};
use crate::runner::{Parts, Runner};
use crate::stop::{self, Stop};

pub fn run(args: &RunArgs) -> Result<u8, Stop> {
    if args.resume {
        let state = cargo::workspace(&args.cargo)?.state();
        let (begun, told) = Journal::read(&journal::path(&state))?;
        let line =
            std::iter::once("cargo stormglass").chain(begun.arguments.iter().map(|it| &**it));
        let line = CommandLine::try_parse_from(line);
        let Ok(Command::Run(earlier)) = line.map(|line| line.command) else {
            return Err(Stop::usage(
                "the journal's arguments make no sense to this version",
            ));
        };
        return campaign(&earlier, Some((begun, told)));
    }
    campaign(args, None)
}

fn campaign(args: &RunArgs, resumed: Option<(Begun, Told)>) -> Result<u8, Stop> {
    let found = discover::find(&args.cargo)?;
    let tests = found.matching(args.filter.as_deref());
    if tests.is_empty() {
        eprintln!("cargo stormglass: no simulation test matches; `list` lists them");
        return Ok(stop::NOTHING_RAN);
    }
    let mut campaign = Campaign::new(&found, &tests);
    let path = journal::path(&found.workspace.state());
    let hashes = tests
        .iter()
        .map(|test| (found.id(*test), found.binary(*test).hash))
        .collect();
    let is_resumed = resumed.is_some();
    let (begun, journal) = match resumed {
        Some((begun, told)) => {
            if begun.tests != hashes {
                return Err(Stop::usage(
                    "the tests were built anew since, and what was finished says nothing of them: \
                     begin another campaign",
                ));
            }
            campaign.restore(told);
            let mut lines = vec![Line::Begun(begun.clone())];
            lines.extend(campaign.lines(campaign.before));
            let journal = Journal::resume(&path, &lines)?;
            (begun, journal)
        }
        None => {
            let words = args::words().into_iter().skip(1);
            let words = words
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            let begun = Begun::new(words, hashes);
            let journal = Journal::create(&path, &begun)?;
            (begun, journal)
        }
    };
    if args.format == Format::Ndjson {
        ndjson::print(&ndjson::begun(tests.len(), is_resumed));
        for test in &tests {
            ndjson::print(&ndjson::test(&found, *test));
        }
    }
    let (sender, events) = channel();
    interrupt(sender.clone())?;
    let shared = Arc::new(Shared {
        launches: (0..found.tests.len())
            .map(|test| super::launch(&found, test, &args.process, None))
            .collect(),
        stopping: AtomicBool::new(false),
        isolated: args.isolate.is_some(),
        shrink_for: args.shrink_for,
        scratch: found.workspace.state(),
    });
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let slots = pool::start(
        args.jobs.map_or_else(cores, NonZeroUsize::get),
        &shared,
        &sender,
    );
    let mut runner = Runner::new(Parts {
        args,
        found: &found,
        campaign,
        shared,
        asked: Asked {
            seeds: args.seeds,
            offset: args.seed_offset,
            endless: args.seeds.is_none() && (args.time.is_some() || args.until_failures.is_some()),
            partition: args.partition,
        },
        begun,
        journal,
        slots,
        events,
    });
    runner.run()?;
    finish(args, &runner)
}

/// Ctrl-C once has the campaign finish, and twice ends the runner. The journal has what was found,
/// and processes of tests end when they miss the runner.
fn interrupt(events: Sender<Event>) -> Result<(), Stop> {
    static PRESSED: AtomicUsize = AtomicUsize::new(0);
    let handler = move || {
        if PRESSED.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(stop::INTERRUPTED.into());
        }
        eprintln!("cargo stormglass: finishing what runs; again to stop at once");
        // The other end is gone only when all is over.
        let _ = events.send(Event::Interrupted);
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Stop::usage(format!("Ctrl-C cannot be caught: {error}")))
}

/// Tells the end, writes the files, and gives the exit code.
fn finish(args: &RunArgs, runner: &Runner<'_>) -> Result<u8, Stop> {
    let campaign = &runner.campaign;
    let goals = campaign.goals(runner.found, args.goals_after);
    let is_unmet = goals.iter().any(|goal| !goal.is_met()) || campaign.sum().is_excused_too_often();
    let has_run = campaign.sum().seeds > 0 || !campaign.kept.is_empty();
    let code = if runner.interrupted {
        stop::INTERRUPTED
    } else if campaign.has(&[State::Confirmed, State::Suspected]) {
        stop::FAILED
    } else if campaign.has(&[State::Nondeterministic]) {
        stop::NONDETERMINISM
    } else if campaign
        .members
        .iter()
        .any(|member| member.broken.is_some())
    {
        stop::USAGE
    } else if is_unmet {
        stop::GOALS_UNMET
    } else if has_run {
        stop::FINE
    } else {
        stop::NOTHING_RAN
    };
    let over = Over {
        found: runner.found,
        campaign,
        goals: &goals,
        elapsed: runner.elapsed(),
        interrupted: runner.interrupted,
        code,
    };
    if let Some(path) = &args.junit {
        let text = junit::write(&over).map_err(|error| Stop::file("cannot write", path, error))?;
        write(path, &text)?;
    }
    if let Some(path) = &args.sarif {
        let text = serde_json::to_string_pretty(&sarif::write(&over));
        write(path, &text.expect("SARIF has text keys only"))?;
    }
    let step = || std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    if let Some(path) = args.summary.clone().or_else(step) {
        append(&path, &markdown::write(&over))?;
    }
    match args.format {
        Format::Human => println!("{}", human::over(&over)),
        Format::Ndjson => ndjson::print(&ndjson::over(&over)),
    }
    Ok(code)
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    fs::write(path, text).map_err(|error| Stop::file("cannot write", path, error))
}

fn append(path: &Path, text: &str) -> Result<(), Stop> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Stop::file("cannot write", path, error))
}
