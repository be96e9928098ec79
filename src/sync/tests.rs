//! Two questions: does what is written here behave as tokio's, and does what is taken from tokio
//! wake in the order that the module promises.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::{Barrier, Mutex, Notify, RwLock, Semaphore, SetOnce, broadcast, mpsc, watch};

/// The ids of the tasks that were woken, in order.
type WakeLog = Arc<std::sync::Mutex<Vec<usize>>>;

/// A future polled by hand; its waker writes an id to a log.
struct Task<F> {
    future: Pin<Box<F>>,
    waker: Waker,
    log: WakeLog,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Self::logged(0, &WakeLog::default(), future)
    }

    fn logged(id: usize, log: &WakeLog, future: F) -> Self {
        struct Log(usize, WakeLog);
        impl Wake for Log {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let waker = Waker::from(Arc::new(Log(id, Arc::clone(log))));
        Self {
            future: Box::pin(future),
            waker,
            log: Arc::clone(log),
        }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
    }

    #[track_caller]
    fn is_pending(&mut self) -> bool {
        self.poll().is_pending()
    }

    #[track_caller]
    fn ready(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the task is pending"),
        }
    }

    fn is_woken(&self) -> bool {
        !self.log.lock().unwrap().is_empty()
    }
}

#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    Task::new(future).ready()
}

