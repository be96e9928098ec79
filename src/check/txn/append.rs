//! Transactions that append to lists and read them.
//!
//! Kingsbury & Alvaro, "Elle: inferring isolation anomalies from experimental observations" (VLDB
//! 2020), sections 4 and 5: a list tells the order of all versions before it, so the longest read
//! of a key gives its order of versions, and all dependencies follow from it. Linear in the lengths
//! of the reads.

use super::history::{NIL, Status, Transactions, What};
use super::models::Class;
use super::versions::Writes;
use super::{Findings, Inferred};
use crate::check::history::{Malformed, Value};
use crate::check::table::number;
use crate::check::txn::graph::{Edge, kind};

/// What reads tell of the versions of each key.
pub(super) struct Lists {
    writes: Writes,
    /// Where each key's order begins in `order`.
    starts: Vec<u32>,
    /// The writes of each key in order; [`NIL`] for an element that nobody wrote.
    order: Vec<u32>,
    /// The transaction that read the longest list of each key, or [`NIL`].
    reader: Vec<u32>,
    /// How many elements of each key's order stand before the first that was aborted.
    sound: Vec<u32>,
    /// Committed writes that no read has, by key.
    unread: Vec<(u32, u32)>,
}

/// What a transaction read first of a key that others wrote.
struct External {
    key: u32,
    /// How many elements.
    len: u32,
    /// Before it appended to the key itself, and it appended later.
    updates: bool,
}

/// More pairs of readers and unread writes of a key than this are not made edges of.
const PAIRS_MAX: usize = 4096;

pub(super) fn infer(txns: &Transactions) -> Result<Inferred<Lists>, Malformed> {
    let mut findings = Findings::default();
    let writes = Writes::of(txns)?;
    let lists = Lists::of(txns, writes, &mut findings);
    let mut edges = lists.write_edges(txns);
    let mut updaters = vec![NIL; lists.order.len() + txns.keys()];
    let mut full_reads = Vec::new();
    let mut externals = Vec::new();
    for txn in 0..number(txns.len()) {
        if txns.status(txn) != Status::Committed {
            continue;
        }
        externals.clear();
        lists.externals(txns, txn, &mut externals, &mut findings);
        for read in &externals {
            lists.judge_read(txns, txn, read, &mut findings);
            lists.read_edges(txns, txn, read, &mut edges, &mut full_reads);
            if !read.updates {
                continue;
            }
            let version = lists.starts[read.key as usize] + read.key + read.len;
            let first = std::mem::replace(&mut updaters[version as usize], txn);
            if first != NIL {
                let (key, len) = (txns.key(read.key), read.len);
                findings.add(Class::LostUpdate, &[first, txn], || {
                    format!(
                        "T{first} and T{txn} both read key {key} when it had {len} elements, and \
                         both appended to it"
                    )
                });
            }
        }
    }
    lists.unread_edges(&full_reads, &mut edges);
    Ok(Inferred {
        findings,
        edges,
        versions: lists,
    })
}

impl Lists {
    fn of(txns: &Transactions, writes: Writes, findings: &mut Findings) -> Self {
        let mut longest = vec![What::List(0, 0); txns.keys()];
        let mut reader = vec![NIL; txns.keys()];
        for txn in 0..number(txns.len()) {
            for step in txns.steps(txn) {
                let (What::List(_, len), What::List(_, most)) =
                    (step.what, longest[step.key as usize])
                else {
                    continue;
                };
                if len > most {
                    longest[step.key as usize] = step.what;
                    reader[step.key as usize] = txn;
                }
            }
        }
        let mut this = Self {
            starts: Vec::with_capacity(txns.keys() + 1),
            order: Vec::new(),
            reader,
            sound: Vec::with_capacity(txns.keys()),
            unread: Vec::new(),
            writes,
        };
        let mut is_read = vec![false; this.writes.len()];
        for key in 0..number(txns.keys()) {
            this.starts.push(number(this.order.len()));
            for element in txns.list(longest[key as usize]) {
                let write = this.writes.find(key, *element);
                let reader = this.reader[key as usize];
                let (name, value) = (txns.key(key), *element);
                if write == NIL {
                    findings.add(Class::Garbage, &[reader], || {
                        let value = txns.value(value);
                        format!("T{reader} read {value} in key {name}, which nobody appended")
                    });
                } else if std::mem::replace(&mut is_read[write as usize], true) {
                    findings.add(Class::Duplicate, &[reader], || {
                        let value = txns.value(value);
                        format!("T{reader} read {value} twice in key {name}")
                    });
                }
                this.order.push(write);
            }
            let order = &this.order[this.starts[key as usize] as usize..];
            let is_sound =
                |w: &&u32| **w == NIL || this.writes.status(**w, txns) != Status::Aborted;
            this.sound
                .push(number(order.iter().take_while(is_sound).count()));
            this.dirty_updates(txns, key, findings);
        }
        this.starts.push(number(this.order.len()));
        for write in 0..number(this.writes.len()) {
            let committed = this.writes.status(write, txns) == Status::Committed;
            if committed && !is_read[write as usize] {
                this.unread.push((this.writes.key[write as usize], write));
            }
        }
        this.unread.sort_unstable();
        this
    }

