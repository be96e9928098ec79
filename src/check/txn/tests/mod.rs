//! Simulated databases of each level, from which no alarm may come.

mod plants;

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
    /// The number of its commit.
    commit: Option<usize>,
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
    ended: u32,
    /// Commits with their numbers, in the order of ends.
    order: Vec<(usize, Commit)>,
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
            commit: None,
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
            ended: 0,
            order: Vec::new(),
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
        client.commit = None;
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
        self.clients[at].commit = Some(self.commits);
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
        if let Some(commit) = client.commit {
            let saw = u32::try_from(client.snapshot).unwrap();
            let transaction = self.ended;
            self.order.push((commit, Commit { transaction, saw }));
        }
        self.ended += 1;
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

#[test]
fn databases_are_what_their_commits_make_them() {
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for db in [Db::Serializable, Db::Snapshot, Db::ReadCommitted] {
            let mut wrong = 0;
            for seed in 0..COUNT / 10 {
                let mut world = World::new(workload, db, seed);
                world.run(12);
                world.order.sort_unstable_by_key(|(commit, _)| *commit);
                let commits: Vec<Commit> = world.order.iter().map(|(_, c)| *c).collect();
                let txns = Transactions::from_history(workload, &world.history).unwrap();
                let replayed = replay_commits(&txns, &commits);
                if db == Db::ReadCommitted {
                    wrong += u64::from(replayed.is_err());
                } else {
                    assert_eq!(replayed, Ok(()), "{db:?} {seed}");
                }
                let mut places = vec![u32::MAX; txns.len()];
                for (place, commit) in (0..).zip(&commits) {
                    places[commit.transaction as usize] = place;
                }
                let isolated = check_transactions_in_order(&txns, &places).unwrap();
                assert!(
                    isolated.satisfies(db.level()),
                    "{db:?} {seed}: {isolated:#?}"
                );
            }
            assert_eq!(db == Db::ReadCommitted, wrong > 0, "{db:?}");
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
