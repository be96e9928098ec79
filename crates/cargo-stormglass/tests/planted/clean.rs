//! Tests with which nothing is wrong, and properties that some campaigns do not reach.

use std::time::Duration;

use stormglass::fault::{FaultKind, FaultPlan, Target};
use stormglass::time::sleep;
use stormglass::{Sim, reachable, sometimes};

#[stormglass::test(seeds = 20)]
async fn passes(sim: Sim) {
    let node = sim.node("db").run(|_| async {
        loop {
            sleep(Duration::from_millis(10)).await;
        }
        #[allow(unreachable_code)]
        std::io::Result::Ok(())
    });
    let mut plan = FaultPlan::new();
    plan.add(Duration::from_millis(20), FaultKind::Crash, Target::node("db")).duration =
        Some(Duration::from_millis(20));
    sim.apply(&plan).over().await;
    sometimes!(sim.seed() == 5, "a seed is five");
    let _ = node;
}

#[stormglass::test(seeds = 20)]
async fn is_slow(sim: Sim) {
    let slow = std::env::var("PLANTED_SLOW_MS").ok().and_then(|ms| ms.parse().ok());
    if let Some(ms) = slow {
        let end = std::time::Duration::from_millis(ms);
        busy(end);
    }
    sleep(Duration::from_millis(sim.seed() % 7)).await;
    let fails = std::env::var_os("PLANTED_FAIL").is_some();
    assert!(!fails || sim.seed() != 13, "it was asked to fail");
}

/// Uses real time: a blocking sleep would be an escape.
fn busy(time: Duration) {
    let loops = time.as_micros() as u64 * 20;
    for n in 0..loops {
        std::hint::black_box(n);
    }
}

#[stormglass::test(seeds = 20)]
async fn misses_its_goals(sim: Sim) {
    if sim.seed() == u64::MAX {
        reachable!("a place that nobody reaches");
    }
    sometimes!(at_least 1_000_000, sim.seed(), "the seed is high");
    let mut plan = FaultPlan::new();
    // Nobody reads the clock.
    let by = stormglass::fault::Shift::Back(Duration::from_secs(1));
    plan.add(Duration::from_millis(1), FaultKind::ClockStep { by }, Target::node("idle"));
    sim.node("idle").idle();
    sim.apply(&plan).over().await;
}
