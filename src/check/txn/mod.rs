//! Transactions: which isolation level a history of them has.
//!
//! After Kingsbury & Alvaro, "Elle: inferring isolation anomalies from experimental observations"
//! (VLDB 2020): values tell who wrote them, lists tell in which order, and so the dependencies of
//! Adya's thesis follow from what clients saw. Cycles among them are anomalies.
//!
//! Time is linear in the lengths of what was read, n log n in transactions for the order of real
//! time; more only where there are cycles (see `cycles`).
//!
//! # Blind spots
//! What is found is wrong in every explanation of the history; what is not found may still be: to
//! decide serializability is NP-complete (Papadimitriou 1979) and needs what nobody saw. Predicates
//! are not looked at, so "serializable" says nothing of phantoms.

mod append;
mod cycles;
mod graph;
mod history;
mod models;
mod order;
mod register;
mod versions;
mod whitebox;

pub use history::{Status, Transactions, Workload};
pub use models::{Class, Isolation, Level, Strength};
pub use whitebox::{Commit, Mismatch, replay_commits};

use super::history::Malformed;
use super::table::number;
use graph::{Edge, kind};

/// What went wrong among transactions, and how one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What it is called.
    pub class: Class,
    /// Which order it needs, beside that of dependencies.
    pub strength: Strength,
    /// The transactions, by number; those of a cycle in its order.
    pub transactions: Vec<u32>,
    /// Why: for a cycle a sentence for each edge, the last leading back to the first.
    pub because: Vec<String>,
}

impl Anomaly {
    /// The name in the literature, such as `G-single-realtime`.
    #[must_use]
    pub fn name(&self) -> String {
        let suffix = match self.strength {
            Strength::Plain => "",
            Strength::Session => "-process",
            Strength::RealTime => "-realtime",
        };
        format!("{}{suffix}", self.class.name())
    }
}

/// What is known of a history of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolated {
    /// What went wrong; of each class some examples.
    pub anomalies: Vec<Anomaly>,
    /// The weakest levels that the history violates.
    pub violated: Vec<Level>,
    /// The strongest levels against which nothing was found.
    pub satisfied: Vec<Level>,
}

impl Isolated {
    /// Whether nothing was found against a level.
    #[must_use]
    pub fn satisfies(&self, level: Level) -> bool {
        self.satisfied.iter().any(|strong| strong.implies(level))
    }
}

/// Judges transactions.
///
/// ```
/// use stormglass::check::{Transactions, Workload, check_transactions};
///
/// // Write skew: both read what the other changes.
/// let history = r#"
///     {:process 0, :type :invoke, :f :txn, :value [[:r x nil] [:append y 1]]}
///     {:process 1, :type :invoke, :f :txn, :value [[:r y nil] [:append x 2]]}
///     {:process 0, :type :ok, :f :txn, :value [[:r x []] [:append y 1]]}
///     {:process 1, :type :ok, :f :txn, :value [[:r y []] [:append x 2]]}"#;
/// let transactions = Transactions::from_edn(Workload::ListAppend, history).unwrap();
/// let isolated = check_transactions(&transactions).unwrap();
/// assert_eq!(isolated.anomalies[0].name(), "G2-item");
/// assert_eq!(isolated.violated[0].to_string(), "repeatable-read");
/// assert_eq!(isolated.satisfied[0].to_string(), "strong-snapshot-isolation");
/// ```
///
/// # Errors
/// If a value is written to a key twice, so that nobody can tell who was read.
pub fn check_transactions(txns: &Transactions) -> Result<Isolated, Malformed> {
    check(txns, None)
}

/// Judges transactions whose order of commits is known, as in a simulation: for each transaction
/// its place in the order, `u32::MAX` if it was not committed. Registers then have all their
/// versions in order, and blind writes are judged too.
///
/// # Errors
/// As [`check_transactions`].
pub fn check_transactions_in_order(
    txns: &Transactions,
    commits: &[u32],
) -> Result<Isolated, Malformed> {
    check(txns, Some(commits))
}

fn check(txns: &Transactions, commits: Option<&[u32]>) -> Result<Isolated, Malformed> {
    Ok(match txns.workload {
        Workload::ListAppend => judge(txns, append::infer(txns)?, append::Lists::explain),
        Workload::RwRegister => judge(
            txns,
            register::infer(txns, commits)?,
            register::Registers::explain,
        ),
    })
}

/// What was inferred from the values: what is wrong already, the dependencies, and the versions
/// that explain them.
struct Inferred<V> {
    findings: Findings,
    edges: Vec<Edge>,
    versions: V,
}

fn judge<V>(
    txns: &Transactions,
    inferred: Inferred<V>,
    explain: impl Fn(&V, &Transactions, Edge) -> String,
) -> Isolated {
    let Inferred {
        findings,
        mut edges,
        versions,
    } = inferred;
    let mut anomalies = findings.anomalies;
    order::process_edges(txns, &mut edges);
    let nodes = order::realtime_edges(txns, &mut edges);
    for cycle in cycles::find(nodes, number(txns.len()), &edges) {
        let because = cycle.edges.iter().map(|edge| match edge.kind {
            kind::PROCESS => format!(
                "T{} came after T{} in process {}",
                edge.to, edge.from, txns.process[edge.to as usize]
            ),
            kind::REALTIME => format!("T{} began after T{} had ended", edge.to, edge.from),
            _ => explain(&versions, txns, *edge),
        });
        anomalies.push(Anomaly {
            class: cycle.class,
            strength: cycle.strength,
            because: because.collect(),
            transactions: cycle.edges.iter().map(|edge| edge.from).collect(),
        });
    }
    anomalies.sort_by_key(|anomaly| (anomaly.strength, anomaly.class));
    let mut found: Vec<(Class, Strength)> =
        anomalies.iter().map(|a| (a.class, a.strength)).collect();
    found.dedup();
    let (violated, satisfied) = Level::judge(&found);
    Isolated {
        anomalies,
        violated,
        satisfied,
    }
}

/// So many anomalies of each class are told.
const EXAMPLES_MAX: usize = 8;

/// Anomalies that need no cycle.
#[derive(Default)]
struct Findings {
    anomalies: Vec<Anomaly>,
}

impl Findings {
    fn add(&mut self, class: Class, transactions: &[u32], because: impl FnOnce() -> String) {
        let same = self.anomalies.iter().filter(|a| a.class == class).count();
        if same < EXAMPLES_MAX {
            self.anomalies.push(Anomaly {
                class,
                strength: Strength::Plain,
                transactions: transactions.to_vec(),
                because: vec![because()],
            });
        }
    }
}

#[cfg(test)]
mod tests;
