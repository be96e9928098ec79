//! The same seed is the same run, wherever and after whatever it runs; and the doctor as a test
//! meets it.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stormglass::explore::first_difference;
use stormglass::kernel::{DigestMode, Kind, NodeId, SimTime, Sink, Step, Trace};
use stormglass::net::UdpSocket;
use stormglass::run::{doctor, run_seed};
use stormglass::time::sleep;
use stormglass::{Config, Failure, Leak, Sim};

use super::child;

/// Nodes that draw, sleep, hash and crash.
async fn busy(sim: Sim) {
    let nodes = sim.group("node", 3..=5).run(|_| async {
        loop {
            let map: HashMap<u32, ()> = (0..5).map(|n| (n, ())).collect();
            let first = *map.keys().next().expect("the map has five keys");
            sleep(Duration::from_micros(
                u64::from(first) + rand::random_range(1..1_000),
            ))
            .await;
        }
    });
    sleep(Duration::from_millis(20)).await;
    nodes
        .iter()
        .next()
        .expect("there are three at least")
        .crash();
    sleep(Duration::from_millis(20)).await;
}

fn digest(seed: u64) -> String {
    let outcome = run_seed(&Config::default(), seed, busy);
    let digest = outcome.digest.to_string();
    outcome.unwrap();
    digest
}

/// Runs one test of this binary in a process of its own.
fn run_test(name: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = child::test(name);
    command.envs(variables.iter().copied());
    command.output().expect("this binary can be started")
}

/// Prints a digest for [`same_in_same_out`].
#[test]
#[expect(clippy::print_stdout, reason = "another process reads it")]
fn print_digest() {
    println!("digest {}", digest(7));
}

#[test]
fn same_in_same_out() {
    let expected = digest(7);
    let others: Vec<_> = (0..5).map(digest).collect();
    assert!(!others.contains(&expected));
    assert_eq!(digest(7), expected, "after other seeds");
    let threads: Vec<_> = (0..4)
        .map(|other| {
            std::thread::spawn(move || {
                digest(other);
                digest(7)
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), expected, "beside other threads");
    }
    let output = run_test("suite::doctor::print_digest", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!("digest {expected}")),
        "in another process: {text}"
    );
}

/// Leaks a counter, if the test below asks for it.
#[stormglass::test(seeds = 2)]
async fn leaks_if_asked(sim: Sim) {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let node = sim.node("counter").run(|_| async {
        sleep(Duration::from_millis(1)).await;
        // A payload longer than a record holds: both processes must write it in the same way.
        getrandom_04::fill(&mut [0; 40]).expect("the node has entropy");
        sleep(Duration::from_millis(1)).await;
        if std::env::var_os("PLANT_A_LEAK").is_some() {
            sleep(Duration::from_millis(
                COUNTER.fetch_add(1, Ordering::Relaxed),
            ))
            .await;
        }
    });
    node.ended().await;
}