    /// Committed appends that follow one that was aborted.
    fn dirty_updates(&self, txns: &Transactions, key: u32, findings: &mut Findings) {
        let order = &self.order[self.starts[key as usize] as usize..];
        for two in order.windows(2) {
            let (one, other) = (two[0], two[1]);
            if one != NIL
                && other != NIL
                && self.writes.status(one, txns) == Status::Aborted
                && self.writes.status(other, txns) == Status::Committed
            {
                let (from, to) = (self.writes.txn(one), self.writes.txn(other));
                findings.add(Class::DirtyUpdate, &[from, to], || {
                    let key = txns.key(key);
                    format!("T{to} appended to key {key} upon what the aborted T{from} appended")
                });
            }
        }
    }

    fn order(&self, key: u32) -> &[u32] {
        let (start, end) = (self.starts[key as usize], self.starts[key as usize + 1]);
        &self.order[start as usize..end as usize]
    }

    /// Judges what a transaction reads against itself, and gives what it read of others.
    fn externals(
        &self,
        txns: &Transactions,
        txn: u32,
        externals: &mut Vec<External>,
        findings: &mut Findings,
    ) {
        let steps = txns.steps(txn);
        for (at, step) in steps.iter().enumerate() {
            let What::List(_, len) = step.what else {
                continue;
            };
            // The last read of the key before, and how much it appended since.
            let (mut own, mut before) = (0, None);
            for earlier in steps[..at].iter().rev().filter(|s| s.key == step.key) {
                match earlier.what {
                    What::Write(_) => own += 1,
                    What::List(..) | What::Register(_) => {
                        before = Some(earlier.what);
                        break;
                    }
                }
            }
            let read = txns.list(step.what);
            let external = (len as usize).checked_sub(own);
            let mut wrong = external.is_none();
            if let Some(external) = external {
                let appended = steps[..at].iter().filter(|s| s.key == step.key);
                let appended = appended.filter_map(|s| match s.what {
                    What::Write(value) => Some(value),
                    What::List(..) | What::Register(_) => None,
                });
                let skip = appended.clone().count() - own;
                wrong |= !appended.skip(skip).eq(read[external..].iter().copied());
                wrong |= before.is_some_and(|list| txns.list(list) != &read[..external]);
            }
            if wrong {
                findings.add(Class::Internal, &[txn], || {
                    let (key, txn) = (txns.key(step.key), txns.describe(txn));
                    format!("{txn} does not read what it read and appended to key {key} before")
                });
                continue;
            }
            let is_compatible = self.compatible(txns, txn, step.key, read, findings);
            if let (true, None, Some(external)) = (is_compatible, before, external) {
                let mut later = steps[at..].iter().filter(|s| s.key == step.key);
                externals.push(External {
                    key: step.key,
                    len: number(external),
                    updates: own == 0 && later.any(|s| matches!(s.what, What::Write(_))),
                });
            }
        }
    }

    /// Whether the longest list of a key begins with a read.
    fn compatible(
        &self,
        txns: &Transactions,
        txn: u32,
        key: u32,
        read: &[u32],
        findings: &mut Findings,
    ) -> bool {
        let reader = self.reader[key as usize];
        if reader == NIL {
            return true;
        }
        let longest = txns.steps(reader).iter().filter(|step| step.key == key);
        let longest = longest.map(|step| txns.list(step.what));
        let longest = longest.max_by_key(|list| list.len()).unwrap_or_default();
        if longest.starts_with(read) {
            return true;
        }
        findings.add(Class::IncompatibleOrder, &[txn, reader], || {
            let key = txns.key(key);
            let list = |list: &[u32]| Value::List(list.iter().map(|v| txns.value(*v)).collect());
            let (one, other) = (list(read), list(longest));
            format!(
                "T{txn} read {one} in key {key} and T{reader} read {other}: none begins the other"
            )
        });
        false
    }

    /// Judges what a transaction read of others.
    fn judge_read(&self, txns: &Transactions, txn: u32, read: &External, findings: &mut Findings) {
        let versions = &self.order(read.key)[..read.len as usize];
        let Some(last) = versions.last().copied().filter(|last| *last != NIL) else {
            return;
        };
        let aborted = versions.get(self.sound[read.key as usize] as usize);
        let key = txns.key(read.key);
        if let Some(write) = aborted {
            let (of, value) = (self.writes.txn(*write), self.writes.value[*write as usize]);
            findings.add(Class::G1a, &[of, txn], || {
                let value = txns.value(value);
                format!("T{txn} read {value} in key {key}, which the aborted T{of} appended")
            });
        }
        let of = self.writes.txn(last);
        let value = self.writes.value[last as usize];
        if of == txn {
            findings.add(Class::Internal, &[txn], || {
                let value = txns.value(value);
                format!("T{txn} read {value} in key {key} before it appended it itself")
            });
        } else if !self.writes.is_final[last as usize] {
            findings.add(Class::G1b, &[of, txn], || {
                let value = txns.value(value);
                format!(
                    "T{txn} read key {key} up to {value}, which is not the last that T{of} \
                     appended to it"
                )
            });
        }
    }

