//! Making a failing scenario smaller: the library's shrinking, with processes of the test as the
//! judges of what still fails in the same way.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use stormglass::explore::{Effort, End, Scenario, Verdict, shrink};

use crate::pool;
use crate::worker::{Launch, Worker};

/// A smaller scenario, as it ran.
pub struct Smaller {
    pub scenario: Scenario,
    /// How much of the whole one was needed.
    pub told: String,
}

/// Makes a scenario smaller for at most so long; `None` if it is as small as it was.
pub fn with_processes(launch: &Launch, whole: &Scenario, limit: Duration) -> Option<Smaller> {
    let begun = Instant::now();
    let mut kept: Option<Worker> = None;
    // Of the last run that failed the same: with what was decided in it and its digest.
    let mut latest = None;
    let oracle = |candidate: &Scenario| {
        let worker = kept.take().map_or_else(|| Worker::start(launch), Ok);
        let Ok(mut worker) = worker else {
            return Verdict::Other;
        };
        let (ran, is_there) = pool::run_scenario(&mut worker, launch, candidate, None);
        kept = is_there.then_some(worker);
        match ran.failed {
            Some(failed) if failed.fingerprint == whole.fingerprint => {
                latest = Some(failed.scenario);
                Verdict::Same
            }
            _ => Verdict::Other,
        }
    };
    let shrunk = shrink(whole, &Effort::default(), oracle, |_| {
        if begun.elapsed() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    if shrunk.end == End::NotReproduced {
        return None;
    }
    let scenario = latest?;
    let (from, to) = (whole.size(), scenario.size());
    let told = format!(
        "{} of {} faults, {} of {} operations needed ({} runs)",
        to.faults, from.faults, to.operations, from.operations, shrunk.runs
    );
    let same = to == from && scenario.config == whole.config && scenario.seed == whole.seed;
    (!same).then_some(Smaller { scenario, told })
}
