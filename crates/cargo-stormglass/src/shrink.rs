//! Making a failing scenario smaller: the seam between the library's shrinking and the processes
//! that say whether a smaller one still fails in the same way.

use stormglass::explore::Fingerprint;
use stormglass::run::Scenario;

use crate::pool;
use crate::worker::{Launch, Worker};

/// Makes a scenario smaller, with processes of its test as judges.
pub fn with_processes(launch: &Launch, scenario: Scenario) -> Scenario {
    let mut worker = None;
    shrink(scenario, &mut |candidate| {
        let mut process = match worker.take() {
            Some(process) => process,
            None => Worker::start(launch).ok()?,
        };
        let (ran, is_there) = pool::run_scenario(&mut process, launch, candidate, None);
        worker = is_there.then_some(process);
        let failed = ran.failed?;
        Some((failed.fingerprint, failed.scenario))
    })
}

/// What a candidate gives: its failure, and the scenario with the digest of that very run.
pub type Verdict = Option<(Fingerprint, Scenario)>;

/// Makes a scenario smaller as long as `oracle` says that it fails in the same way. Until the
/// library shrinks, it stays as it is.
pub fn shrink(scenario: Scenario, oracle: &mut dyn FnMut(&Scenario) -> Verdict) -> Scenario {
    let _ = oracle;
    scenario
}
