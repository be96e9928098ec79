//! `shrink`: a saved failure made smaller.

use stormglass::explore::Fingerprint;
use stormglass::run::Scenario;

use super::{launch, replay_file, saved};
use crate::args::ShrinkArgs;
use crate::corpus;
use crate::output::shown;
use crate::pool::run_scenario;
use crate::shrink::with_processes;
use crate::stop::{FAILED, FINE, Stop};
use crate::units::plural;
use crate::worker::Worker;

pub fn shrink(args: &ShrinkArgs) -> Result<u8, Stop> {
    let saved = saved(&args.file, &args.cargo)?;
    let launch = launch(&saved.found, saved.test, &args.process, None);
    let wanted = Fingerprint::of(&saved.scenario.failed);
    let mut worker = Worker::start(&launch).map_err(Stop::usage)?;
    let (ran, _) = run_scenario(&mut worker, &launch, &saved.scenario, None);
    drop(worker);
    match &ran.failed {
        Some(failed) if failed.fingerprint == wanted => {}
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
    let before = size(&saved.scenario);
    let smaller = with_processes(&launch, saved.scenario);
    let output = args.output.as_deref().unwrap_or(&args.file);
    corpus::save(output, &smaller)?;
    println!("from {before} to {}", size(&smaller));
    println!("  saved   {}", shown(output));
    println!(
        "  replay  {}",
        replay_file(&args.cargo, &args.process, &launch.program, output)
    );
    Ok(FINE)
}

/// Of what a scenario is made.
pub fn size(scenario: &Scenario) -> String {
    let faults: usize = scenario
        .decisions
        .plans
        .iter()
        .map(|plan| plan.faults.len())
        .sum();
    let operations: usize = scenario.decisions.workloads.values().map(Vec::len).sum();
    let nodes: u32 = scenario.decisions.groups.values().sum();
    format!(
        "{}, {} and {} in groups",
        plural(faults as u64, "fault"),
        plural(operations as u64, "operation"),
        plural(u64::from(nodes), "node"),
    )
}
