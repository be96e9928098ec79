//! What can go wrong: every fault of the models, by the field's names, with its parameters.
//!
//! Owns the list of kinds, at what each aims, and which families of counters tell whether it bit.
//! It must never know when a fault happens or to whom.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::target::Target;
use crate::kernel::span::{self, Span};
use crate::kernel::{Distribution, Family, Probability};
use crate::model::Shift;
use crate::model::disk::{DiskFaults, DiskLatency, DiskScope};
use crate::model::net::{Bandwidth, LinkConfig, PacketFilter};

/// A fault and its parameters.
///
/// Faults with a duration end by themselves; those of one kind add up, and a node or a link that
/// two of them strike is well again when both have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FaultKind {
    /// Nodes lose power: what no sync made durable may be lost. They are started again at the end.
    Crash,
    /// The processes of nodes die; their machines stay up. They are started again at the end.
    Kill,
    /// Nodes are asked to stop, and killed if they have not after `patience`, or at the end. They
    /// are started again then.
    Stop {
        /// How long they may take.
        #[serde(with = "span::text")]
        patience: Duration,
    },
    /// Nodes stand still, while packets arrive and their clocks go on.
    Pause,
    /// Nodes stand still, and their monotonic clocks too, as a virtual machine does.
    Suspend,
    /// A node loses power when its program passes a [named point](crate::crash_point), and is
    /// started again at the end.
    CrashAt {
        /// The point's name.
        point: String,
        /// At which pass since the fault began, from 1.
        pass: u32,
    },
    /// Nodes lose power and all that their disks held. They are started again at the end.
    Wipe,
    /// The disks of nodes are as they were when the fault began: at its end the nodes lose power,
    /// and are started again with them, as a virtual machine that is rolled back.
    Rollback,

    /// The wall clocks of nodes jump. It is not undone.
    ClockStep {
        /// How far.
        by: Shift,
    },
    /// The wall clocks of nodes are moved at 500 parts per million. It is not undone.
    ClockSlew {
        /// How far.
        by: Shift,
    },
    /// The clocks of nodes run too fast, or too slow if negative; drifts add up.
    ClockDrift {
        /// By so many parts per million; above -1,000,000.
        ppm: i64,
    },

    /// Links are cut: nothing passes, and whoever sends is told nothing.
    Cut,
    /// Links are cut and whole by turns.
    Flap {
        /// How long they are cut.
        down: Distribution,
        /// How long they are whole.
        up: Distribution,
    },
    /// Links lose packets with a chance: neither whole nor cut.
    Gray {
        /// The chance.
        loss: Probability,
    },
    /// Packets take longer.
    Delay {
        /// By how much, drawn for each.
        by: Distribution,
    },
    /// Datagrams come once more, long after the first time, to whoever is there by then.
    Replay {
        /// The chance.
        chance: Probability,
        /// How long after the first time.
        after: Distribution,
    },
    /// Packets of a kind are lost with a chance, and all others pass.
    Filter {
        /// Which.
        what: PacketFilter,
        /// The chance.
        chance: Probability,
    },
    /// Packets are kept, and go on in order at the end.
    Clog,
    /// Connections are refused with a chance, though somebody listens.
    Refuse {
        /// The chance.
        chance: Probability,
    },
    /// Connections wait to be accepted.
    SlowAccept {
        /// How long.
        by: Distribution,
    },
    /// Bits of streams are flipped behind the checksum.
    CorruptStreams {
        /// The chance, for each packet.
        chance: Probability,
    },
    /// Writes of streams take a part of what they could.
    ShortWrites {
        /// The chance.
        chance: Probability,
    },
    /// Reads of streams give a part of what is there.
    ShortReads {
        /// The chance.
        chance: Probability,
    },
    /// All connections over these links are reset, at both ends. It is not undone.
    Reset,
    /// Connections over these links are reset at the end that sends on the link, and stay half-open
    /// at the other. It is not undone.
    ResetOneEnd,
    /// Links behave otherwise.
    Link(LinkChange),

    /// Lookups fail: of these names, or by these nodes.
    LookupFail,
    /// The name server behaves otherwise, for all nodes; the target is nodes, `*`.
    Lookup(NamesChange),

    /// A part of the disks of nodes fails.
    Disk {
        /// Which part.
        #[serde(default)]
        scope: DiskScope,
        /// How.
        faults: DiskFaults,
    },
    /// The disks of nodes take otherwise long.
    DiskLatency(DiskLatency),
    /// The disks of nodes have room for so many bytes more.
    DiskFull {
        /// How many; 0 is none.
        room_bytes: u64,
    },
    /// Places of the programs of nodes that are marked by [`buggify!`](crate::buggify) take their
    /// rare way.
    Buggify {
        /// The names of places; none are all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sites: Vec<String>,
        /// The chance that a place is active in a run at all.
        active: Probability,
        /// The chance that an active place takes the rare way, each time.
        fires: Probability,
    },
    /// The page caches of nodes drop what is on the disk. It is not undone.
    DropCache,
}

