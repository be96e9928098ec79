//! Shrinking by oracles whose truth is known.

use core::time::Duration;

use proptest::prelude::*;

use super::super::scenario::tests::scenario;
use super::*;
use crate::fault::{FaultKind, Target};

/// Fault `n` of a scenario strikes `n-N` at second `n`; operation `n` is the number `n`, and they
/// are spread over two clients.
fn of(faults: u32, operations: u32) -> Scenario {
    let mut plans = vec![FaultPlan::new(), FaultPlan::new()];
    for number in 1..=faults {
        let target = Target::node(format!("n-{number}"));
        let at = Duration::from_millis(1_001 * u64::from(number));
        plans[number as usize % 2].faults.push(PlannedFault {
            id: FaultId(number),
            at,
            duration: Some(Duration::from_millis(1_234)),
            fault: FaultKind::Crash,
            target,
        });
    }
    let mut workloads = BTreeMap::new();
    for client in 0..2 {
        let numbers = (0..operations).filter(|number| number % 2 == client);
        let list = numbers.map(serde_json::Value::from).collect();
        workloads.insert(format!("client-{client}"), list);
    }
    let groups = [("n".to_owned(), 9)].into();
    scenario(&Decisions {
        plans,
        workloads,
        groups,
    })
}

/// The ids of the faults and the operations of a scenario.
fn parts(scenario: &Scenario) -> (BTreeSet<u32>, BTreeSet<u64>) {
    let plans = scenario.decisions.plans.iter();
    let faults = plans.flat_map(|plan| &plan.faults);
    let lists = scenario.decisions.workloads.values();
    let operations = lists.flatten().filter_map(serde_json::Value::as_u64);
    (
        faults.map(|planned| planned.id.0).collect(),
        operations.collect(),
    )
}

fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn same_if(same: bool) -> Verdict {
    if same { Verdict::Same } else { Verdict::Other }
}

/// Shrinks by an oracle over the faults and operations that are there.
fn shrunk(
    scenario: &Scenario,
    runs_max: u64,
    mut fails: impl FnMut(&BTreeSet<u32>, &BTreeSet<u64>) -> bool,
) -> Shrunk {
    let oracle = |one: &Scenario| {
        let (faults, operations) = parts(one);
        same_if(fails(&faults, &operations))
    };
    shrink(scenario, &Effort::runs(runs_max), oracle, go_on)
}

#[test]
fn only_what_is_needed_is_left() {
    let first = of(40, 300);
    let found = shrunk(&first, 2_000, |faults, operations| {
        faults.is_superset(&[3, 17].into()) && operations.is_superset(&[8, 211].into())
    });
    let expected: (BTreeSet<u32>, BTreeSet<u64>) = ([3, 17].into(), [8, 211].into());
    assert_eq!(parts(&found.scenario), expected);
    assert_eq!(found.end, End::Minimal);
    assert!(found.runs < 900, "{} runs", found.runs);
    assert_eq!((found.from.faults, found.from.operations), (40, 300));
    assert_eq!((found.to.faults, found.to.operations), (2, 2));
    let left = &found.scenario.decisions.plans[1].faults[0];
    assert_eq!((left.at, &left.fault), (Duration::ZERO, &FaultKind::Kill));
    assert_eq!(left.duration, Some(Duration::from_millis(1)));
    // Node `n-3` is needed.
    assert_eq!(found.scenario.decisions.groups["n"], 4);
}

#[test]
fn what_needs_no_fault_has_none() {
    let found = shrunk(&of(40, 300), 2_000, |_, _| true);
    assert_eq!(
        found.to,
        Size {
            members: 1,
            ..Size::default()
        }
    );
    assert!(found.runs < 20, "{} runs", found.runs);
}

#[test]
fn an_order_of_faults_is_kept() {
    // Fault 5 must begin before fault 4, which is why neither can be moved to the beginning.
    let mut first = of(9, 0);
    first.decisions.plans[0].faults[1].at = Duration::from_millis(7_777);
    let at = |one: &Scenario, id: u32| {
        let mut all = one.decisions.plans.iter().flat_map(|plan| &plan.faults);
        all.find(|planned| planned.id.0 == id)
            .map(|planned| planned.at)
    };
    let oracle = |one: &Scenario| {
        let in_order = at(one, 5).zip(at(one, 4)).is_some_and(|(a, b)| a < b);
        same_if(in_order)
    };
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(parts(&found.scenario).0, [4, 5].into());
    assert_eq!(at(&found.scenario, 5), Some(Duration::ZERO));
    assert_eq!(at(&found.scenario, 4), Some(Duration::from_secs(7)));
}

#[test]
fn a_smaller_group_has_no_faults_of_those_who_are_gone() {
    let first = of(8, 0);
    let oracle = |one: &Scenario| {
        let size = one.decisions.groups["n"];
        let strays = parts(one).0.into_iter().any(|id| id >= size);
        same_if(size >= 4 && !(size < 9 && strays))
    };
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(found.scenario.decisions.groups["n"], 4);
}

