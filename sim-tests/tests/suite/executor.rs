//! Tasks and scheduling, as a program sees them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use stormglass::sim::Builder;
use stormglass::task::{self, JoinSet};
use stormglass::time::{sleep, timeout};
use stormglass::{Config, OnPanic, Policy};

const MS: Duration = Duration::from_millis(1);

/// The order in which six tasks run that are ready at once.
fn order(policy: Policy, seed: u64) -> Vec<u32> {
    let config = Config {
        policy,
        ..Config::default()
    };
    Builder::new()
        .config(config)
        .seed(seed)
        .run(|_| async {
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = (0..6)
                .map(|n| {
                    let order = order.clone();
                    task::spawn(async move { order.borrow_mut().push(n) })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            order.take()
        })
        .unwrap()
}

#[test]
fn fifo_runs_in_order_and_the_others_vary_with_the_seed() {
    assert_eq!(order(Policy::Fifo, 1), [0, 1, 2, 3, 4, 5]);
    let pct = Policy::Pct {
        depth: 3,
        picks: 10,
    };
    for (policy, least) in [
        (Policy::Random, 45),
        (pct, 45),
        (Policy::StarveOne, 40),
        (Policy::BySeed, 30),
    ] {
        let orders: BTreeSet<_> = (0..50).map(|seed| order(policy, seed)).collect();
        assert!(
            orders.len() >= least,
            "{policy:?} gave {} orders of 50",
            orders.len()
        );
        assert_eq!(order(policy, 5), order(policy, 5));
    }
}

#[test]
fn every_order_is_found() {
    let orders: BTreeSet<_> = (0..8_000).map(|seed| order(Policy::Random, seed)).collect();
    assert_eq!(orders.len(), 720, "six tasks have 720 orders");
}

#[test]
fn a_starved_task_runs_after_all_others() {
    // The starved task is drawn; over many seeds each of the six is last most often when starved.
    let found = (0..200).any(|seed| {
        let config = Config {
            policy: Policy::StarveOne,
            ..Config::default()
        };
        let outcome = Builder::new().config(config).seed(seed).run(|_| async {
            let rounds = Rc::new(Cell::new(0));
            let counted = rounds.clone();
            let busy = task::spawn(async move {
                for _ in 0..500 {
                    counted.set(counted.get() + 1);
                    task::yield_now().await;
                }
            });
            let seen = task::spawn(async move { rounds.get() });
            busy.await.unwrap();
            seen.await.unwrap()
        });
        outcome.unwrap() == 500
    });
    assert!(
        found,
        "some seed starves the second task until the first has yielded 500 times"
    );
}

#[test]
fn pct_lets_a_yielding_task_be_overtaken() {
    for seed in 0..50 {
        let policy = Policy::Pct {
            depth: 2,
            picks: 100,
        };
        let config = Config {
            policy,
            ..Config::default()
        };
        Builder::new()
            .config(config)
            .seed(seed)
            .run(|_| async {
                let done = Rc::new(Cell::new(false));
                let setter = done.clone();
                task::spawn(async move { setter.set(true) });
                // Would spin for ever if the yielding task kept the highest priority.
                while !done.get() {
                    task::yield_now().await;
                }
            })
            .unwrap();
    }
}

#[test]
fn a_task_gives_its_output_and_can_be_detached() {
    let outcome = Builder::new().run(|_| async {
        let ran = Rc::new(Cell::new(false));
        let flag = ran.clone();
        drop(task::spawn(async move {
            sleep(MS).await;
            flag.set(true);
        }));
        assert_eq!(task::spawn(async { 7 }).await.unwrap(), 7);
        sleep(2 * MS).await;
        ran.get()
    });
    assert!(outcome.unwrap());
}

struct OnDrop(Rc<Cell<u32>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn an_aborted_task_drops_its_future_and_is_cancelled() {
    let outcome = Builder::new().run(|_| async {
        let drops = Rc::new(Cell::new(0));
        let guard = OnDrop(drops.clone());
        let task = task::spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        task::yield_now().await;
        sleep(MS).await;
        let handle = task.abort_handle();
        assert!(!handle.is_finished());
        task.abort();
        task.abort();
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert!(handle.is_finished());
        handle.abort();
        drops.get()
    });
    assert_eq!(outcome.unwrap(), 1);
}

#[test]
fn aborting_what_has_ended_does_nothing() {
    let outcome = Builder::new().run(|_| async {
        let task = task::spawn(async { 1 });
        sleep(MS).await;
        assert!(task.is_finished());
        task.abort();
        // A later task may have taken the place of the first in the table.
        let other = task::spawn(async {
            sleep(MS).await;
            2
        });
        assert_eq!(task.await.unwrap(), 1);
        other.await.unwrap()
    });
    assert_eq!(outcome.unwrap(), 2);
}

#[test]
fn a_join_set_joins_in_the_order_of_ends() {
    let outcome = Builder::new().run(|_| async {
        let mut set = JoinSet::new();
        for n in [30_u32, 10, 20] {
            set.spawn(async move {
                sleep(n * MS).await;
                n
            });
        }
        assert_eq!(set.len(), 3);
        assert!(set.try_join_next().is_none());
        let mut ends = Vec::new();
        while let Some(end) = set.join_next().await {
            ends.push(end.unwrap());
        }
        ends
    });
    assert_eq!(outcome.unwrap(), [10, 20, 30]);
}

#[test]
fn a_dropped_join_set_aborts_and_a_detached_one_does_not() {
    let outcome = Builder::new().run(|_| async {
        let count = Rc::new(Cell::new(0));
        let spawn = |set: &mut JoinSet<()>| {
            let count = count.clone();
            set.spawn(async move {
                sleep(MS).await;
                count.set(count.get() + 1);
            });
        };
        let mut dropped = JoinSet::new();
        spawn(&mut dropped);
        drop(dropped);
        let mut detached = JoinSet::new();
        spawn(&mut detached);
        detached.detach_all();
        let mut shut = JoinSet::new();
        spawn(&mut shut);
        shut.shutdown().await;
        assert!(shut.is_empty());
        sleep(10 * MS).await;
        count.get()
    });
    assert_eq!(outcome.unwrap(), 1);
}

#[test]
fn a_blocking_call_keeps_its_node_busy() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let begin = sim.now();
        let blocking = node.spawn(async {
            let value = task::spawn_blocking(|| 5).await.unwrap();
            assert_eq!(task::block_in_place(|| value + 1), 6);
        });
        blocking.await.unwrap();
        let other = node.spawn(async move { sim.now() });
        other.await.unwrap().saturating_since(begin)
    });
    // Twice the default of 100 us, before the other task of the node runs.
    assert_eq!(outcome.unwrap(), Duration::from_micros(200));
}

