//! What is simpler than a fault, a time, a configuration.
//!
//! Owns the order: fewer digits first, then shorter; a fault without parameters before one with
//! them. Everything given is strictly simpler than what it is given for, so that whoever goes on
//! with it comes to an end.

use core::time::Duration;

use crate::exec::Policy;
use crate::fault::{FaultKind, FaultPlan, LinkChange, NamesChange, PlannedFault, Shift};
use crate::kernel::{Distribution, Probability};
use crate::model::disk::{CrashOdds, DiskFaults, DiskLatency};
use crate::sim::Config;

/// Changes of a configuration that make runs more alike, each a kind of noise.
pub(super) const NOISE: &[fn(&mut Config)] = &[
    |config| config.policy = Policy::Fifo,
    |config| {
        config.link.loss = Probability::NEVER;
        config.link.duplicate = Probability::NEVER;
        config.link.reorder = Probability::NEVER;
        config.link.corrupt = Probability::NEVER;
    },
    |config| {
        config.dns.failure = Probability::NEVER;
        config.dns.stale = Probability::NEVER;
    },
    |config| config.disk.faults = DiskFaults::NONE,
    |config| config.disk.crash = CrashOdds::SYNCED_ONLY,
    |config| config.link.bandwidth = None,
    |config| settle(&mut config.link.latency),
    |config| settle(&mut config.link.base_latency),
    |config| settle(&mut config.link.reorder_delay),
    |config| settle(&mut config.dns.delay),
    |config| settle(&mut config.blocking),
    |config| {
        let each = latencies(&mut config.disk_latency);
        each.into_iter().for_each(settle);
    },
];

/// Makes a distribution constant.
fn settle(distribution: &mut Distribution) {
    if distribution.constant().is_none() {
        *distribution = Distribution::Constant(distribution.typical());
    }
}

fn latencies(latency: &mut DiskLatency) -> [&mut Distribution; 5] {
    [
        &mut latency.read,
        &mut latency.write,
        &mut latency.sync,
        &mut latency.metadata,
        &mut latency.stall,
    ]
}

/// Faults that are simpler than this one, the simplest first.
pub(super) fn faults(planned: &PlannedFault) -> Vec<PlannedFault> {
    let kinds = kinds(&planned.fault).into_iter().map(|fault| PlannedFault {
        fault,
        ..planned.clone()
    });
    let times = rounder(planned.at).into_iter().map(|at| PlannedFault {
        at,
        ..planned.clone()
    });
    let lasts = planned.duration.map(shorter).unwrap_or_default();
    let durations = lasts.into_iter().map(|duration| PlannedFault {
        duration: Some(duration),
        ..planned.clone()
    });
    kinds.chain(durations).chain(times).collect()
}

/// Simpler times at which all ends: none, if all faults end by themselves.
pub(super) fn heals(plan: &FaultPlan) -> Vec<Option<Duration>> {
    let Some(heal) = plan.heal else {
        return Vec::new();
    };
    let unhealed = FaultPlan {
        heal: None,
        ..plan.clone()
    };
    let none = unhealed.end().map(|_| None);
    none.into_iter()
        .chain(rounder(heal).into_iter().map(Some))
        .collect()
}

