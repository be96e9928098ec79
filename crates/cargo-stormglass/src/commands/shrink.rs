//! `shrink`: a saved failure made smaller.

use super::{launch, replay_file, saved};
use crate::args::ShrinkArgs;
use crate::corpus;
use crate::output::shown;
use crate::pool::run_scenario;
use crate::shrink::with_processes;
use crate::stop::{FAILED, FINE, Stop};
use crate::worker::Worker;

pub fn shrink(args: &ShrinkArgs) -> Result<u8, Stop> {
    let saved = saved(&args.file, &args.cargo)?;
    let launch = launch(&saved.found, saved.test, &args.process, None);
    let mut worker = Worker::start(&launch).map_err(Stop::usage)?;
    let (ran, _) = run_scenario(&mut worker, &launch, &saved.scenario, None);
    drop(worker);
    match &ran.failed {
        Some(failed) if failed.fingerprint == saved.scenario.fingerprint => {}
        Some(failed) => {
            eprintln!(
                "it fails in another way, which is not made smaller: {}",
                failed.fingerprint
            );
            return Ok(FAILED);
        }
        None => {
            eprintln!("it fails no more, so there is nothing to make smaller");
            return Ok(FINE);
        }
    }
    let Some(smaller) = with_processes(&launch, &saved.scenario, args.time) else {
        println!("it is as small as it can be: {}", saved.scenario.size());
        return Ok(FINE);
    };
    let output = args.output.as_deref().unwrap_or(&args.file);
    corpus::save(output, &smaller.scenario)?;
    println!("{}", smaller.told);
    println!("  saved   {}", shown(output));
    let replay = replay_file(&args.cargo, &args.process, &launch.program, output);
    println!("  replay  {replay}");
    Ok(FINE)
}
