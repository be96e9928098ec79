//! Every item of `stormglass::sync` inside a simulation, in a build where tokio has all its
//! features: what features unify to must not reach a run.

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use stormglass::sim::Builder;
use stormglass::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};
use stormglass::time::{Duration, sleep};
use stormglass::{Policy, Sim, task};

const MS: Duration = Duration::from_millis(1);

/// Runs a test twice for a few seeds, with a decoy between; both runs must be the same in all that
/// the digest covers, and give what is expected.
fn check<T, Fut>(test: fn(Sim) -> Fut, expected: impl Fn(&T) -> bool)
where
    T: PartialEq + Debug + 'static,
    Fut: Future<Output = T> + 'static,
{
    for seed in 0..10 {
        let first = Builder::new().seed(seed).run(test);
        decoy();
        let second = Builder::new().seed(seed).run(test);
        assert_eq!(first.digest, second.digest, "seed {seed}");
        let value = first.unwrap();
        assert!(expected(&value), "seed {seed} gave {value:?}");
        assert_eq!(value, second.unwrap(), "seed {seed}");
    }
}

/// Moves what tokio keeps for this thread and this process: its runtime and its generator of
/// random numbers, which its own `select!` and `watch` ask.
fn decoy() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime needs nothing");
    runtime.block_on(async {
        let (tx, mut rx) = tokio::sync::watch::channel(0);
        tx.send_replace(1);
        rx.changed().await.expect("the sender lives");
        tokio::select! {
            _ = std::future::ready(()) => {}
            _ = std::future::ready(()) => {}
        }
    });
}

/// A log that the tasks of a test share.
type Log = Rc<RefCell<Vec<u32>>>;

/// Waits until all tasks have ended.
async fn join_all(tasks: Vec<task::JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("the task ends");
    }
}

#[test]
fn a_bounded_mpsc_holds_senders_back() {
    async fn test(_: Sim) -> Vec<u32> {
        let (tx, mut rx) = mpsc::channel(2);
        for sender in 0..4 {
            let tx = tx.clone();
            task::spawn(async move {
                for n in 0..5 {
                    tx.send(sender * 10 + n).await.unwrap();
                }
            });
        }
        drop(tx);
        let mut received = Vec::new();
        while let Some(n) = rx.recv().await {
            assert!(rx.len() <= 2);
            received.push(n);
        }
        received
    }
    check(test, |received| {
        let of = |sender: u32| {
            received
                .iter()
                .filter(move |n| **n / 10 == sender)
                .map(|n| n % 10)
        };
        received.len() == 20 && (0..4).all(|sender| of(sender).eq(0..5))
    });
}

#[test]
fn a_oneshot_carries_one_value_and_tells_of_a_lost_sender() {
    async fn test(sim: Sim) -> (u32, bool) {
        let node = sim.node("a").idle();
        let (tx, rx) = oneshot::channel();
        node.spawn(async move { tx.send(7).unwrap() });
        let (lost, waiting) = oneshot::channel::<()>();
        node.spawn(async move {
            sleep(MS).await;
            drop(lost);
        });
        (rx.await.unwrap(), waiting.await.is_err())
    }
    check(test, |value| *value == (7, true));
}

#[test]
fn a_broadcast_reaches_all_and_tells_who_lagged() {
    async fn test(_: Sim) -> Vec<u32> {
        let (tx, _) = broadcast::channel(2);
        let mut slow = tx.subscribe();
        let heard: Log = Rc::default();
        let tasks = (0..8)
            .map(|_| {
                let (mut rx, heard) = (tx.subscribe(), heard.clone());
                task::spawn(async move {
                    let value = rx.recv().await.unwrap();
                    heard.borrow_mut().push(value);
                })
            })
            .collect();
        sleep(MS).await;
        tx.send(1).unwrap();
        join_all(tasks).await;
        tx.send(2).unwrap();
        tx.send(3).unwrap();
        assert_eq!(
            slow.recv().await,
            Err(broadcast::error::RecvError::Lagged(1))
        );
        assert_eq!(slow.recv().await, Ok(2));
        heard.take()
    }
    check(test, |heard| *heard == [1; 8]);
}

