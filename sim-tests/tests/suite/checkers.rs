//! Histories from elsewhere: Porcupine's, with the verdicts that are known.

use std::fs;
use std::path::PathBuf;

use stormglass::check::{Budget, Format, History, Question, Recorder, Register, Verdict};
use stormglass::check::{check_linearizable, judge_file};
use stormglass::kernel::SimTime;

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/porcupine")
}

#[test]
fn known_verdicts_are_given() {
    let expected = fs::read_to_string(data().join("expected.tsv")).unwrap();
    let mut count = 0;
    for line in expected.lines() {
        let (file, verdict) = line.split_once('\t').unwrap();
        let text = fs::read_to_string(data().join(file)).unwrap();
        let model = if file.starts_with("kv") {
            "kv"
        } else {
            "cas-register"
        };
        let question = Question {
            model,
            format: None,
            budget: Budget::default(),
        };
        let judgement = judge_file(&text, question);
        let last = judgement.text.lines().last().unwrap();
        assert!(last.starts_with(verdict), "{file}: {}", judgement.text);
        assert_eq!(judgement.status == 100, verdict == "violation", "{file}");
        // What is not linearizable is shown, and why.
        assert_eq!(
            judgement.drawing.is_some(),
            verdict == "violation",
            "{file}"
        );
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test]
fn formats_give_back_what_they_were_given() {
    for entry in fs::read_dir(data().join("jepsen")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert_eq!(Format::of(&text), Format::EtcdLog);
        let history = History::from_etcd_log(&text).unwrap();
        for again in [
            History::from_json_lines(&history.to_json_lines()).unwrap(),
            History::from_edn(&history.to_edn()).unwrap(),
        ] {
            assert_eq!(again.events(), history.events());
        }
        let again = History::from_etcd_log(&history.to_etcd_log()).unwrap();
        assert_eq!(again.operations(), history.operations());
    }
}

/// Clients of a register that takes each operation at once, some time after its call.
struct Clients {
    recorder: Recorder,
    numbers: u64,
    clients: Vec<Client>,
    value: i64,
    written: i64,
}

struct Client {
    process: u32,
    asks: Option<(bool, i64)>,
    done: bool,
}

impl Clients {
    fn new(count: usize) -> Self {
        let mut recorder = Recorder::new();
        let clients = (0..count).map(|_| Client {
            process: recorder.next_process(),
            asks: None,
            done: false,
        });
        Self {
            clients: clients.collect(),
            recorder,
            numbers: 7,
            value: -1,
            written: 0,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.numbers = self
            .numbers
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.numbers >> 33) % limit
    }

    /// So many operations, so many of which crash; writes have so many values, or each its own.
    fn run(mut self, operations: u64, crashes: u64, values: Option<u64>) -> History {
        let (mut begun, mut crashed) = (0, 0);
        while begun < operations || self.clients.iter().any(|c| c.asks.is_some()) {
            let at = usize::try_from(self.below(self.clients.len() as u64)).unwrap();
            let now = SimTime::from_nanos(begun);
            let process = self.clients[at].process;
            match (self.clients[at].asks, self.clients[at].done) {
                (None, _) if begun == operations => {}
                (None, _) => {
                    begun += 1;
                    let is_write = self.below(2) == 0;
                    self.written += 1;
                    let value = match values {
                        Some(values) => i64::try_from(self.below(values)).unwrap(),
                        None => self.written,
                    };
                    self.clients[at].asks = Some((is_write, value));
                    if is_write {
                        self.recorder.invoke(process, "write", value, now);
                    } else {
                        self.recorder.invoke(process, "read", (), now);
                    }
                }
                (Some((true, value)), false) if crashed < crashes && self.below(6) == 0 => {
                    crashed += 1;
                    if self.below(2) == 0 {
                        self.value = value;
                    }
                    self.recorder.info(process, now);
                    self.clients[at].asks = None;
                    self.clients[at].process = self.recorder.next_process();
                }
                (Some((is_write, value)), false) => {
                    if is_write {
                        self.value = value;
                    } else {
                        self.clients[at].asks = Some((false, self.value));
                    }
                    self.clients[at].done = true;
                }
                (Some((is_write, value)), true) => {
                    match (is_write, value) {
                        (false, value) if value >= 0 => self.recorder.ok(process, value, now),
                        _ => self.recorder.ok(process, (), now),
                    }
                    self.clients[at].asks = None;
                    self.clients[at].done = false;
                }
            }
        }
        assert_eq!(crashed, crashes);
        self.recorder.into_history()
    }
}

#[test]
fn what_is_plain_needs_no_search() {
    let history = Clients::new(10).run(100_000, 50, None);
    let verdict = check_linearizable(&Register::new(), &history, &mut Budget::configurations(0));
    assert!(matches!(verdict.unwrap(), Verdict::Linearizable { .. }));
    // A read of what was written over long ago.
    let mut stale = history.to_json_lines();
    let read = "{\"process\":999,\"type\":\"invoke\",\"f\":\"read\"}\n";
    stale += read;
    stale += &read.replace("invoke", "ok");
    let stale = History::from_json_lines(&stale).unwrap();
    let verdict = check_linearizable(&Register::new(), &stale, &mut Budget::configurations(0));
    assert!(matches!(verdict.unwrap(), Verdict::Violation(_)));
}

#[test]
fn crashed_writes_are_few_configurations() {
    for clients in [3, 5, 10] {
        let history = Clients::new(clients).run(1_000, 50, Some(5));
        let mut budget = Budget::configurations(100_000);
        let verdict = check_linearizable(&Register::new(), &history, &mut budget).unwrap();
        assert!(
            matches!(verdict, Verdict::Linearizable { .. }),
            "{clients}: {verdict:?}"
        );
    }
}
