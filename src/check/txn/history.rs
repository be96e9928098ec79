//! Transactions in little memory: numbers in flat arrays.

use std::collections::BTreeMap;

use crate::check::history::{Event, History, Item, Kind, Malformed, Value};
use crate::check::table::{Interner, number};

/// The value of a register that was never written, and the place of nothing.
pub(super) const NIL: u32 = u32::MAX;
/// Values from here on are numbers of an interner, those below are themselves.
const INTERNED: u32 = 1 << 31;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was committed.
    Committed,
    /// It was not.
    Aborted,
    /// Nobody knows.
    Unknown,
}

/// What transactions do to the values of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Steps `append` add to a list, and reads give all of it: `[append k v]`, `[r k [..]]`.
    ListAppend,
    /// Steps `w` replace a value, and reads give it: `[w k v]`, `[r k v]`.
    RwRegister,
}

/// A step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It appended or wrote this value.
    Write(u32),
    /// It read this register.
    Register(u32),
    /// It read the list from here on, so long.
    List(u32, u32),
}

/// The transactions of a history, in the order of their ends; those that did not end come last.
#[derive(Clone, Debug)]
pub struct Transactions {
    pub(super) workload: Workload,
    pub(super) process: Vec<u32>,
    /// The position of the invocation among the events.
    pub(super) invoke: Vec<u32>,
    /// The position of the end; [`NIL`] if it is open.
    pub(super) complete: Vec<u32>,
    pub(super) status: Vec<Status>,
    starts: Vec<u32>,
    steps: Vec<Step>,
    lists: Vec<u32>,
    keys: Interner<Value>,
    values: Interner<Value>,
}

/// A transaction that began.
struct Begun {
    invoke: u32,
    value: Value,
}

/// Reads events one after the other, and keeps only what is open.
struct Reader {
    transactions: Transactions,
    open: BTreeMap<u32, Begun>,
    ended: Interner<u32>,
    position: u32,
}

const HELP: &str =
    "a transaction's value is a list of steps [append key value], [w key value] or [r key value]";

