//! A register, with compare-and-set.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Blocks, Call, Effect, Model, OnFail, Outcome, Part, Shortcut};
use crate::check::table::{Interner, number};

/// One value that is read, written, and compared and set.
///
/// Operations: `read`, whose answer is the value; `write` of a value; `cas` of a pair `[from, to]`,
/// which an answer of `false` refuses. The keys of a history are registers of their own.
///
/// Without a search (Gibbons & Korach 1997, section 4): histories in which each value is written
/// once, and no compare-and-set is refused.
#[derive(Clone, Debug)]
pub struct Register {
    initial: Value,
    refused: OnFail,
}

impl Register {
    /// A register that holds nil, whose `fail`s did not happen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            initial: Value::Nil,
            refused: OnFail::DidNotHappen,
        }
    }

    /// The same, holding another value in the beginning.
    #[must_use]
    pub fn with_initial(mut self, initial: impl Into<Value>) -> Self {
        self.initial = initial.into();
        self
    }

    /// The same, with another meaning of a `fail` of `cas`: that it was compared and refused is
    /// what the etcd log says.
    #[must_use]
    pub fn with_failed_cas(mut self, meaning: OnFail) -> Self {
        self.refused = meaning;
        self
    }
}

impl Default for Register {
    fn default() -> Self {
        Self::new()
    }
}

/// An operation of a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// It gave this value.
    Read(Value),
    /// It wrote this value.
    Write(Value),
    /// It found the first and wrote the second.
    Cas(Value, Value),
    /// It found something else than this.
    Refused(Value),
}

impl Model for Register {
    type State = Value;
    type Op = RegisterOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<RegisterOp>, String> {
        let op = match (call.f, call.outcome) {
            ("read", Outcome::Ok(value)) => RegisterOp::Read(value.clone()),
            ("read", Outcome::Refused(_) | Outcome::Unknown) => return Ok(None),
            ("write", Outcome::Ok(_) | Outcome::Unknown) => RegisterOp::Write(call.input.clone()),
            ("write", Outcome::Refused(_)) => return Ok(None),
            ("cas", outcome) => {
                let Some([from, to]) = call.input.as_list() else {
                    let input = call.input;
                    return Err(format!(
                        "`cas` takes a pair [from, to], and this is {input}"
                    ));
                };
                match outcome {
                    Outcome::Refused(_) | Outcome::Ok(Value::Bool(false)) => {
                        RegisterOp::Refused(from.clone())
                    }
                    // That it found another value is the same as that it did not happen.
                    Outcome::Ok(_) | Outcome::Unknown => RegisterOp::Cas(from.clone(), to.clone()),
                }
            }
            _ => return Err(no_such(call, "register", "read, write and cas")),
        };
        Ok(Some(op))
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(value) => (value == state).then(|| state.clone()),
            RegisterOp::Write(value) => Some(value.clone()),
            RegisterOp::Cas(from, to) => (from == state).then(|| to.clone()),
            RegisterOp::Refused(from) => (from != state).then(|| state.clone()),
        }
    }

    fn effect(&self, op: &RegisterOp) -> Effect {
        match op {
            RegisterOp::Read(_) | RegisterOp::Refused(_) => Effect::Pure,
            RegisterOp::Write(_) => Effect::Overwrite,
            RegisterOp::Cas(..) => Effect::Other,
        }
    }

    fn on_fail(&self, f: &str) -> OnFail {
        match f {
            "cas" => self.refused,
            _ => OnFail::DidNotHappen,
        }
    }

    fn shortcut(&self, part: &Part<RegisterOp>) -> Shortcut {
        match Clusters::of(&self.initial, part) {
            Ok(clusters) => clusters.judge(part),
            Err(known) => known,
        }
    }

    fn describe(&self, op: &RegisterOp) -> String {
        match op {
            RegisterOp::Read(value) => format!("read -> {value}"),
            RegisterOp::Write(value) => format!("write {value}"),
            RegisterOp::Cas(from, to) => format!("cas {from} -> {to}"),
            RegisterOp::Refused(from) => format!("cas {from}: refused"),
        }
    }

    fn describe_state(&self, state: &Value) -> String {
        format!("the value is {state}")
    }
}

/// No operation, no cluster.
const NONE: u32 = u32::MAX;
/// The writer of the initial value.
const INITIAL: u32 = u32::MAX - 1;

/// A value, who wrote it, who read it, and who compared it and set the next.
struct Clusters {
    writer: Vec<u32>,
    /// How many read it; then where its readers begin in `readers`.
    reads: Vec<u32>,
    readers: Vec<u32>,
    /// By value, those that compared it and set another; by operation, what they set.
    from: Vec<Vec<u32>>,
    set: Vec<(u32, u32, u32)>,
}

