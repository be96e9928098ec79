//! What can be asked of the runner, one file for each.

mod check;
mod corpus;
mod doctor;
mod list;
mod replay;
mod run;
mod shrink;
mod to_test;

use std::path::Path;

use crate::args::{CargoArgs, Command, ProcessArgs};
use crate::cargo::Program;
use crate::corpus::read;
use crate::discover::{self, Found};
use crate::output::shown;
use crate::stop::Stop;
use crate::worker::Launch;
use stormglass::run::Scenario;

/// Does what was asked, and gives the exit code.
pub fn execute(command: Command) -> Result<u8, Stop> {
    match command {
        Command::List(args) => list::list(&args),
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Corpus(args) => corpus::corpus(&args),
        Command::Check(args) => check::check(&args),
        Command::ToTest(args) => to_test::to_test(&args),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command that can be pasted: what of cargo's arguments it needs, the package, and its own.
pub fn command(name: &str, args: &CargoArgs, program: &Program, own: &[&str]) -> String {
    let mut words = vec!["cargo".to_owned(), "stormglass".to_owned(), name.to_owned()];
    words.extend(["-p".to_owned(), program.package.name.clone()]);
    words.extend(args.to_words());
    words.extend(own.iter().map(|word| (*word).to_owned()));
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

pub fn replay_file(
    args: &CargoArgs,
    process: &ProcessArgs,
    program: &Program,
    file: &Path,
) -> String {
    let mut own = process.to_words();
    own.push(shown(file));
    let own: Vec<&str> = own.iter().map(|word| &**word).collect();
    command("replay", args, program, &own)
}

/// How a test's process is started.
fn launch(found: &Found, test: usize, process: &ProcessArgs, log: Option<String>) -> Launch {
    Launch {
        program: found.binary(test).program.clone(),
        test: found.tests[test].name.clone(),
        memory: Some(process.memory),
        timeout: process.timeout,
        log,
    }
}

/// A saved failure with its test.
struct Saved {
    scenario: Scenario,
    found: Found,
    test: usize,
}

/// Reads a saved failure, and builds and finds its test.
fn saved(file: &Path, args: &CargoArgs) -> Result<Saved, Stop> {
    let scenario = read(file)?;
    let found = discover::find(args)?;
    // Of several tests of that name, the one of the package that the file is in.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let name = &scenario.test;
    let owners: Vec<usize> = (0..found.tests.len())
        .filter(|test| found.tests[*test].name == *name)
        .filter(|test| file.starts_with(&found.binary(*test).program.package.root))
        .collect();
    let depth = |test: &usize| {
        found
            .binary(*test)
            .program
            .package
            .root
            .components()
            .count()
    };
    let deepest = owners.iter().map(depth).max();
    let nearest: Vec<&usize> = owners
        .iter()
        .filter(|test| Some(depth(test)) == deepest)
        .collect();
    let test = match nearest[..] {
        [test] => *test,
        _ => found.one(name)?,
    };
    Ok(Saved {
        scenario,
        found,
        test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_need_be() {
        assert_eq!(quoted("a/b-c.json"), "a/b-c.json");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