/// What of a link's settings is changed; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkChange {
    /// [`LinkConfig::latency`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Distribution>,
    /// [`LinkConfig::loss`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Probability>,
    /// [`LinkConfig::duplicate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Probability>,
    /// [`LinkConfig::reorder`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Probability>,
    /// [`LinkConfig::reorder_delay`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder_delay: Option<Distribution>,
    /// [`LinkConfig::corrupt`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<Probability>,
    /// [`LinkConfig::bandwidth`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
}

/// What of the name server's settings is changed; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamesChange {
    /// [`DnsConfig::delay`](crate::net::DnsConfig::delay).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Distribution>,
    /// [`DnsConfig::failure`](crate::net::DnsConfig::failure).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Probability>,
    /// [`DnsConfig::stale`](crate::net::DnsConfig::stale).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<Probability>,
}

/// At what a fault aims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aim {
    /// [`Target::Nodes`].
    Nodes,
    /// [`Target::Links`], [`Target::Groups`] or [`Target::Ring`].
    Links,
    /// [`Target::Names`] or [`Target::Nodes`].
    NamesOrNodes,
}

impl FaultKind {
    /// At what it aims.
    #[must_use]
    pub const fn aim(&self) -> Aim {
        match self {
            Self::Crash
            | Self::Kill
            | Self::Stop { .. }
            | Self::Pause
            | Self::Suspend
            | Self::CrashAt { .. }
            | Self::Wipe
            | Self::Rollback
            | Self::ClockStep { .. }
            | Self::ClockSlew { .. }
            | Self::ClockDrift { .. }
            | Self::Lookup(_)
            | Self::Disk { .. }
            | Self::DiskLatency(_)
            | Self::DiskFull { .. }
            | Self::Buggify { .. }
            | Self::DropCache => Aim::Nodes,
            Self::Cut
            | Self::Flap { .. }
            | Self::Gray { .. }
            | Self::Delay { .. }
            | Self::Clog
            | Self::Replay { .. }
            | Self::Filter { .. }
            | Self::Refuse { .. }
            | Self::SlowAccept { .. }
            | Self::CorruptStreams { .. }
            | Self::ShortWrites { .. }
            | Self::ShortReads { .. }
            | Self::Reset
            | Self::ResetOneEnd
            | Self::Link(_) => Aim::Links,
            Self::LookupFail => Aim::NamesOrNodes,
        }
    }

    /// Whether it happens at one instant, so that it has no duration.
    #[must_use]
    pub const fn is_instant(&self) -> bool {
        matches!(
            self,
            Self::ClockStep { .. }
                | Self::ClockSlew { .. }
                | Self::Reset
                | Self::ResetOneEnd
                | Self::DropCache
        )
    }

    /// Whether its nodes do nothing while it lasts.
    #[must_use]
    pub const fn takes_nodes_down(&self) -> bool {
        matches!(
            self,
            Self::Crash
                | Self::Kill
                | Self::Stop { .. }
                | Self::Pause
                | Self::Suspend
                | Self::CrashAt { .. }
                | Self::Wipe
                | Self::Rollback
        )
    }

