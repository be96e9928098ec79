//! Simulated databases of each level, from which no alarm may come, and anomalies planted among
//! their transactions, each of which must be found and named.

use super::*;
use crate::check::history::{Event, History, Kind, Value};
use crate::check::testing::Numbers;
use crate::kernel::SimTime;

/// What a simulated database promises; all in the order of real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Db {
    Serializable,
    Snapshot,
    ReadCommitted,
    ReadUncommitted,
}

impl Db {
    fn level(self) -> Level {
        let isolation = match self {
            Self::Serializable => Isolation::Serializable,
            Self::Snapshot => Isolation::Snapshot,
            Self::ReadCommitted => Isolation::ReadCommitted,
            Self::ReadUncommitted => Isolation::ReadUncommitted,
        };
        Level {
            isolation,
            strength: Strength::RealTime,
        }
    }
}

/// A client in a transaction.
struct Client {
    process: u32,
    steps: Vec<(bool, usize, i64)>,
    done: usize,
    snapshot: usize,
    out: Vec<Value>,
    asked: Value,
    /// What it wrote, by key.
    own: Vec<(usize, i64)>,
    state: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Begun,
    Running,
    Ending(Kind),
}

/// A history of a simulated database.
struct World {
    workload: Workload,
    db: Db,
    numbers: Numbers,
    history: History,
    /// For each key its committed values, each with the number of commits at its time.
    keys: Vec<Vec<(usize, i64)>>,
    /// Who may write each key now, and for dirty reads what it wrote.
    locks: Vec<Option<usize>>,
    dirty: Vec<Vec<i64>>,
    commits: usize,
    next_value: i64,
    clients: Vec<Client>,
    processes: u32,
}

const KEYS: usize = 4;

fn event(history: &mut History, process: u32, kind: Kind, value: Value) {
    let index = history.events().len() as u64;
    let event = Event {
        process,
        kind,
        f: "txn".into(),
        key: None,
        value,
        time: SimTime::ZERO,
        index,
    };
    history.push(event).unwrap();
}

impl World {
    fn new(workload: Workload, db: Db, seed: u64) -> Self {
        let client = |process| Client {
            process,
            steps: Vec::new(),
            done: 0,
            snapshot: 0,
            out: Vec::new(),
            asked: Value::Nil,
            own: Vec::new(),
            state: Phase::Idle,
        };
        Self {
            workload,
            db,
            numbers: Numbers::new(seed),
            history: History::new(),
            keys: vec![Vec::new(); KEYS],
            locks: vec![None; KEYS],
            dirty: vec![Vec::new(); KEYS],
            commits: 0,
            next_value: 0,
            clients: (0..3).map(client).collect(),
            processes: 3,
        }
    }

    fn run(&mut self, transactions: usize) {
        let mut begun = 0;
        while begun < transactions || self.clients.iter().any(|c| c.state != Phase::Idle) {
            let at = usize::try_from(self.numbers.below(3)).unwrap();
            match self.clients[at].state {
                Phase::Idle if begun < transactions => {
                    begun += 1;
                    self.begin(at);
                }
                Phase::Idle => {}
                Phase::Begun => {
                    self.clients[at].snapshot = self.commits;
                    self.clients[at].state = Phase::Running;
                    if self.db == Db::Serializable {
                        while self.clients[at].state == Phase::Running {
                            self.step(at);
                        }
                    }
                }
                Phase::Running => self.step(at),
                Phase::Ending(kind) => self.end(at, kind),
            }
        }
    }

    fn begin(&mut self, at: usize) {
        let count = 1 + self.numbers.below(4);
        let mut steps = Vec::new();
        for _ in 0..count {
            let key = usize::try_from(self.numbers.below(KEYS as u64)).unwrap();
            let is_write = self.numbers.below(2) == 0;
            if is_write {
                self.next_value += 1;
            }
            steps.push((is_write, key, self.next_value));
        }
        let asked = steps.iter().map(|(is_write, key, value)| {
            let value = if *is_write {
                Value::from(*value)
            } else {
                Value::Nil
            };
            self.micro(*is_write, *key, value)
        });
        let asked = Value::List(asked.collect());
        let client = &mut self.clients[at];
        client.asked = asked.clone();
        client.steps = steps;
        client.done = 0;
        client.out.clear();
        client.own.clear();
        client.state = Phase::Begun;
        event(&mut self.history, client.process, Kind::Invoke, asked);
    }

