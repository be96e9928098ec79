//! Histories: what clients asked, what they were told, and in which order.
//!
//! Owns events, the rules that every history keeps, and the formats. It knows no model: what an
//! operation means is said above.
//!
//! The order of events is their order in the history, which is real time; the times are shown to
//! people and never compared.

mod edn;
mod error;
mod etcd;
mod jsonl;
mod recorder;
mod value;

use std::borrow::Cow;

pub use error::Malformed;
pub use recorder::Recorder;
pub use value::Value;

pub(crate) use edn::EdnReader;
pub(crate) use jsonl::for_each as for_each_json_line;

use super::table::{Interner, number};
use crate::kernel::SimTime;

/// What an event says of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was asked for.
    Invoke,
    /// It was done.
    Ok,
    /// It was not done, or it was done and refused; the model says which.
    Fail,
    /// Nobody knows: it may be done now, later or never. Its process ends.
    Info,
}

impl Kind {
    /// The word that formats have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }

    /// The kind that formats call so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Invoke, Self::Ok, Self::Fail, Self::Info]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// One thing that a client did or heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The client; it has one open operation at most.
    pub process: u32,
    /// What this says of the operation.
    pub kind: Kind,
    /// The operation's name, such as `read`.
    pub f: Cow<'static, str>,
    /// The object that it concerns, where a history is of several.
    pub key: Option<Value>,
    /// What it takes or gives.
    pub value: Value,
    /// When, for people to see.
    pub time: SimTime,
    /// Its number in its source.
    pub index: u64,
}

/// Something that no client did, such as a fault that begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What happened, such as `start-partition`.
    pub f: String,
    /// With what.
    pub value: Value,
    /// When, for people to see.
    pub time: SimTime,
    /// How many events of clients were before it.
    pub position: u32,
}

/// An invocation and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The position of its invocation among the events.
    pub invoke: u32,
    /// The position of its end; `None` if the history ends before it.
    pub complete: Option<u32>,
}

/// Events in the order of real time, and the operations that they are of.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Vec<Event>,
    marks: Vec<Mark>,
    operations: Vec<Operation>,
    processes: Interner<u32>,
    /// What each process does, by its number in `processes`.
    doing: Vec<Doing>,
}

/// What a process does.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Nothing,
    Operation(u32),
    Ended,
}

impl History {
    /// A history in which nothing happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// If the event is impossible here: a second open operation of its process, an end without a
    /// beginning or of another operation, or anything after its process ended.
    pub fn push(&mut self, event: Event) -> Result<(), Malformed> {
        let position = number(self.events.len());
        let process = self.processes.intern(event.process) as usize;
        if process == self.doing.len() {
            self.doing.push(Doing::Nothing);
        }
        match (event.kind, self.doing[process]) {
            (_, Doing::Ended) => {
                return Err(Malformed::new(
                    format!(
                        "process {} goes on after an operation of unknown outcome",
                        event.process
                    ),
                    "give the client a new process number after each `info`",
                ));
            }
            (Kind::Invoke, Doing::Operation(_)) => {
                return Err(Malformed::new(
                    format!("process {} has an open operation already", event.process),
                    "a process does one thing at a time: end it by ok, fail or info first",
                ));
            }
            (Kind::Invoke, Doing::Nothing) => {
                self.doing[process] = Doing::Operation(number(self.operations.len()));
                self.operations.push(Operation {
                    invoke: position,
                    complete: None,
                });
            }
            (kind, Doing::Nothing) => {
                return Err(Malformed::new(
                    format!(
                        "`{}` of process {}, which has no open operation",
                        kind.name(),
                        event.process
                    ),
                    "each end needs its `invoke` before it",
                ));
            }
            (kind, Doing::Operation(open)) => {
                let operation = &mut self.operations[open as usize];
                let invoke = &self.events[operation.invoke as usize];
                if invoke.f != event.f {
                    return Err(Malformed::new(
                        format!(
                            "process {} ends `{}` while `{}` is open",
                            event.process, event.f, invoke.f
                        ),
                        "an end has the same `f` as its `invoke`",
                    ));
                }
                if event.key.is_some() && invoke.key != event.key {
                    return Err(Malformed::new(
                        format!("process {} ends an operation of another key", event.process),
                        "an end has the same key as its `invoke`, or none",
                    ));
                }
                operation.complete = Some(position);
                self.doing[process] = match kind {
                    Kind::Info => Doing::Ended,
                    Kind::Invoke | Kind::Ok | Kind::Fail => Doing::Nothing,
                };
            }
        }
        self.events.push(event);
        Ok(())
    }

