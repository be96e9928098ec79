//! The macros of the test's own code: their grammar, which is tokio's, and their draws, which are
//! the simulation's.

// The same cases twice is the point: with tokio's macros, and with ours.
#[expect(clippy::duplicate_mod, reason = "compares two sets of macros")]
mod ours;
mod tokios;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;

use futures::FutureExt;
use stormglass::kernel::Kind;
use stormglass::sim::{Builder, Outcome};
use stormglass::{join, select, try_join};

/// Runs a future as a test, and gives its outcome with its records.
fn simulate<F: Future<Output: 'static> + 'static>(seed: u64, future: F) -> Outcome<F::Output> {
    Builder::new().seed(seed).keep_last(1_000).run(|_| future)
}

/// How many draws a future had recorded.
fn draws<F: Future<Output: 'static> + 'static>(future: F) -> usize {
    let outcome = simulate(3, future);
    assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
    let ring = outcome.ring.expect("the records were to be kept");
    ring.records()
        .filter(|record| record.kind == Kind::Drawn)
        .count()
}

/// Polls a future so many times, in vain.
fn poll_in_vain(times: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..times {
        assert!(future.as_mut().now_or_never().is_none());
    }
}

#[test]
fn every_ready_branch_wins_as_often() {
    let mut wins = [0; 3];
    for seed in 0..300 {
        let won = simulate(seed, async {
            select! { x = ready(0) => x, x = ready(1) => x, x = ready(2) => x }
        });
        let won: usize = won.unwrap();
        wins[won] += 1;
    }
    // 100 are expected of each, with a standard deviation of 8.
    assert!(wins.iter().all(|won| (60..140).contains(won)), "{wins:?}");
}

#[test]
fn polling_goes_round_from_the_branch_drawn() {
    async fn order(joined: bool) -> Vec<u32> {
        let polled = RefCell::new(Vec::new());
        let note = |n: u32| {
            let polled = &polled;
            poll_fn(move |_| {
                polled.borrow_mut().push(n);
                Poll::<()>::Pending
            })
        };
        if joined {
            poll_in_vain(1, async { join!(note(0), note(1), note(2)) });
        } else {
            poll_in_vain(1, async {
                select! { _ = note(0) => {} _ = note(1) => {} _ = note(2) => {} }
            });
        }
        polled.take()
    }
    let rotations = BTreeSet::from([vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1]]);
    for joined in [false, true] {
        let orders: BTreeSet<_> = (0..60)
            .map(|seed| simulate(seed, order(joined)).unwrap())
            .collect();
        assert_eq!(orders, rotations);
    }
}

#[test]
fn disabled_branches_are_passed_over() {
    for seed in 0..20 {
        let won = simulate(seed, async {
            select! {
                _ = pending::<()>() => 0,
                Some(()) = ready(None) => 1,
                _ = ready(()), if false => 2,
                _ = ready(()) => 3,
            }
        });
        assert_eq!(won.unwrap(), 3);
    }
}

#[test]
fn select_draws_at_each_poll() {
    let polled = |times| async move {
        poll_in_vain(times, async {
            select! { _ = pending::<()>() => {} _ = pending::<()>() => {} }
        });
    };
    for times in 0..5 {
        assert_eq!(draws(polled(times)), times);
    }
}

#[test]
fn join_draws_once() {
    assert_eq!(
        draws(async { poll_in_vain(4, async { join!(pending::<()>(), ready(())) }) }),
        1
    );
    assert_eq!(
        draws(async { try_join!(ready(Ok::<_, ()>(1)), ready(Ok(2))) }),
        1
    );
}

#[test]
fn what_is_biased_or_alone_draws_nothing() {
    let none = async {
        poll_in_vain(3, async {
            select! { biased; _ = pending::<()>() => {} _ = pending::<()>() => {} }
        });
        select! { _ = ready(()) => {} }
        join!(ready(()));
        join!(biased; ready(()), ready(()));
    };
    assert_eq!(draws(none), 0);
}

#[test]
fn try_join_ends_at_the_first_error_it_meets() {
    let errors: BTreeSet<u32> = (0..40)
        .map(|seed| {
            let failed = simulate(seed, async {
                try_join!(ready(Err::<(), u32>(0)), ready(Err::<(), u32>(1)))
            });
            failed.unwrap().unwrap_err()
        })
        .collect();
    assert_eq!(errors, BTreeSet::from([0, 1]));
}

#[test]
fn the_winner_is_in_the_digest() {
    let race = |seed| {
        simulate(seed, async {
            select! { _ = ready(()) => 0, _ = ready(()) => 1 }
        })
    };
    for seed in 0..10 {
        let (first, second) = (race(seed), race(seed));
        assert_eq!(first.value, second.value);
        assert_eq!(first.digest, second.digest);
    }
}

#[test]
fn a_node_draws_for_itself() {
    // One node selects; how often another does must not matter to it.
    let winners = |others: usize| {
        let outcome = Builder::new().seed(8).run(move |sim| async move {
            let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
            let race = || async {
                select! { _ = ready(()) => 0, _ = ready(()) => 1 }
            };
            for _ in 0..others {
                b.spawn(race()).await.unwrap();
            }
            let mut winners = Vec::new();
            for _ in 0..20 {
                winners.push(a.spawn(race()).await.unwrap());
            }
            winners
        });
        outcome.unwrap()
    };
    assert_eq!(winners(0), winners(7));
}