#[test]
fn a_mutex_is_taken_in_the_order_of_asking() {
    async fn test(_: Sim) -> Vec<u32> {
        let log = Rc::new(Mutex::new(Vec::new()));
        let tasks = (0..6)
            .map(|n| {
                let log = log.clone();
                task::spawn(async move {
                    sleep(n * MS).await;
                    let mut held = log.lock().await;
                    sleep(10 * MS).await;
                    held.push(n);
                })
            })
            .collect();
        join_all(tasks).await;
        log.try_lock().unwrap().clone()
    }
    check(test, |log| *log == [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_rw_lock_lets_readers_share_and_a_writer_alone() {
    async fn test(sim: Sim) -> Duration {
        let lock = Rc::new(RwLock::new(0));
        let mut tasks = Vec::new();
        for _ in 0..5 {
            let lock = lock.clone();
            tasks.push(task::spawn(async move {
                let value = lock.read().await;
                sleep(MS).await;
                assert_eq!(*value, 0);
            }));
        }
        for _ in 0..2 {
            let lock = lock.clone();
            tasks.push(task::spawn(async move {
                sleep(MS / 2).await;
                let mut value = lock.write().await;
                sleep(MS).await;
                *value += 1;
            }));
        }
        join_all(tasks).await;
        assert_eq!(*lock.read().await, 2);
        sim.elapsed()
    }
    // All readers at once, then the writers one by one.
    check(test, |elapsed| *elapsed == 3 * MS);
}

#[test]
fn a_semaphore_bounds_how_many_run() {
    async fn test(sim: Sim) -> Duration {
        let semaphore = Arc::new(Semaphore::new(2));
        let tasks = (0..6)
            .map(|_| {
                let semaphore = semaphore.clone();
                task::spawn(async move {
                    let _permit = semaphore.acquire_owned().await.unwrap();
                    sleep(MS).await;
                })
            })
            .collect();
        join_all(tasks).await;
        assert_eq!(semaphore.available_permits(), 2);
        sim.elapsed()
    }
    check(test, |elapsed| *elapsed == 3 * MS);
}

#[test]
fn a_notify_wakes_the_longest_waiting() {
    async fn test(_: Sim) -> Vec<u32> {
        let (notify, woken) = (Rc::new(Notify::new()), Log::default());
        let mut tasks = Vec::new();
        for n in 0..5 {
            let (notify, woken) = (notify.clone(), woken.clone());
            tasks.push(task::spawn(async move {
                sleep(n * MS).await;
                notify.notified().await;
                woken.borrow_mut().push(n);
            }));
        }
        sleep(10 * MS).await;
        for _ in 0..5 {
            notify.notify_one();
            sleep(MS).await;
        }
        join_all(tasks).await;
        woken.take()
    }
    check(test, |woken| *woken == [0, 1, 2, 3, 4]);
}

#[test]
fn a_once_cell_is_initialised_once() {
    async fn test(_: Sim) -> (Vec<u32>, u32) {
        let (cell, made) = (Rc::new(OnceCell::new()), Log::default());
        let (set, seen) = (Rc::new(SetOnce::new()), Log::default());
        let mut tasks = Vec::new();
        for n in 0..4 {
            let (cell, made) = (cell.clone(), made.clone());
            let (set, seen) = (set.clone(), seen.clone());
            tasks.push(task::spawn(async move {
                let make = || async {
                    sleep(MS).await;
                    made.borrow_mut().push(n);
                    n
                };
                cell.get_or_init(make).await;
                let value = *set.wait().await;
                seen.borrow_mut().push(value);
            }));
        }
        sleep(5 * MS).await;
        set.set(9).unwrap();
        join_all(tasks).await;
        assert_eq!(made.borrow().len(), 1);
        assert_eq!(cell.get(), made.borrow().first());
        (seen.take(), *set.get().unwrap())
    }
    check(test, |value| *value == (vec![9; 4], 9));
}

#[test]
fn a_barrier_opens_for_all_and_names_one_leader() {
    async fn test(_: Sim) -> Vec<u32> {
        let (barrier, through) = (Rc::new(Barrier::new(6)), Log::default());
        let tasks = (0..6)
            .map(|n| {
                let (barrier, through) = (barrier.clone(), through.clone());
                task::spawn(async move {
                    sleep(n * MS).await;
                    let leads = barrier.wait().await.is_leader();
                    assert_eq!(leads, n == 5);
                    through.borrow_mut().push(n);
                })
            })
            .collect();
        join_all(tasks).await;
        through.take()
    }
    check(test, |through| {
        let mut sorted = through.clone();
        sorted.sort_unstable();
        sorted == [0, 1, 2, 3, 4, 5]
    });
}

#[test]
fn a_watch_shows_the_last_value_to_all() {
    async fn test(_: Sim) -> Vec<u32> {
        let (tx, rx) = watch::channel(0);
        let tasks = (0..12)
            .map(|_| {
                let mut rx = rx.clone();
                task::spawn(async move {
                    rx.wait_for(|value| *value == 2).await.unwrap();
                })
            })
            .collect();
        sleep(MS).await;
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        join_all(tasks).await;
        let last = *rx.borrow();
        drop(tx);
        assert!(rx.has_changed().is_err());
        vec![last]
    }
    check(test, |values| *values == [2]);
}

/// Who is woken when by a `watch`, first in, first out: tokio's own would say at random.
#[test]
fn receivers_of_a_watch_are_woken_in_the_order_of_waiting() {
    let config = stormglass::Config {
        policy: Policy::Fifo,
        ..stormglass::Config::default()
    };
    for _ in 0..20 {
        decoy();
        let outcome = Builder::new().config(config.clone()).run(|_| async {
            let (tx, rx) = watch::channel(0);
            let woken = Log::default();
            let tasks = (0..20)
                .map(|n| {
                    let (mut rx, woken) = (rx.clone(), woken.clone());
                    task::spawn(async move {
                        rx.changed().await.unwrap();
                        woken.borrow_mut().push(n);
                    })
                })
                .collect();
            sleep(MS).await;
            tx.send(1).unwrap();
            join_all(tasks).await;
            woken.take()
        });
        assert!(outcome.unwrap().into_iter().eq(0..20));
    }
}