    /// Adds something that no client did.
    pub fn push_mark(&mut self, mut mark: Mark) {
        mark.position = number(self.events.len());
        self.marks.push(mark);
    }

    /// What clients did and heard, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What no client did, in order.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The operations, in the order of their invocations.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The invocation of an operation.
    #[must_use]
    pub fn invocation(&self, operation: Operation) -> &Event {
        &self.events[operation.invoke as usize]
    }

    /// The end of an operation, unless the history ends before it.
    #[must_use]
    pub fn completion(&self, operation: Operation) -> Option<&Event> {
        operation.complete.map(|at| &self.events[at as usize])
    }

    /// The invocation of what a process does at the end of the history.
    #[must_use]
    pub(crate) fn open_invocation(&self, process: u32) -> Option<&Event> {
        let process = self.processes.find(&process)? as usize;
        match self.doing[process] {
            Doing::Operation(open) => Some(self.invocation(self.operations[open as usize])),
            Doing::Nothing | Doing::Ended => None,
        }
    }

    /// Reads JSON Lines, the native form: one object a line with `process`, `type` (`invoke`, `ok`,
    /// `fail`, `info`), `f`, and where they are known `key`, `value`, `time` (nanoseconds) and
    /// `index`. A process that is text, such as `"nemesis"`, is no client; its lines are marks.
    ///
    /// # Errors
    /// What is wrong with the first bad line.
    pub fn from_json_lines(text: &str) -> Result<Self, Malformed> {
        jsonl::read(text)
    }

    /// Reads EDN as Jepsen writes it: maps, one after the other or in one vector, with or without
    /// a tag. Also the key-value histories that come with Porcupine.
    ///
    /// # Errors
    /// What is wrong with the first bad map.
    pub fn from_edn(text: &str) -> Result<Self, Malformed> {
        edn::read(text)
    }

    /// Reads the log of Jepsen's etcd test: `INFO  jepsen.util - 4 :invoke :read nil`. Lines of
    /// another form are passed over.
    ///
    /// # Errors
    /// What is wrong with the first bad line.
    pub fn from_etcd_log(text: &str) -> Result<Self, Malformed> {
        etcd::read(text)
    }

    /// The same history with its keys apart, if they are in its values: in tests of independent
    /// keys Jepsen makes every value a pair of the key and the value proper. It is taken for such a
    /// one if it has no other keys, all its values are pairs, and it has a read that asks `[key
    /// nil]`.
    #[must_use]
    pub fn with_keys_apart(mut self) -> Self {
        let pair = |event: &Event| {
            let is_pair = event.value.as_list().is_some_and(|list| list.len() == 2);
            event.key.is_none() && (is_pair || event.kind == Kind::Info)
        };
        let asks = |event: &Event| {
            let value = event.value.as_list().and_then(<[Value]>::last);
            event.kind == Kind::Invoke && event.f == "read" && value.is_some_and(Value::is_nil)
        };
        if self.events.iter().all(pair) && self.events.iter().any(asks) {
            for event in &mut self.events {
                if let Value::List(pair) = &mut event.value
                    && let (Some(value), Some(key)) = (pair.pop(), pair.pop())
                {
                    event.value = value;
                    event.key = Some(key);
                }
            }
        }
        self
    }

    /// Writes JSON Lines, which [`from_json_lines`](Self::from_json_lines) reads.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        jsonl::write(self)
    }

    /// Writes EDN, one map a line, which [`from_edn`](Self::from_edn) and Jepsen's tools read.
    #[must_use]
    pub fn to_edn(&self) -> String {
        edn::write(self)
    }

    /// Writes the form of [`from_etcd_log`](Self::from_etcd_log), which has no times and no keys.
    #[must_use]
    pub fn to_etcd_log(&self) -> String {
        etcd::write(self)
    }
}

/// What a line of a file tells.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Of a client.
    Event(Event),
    /// Of anything else.
    Mark(Mark),
}

impl Item {
    fn push_to(self, history: &mut History) -> Result<(), Malformed> {
        match self {
            Self::Event(event) => history.push(event),
            Self::Mark(mark) => {
                history.push_mark(mark);
                Ok(())
            }
        }
    }
}

/// An operation's name without an allocation, if it is a known one.
pub(crate) fn name_of(f: &str) -> Cow<'static, str> {
    const KNOWN: &[&str] = &[
        "read", "write", "cas", "get", "put", "append", "txn", "add", "remove", "contains",
        "enqueue", "dequeue", "drain", "acquire", "release", "transfer", "generate",
    ];
    match KNOWN.iter().find(|known| **known == f) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(f.to_owned()),
    }
}

#[cfg(test)]
mod tests;