/// Kinds that are simpler, with the same aim and the same way of ending.
fn kinds(fault: &FaultKind) -> Vec<FaultKind> {
    match fault {
        FaultKind::Wipe | FaultKind::Rollback => vec![FaultKind::Kill, FaultKind::Crash],
        FaultKind::Crash => vec![FaultKind::Kill],
        FaultKind::Suspend => vec![FaultKind::Pause],
        FaultKind::Stop { patience } => {
            let patience = shorter(*patience).into_iter();
            let stops = patience.map(|patience| FaultKind::Stop { patience });
            [FaultKind::Kill].into_iter().chain(stops).collect()
        }
        FaultKind::CrashAt { point, pass } => {
            let fewer = [1, pass / 2].into_iter();
            let fewer = fewer.filter(|fewer| (1..*pass).contains(fewer));
            let at = |pass| FaultKind::CrashAt {
                point: point.clone(),
                pass,
            };
            fewer.map(at).collect()
        }
        FaultKind::ClockStep { by } => {
            let simpler = shifts(*by).into_iter();
            simpler.map(|by| FaultKind::ClockStep { by }).collect()
        }
        FaultKind::ClockSlew { by } => {
            let simpler = shifts(*by).into_iter();
            simpler.map(|by| FaultKind::ClockSlew { by }).collect()
        }
        FaultKind::ClockDrift { ppm } => {
            let units = [100_000, 10_000, 1_000].into_iter();
            let round = units.map(|unit| ppm / unit * unit);
            let round = round.filter(|round| *round != 0 && round != ppm);
            round.map(|ppm| FaultKind::ClockDrift { ppm }).collect()
        }
        FaultKind::Flap { down, up } => {
            let (mut calm_down, mut calm_up) = (down.clone(), up.clone());
            settle(&mut calm_down);
            settle(&mut calm_up);
            let calm = FaultKind::Flap {
                down: calm_down,
                up: calm_up,
            };
            let mut simpler = vec![FaultKind::Cut];
            simpler.extend((calm != *fault).then_some(calm));
            simpler
        }
        FaultKind::Gray { loss } => {
            let half = Probability::percent(50);
            let mut simpler = vec![FaultKind::Cut];
            let round = *loss != half && !loss.is_always();
            simpler.extend(round.then_some(FaultKind::Gray { loss: half }));
            simpler
        }
        FaultKind::Delay { by } => {
            let by = match by.constant() {
                Some(by) => shorter(by),
                None => vec![by.min(), by.typical()],
            };
            let positive = by.into_iter().filter(|by| !by.is_zero());
            let constant = positive.map(Distribution::Constant);
            constant.map(|by| FaultKind::Delay { by }).collect()
        }
        FaultKind::Link(change) => links(change).into_iter().map(FaultKind::Link).collect(),
        FaultKind::Lookup(change) => names(change).into_iter().map(FaultKind::Lookup).collect(),
        FaultKind::Disk { scope, faults } => {
            let disk = |faults| FaultKind::Disk {
                scope: scope.clone(),
                faults,
            };
            disks(faults).into_iter().map(disk).collect()
        }
        FaultKind::DiskLatency(latency) => {
            let mut calm = latency.clone();
            latencies(&mut calm).into_iter().for_each(settle);
            let changed = calm != *latency;
            let calm = changed.then_some(FaultKind::DiskLatency(calm));
            calm.into_iter().collect()
        }
        FaultKind::DiskFull { room_bytes: 1.. } => vec![FaultKind::DiskFull { room_bytes: 0 }],
        FaultKind::Buggify {
            sites,
            active,
            fires,
        } if !(active.is_always() && fires.is_always()) => vec![FaultKind::Buggify {
            sites: sites.clone(),
            active: Probability::ALWAYS,
            fires: Probability::ALWAYS,
        }],
        _ => Vec::new(),
    }
}

/// A change of links without one of the things that it changes.
fn links(change: &LinkChange) -> Vec<LinkChange> {
    without(
        change,
        &LinkChange::default(),
        &[
            |less| less.latency = None,
            |less| less.loss = None,
            |less| less.duplicate = None,
            |less| less.reorder = None,
            |less| less.reorder_delay = None,
            |less| less.corrupt = None,
            |less| less.bandwidth = None,
        ],
    )
}

fn names(change: &NamesChange) -> Vec<NamesChange> {
    without(
        change,
        &NamesChange::default(),
        &[
            |less| less.delay = None,
            |less| less.failure = None,
            |less| less.stale = None,
        ],
    )
}

fn disks(faults: &DiskFaults) -> Vec<DiskFaults> {
    without(
        faults,
        &DiskFaults::NONE,
        &[
            |less| less.read_error = Probability::NEVER,
            |less| less.write_error = Probability::NEVER,
            |less| less.short_write = Probability::NEVER,
            |less| less.sync_error = Probability::NEVER,
            |less| less.sync_lie = Probability::NEVER,
            |less| less.latent_sector = Probability::NEVER,
            |less| less.bit_rot = Probability::NEVER,
            |less| less.misdirected_read = Probability::NEVER,
            |less| less.lost_write = Probability::NEVER,
            |less| less.misdirected_write = Probability::NEVER,
            |less| less.metadata_error = Probability::NEVER,
            |less| less.read_only = Probability::NEVER,
            |less| less.stall = Probability::NEVER,
        ],
    )
}

/// What is left of a whole when each part of it is taken out that is there, if anything is left.
fn without<T: Clone + PartialEq>(whole: &T, nothing: &T, parts: &[fn(&mut T)]) -> Vec<T> {
    let less = parts.iter().map(|take_out| {
        let mut less = whole.clone();
        take_out(&mut less);
        less
    });
    less.filter(|less| less != whole && less != nothing)
        .collect()
}

