//! Transactions that write registers and read them.
//!
//! Kingsbury & Alvaro, "Elle" (VLDB 2020), section 4.2: a register does not tell its past, so the
//! order of versions is known in part: a transaction that read a version and wrote another put the
//! second after the first, and the initial nil is before all. With the order of commits, which a
//! simulator knows, it is known entirely.
//!
//! # Blind spots
//! Blind writes have no order without that, so cycles through them are not found.

use super::history::{NIL, Status, Transactions, What};
use super::models::Class;
use super::versions::Writes;
use super::{Findings, Inferred};
use crate::check::history::Malformed;
use crate::check::table::number;
use crate::check::txn::graph::{Edge, kind};

/// What reads tell of the versions of each key.
pub(super) struct Registers {
    writes: Writes,
}

/// What a transaction read of others, and what it left in the key.
#[derive(Clone, Copy)]
struct Access {
    key: u32,
    txn: u32,
    /// The write that it read, [`NIL`] if the key was nil, and whether it read at all.
    read: Option<u32>,
    /// Its own last write.
    wrote: u32,
}

pub(super) fn infer(
    txns: &Transactions,
    commits: Option<&[u32]>,
) -> Result<Inferred<Registers>, Malformed> {
    let mut findings = Findings::default();
    let registers = Registers {
        writes: Writes::of(txns)?,
    };
    let mut accesses = Vec::new();
    for txn in 0..number(txns.len()) {
        if txns.status(txn) != Status::Aborted {
            registers.accesses(txns, txn, &mut accesses, &mut findings);
        }
    }
    // By key; within it, those that read the same version together.
    accesses.sort_by_key(|access| (access.key, access.read));
    let mut edges = Vec::new();
    for accesses in accesses.chunk_by(|one, other| one.key == other.key) {
        match commits {
            Some(commits) => registers.known_order(accesses, commits, &mut edges),
            None => registers.partial_order(accesses, &mut edges),
        }
        registers.lost_updates(txns, accesses, &mut findings);
    }
    Ok(Inferred {
        findings,
        edges,
        versions: registers,
    })
}

impl Registers {
    /// Judges what a transaction reads against itself, and tells what it did to each key.
    fn accesses(
        &self,
        txns: &Transactions,
        txn: u32,
        accesses: &mut Vec<Access>,
        findings: &mut Findings,
    ) {
        let start = accesses.len();
        for step in txns.steps(txn) {
            let known = accesses[start..].iter_mut().find(|a| a.key == step.key);
            match (step.what, known) {
                (What::Write(value), known) => {
                    let wrote = self.writes.find(step.key, value);
                    match known {
                        Some(access) => access.wrote = wrote,
                        None => accesses.push(Access {
                            key: step.key,
                            txn,
                            read: None,
                            wrote,
                        }),
                    }
                }
                (What::Register(value), Some(access)) => {
                    let expected = match (access.wrote, access.read) {
                        (NIL, read) => read.unwrap_or(NIL),
                        (wrote, _) => wrote,
                    };
                    let expected = match expected {
                        NIL => NIL,
                        write => self.writes.value[write as usize],
                    };
                    if expected != value {
                        findings.add(Class::Internal, &[txn], || {
                            let (key, txn) = (txns.key(step.key), txns.describe(txn));
                            format!("{txn} does not read what it read or wrote in key {key} before")
                        });
                    }
                }
                (What::Register(value), None) => {
                    let read = self.judge_read(txns, txn, step.key, value, findings);
                    accesses.push(Access {
                        key: step.key,
                        txn,
                        read,
                        wrote: NIL,
                    });
                }
                (What::List(..), _) => {}
            }
        }
    }

    /// The write that a transaction read, [`NIL`] for the initial nil; `None` if it was of nobody
    /// in the graph.
    fn judge_read(
        &self,
        txns: &Transactions,
        txn: u32,
        key: u32,
        value: u32,
        findings: &mut Findings,
    ) -> Option<u32> {
        if value == NIL {
            return Some(NIL);
        }
        let write = self.writes.find(key, value);
        let (key, value) = (txns.key(key), txns.value(value));
        if write == NIL {
            findings.add(Class::Garbage, &[txn], || {
                format!("T{txn} read {value} in key {key}, which nobody wrote")
            });
            return None;
        }
        let of = self.writes.txn(write);
        if self.writes.status(write, txns) == Status::Aborted {
            findings.add(Class::G1a, &[of, txn], || {
                format!("T{txn} read {value} in key {key}, which the aborted T{of} wrote")
            });
            return None;
        }
        if of == txn {
            findings.add(Class::Internal, &[txn], || {
                format!("T{txn} read {value} in key {key} before it wrote it itself")
            });
            return None;
        }
        if !self.writes.is_final[write as usize] {
            findings.add(Class::G1b, &[of, txn], || {
                format!(
                    "T{txn} read {value} in key {key}, which is not the last that T{of} wrote to it"
                )
            });
        }
        Some(write)
    }

