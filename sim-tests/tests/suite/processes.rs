//! Nodes that crash, die, stop, restart and change their program.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stormglass::kernel::Family;
use stormglass::sim::{Builder, State};
use stormglass::time::sleep;
use stormglass::{Config, Failure, OnPanic, node_local, task};

const MS: Duration = Duration::from_millis(1);

/// Appends its name when it is dropped.
struct OnDrop(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn a_crash_drops_tasks_in_the_order_of_spawning() {
    let outcome = Builder::new().run(|sim| async move {
        let log = Rc::new(RefCell::new(Vec::new()));
        let node = sim.node("a").run({
            let log = log.clone();
            move |_| {
                let log = log.clone();
                async move {
                    let _main = OnDrop("main", log.clone());
                    for name in ["first", "second", "third"] {
                        let guard = OnDrop(name, log.clone());
                        task::spawn(async move {
                            let _guard = guard;
                            pending::<()>().await;
                        });
                    }
                    pending::<()>().await;
                }
            }
        });
        sleep(MS).await;
        assert!(node.crash());
        assert!(!node.crash(), "it is down already");
        assert_eq!(node.state(), State::Crashed);
        log.take()
    });
    let crash = outcome.counters.get(Family::Crash);
    assert_eq!((crash.fired, crash.effective), (1, 1));
    assert_eq!(outcome.unwrap(), ["main", "first", "second", "third"]);
}

/// What a dead task's destructor tries: everything that could leave a trace.
struct Meddler {
    node: stormglass::sim::Node,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let spawned = task::spawn(async {});
        assert!(
            spawned.is_finished(),
            "nothing is spawned in a dead context"
        );
        let _ = stormglass::rand::u64();
        let mut entropy = [0; 8];
        entropy.copy_from_slice(&std::array::from_fn::<u8, 8, _>(|_| 0));
        assert!(!self.node.crash() && !self.node.kill());
    }
}