    fn micro(&self, is_write: bool, key: usize, value: Value) -> Value {
        let f = match (is_write, self.workload) {
            (false, _) => "r",
            (true, Workload::ListAppend) => "append",
            (true, Workload::RwRegister) => "w",
        };
        Value::from(vec![
            f.into(),
            Value::Int(i64::try_from(key).unwrap()),
            value,
        ])
    }

    fn step(&mut self, at: usize) {
        let client = &self.clients[at];
        let Some((is_write, key, value)) = client.steps.get(client.done).copied() else {
            self.commit(at);
            return;
        };
        if is_write {
            let locks = matches!(self.db, Db::ReadCommitted | Db::ReadUncommitted);
            if locks && self.locks[key].is_some_and(|holder| holder != at) {
                self.abort(at);
                return;
            }
            self.locks[key] = Some(at);
            self.dirty[key].push(value);
            self.clients[at].own.push((key, value));
            let micro = self.micro(true, key, Value::from(value));
            self.clients[at].out.push(micro);
        } else {
            let limit = match self.db {
                Db::Snapshot => client.snapshot,
                Db::Serializable | Db::ReadCommitted | Db::ReadUncommitted => usize::MAX,
            };
            let committed = self.keys[key].iter().filter(|(by, _)| *by < limit);
            let mut list: Vec<i64> = committed.map(|(_, value)| *value).collect();
            if self.db == Db::ReadUncommitted {
                list.extend(&self.dirty[key]);
            } else {
                list.extend(
                    client
                        .own
                        .iter()
                        .filter(|(k, _)| *k == key)
                        .map(|(_, v)| *v),
                );
            }
            let value = match self.workload {
                Workload::ListAppend => Value::from(list),
                Workload::RwRegister => Value::from(list.last().copied()),
            };
            let micro = self.micro(false, key, value);
            self.clients[at].out.push(micro);
        }
        self.clients[at].done += 1;
    }

    fn release(&mut self, at: usize) {
        for (key, value) in std::mem::take(&mut self.clients[at].own) {
            self.dirty[key].retain(|other| *other != value);
            if self.locks[key] == Some(at) {
                self.locks[key] = None;
            }
        }
    }

    fn abort(&mut self, at: usize) {
        self.release(at);
        let kind = if self.numbers.below(8) == 0 {
            Kind::Info
        } else {
            Kind::Fail
        };
        self.clients[at].state = Phase::Ending(kind);
    }

    fn commit(&mut self, at: usize) {
        let client = &self.clients[at];
        let conflict = client.own.iter().any(|(key, _)| {
            self.keys[*key]
                .last()
                .is_some_and(|(by, _)| *by >= client.snapshot)
        });
        if (self.db == Db::Snapshot && conflict) || self.numbers.below(20) == 0 {
            self.abort(at);
            return;
        }
        for (key, value) in client.own.clone() {
            self.keys[key].push((self.commits, value));
        }
        self.commits += 1;
        self.release(at);
        let kind = if self.numbers.below(20) == 0 {
            Kind::Info
        } else {
            Kind::Ok
        };
        self.clients[at].state = Phase::Ending(kind);
    }

    fn end(&mut self, at: usize, kind: Kind) {
        let client = &mut self.clients[at];
        let value = match kind {
            Kind::Ok => Value::List(std::mem::take(&mut client.out)),
            Kind::Invoke | Kind::Fail | Kind::Info => Value::Nil,
        };
        event(&mut self.history, client.process, kind, value);
        client.state = Phase::Idle;
        if kind == Kind::Info {
            client.process = self.processes;
            self.processes += 1;
        }
    }
}

/// So many histories of each database; a hundred thousand with `STORMGLASS_LONG`.
const COUNT: u64 = if option_env!("STORMGLASS_LONG").is_some() {
    100_000
} else {
    2_000
};