#[test]
fn the_check_fails_a_test_that_leaks() {
    let name = "suite::doctor::leaks_if_asked";
    let folder = std::env::temp_dir().join(format!("stormglass-checked-{}", std::process::id()));
    let save = ("STORMGLASS_DIR", folder.to_str().unwrap());
    let clean = run_test(name, &[save, ("STORMGLASS_CHECK", "1")]);
    assert!(clean.status.success(), "{clean:?}");
    let unchecked = run_test(
        name,
        &[save, ("STORMGLASS_CHECK", "0"), ("PLANT_A_LEAK", "1")],
    );
    assert!(unchecked.status.success(), "{unchecked:?}");

    let leaky = run_test(
        name,
        &[save, ("STORMGLASS_CHECK", "1"), ("PLANT_A_LEAK", "1")],
    );
    let text = String::from_utf8(leaky.stderr).unwrap();
    assert!(!leaky.status.success(), "{text}");
    let report: Vec<_> = text
        .lines()
        .skip_while(|line| !line.contains("Nondeterminism"))
        .collect();
    assert!(
        report
            .first()
            .is_some_and(|line| line.contains("process-state")),
        "{text}"
    );
    let replay =
        format!("STORMGLASS_CHECK=1 STORMGLASS_SEED=0 cargo test -p sim-tests {name} -- --exact");
    assert!(text.contains(&replay), "{text}");
    for part in [
        "likely",
        "why",
        "differ",
        "in the first run",
        "in the fresh process",
        "counter",
    ] {
        assert!(
            report.iter().any(|line| line.contains(part)),
            "no {part}: {text}"
        );
    }
    let length = report
        .iter()
        .position(|line| line.starts_with("note:"))
        .unwrap();
    assert!(length <= 25, "{length} lines: {text}");
    let saved =
        std::fs::read_to_string(folder.join("sim-tests-suite__doctor__leaks_if_asked-0.json"))
            .unwrap();
    assert!(saved.contains(r#""leak": "process-state""#), "{saved}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_difference_deep_in_a_payload_is_found() {
    static COUNTER: AtomicU8 = AtomicU8::new(0);
    let diagnosis = doctor(Config::default(), 3, |_| async {
        let socket = UdpSocket::bind("127.0.0.1:1000").await.unwrap();
        let mut payload = [0; 40];
        payload[39] = COUNTER.fetch_add(1, Ordering::Relaxed);
        socket.send_to(&payload, "127.0.0.1:1000").await.unwrap();
        socket.recv(&mut payload).await.unwrap();
    });
    let failed = diagnosis.failed.expect("the two runs differ");
    let Failure::Nondeterminism {
        leak,
        difference,
        first,
        second,
        ..
    } = failed.failure
    else {
        panic!("{failed}");
    };
    assert_eq!((leak, first), (Leak::ProcessState, second.clone()));
    assert_eq!(difference, "in the payload, after its first 16 bytes");
    assert!(
        second
            .last()
            .is_some_and(|line| line.contains("datagram sent")),
        "{second:?}"
    );
}

#[test]
fn each_call_of_one_name_is_its_own() {
    let run = |number| {
        let diagnosis = doctor(Config::default(), 3, move |sim| async move {
            sim.mark("number", number);
        });
        assert_eq!(diagnosis.failed, None);
        diagnosis.digest
    };
    // A process that obeyed the first call for the second would show a difference.
    assert_ne!(run(1), run(2));
}

#[test]
fn a_test_that_fails_in_both_processes_is_no_leak() {
    let diagnosis = doctor(Config::default(), 3, |_| async {
        sleep(Duration::from_millis(1)).await;
        Err::<(), _>("as it must")
    });
    let failed = diagnosis.failed.unwrap();
    assert!(matches!(failed.failure, Failure::Error { .. }), "{failed}");
}

#[test]
fn a_process_that_dies_on_the_way_is_an_error() {
    let result = std::panic::catch_unwind(|| {
        doctor(Config::default(), 3, |_| async {
            if std::env::var_os("STORMGLASS_DOCTOR").is_some() {
                std::process::abort();
            }
        })
    });
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("cannot check seed 3"), "{message}");
}

/// Writes a trace of a million records, the last of them with `value`.
fn write_million(path: &Path, value: u64) {
    let writer = BufWriter::new(File::create(path).expect("the folder is there"));
    let mut trace = Trace::new(DigestMode::Full, Sink::Writer(Box::new(writer)));
    for step in 1..1_000_000_u64 {
        let (at, cause) = (SimTime::from_nanos(step), Step::new(step / 2));
        trace.record(at, NodeId::TEST, Kind::TaskPolled, cause, step, 1);
    }
    let end = SimTime::from_nanos(1_000_000);
    trace.record(end, NodeId::TEST, Kind::Mark, Step::new(999_998), 0, value);
    trace.finish().expect("there is room for 65 MB");
}

#[test]
fn a_million_events_are_compared_in_a_second() {
    let folder = std::env::temp_dir().join(format!("stormglass-million-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let paths = [folder.join("first"), folder.join("second")];
    write_million(&paths[0], 1);
    write_million(&paths[1], 2);
    // The one promise of the doctor about real time: the best of some tries, since other tests run
    // beside this one.
    let compare = || {
        let [first, second] = paths.each_ref().map(|path| File::open(path).unwrap());
        let begin = Instant::now();
        let found = first_difference(first, second).unwrap().unwrap();
        assert_eq!(found.step, Step::new(999_999));
        begin.elapsed()
    };
    let best = (0..5).map(|_| compare()).min().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert!(best < Duration::from_secs(1), "{best:?}");
}
