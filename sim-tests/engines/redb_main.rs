//! What a loss of power does to one redb: prints it, and exits with 100 if that is wrong.

#[path = "redb.rs"]
mod engine;

use std::process::ExitCode;
use std::time::Instant;

use engine::Planted;
use stormglass::explore::Bounds;

fn main() -> ExitCode {
    let begin = Instant::now();
    let found = engine::explore(&Bounds { depth: std::env::args().nth(1).unwrap().parse().unwrap(), random: std::env::args().nth(2).unwrap().parse().unwrap(), states_max: 200_000, torn: std::env::args().nth(3).is_none(), ..Bounds::default() }, Planted::Nothing);
    let took = begin.elapsed().as_secs_f64();
    match found {
        Ok(explored) => {
            println!("{explored}, in {took:.2} s");
            ExitCode::SUCCESS
        }
        Err(bug) => {
            println!("{bug}\n  took     {took:.2} s");
            ExitCode::from(100)
        }
    }
}
