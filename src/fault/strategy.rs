//! Strategies of proptest for fault plans and workloads.
//!
//! Owns how what an [attack](Attack) draws becomes a value that proptest can shrink. A plan is a
//! list of attacks, each with a time and a seed of its own: so an attack that is taken out leaves
//! the others as they were, and one that is moved strikes as it did.
//!
//! ```
//! use std::time::Duration;
//! use proptest::prelude::*;
//! use stormglass::fault::{Nemesis, Quorum, strategy};
//! use stormglass::sim::Builder;
//!
//! let names = ["db-0", "db-1", "db-2"].map(str::to_owned).to_vec();
//! let plans = strategy::plans(Nemesis::of(names, Quorum::Majority), 0..20);
//! let ops = strategy::workload(0..100_u32, Duration::from_secs(10), 0..50);
//! proptest!(|(plan in plans, ops in ops)| {
//!     let outcome = Builder::new().run(move |sim| async move {
//!         sim.group("db", 3..=3).run(|_| std::future::pending::<()>());
//!         let storm = sim.apply(&plan);
//!         for (at, _op) in ops {
//!             stormglass::time::sleep(at.saturating_sub(sim.elapsed())).await;
//!         }
//!         storm.over().await;
//!     });
//!     prop_assert!(outcome.failed.is_none());
//! });
//! ```

use core::fmt;
use core::time::Duration;

use proptest::collection::{SizeRange, vec};
use proptest::prelude::{Strategy, any};
use proptest::sample::select;

use super::attack::Attack;
use super::draws::Draws;
use super::nemesis::Nemesis;
use super::plan::FaultPlan;
use super::target::Host;
use crate::kernel::Choices;

/// Plans of so many attacks, out of those of a nemesis and within what its groups survive. They
/// shrink to fewer attacks, to earlier ones, and to those that the nemesis names first.
///
/// Nodes are known by their names alone: an attack on a zone finds none.
///
/// # Panics
/// If the nemesis has no attacks, or no time for one.
pub fn plans(nemesis: Nemesis, attacks: impl Into<SizeRange>) -> impl Strategy<Value = FaultPlan> {
    let lasts_ms = u64::try_from(nemesis.lasts.as_millis()).unwrap_or(u64::MAX);
    assert!(
        !nemesis.attacks.is_empty() && lasts_ms > 0,
        "plans of no attacks, or of no time: give the nemesis some"
    );
    // What a seed stands for is nearer to no other seed's, so there is nothing to shrink.
    let seed = any::<u64>().no_shrink();
    let attack = (select(nemesis.attacks.clone()), 0..lasts_ms, seed);
    vec(attack, attacks).prop_map(move |attacks| plan(&nemesis, &attacks))
}

/// So many operations, each with its time, in the order of times: one that is taken out leaves the
/// others at theirs.
pub fn workload<S: Strategy>(
    operation: S,
    lasts: Duration,
    operations: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<(Duration, S::Value)>>
where
    S::Value: fmt::Debug,
{
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let at = (0..=lasts_ms).prop_map(Duration::from_millis);
    vec((at, operation), operations).prop_map(|mut operations| {
        operations.sort_by_key(|(at, _)| *at);
        operations
    })
}

fn plan(nemesis: &Nemesis, attacks: &[(Attack, u64, u64)]) -> FaultPlan {
    let members = nemesis.groups.iter().flat_map(|group| &group.members);
    let names = members.chain(&nemesis.bystanders);
    let hosts: Vec<Host<'_>> = names.map(|name| Host { name, labels: &[] }).collect();
    let field = nemesis.field(&hosts);
    let drawn = attacks.iter().map(|&(attack, at_ms, seed)| {
        let mut choices = Choices::new(seed);
        let mut draws = Draws::new(&mut choices, attack, None);
        let blows = attack.draw(&field, &mut draws);
        (Duration::from_millis(at_ms), attack, blows)
    });
    nemesis.assemble(&hosts, drawn.collect())
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::fault::Quorum;

    fn nemesis() -> Nemesis {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Nemesis::of(names, Quorum::Majority)
    }

    #[test]
    fn plans_make_sense_and_end() {
        let mut runner = TestRunner::deterministic();
        let plans = plans(nemesis(), 0..30);
        let mut faults = 0;
        for _ in 0..100 {
            let plan = plans.new_tree(&mut runner).unwrap().current();
            assert_eq!(plan.validate(), Ok(()), "{plan}");
            assert!(plan.end().unwrap() <= nemesis().lasts);
            faults += plan.faults.len();
        }
        assert!(faults > 500, "{faults}");
    }

    #[test]
    fn a_plan_shrinks_to_one_attack() {
        let mut runner = TestRunner::deterministic();
        let attacks = vec![Attack::Kill, Attack::Crash, Attack::Isolate];
        let nemesis = Nemesis {
            attacks,
            ..nemesis()
        };
        let crashes = |plan: &FaultPlan| {
            let mut faults = plan.faults.iter();
            faults.any(|planned| planned.fault == crate::fault::FaultKind::Crash)
        };
        let result = runner.run(&plans(nemesis, 0..30), |plan| {
            proptest::prop_assert!(!crashes(&plan));
            Ok(())
        });
        let Err(proptest::test_runner::TestError::Fail(_, plan)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(plan.faults.len(), 1, "{plan}");
        assert!(crashes(&plan) && plan.faults[0].at.is_zero(), "{plan}");
    }

    #[test]
    fn operations_are_in_the_order_of_their_times() {
        let mut runner = TestRunner::deterministic();
        let lasts = Duration::from_secs(1);
        let tree = workload(0..9_u8, lasts, 20..30).new_tree(&mut runner);
        let operations = tree.unwrap().current();
        assert!(operations.len() >= 20 && operations.is_sorted_by_key(|(at, _)| *at));
    }
}
