//! Transactions whose commits are known: judged by doing them again.
//!
//! Where a simulator tells when each transaction took its snapshot and when it was committed,
//! nothing need be inferred: a serializable history is one whose reads come out the same when its
//! transactions are done one after the other in the order of commits. Linear in steps, but for
//! lists, whose reads are compared in full.

use super::history::{NIL, Status, Transactions, What};
use crate::check::table::number;

/// When a transaction was committed, and what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The transaction.
    pub transaction: u32,
    /// How many commits it saw in its reads; those before it in the order for one that is
    /// serializable there, fewer for a snapshot.
    pub saw: u32,
}

/// A read that is not what the order of commits makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The transaction.
    pub transaction: u32,
    /// What it read, and what it should have.
    pub because: String,
}

/// Does transactions again in the order of their commits.
///
/// Each reads what the first `saw` commits left, and its own writes. With `saw` the number of all
/// commits before it, what passes is serializable; with snapshots, what passes and has no two
/// concurrent writers of a key, which is checked too, is snapshot isolated (Adya 1999, section
/// 4.3).
///
/// # Errors
/// The first mismatch; also a committed transaction that is not in the order.
///
/// # Panics
/// If a transaction saw commits that came after its own.
pub fn replay_commits(txns: &Transactions, commits: &[Commit]) -> Result<(), Mismatch> {
    let mut is_there = vec![false; txns.len()];
    let mut versions: Vec<Vec<(u32, u32)>> = vec![Vec::new(); txns.keys()];
    for (at, commit) in (0..).zip(commits) {
        assert!(commit.saw <= at, "a transaction sees earlier commits only");
        is_there[commit.transaction as usize] = true;
        replay(txns, &versions, *commit)?;
        for step in txns.steps(commit.transaction) {
            let What::Write(value) = step.what else {
                continue;
            };
            let all = &mut versions[step.key as usize];
            if let Some((last, _)) = all.last()
                && *last >= commit.saw
                && *last != at
            {
                return Err(Mismatch {
                    transaction: commit.transaction,
                    because: format!(
                        "T{} wrote key {}, which T{} had changed since its snapshot",
                        commit.transaction,
                        txns.key(step.key),
                        commits[*last as usize].transaction
                    ),
                });
            }
            all.push((at, value));
        }
    }
    let missing = |txn: &u32| txns.status(*txn) == Status::Committed && !is_there[*txn as usize];
    match (0..number(txns.len())).find(missing) {
        Some(txn) => Err(Mismatch {
            transaction: txn,
            because: format!("T{txn} was told to be committed, and is not in the order"),
        }),
        None => Ok(()),
    }
}

/// Compares the reads of one transaction with what it should see.
fn replay(
    txns: &Transactions,
    versions: &[Vec<(u32, u32)>],
    commit: Commit,
) -> Result<(), Mismatch> {
    let txn = commit.transaction;
    if txns.status(txn) != Status::Committed {
        // What it read is unknown.
        return Ok(());
    }
    let steps = txns.steps(txn);
    for (at, step) in steps.iter().enumerate() {
        let all = &versions[step.key as usize];
        let seen = &all[..all.partition_point(|(by, _)| *by < commit.saw)];
        let own = steps[..at].iter().filter(|s| s.key == step.key);
        let own = own.filter_map(|s| match s.what {
            What::Write(value) => Some(value),
            What::Register(_) | What::List(..) => None,
        });
        let mut expected = seen.iter().map(|(_, value)| *value).chain(own);
        let is_right = match step.what {
            What::Write(_) => true,
            What::Register(value) => expected.last().unwrap_or(NIL) == value,
            What::List(..) => {
                let mut read = txns.list(step.what).iter().copied();
                expected.by_ref().eq(read.by_ref())
            }
        };
        if !is_right {
            return Err(Mismatch {
                transaction: txn,
                because: format!(
                    "{} reads key {} otherwise than {} commits before had left it",
                    txns.describe(txn),
                    txns.key(step.key),
                    commit.saw
                ),
            });
        }
    }
    Ok(())
}
