//! Every planted bug of the first cluster is found, and cut down to what a person can read.

use std::ops::ControlFlow;

use stormglass::Config;
use stormglass::explore::{Effort, End, Scenario, Shrunk};
use stormglass::{Sim, run};
use stormglass_clusters::kv::judge::Property;
use stormglass_clusters::kv::{self, Bug};

/// Each planted bug must be found within so many seeds.
const SEEDS_MAX: u64 = 400;
/// Runs that the shrinking of one failure may take: a few dozen a second.
const RUNS_MAX: u64 = 600;

/// One run. The promise that is broken is the failure, whoever broke it.
async fn judged(sim: Sim, bug: Bug) -> Result<(), Property> {
    let verdict = kv::run(sim, Some(bug)).await.verdict;
    verdict.map_err(|violation| violation.property)
}

fn found(bug: Bug) -> Scenario {
    let config = Config {
        seeds: SEEDS_MAX,
        ..kv::config()
    };
    run::find_failure(&config, move |sim| judged(sim, bug))
        .unwrap_or_else(|| panic!("`{bug}` is not found within {SEEDS_MAX} seeds"))
}

fn shrunk(bug: Bug) -> Shrunk {
    let first = found(bug);
    let go_on = |_: &_| ControlFlow::Continue(());
    let test = move |sim| judged(sim, bug);
    let shrunk = run::shrink(&first, &Effort::runs(RUNS_MAX), test, go_on);
    // It is no more than it was, and fails as it did.
    assert!(shrunk.end != End::NotReproduced, "`{bug}` comes back");
    let (from, to) = (shrunk.from, shrunk.to);
    assert!(to.faults <= from.faults && to.operations <= from.operations);
    let again = run::shrink(&shrunk.scenario, &Effort::runs(1), test, go_on);
    assert_eq!(again.scenario.digest, shrunk.scenario.digest, "`{bug}`");
    assert_eq!(shrunk.scenario.fingerprint, first.fingerprint);
    eprintln!(
        "{:<24} seed {:<4} {} -> {}, {} runs, {:?}",
        bug.name(),
        first.seed,
        shrunk.from,
        shrunk.to,
        shrunk.runs,
        shrunk.end
    );
    shrunk
}

#[test]
fn ten_bugs_are_found_and_cut_down() {
    let all = Bug::ALL.map(shrunk);
    let median = |mut sizes: Vec<usize>| {
        sizes.sort_unstable();
        sizes[sizes.len() / 2]
    };
    let faults = median(all.iter().map(|one| one.to.faults).collect());
    let operations = median(all.iter().map(|one| one.to.operations).collect());
    assert!(faults <= 5, "{faults} faults in the median");
    assert!(operations <= 10, "{operations} operations in the median");
}
