//! `cargo stormglass`: finds the simulation tests of a workspace, runs them by the thousand in
//! processes of their own, and tells, confirms and keeps what fails.

mod args;
mod campaign;
mod cargo;
mod commands;
mod corpus;
mod discover;
mod doctor;
mod failure;
mod goals;
mod journal;
mod marks;
mod output;
mod plan;
mod pool;
mod ranges;
mod report;
mod runner;
mod shrink;
mod stop;
mod tally;
mod units;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use args::CommandLine;

fn main() -> ExitCode {
    let line = match CommandLine::try_parse_from(args::words()) {
        Ok(line) => line,
        Err(error) => {
            // There is nowhere to say that nothing can be said.
            let _ = error.print();
            return if error.use_stderr() {
                stop::USAGE.into()
            } else {
                stop::FINE.into()
            };
        }
    };
    match commands::execute(line.command) {
        Ok(code) => code.into(),
        Err(stop) => {
            if !stop.message.is_empty() {
                eprintln!("cargo stormglass: {}", stop.message);
            }
            stop.code.into()
        }
    }
}
