//! What a loss of power does to one redb: prints it, and exits with 100 if that is wrong.

#[path = "redb.rs"]
mod engine;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    for (bounds, commits) in engine::tours() {
        let begin = Instant::now();
        let found = engine::explore(&bounds, commits, engine::Planted::Nothing);
        let took = begin.elapsed().as_secs_f64();
        match found {
            Ok(explored) => println!("{commits} commits: {explored}; {took:.2} s"),
            Err(bug) => {
                println!("{bug}\n  took     {took:.2} s");
                return ExitCode::from(100);
            }
        }
    }
    ExitCode::SUCCESS
}
