//! The orders that transactions have from outside: of their process, and of real time.

use super::graph::{Edge, kind};
use super::history::{NIL, Status, Transactions};
use crate::check::table::{Interner, number};

/// Adds edges from each committed transaction to the next of its process.
pub(super) fn process_edges(txns: &Transactions, edges: &mut Vec<Edge>) {
    let mut processes: Interner<u32> = Interner::default();
    let mut last: Vec<u32> = Vec::new();
    // They are in the order of their ends, which within a process is that of their beginnings.
    for txn in 0..number(txns.len()) {
        if txns.status(txn) == Status::Aborted {
            continue;
        }
        let process = processes.intern(txns.process[txn as usize]) as usize;
        if process == last.len() {
            last.push(NIL);
        }
        let before = std::mem::replace(&mut last[process], txn);
        if before != NIL {
            edges.push(Edge {
                from: before,
                to: txn,
                kind: kind::PROCESS,
                key: 0,
            });
        }
    }
}

/// Adds the order of real time: from each committed transaction to all that began after its end.
///
/// So many edges would be a square. Instead there is a node more for each end, in a line: a
/// transaction leads to its end, and the last end before a transaction's beginning leads to it.
/// Returns how many nodes there are now.
pub(super) fn realtime_edges(txns: &Transactions, edges: &mut Vec<Edge>) -> u32 {
    let len = number(txns.len());
    let mut push = |from, to| {
        edges.push(Edge {
            from,
            to,
            kind: kind::REALTIME,
            key: 0,
        });
    };
    // They are in the order of their ends.
    let mut ends = Vec::with_capacity(txns.len());
    for txn in 0..len {
        if txns.status(txn) == Status::Committed {
            let end = len + number(ends.len());
            push(txn, end);
            if !ends.is_empty() {
                push(end - 1, end);
            }
            ends.push(txns.complete[txn as usize]);
        }
    }
    for txn in 0..len {
        if txns.status(txn) == Status::Aborted {
            continue;
        }
        let before = ends.partition_point(|end| *end < txns.invoke[txn as usize]);
        if before > 0 {
            push(len + number(before) - 1, txn);
        }
    }
    len + number(ends.len())
}
