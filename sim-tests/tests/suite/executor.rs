//! Tasks, scheduling, time: the executor as a program sees it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use stormglass::sim::Builder;
use stormglass::time::{Instant, sleep};
use stormglass::{Config, Failure, Policy, Sim, task};

#[stormglass::test(seeds = 3)]
async fn time_jumps(sim: Sim) {
    let start = Instant::now();
    sleep(Duration::from_secs(100)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(100));
    assert_eq!(sim.elapsed(), Duration::from_secs(100));
}

fn order(policy: Policy, seed: u64) -> Vec<u32> {
    let config = Config { policy, ..Config::default() };
    Builder::new()
        .config(config)
        .seed(seed)
        .run(|_| async {
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = (0..6)
                .map(|n| {
                    let order = order.clone();
                    task::spawn(async move {
                        order.borrow_mut().push(n);
                    })
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
fn fifo_is_in_order_and_random_is_not() {
    assert_eq!(order(Policy::Fifo, 1), [0, 1, 2, 3, 4, 5]);
    let orders: std::collections::BTreeSet<_> =
        (0..50).map(|seed| order(Policy::Random, seed)).collect();
    assert!(orders.len() > 40, "{}", orders.len());
    assert_eq!(order(Policy::Random, 5), order(Policy::Random, 5));
}

#[test]
fn a_deadlock_is_told() {
    let outcome = Builder::new().run(|_| std::future::pending::<()>());
    let failed = outcome.failed.unwrap();
    assert!(matches!(failed.failure, Failure::Deadlock { .. }), "{failed}");
}