#[test]
fn destructors_of_a_crashed_node_can_touch_nothing() {
    let run = |meddle: bool| {
        let outcome = Builder::new().seed(4).run(move |sim| async move {
            let other = sim.node("other").idle();
            let node = sim.node("a").run(move |_| async move {
                let meddler = Meddler { node: other };
                if !meddle {
                    std::mem::forget(meddler);
                }
                pending::<()>().await;
            });
            sleep(MS).await;
            node.crash();
            sleep(MS).await;
            other
                .spawn(async { stormglass::rand::u64() })
                .await
                .unwrap();
        });
        assert!(outcome.failed.is_none(), "{outcome:?}");
        outcome.digest.to_string()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_panicking_destructor_of_a_dead_task_does_not_fail_the_run() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let outcome = Builder::new().keep_last(10).run(|sim| async move {
        let node = sim.node("a").run(|_| async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        sleep(MS).await;
        node.kill();
    });
    assert!(outcome.failed.is_none(), "{outcome:?}");
    let ring = outcome.ring.expect("it was asked for");
    let notes: Vec<_> = ring.notes().map(|(_, text)| text.to_owned()).collect();
    assert!(
        notes.iter().any(|note| note.contains("in a destructor")),
        "{notes:?}"
    );
}

#[test]
fn a_node_restarts_as_the_next_incarnation() {
    let outcome = Builder::new().run(|sim| async move {
        let starts = Rc::new(RefCell::new(Vec::new()));
        let node = sim.node("a").run({
            let starts = starts.clone();
            move |node| {
                starts.borrow_mut().push(node.incarnation());
                pending::<()>()
            }
        });
        sleep(MS).await;
        node.crash();
        sleep(MS).await;
        node.restart();
        sleep(MS).await;
        node.restart();
        sleep(MS).await;
        assert_eq!(node.incarnation(), 3);
        starts.take()
    });
    assert_eq!(outcome.unwrap(), [1, 2, 3]);
}

#[test]
fn a_program_that_returns_ends_its_node_and_its_tasks() {
    let outcome = Builder::new().run(|sim| async move {
        let ticks = Rc::new(Cell::new(0));
        let node = sim.node("a").run({
            let ticks = ticks.clone();
            move |_| {
                let ticks = ticks.clone();
                async move {
                    task::spawn(async move {
                        loop {
                            sleep(MS).await;
                            ticks.set(ticks.get() + 1);
                        }
                    });
                    sleep(5 * MS + MS / 2).await;
                }
            }
        });
        node.ended().await;
        assert_eq!(node.state(), State::Exited);
        assert!(node.spawn(async {}).await.unwrap_err().is_cancelled());
        sleep(10 * MS).await;
        ticks.get()
    });
    assert_eq!(outcome.unwrap(), 5);
}

#[test]
fn a_graceful_stop_waits_and_then_kills() {
    let outcome = Builder::new().run(|sim| async move {
        let polite = sim.node("polite").run(|node| async move {
            node.stop_requested().await;
            sleep(3 * MS).await;
        });
        let deaf = sim.node("deaf").idle();
        sleep(MS).await;
        let begin = sim.now();
        assert!(polite.stop(Duration::from_secs(1)).await);
        assert_eq!(sim.now().saturating_since(begin), 3 * MS);
        assert!(!polite.stop(MS).await, "it has stopped");
        let begin = sim.now();
        assert!(deaf.stop(7 * MS).await);
        assert_eq!(sim.now().saturating_since(begin), 7 * MS);
        // The first deadline passes without hurting a later incarnation.
        polite.restart();
        sleep(Duration::from_secs(2)).await;
        (polite.state(), deaf.state())
    });
    assert_eq!(outcome.unwrap(), (State::Running, State::Stopped));
}

#[test]
fn a_node_that_crashes_itself_stops_at_once() {
    let outcome = Builder::new().run(|sim| async move {
        let after = Rc::new(Cell::new(false));
        let node = sim.node("a").run({
            let after = after.clone();
            move |node| {
                let after = after.clone();
                async move {
                    if node.incarnation() == 1 {
                        node.node().crash();
                        after.set(true);
                    }
                    pending::<()>().await;
                }
            }
        });
        sleep(MS).await;
        assert_eq!(node.state(), State::Crashed);
        node.restart();
        sleep(MS).await;
        assert!(node.is_alive());
        after.get()
    });
    assert!(!outcome.unwrap());
}

#[test]
fn another_version_can_be_rolled_out_and_back() {
    let outcome = Builder::new().run(|sim| async move {
        let versions = Arc::new(Mutex::new(Vec::new()));
        let program = |version: u32| {
            let versions = versions.clone();
            move |_| {
                versions.lock().unwrap().push(version);
                pending::<()>()
            }
        };
        let node = sim.node("a").label("version", "1").run(program(1));
        sleep(MS).await;
        node.restart_with("2", program(2));
        sleep(MS).await;
        assert_eq!(node.label("version").as_deref(), Some("2"));
        node.restart_with("1", program(1));
        sleep(MS).await;
        versions.lock().unwrap().clone()
    });
    assert_eq!(outcome.unwrap(), [1, 2, 1]);
}

node_local! {
    static COUNT: Cell<u32> = Cell::new(10);
}

#[test]
fn node_locals_belong_to_an_incarnation() {
    let outcome = Builder::new().run(|sim| async move {
        let bump = |node: stormglass::sim::Node| {
            node.spawn(async {
                COUNT.with(|count| {
                    count.set(count.get() + 1);
                    count.get()
                })
            })
        };
        let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
        let mut seen = vec![
            bump(a).await.unwrap(),
            bump(a).await.unwrap(),
            bump(b).await.unwrap(),
        ];
        a.restart();
        sleep(MS).await;
        seen.push(bump(a).await.unwrap());
        seen
    });
    assert_eq!(outcome.unwrap(), [11, 12, 11, 11]);
}

#[test]
fn a_group_has_a_drawn_size_and_labelled_members() {
    let sizes: std::collections::BTreeSet<usize> = (0..40)
        .map(|seed| {
            let outcome = Builder::new().seed(seed).run(|sim| async move {
                let group = sim
                    .group("db", 3..=7)
                    .label("zone", |member| format!("z{}", member % 3))
                    .run(|node| async move {
                        assert_eq!(node.peers().len() + 1, node.group().len());
                        pending::<()>().await;
                    });
                sleep(MS).await;
                assert_eq!(group[2].name(), "db-2");
                assert_eq!(group[2].label("zone").as_deref(), Some("z2"));
                group.len()
            });
            outcome.unwrap()
        })
        .collect();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
}

#[test]
fn a_smaller_group_is_the_same_world_with_fewer_nodes() {
    // What the other nodes draw and when their tasks run does not depend on the group's size.
    let world = |size: u32| {
        let outcome = Builder::new().seed(9).run(move |sim| async move {
            let noisy = sim.group("noisy", size..=size).run(|_| async {
                loop {
                    sleep(Duration::from_micros(stormglass::rand::below(1000))).await;
                    for _ in 0..3 {
                        task::spawn(task::yield_now());
                    }
                }
            });
            let quiet = sim.node("quiet").idle();
            let order = quiet.spawn(async {
                let order = Rc::new(RefCell::new(Vec::new()));
                for n in 0..20 {
                    let order = order.clone();
                    task::spawn(async move {
                        sleep(Duration::from_micros(stormglass::rand::below(100))).await;
                        order.borrow_mut().push((n, stormglass::rand::u64()));
                    });
                }
                sleep(MS).await;
                order.take()
            });
            let order = order.await.unwrap();
            (order, quiet.address(), noisy[0].address())
        });
        outcome.unwrap()
    };
    assert_eq!(world(3), world(7));
}

fn panicking(on_panic: OnPanic) -> stormglass::sim::Outcome<State> {
    let config = Config {
        on_panic,
        ..Config::default()
    };
    Builder::new().config(config).run(|sim| async move {
        let node = sim.node("a").run(|node| async move {
            if node.incarnation() == 2 {
                task::spawn(async { panic!("the second time") });
            }
            pending::<()>().await;
        });
        sleep(MS).await;
        node.restart();
        sleep(MS).await;
        node.state()
    })
}

#[test]
fn a_panic_is_attributed_to_its_node_and_incarnation() {
    let failed = panicking(OnPanic::Fail).failed.expect("the run fails");
    let Failure::Panic { message, location } = failed.failure else {
        panic!("{failed}")
    };
    assert_eq!(message, "the second time");
    assert!(location.contains("processes.rs:"), "{location}");
    let moment = failed.moment;
    assert_eq!((&*moment.name, moment.incarnation), ("a", 2));
    assert_eq!(moment.at.as_duration(), MS);
}

#[test]
fn a_panic_can_kill_its_node_or_be_left_to_the_program() {
    assert_eq!(panicking(OnPanic::KillNode).unwrap(), State::Killed);
    assert_eq!(panicking(OnPanic::JoinError).unwrap(), State::Running);
}

#[test]
fn a_program_that_returns_an_error_fails_the_run() {
    let outcome = Builder::new().run(|sim| async move {
        sim.node("a").run(|_| async { Err::<(), _>("out of luck") });
        sleep(MS).await;
    });
    let failed = outcome.failed.expect("the run fails");
    assert_eq!(failed.moment.name, "a");
    assert!(failed.to_string().contains("out of luck"), "{failed}");
}

#[test]
fn the_test_itself_cannot_go_down() {
    let outcome = Builder::new().run(|sim| async move {
        sim.find("test").unwrap().crash();
    });
    let failed = outcome.failed.expect("the run fails");
    assert!(
        failed
            .to_string()
            .contains("the node `test` runs the test itself"),
        "{failed}"
    );
}

#[test]
fn a_simulation_inside_a_simulation_is_refused() {
    let outcome = Builder::new().run(|_| async {
        Builder::new().run(|_| async {}).unwrap();
    });
    let failed = outcome.failed.expect("the run fails");
    assert!(
        failed
            .to_string()
            .contains("cannot be started inside a simulation"),
        "{failed}"
    );
}

#[test]
fn a_destructor_may_crash_its_node_while_it_unwinds() {
    struct Crasher(stormglass::sim::Node);
    impl Drop for Crasher {
        fn drop(&mut self) {
            self.0.crash();
        }
    }
    let config = Config {
        on_panic: OnPanic::JoinError,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        let node = sim.node("a").run(|node| async move {
            let _crasher = Crasher(node.node());
            panic!("on the way down");
        });
        sleep(MS).await;
        node.state()
    });
    assert_eq!(outcome.unwrap(), State::Crashed);
}

#[test]
fn a_new_version_keeps_its_group() {
    let outcome = Builder::new().run(|sim| async move {
        let group = sim.group("db", 3..=3).run(|_| pending::<()>());
        let peers = Rc::new(RefCell::new(Vec::new()));
        let seen = peers.clone();
        group[1].restart_with("2", move |node| {
            seen.borrow_mut().extend(node.peers());
            pending::<()>()
        });
        sleep(MS).await;
        peers.take()
    });
    assert_eq!(outcome.unwrap(), ["db-0", "db-2"]);
}

#[test]
fn an_end_is_seen_even_if_the_node_starts_again_at_once() {
    for seed in 0..20 {
        let outcome = Builder::new().seed(seed).run(|sim| async move {
            let node = sim.node("a").idle();
            let restarter = task::spawn(async move {
                node.ended().await;
                node.restart();
            });
            let watcher = task::spawn(node.ended());
            sleep(MS).await;
            node.crash();
            restarter.await.unwrap();
            watcher.await.unwrap();
            assert!(node.is_alive());
        });
        outcome.unwrap();
    }
}

#[test]
fn a_node_can_restart_itself() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").run(|node| async move {
            if node.incarnation() < 3 {
                node.node().restart();
            }
            pending::<()>().await;
        });
        sleep(MS).await;
        (node.incarnation(), node.state())
    });
    assert_eq!(outcome.unwrap(), (3, State::Running));
}

