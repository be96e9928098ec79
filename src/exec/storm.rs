//! The faults of plans, as they begin and end.
//!
//! Owns which faults of which plans are on, and what each has to undo. What a fault does is the
//! models' and the [life of nodes](super::lifecycle)'; what is planned is
//! [`fault`](crate::fault)'s.

use std::panic::Location;
use std::rc::Rc;

use super::context::Context;
use super::event::Event;
use super::node::Node;
use super::overlay::{Now, Overlay};
use super::points::Points;
use super::world::World;
use crate::fault::{FaultId, FaultKind, FaultPlan, Host, LinkChange, NamesChange, PlannedFault};
use crate::fault::{Group, Nemesis, Target};
use crate::kernel::{EventKey, Kind, NodeId, Step};
use crate::model::disk::{DiskLatency, Image};
use crate::model::net::{DnsConfig, LinkConfig, LinkFaultId, Pair, Token};
use crate::model::process::{End, Standstill, State};

/// A fault of a plan of this run, by the numbers of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FaultRef {
    pub(crate) plan: u32,
    pub(crate) fault: u32,
}

/// What happens to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Begin,
    End,
}

/// All plans of a run.
#[derive(Default)]
pub(crate) struct Storms {
    plans: Vec<Storm>,
    /// How many faults keep a node down, and whether one of them took it down.
    down: Overlay<FaultRef, NodeId, (), ()>,
    still: Overlay<FaultRef, NodeId, (), Standstill>,
    pub(super) drift: Overlay<FaultRef, NodeId, i64, i64>,
    pub(super) links: Overlay<FaultRef, Pair, LinkBefore, LinkChange>,
    pub(super) lookup: Overlay<FaultRef, (), DnsConfig, NamesChange>,
    pub(super) latency: Overlay<FaultRef, NodeId, Option<DiskLatency>, DiskLatency>,
    pub(super) room: Overlay<FaultRef, NodeId, Option<u64>, u64>,
    pub(super) points: Points,
}

/// A plan of this run.
pub(crate) struct Storm {
    pub(crate) plan: FaultPlan,
    /// What its nemesis says that the system survives.
    groups: Vec<Group>,
    /// The place that put it in force.
    place: &'static Location<'static>,
    faults: Vec<Outcome>,
    /// Faults that have not ended and will.
    unended: usize,
    /// Woken when there are none.
    over: Token,
}

/// What became of a fault.
pub(super) struct Outcome {
    queued: Vec<EventKey>,
    on: bool,
    undo: Undo,
    /// What it names and there is not.
    missing: Vec<String>,
    /// It found nothing to strike.
    idle: bool,
}

/// What the end of a fault has to do, besides the overlays.
pub(super) enum Undo {
    Nothing,
    Links(LinkFaultId),
    Lookups(Vec<u64>),
    Disks(Vec<(NodeId, u64)>),
    Rollback(Vec<(NodeId, Image)>),
}

/// The settings of a link before faults changed them: its own, and those that held.
#[derive(Clone, Debug)]
pub(super) struct LinkBefore {
    pub(super) own: Option<LinkConfig>,
    pub(super) config: LinkConfig,
}

impl Context {
    /// Puts a plan in force, or the one that the run was given in its place, and gives its number.
    ///
    /// # Panics
    /// If the plan makes no sense.
    #[track_caller]
    pub(crate) fn begin_storm(&self, plan: FaultPlan) -> u32 {
        let given = self.world(|world| world.given.plans.get(world.made.plans.len()).cloned());
        let plan = given.unwrap_or(plan);
        if let Err(error) = plan.validate() {
            panic!("the fault plan makes no sense: {error}");
        }
        let place = Location::caller();
        self.world(|world| {
            world.made.plans.push(plan.clone());
            world.begin_storm(plan, place)
        })
    }