#[test]
fn no_database_is_accused_of_more_than_it_does() {
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for db in [
            Db::Serializable,
            Db::Snapshot,
            Db::ReadCommitted,
            Db::ReadUncommitted,
        ] {
            let mut weaker = 0;
            for seed in 0..COUNT {
                let mut world = World::new(workload, db, seed);
                world.run(12);
                let txns = Transactions::from_history(workload, &world.history).unwrap();
                let isolated = check_transactions(&txns).unwrap();
                assert!(
                    isolated.satisfies(db.level()),
                    "{db:?} {seed}: {:#?}\n{}",
                    isolated.anomalies,
                    world.history.to_edn()
                );
                weaker += u64::from(!isolated.anomalies.is_empty());
            }
            // The weaker ones show what they are.
            assert_eq!(db == Db::Serializable, weaker == 0, "{db:?} {workload:?}");
        }
    }
}

/// Transactions by what they do; each is invoked when its letter is first met in `order`, and ends
/// when it is met again.
struct Plant {
    class: Class,
    strength: Strength,
    workload: Workload,
    /// Steps in EDN, with `x`, `y` and `z` for fresh keys, and how the transaction ends.
    txns: &'static [(&'static str, Kind)],
    order: &'static str,
}

const AT_ONCE: &str = "abcdabcd";