#[test]
fn a_dead_node_can_do_nothing_to_others() {
    struct Meddler(stormglass::Sim, stormglass::sim::Node);
    impl Drop for Meddler {
        fn drop(&mut self) {
            self.1.restart();
            self.1.clock().step(stormglass::sim::Shift::Forward(MS));
            self.1.pause();
            self.0.network().isolate(self.1);
            self.0.mark("dead", 1);
        }
    }
    let outcome = Builder::new().run(|sim| async move {
        let other = sim.node("other").idle();
        let node = sim.node("a").run(move |_| async move {
            let _meddler = Meddler(sim, other);
            pending::<()>().await;
        });
        sleep(MS).await;
        let before = sim.steps();
        node.crash();
        (sim.steps() - before, other.incarnation())
    });
    assert_eq!(outcome.unwrap(), (1, 1), "the crash is the only record");
}

#[test]
fn what_a_node_does_after_it_crashed_itself_is_not_judged() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").run(|node| async move {
            let crash = std::panic::AssertUnwindSafe(|| node.node().crash());
            let _ = std::panic::catch_unwind(crash);
            panic!("it should have stopped");
        });
        sleep(MS).await;
        node.state()
    });
    assert_eq!(outcome.unwrap(), State::Crashed);
}

#[test]
fn a_destructor_that_never_returns_is_a_hang() {
    struct Forever;
    impl Drop for Forever {
        fn drop(&mut self) {
            loop {
                std::hint::spin_loop();
            }
        }
    }
    let config = Config {
        hang_after: Duration::from_millis(200),
        ..Config::default()
    };
    let outcome = stormglass::run::run_seed(&config, 0, |sim| async move {
        sim.node("a").run(|_| async {
            let _forever = Forever;
            pending::<()>().await;
        });
        sleep(MS).await;
    });
    let failed = outcome.failed.expect("the run fails");
    assert!(matches!(failed.failure, Failure::Hang { .. }), "{failed}");
    assert_eq!(failed.moment.name, "a");
}