impl Transactions {
    /// Without transactions.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        Self {
            workload,
            process: Vec::new(),
            invoke: Vec::new(),
            complete: Vec::new(),
            status: Vec::new(),
            starts: vec![0],
            steps: Vec::new(),
            lists: Vec::new(),
            keys: Interner::default(),
            values: Interner::default(),
        }
    }

    /// The transactions of a history, whose values are lists of steps.
    ///
    /// # Errors
    /// If a value is no list of steps of this workload.
    pub fn from_history(workload: Workload, history: &History) -> Result<Self, Malformed> {
        let mut reader = Reader::new(workload);
        for event in history.events() {
            reader.take(event.clone())?;
        }
        reader.finish()
    }

    /// Reads JSON Lines as [`History::from_json_lines`] does, without keeping the events.
    ///
    /// # Errors
    /// What is wrong with the first bad line.
    pub fn from_json_lines(workload: Workload, text: &str) -> Result<Self, Malformed> {
        let mut reader = Reader::new(workload);
        crate::check::history::for_each_json_line(text, |item| match item {
            Item::Event(event) => reader.take(event),
            Item::Mark(_) => Ok(()),
        })?;
        reader.finish()
    }

    /// Reads EDN as [`History::from_edn`] does, without keeping the events.
    ///
    /// # Errors
    /// What is wrong with the first bad map.
    pub fn from_edn(workload: Workload, text: &str) -> Result<Self, Malformed> {
        let mut reader = Reader::new(workload);
        let mut edn = crate::check::history::EdnReader::new(text);
        while let Some(item) = edn.next_item()? {
            if let Item::Event(event) = item {
                reader
                    .take(event)
                    .map_err(|malformed| malformed.at_line(edn.item_line))?;
            }
        }
        reader.finish()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.status.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
    }

    /// What became of a transaction.
    #[must_use]
    pub fn status(&self, txn: u32) -> Status {
        self.status[txn as usize]
    }

    /// The position among the events of a transaction's invocation.
    #[must_use]
    pub fn invocation(&self, txn: u32) -> u32 {
        self.invoke[txn as usize]
    }

    /// A transaction as people read it: `T4 [append x 1, r y [2 3]]`.
    #[must_use]
    pub fn describe(&self, txn: u32) -> String {
        let steps: Vec<String> = self
            .steps(txn)
            .iter()
            .map(|step| {
                let key = self.key(step.key);
                match (step.what, self.workload) {
                    (What::Write(value), Workload::ListAppend) => {
                        format!("append {key} {}", self.value(value))
                    }
                    (What::Write(value), Workload::RwRegister) => {
                        format!("w {key} {}", self.value(value))
                    }
                    (What::Register(value), _) => format!("r {key} {}", self.value(value)),
                    (What::List(..), _) => {
                        let list = self.list(step.what).iter().map(|v| self.value(*v));
                        format!("r {key} {}", Value::List(list.collect()))
                    }
                }
            })
            .collect();
        format!("T{txn} [{}]", steps.join(", "))
    }

    pub(super) fn steps(&self, txn: u32) -> &[Step] {
        let (start, end) = (self.starts[txn as usize], self.starts[txn as usize + 1]);
        &self.steps[start as usize..end as usize]
    }

    /// The elements of a list that was read.
    pub(super) fn list(&self, what: What) -> &[u32] {
        match what {
            What::List(start, len) => &self.lists[start as usize..][..len as usize],
            What::Write(_) | What::Register(_) => &[],
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, key: u32) -> &Value {
        self.keys.get(key)
    }

    pub(super) fn value(&self, value: u32) -> Value {
        match value {
            NIL => Value::Nil,
            value if value >= INTERNED => self.values.get(value - INTERNED).clone(),
            value => Value::from(value),
        }
    }

    fn value_number(&mut self, value: &Value) -> u32 {
        match value {
            Value::Nil => NIL,
            Value::Int(int) if (0..i64::from(INTERNED)).contains(int) => {
                u32::try_from(*int).expect("it is below 2^31")
            }
            other => INTERNED + self.values.intern_ref(other),
        }
    }

    /// Adds a transaction, the next in the order of ends, of which `steps` has the steps; what was
    /// read is known if it was committed. `invoke` and `complete` are positions among all events.
    ///
    /// # Errors
    /// If the value is no list of steps of this workload.
    pub fn push(
        &mut self,
        process: u32,
        (invoke, complete): (u32, Option<u32>),
        status: Status,
        steps: &Value,
    ) -> Result<(), Malformed> {
        let wrong = |step: &Value| Malformed::new(format!("{step} is no step"), HELP);
        for step in steps.as_list().ok_or_else(|| wrong(steps))? {
            let Some([f, key, value]) = step.as_list() else {
                return Err(wrong(step));
            };
            let key = self.keys.intern_ref(key);
            let f = f.as_text().ok_or_else(|| wrong(step))?;
            let what = match (f, self.workload) {
                ("append", Workload::ListAppend) | ("w" | "write", Workload::RwRegister) => {
                    if value.is_nil() {
                        return Err(Malformed::new("nil is written", "write values only"));
                    }
                    What::Write(self.value_number(value))
                }
                ("r" | "read", _) if status != Status::Committed => continue,
                ("r" | "read", Workload::RwRegister) => What::Register(self.value_number(value)),
                ("r" | "read", Workload::ListAppend) => {
                    let start = number(self.lists.len());
                    let elements = match value {
                        Value::Nil => &[][..],
                        value => value.as_list().ok_or_else(|| wrong(step))?,
                    };
                    for element in elements {
                        let element = self.value_number(element);
                        self.lists.push(element);
                    }
                    What::List(start, number(elements.len()))
                }
                _ => return Err(wrong(step)),
            };
            self.steps.push(Step { key, what });
        }
        self.starts.push(number(self.steps.len()));
        self.process.push(process);
        self.invoke.push(invoke);
        self.complete.push(complete.unwrap_or(NIL));
        self.status.push(status);
        Ok(())
    }
}

impl Reader {
    fn new(workload: Workload) -> Self {
        Self {
            transactions: Transactions::new(workload),
            open: BTreeMap::new(),
            ended: Interner::default(),
            position: 0,
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Malformed> {
        let position = self.position;
        self.position += 1;
        let process = event.process;
        if event.kind == Kind::Invoke {
            if self.ended.find(&process).is_some() {
                return Err(Malformed::new(
                    format!("process {process} goes on after a transaction of unknown outcome"),
                    "give the client a new process number after each `info`",
                ));
            }
            let begun = Begun {
                invoke: position,
                value: event.value,
            };
            if self.open.insert(process, begun).is_some() {
                return Err(Malformed::new(
                    format!("process {process} has an open transaction already"),
                    "a process does one thing at a time: end it by ok, fail or info first",
                ));
            }
            return Ok(());
        }
        let Some(begun) = self.open.remove(&process) else {
            return Err(Malformed::new(
                format!("an end of process {process}, which has no open transaction"),
                "each end needs its `invoke` before it",
            ));
        };
        let (status, value) = match event.kind {
            Kind::Ok => (Status::Committed, &event.value),
            Kind::Fail => (Status::Aborted, &begun.value),
            Kind::Info | Kind::Invoke => {
                self.ended.intern(process);
                (Status::Unknown, &begun.value)
            }
        };
        let times = (begun.invoke, Some(position));
        self.transactions.push(process, times, status, value)
    }

    fn finish(mut self) -> Result<Transactions, Malformed> {
        for (process, begun) in std::mem::take(&mut self.open) {
            let times = (begun.invoke, None);
            self.transactions
                .push(process, times, Status::Unknown, &begun.value)?;
        }
        Ok(self.transactions)
    }
}