    /// The word for it, as files and reports have it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Kill => "kill",
            Self::Stop { .. } => "stop",
            Self::Pause => "pause",
            Self::Suspend => "suspend",
            Self::CrashAt { .. } => "crash_at",
            Self::Wipe => "wipe",
            Self::Rollback => "rollback",
            Self::ClockStep { .. } => "clock_step",
            Self::ClockSlew { .. } => "clock_slew",
            Self::ClockDrift { .. } => "clock_drift",
            Self::Cut => "cut",
            Self::Flap { .. } => "flap",
            Self::Gray { .. } => "gray",
            Self::Delay { .. } => "delay",
            Self::Clog => "clog",
            Self::Replay { .. } => "replay",
            Self::Filter { .. } => "filter",
            Self::Refuse { .. } => "refuse",
            Self::SlowAccept { .. } => "slow_accept",
            Self::CorruptStreams { .. } => "corrupt_streams",
            Self::ShortWrites { .. } => "short_writes",
            Self::ShortReads { .. } => "short_reads",
            Self::Reset => "reset",
            Self::ResetOneEnd => "reset_one_end",
            Self::Link(_) => "link",
            Self::LookupFail => "lookup_fail",
            Self::Lookup(_) => "lookup",
            Self::Disk { .. } => "disk",
            Self::DiskLatency(_) => "disk_latency",
            Self::DiskFull { .. } => "disk_full",
            Self::Buggify { .. } => "buggify",
            Self::DropCache => "drop_cache",
        }
    }

    /// The families whose counters tell whether it bit.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        match self {
            Self::Crash | Self::CrashAt { .. } => vec![Family::Crash],
            Self::Kill => vec![Family::Kill],
            Self::Stop { .. } => vec![Family::Stop],
            Self::Pause => vec![Family::Pause],
            Self::Suspend => vec![Family::Suspend],
            Self::Wipe => vec![Family::Crash, Family::Wipe],
            Self::Rollback => vec![Family::Crash, Family::OlderImage],
            Self::ClockStep { .. } => vec![Family::ClockStep],
            Self::ClockSlew { .. } => vec![Family::ClockSlew],
            Self::ClockDrift { .. } => vec![Family::ClockDrift],
            Self::Cut | Self::Flap { .. } => vec![Family::Partition],
            Self::Gray { .. } => vec![Family::Gray],
            Self::Delay { .. } => vec![Family::Delay],
            Self::Clog => vec![Family::Clog],
            Self::Replay { .. } => vec![Family::Replay],
            Self::Filter { .. } => vec![Family::Filter],
            Self::Refuse { .. } => vec![Family::Refuse],
            Self::SlowAccept { .. } => vec![Family::SlowAccept],
            Self::CorruptStreams { .. } => vec![Family::StreamCorrupt],
            Self::ShortWrites { .. } => vec![Family::StreamShortWrite],
            Self::ShortReads { .. } => vec![Family::StreamShortRead],
            Self::Reset | Self::ResetOneEnd => vec![Family::Reset],
            Self::Link(change) => change.families(),
            Self::LookupFail => vec![Family::DnsFailure],
            Self::Lookup(change) => change.families(),
            Self::Disk { faults, .. } => faults.families(),
            Self::DiskLatency(_) => vec![Family::DiskSlow],
            Self::DiskFull { .. } => vec![Family::NoSpace],
            Self::Buggify { .. } => vec![Family::Buggify],
            Self::DropCache => Vec::new(),
        }
    }

    /// What is wrong with its parameters.
    pub(super) fn check(&self) -> Result<(), String> {
        let sound = |name: &str, distribution: &Distribution| {
            let checked = distribution.validate();
            checked.map_err(|error| format!("`{name}`: {error}"))
        };
        match self {
            Self::Flap { down, up } => {
                sound("down", down)?;
                sound("up", up)?;
                if down.min().max(up.min()).is_zero() {
                    return Err(
                        "links that flap without end at one instant: give `down` or `up` \
                                a minimum above zero"
                            .to_owned(),
                    );
                }
                Ok(())
            }
            Self::Delay { by } | Self::SlowAccept { by } => sound("by", by),
            Self::Replay { after, .. } => sound("after", after),
            Self::ClockDrift { ppm } if !(-999_999..=1_000_000_000).contains(ppm) => Err(format!(
                "a drift of {ppm} parts per million: give one above -1000000 and at most 1000000000"
            )),
            Self::CrashAt { pass: 0, .. } => Err("passes count from 1".to_owned()),
            Self::Link(change) => {
                let config = change.of(&LinkConfig::default());
                config.validate().map_err(|error| error.to_string())
            }
            Self::Lookup(NamesChange {
                delay: Some(delay), ..
            }) => sound("delay", delay),
            Self::DiskLatency(latency) => latency.validate().map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    /// Whether it can strike a target.
    pub(super) const fn fits(&self, target: &Target) -> bool {
        match self.aim() {
            Aim::Nodes => matches!(target, Target::Nodes(_)),
            Aim::Links => matches!(
                target,
                Target::Links { .. } | Target::Groups(_) | Target::Ring(_)
            ),
            Aim::NamesOrNodes => matches!(target, Target::Names(_) | Target::Nodes(_)),
        }
    }
}

impl LinkChange {
    /// Settings of a link with this change.
    pub(crate) fn of(&self, config: &LinkConfig) -> LinkConfig {
        let config = config.clone();
        LinkConfig {
            latency: self.latency.clone().unwrap_or(config.latency),
            loss: self.loss.unwrap_or(config.loss),
            duplicate: self.duplicate.unwrap_or(config.duplicate),
            reorder: self.reorder.unwrap_or(config.reorder),
            reorder_delay: self.reorder_delay.clone().unwrap_or(config.reorder_delay),
            corrupt: self.corrupt.unwrap_or(config.corrupt),
            bandwidth: self.bandwidth.or(config.bandwidth),
            ..config
        }
    }

    fn families(&self) -> Vec<Family> {
        let may = |chance: Option<Probability>| chance.is_some_and(|chance| !chance.is_never());
        [
            (may(self.loss), Family::Loss),
            (may(self.duplicate), Family::Duplicate),
            (may(self.reorder), Family::Reorder),
            (may(self.corrupt), Family::Corrupt),
            (self.bandwidth.is_some(), Family::Bandwidth),
        ]
        .into_iter()
        .filter_map(|(is_on, family)| is_on.then_some(family))
        .collect()
    }
}

impl NamesChange {
    fn families(&self) -> Vec<Family> {
        let may = |chance: Option<Probability>| chance.is_some_and(|chance| !chance.is_never());
        [
            (self.delay.is_some(), Family::DnsDelay),
            (may(self.failure), Family::DnsFailure),
            (may(self.stale), Family::DnsStale),
        ]
        .into_iter()
        .filter_map(|(is_on, family)| is_on.then_some(family))
        .collect()
    }
}

impl fmt::Display for FaultKind {
    /// Its name and its parameters, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Stop { patience } => write!(f, "{name} within {}", Span(*patience)),
            Self::CrashAt { point, pass: 1 } => write!(f, "{name} {point}"),
            Self::CrashAt { point, pass } => write!(f, "{name} {point}, pass {pass}"),
            Self::ClockStep { by } | Self::ClockSlew { by } => write!(f, "{name} {by}"),
            Self::ClockDrift { ppm } => write!(f, "{name} {ppm:+} ppm"),
            Self::Flap { down, up } => write!(f, "{name} down {down}, up {up}"),
            Self::Gray { loss } => write!(f, "{name} {loss}"),
            Self::Delay { by } | Self::SlowAccept { by } => write!(f, "{name} {by}"),
            Self::Replay { chance, after } => write!(f, "{name} {chance}, {after} later"),
            Self::Filter { what, chance } => {
                write_changes(f, name, what)?;
                write!(f, ", {chance}")
            }
            Self::Refuse { chance }
            | Self::CorruptStreams { chance }
            | Self::ShortWrites { chance }
            | Self::ShortReads { chance } => write!(f, "{name} {chance}"),
            Self::DiskFull { room_bytes } => write!(f, "{name} {room_bytes} bytes of room"),
            Self::Buggify {
                sites,
                active,
                fires,
            } => {
                let sites = if sites.is_empty() {
                    "everywhere".to_owned()
                } else {
                    sites.join(", ")
                };
                write!(f, "{name} {sites}, {active} of places, {fires} of passes")
            }
            Self::Link(change) => write_changes(f, name, change),
            Self::Lookup(change) => write_changes(f, name, change),
            Self::Disk { scope, faults } => {
                write_changes(f, name, faults)?;
                if let Some(path) = &scope.path {
                    write!(f, " in {path}")?;
                }
                match &scope.bytes {
                    Some(bytes) => write!(f, " bytes {}..{}", bytes.start, bytes.end),
                    None => Ok(()),
                }
            }
            _ => f.write_str(name),
        }
    }
}

/// The fields that a file would have of a change: what is not set is left out of both.
fn write_changes(f: &mut fmt::Formatter<'_>, name: &str, change: &impl Serialize) -> fmt::Result {
    f.write_str(name)?;
    let serde_json::Value::Object(fields) =
        serde_json::to_value(change).expect("a change has text keys only")
    else {
        return Ok(());
    };
    for (number, (field, value)) in fields.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        match value {
            serde_json::Value::String(text) => write!(f, "{comma} {field} {text}")?,
            other => write!(f, "{comma} {field} {other}")?,
        }
    }
    Ok(())
}

impl Aim {
    /// For messages.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Links => "links, groups or a ring",
            Self::NamesOrNodes => "names or nodes",
        }
    }
}
