//! The first cluster: it keeps its promises, its planted bugs are found, its faults bite.

use stormglass::Sim;
use stormglass::kernel::{Family, FaultCounters};
use stormglass::run::run_seed;
use stormglass_clusters::kv;
use stormglass_clusters::kv::judge::Violation;

#[stormglass::test(config = kv::config(), seeds = 200)]
async fn it_keeps_its_promises_whatever_goes_wrong(sim: Sim) -> Result<(), Violation> {
    kv::run(sim, None).await.verdict
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