    /// Edges between transactions whose appends follow one another.
    fn write_edges(&self, txns: &Transactions) -> Vec<Edge> {
        let mut edges = Vec::new();
        for key in 0..number(txns.keys()) {
            let mut last = NIL;
            for write in self.order(key) {
                if *write == NIL || self.writes.status(*write, txns) == Status::Aborted {
                    continue;
                }
                let txn = self.writes.txn(*write);
                push(&mut edges, last, txn, kind::WW, key);
                last = txn;
            }
            let first = self.unread.partition_point(|(other, _)| *other < key);
            for (_, write) in self.unread[first..]
                .iter()
                .take_while(|(other, _)| *other == key)
            {
                push(&mut edges, last, self.writes.txn(*write), kind::WW, key);
            }
        }
        edges
    }

    /// Edges of a read: from who wrote what it saw, to who wrote what comes next.
    fn read_edges(
        &self,
        txns: &Transactions,
        txn: u32,
        read: &External,
        edges: &mut Vec<Edge>,
        full_reads: &mut Vec<(u32, u32)>,
    ) {
        let order = self.order(read.key);
        let in_graph =
            |write: &&u32| **write != NIL && self.writes.status(**write, txns) != Status::Aborted;
        let (seen, unseen) = order.split_at(read.len as usize);
        if let Some(write) = seen.iter().rev().find(in_graph) {
            push(edges, self.writes.txn(*write), txn, kind::WR, read.key);
        }
        match unseen.iter().find(in_graph) {
            Some(write) => push(edges, txn, self.writes.txn(*write), kind::RW, read.key),
            None => full_reads.push((read.key, txn)),
        }
    }

    /// Edges from those who read all that anybody read to those whose appends nobody read.
    fn unread_edges(&self, full_reads: &[(u32, u32)], edges: &mut Vec<Edge>) {
        let mut reads = full_reads.to_vec();
        reads.sort_unstable();
        for reads in reads.chunk_by(|one, other| one.0 == other.0) {
            let key = reads[0].0;
            let first = self.unread.partition_point(|(other, _)| *other < key);
            let unread = self.unread[first..]
                .iter()
                .take_while(|(other, _)| *other == key);
            let mut pairs = 0;
            for (_, write) in unread {
                for (_, reader) in reads {
                    pairs += 1;
                    if pairs <= PAIRS_MAX {
                        push(edges, *reader, self.writes.txn(*write), kind::RW, key);
                    }
                }
            }
        }
    }

    /// A sentence for an edge.
    pub(super) fn explain(&self, txns: &Transactions, edge: Edge) -> String {
        let Edge { from, to, key, .. } = edge;
        let name = txns.key(key);
        let order = self.order(key);
        let by = |txn: u32| move |write: &&u32| **write != NIL && self.writes.txn(**write) == txn;
        let value = |write: Option<&u32>| {
            let value = write.map(|write| txns.value(self.writes.value[*write as usize]));
            value.unwrap_or_default()
        };
        let unread = || {
            let mut all = self.unread.iter().filter(|(other, _)| *other == key);
            all.find(|(_, write)| self.writes.txn(*write) == to)
                .map(|(_, write)| write)
        };
        match edge.kind {
            kind::WW => {
                let follows = order
                    .windows(2)
                    .find(|two| by(from)(&&two[0]) && by(to)(&&two[1]));
                let (one, other) = match follows {
                    Some(two) => (value(two.first()), value(two.last())),
                    None => (
                        value(order.iter().rev().find(by(from))),
                        value(order.iter().find(by(to)).or_else(unread)),
                    ),
                };
                format!("T{to} appended {other} to key {name} after T{from} appended {one}")
            }
            kind::WR => {
                let one = value(order.iter().rev().find(by(from)));
                format!("T{to} read key {name}, in which T{from} had appended {one}")
            }
            _ => {
                let other = value(order.iter().find(by(to)).or_else(unread));
                format!("T{from} read key {name} without {other}, which T{to} appended")
            }
        }
    }
}

/// Adds an edge between two transactions, unless one is none or both are the same.
fn push(edges: &mut Vec<Edge>, from: u32, to: u32, kind: u8, key: u32) {
    if from != NIL && from != to {
        edges.push(Edge {
            from,
            to,
            kind,
            key,
        });
    }
}