    /// Edges of a key whose versions are ordered by what was read before they were written.
    fn partial_order(&self, accesses: &[Access], edges: &mut Vec<Edge>) {
        let after_nil: Vec<u32> = {
            // Others that are written come after one of these.
            let heads = |a: &&Access| a.wrote != NIL && matches!(a.read, None | Some(NIL));
            accesses.iter().filter(heads).map(|a| a.txn).collect()
        };
        for same in accesses.chunk_by(|one, other| one.read == other.read) {
            let Some(version) = same[0].read else {
                continue;
            };
            let writer = (version != NIL).then(|| self.writes.txn(version));
            let updates = same.iter().filter(|access| access.wrote != NIL);
            let next: Vec<u32> = match version {
                NIL => after_nil.clone(),
                _ => updates.map(|access| access.txn).collect(),
            };
            for access in same {
                let Access { key, txn, .. } = *access;
                if let Some(writer) = writer {
                    push(edges, writer, txn, kind::WR, key);
                    if access.wrote != NIL {
                        push(edges, writer, txn, kind::WW, key);
                    }
                }
                for next in next.iter().take(READERS_MAX) {
                    push(edges, txn, *next, kind::RW, key);
                }
            }
        }
    }

    /// Edges of a key whose versions are ordered by commits.
    fn known_order(&self, accesses: &[Access], commits: &[u32], edges: &mut Vec<Edge>) {
        let rank = |txn: u32| commits.get(txn as usize).copied().unwrap_or(NIL);
        let committed = |a: &&Access| a.wrote != NIL && rank(a.txn) != NIL;
        let mut order: Vec<u32> = accesses.iter().filter(committed).map(|a| a.txn).collect();
        order.sort_by_key(|txn| rank(*txn));
        let key = accesses[0].key;
        for two in order.windows(2) {
            push(edges, two[0], two[1], kind::WW, key);
        }
        for access in accesses {
            let next = match access.read {
                None => continue,
                Some(NIL) => 0,
                Some(write) => {
                    let writer = self.writes.txn(write);
                    push(edges, writer, access.txn, kind::WR, key);
                    order.partition_point(|txn| rank(*txn) <= rank(writer))
                }
            };
            if let Some(next) = order.get(next) {
                push(edges, access.txn, *next, kind::RW, key);
            }
        }
    }

    fn lost_updates(&self, txns: &Transactions, accesses: &[Access], findings: &mut Findings) {
        for same in accesses.chunk_by(|one, other| one.read == other.read) {
            let Some(version) = same[0].read else {
                continue;
            };
            let is_update = |a: &&Access| a.wrote != NIL && txns.status(a.txn) == Status::Committed;
            let updates: Vec<u32> = same.iter().filter(is_update).map(|a| a.txn).collect();
            for two in updates.windows(2) {
                let (one, other) = (two[0], two[1]);
                findings.add(Class::LostUpdate, &[one, other], || {
                    let key = txns.key(same[0].key);
                    let value = match version {
                        NIL => NIL,
                        write => self.writes.value[write as usize],
                    };
                    let value = txns.value(value);
                    format!("T{one} and T{other} both read {value} in key {key} and replaced it")
                });
            }
        }
    }

    /// A sentence for an edge.
    pub(super) fn explain(&self, txns: &Transactions, edge: Edge) -> String {
        let Edge { from, to, key, .. } = edge;
        let name = txns.key(key);
        let wrote = |txn: u32| {
            let values = txns.steps(txn).iter().rev().filter(|step| step.key == key);
            let mut values = values.filter_map(|step| match step.what {
                What::Write(value) => Some(txns.value(value)),
                What::Register(_) | What::List(..) => None,
            });
            values.next().unwrap_or_default()
        };
        let (one, other) = (wrote(from), wrote(to));
        match edge.kind {
            kind::WW => format!("T{to} wrote {other} to key {name} over {one} of T{from}"),
            kind::WR => format!("T{to} read key {name} as T{from} had written it"),
            _ => format!("T{from} read key {name} before T{to} wrote {other} to it"),
        }
    }
}

/// A reader has edges to so many that replaced what it read; more than one is an anomaly already.
const READERS_MAX: usize = 64;

/// Adds an edge between two transactions, unless both are the same.
fn push(edges: &mut Vec<Edge>, from: u32, to: u32, kind: u8, key: u32) {
    if from != to {
        edges.push(Edge {
            from,
            to,
            kind,
            key,
        });
    }
}
