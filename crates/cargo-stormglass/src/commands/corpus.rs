//! `corpus`: saved failures, listed, run, or cleared of those that fail no more.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use stormglass::explore::Label;

use super::launch;
use crate::args::{CorpusAction, CorpusArgs};
use crate::cargo;
use crate::corpus::{self, Entry};
use crate::discover;
use crate::output::shown;
use crate::pool::run_scenario;
use crate::stop::{FAILED, FINE, NOTHING_RAN, Stop};
use crate::worker::Worker;

pub fn corpus(args: &CorpusArgs) -> Result<u8, Stop> {
    let workspace = cargo::workspace(&args.cargo)?;
    let wanted = &args.cargo.packages;
    let packages = workspace.packages.values();
    let directories: BTreeSet<PathBuf> = packages
        .filter(|package| wanted.is_empty() || wanted.contains(&package.name))
        .map(|package| corpus::directory(package, args.corpus.as_deref()))
        .collect();
    let mut entries = Vec::new();
    for directory in directories {
        let (more, wrong) = corpus::load(&directory)?;
        for line in wrong {
            eprintln!("{line}");
        }
        entries.extend(more);
    }
    if let Some(filter) = &args.filter {
        entries.retain(|entry| entry.scenario.test.contains(&**filter));
    }
    if entries.is_empty() {
        eprintln!("the corpus is empty");
        return Ok(NOTHING_RAN);
    }
    if args.action == CorpusAction::List {
        for Entry { path, scenario } in &entries {
            let what = scenario.failed.failure.to_string();
            let what = what.lines().next().unwrap_or_default();
            println!(
                "{}\n  {} with seed {}: {what}",
                shown(path),
                scenario.test,
                scenario.seed
            );
        }
        return Ok(FINE);
    }
    run(args, &entries)
}

fn run(args: &CorpusArgs, entries: &[Entry]) -> Result<u8, Stop> {
    let found = discover::find(&args.cargo)?;
    let mut code = FINE;
    for Entry { path, scenario } in entries {
        let own = |test: &usize| {
            let root = &found.binary(*test).program.package.root;
            found.tests[*test].name == scenario.test
                && (args.corpus.is_some() || path.starts_with(root))
        };
        let Some(test) = (0..found.tests.len()).find(own) else {
            println!(
                "stale    {}: there is no test `{}`",
                shown(path),
                scenario.test
            );
            if args.action == CorpusAction::Prune {
                delete(path)?;
            }
            continue;
        };
        let launch = launch(&found, test, &args.process, None);
        let mut worker = Worker::start(&launch).map_err(Stop::usage)?;
        let (ran, _) = run_scenario(&mut worker, &launch, scenario, None);
        let label = corpus::label(scenario, &ran);
        println!(
            "{:<7}  {} ({})",
            label.name(),
            shown(path),
            corpus::meaning(label)
        );
        match label {
            Label::Live | Label::Changed => code = FAILED,
            _ if args.action == CorpusAction::Prune => delete(path)?,
            _ => {}
        }
    }
    Ok(code)
}

fn delete(path: &std::path::Path) -> Result<(), Stop> {
    fs::remove_file(path).map_err(|error| Stop::file("cannot delete", path, error))?;
    println!("         deleted");
    Ok(())
}
