//! Planted leaks of each class that interception cannot cure: the doctor names each.
//!
//! Each test runs itself in other processes; see [`doctor`](stormglass::run::doctor).
#![allow(unsafe_code, reason = "reading the time-stamp counter needs it")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::ready;
use stormglass::run::{doctor, run_seed};
use stormglass::{Config, EscapeKind, Failure, Leak, Sim};

/// Runs a test that marks the trace with what `leak` gives, and expects the doctor's finding.
#[track_caller]
fn check(config: Config, leak: impl Fn() -> u64 + Send + Sync + 'static, expected: Leak) {
    check_async(
        config,
        async move |sim| sim.mark("leaked", leak()),
        expected,
    );
}

#[track_caller]
fn check_async<F>(config: Config, test: F, expected: Leak)
where
    F: AsyncFn(Sim) + Send + Sync + 'static,
{
    let test = std::sync::Arc::new(test);
    let diagnosis = doctor(config, 5, move |sim| {
        let test = test.clone();
        async move { test(sim).await }
    });
    let failed = diagnosis.failed.expect("the two runs differ");
    let Failure::Nondeterminism {
        leak,
        evidence,
        first,
        second,
        ..
    } = &failed.failure
    else {
        panic!("{failed}");
    };
    assert_eq!(*leak, expected, "{evidence}");
    assert_ne!(first, second);
    assert!(
        first.last().is_some_and(|line| line.contains("mark")),
        "{first:?}"
    );
}

#[test]
fn a_hash_map_made_before() {
    let map: HashMap<u32, ()> = (0..10).map(|n| (n, ())).collect();
    let order = move || map.keys().fold(0, |sum, &key| sum * 10 + u64::from(key));
    check(Config::default(), order, Leak::HashOrder);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_time_stamp_counter() {
    // SAFETY: every x86-64 processor has the counter.
    check(
        Config::default(),
        || unsafe { core::arch::x86_64::_rdtsc() },
        Leak::Clock,
    );
}

#[test]
fn a_clock_read_before() {
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    check(
        Config::default(),
        move || u64::from(start.subsec_nanos()),
        Leak::Clock,
    );
}

#[test]
fn a_random_device_opened_before() {
    let device = File::open("/dev/urandom").unwrap();
    let read = move || {
        let mut bytes = [0; 8];
        (&device).read_exact(&mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    };
    check(Config::default(), read, Leak::Entropy);
}

#[test]
fn a_generator_made_before() {
    let mut seed = [0; 8];
    getrandom_04::fill(&mut seed).unwrap();
    check(
        Config::default(),
        move || u64::from_le_bytes(seed),
        Leak::Entropy,
    );
}

#[test]
fn the_order_of_pointers() {
    // By hash, as a map of pointers orders them: the plain order on one heap is always the same.
    let order = || {
        let mut boxes: Vec<_> = (0..10_u64).map(Box::new).collect();
        boxes.sort_by_key(|it| (&raw const **it).addr().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        boxes.into_iter().fold(0, |sum, number| sum * 10 + *number)
    };
    check(Config::default(), order, Leak::Addresses);
}

#[test]
fn a_static_counter() {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    check(
        Config::default(),
        || COUNTER.fetch_add(1, Ordering::Relaxed),
        Leak::ProcessState,
    );
}

/// Runs other seeds in the first process, as tests before this one may do. Without them chance may
/// have it that just one run was there before, as one is in the doctor's processes.
fn use_before(test: impl AsyncFn(Sim) + Copy + Send + 'static) {
    if std::env::var_os("STORMGLASS_DOCTOR").is_none() {
        for seed in 0..2 {
            run_seed(&Config::default(), seed, async move |sim| test(sim).await).unwrap();
        }
    }
}

#[test]
fn the_unbiased_select_of_tokio() {
    let test = async |sim: Sim| {
        for _ in 0..20 {
            let branch = tokio::select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
            };
            sim.mark("branch", branch);
        }
    };
    use_before(test);
    check_async(Config::default(), test, Leak::ProcessState);
}

#[test]
fn the_unbiased_select_of_futures() {
    let test = async |sim: Sim| {
        for _ in 0..20 {
            let branch = futures::select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
            };
            sim.mark("branch", branch);
        }
    };
    use_before(test);
    check_async(Config::default(), test, Leak::ProcessState);
}

#[test]
fn a_thread_that_is_allowed() {
    let config = Config {
        allow: vec![EscapeKind::Thread],
        ..Config::default()
    };
    let race = || {
        let (turns, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
            while turns.load(Ordering::Relaxed) < 1_000 {
                std::hint::spin_loop();
            }
            stop.store(true, Ordering::Relaxed);
        });
        turns.into_inner()
    };
    check(config, race, Leak::Threads);
}

#[test]
fn what_no_cure_helps_against_is_unknown() {
    check(
        Config::default(),
        || u64::from(std::process::id()),
        Leak::Unknown,
    );
}

/// Everything that the simulation serves, as crates use it that know nothing of it.
#[test]
fn what_is_served_is_clean() {
    thread_local! {
        static CACHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let diagnosis = doctor(Config::default(), 5, |sim| async move {
        let map: HashMap<u32, ()> = (0..10).map(|n| (n, ())).collect();
        sim.mark(
            "map",
            map.keys().fold(0, |sum, &key| sum * 10 + u64::from(key)),
        );
        let begin = Instant::now();
        stormglass::time::sleep(Duration::from_millis(rand::random_range(1..1_000))).await;
        sim.mark(
            "elapsed",
            u64::try_from(begin.elapsed().as_nanos()).unwrap(),
        );
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        sim.mark("wall", wall.as_secs() + u64::from(wall.subsec_nanos()));
        let mut bytes = [[0; 8]; 3];
        getrandom_02::getrandom(&mut bytes[0]).unwrap();
        getrandom_03::fill(&mut bytes[1]).unwrap();
        getrandom_04::fill(&mut bytes[2]).unwrap();
        for drawn in bytes {
            sim.mark("drawn", u64::from_le_bytes(drawn));
        }
        // Thread-local state is fresh for each simulation.
        let cached = CACHED.with_borrow_mut(|cached| {
            cached.push(rand::random());
            cached.iter().fold(0, |sum, it| sum ^ it)
        });
        sim.mark("cached", cached);
        let shared = Rc::new(RefCell::new(0_u64));
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let shared = shared.clone();
                stormglass::task::spawn(async move {
                    shared.replace_with(|sum| *sum * 10 + number);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        sim.mark("order", shared.take());
    });
    assert_eq!(diagnosis.failed, None);
    assert_eq!(diagnosis.leak(), None);
    assert!(diagnosis.steps > 20, "{diagnosis:?}");
}