    /// Draws a plan for the nodes that there are, and puts it in force as
    /// [`begin_storm`](Self::begin_storm) does.
    ///
    /// # Panics
    /// If the nemesis makes no sense.
    #[track_caller]
    pub(crate) fn unleash(&self, nemesis: &Nemesis) -> u32 {
        let plan = self.world(|world| {
            let (hosts, choices) = (hosts(&world.nodes), &mut world.base.choices);
            let checked = nemesis.check(&hosts);
            checked.map(|()| nemesis.plan(&hosts, choices))
        });
        match plan {
            Ok(plan) => {
                let number = self.begin_storm(plan);
                let groups = nemesis.groups.clone();
                self.world(|world| world.storms.plans[number as usize].groups = groups);
                number
            }
            Err(error) => panic!("the nemesis makes no sense: {error}"),
        }
    }

    /// Ends all faults of a plan, and those that have not begun never will.
    pub(crate) fn heal_storm(self: &Rc<Self>, number: u32) {
        let faults = self.world(|world| {
            let storm = &mut world.storms.plans[number as usize];
            for state in &mut storm.faults {
                for key in state.queued.drain(..) {
                    world.base.queue.cancel(key);
                }
            }
            storm.faults.len()
        });
        for fault in 0..faults {
            let fault = u32::try_from(fault).expect("as many as a plan has");
            self.end_fault(FaultRef {
                plan: number,
                fault,
            });
        }
        self.world(|world| {
            world.storms.plans[number as usize].unended = 0;
            let over = world.storms.plans[number as usize].over;
            world.base.wake(over);
        });
    }

    /// A fault of a plan begins or ends.
    pub(super) fn fault_turn(self: &Rc<Self>, at: FaultRef, turn: Turn) {
        match turn {
            Turn::Begin => self.begin_fault(at),
            Turn::End => {
                self.end_fault(at);
                self.world(|world| world.fault_is_over(at));
            }
        }
    }

    fn begin_fault(self: &Rc<Self>, at: FaultRef) {
        let begun = self.world(|world| world.note_fault(at, Kind::FaultBegan));
        let before = self.current.step.replace(begun.step);
        let PlannedFault { fault, .. } = &begun.planned;
        let nodes = &begun.nodes;
        match fault {
            FaultKind::Crash => self.take_down(at, nodes, End::Crash),
            FaultKind::Kill => self.take_down(at, nodes, End::Kill),
            FaultKind::Wipe => {
                self.take_down(at, nodes, End::Crash);
                for &node in nodes {
                    self.world(|world| world.wipe_disk(node));
                }
            }
            FaultKind::Stop { patience } => {
                for node in nodes {
                    self.world(|world| world.hold_down(at, *node));
                    self.stop_node(*node, *patience);
                }
            }
            FaultKind::Pause => self.hold_still(at, nodes, Standstill::Paused),
            FaultKind::Suspend => self.hold_still(at, nodes, Standstill::Suspended),
            _ => self.world(|world| {
                let undo = world.strike(at, &begun);
                world.storms.state(at).undo = undo;
            }),
        }
        self.current.step.set(before);
        if begun.planned.fault.is_instant() {
            self.world(|world| world.fault_is_over(at));
        }
    }

    fn end_fault(self: &Rc<Self>, at: FaultRef) {
        let Some(begun) = self.world(|world| {
            let is_on = std::mem::take(&mut world.storms.state(at).on);
            let instant = world.storms.planned(at).fault.is_instant();
            (is_on && !instant).then(|| world.note_fault(at, Kind::FaultEnded))
        }) else {
            return;
        };
        let before = self.current.step.replace(begun.step);
        let undo =
            self.world(|world| std::mem::replace(&mut world.storms.state(at).undo, Undo::Nothing));
        if let Undo::Rollback(images) = undo {
            let nodes: Vec<NodeId> = images.iter().map(|(node, _)| *node).collect();
            self.take_down(at, &nodes, End::Crash);
            for (node, image) in images {
                self.world(|world| world.restore_disk(node, image));
            }
        } else {
            self.world(|world| world.recover(at, undo));
        }
        let resting = self.world(|world| world.storms.still.end(at, |(), _| ()));
        for (node, now) in resting {
            if now == Now::Before(()) {
                self.resume(node);
            }
        }
        let (place, rising) = self.world(|world| {
            let rising = world.storms.down.end(at, |(), ()| ());
            (world.storms.plans[at.plan as usize].place, rising)
        });
        for (node, now) in rising {
            if now == Now::Before(()) {
                self.raise(node, place);
            }
        }
        self.current.step.set(before);
    }

