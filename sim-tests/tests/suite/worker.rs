//! A test's process as a worker of a campaign's runner.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use stormglass::run::worker::{Job, Labels, MEMORY, Message, Ran, SOCKET};
use stormglass::time::sleep;
use stormglass::{Config, Sim, always, sometimes};

use super::child;

/// Fails in the way of each seed.
#[stormglass::test(seeds = 1, config = impatient())]
async fn has_many_ways_to_fail(sim: Sim) {
    if std::env::var_os(SOCKET).is_none() {
        return;
    }
    let seed = sim.seed();
    sometimes!(seed == 2, "a seed is two");
    let ops = sim.workload("numbers", || (0..5).map(|n| n + seed).collect::<Vec<u64>>());
    sleep(Duration::from_millis(ops.iter().sum())).await;
    match seed {
        1 => panic!("seed {seed} panics"),
        2 => always!(false, "no seed is two"),
        3 => std::process::abort(),
        4 => loop {
            std::hint::spin_loop();
        },
        5 => drop(vec![1_u8; 8 << 30]),
        6 => drop(std::hint::black_box(deep(1_000_000_000))),
        _ => {}
    }
}

fn impatient() -> Config {
    Config {
        hang_after: Duration::from_secs(1),
        ..Config::default()
    }
}

/// Uses up the stack.
fn deep(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { deep(n - 1) + frame[7] }
}

/// A worker and the runner's end of its socket.
struct Worker {
    child: Child,
    jobs: UnixStream,
    messages: BufReader<UnixStream>,
    socket: PathBuf,
}

impl Worker {
    fn start(name: &str) -> Self {
        let file = format!("stormglass-worker-{name}-{}", std::process::id());
        let socket = std::env::temp_dir().join(file);
        let listener = UnixListener::bind(&socket).unwrap();
        let child = child::test("suite::worker::has_many_ways_to_fail")
            .env(SOCKET, &socket)
            .env(MEMORY, (2_u64 << 30).to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (jobs, _) = listener.accept().unwrap();
        let messages = BufReader::new(jobs.try_clone().unwrap());
        let mut worker = Self {
            child,
            jobs,
            messages,
            socket,
        };
        let Some(Message::Ready { test, config }) = worker.next() else {
            panic!("a worker says first that it is there");
        };
        assert_eq!(test, "suite::worker::has_many_ways_to_fail");
        assert_eq!(config.seeds, 1);
        worker
    }

    fn ask(&mut self, job: &Job) {
        let line = serde_json::to_string(job).unwrap() + "\n";
        self.jobs.write_all(line.as_bytes()).unwrap();
    }

    /// The next message; none if the worker is gone.
    fn next(&mut self) -> Option<Message> {
        let mut line = String::new();
        let count = self.messages.read_line(&mut line).unwrap_or(0);
        (count > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// What the job gave, and the seed that was running when the worker was gone, if it is.
    fn serve(&mut self, job: &Job) -> (Vec<Ran>, Option<u64>) {
        self.ask(job);
        let (mut runs, mut running) = (Vec::new(), None);
        loop {
            match self.next() {
                Some(Message::Began { seed }) => running = Some(seed),
                Some(Message::Ran(ran)) => {
                    assert_eq!(running.take(), Some(ran.seed));
                    runs.push(*ran);
                }
                Some(Message::Idle) => return (runs, None),
                Some(other) => panic!("{other:?}"),
                None => return (runs, running),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[test]
fn a_worker_runs_seeds_and_scenarios_and_tells_what_failed() {
    let mut worker = Worker::start("serves");
    let (runs, gone) = worker.serve(&Job::Seeds { first: 0, count: 3 });
    assert_eq!((runs.len(), gone), (3, None));
    assert!(runs[0].failed.is_none());
    assert_eq!(runs[0].virtual_ns, 10_000_000);
    assert_eq!(runs[0].properties["a seed is two"].held, 0);
    assert_eq!(runs[2].properties["a seed is two"].held, 1);
    let failed = runs[1].failed.as_deref().unwrap();
    assert!(
        failed
            .fingerprint
            .as_str()
            .starts_with("Panic: seed # panics")
    );
    assert_eq!(failed.scenario.decisions.workloads["numbers"].len(), 5);
    assert_eq!(failed.report, None);
    let violation = runs[2].failed.as_deref().unwrap();
    assert_eq!(violation.fingerprint.as_str(), "Violation: no seed is two");

    let labels = Labels {
        replay: "say it again".to_owned(),
        saved: "here".to_owned(),
        shrunk: Some("a half".to_owned()),
    };
    let (scenario, report) = (Box::new(failed.scenario.clone()), Some(labels));
    let (again, gone) = worker.serve(&Job::Scenario { scenario, report });
    assert_eq!((again.len(), gone), (1, None));
    assert_eq!(again[0].digest, runs[1].digest);
    let report = again[0]
        .failed
        .as_deref()
        .unwrap()
        .report
        .as_deref()
        .unwrap();
    assert!(
        report.contains("seed 1 panics") && report.contains("5 operations"),
        "{report}"
    );
    assert!(
        report.contains("  replay  say it again\n  saved   here\n  shrunk  a half\n"),
        "{report}"
    );
    // What is cut from its workload is cut from the run.
    let mut fewer = failed.scenario.clone();
    fewer
        .decisions
        .workloads
        .get_mut("numbers")
        .unwrap()
        .truncate(1);
    let (scenario, report) = (Box::new(fewer), None);
    let (again, _) = worker.serve(&Job::Scenario { scenario, report });
    assert_eq!(again[0].virtual_ns, 1_000_000);
}

#[test]
fn a_worker_that_dies_leaves_the_seed_behind_that_killed_it() {
    for (seed, what) in [(3, "abort"), (5, "memory"), (6, "stack")] {
        let mut worker = Worker::start(what);
        let (runs, gone) = worker.serve(&Job::Seeds {
            first: seed,
            count: 1,
        });
        assert_eq!((runs.len(), gone), (0, Some(seed)), "{what}");
    }
}

#[test]
fn a_worker_whose_run_hangs_says_so_and_ends() {
    let mut worker = Worker::start("hangs");
    let (runs, gone) = worker.serve(&Job::Seeds { first: 4, count: 2 });
    assert_eq!((runs.len(), gone), (1, None), "the other seed is not begun");
    let failed = runs[0].failed.as_deref().unwrap();
    assert!(
        failed.fingerprint.as_str().starts_with("Hang"),
        "{failed:?}"
    );
    assert_eq!(runs[0].digest, "");
    assert!(worker.child.wait().unwrap().success());
}