fn shifts(by: Shift) -> Vec<Shift> {
    let (how_far, back): (Duration, fn(Duration) -> Shift) = match by {
        Shift::Forward(how_far) => (how_far, Shift::Forward),
        Shift::Back(how_far) => (how_far, Shift::Back),
    };
    shorter(how_far).into_iter().map(back).collect()
}

/// Times of fewer digits that are no later, the shortest first.
fn rounder(time: Duration) -> Vec<Duration> {
    let ns = time.as_nanos();
    let floors = UNITS_NS.iter().map(|unit| ns / unit * unit);
    let mut simpler: Vec<Duration> = [0]
        .into_iter()
        .chain(floors)
        .filter(|floor| digits(*floor) < digits(ns))
        .map(from_ns)
        .collect();
    simpler.dedup();
    simpler
}

/// Durations that are shorter, of one digit or of fewer than this, and not zero.
fn shorter(duration: Duration) -> Vec<Duration> {
    let ns = duration.as_nanos();
    let units = UNITS_NS.iter().rev().copied().filter(|unit| *unit < ns);
    let mut simpler: Vec<Duration> = units.map(from_ns).collect();
    let rounder = rounder(duration).into_iter();
    simpler.extend(rounder.filter(|time| !time.is_zero()));
    let mut seen = Vec::new();
    simpler.retain(|one| {
        let is_new = !seen.contains(one);
        seen.push(*one);
        is_new
    });
    simpler
}

/// Significant digits.
fn digits(mut ns: u128) -> u32 {
    while ns != 0 && ns.is_multiple_of(10) {
        ns /= 10;
    }
    ns.checked_ilog10().map_or(0, |log| log + 1)
}

fn from_ns(ns: u128) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// Ten seconds to a millisecond.
const UNITS_NS: [u128; 5] = [
    10_000_000_000,
    1_000_000_000,
    100_000_000,
    10_000_000,
    1_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Target;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn times_become_rounder_and_durations_shorter() {
        assert_eq!(rounder(ms(4_321)), [ms(0), ms(4_000), ms(4_300), ms(4_320)]);
        assert_eq!(rounder(ms(4_000)), [ms(0)]);
        assert_eq!(rounder(ms(0)), []);
        assert_eq!(shorter(ms(320)), [ms(1), ms(10), ms(100), ms(300)]);
        assert_eq!(shorter(ms(1)), []);
    }

    #[test]
    fn what_is_simpler_comes_to_an_end() {
        let mut plan = FaultPlan::new();
        let loss = Probability::percent(3);
        let change = LinkChange {
            loss: Some(loss),
            corrupt: Some(loss),
            ..LinkChange::default()
        };
        let distribution = Distribution::Uniform {
            min: ms(3),
            max: ms(77),
        };
        let (down, up) = (distribution.clone(), distribution.clone());
        let all = Target::link("a", "*");
        plan.add(ms(1_234), FaultKind::Wipe, Target::node("a"));
        plan.add(ms(1), FaultKind::Link(change), all.clone());
        plan.add(ms(77), FaultKind::Flap { down, up }, all.clone());
        plan.add(ms(0), FaultKind::Gray { loss }, all.clone());
        plan.add(ms(0), FaultKind::Delay { by: distribution }, all);
        let by = Shift::Back(ms(12_345));
        plan.add(ms(9), FaultKind::ClockStep { by }, Target::node("a"));
        let ppm = -123_456;
        plan.add(ms(9), FaultKind::ClockDrift { ppm }, Target::node("a"));
        for mut planned in plan.faults {
            if !planned.fault.is_instant() {
                planned.duration = Some(ms(3_333));
            }
            // Along each path, the first and the last that is given.
            for last in [false, true] {
                let mut one = planned.clone();
                let mut steps = 0;
                loop {
                    let mut simpler = faults(&one);
                    assert!(!simpler.contains(&one), "{one:?}");
                    let next = if last {
                        simpler.pop()
                    } else {
                        simpler.into_iter().next()
                    };
                    let Some(next) = next else { break };
                    one = next;
                    steps += 1;
                    assert!(steps < 100, "{one:?}");
                }
                assert!(steps > 0, "{planned:?}");
            }
        }
    }

    #[test]
    fn noise_is_quieted() {
        let mut config = Config {
            policy: Policy::BySeed,
            ..Config::default()
        };
        config.link.loss = Probability::percent(1);
        for change in NOISE {
            change(&mut config);
        }
        assert_eq!(config.policy, Policy::Fifo);
        assert!(config.link.loss.is_never());
        let typical = Duration::from_micros(1_250);
        assert_eq!(config.link.latency, Distribution::Constant(typical));
        assert_eq!(config.validate(), Ok(()));
    }
}
