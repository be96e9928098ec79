//! std's clocks and entropy inside the simulation and outside it.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stormglass::Config;
use stormglass::run::run_seed;
use stormglass::time::sleep;

fn once<T: Send + 'static>(
    seed: u64,
    test: impl AsyncFnOnce(stormglass::Sim) -> T + Send + 'static,
) -> T {
    let config = Config {
        time_limit: Duration::from_secs(1_000_000),
        ..Config::default()
    };
    run_seed(&config, seed, async move |sim| test(sim).await).unwrap()
}

#[test]
fn std_clocks_follow_the_node() {
    let (mono, wall) = once(0, async |sim| {
        let node = sim.node("a").idle();
        node.clock().set_drift_ppm(100_000);
        let read = node.spawn(async {
            let (mono, wall) = (Instant::now(), SystemTime::now());
            sleep(Duration::from_secs(110)).await;
            (mono.elapsed(), wall.elapsed().unwrap())
        });
        read.await.unwrap()
    });
    assert_eq!(mono, Duration::from_secs(110));
    assert_eq!(wall, Duration::from_secs(110));
}

#[test]
fn the_wall_clock_begins_where_the_configuration_says() {
    let now = once(0, async |_| {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    });
    assert_eq!(now, Config::default().wall_clock);
}

#[test]
fn outside_nothing_changes() {
    let before = (Instant::now(), SystemTime::now());
    let real = once(0, async |_| {
        sleep(Duration::from_secs(100_000)).await;
        SystemTime::now()
    });
    assert!(before.0.elapsed() < Duration::from_secs(1_000));
    assert!(before.1.elapsed().unwrap() < Duration::from_secs(1_000));
    assert!(real.duration_since(UNIX_EPOCH).unwrap() > Config::default().wall_clock);
}

#[test]
fn other_threads_keep_the_real_clock() {
    let real = std::thread::spawn(|| {
        let begin = Instant::now();
        std::thread::sleep(Duration::from_millis(50));
        begin.elapsed()
    });
    once(0, async |_| {
        for _ in 0..1_000 {
            sleep(Duration::from_secs(1)).await;
            let _ = Instant::now();
        }
    });
    let elapsed = real.join().unwrap();
    assert!(elapsed >= Duration::from_millis(50) && elapsed < Duration::from_secs(100));
}

/// The order in which a map gives its keys.
async fn map_order(_: stormglass::Sim) -> Vec<u32> {
    let map: HashMap<u32, ()> = (0..100).map(|n| (n, ())).collect();
    map.into_keys().collect()
}

#[test]
fn hash_maps_have_the_order_of_the_seed() {
    assert_eq!(once(1, map_order), once(1, map_order));
    assert_ne!(once(1, map_order), once(2, map_order));
}

#[test]
fn simulations_in_parallel_do_not_touch_each_other() {
    let alone = once(5, map_order);
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| (0..20).map(|_| once(5, map_order)).collect::<Vec<_>>()))
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap().iter().all(|order| *order == alone));
    }
}

#[test]
fn one_processor_is_available() {
    let count = once(0, async |_| {
        std::thread::available_parallelism().unwrap().get()
    });
    assert_eq!(count, 1);
}

#[test]
fn every_getrandom_follows_the_seed() {
    async fn draw(_: stormglass::Sim) -> [[u8; 16]; 3] {
        let mut bytes = [[0; 16]; 3];
        getrandom_02::getrandom(&mut bytes[0]).unwrap();
        getrandom_03::fill(&mut bytes[1]).unwrap();
        getrandom_04::fill(&mut bytes[2]).unwrap();
        bytes
    }
    let first = once(1, draw);
    assert_eq!(first, once(1, draw));
    assert_ne!(first, once(2, draw));
    assert!(first[0] != first[1] && first[1] != first[2]);
}