#[test]
fn a_name_is_taken_out_of_a_target() {
    let mut first = of(1, 0);
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    first.decisions.plans[1].faults[0].target = Target::Nodes(names);
    let oracle = |one: &Scenario| {
        let faults = &one.decisions.plans[1].faults;
        same_if(
            faults
                .iter()
                .any(|one| one.target.patterns().contains(&"b")),
        )
    };
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(
        found.scenario.decisions.plans[1].faults[0].target,
        Target::node("b")
    );
}

#[test]
fn noise_that_matters_stays() {
    let mut first = of(0, 0);
    first.config.policy = crate::Policy::Random;
    let oracle = |one: &Scenario| same_if(one.config.policy == crate::Policy::Random);
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(found.scenario.config.policy, crate::Policy::Random);
    assert!(found.scenario.config.link.latency.constant().is_some());
}

#[test]
fn a_cut_that_needs_luck_is_tried_with_other_seeds() {
    let first = of(0, 300);
    let oracle = |one: &Scenario| {
        let operations = parts(one).1;
        let lucky = operations.len() == 300 || one.seed % 7 == 3;
        same_if(operations.contains(&8) && lucky)
    };
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(parts(&found.scenario).1, [8].into());
    assert_eq!(found.scenario.seed, 10, "the first is 7");
}

#[test]
fn a_failure_that_is_not_there_is_left_alone() {
    let first = of(4, 4);
    let found = shrunk(&first, 100, |_, _| false);
    assert_eq!((found.end, found.runs), (End::NotReproduced, 1));
    assert_eq!(found.scenario, first);
}

#[test]
fn no_more_runs_are_made_than_allowed() {
    let first = of(40, 300);
    let found = shrunk(&first, 15, |faults, _| faults.contains(&7));
    // One more confirms the result.
    assert_eq!((found.end, found.runs), (End::OutOfRuns, 16));
    assert!(parts(&found.scenario).0.contains(&7));
    let mut asked = 0;
    let stop = |_: &Progress| {
        asked += 1;
        if asked > 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let found = shrink(&first, &Effort::default(), |_| Verdict::Same, stop);
    assert_eq!((found.end, found.runs), (End::Stopped, 3));
}

#[test]
fn nothing_is_run_twice_but_to_confirm() {
    let mut seen = BTreeSet::new();
    let mut again = 0;
    let oracle = |one: &Scenario| {
        again += u32::from(!seen.insert(one.to_json()));
        same_if(parts(one).0.is_superset(&[2, 5].into()))
    };
    shrink(&of(9, 9), &Effort::default(), oracle, go_on);
    assert_eq!(again, 1);
}

#[test]
fn an_oracle_that_changes_its_mind_gets_what_it_last_agreed_to() {
    for lie in 2..30 {
        let mut calls = 0;
        let mut last = None;
        let oracle = |one: &Scenario| {
            calls += 1;
            let truth = parts(one).0.is_superset(&[3, 17].into());
            // Once it says that what does not fail does.
            let verdict = same_if(truth || calls == lie);
            last = Some((one.clone(), verdict));
            verdict
        };
        let found = shrink(&of(20, 0), &Effort::default(), oracle, go_on);
        let (confirmed, verdict) = last.unwrap();
        assert_eq!(confirmed, found.scenario);
        assert_eq!(verdict, Verdict::Same);
        assert!(
            parts(&found.scenario).0.is_superset(&[3, 17].into()),
            "lie {lie}"
        );
    }
    let mut calls = 0;
    let oracle = |_: &Scenario| {
        calls += 1;
        same_if(calls < 5)
    };
    let first = of(20, 0);
    let found = shrink(&first, &Effort::default(), oracle, go_on);
    assert_eq!(found.end, End::NotReproduced);
    assert_eq!(found.scenario, first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// It fails if all of any cause are there, or, in half of the cases, if an even number of
    /// faults is: nothing can be taken out alone, and it is no more than there was.
    #[test]
    fn nothing_can_be_taken_out_alone(
        causes in proptest::collection::vec((0_u32..1 << 12, 0_u32..1 << 12), 1..4),
        odd in any::<bool>(),
    ) {
        let first = of(12, 12);
        let set = |items: &mut dyn Iterator<Item = u64>| items.fold(0, |set, n| set | 1_u32 << n);
        let fails = |(faults, operations): (BTreeSet<u32>, BTreeSet<u64>)| {
            let count = faults.len();
            let faults = set(&mut faults.into_iter().map(|id| u64::from(id - 1)));
            let operations = set(&mut operations.into_iter());
            let has = |cause: &(u32, u32)| {
                cause.0 & faults == cause.0 && cause.1 & operations == cause.1
            };
            causes.iter().any(has) || odd && count % 2 == 0 && count > 0
        };
        prop_assume!(fails(parts(&first)));
        let found = shrunk(&first, 100_000, |faults, operations| {
            fails((faults.clone(), operations.clone()))
        });
        let (faults, operations) = parts(&found.scenario);
        prop_assert!(fails((faults.clone(), operations.clone())));
        prop_assert_eq!(found.end, End::Minimal);
        for fault in &faults {
            let mut rest = faults.clone();
            rest.remove(fault);
            prop_assert!(!fails((rest, operations.clone())));
        }
        for operation in &operations {
            let mut rest = operations.clone();
            rest.remove(operation);
            prop_assert!(!fails((faults.clone(), rest)));
        }
    }
}
