//! What each fault of a plan does to the models, and what its end undoes.
//!
//! Owns nothing: the models have the faults, [`storm`](super::storm) knows which are on.

use super::overlay::Now;
use super::storm::{Begun, FaultRef, LinkBefore, Undo};
use super::world::World;
use crate::fault::{FaultKind, LinkChange, NamesChange, Target};
use crate::kernel::NodeId;
use crate::model::disk::{DiskLatency, Image, Rule};
use crate::model::net::{DnsConfig, Failing, LinkFault, Pair};

impl World {
    /// Does a fault that ends no process, and gives what its end has to do.
    pub(super) fn strike(&mut self, at: FaultRef, begun: &Begun) -> Undo {
        let Begun {
            planned,
            nodes,
            links,
            ..
        } = begun;
        match &planned.fault {
            FaultKind::Crash
            | FaultKind::Kill
            | FaultKind::Wipe
            | FaultKind::Stop { .. }
            | FaultKind::Pause
            | FaultKind::Suspend => unreachable!("the life of nodes is the executor's"),
            FaultKind::CrashAt { point, pass } => {
                for node in nodes {
                    self.storms.points.arm(at, *node, point, *pass);
                }
                Undo::Nothing
            }
            FaultKind::Rollback => Undo::Rollback(self.durable_images(nodes)),
            FaultKind::ClockStep { by } => {
                nodes.iter().for_each(|node| self.step_clock(*node, *by));
                Undo::Nothing
            }
            FaultKind::ClockSlew { by } => {
                nodes.iter().for_each(|node| self.slew_clock(*node, *by));
                Undo::Nothing
            }
            FaultKind::ClockDrift { ppm } => {
                for &node in nodes {
                    let before = self.drift_ppm(node);
                    let drift = &mut self.storms.drift;
                    let sum = drift.begin(at, node, *ppm, || before, add);
                    self.set_drift(node, sum);
                }
                Undo::Nothing
            }
            FaultKind::Cut => self.trouble(LinkFault::Cut, links),
            FaultKind::Clog => self.trouble(LinkFault::Clog, links),
            FaultKind::Gray { loss } => self.trouble(LinkFault::Gray(*loss), links),
            FaultKind::Delay { by } => self.trouble(LinkFault::Delay(by.clone()), links),
            FaultKind::Flap { down, up } => {
                let (down, up) = (down.clone(), up.clone());
                self.trouble(LinkFault::Flap { down, up }, links)
            }
            FaultKind::Replay { chance, after } => {
                let (chance, after) = (*chance, after.clone());
                self.trouble(LinkFault::Replay { chance, after }, links)
            }
            FaultKind::Filter { what, chance } => {
                let (what, chance) = (*what, *chance);
                self.trouble(LinkFault::Filter { what, chance }, links)
            }
            FaultKind::Refuse { chance } => self.trouble(LinkFault::Refuse(*chance), links),
            FaultKind::SlowAccept { by } => self.trouble(LinkFault::SlowAccept(by.clone()), links),
            FaultKind::CorruptStreams { chance } => {
                self.trouble(LinkFault::CorruptStream(*chance), links)
            }
            FaultKind::ShortWrites { chance } => {
                self.trouble(LinkFault::ShortWrite(*chance), links)
            }
            FaultKind::ShortReads { chance } => self.trouble(LinkFault::ShortRead(*chance), links),
            FaultKind::Reset => {
                for (a, b) in links
                    .iter()
                    .filter(|(a, b)| a < b || !links.contains(&(*b, *a)))
                {
                    self.net.reset_between(&mut self.base, *a, *b);
                }
                Undo::Nothing
            }
            FaultKind::ResetOneEnd => {
                for (node, peer) in links {
                    self.net.reset_at(&mut self.base, *node, *peer);
                }
                Undo::Nothing
            }
            FaultKind::Link(change) => {
                links
                    .iter()
                    .for_each(|pair| self.change_link(at, *pair, change));
                Undo::Nothing
            }
            FaultKind::LookupFail => self.fail_lookups(&planned.target, nodes),
            FaultKind::Lookup(change) => {
                let before = self.net.dns().clone();
                let lookup = &mut self.storms.lookup;
                let now = lookup.begin(at, (), change.clone(), || before, with_names);
                self.net.set_dns(now);
                Undo::Nothing
            }
            FaultKind::Disk { scope, faults } => {
                let (scope, faults) = (scope.clone(), *faults);
                let rule = Rule { scope, faults };
                let begin = |node: &NodeId| (*node, self.begin_disk_fault(*node, rule.clone()));
                Undo::Disks(nodes.iter().map(begin).collect())
            }
            FaultKind::DiskLatency(latency) => {
                nodes
                    .iter()
                    .for_each(|node| self.change_latency(at, *node, latency));
                Undo::Nothing
            }
            FaultKind::DiskFull { room_bytes } => {
                nodes
                    .iter()
                    .for_each(|node| self.fill_disk(at, *node, *room_bytes));
                Undo::Nothing
            }
            FaultKind::Buggify { .. } => {
                self.storms.points.buggify(at, nodes);
                Undo::Nothing
            }
            FaultKind::DropCache => {
                for &node in nodes {
                    let wall_ns = self.shown_ns(node);
                    self.disks.device(node, wall_ns).drop_cache();
                }
                Undo::Nothing
            }
        }
    }

