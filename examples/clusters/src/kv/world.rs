//! One run: the cluster and its clients, faults, then quiet, then the judgement.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use stormglass::sim::Node;
use stormglass::task::{JoinError, JoinHandle};
use stormglass::{Config, Policy, Sim, rand, time};

use super::bug::Bug;
use super::client::{Client, Unanswered};
use super::history::{History, What};
use super::judge::{self, Property, Violation};
use super::log::Log;
use super::message::Action;
use super::nemesis::{self, Planned};
use super::nvram::Nvram;
use super::primary_server::serve_primary;
use super::replica_server::serve_replica;

/// Nodes of the cluster.
pub const NODES: usize = 5;
/// Clients.
pub const CLIENTS: usize = 3;

/// Few keys, so that the clients meet on them.
const KEYS: u64 = 3;
/// Time between two operations of a client, at most.
const THINK_MAX_US: u64 = 60_000;
/// After the faults are over, time for timeouts and pauses between attempts to run out, before
/// every operation must be answered.
const SETTLE: Duration = Duration::from_secs(3);
/// Operations of each client that must be answered then.
const QUIET_OPERATIONS: u32 = 10;
/// Time for the last entries to reach all replicas.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What happened in a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The faults that were done.
    pub plan: Vec<Planned>,
    /// What the clients saw.
    pub history: History,
    /// Entries of the primary's log at the end.
    pub entries: usize,
    /// How often each node was started.
    pub starts: Vec<u32>,
    /// Whether all promises were kept.
    pub verdict: Result<(), Violation>,
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
pub async fn run(sim: Sim, bug: Option<Bug>) -> Report {
    let memories: Vec<Nvram> = (0..NODES).map(|_| Nvram::default()).collect();
    let nodes = start_cluster(sim, &memories, bug);
    let clients: Vec<Node> = (0..CLIENTS)
        .map(|number| sim.node(format!("client-{number}")).idle())
        .collect();
    let machines = [nodes.as_slice(), &clients].concat();

    let world = World {
        sim,
        history: Rc::default(),
        storm: Rc::new(Cell::new(true)),
    };
    let plan = nemesis::plan();
    let working = world.put_to_work(&clients);
    nemesis::unleash(sim, &machines, &plan).await;
    sim.network().heal_all();
    time::sleep(SETTLE).await;
    world.storm.set(false);
    let mut progress = Ok(());
    for worker in working {
        let worked = worker.await;
        let stopped = |error: JoinError| Err(Violation::new(Property::Progress, error.to_string()));
        progress = progress.and(worked.unwrap_or_else(stopped));
    }
    time::sleep(CATCH_UP).await;

    let logs: Vec<Log> = memories.iter().map(|memory| memory.read().log).collect();
    let history = world.history.take();
    let verdict = judge::linearizable(&history)
        .and_then(|()| judge::nothing_lost(&history, &logs[0]))
        .and(progress)
        .and_then(|()| judge::replicas_equal(&logs));
    Report {
        plan,
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
            node.run(move |_| serve_primary(replicas.clone(), memory.clone(), bug))
        } else {
            node.run(move |_| serve_replica(memory.clone()))
        });
    }
    nodes
}

/// What the clients share with the test: they are its instruments, not part of the system.
#[derive(Clone)]
struct World {
    sim: Sim,
    history: Rc<RefCell<History>>,
    /// Whether the faults are still going on.
    storm: Rc<Cell<bool>>,
}

impl World {
    fn put_to_work(&self, clients: &[Node]) -> Vec<JoinHandle<Result<(), Violation>>> {
        let work = |(id, node): (u32, &Node)| node.spawn(self.clone().work(id));
        (0..).zip(clients).map(work).collect()
    }

    /// Works while there are faults, then some operations more, of which each must be answered.
    async fn work(self, id: u32) -> Result<(), Violation> {
        let mut client = Client::new(id, "kv-0");
        let mut count = 0;
        while self.storm.get() {
            count += 1;
            // Faults are going on: no answer is an answer too, and it is recorded.
            let _ = self.operate(&mut client, id, count).await;
        }
        for _ in 0..QUIET_OPERATIONS {
            count += 1;
            if let Err(unanswered) = self.operate(&mut client, id, count).await {
                let detail = format!("client-{id} got {unanswered}");
                return Err(Violation::new(Property::Progress, detail));
            }
        }
        Ok(())
    }

    async fn operate(&self, client: &mut Client, id: u32, count: u32) -> Result<(), Unanswered> {
        time::sleep(Duration::from_micros(rand::below(THINK_MAX_US))).await;
        let key = format!("k{}", rand::below(KEYS));
        let action = if rand::chance(1, 2) {
            Action::Get { key }
        } else {
            // No two writes write the same value: the judge needs it.
            Action::Put {
                key,
                value: format!("c{id}-{count}"),
            }
        };
        self.record(id, What::Invoke(action.clone()));
        let answer = client.ask(action).await;
        self.record(
            id,
            match &answer {
                Ok(held) => What::Ok(held.clone()),
                Err(Unanswered::Unknown) => What::Info,
                Err(Unanswered::NotDone) => What::Fail,
            },
        );
        answer.map(drop)
    }

    fn record(&self, client: u32, what: What) {
        self.history
            .borrow_mut()
            .record(self.sim.elapsed(), client, what);
    }
}