fn panics(f: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

/// Each test twice, with `watch` and `Barrier` from the given module.
macro_rules! same_behaviour {
    ($arm:ident, $sync:path) => {
        mod $arm {

            use $sync::{Barrier, BarrierWaitResult, watch};

            use super::{Task, now, panics};

            #[test]
            fn a_change_is_seen_once() {
                let (tx, mut rx) = watch::channel(1);
                assert!(!rx.has_changed().unwrap());
                {
                    let mut changed = Task::new(rx.changed());
                    assert!(changed.is_pending());
                    assert!(changed.is_pending());
                    tx.send(2).unwrap();
                    assert!(changed.is_woken());
                    assert!(changed.ready().is_ok());
                }
                assert!(!rx.has_changed().unwrap());
                assert_eq!(*rx.borrow(), 2);
                assert!(Task::new(rx.changed()).is_pending());
                tx.send(3).unwrap();
                tx.send(4).unwrap();
                assert!(rx.has_changed().unwrap());
                assert!(now(rx.changed()).is_ok());
                assert_eq!(*rx.borrow(), 4);
                assert!(Task::new(rx.changed()).is_pending());
            }

            #[test]
            fn a_borrow_tells_whether_the_value_is_new() {
                let (tx, mut rx) = watch::channel("a");
                assert!(!rx.borrow().has_changed());
                tx.send("b").unwrap();
                assert!(!tx.borrow().has_changed());
                assert!(rx.borrow().has_changed());
                assert!(rx.borrow().has_changed());
                let seen = rx.borrow_and_update();
                assert!(seen.has_changed());
                assert_eq!(*seen, "b");
                drop(seen);
                assert!(!rx.borrow().has_changed());
                assert!(!rx.borrow_and_update().has_changed());
            }

            #[test]
            fn each_receiver_sees_for_itself() {
                let (tx, mut rx1) = watch::channel(1);
                tx.send(2).unwrap();
                let mut rx2 = rx1.clone();
                let mut rx3 = tx.subscribe();
                assert!(now(rx1.changed()).is_ok());
                assert!(now(rx2.changed()).is_ok());
                assert!(Task::new(rx3.changed()).is_pending());
                assert_eq!(*rx3.borrow(), 2);
                let rx4 = rx1.clone();
                assert!(!rx4.has_changed().unwrap());
            }

            #[test]
            fn without_receivers_only_send_fails() {
                let (tx, rx) = watch::channel(1);
                drop(rx);
                let error = tx.send(2).unwrap_err();
                assert_eq!(error.0, 2);
                assert_eq!(error.to_string(), "channel closed");
                assert_eq!(*tx.borrow(), 1);
                assert_eq!(tx.send_replace(3), 1);
                tx.send_modify(|value| *value += 1);
                assert!(tx.send_if_modified(|value| {
                    *value += 1;
                    true
                }));
                let rx = tx.subscribe();
                assert_eq!(*rx.borrow(), 5);
                assert!(!rx.has_changed().unwrap());
                tx.send(6).unwrap();
                assert!(rx.has_changed().unwrap());
            }

            #[test]
            fn a_silent_modification_wakes_nobody() {
                let (tx, mut rx) = watch::channel(1);
                let mut changed = Task::new(rx.changed());
                assert!(changed.is_pending());
                assert!(!tx.send_if_modified(|value| {
                    *value = 2;
                    false
                }));
                assert!(!changed.is_woken());
                assert!(changed.is_pending());
                drop(changed);
                assert_eq!(*rx.borrow(), 2);
                assert!(!rx.borrow().has_changed());
            }

            #[test]
            fn a_panic_in_modify_keeps_the_changes_and_the_channel() {
                let (tx, mut rx) = watch::channel(1);
                let mut changed = Task::new(rx.changed());
                assert!(changed.is_pending());
                assert!(panics(|| tx.send_modify(|value| {
                    *value = 2;
                    panic!("on purpose");
                })));
                assert!(!changed.is_woken());
                drop(changed);
                assert_eq!(*rx.borrow(), 2);
                assert!(!rx.has_changed().unwrap());
                tx.send(3).unwrap();
                assert!(now(rx.changed()).is_ok());
                assert_eq!(*rx.borrow(), 3);
            }

            #[test]
            fn closing_wakes_and_the_last_value_is_still_seen() {
                let (tx, mut rx) = watch::channel(1);
                let mut rx2 = rx.clone();
                let tx2 = tx.clone();
                let mut changed = Task::new(rx.changed());
                assert!(changed.is_pending());
                drop(tx);
                assert!(!changed.is_woken());
                assert!(!rx2.is_closed());
                drop(tx2);
                assert!(changed.is_woken());
                assert_eq!(changed.ready().unwrap_err().to_string(), "channel closed");
                assert!(rx2.is_closed());
                assert!(rx2.has_changed().is_err());
                assert!(now(rx2.changed()).is_err());

                let (tx, mut rx) = watch::channel(1);
                tx.send(2).unwrap();
                drop(tx);
                assert!(rx.has_changed().is_err());
                assert!(rx.borrow().has_changed());
                assert!(now(rx.changed()).is_ok());
                assert!(now(rx.changed()).is_err());
                assert_eq!(*rx.borrow(), 2);
            }

            #[test]
            fn marks_decide_what_counts_as_seen() {
                let (tx, mut rx) = watch::channel(1);
                // Also below the first version.
                rx.mark_changed();
                rx.mark_changed();
                assert!(rx.has_changed().unwrap());
                let clone = rx.clone();
                assert!(clone.has_changed().unwrap());
                assert!(now(rx.changed()).is_ok());
                assert!(!rx.has_changed().unwrap());
                tx.send(2).unwrap();
                rx.mark_unchanged();
                assert!(!rx.has_changed().unwrap());
                assert!(Task::new(rx.changed()).is_pending());
                rx.mark_changed();
                drop(tx);
                assert!(now(rx.changed()).is_ok());
                assert!(now(rx.changed()).is_err());
            }

            #[test]
            fn wait_for_judges_each_value() {
                let (tx, mut rx) = watch::channel(1);
                let current = now(rx.wait_for(|value| *value == 1)).unwrap();
                assert!(!current.has_changed());
                drop(current);

                let mut wait = Task::new(rx.wait_for(|value| *value > 2));
                assert!(wait.is_pending());
                tx.send(2).unwrap();
                assert!(wait.is_woken());
                assert!(wait.is_pending());
                tx.send(3).unwrap();
                let found = wait.ready().unwrap();
                assert_eq!(*found, 3);
                // Waiting has marked it as seen before it is lent.
                assert!(!found.has_changed());
                drop(found);
                drop(wait);
                assert!(!rx.has_changed().unwrap());
                assert!(panics(|| {
                    let _ = now(rx.wait_for(|_| panic!("on purpose")));
                }));
                tx.send(4).unwrap();
                assert_eq!(*rx.borrow(), 4);
            }

            #[test]
            fn wait_for_judges_the_last_value_of_a_closed_channel() {
                let (tx, mut rx) = watch::channel(1);
                tx.send(2).unwrap();
                drop(tx);
                assert_eq!(*now(rx.wait_for(|value| *value == 2)).unwrap(), 2);
                assert_eq!(*now(rx.wait_for(|value| *value == 2)).unwrap(), 2);
                let mut calls = 0;
                assert!(
                    now(rx.wait_for(|_| {
                        calls += 1;
                        false
                    }))
                    .is_err()
                );
                assert_eq!(calls, 1);

                let (tx, mut rx) = watch::channel(1);
                let mut wait = Task::new(rx.wait_for(|value| *value == 2));
                assert!(wait.is_pending());
                tx.send(2).unwrap();
                drop(tx);
                assert_eq!(*wait.ready().unwrap(), 2);
            }

            #[test]
            fn closed_waits_for_the_last_receiver() {
                let (tx, rx) = watch::channel(());
                let rx2 = rx.clone();
                let mut closed = Task::new(tx.closed());
                assert!(closed.is_pending());
                drop(rx);
                assert!(!closed.is_woken());
                drop(rx2);
                assert!(closed.is_woken());
                closed.ready();
                now(tx.closed());

                // Opened again before the task runs.
                let rx = tx.subscribe();
                let mut closed = Task::new(tx.closed());
                assert!(closed.is_pending());
                drop(rx);
                let rx = tx.subscribe();
                assert!(closed.is_woken());
                assert!(closed.is_pending());
                drop(rx);
                closed.ready();
            }

            #[test]
            fn a_dropped_wait_loses_nothing() {
                let (tx, mut rx) = watch::channel(1);
                let mut changed = Task::new(rx.changed());
                assert!(changed.is_pending());
                tx.send(2).unwrap();
                assert!(changed.is_woken());
                drop(changed);
                assert!(now(rx.changed()).is_ok());

                // A wait that is made but not polled registers nothing and marks nothing.
                tx.send(3).unwrap();
                drop(rx.changed());
                assert!(rx.has_changed().unwrap());
            }

            #[test]
            fn handles_are_counted() {
                let (tx, rx) = watch::channel(());
                let (tx2, rx2) = (tx.clone(), rx.clone());
                assert_eq!((tx.sender_count(), tx.receiver_count()), (2, 2));
                assert!(tx.same_channel(&tx2) && rx.same_channel(&rx2));
                let (tx3, rx3) = watch::channel(());
                assert!(!tx.same_channel(&tx3) && !rx.same_channel(&rx3));
                drop((tx, rx));
                assert_eq!((tx2.sender_count(), tx2.receiver_count()), (1, 1));
                assert!(!tx2.is_closed());
                drop(rx2);
                assert!(tx2.is_closed());
                let tx = watch::Sender::<u8>::default();
                assert_eq!((*tx.borrow(), tx.receiver_count()), (0, 0));
            }

            #[test]
            fn handles_may_move_between_threads() {
                fn check<T: Send + Sync + Unpin>() {}
                fn check_send<T: Send>(_: T) {}
                fn check_sync<T: Sync>() {}
                check::<watch::Sender<u8>>();
                check::<watch::Receiver<u8>>();
                check::<Barrier>();
                check::<BarrierWaitResult>();
                check_sync::<watch::Ref<'_, u8>>();
                let (tx, mut rx) = watch::channel(1);
                check_send(tx.closed());
                check_send(rx.changed());
                check_send(rx.wait_for(|_| true));
                check_send(Barrier::new(1).wait());
            }

            #[test]
            fn a_barrier_of_none_or_one_never_waits() {
                for n in [0, 1] {
                    let barrier = Barrier::new(n);
                    for _ in 0..3 {
                        assert!(now(barrier.wait()).is_leader());
                    }
                }
            }

            #[test]
            fn a_barrier_opens_for_the_last_and_serves_again() {
                let barrier = Barrier::new(3);
                for _ in 0..3 {
                    let mut first = Task::new(barrier.wait());
                    let mut second = Task::new(barrier.wait());
                    assert!(first.is_pending());
                    assert!(second.is_pending());
                    assert!(first.is_pending());
                    assert!(now(barrier.wait()).is_leader());
                    assert!(first.is_woken() && second.is_woken());

                    // One that comes for the next round is not let through by this one.
                    let mut next = Task::new(barrier.wait());
                    assert!(next.is_pending());
                    assert!(!second.ready().is_leader());
                    assert!(!first.ready().is_leader());
                    assert!(next.is_pending());
                    assert!(Task::new(barrier.wait()).is_pending());
                    assert!(now(barrier.wait()).is_leader());
                    assert!(!next.ready().is_leader());
                }
            }

            #[test]
            fn who_leaves_a_barrier_has_still_arrived() {
                let barrier = Barrier::new(2);
                drop(barrier.wait());
                let mut left = Task::new(barrier.wait());
                assert!(left.is_pending());
                drop(left);
                assert!(now(barrier.wait()).is_leader());
                assert!(Task::new(barrier.wait()).is_pending());
            }
        }
    };
}

same_behaviour!(ours, crate::sync);
same_behaviour!(tokios, tokio::sync);

/// Waits with `waiters` in order, then lets them all go; they must be woken in that order.
#[track_caller]
fn check_order<F: Future>(waiters: Vec<F>, release: impl FnOnce()) {
    let log = WakeLog::default();
    let mut tasks: Vec<_> = waiters
        .into_iter()
        .enumerate()
        .map(|(id, f)| Task::logged(id, &log, f))
        .collect();
    for task in &mut tasks {
        assert!(task.is_pending());
    }
    // Waiting on, even through a second poll, keeps the place in the line.
    assert!(tasks[0].is_pending());
    release();
    let expected: Vec<usize> = (0..tasks.len()).collect();
    assert_eq!(*log.lock().unwrap(), expected);
}

/// More than tokio wakes at once (32), and more than the eight lists of its `watch`.
const WAITERS: usize = 50;

#[test]
fn our_waiters_are_woken_in_the_order_they_came() {
    let (tx, rx) = watch::channel(0);
    let mut receivers = vec![rx; WAITERS];
    check_order(
        receivers.iter_mut().map(watch::Receiver::changed).collect(),
        || {
            tx.send(1).unwrap();
        },
    );
    let last = tx.clone();
    check_order((0..WAITERS).map(|_| last.closed()).collect(), || {
        drop(receivers);
    });

    let barrier = Barrier::new(WAITERS + 1);
    check_order((0..WAITERS).map(|_| barrier.wait()).collect(), || {
        assert!(now(barrier.wait()).is_leader());
    });
}

#[test]
fn tokios_waiters_are_woken_in_the_order_they_came() {
    let semaphore = Semaphore::new(0);
    let acquires = (0..WAITERS).map(|_| semaphore.acquire()).collect();
    check_order(acquires, || semaphore.add_permits(WAITERS));

    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    check_order((0..WAITERS).map(|_| lock.read()).collect(), || drop(writer));

    let notify = Notify::new();
    check_order((0..WAITERS).map(|_| notify.notified()).collect(), || {
        notify.notify_waiters();
    });
    check_order((0..WAITERS).map(|_| notify.notified()).collect(), || {
        (0..WAITERS).for_each(|_| notify.notify_one());
    });

    let once = SetOnce::new();
    check_order((0..WAITERS).map(|_| once.wait()).collect(), || {
        once.set(1).unwrap();
    });

    let (tx, _) = broadcast::channel(1);
    let mut receivers: Vec<_> = (0..WAITERS).map(|_| tx.subscribe()).collect();
    check_order(
        receivers
            .iter_mut()
            .map(broadcast::Receiver::recv)
            .collect(),
        || {
            tx.send(1).unwrap();
        },
    );

    let (tx, mut rx) = mpsc::channel(WAITERS);
    (0..WAITERS).for_each(|_| tx.try_send(0).unwrap());
    check_order((0..WAITERS).map(|_| tx.send(0)).collect(), || {
        (0..WAITERS).for_each(|_| assert_eq!(rx.try_recv(), Ok(0)));
    });
}

#[test]
fn a_tokio_mutex_is_handed_on_in_the_order_they_came() {
    let mutex = Mutex::new(());
    let log = WakeLog::default();
    let held = mutex.try_lock().unwrap();
    let mut tasks: Vec<_> = (0..5)
        .map(|id| Task::logged(id, &log, mutex.lock()))
        .collect();
    for task in &mut tasks {
        assert!(task.is_pending());
    }
    drop(held);
    for (id, mut task) in tasks.into_iter().enumerate() {
        assert_eq!(log.lock().unwrap().last(), Some(&id));
        drop(task.ready());
    }
}

#[test]
fn tokios_budget_is_never_used_up() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    now(async {
        for _ in 0..1_000 {
            tx.send(1).unwrap();
            assert_eq!(rx.recv().await, Some(1));
        }
    });
}

#[test]
#[should_panic(expected = "never hold it over an `.await`")]
fn sending_under_a_borrow_panics_instead_of_hanging() {
    let (tx, rx) = watch::channel(1);
    let _value = rx.borrow();
    let _ = tx.send(2);
}

#[test]
#[should_panic(expected = "do not use the channel inside the closure")]
fn borrowing_inside_modify_panics_instead_of_hanging() {
    let (tx, rx) = watch::channel(1);
    tx.send_modify(|value| *value = *rx.borrow());
}

#[test]
fn debug_shows_no_address() {
    let (tx, rx) = watch::channel(1);
    let barrier = Barrier::new(2);
    let mut waiting = rx.clone();
    let mut changed = Task::new(waiting.changed());
    let mut wait = Task::new(barrier.wait());
    assert!(changed.is_pending());
    assert!(wait.is_pending());
    let text = format!("{tx:?} {rx:?} {barrier:?}");
    assert!(!text.contains("0x"), "{text}");
    assert!(text.contains("Barrier { n: 2, .. }"), "{text}");
}