#[test]
fn the_panic_of_a_joined_task_is_the_error() {
    let config = Config {
        on_panic: OnPanic::JoinError,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        let node = sim.node("a").idle();
        let number = node.name().len() + 6;
        let error = node
            .spawn(async move { panic!("no {number}") })
            .await
            .unwrap_err();
        assert!(error.is_panic());
        assert!(node.is_alive());
        error.into_panic().downcast_ref::<String>().cloned()
    });
    assert_eq!(outcome.unwrap().as_deref(), Some("no 7"));
}

#[test]
fn many_tasks_come_and_go() {
    let outcome = Builder::new().seed(3).run(|_| async {
        let mut sum = 0_u64;
        for round in 0..100_u64 {
            let tasks: Vec<_> = (0..100_u64)
                .map(|n| {
                    task::spawn(async move {
                        if n % 3 == 0 {
                            task::yield_now().await;
                        }
                        n + round
                    })
                })
                .collect();
            for task in tasks {
                sum += task.await.unwrap();
            }
        }
        sum
    });
    assert_eq!(outcome.unwrap(), 100 * 4950 + 100 * 4950);
}

#[test]
fn a_timeout_wins_over_what_never_ends() {
    let outcome = Builder::new().run(|_| async {
        assert!(timeout(5 * MS, pending::<()>()).await.is_err());
        timeout(5 * MS, async { 3 }).await.unwrap()
    });
    assert_eq!(outcome.unwrap(), 3);
}

#[test]
fn a_join_set_knows_the_order_of_ends_before_it_is_asked() {
    let outcome = Builder::new().run(|_| async {
        let mut set = JoinSet::new();
        for n in [30_u32, 10, 20] {
            set.spawn(async move {
                sleep(n * MS).await;
                n
            });
        }
        sleep(50 * MS).await;
        let mut ends = Vec::new();
        while let Some(end) = set.try_join_next() {
            ends.push(end.unwrap());
        }
        ends
    });
    assert_eq!(outcome.unwrap(), [10, 20, 30]);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_panic_in_the_drop_of_an_output_or_an_aborted_future_fails_the_run() {
    let output = Builder::new().run(|_| async {
        drop(task::spawn(async { Bomb }));
        sleep(MS).await;
    });
    let future = Builder::new().run(|_| async {
        let task = task::spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        sleep(MS).await;
        task.abort();
        sleep(MS).await;
    });
    for failed in [output.failed, future.failed] {
        let failed = failed.expect("the run fails");
        assert!(failed.to_string().contains("dropped"), "{failed}");
    }
}

#[test]
fn a_join_set_is_extended_and_told_apart_by_ids() {
    let outcome = Builder::new().run(|_| async {
        let mut set: JoinSet<u32> = (0..3).map(|n| async move { n }).collect();
        set.extend((3..5).map(|n| async move { n }));
        assert_eq!(set.len(), 5);
        assert!(set.try_join_next_with_id().is_none(), "none has run yet");
        let last = set.spawn(async { task::try_id().map_or(0, |_| 5) });
        last.abort();
        let (mut outputs, mut cancelled) = (Vec::new(), Vec::new());
        while !set.is_empty() {
            task::yield_now().await;
            while let Some(ended) = set.try_join_next_with_id() {
                match ended {
                    Ok((id, output)) => outputs.push((id, output)),
                    Err(error) => cancelled.push(error.id()),
                }
            }
        }
        assert_eq!(cancelled, [last.id()]);
        outputs.sort_unstable();
        // Ids are given in the order of spawning.
        let values: Vec<u32> = outputs.iter().map(|(_, output)| *output).collect();
        assert_eq!(values, [0, 1, 2, 3, 4]);
        assert_eq!(task::try_id(), Some(task::id()));
    });
    outcome.unwrap();
    assert_eq!(task::try_id(), None);
}

#[test]
fn a_join_error_is_an_io_error_in_tokios_words() {
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}
    let config = Config {
        on_panic: OnPanic::JoinError,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        let node = sim.node("a").idle();
        let panicking = node.spawn(async { panic!("as it must") });
        let aborted = node.spawn(pending::<Cell<u32>>());
        unwind_safe(&aborted);
        aborted.abort();
        let told = |error: task::JoinError| std::io::Error::from(error).to_string();
        assert_eq!(told(panicking.await.unwrap_err()), "task panicked");
        assert_eq!(told(aborted.await.unwrap_err()), "task was cancelled");
    });
    outcome.unwrap();
}
