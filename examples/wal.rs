//! Loses power at every moment of a small write-ahead log, in every way.
//!
//! ```text
//! cargo run --release --example wal
//! cargo run --release --example wal -- --bug no-checksum
//! ```

#![expect(clippy::print_stdout, reason = "a program that talks to a person")]

use std::process::ExitCode;

use lexopt::prelude::*;
use stormglass::explore::{Bounds, Profile};
use stormglass_clusters::wal::{self, Bug};

const HELP: &str = "\
Tries every state in which a loss of power may leave a small write-ahead log, and looks whether the
log keeps its promises.

USAGE: cargo run --release --example wal -- [OPTIONS]

    --bug NAME       run with a planted bug: no-file-sync, no-directory-sync, rename-before-sync,
                     no-checksum, trust-length, retry-failed-sync
    --profile NAME   what the file system promises: strict, ext4, xfs, btrfs, adversarial; else all
    --help           print this

Ends with 0 if all went well, 100 if the log broke a promise, 96 if the arguments make no sense.
";

const FAILED: u8 = 100;
const USAGE: u8 = 96;

/// What the command line asks for.
#[derive(Debug, Default)]
struct Arguments {
    bug: Option<Bug>,
    profile: Option<Profile>,
    help: bool,
}

fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()) {
        Ok(Arguments { help: true, .. }) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(arguments) => explore(&arguments),
        Err(error) => {
            eprintln!("wal: {error}; --help tells what there is");
            ExitCode::from(USAGE)
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("bug") => arguments.bug = Some(parser.value()?.parse()?),
            Long("profile") => {
                arguments.profile = Some(parser.value()?.parse_with(parse_profile)?);
            }
            Short('h') | Long("help") => arguments.help = true,
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(arguments)
}

fn parse_profile(name: &str) -> Result<Profile, String> {
    let found = PROFILES.iter().find(|(_, known)| *known == name);
    found.map(|(profile, _)| *profile).ok_or_else(|| {
        let names = PROFILES.map(|(_, name)| name).join(", ");
        format!("there is no profile `{name}`: there are {names}")
    })
}

fn explore(arguments: &Arguments) -> ExitCode {
    let asked = |profile: Profile| arguments.profile.is_none_or(|asked| asked == profile);
    // The most adversarial first: what it does not break, hardly any does.
    for (profile, name) in PROFILES.into_iter().filter(|(profile, _)| asked(*profile)) {
        let bounds = Bounds {
            profile,
            ..Bounds::default()
        };
        match wal::explore(&bounds, arguments.bug) {
            Ok(explored) => {
                println!("{name}: {} states, all recovered", explored.states);
                println!("  {explored}");
            }
            Err(bug) => {
                println!("{name}: {bug}");
                return ExitCode::from(FAILED);
            }
        }
    }
    ExitCode::SUCCESS
}

const PROFILES: [(Profile, &str); 5] = [
    (Profile::Adversarial, "adversarial"),
    (Profile::Ext4Ordered, "ext4"),
    (Profile::Xfs, "xfs"),
    (Profile::Btrfs, "btrfs"),
    (Profile::Strict, "strict"),
];
