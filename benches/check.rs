//! Checkers: Porcupine's files beside its own times, and long histories.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stormglass::check::{
    Budget, History, Kv, OnFail, Recorder, Register, Status, Transactions, Value, Verdict,
    Workload, check_linearizable, check_transactions,
};
use stormglass::kernel::SimTime;

/// A small generator for the workloads' own numbers: splitmix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("it is below a usize")
    }
}

/// Judges a history and gives the word for its verdict.
fn verdict(file: &str, history: &History) -> &'static str {
    let mut budget = Budget::default();
    let verdict = if file.starts_with("kv") {
        check_linearizable(&Kv::new(), history, &mut budget)
    } else {
        let register = Register::new().with_failed_cas(OnFail::Refused);
        check_linearizable(&register, history, &mut budget)
    };
    match verdict.expect("the file is of the model") {
        Verdict::Linearizable { .. } => "linearizable",
        Verdict::Violation(_) => "violation",
        Verdict::Unknown { .. } => "unknown",
    }
}

/// The middle of many runs.
#[expect(clippy::disallowed_types, reason = "a bench asks the wall clock")]
fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let begin = std::time::Instant::now();
            run();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints our time for each file beside Porcupine's from the table; keys are judged apart by both.
#[expect(clippy::print_stdout, reason = "the table is what the bench is for")]
fn porcupine(_: &mut Criterion) {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sim-tests/data/porcupine");
    let read = |file: &str| fs::read_to_string(data.join(file)).expect("the data is there");
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    println!(
        "{:24} {:12} {:>12} {:>14} {:>7}",
        "file", "verdict", "ours", "Porcupine", "ratio"
    );
    for line in read("timings.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (file, mode, expected) = (fields[0], fields[1], fields[2]);
        if mode == "nopartition" {
            continue;
        }
        let text = read(file);
        let history = if file.starts_with("kv") {
            History::from_edn(&text)
        } else {
            History::from_etcd_log(&text)
        };
        let history = history.expect("the file is well formed");
        assert_eq!(verdict(file, &history), expected, "{file}");
        let mine = median(|| {
            black_box(verdict(file, &history));
        });
        let its = Duration::from_nanos(fields[5].parse().expect("a number"));
        let ratio = mine.as_secs_f64() / its.as_secs_f64();
        println!("{file:24} {expected:12} {mine:>12.1?} {its:>14.1?} {ratio:>7.4}");
        ours += mine;
        theirs += its;
    }
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "{:24} {:12} {ours:>12.1?} {theirs:>14.1?} {ratio:>7.4}\n",
        "all", ""
    );
}

/// A register that takes each operation of ten clients at some time between its call and its
/// return; writes of so many values, or each of its own, so many of which crash.
fn register(operations: usize, values: Option<usize>, crashes: usize) -> History {
    #[derive(Clone, Copy)]
    enum Does {
        Nothing,
        Write(i64),
        Read,
        Done(Option<i64>),
    }
    let mut numbers = Numbers(1);
    let mut recorder = Recorder::new();
    let mut clients: Vec<(u32, Does)> = Vec::new();
    for _ in 0..10 {
        clients.push((recorder.next_process(), Does::Nothing));
    }
    let (mut value, mut begun, mut crashed) = (None, 0, 0);
    while begun < operations {
        let at = numbers.below(10);
        let (process, does) = clients[at];
        let now = SimTime::from_nanos(begun as u64);
        clients[at].1 = match does {
            Does::Nothing => {
                begun += 1;
                if numbers.below(2) == 0 {
                    recorder.invoke(process, "read", (), now);
                    Does::Read
                } else {
                    let written = values.map_or(begun, |values| numbers.below(values));
                    let written = i64::try_from(written).expect("it is small");
                    recorder.invoke(process, "write", written, now);
                    Does::Write(written)
                }
            }
            Does::Write(_) if crashed < crashes && numbers.below(8) == 0 => {
                crashed += 1;
                recorder.info(process, now);
                clients[at].0 = recorder.next_process();
                Does::Nothing
            }
            Does::Write(written) => {
                value = Some(written);
                Does::Done(None)
            }
            Does::Read => Does::Done(value),
            Does::Done(answer) => {
                recorder.ok(process, answer, now);
                Does::Nothing
            }
        };
    }
    recorder.into_history()
}

/// Serializable transactions on ten keys at a time, each replaced after 32 appends.
fn lists(transactions: u32) -> Transactions {
    let mut numbers = Numbers(1);
    let mut lists = Transactions::new(Workload::ListAppend);
    let mut keys: Vec<(i64, Vec<i64>)> = (0..10).map(|key| (key, Vec::new())).collect();
    let mut next_key = 10;
    for n in 0..transactions {
        let mut steps = Vec::new();
        for _ in 0..=numbers.below(4) {
            let (key, list) = &mut keys[numbers.below(10)];
            let (f, value) = if numbers.below(2) == 0 {
                let value = i64::try_from(list.len()).expect("lists are short");
                list.push(value);
                ("append", Value::from(value))
            } else {
                ("r", Value::from(list.clone()))
            };
            steps.push(Value::from(vec![Value::from(f), Value::from(*key), value]));
        }
        for key in keys.iter_mut().filter(|key| key.1.len() >= 32) {
            *key = (next_key, Vec::new());
            next_key += 1;
        }
        let times = ((2 * n).saturating_sub(18), Some(2 * n + 2));
        let steps = Value::List(steps);
        lists
            .push(n % 10, times, Status::Committed, &steps)
            .expect("the steps are of the workload");
    }
    lists
}

fn long(c: &mut Criterion) {
    let mut group = c.benchmark_group("histories");
    group.sample_size(10);
    let check = |history: &History| {
        check_linearizable(&Register::new(), history, &mut Budget::default())
            .expect("it is of a register")
    };
    let history = register(1_000_000, None, 0);
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("register, a million operations, each value once", |b| {
        b.iter(|| black_box(check(&history)));
    });
    let history = register(1_000, Some(5), 50);
    group.throughput(Throughput::Elements(1_000));
    group.bench_function(
        "register, 1000 operations of 5 values, 50 crashed writes",
        |b| {
            b.iter(|| black_box(check(&history)));
        },
    );
    let lists = lists(1_000_000);
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("lists, a million transactions", |b| {
        b.iter(|| black_box(check_transactions(&lists).expect("values are unique")));
    });
    group.finish();
}

criterion_group!(benches, porcupine, long);
criterion_main!(benches);
