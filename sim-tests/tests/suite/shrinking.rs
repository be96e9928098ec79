//! Every planted bug of the first cluster is found, and cut down to what a person can read.

use std::ops::ControlFlow;
use std::time::Duration;

use proptest::test_runner::{
    Config as ProptestConfig, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use stormglass::explore::{Effort, End, Scenario, Shrunk};
use stormglass::fault::{Attack, FaultPlan, Nemesis, Quorum, strategy};
use stormglass::sim::Builder;
use stormglass::{Config, Sim, run, time};
use stormglass_clusters::kv::judge::Property;
use stormglass_clusters::kv::{self, Bug};

/// Each planted bug must be found within so many seeds.
const SEEDS_MAX: u64 = 400;
/// Runs that the shrinking of one failure may take. On one core of the machine that the benches
/// name there are a hundred a second, so this is a fraction of a minute.
const RUNS_MAX: u64 = 2_000;

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
    assert_eq!(
        shrunk.end,
        End::Minimal,
        "`{bug}` after {} runs",
        shrunk.runs
    );
    // It is no more than it was, and fails as it did.
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

/// A person's own test: a counter of three copies, of which a reader asks the first. It is wrong:
/// a node that was down has missed what was added, and nobody tells it.
fn counted(plan: &FaultPlan, adds: &[(Duration, u8)]) -> Result<(), String> {
    let (plan, adds) = (plan.clone(), adds.to_vec());
    let outcome = Builder::new().run(move |sim| async move {
        let nodes = sim.group("n", 3..=3).run(|_| std::future::pending::<()>());
        let storm = sim.apply(&plan);
        let (mut copies, mut sum) = ([0_u32; 3], 0);
        for (at, add) in adds {
            time::sleep(at.saturating_sub(sim.elapsed())).await;
            sum += u32::from(add);
            for (copy, node) in copies.iter_mut().zip(nodes.iter()) {
                *copy += u32::from(add) * u32::from(node.is_alive());
            }
        }
        storm.over().await;
        (copies[0], sum)
    });
    match outcome.unwrap() {
        (copy, sum) if copy == sum => Ok(()),
        (copy, sum) => Err(format!("the first copy has {copy} of {sum}")),
    }
}

/// One that draws the same cases each time, and keeps none.
fn runner() -> TestRunner {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn a_person_s_own_proptest_finds_a_bug_and_shrinks_it() {
    let names = ["n-0", "n-1", "n-2"].map(str::to_owned).to_vec();
    let plans = strategy::plans(Nemesis::of(names, Quorum::Majority), 0..20);
    let adds = strategy::workload(0..100_u8, Duration::from_secs(10), 0..40);
    let result = runner().run(&(plans, adds), |(plan, adds)| {
        counted(&plan, &adds).map_err(TestCaseError::fail)
    });
    let Err(TestError::Fail(_, (plan, adds))) = result else {
        panic!("{result:?}");
    };
    // Proptest tries each attack once only, so one may be left that is not needed.
    assert!(plan.faults.len() <= 3, "{plan}");
    assert!(matches!(adds[..], [(_, 1)]), "{adds:?}");
    let mut faults = plan.faults.iter();
    assert!(
        faults.any(|one| one.target.patterns().contains(&"n-0")),
        "{plan}"
    );
    // The right one is found by nothing: a nemesis that takes no node down.
    let names = ["n-0", "n-1", "n-2"].map(str::to_owned).to_vec();
    let harmless = Nemesis {
        attacks: vec![Attack::Isolate, Attack::ClockStep],
        ..Nemesis::of(names, Quorum::Majority)
    };
    let adds = strategy::workload(0..100_u8, Duration::from_secs(10), 0..40);
    let plans = strategy::plans(harmless, 0..20);
    let result = runner().run(&(plans, adds), |(plan, adds)| {
        counted(&plan, &adds).map_err(TestCaseError::fail)
    });
    assert!(result.is_ok(), "{result:?}");
}