    /// Takes nodes down, to be started again when no fault keeps them down.
    fn take_down(self: &Rc<Self>, at: FaultRef, nodes: &[NodeId], how: End) {
        for &node in nodes {
            self.world(|world| world.hold_down(at, node));
            self.end_current(node, how);
        }
    }

    fn hold_still(&self, at: FaultRef, nodes: &[NodeId], how: Standstill) {
        for &node in nodes {
            self.world(|world| world.storms.still.begin(at, node, how, || (), |(), _| ()));
            self.stand_still(node, how);
        }
    }

    /// Starts a node that no fault keeps down any more; it stands still if a fault says so.
    fn raise(self: &Rc<Self>, node: NodeId, place: &'static Location<'static>) {
        let state = self.world(|world| world.node(node).process.state());
        if state == State::Stopping {
            // Its time to stop is not up, and the fault's is.
            self.end_current(node, End::Stop);
        }
        self.start_node(node, place);
        let still = self.world(|world| world.storms.standstill(node));
        if let Some(how) = still {
            self.stand_still(node, how);
        }
    }
}

/// A fault that begins or ends, and what it found.
pub(super) struct Begun {
    pub(super) planned: PlannedFault,
    pub(super) nodes: Vec<NodeId>,
    pub(super) links: Vec<Pair>,
    step: Step,
}

impl World {
    fn begin_storm(&mut self, plan: FaultPlan, place: &'static Location<'static>) -> u32 {
        let number = u32::try_from(self.storms.plans.len()).expect("fewer than 2^32 plans");
        let mut faults = Vec::with_capacity(plan.faults.len());
        let mut unended = 0;
        for (fault, planned) in (0..).zip(&plan.faults) {
            let at = FaultRef {
                plan: number,
                fault,
            };
            let turn = |turn| Event::Fault { at, turn };
            let mut queued = vec![self.base.push_after(planned.at, turn(Turn::Begin))];
            let end = plan.end_of(planned);
            unended += usize::from(end.is_some());
            if let Some(end) = end.filter(|_| !planned.fault.is_instant()) {
                queued.push(self.base.push_after(end, turn(Turn::End)));
            }
            faults.push(Outcome {
                queued,
                on: false,
                undo: Undo::Nothing,
                missing: Vec::new(),
                idle: false,
            });
        }
        let over = self.base.waiters.token();
        self.storms.plans.push(Storm {
            plan,
            groups: Vec::new(),
            place,
            faults,
            unended,
            over,
        });
        number
    }

    /// Finds what a fault strikes, and records its turn.
    fn note_fault(&mut self, at: FaultRef, kind: Kind) -> Begun {
        let planned = self.storms.planned(at).clone();
        let hosts = hosts(&self.nodes);
        let id = |index: usize| NodeId::new(u32::try_from(index).expect("as many as there are"));
        let (nodes, links) = (planned.target.nodes(&hosts), planned.target.links(&hosts));
        // The test's own node keeps its process: only its clocks and links can be struck.
        let bound = planned.fault.takes_nodes_down();
        let struck = nodes.found.into_iter().map(id);
        let nodes_found: Vec<NodeId> = struck
            .filter(|node| !(bound && *node == NodeId::TEST))
            .collect();
        let links_found: Vec<Pair> = links
            .found
            .into_iter()
            .map(|(a, b)| (id(a), id(b)))
            .collect();
        let count = nodes_found.len() + links_found.len();
        if kind == Kind::FaultBegan {
            let named = matches!(planned.target, Target::Names(_));
            let state = self.storms.state(at);
            state.on = true;
            state.idle = count == 0 && !named;
            state.missing = [nodes.missing, links.missing].concat();
        }
        let FaultId(number) = planned.id;
        let step = self
            .base
            .record(NodeId::TEST, kind, u64::from(number), count as u64);
        Begun {
            planned,
            nodes: nodes_found,
            links: links_found,
            step,
        }
    }

