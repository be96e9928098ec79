//! The first cluster: it keeps its promises, its planted bugs are found, its faults bite.

use stormglass::Sim;
use stormglass::kernel::{Family, FaultCounters};
use stormglass::run::run_seed;
use stormglass_clusters::kv::judge::Violation;
use stormglass_clusters::kv::{self, Bug};

#[stormglass::test(config = kv::config(), seeds = 200)]
async fn it_keeps_its_promises_whatever_goes_wrong(sim: Sim) -> Result<(), Violation> {
    kv::run(sim, None).await.verdict
}

/// Each planted bug must be found within so many seeds. Each shows itself in more than one seed of
/// ten, so that what a change of the schedule does to a seed hardly ever hides one.
const SEEDS_MAX: u64 = 60;

fn check_found(bug: Bug) {
    let found = (0..SEEDS_MAX).any(|seed| {
        let outcome = run_seed(&kv::config(), seed, move |sim| kv::run(sim, Some(bug)));
        outcome.unwrap().verdict.is_err()
    });
    assert!(found, "`{bug}` is not found within {SEEDS_MAX} seeds");
}

#[test]
fn an_acknowledgement_before_a_majority_is_found() {
    check_found(Bug::AckBeforeMajority);
}

#[test]
fn a_recovery_without_a_majority_is_found() {
    check_found(Bug::RecoverAlone);
}

#[test]
fn a_forgotten_session_table_is_found() {
    check_found(Bug::ForgetSessions);
}

#[test]
fn an_order_by_the_wall_clock_is_found() {
    check_found(Bug::NewestClockWins);
}

#[test]
fn every_family_of_faults_bites() {
    let mut counters = FaultCounters::default();
    for seed in 0..10 {
        let outcome = run_seed(&kv::config(), seed, |sim| kv::run(sim, None));
        counters.add(&outcome.counters);
    }
    let families = [
        Family::Partition,
        Family::Crash,
        Family::Kill,
        Family::Pause,
        Family::ClockStep,
    ];
    for family in families {
        assert!(
            counters.get(family).effective > 0,
            "{family} changed nothing in ten seeds"
        );
    }
}

#[test]
fn a_seed_has_one_digest_and_another_seed_another() {
    let digest = |seed| run_seed(&kv::config(), seed, |sim| kv::run(sim, None)).digest;
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}

#[test]
fn the_readme_shows_the_digest_of_seed_3() {
    let outcome = run_seed(&kv::config(), 3, |sim| kv::run(sim, None));
    let line = format!("digest {}", outcome.digest);
    assert!(
        include_str!("../../../README.md").contains(&line),
        "run the README's first command and paste what it prints: it should end with `{line}`"
    );
}
