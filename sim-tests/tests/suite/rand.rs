//! Random numbers of the program: in their bounds, all of them reached, and the seed's.

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use stormglass::run::run_seed;
use stormglass::{Config, rand};

/// What a node draws under this seed.
fn drawn<T: Send + 'static>(seed: u64, draw: fn() -> T) -> T {
    run_seed(&Config::default(), seed, move |_| async move { draw() }).unwrap()
}

#[test]
fn indices_reach_all_items_and_no_more() {
    let draw = || (0..200).map(|_| rand::index(5)).collect::<BTreeSet<_>>();
    assert_eq!(drawn(1, draw), BTreeSet::from([0, 1, 2, 3, 4]));
    assert_eq!(drawn(1, || rand::index(1)), 0);
}

#[test]
fn an_item_is_chosen_if_there_is_one() {
    let draw = || {
        (0..200)
            .map(|_| *rand::choose(&["a", "b"]).unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(drawn(1, draw), BTreeSet::from(["a", "b"]));
    assert_eq!(drawn(1, || rand::choose::<u8>(&[]).copied()), None);
}

#[test]
fn shuffling_gives_every_order_and_keeps_the_items() {
    let orders: BTreeSet<[u8; 3]> = drawn(1, || {
        let shuffled = |_| {
            let mut items = [1, 2, 3];
            rand::shuffle(&mut items);
            items
        };
        (0..200).map(shuffled).collect()
    });
    assert_eq!(orders.len(), 6, "{orders:?}");
    assert!(
        orders.iter().all(|order| order.iter().sum::<u8>() == 6),
        "{orders:?}"
    );
}

#[test]
fn bytes_are_filled_to_the_last_and_differ_by_seed() {
    let draw = || {
        let mut bytes = [0; 13];
        rand::fill(&mut bytes);
        bytes
    };
    assert_eq!(drawn(1, draw), drawn(1, draw));
    assert_ne!(drawn(1, draw), drawn(2, draw));
    let last: BTreeSet<u8> = (0..20).map(|seed| drawn(seed, draw)[12]).collect();
    assert!(last.len() > 10, "{last:?}");
}

#[test]
fn nothing_is_below_zero() {
    let message = |draw: fn()| {
        let failed = run_seed(&Config::default(), 1, move |_| async move { draw() })
            .failed
            .expect("it panics");
        failed.to_string()
    };
    assert!(message(|| _ = rand::index(0)).contains("no index into nothing"));
    assert!(message(|| _ = rand::below(0)).contains("no number below 0"));
    // Outside a simulation there is no node that could draw.
    catch_unwind(|| rand::index(1)).unwrap_err();
}