    /// A fault keeps a node down that runs, has run to its end, or is kept down already. What a
    /// test took down itself stays the test's own affair.
    pub(super) fn hold_down(&mut self, at: FaultRef, node: NodeId) {
        let process = &self.node(node).process;
        let runs = process.is_alive() || process.state() == State::Exited;
        if runs || self.storms.down.changes(&node).next().is_some() {
            let down = &mut self.storms.down;
            down.begin(at, node, (), || (), |(), ()| ());
        }
    }

    /// Whether a group of a plan's nemesis has lost its quorum: its nodes do not run now, when no
    /// fault keeps them from it. Then the run is excused.
    pub(crate) fn excuse(&mut self, number: u32) -> bool {
        let is_out = |name: &str| {
            let node = self.find_node(name);
            node.is_none_or(|node| !self.node(node).process.may_run())
        };
        let groups = &self.storms.plans[number as usize].groups;
        let lost = groups.iter().any(|group| !group.survives_without(is_out));
        self.excused |= lost;
        lost
    }

    /// Given decisions that found nothing to decide.
    pub(super) fn stale(&self) -> Vec<String> {
        let (given, made) = (&self.given, &self.made);
        let mut stale = Vec::new();
        if given.plans.len() > made.plans.len() {
            let (given, made) = (given.plans.len(), made.plans.len());
            stale.push(format!("of {given} fault plans {made} were put in force"));
        }
        // Only what was given can be stale: a test may name in a plan whom it likes.
        for storm in self.storms.plans.iter().take(given.plans.len()) {
            for (id, missing) in storm.stale() {
                let whom = if missing.is_empty() {
                    "nobody to strike".to_owned()
                } else {
                    format!("no {}", missing.join(", "))
                };
                stale.push(format!("fault {id} found {whom}"));
            }
        }
        let unknown = |name: &&String| !made.workloads.contains_key(*name);
        let workloads = given.workloads.keys().filter(unknown);
        stale.extend(workloads.map(|name| format!("there is no workload `{name}`")));
        let unknown = |name: &&String| !made.groups.contains_key(*name);
        let groups = given.groups.keys().filter(unknown);
        stale.extend(groups.map(|name| format!("there is no group `{name}`")));
        stale
    }

    fn fault_is_over(&mut self, at: FaultRef) {
        let storm = &mut self.storms.plans[at.plan as usize];
        storm.unended = storm.unended.saturating_sub(1);
        if storm.unended == 0 {
            let over = storm.over;
            self.base.wake(over);
        }
    }
}

/// The nodes, as far as a plan tells them apart.
fn hosts(nodes: &[Node]) -> Vec<Host<'_>> {
    let host = |node| {
        let Node { name, labels, .. }: &Node = node;
        Host { name, labels }
    };
    nodes.iter().map(host).collect()
}

impl Storms {
    pub(crate) fn get(&self, number: u32) -> &Storm {
        &self.plans[number as usize]
    }

    pub(super) fn planned(&self, at: FaultRef) -> &PlannedFault {
        &self.plans[at.plan as usize].plan.faults[at.fault as usize]
    }

    pub(super) fn state(&mut self, at: FaultRef) -> &mut Outcome {
        &mut self.plans[at.plan as usize].faults[at.fault as usize]
    }

    /// How faults have a node stand still, if they do; the first that began decides.
    fn standstill(&self, node: NodeId) -> Option<Standstill> {
        self.still.changes(&node).next().copied()
    }
}

impl Storm {
    /// Whether all faults that will end have ended.
    pub(crate) const fn is_over(&self) -> bool {
        self.unended == 0
    }

    pub(crate) const fn over(&self) -> Token {
        self.over
    }

    /// Faults that named a node that there was not, or found nothing to strike.
    pub(crate) fn stale(&self) -> Vec<(FaultId, Vec<String>)> {
        let states = self.plan.faults.iter().zip(&self.faults);
        let stale = states.filter(|(_, state)| state.idle || !state.missing.is_empty());
        stale
            .map(|(planned, state)| (planned.id, state.missing.clone()))
            .collect()
    }
}