impl Clusters {
    /// The clusters of a part; what is known already, if a value has several writers or none.
    fn of(initial: &Value, part: &Part<RegisterOp>) -> Result<Self, Shortcut> {
        let mut values: Interner<Value> = Interner::default();
        values.intern_ref(initial);
        let mut this = Self {
            writer: vec![INITIAL],
            reads: vec![0],
            readers: Vec::new(),
            from: Vec::new(),
            set: Vec::new(),
        };
        let mut read_of = Vec::with_capacity(part.len());
        for (op, what) in (0..).zip(&part.ops) {
            let mut cluster = |value: &Value| {
                let cluster = values.intern_ref(value);
                if cluster as usize == this.writer.len() {
                    this.writer.push(NONE);
                    this.reads.push(0);
                }
                cluster
            };
            let (written, from) = match what {
                RegisterOp::Read(value) => {
                    let cluster = cluster(value);
                    this.reads[cluster as usize] += 1;
                    read_of.push((cluster, op));
                    continue;
                }
                RegisterOp::Write(value) => (cluster(value), NONE),
                RegisterOp::Cas(from, to) => {
                    let from = cluster(from);
                    (cluster(to), from)
                }
                RegisterOp::Refused(_) => return Err(Shortcut::Ambiguous),
            };
            if std::mem::replace(&mut this.writer[written as usize], op) != NONE {
                return Err(Shortcut::Ambiguous);
            }
            if from != NONE {
                this.set.push((op, from, written));
            }
        }
        this.from = vec![Vec::new(); if this.set.is_empty() { 0 } else { values.len() }];
        // Readers of a cluster together, in the order of their calls.
        let mut starts = Vec::with_capacity(this.reads.len() + 1);
        let mut sum = 0;
        for reads in &this.reads {
            starts.push(sum);
            sum += reads;
        }
        starts.push(sum);
        this.readers = vec![0; read_of.len()];
        let mut next = starts.clone();
        for (cluster, op) in read_of {
            this.readers[next[cluster as usize] as usize] = op;
            next[cluster as usize] += 1;
        }
        this.reads = starts;
        Ok(this)
    }

    fn readers(&self, cluster: u32) -> &[u32] {
        let (start, end) = (
            self.reads[cluster as usize],
            self.reads[cluster as usize + 1],
        );
        &self.readers[start as usize..end as usize]
    }

    fn judge(mut self, part: &Part<RegisterOp>) -> Shortcut {
        // What must have happened: what returned, and what somebody saw.
        let mut needed: Vec<bool> = (0..number(self.writer.len()))
            .map(|cluster| {
                let writer = self.writer[cluster as usize];
                let returned = writer < INITIAL && !part.is_open(writer as usize);
                returned || writer == INITIAL || !self.readers(cluster).is_empty()
            })
            .collect();
        self.need_sources(&mut needed);
        for (op, from, to) in &self.set {
            if needed[*to as usize] {
                self.from[*from as usize].push(*op);
            }
        }
        if self.from.iter().any(|from| from.len() > 1) {
            // Two found the same value and replaced it.
            return Shortcut::Violation;
        }
        let mut next = vec![NONE; self.writer.len()];
        let mut is_first = vec![true; self.writer.len()];
        for (_, from, to) in &self.set {
            if needed[*to as usize] {
                next[*from as usize] = *to;
                is_first[*to as usize] = false;
            }
        }
        let mut blocks = Blocks::with_initial();
        let mut met = 0;
        for first in 0..number(self.writer.len()) {
            if !needed[first as usize] || !is_first[first as usize] {
                continue;
            }
            blocks.block();
            let mut cluster = first;
            while cluster != NONE {
                met += 1;
                match self.writer[cluster as usize] {
                    // Read, and never written.
                    NONE => return Shortcut::Violation,
                    INITIAL => {}
                    writer => blocks.op(writer),
                }
                self.readers(cluster).iter().for_each(|op| blocks.op(*op));
                cluster = next[cluster as usize];
            }
        }
        if met < needed.iter().filter(|needed| **needed).count() {
            // Values that were set from one another, in a circle.
            return Shortcut::Violation;
        }
        blocks.judge(part)
    }

    /// What was compared by something that must have happened must have happened.
    fn need_sources(&self, needed: &mut [bool]) {
        if self.set.is_empty() {
            return;
        }
        let mut source = vec![NONE; needed.len()];
        for (_, from, to) in &self.set {
            source[*to as usize] = *from;
        }
        for cluster in 0..needed.len() {
            let mut at = cluster;
            while needed[at] && source[at] != NONE && !needed[source[at] as usize] {
                at = source[at] as usize;
                needed[at] = true;
            }
        }
    }
}
