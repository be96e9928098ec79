//! `#[stormglass::test]`: what each of its arguments does.
//!
//! The tests are functions within functions, which the test runner does not see, so that another
//! can call them and look at what they did.
#![expect(
    unnameable_test_items,
    reason = "they are called by the test around them"
)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use stormglass::kernel::DigestMode;
use stormglass::{Config, OnPanic, Sim, task, time};

/// The report with which a test fails.
fn report_of(test: fn()) -> String {
    let payload = catch_unwind(test).expect_err("the test fails");
    *payload.downcast::<String>().expect("a report is text")
}

/// The order in which six tasks run that are ready at once.
async fn order() -> Vec<u32> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let order = order.clone();
            task::spawn(async move { order.borrow_mut().push(n) })
        })
        .collect();
    for task in tasks {
        task.await.expect("the task ends");
    }
    order.take()
}

/// Whether the environment has a say in which seeds run.
fn seeds_are_overridden() -> bool {
    std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("STORMGLASS_SEED"))
}

#[stormglass::test]
async fn it_needs_no_arguments(sim: Sim) {
    assert_eq!(sim.nodes().len(), 0);
}

#[stormglass::test(seeds = 2)]
async fn it_may_return_a_result(_sim: Sim) -> Result<(), String> {
    Ok(())
}

#[stormglass::test(seeds = 2)]
#[should_panic(expected = "other attributes are kept")]
async fn it_keeps_other_attributes(_sim: Sim) {
    panic!("other attributes are kept");
}

#[test]
fn seeds_and_seed_say_which_run() {
    static SEEDS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

    #[stormglass::test(seed = 5, seeds = 3)]
    async fn test(sim: Sim) {
        SEEDS.lock().unwrap().push(sim.seed());
    }

    test();
    if !seeds_are_overridden() {
        assert_eq!(*SEEDS.lock().unwrap(), [5, 6, 7]);
    }
}

#[test]
fn an_error_fails_it() {
    #[stormglass::test(seeds = 1)]
    async fn test(_sim: Sim) -> Result<(), String> {
        Err("no quorum".to_owned())
    }

    let report = report_of(test);
    assert!(
        report.contains("Error") && report.contains("no quorum"),
        "{report}"
    );
    // The name by which a test runner would find it.
    assert!(
        report.starts_with("suite::attribute::test failed"),
        "{report}"
    );
}

#[test]
fn time_limit_is_virtual_time() {
    #[stormglass::test(time_limit = "1.5s", seeds = 1)]
    async fn test(sim: Sim) {
        sim.node("idle").idle();
        time::sleep(Duration::from_millis(1_499)).await;
        time::sleep(Duration::from_millis(2)).await;
    }

    let report = report_of(test);
    assert!(
        report.contains("not finished after 1.5s of virtual time"),
        "{report}"
    );
}

#[test]
fn step_limit_is_steps_of_the_trace() {
    #[stormglass::test(step_limit = 100, seeds = 1)]
    async fn test(_sim: Sim) {
        loop {
            task::yield_now().await;
        }
    }

    let report = report_of(test);
    assert!(report.contains("the run took 100 steps"), "{report}");
}

#[stormglass::test(policy = "fifo", seeds = 20)]
async fn policy_fifo_runs_tasks_in_order(_sim: Sim) {
    assert_eq!(order().await, [0, 1, 2, 3, 4, 5]);
}

/// Declares a test that notes the order of its tasks, and runs it.
macro_rules! orders_under {
    ($policy:literal) => {{
        static ORDERS: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());

        #[stormglass::test(policy = $policy, seed = 1, seeds = 20)]
        async fn test(_sim: Sim) {
            let order = order().await;
            ORDERS.lock().unwrap().push(order);
        }

        test();
        ORDERS.lock().unwrap().clone()
    }};
}

#[test]
fn the_other_policies_reorder() {
    if seeds_are_overridden() {
        return;
    }
    let all = [
        orders_under!("random"),
        orders_under!("pct"),
        orders_under!("starve_one"),
        orders_under!("by_seed"),
    ];
    for (n, orders) in all.iter().enumerate() {
        let mut distinct = orders.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 5, "policy {n}: {orders:?}");
        assert!(
            all.iter().filter(|others| *others == orders).count() == 1,
            "policy {n}"
        );
    }
}

