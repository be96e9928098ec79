//! Runs that cannot go on, and how they are told.

use std::future::pending;
use std::time::Duration;

use stormglass::sim::Builder;
use stormglass::time::sleep;
use stormglass::{Config, Failure, task};

#[test]
fn a_deadlock_lists_the_tasks_that_wait() {
    let outcome = Builder::new().run(|sim| async move {
        sim.node("server").idle().spawn(pending::<()>());
        pending::<()>().await;
    });
    let failed = outcome.failed.expect("it fails");
    let Failure::Deadlock { waiting } = failed.failure else {
        panic!("{failed}")
    };
    let nodes: Vec<_> = waiting.iter().map(|task| task.node.as_str()).collect();
    assert_eq!(nodes, ["test", "server", "server"]);
    assert!(
        waiting[2].spawned_at.contains("failures.rs:"),
        "{}",
        waiting[2]
    );
}

#[test]
fn a_paused_node_alone_is_a_deadlock() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let sleeper = node.spawn(sleep(Duration::from_secs(1)));
        task::yield_now().await;
        sleep(Duration::from_millis(1)).await;
        node.pause();
        sleeper.await.unwrap();
    });
    assert!(matches!(
        outcome.failed.expect("it fails").failure,
        Failure::Deadlock { .. }
    ));
}

#[test]
fn a_livelock_names_the_busy_tasks() {
    let config = Config {
        polls_at_one_instant: 10_000,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        sim.node("spinner").run(|_| async {
            loop {
                task::yield_now().await;
            }
        });
        sleep(Duration::from_secs(1)).await;
    });
    let failed = outcome.failed.expect("it fails");
    let Failure::Livelock { polls, busy } = failed.failure else {
        panic!("{failed}")
    };
    assert_eq!(polls, 10_000);
    assert_eq!(busy.len(), 1);
    assert_eq!(busy[0].node, "spinner");
}

#[test]
fn polling_often_while_time_moves_is_no_livelock() {
    let config = Config {
        polls_at_one_instant: 100,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|_| async {
        for _ in 0..1_000 {
            for _ in 0..50 {
                task::yield_now().await;
            }
            sleep(Duration::from_nanos(1)).await;
        }
    });
    assert!(outcome.failed.is_none(), "{outcome:?}");
}

#[test]
fn limits_of_steps_and_of_time_are_kept() {
    let forever = |config| {
        Builder::new().config(config).run(|_| async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        })
    };
    let outcome = forever(Config {
        step_limit: 1_000,
        ..Config::default()
    });
    assert_eq!(
        outcome.failed.expect("it fails").failure,
        Failure::StepLimit { steps: 1_000 }
    );
    let limit = Duration::from_secs(60);
    let outcome = forever(Config {
        time_limit: limit,
        ..Config::default()
    });
    assert_eq!(outcome.end.as_duration(), limit);
    let failed = outcome.failed.expect("it fails");
    let Failure::TimeLimit {
        limit: told,
        waiting,
    } = failed.failure
    else {
        panic!("{failed}")
    };
    assert_eq!((told, waiting.len()), (limit, 1));
}

#[test]
fn a_poll_that_never_returns_is_a_hang() {
    let config = Config {
        seeds: 1,
        hang_after: Duration::from_millis(300),
        ..Config::default()
    };
    let outcome = stormglass::run::run_seed(&config, 0, |sim| async move {
        sim.node("stuck").run(|_| async {
            sleep(Duration::from_secs(5)).await;
            task::spawn(async {
                loop {
                    std::hint::spin_loop();
                }
            });
            pending::<()>().await;
        });
        sleep(Duration::from_secs(60)).await;
    });
    let failed = outcome.failed.expect("it fails");
    let Failure::Hang {
        task: Some(task), ..
    } = failed.failure
    else {
        panic!("{failed}")
    };
    assert_eq!(task.node, "stuck");
    assert!(task.spawned_at.contains("failures.rs:"), "{task}");
}

/// The report of a failing run.
fn report(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(run).expect_err("the run fails");
    payload
        .downcast_ref::<String>()
        .expect("a report is text")
        .clone()
}

#[test]
fn a_report_tells_what_where_how_to_replay_and_where_it_is_saved() {
    let config = Config {
        first_seed: 41,
        ..Config::default()
    };
    let text = report(|| {
        stormglass::run(config, |sim| async move {
            sim.node("db").run(|_| async {
                sleep(Duration::from_millis(5)).await;
                tracing::info!(balance = -3, "about to check");
                assert_eq!(1 + 1, 3, "the books do not balance");
            });
            sleep(Duration::from_secs(1)).await;
        });
    });
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() <= 25, "{text}");
    assert!(lines[0].contains("the books do not balance"), "{text}");
    for part in [
        "where   db (n1, incarnation 1) at 0.005000000s, step e",
        "replay  STORMGLASS_SEED=41 cargo test -p sim-tests suite::failures::a_report_tells",
        "/stormglass/sim-tests-suite__failures__a_report_tells",
        "failures.rs:",
        "timer fired",
        "balance=-3",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn an_error_that_the_test_returns_fails_it() {
    let text = report(|| {
        stormglass::run(Config::default(), |_| async { Err::<(), _>("not today") });
    });
    assert!(text.contains("not today"), "{text}");
}

#[test]
fn a_long_message_does_not_push_out_how_to_replay_it() {
    let text = report(|| {
        stormglass::run(Config::default(), |_| async {
            let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
            panic!("{}", lines.join("\n"));
        });
    });
    assert!(text.lines().count() <= 25, "{text}");
    for part in [
        "line 0",
        "more lines in the saved file",
        "where   test",
        "replay  ",
        "saved   ",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_livelock_is_found_among_many_nodes() {
    let config = Config {
        polls_at_one_instant: 10_000,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        let nodes = sim.group("idle", 1500..=1500).run(|_| pending::<()>());
        nodes[1400].spawn(async {
            loop {
                task::yield_now().await;
            }
        });
        sleep(Duration::from_secs(1)).await;
    });
    let failed = outcome.failed.expect("it fails");
    let Failure::Livelock { busy, .. } = failed.failure else {
        panic!("{failed}")
    };
    assert_eq!(busy[0].node, "idle-1400");
}

#[test]
fn a_stop_leaves_no_deadline_behind() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim
            .node("a")
            .run(|node| async move { node.stop_requested().await });
        sleep(Duration::from_millis(1)).await;
        node.stop(Duration::from_secs(500)).await;
        pending::<()>().await;
    });
    assert!(matches!(
        outcome.failed.expect("it fails").failure,
        Failure::Deadlock { .. }
    ));
    assert_eq!(outcome.end.as_duration(), Duration::from_millis(1));
}

#[test]
fn a_handle_of_another_simulation_is_refused_in_the_same_words() {
    let theirs = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        (sim, node, sim.network(), sim.names())
    });
    let (sim, node, network, names) = theirs.unwrap();
    let misuses: [Box<dyn Fn()>; 4] = [
        Box::new(move || sim.mark("misused", 1)),
        Box::new(move || drop(node.name())),
        Box::new(move || network.heal_all()),
        Box::new(move || drop(names.get("a"))),
    ];
    for (n, misuse) in misuses.into_iter().enumerate() {
        let outcome = Builder::new().run(async move |_| misuse());
        let words = outcome.failed.expect("it is misused").to_string();
        let expected = "this handle belongs to another simulation than the one running";
        assert!(words.contains(expected), "misuse {n}: {words}");
    }
}
