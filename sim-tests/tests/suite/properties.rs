//! Properties claimed in a program: what is counted, and what ends the run.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use stormglass::fault::{FaultKind, FaultPlan, Nemesis, Quorum, Target};
use stormglass::kernel::{Family, Probability};
use stormglass::property::{Claim, Properties};
use stormglass::sim::{Builder, Every, Outcome};
use stormglass::time::sleep;
use stormglass::{Failure, always, always_or_unreachable, buggify, reachable, sometimes};

fn run(numbers: Vec<i32>) -> Outcome<()> {
    Builder::new().run(move |sim| async move {
        let node = sim.node("n").run(move |_| {
            let numbers = numbers.clone();
            async move {
                for number in numbers {
                    sleep(Duration::from_millis(1)).await;
                    claim(number);
                }
            }
        });
        node.ended().await;
    })
}

fn claim(number: i32) {
    always!(number < 10, "numbers are small", "this one is {number}");
    if number == 7 {
        always_or_unreachable!(false, "seven is fine");
    }
    if number == 8 {
        stormglass::unreachable!("there is no eight", "but {number} is one");
    }
    sometimes!(number == 3, "three is seen");
    sometimes!(at_least 5, number, "a large number");
    sometimes!(at_most 1, number, "a small number");
    sometimes!(each number in [1, 2], "one and two");
    if number == 4 {
        reachable!("four comes");
    }
}

fn counts(properties: &Properties, name: &str) -> (u64, u64, Option<i64>) {
    let count = &properties[name];
    (count.reached, count.held, count.margin)
}

#[test]
fn what_is_claimed_is_counted() {
    let outcome = run(vec![1, 3, 4]);
    assert_eq!(outcome.failed, None);
    let properties = &outcome.properties;
    assert_eq!(counts(properties, "numbers are small"), (3, 3, None));
    assert_eq!(counts(properties, "three is seen"), (3, 1, None));
    assert_eq!(counts(properties, "a large number"), (3, 0, Some(-1)));
    assert_eq!(counts(properties, "a small number"), (3, 1, Some(0)));
    assert_eq!(counts(properties, "one and two: 1"), (3, 1, None));
    assert_eq!(counts(properties, "one and two: 2"), (3, 0, None));
    assert_eq!(counts(properties, "four comes"), (1, 1, None));
    assert_eq!(properties.len(), 7, "what is never reached is not there");
    assert_eq!(properties["four comes"].claim, Some(Claim::Reachable));
}

#[test]
fn what_is_broken_ends_the_run_with_its_name_and_place() {
    let check = |numbers: Vec<i32>, name: &str, words: &str| {
        let outcome = run(numbers);
        let failed = outcome.failed.unwrap();
        assert_eq!(failed.moment.name, "n");
        let Failure::Violation {
            property,
            message,
            location,
        } = &failed.failure
        else {
            panic!("{failed}");
        };
        assert_eq!((property.as_str(), message.as_str()), (name, words));
        assert!(location.contains("suite/properties.rs:"), "{location}");
        assert_eq!(failed.moment.at.as_duration(), Duration::from_millis(2));
    };
    check(
        vec![1, 11, 12],
        "numbers are small",
        "always this one is 11",
    );
    check(vec![1, 7], "seven is fine", "always_or_unreachable");
    check(vec![1, 8], "there is no eight", "unreachable but 8 is one");
}

#[test]
fn what_is_said_of_a_broken_property_may_look_at_the_simulation() {
    let outcome = Builder::new().seed(7).run(|sim| async move {
        always!(false, "never", "of seed {} at {:?}", sim.seed(), sim.now());
    });
    let failure = outcome.failed.unwrap().failure;
    assert!(failure.to_string().contains("of seed 7 at"), "{failure}");
}

#[test]
fn outside_a_simulation_nothing_is_claimed() {
    claim(11);
    assert!(!buggify!("outside"));
}

/// How often the rare way is taken at each of 20 places, of 40 passes each on two nodes.
fn rare(seed: u64, fault: Option<FaultKind>) -> Outcome<[Vec<u32>; 2]> {
    const NAMES: [&str; 20] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19",
    ];
    Builder::new().seed(seed).run(move |sim| async move {
        let nodes = ["a", "b"].map(|name| sim.node(name).idle());
        let mut plan = FaultPlan::new();
        if let Some(fault) = fault {
            plan.add(Duration::ZERO, fault, Target::node("a")).duration = Some(Duration::MAX / 2);
        }
        sim.apply(&plan);
        sleep(Duration::from_millis(1)).await;
        let count = || async {
            let passes = |name: &&str| (0..40).map(|_| u32::from(buggify!(name))).sum();
            NAMES.iter().map(passes).collect::<Vec<u32>>()
        };
        [
            nodes[0].spawn(count()).await.unwrap(),
            nodes[1].spawn(count()).await.unwrap(),
        ]
    })
}

