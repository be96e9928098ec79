//! Making a failing scenario smaller: the library's shrinking, with processes of the test as judges
//! that say whether a smaller one still fails in the same way.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use stormglass::explore::{self, Effort, End, Verdict};
use stormglass::run::Scenario;

use crate::pool;
use crate::worker::{Launch, Worker};

/// How long a failure is made smaller, in real time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a scenario smaller; one that does not fail again stays as it is.
pub fn with_processes(launch: &Launch, scenario: Scenario) -> Scenario {
    let began = Instant::now();
    let mut worker = None;
    // Of the last run that failed in the same way: with its digest and what was decided in it.
    let mut latest = None;
    let oracle = |candidate: &Scenario| {
        let process = worker
            .take()
            .map_or_else(|| Worker::start(launch).ok(), Some);
        let Some(mut process) = process else {
            return Verdict::Other;
        };
        let (ran, is_there) = pool::run_scenario(&mut process, launch, candidate, None);
        worker = is_there.then_some(process);
        match ran.failed {
            Some(failed) if failed.fingerprint == scenario.fingerprint => {
                latest = Some(failed.scenario);
                Verdict::Same
            }
            _ => Verdict::Other,
        }
    };
    let shrunk = explore::shrink(&scenario, &Effort::default(), oracle, |_| {
        if began.elapsed() < PATIENCE {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    match latest {
        Some(latest) if shrunk.end != End::NotReproduced => latest,
        _ => scenario,
    }
}