#[rustfmt::skip]
const PLANTS: &[Plant] = {
    use Kind::{Fail, Ok};
    use Strength::{Plain, RealTime, Session};
    use Workload::{ListAppend, RwRegister};
    &[
        Plant { class: Class::G0, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [append y 2]", Ok), ("[append x 3] [append y 4]", Ok),
            ("[r x [1 3]] [r y [4 2]]", Ok)] },
        Plant { class: Class::G1a, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1]", Fail), ("[r x [1]]", Ok)] },
        Plant { class: Class::G1b, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [append x 2]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::G1c, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [r y [2]]", Ok), ("[append y 2] [r x [1]]", Ok)] },
        Plant { class: Class::DirtyUpdate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Fail), ("[append x 2]", Ok), ("[r x [1 2]]", Ok)] },
        Plant { class: Class::Garbage, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[r x [7]]", Ok)] },
        Plant { class: Class::Duplicate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Ok), ("[r x [1 1]]", Ok)] },
        Plant { class: Class::IncompatibleOrder, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[("[append x 1]", Ok), ("[append x 2]", Ok),
            ("[r x [1 2]]", Ok), ("[r x [2]]", Ok)] },
        Plant { class: Class::Internal, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1] [r x []]", Ok)] },
        Plant { class: Class::LostUpdate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[r x []] [append x 1]", Ok), ("[r x []] [append x 2]", Ok),
            ("[r x [1 2]]", Ok)] },
        Plant { class: Class::GSingle, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[append x 1] [append y 2]", Ok), ("[r x [1]] [r y []]", Ok), ("[r y [2]]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Ok), ("[append y 2]", Ok),
            ("[r x [1]] [r y []]", Ok), ("[r x []] [r y [2]]", Ok)] },
        Plant { class: Class::G2Item, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[r x []] [append y 1]", Ok), ("[r y []] [append x 2]", Ok),
            ("[r x [2]] [r y [1]]", Ok)] },
        Plant { class: Class::G0, strength: RealTime, workload: ListAppend,
            order: "aabbcc", txns: &[
            ("[append x 1]", Ok), ("[append x 2]", Ok), ("[r x [2 1]]", Ok)] },
        Plant { class: Class::G1c, strength: RealTime, workload: ListAppend, order: "bbaa", txns: &[
            ("[append x 1]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GSingle, strength: RealTime, workload: ListAppend, order: "aabbcc",
            txns: &[("[append x 1]", Ok), ("[r x []]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GSingle, strength: Session, workload: ListAppend, order: "aabb",
            txns: &[("[append x 1]", Ok), ("[r x []]", Ok)] },
        Plant { class: Class::G0, strength: Session, workload: ListAppend, order: "aabbcc", txns: &[
            ("[append x 1]", Ok), ("[append x 2]", Ok), ("[r x [2 1]]", Ok)] },
        Plant { class: Class::G1c, strength: Session, workload: ListAppend, order: "bbaa", txns: &[
            ("[append x 1]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: RealTime, workload: ListAppend,
            order: "bcddaabc", txns: &[("[r x []]", Ok), ("[append x 1]", Ok),
            ("[r x [1]] [r y []]", Ok), ("[append y 2]", Ok)] },
        Plant { class: Class::G2Item, strength: RealTime, workload: ListAppend, order: "bccaab",
            txns: &[("[r x []]", Ok), ("[append x 1] [r y []]", Ok), ("[append y 2]", Ok)] },
        Plant { class: Class::G1a, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1]", Fail), ("[r x 1]", Ok)] },
        Plant { class: Class::G1b, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1] [w x 2]", Ok), ("[r x 1]", Ok)] },
        Plant { class: Class::G1c, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1] [r y 2]", Ok), ("[w y 2] [r x 1]", Ok)] },
        Plant { class: Class::Garbage, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[r x 7]", Ok)] },
        Plant { class: Class::Internal, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1] [r x nil]", Ok)] },
        Plant { class: Class::LostUpdate, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1]", Ok), ("[r x 1] [w x 2]", Ok), ("[r x 1] [w x 3]", Ok)] },
        Plant { class: Class::GSingle, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[w x 1] [w y 2]", Ok), ("[r x 1] [r y nil]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1]", Ok), ("[w y 2]", Ok),
            ("[r x 1] [r y nil]", Ok), ("[r x nil] [r y 2]", Ok)] },
        Plant { class: Class::G2Item, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[r x nil] [w y 1]", Ok), ("[r y nil] [w x 2]", Ok)] },
        Plant { class: Class::G1c, strength: RealTime, workload: RwRegister, order: "bbaa", txns: &[
            ("[w x 1]", Ok), ("[r x 1]", Ok)] },
        Plant { class: Class::GSingle, strength: RealTime, workload: RwRegister, order: "aabb",
            txns: &[("[w x 1]", Ok), ("[r x nil]", Ok)] },
    ]
};

/// So many plants of each kind.
const PLANTED: u64 = 1_000;

/// The steps of a plant with keys that nobody else has.
fn steps(text: &str, first_key: i64) -> String {
    let keys = [("x", first_key), ("y", first_key + 1), ("z", first_key + 2)];
    let mut text = format!("[{text}]");
    for (letter, key) in keys {
        text = text.replace(&format!(" {letter} "), &format!(" {key} "));
    }
    text
}

/// The events of a plant.
fn planted(plant: &Plant, first_key: i64, process: u32) -> Vec<(u32, Kind, Value)> {
    let mut events = Vec::new();
    let mut begun = Vec::new();
    for letter in plant.order.bytes() {
        let n = usize::from(letter - b'a');
        let Some((text, kind)) = plant.txns.get(n) else {
            continue;
        };
        let text = format!(
            "{{:process 0, :type :invoke, :value {}}}",
            steps(text, first_key)
        );
        let value = History::from_edn(&text).unwrap().events()[0].value.clone();
        let process = match plant.strength {
            Strength::Session => process,
            Strength::Plain | Strength::RealTime => process + u32::try_from(n).unwrap(),
        };
        let is_new = !begun.contains(&n);
        begun.push(n);
        events.push((process, if is_new { Kind::Invoke } else { *kind }, value));
    }
    events
}

#[test]
fn what_is_planted_is_found_and_named() {
    for (n, plant) in PLANTS.iter().enumerate() {
        for seed in 0..PLANTED {
            let mut world = World::new(plant.workload, Db::Serializable, seed);
            world.run(8);
            let mut plants = planted(plant, 100, 1000).into_iter().peekable();
            let mut history = History::new();
            let background = world.history.events();
            let mut left = background.len() as u64;
            for old in background {
                while left < plants.len() as u64 * (1 + world.numbers.below(8))
                    && let Some((process, kind, value)) = plants.next()
                {
                    event(&mut history, process, kind, value);
                }
                left -= 1;
                event(&mut history, old.process, old.kind, old.value.clone());
            }
            for (process, kind, value) in plants {
                event(&mut history, process, kind, value);
            }
            let txns = Transactions::from_history(plant.workload, &history).unwrap();
            let isolated = check_transactions(&txns).unwrap();
            let name = format!("plant {n} ({}), seed {seed}", plant.class.name());
            let found = isolated
                .anomalies
                .iter()
                .find(|anomaly| (anomaly.class, anomaly.strength) == (plant.class, plant.strength));
            let found = found.unwrap_or_else(|| panic!("{name}: {:#?}", isolated.anomalies));
            assert!(
                found
                    .because
                    .iter()
                    .all(|sentence| sentence.starts_with('T')),
                "{name}"
            );
            // Nothing weaker is said to be violated than what excludes the plant.
            let (weakest, _) = Level::judge(&[(plant.class, plant.strength)]);
            let excused = |level: &Level| weakest.iter().any(|weakest| level.implies(*weakest));
            assert!(
                isolated.violated.iter().all(excused),
                "{name}: {:#?}",
                isolated.anomalies
            );
        }
    }
}

#[test]
fn the_order_of_commits_judges_blind_writes() {
    // Without the order nobody can tell that the second write was lost.
    let edn = "{:process 0, :type :invoke, :f :txn, :value [[:w x 1] [:w y 1]]}
        {:process 1, :type :invoke, :f :txn, :value [[:w x 2] [:w y 2]]}
        {:process 0, :type :ok, :f :txn, :value [[:w x 1] [:w y 1]]}
        {:process 1, :type :ok, :f :txn, :value [[:w x 2] [:w y 2]]}
        {:process 2, :type :invoke, :f :txn, :value [[:r x nil] [:r y nil]]}
        {:process 2, :type :ok, :f :txn, :value [[:r x 1] [:r y 2]]}";
    let txns = Transactions::from_edn(Workload::RwRegister, edn).unwrap();
    assert!(check_transactions(&txns).unwrap().anomalies.is_empty());
    let isolated = check_transactions_in_order(&txns, &[0, 1, 2]).unwrap();
    assert_eq!(isolated.anomalies[0].name(), "G-single");
    let commit = |transaction, saw| Commit { transaction, saw };
    let mismatch = replay_commits(&txns, &[commit(0, 0), commit(1, 1), commit(2, 2)]);
    assert_eq!(mismatch.unwrap_err().transaction, 2);
    let mismatch = replay_commits(&txns, &[commit(0, 0), commit(1, 0)]).unwrap_err();
    assert!(
        mismatch.because.contains("had changed since its snapshot"),
        "{mismatch:?}"
    );
    let good = edn.replace("[:r x 1]", "[:r x 2]");
    let txns = Transactions::from_edn(Workload::RwRegister, &good).unwrap();
    assert_eq!(
        replay_commits(&txns, &[commit(0, 0), commit(1, 1), commit(2, 2)]),
        Ok(())
    );
    let missing = replay_commits(&txns, &[commit(0, 0), commit(1, 1)]).unwrap_err();
    assert_eq!(missing.transaction, 2);
}

#[test]
fn values_that_tell_no_writer_are_malformed() {
    let edn = "{:process 0, :type :invoke, :f :txn, :value [[:w x 1] [:w x 1]]}";
    let txns = Transactions::from_edn(Workload::RwRegister, edn).unwrap();
    let malformed = check_transactions(&txns).unwrap_err();
    assert!(malformed.reason.contains("twice"), "{malformed}");
    let malformed = Transactions::from_edn(Workload::RwRegister, &edn.replace(":w", ":append"));
    assert_eq!(malformed.unwrap_err().line, None);
    let bad = format!(
        "{edn}\n{}",
        edn.replace("process 0", "process 1").replace(":w", ":q")
    );
    let end = "\n{:process 1, :type :fail, :f :txn}";
    let malformed = Transactions::from_edn(Workload::RwRegister, &format!("{bad}{end}"));
    let malformed = malformed.unwrap_err();
    assert_eq!(malformed.line, Some(3), "{malformed}");
}
