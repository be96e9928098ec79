//! What goes wrong, drawn from the seed: first as a plan, which is data, then done.

use std::fmt;
use std::time::Duration;

use stormglass::sim::{Node, Shift};
use stormglass::{Sim, rand, task, time};

use super::world::{CLIENTS, NODES};

/// A fault with its time.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it begins, from the beginning of the plan.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub fault: Fault,
}

/// What can go wrong. Machines are numbered: the nodes `kv-0` to `kv-4` first, then the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node loses power, and gets it back.
    Crash(usize),
    /// A node's process dies, and is started again.
    Kill(usize),
    /// A node stands still, and goes on.
    Pause(usize),
    /// Nothing gets through from the first to the second; the other way is open.
    CutOneWay(usize, usize),
    /// Some, at most half, are cut off from all others.
    Partition(Vec<usize>),
    /// A node's wall clock is moved by so many milliseconds.
    ClockStep(usize, i64),
}

const MACHINES: usize = NODES + CLIENTS;
/// How long faults are begun.
const STORM: Duration = Duration::from_secs(8);
const LASTS_MIN_MS: u64 = 20;
const LASTS_MAX_MS: u64 = 1_500;
const FAULTS_MIN: u64 = 6;
const FAULTS_MAX: u64 = 16;
const CLOCK_STEP_MAX_MS: u64 = 3_000;

/// Draws a plan. Its faults may overlap in every way: what is promised to the clients holds
/// whatever goes wrong, and only progress needs a majority.
#[must_use]
pub fn plan() -> Vec<Planned> {
    let count = between(FAULTS_MIN, FAULTS_MAX);
    let mut plan: Vec<Planned> = (0..count)
        .map(|_| Planned {
            at: Duration::from_millis(rand::below(millis(STORM))),
            lasts: Duration::from_millis(between(LASTS_MIN_MS, LASTS_MAX_MS)),
            fault: draw(),
        })
        .collect();
    plan.sort_by_key(|planned| planned.at);
    plan
}

/// Does what the plan says, and returns when the last fault is over.
pub async fn unleash(sim: Sim, machines: &[Node], plan: &[Planned]) {
    let mut faults = task::JoinSet::new();
    for planned in plan.iter().cloned() {
        faults.spawn(strike(sim, machines.to_vec(), planned));
    }
    faults.join_all().await;
}

async fn strike(sim: Sim, machines: Vec<Node>, planned: Planned) {
    let Planned { at, lasts, fault } = planned;
    time::sleep(at).await;
    tracing::info!("{fault}");
    match fault {
        Fault::Crash(node) | Fault::Kill(node) => {
            let node = machines[node];
            if matches!(fault, Fault::Crash(_)) {
                node.crash()
            } else {
                node.kill()
            };
            time::sleep(lasts).await;
            // Two such faults may overlap; the first to be over starts the node.
            if !node.is_alive() {
                node.restart();
            }
        }
        Fault::Pause(node) => {
            machines[node].pause();
            time::sleep(lasts).await;
            machines[node].resume();
        }
        Fault::CutOneWay(from, to) => {
            let (from, to) = (machines[from], machines[to]);
            let cut = sim.network().cut(from, to);
            time::sleep(lasts).await;
            cut.end();
        }
        Fault::Partition(few) => {
            let (mut cut_off, mut others) = (Vec::new(), Vec::new());
            for (number, machine) in machines.iter().enumerate() {
                if few.contains(&number) {
                    &mut cut_off
                } else {
                    &mut others
                }
                .push(*machine);
            }
            let partition = sim.network().partition(&[&cut_off, &others]);
            time::sleep(lasts).await;
            partition.end();
        }
        Fault::ClockStep(node, by_ms) => {
            let by = Duration::from_millis(by_ms.unsigned_abs());
            let shift = if by_ms < 0 {
                Shift::Back(by)
            } else {
                Shift::Forward(by)
            };
            machines[node].clock().step(shift);
        }
    }
}

fn draw() -> Fault {
    // Half of what happens to nodes happens to the first: it is the primary, so there it hurts.
    let node = || {
        if rand::chance(1, 2) {
            0
        } else {
            rand::index(NODES)
        }
    };
    match rand::below(8) {
        0 | 1 => Fault::Crash(node()),
        2 => Fault::Kill(node()),
        3 => Fault::Pause(node()),
        4 => {
            let from = rand::index(MACHINES);
            let to = (from + 1 + rand::index(MACHINES - 1)) % MACHINES;
            Fault::CutOneWay(from, to)
        }
        5 | 6 => {
            let mut few: Vec<usize> = (0..MACHINES).collect();
            rand::shuffle(&mut few);
            few.truncate(1 + rand::index(MACHINES / 2));
            few.sort_unstable();
            Fault::Partition(few)
        }
        _ => {
            let by_ms = i64::try_from(between(1, CLOCK_STEP_MAX_MS)).expect("a few seconds");
            Fault::ClockStep(node(), if rand::chance(1, 2) { by_ms } else { -by_ms })
        }
    }
}

fn between(least: u64, most: u64) -> u64 {
    least + rand::below(most - least + 1)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a short time")
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, lasts, fault } = self;
        write!(f, "at {:.3} s {fault}", at.as_secs_f64())?;
        match fault {
            Fault::ClockStep(..) => Ok(()),
            _ => write!(f, " for {:.3} s", lasts.as_secs_f64()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(node) => write!(f, "crash {}", name(*node)),
            Self::Kill(node) => write!(f, "kill {}", name(*node)),
            Self::Pause(node) => write!(f, "pause {}", name(*node)),
            Self::CutOneWay(from, to) => write!(f, "cut {} -> {}", name(*from), name(*to)),
            Self::Partition(few) => {
                let few: Vec<String> = few.iter().map(|machine| name(*machine)).collect();
                write!(f, "cut off {}", few.join(", "))
            }
            Self::ClockStep(node, by_ms) => write!(f, "step clock of {} {by_ms} ms", name(*node)),
        }
    }
}

/// The host name of a machine.
fn name(machine: usize) -> String {
    match machine.checked_sub(NODES) {
        None => format!("kv-{machine}"),
        Some(client) => format!("client-{client}"),
    }
}