#[test]
fn on_panic_fail_is_a_failure() {
    #[stormglass::test(on_panic = "fail", seeds = 1)]
    async fn test(sim: Sim) {
        sim.node("a").run(|_| async { panic!("on a node") });
        pending::<()>().await;
    }

    let report = report_of(test);
    assert!(report.contains("Panic: on a node"), "{report}");
}

#[stormglass::test(on_panic = "kill_node", seeds = 2)]
async fn on_panic_kill_node_ends_the_node(sim: Sim) {
    let node = sim.node("a").idle();
    let error = node.spawn(async { panic!("on a node") }).await.unwrap_err();
    assert!(error.is_panic() || error.is_cancelled());
    assert!(!node.is_alive());
}

#[stormglass::test(on_panic = "join_error", seeds = 2)]
async fn on_panic_join_error_is_for_who_joins(sim: Sim) {
    let node = sim.node("a").idle();
    let error = node.spawn(async { panic!("on a node") }).await.unwrap_err();
    assert!(error.is_panic());
    assert!(node.is_alive());
}

#[test]
fn digest_full_covers_all_of_a_payload() {
    fn digest(test: fn()) -> String {
        let report = report_of(test);
        let digest = report
            .split("scheduling, digest ")
            .nth(1)
            .expect("a report has the digest");
        digest.chars().take(32).collect()
    }

    /// Sends twenty bytes, of which the last is given.
    async fn send(last: u8) {
        let socket = stormglass::net::UdpSocket::bind("127.0.0.1:9")
            .await
            .unwrap();
        let mut payload = [0; 20];
        payload[19] = last;
        socket.send_to(&payload, "127.0.0.1:9").await.unwrap();
        panic!("a report shows the digest");
    }

    #[stormglass::test(digest = "full", seeds = 1)]
    async fn full_one(_sim: Sim) {
        send(1).await;
    }

    #[stormglass::test(digest = "full", seeds = 1)]
    async fn full_two(_sim: Sim) {
        send(2).await;
    }

    #[stormglass::test(seeds = 1)]
    async fn heads_one(_sim: Sim) {
        send(1).await;
    }

    #[stormglass::test(seeds = 1)]
    async fn heads_two(_sim: Sim) {
        send(2).await;
    }

    assert_ne!(digest(full_one), digest(full_two));
    // The determinism check covers every byte, whatever the test says.
    if std::env::var_os("STORMGLASS_CHECK").is_none() {
        assert_eq!(digest(heads_one), digest(heads_two));
    }
}

#[test]
fn config_is_what_the_arguments_start_from() {
    thread_local! {
        static MADE: Cell<u32> = const { Cell::new(0) };
    }

    fn base() -> Config {
        MADE.set(MADE.get() + 1);
        Config {
            seeds: 50,
            on_panic: OnPanic::JoinError,
            digest: DigestMode::Full,
            time_limit: Duration::from_secs(9),
            ..Config::default()
        }
    }

    static RUNS: Mutex<u32> = Mutex::new(0);

    // Wherever they stand, the other arguments win.
    #[stormglass::test(seeds = 2, config = base())]
    async fn test(sim: Sim) {
        *RUNS.lock().unwrap() += 1;
        let node = sim.node("a").idle();
        assert!(
            node.spawn(async { panic!("to be joined") })
                .await
                .unwrap_err()
                .is_panic()
        );
    }

    test();
    assert_eq!(MADE.get(), 1, "made once, outside the simulations");
    if !seeds_are_overridden() {
        assert_eq!(*RUNS.lock().unwrap(), 2);
    }
}

mod renamed {
    pub(super) mod glass {
        pub(in super::super) use stormglass::*;
    }
}

#[stormglass::test(crate = renamed::glass, seeds = 1)]
async fn crate_says_where_stormglass_is(_sim: Sim) {
    assert!(task::id().number() < 10);
}
