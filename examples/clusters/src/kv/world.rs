//! One run: the cluster and its clients, faults, then quiet, then the judgement.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormglass::fault::FaultPlan;
use stormglass::sim::Node;
use stormglass::{Config, Policy, Sim, rand, time};

use super::bug::Bug;
use super::client::{Client, Unanswered};
use super::history::{History, What};
use super::judge::{self, Violation};
use super::log::Log;
use super::message::Action;
use super::nemesis;
use super::nvram::Nvram;
use super::primary_server::serve_primary;
use super::replica_server::serve_replica;

/// Nodes of the cluster.
pub const NODES: usize = 5;
/// Clients.
pub const CLIENTS: u32 = 3;

/// Few keys, so that the clients meet on them.
const KEYS: u64 = 3;
/// Operations of each client while there are faults.
const OPERATIONS: u32 = 200;
/// Time between two operations of a client, at most: they last about as long as the faults.
const THINK_MAX_MS: u64 = 80;
/// Operations of each client that must be answered when the faults are over.
const QUIET_OPERATIONS: u32 = 10;
/// How long all of that may take. Timeouts and pauses between attempts have to run out first.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// Time for the last entries to reach all replicas.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What happened in a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The faults that were done.
    pub plan: FaultPlan,
    /// What the clients saw.
    pub history: History,
    /// Entries of the primary's log at the end.
    pub entries: usize,
    /// How often each node was started.
    pub starts: Vec<u32>,
    /// Whether all promises about data were kept. That of progress ends the run if it is broken.
    pub verdict: Result<(), Violation>,
}

/// An operation of a client, as it is planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    /// When it begins, in milliseconds, or as soon as the one before it has ended. So one that is
    /// taken out leaves the others at their times.
    pub at_ms: u64,
    /// What it is.
    pub action: Action,
}

/// The configuration of a run.
#[must_use]
pub fn config() -> Config {
    Config {
        policy: Policy::BySeed,
        time_limit: Duration::from_secs(120),
        ..Config::default()
    }
}

/// Runs the cluster through a storm of faults, and judges it.
///
/// # Panics
/// If a client's task is ended by someone else: no fault strikes clients.
pub async fn run(sim: Sim, bug: Option<Bug>) -> Report {
    let memories: Vec<Nvram> = (0..NODES).map(|_| Nvram::new(bug)).collect();
    let nodes = start_cluster(sim, &memories, bug);
    let names = |nodes: &[Node]| nodes.iter().map(Node::name).collect();
    let clients: Vec<Node> = (0..CLIENTS)
        .map(|number| sim.node(format!("client-{number}")).idle())
        .collect();

    let storm = sim.unleash(&nemesis::nemesis(names(&nodes), names(&clients)));
    let history: Rc<RefCell<History>> = Rc::default();
    let mut working = Vec::new();
    for (id, node) in (0..).zip(&clients) {
        let worker = Worker {
            sim,
            id,
            client: Client::new(id, "kv-0", bug),
            history: history.clone(),
        };
        let busy = sim.workload(&node.name(), || operations(id, OPERATIONS, ""));
        let quiet = format!("{} when all is quiet", node.name());
        let quiet = sim.workload(&quiet, || operations(id, QUIET_OPERATIONS, "q"));
        working.push((node.spawn(worker.work(busy)), *node, quiet));
    }
    let served = async {
        for (worker, node, quiet) in working {
            let worker = worker.await.expect("clients are not struck");
            let served = node.spawn(worker.insist(quiet)).await;
            served.expect("clients are not struck");
        }
    };
    let promise = "all clients are served when the faults are over";
    storm.quiet(promise, QUIET_MAX, served).await;
    time::sleep(CATCH_UP).await;

    let logs: Vec<Log> = memories.iter().map(|memory| memory.read().log).collect();
    let history = history.take();
    let verdict = judge::linearizable(&history)
        .and_then(|()| judge::nothing_lost(&history, &logs[0]))
        .and_then(|()| judge::replicas_equal(&logs));
    Report {
        plan: storm.plan(),
        history,
        entries: logs[0].len(),
        starts: nodes.iter().map(Node::incarnation).collect(),
        verdict,
    }
}

/// Starts the primary, `kv-0`, and the replicas. A node's memory is captured by its program's
/// factory: that is how it survives.
fn start_cluster(sim: Sim, memories: &[Nvram], bug: Option<Bug>) -> Vec<Node> {
    let names: Vec<String> = (0..memories.len())
        .map(|number| format!("kv-{number}"))
        .collect();
    let replicas = names[1..].to_vec();
    let mut nodes = Vec::new();
    for (name, memory) in names.iter().zip(memories) {
        let memory = memory.clone();
        let node = sim.node(name);
        nodes.push(if nodes.is_empty() {
            let replicas = replicas.clone();
            node.label("role", "leader")
                .run(move |_| serve_primary(replicas.clone(), memory.clone(), bug))
        } else {
            node.run(move |_| serve_replica(memory.clone()))
        });
    }
    nodes
}

/// Draws the operations of a client.
fn operations(id: u32, count: u32, mark: &str) -> Vec<Planned> {
    let mut at_ms = 0;
    let mut operation = |number| {
        at_ms += rand::below(THINK_MAX_MS + 1);
        let key = format!("k{}", rand::below(KEYS));
        let action = if rand::chance(1, 2) {
            Action::Get { key }
        } else {
            // No two writes write the same value: the judge needs it.
            Action::Put {
                key,
                value: format!("c{id}-{mark}{number}"),
            }
        };
        Planned { at_ms, action }
    };
    (1..=count).map(&mut operation).collect()
}

/// A client at work: an instrument of the test, not a part of the system.
struct Worker {
    sim: Sim,
    id: u32,
    client: Client,
    history: Rc<RefCell<History>>,
}

impl Worker {
    /// Does what is planned. Faults are going on: no answer is an answer too, and it is recorded.
    async fn work(mut self, planned: Vec<Planned>) -> Self {
        for Planned { at_ms, action } in planned {
            let wait = Duration::from_millis(at_ms).saturating_sub(self.sim.elapsed());
            time::sleep(wait).await;
            let _ = self.operate(action).await;
        }
        self
    }

    /// Does what is planned until each operation is answered.
    async fn insist(mut self, planned: Vec<Planned>) {
        for Planned { action, .. } in planned {
            for again in 0_u32.. {
                let action = match &action {
                    Action::Put { key, value } if again > 0 => Action::Put {
                        key: key.clone(),
                        value: format!("{value}-again-{again}"),
                    },
                    Action::Put { .. } | Action::Get { .. } => action.clone(),
                };
                if self.operate(action).await.is_ok() {
                    break;
                }
            }
        }
    }

    async fn operate(&mut self, action: Action) -> Result<(), Unanswered> {
        self.record(What::Invoke(action.clone()));
        let answer = self.client.ask(action).await;
        self.record(match &answer {
            Ok(held) => What::Ok(held.clone()),
            Err(Unanswered::Unknown) => What::Info,
            Err(Unanswered::NotDone) => What::Fail,
        });
        answer.map(drop)
    }

    fn record(&self, what: What) {
        let mut history = self.history.borrow_mut();
        history.record(self.sim.elapsed(), self.id, what);
    }
}