#[test]
fn rare_ways_are_taken_at_some_places_where_a_plan_asks_for_it() {
    let quarter = Probability::percent(25);
    let everywhere = |sites: &[&str]| FaultKind::Buggify {
        sites: sites.iter().map(|name| (*name).to_owned()).collect(),
        active: quarter,
        fires: quarter,
    };
    let (mut active, mut taken) = (0, 0);
    for seed in 0..20 {
        let outcome = rare(seed, Some(everywhere(&[])));
        let counted = outcome.counters.get(Family::Buggify);
        let [a, b] = outcome.unwrap();
        active += a.iter().filter(|count| **count > 0).count();
        taken += a.iter().sum::<u32>();
        assert_eq!(b.iter().sum::<u32>(), 0, "the plan is about the other");
        assert_eq!(counted.fired, u64::from(a.iter().sum::<u32>()));
    }
    // A quarter of 400 places, and a quarter of 40 passes at each.
    assert!((70..130).contains(&active), "{active}");
    assert!((700..1_300).contains(&taken), "{taken}");
    let [one, _] = rare(
        0,
        Some(FaultKind::Buggify {
            sites: vec!["3".to_owned()],
            active: Probability::ALWAYS,
            fires: Probability::ALWAYS,
        }),
    )
    .unwrap();
    let expected: Vec<u32> = (0..20)
        .map(|place| if place == 3 { 40 } else { 0 })
        .collect();
    assert_eq!(one, expected);
    let none = rare(0, None);
    assert_eq!(none.counters.get(Family::Buggify).offered, 0);
    assert_eq!(none.unwrap(), [vec![0; 20], vec![0; 20]]);
}

#[test]
fn an_invariant_ends_the_run_at_the_very_step() {
    let run = |every: Every, highest: u32| {
        Builder::new().run(move |sim| async move {
            let number = Rc::new(Cell::new(0));
            let seen = number.clone();
            sim.invariant("it stays small", every, move || match seen.get() {
                0..3 => Ok(()),
                large => Err(format!("it is {large}")),
            });
            let node = sim.node("n").idle();
            let counted = node.spawn(async move {
                for now in 0..=highest {
                    sleep(Duration::from_millis(1)).await;
                    number.set(now);
                    // Back at rest it is small again.
                    stormglass::task::yield_now().await;
                    number.set(0);
                }
            });
            counted.await.unwrap();
        })
    };
    assert_eq!(run(Every::Step, 2).failed, None);
    assert_eq!(
        run(Every::Instant, 9).failed,
        None,
        "it is small whenever all rest"
    );
    let failed = run(Every::Step, 9).failed.unwrap();
    let text = failed.to_string();
    assert!(
        text.contains("\"it stays small\" is broken: always it is 3"),
        "{text}"
    );
    assert_eq!(failed.moment.at.as_duration(), Duration::from_millis(4));
}

#[test]
fn what_should_come_in_the_end_is_waited_for() {
    let run = |comes_ms: u64| {
        Builder::new().run(move |sim| async move {
            let flag = Rc::new(Cell::new(false));
            let set = flag.clone();
            sim.node("n").run(move |_| {
                let set = set.clone();
                async move {
                    sleep(Duration::from_millis(comes_ms)).await;
                    set.set(true);
                }
            });
            let within = Duration::from_millis(100);
            sim.eventually("it comes", within, move || flag.get()).await;
            sim.elapsed()
        })
    };
    let outcome = run(70);
    assert_eq!(outcome.properties["it comes"].held, 1);
    let after = outcome.unwrap().as_micros();
    assert!((70_000..70_200).contains(&after), "{after}");
    let failed = run(101).failed.unwrap().to_string();
    let expected = "\"it comes\" is broken: eventually not true after 100ms";
    assert!(failed.contains(expected), "{failed}");
}

/// A storm after which `dead` of three nodes stay down, and a question that is answered or not.
fn after_a_storm(dead: usize, answers: bool) -> Outcome<Option<u32>> {
    Builder::new().run(move |sim| async move {
        let nodes = sim.group("n", 3..=3).run(|_| std::future::pending::<()>());
        let storm = sim.unleash(&Nemesis::of(nodes.names(), Quorum::Majority));
        storm.over().await;
        for node in &nodes[..dead] {
            node.crash();
        }
        let progress = async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            7
        };
        storm
            .quiet("it answers", Duration::from_secs(5), progress)
            .await
    })
}

#[test]
fn a_stall_is_forgiven_only_while_the_quorum_is_lost() {
    assert_eq!(after_a_storm(0, true).unwrap(), Some(7));
    let stalled = after_a_storm(1, false);
    assert!(!stalled.excused);
    let failed = stalled.failed.unwrap().to_string();
    let expected = "\"it answers\" is broken: eventually no progress in 5s after all faults ended";
    assert!(failed.contains(expected), "{failed}");
    let excused = after_a_storm(2, false);
    assert!(excused.excused && excused.failed.is_none());
    assert_eq!(excused.unwrap(), None);
    assert!(!after_a_storm(2, true).excused, "it did not stall");
}