    /// Undoes a fault that ended no process.
    pub(super) fn recover(&mut self, at: FaultRef, undo: Undo) {
        match undo {
            Undo::Nothing => {}
            Undo::Links(id) => self.net.end_fault(&mut self.base, id),
            Undo::Lookups(numbers) => {
                for number in numbers {
                    self.net.end_failing_lookups(&mut self.base, number);
                }
            }
            Undo::Disks(rules) => {
                for (node, number) in rules {
                    self.end_disk_fault(node, number);
                }
            }
            Undo::Rollback(_) => unreachable!("the life of nodes is the executor's"),
        }
        self.storms.points.disarm(at);
        for (node, now) in self.storms.drift.end(at, add) {
            self.set_drift(node, now.either());
        }
        for ((from, to), now) in self.storms.links.end(at, with_link) {
            let own = match now {
                Now::Before(before) => before.own,
                Now::Changed(changed) => Some(changed.config),
            };
            self.net.set_link(from, to, own);
        }
        for ((), now) in self.storms.lookup.end(at, with_names) {
            self.net.set_dns(now.either());
        }
        for (node, now) in self.storms.latency.end(at, latest) {
            let wall_ns = self.shown_ns(node);
            self.disks.set_latency(node, wall_ns, now.either());
        }
        for (node, now) in self.storms.room.end(at, least) {
            let wall_ns = self.shown_ns(node);
            self.disks
                .device(node, wall_ns)
                .set_capacity_pages(now.either());
        }
    }

    fn trouble(&mut self, fault: LinkFault, links: &[Pair]) -> Undo {
        if links.is_empty() {
            return Undo::Nothing;
        }
        Undo::Links(self.net.begin_fault(&mut self.base, fault, links.to_vec()))
    }

    fn change_link(&mut self, at: FaultRef, (from, to): Pair, change: &LinkChange) {
        let (own, config) = self.net.link_settings(&mut self.base, from, to);
        let before = || LinkBefore { own, config };
        let links = &mut self.storms.links;
        let now = links.begin(at, (from, to), change.clone(), before, with_link);
        self.net.set_link(from, to, Some(now.config));
    }

    fn fail_lookups(&mut self, target: &Target, nodes: &[NodeId]) -> Undo {
        let of_names = match target {
            Target::Names(names) => names.as_slice(),
            _ => &[],
        };
        let of_names = of_names.iter().cloned().map(Failing::Name);
        let of_nodes = nodes.iter().copied().map(Failing::Node);
        let begin = |failing| self.net.fail_lookups(&mut self.base, failing);
        Undo::Lookups(of_names.chain(of_nodes).map(begin).collect())
    }

    fn change_latency(&mut self, at: FaultRef, node: NodeId, change: &DiskLatency) {
        let wall_ns = self.shown_ns(node);
        let before = self.disks.latency(node, wall_ns).cloned();
        let latency = &mut self.storms.latency;
        let now = latency.begin(at, node, change.clone(), || before, latest);
        self.disks.set_latency(node, wall_ns, now);
    }

    fn fill_disk(&mut self, at: FaultRef, node: NodeId, room_bytes: u64) {
        let wall_ns = self.shown_ns(node);
        let device = self.disks.device(node, wall_ns);
        let (before, full) = (device.capacity_pages(), device.pages_with_room(room_bytes));
        let now = self.storms.room.begin(at, node, full, || before, least);
        device.set_capacity_pages(now);
    }

    fn durable_images(&mut self, nodes: &[NodeId]) -> Vec<(NodeId, Image)> {
        let image = |node: &NodeId| {
            let wall_ns = self.shown_ns(*node);
            (*node, self.disks.device(*node, wall_ns).fs.durable())
        };
        nodes.iter().map(image).collect()
    }
}

const fn add(sum: i64, by: &i64) -> i64 {
    sum.saturating_add(*by)
}

fn with_link(before: LinkBefore, change: &LinkChange) -> LinkBefore {
    LinkBefore {
        config: change.of(&before.config),
        own: before.own,
    }
}

fn with_names(before: DnsConfig, change: &NamesChange) -> DnsConfig {
    DnsConfig {
        delay: change.delay.clone().unwrap_or(before.delay),
        failure: change.failure.unwrap_or(before.failure),
        stale: change.stale.unwrap_or(before.stale),
        ..before
    }
}

fn latest(_: Option<DiskLatency>, change: &DiskLatency) -> Option<DiskLatency> {
    Some(change.clone())
}

fn least(before: Option<u64>, full: &u64) -> Option<u64> {
    Some(before.map_or(*full, |before| before.min(*full)))
}
