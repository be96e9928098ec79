//! Ways to attack a system: each draws one or several faults that belong together.
//!
//! Owns the list of attacks and how each draws its faults. It must never know what was drawn
//! before: what an attack draws depends on the seed, its name and its number alone, so that one
//! taken out of a plan leaves the others as they were.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::draws::Draws;
use super::kind::{FaultKind, LinkChange, NamesChange};
use super::target::Target;
use crate::kernel::{Distribution, Probability};
use crate::model::disk::{DiskFaults, DiskLatency, DiskScope};
use crate::model::net::{Bandwidth, PacketFilter, PacketKind, QueueDrop};

macro_rules! attacks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// A way to attack a system.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Attack {
            $($(#[$doc])* $variant,)*
        }

        impl Attack {
            /// All attacks.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that options and reports use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

attacks! {
    /// A node loses power.
    Crash = "crash";
    /// A node's process dies.
    Kill = "kill";
    /// A node is stopped, as for an upgrade.
    Stop = "stop";
    /// A node stands still, as in a long collection of garbage.
    Pause = "pause";
    /// A node is suspended, as a virtual machine that is moved.
    Suspend = "suspend";
    /// Each node in turn is stopped, by a death of its process or a loss of power.
    RollingCrash = "rolling_crash";
    /// All nodes with one value of a label `zone` lose power at once.
    ZoneLoss = "zone_loss";
    /// A node loses power at a [named point](crate::crash_point) of its program.
    CrashAtPoint = "crash_at_point";
    /// All nodes lose power at once: within no budget, so only where there is none.
    Blackout = "blackout";

    /// A node is cut off from all others.
    Isolate = "isolate";
    /// The leader is cut off from all others: the node whose label `role` is `leader` then.
    LeaderAlone = "leader_alone";
    /// Nodes are cut into two sides.
    Halves = "halves";
    /// Two sides that only one node still sees.
    Bridge = "bridge";
    /// Each node sees only its two neighbours.
    Ring = "ring";
    /// One direction between two nodes is cut.
    OneWay = "one_way";
    /// A node is cut off and not, by turns.
    Flap = "flap";
    /// One link loses many packets.
    GrayLink = "gray_link";
    /// All links lose, double, reorder and flip some packets.
    Noise = "noise";
    /// Packets to and from a node take longer.
    Slow = "slow";
    /// Packets to or from a node are kept, and come all at once.
    Clog = "clog";
    /// Datagrams come once more, long after the first time.
    Replay = "replay";
    /// Packets of one kind do not come to or from a node.
    LoseKind = "lose_kind";
    /// Connections to a node are refused, or wait to be accepted.
    BusyServer = "busy_server";
    /// Reads and writes of streams move less than they could.
    ShortCalls = "short_calls";
    /// Bits of streams are flipped behind the checksum.
    CorruptStreams = "corrupt_streams";
    /// Half of the nodes are clogged and let go, in another order.
    Swizzle = "swizzle";
    /// The links of a node carry little.
    Narrow = "narrow";
    /// Connections are reset.
    Reset = "reset";
    /// Lookups of names fail or take long.
    Lookup = "lookup";

    /// A node's wall clock jumps.
    ClockStep = "clock_step";
    /// A node's wall clock is moved gradually.
    ClockSlew = "clock_slew";
    /// A node's clocks run wrong.
    ClockDrift = "clock_drift";
    /// The clocks of all nodes are bent at once, each otherwise.
    ClockStorm = "clock_storm";

    /// Calls of a node's disk give errors.
    DiskErrors = "disk_errors";
    /// A node's disk damages what it holds, in silence.
    DiskCorruption = "disk_corruption";
    /// A node's disk has no room left.
    DiskFull = "disk_full";
    /// A node's disk is slow.
    DiskSlow = "disk_slow";
    /// Marked places of the programs take their rare way.
    Buggify = "buggify";
    /// A node loses its disk.
    Wipe = "wipe";
    /// A node's disk is rolled back to what it was.
    Rollback = "rollback";
}

impl Attack {
    /// What any system of several nodes should live through, if its quorum does: all but
    /// [`Blackout`](Self::Blackout), and what makes a disk or a stream lie.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let special = [
            Self::Blackout,
            Self::CorruptStreams,
            Self::DiskCorruption,
            Self::Wipe,
            Self::Rollback,
        ];
        let all = Self::ALL.iter().copied();
        all.filter(|attack| !special.contains(attack)).collect()
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A fault that an attack drew: when it begins after the attack, and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blow {
    pub(super) after: Duration,
    pub(super) duration: Option<Duration>,
    pub(super) fault: FaultKind,
    pub(super) target: Target,
}

/// Whom an attack may strike.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// The nodes whose processes and disks may be struck.
    pub(super) victims: Vec<String>,
    /// All nodes whose links may be struck: the victims and their clients.
    pub(super) all: Vec<String>,
    /// The victims of each value of the label `zone`.
    pub(super) zones: Vec<Vec<String>>,
    /// Names of points at which a node may lose power.
    pub(super) points: Vec<String>,
    /// Whether some node may get the label `role=leader`.
    pub(super) has_leader: bool,
    /// The longest that a fault may last.
    pub(super) lasts_max: Duration,
}

impl Attack {
    /// Draws the faults of one attack; none if there is nobody whom it could strike.
    pub(super) fn draw(self, field: &Field, draws: &mut Draws<'_>) -> Vec<Blow> {
        if field.victims.is_empty() {
            return Vec::new();
        }
        let lasts = draws.millis(LASTS_MIN_MS, field.lasts_max);
        let victim = draws.pick(&field.victims);
        let on =
            |target: Target, fault: FaultKind| vec![blow(Duration::ZERO, lasts, fault, target)];
        let node = || Target::node(victim.clone());
        match self {
            Self::Crash => on(node(), FaultKind::Crash),
            Self::Kill => on(node(), FaultKind::Kill),
            Self::Stop => {
                let patience = draws.millis(1, field.lasts_max);
                on(node(), FaultKind::Stop { patience })
            }
            Self::Pause => on(node(), FaultKind::Pause),
            Self::Suspend => on(node(), FaultKind::Suspend),
            Self::RollingCrash => rolling(field, draws),
            Self::ZoneLoss if field.zones.is_empty() => Vec::new(),
            Self::ZoneLoss => {
                let zone = draws.index(field.zones.len());
                on(Target::Nodes(field.zones[zone].clone()), FaultKind::Crash)
            }
            Self::CrashAtPoint if field.points.is_empty() => Vec::new(),
            Self::CrashAtPoint => {
                let point = draws.pick(&field.points);
                let pass = u32::try_from(draws.log_between(1, 64)).expect("at most 64");
                on(node(), FaultKind::CrashAt { point, pass })
            }
            Self::Blackout => on(Target::Nodes(field.victims.clone()), FaultKind::Crash),
            Self::Isolate => on(Target::isolate(victim), FaultKind::Cut),
            Self::LeaderAlone if !field.has_leader => Vec::new(),
            Self::LeaderAlone => on(Target::isolate("role=leader"), FaultKind::Cut),
            Self::Halves => {
                let sides = halves(draws.shuffled(&field.all), draws);
                on_groups(sides, lasts)
            }
            Self::Bridge => {
                let mut all = draws.shuffled(&field.victims);
                // The bridge is in neither side.
                all.pop();
                on_groups(halves(all, draws), lasts)
            }
            Self::Ring if field.victims.len() < 4 => Vec::new(),
            Self::Ring => on(Target::Ring(draws.shuffled(&field.victims)), FaultKind::Cut),
            Self::OneWay if field.all.len() < 2 => Vec::new(),
            Self::OneWay => {
                let (from, to) = two(field, draws);
                on(Target::link(from, to), FaultKind::Cut)
            }
            Self::Flap => {
                let times = |draws: &mut Draws<'_>| {
                    let most = draws.millis(2, field.lasts_max / 4);
                    Distribution::Uniform {
                        min: Duration::from_millis(1),
                        max: most,
                    }
                };
                let (down, up) = (times(draws), times(draws));
                on(Target::isolate(victim), FaultKind::Flap { down, up })
            }
            Self::GrayLink if field.all.len() < 2 => Vec::new(),
            Self::GrayLink => {
                let (from, to) = two(field, draws);
                let loss = draws.rate(10_000, 900_000);
                on(Target::link(from, to), FaultKind::Gray { loss })
            }
            Self::Noise => {
                let change = LinkChange {
                    loss: Some(draws.rate(100, 100_000)),
                    duplicate: Some(draws.rate(100, 100_000)),
                    reorder: Some(draws.rate(100, 100_000)),
                    corrupt: Some(draws.rate(100, 20_000)),
                    ..LinkChange::default()
                };
                let everybody = strings(&["*"]);
                let target = Target::Links {
                    from: everybody.clone(),
                    to: everybody,
                };
                on(target, FaultKind::Link(change))
            }
            Self::Slow => {
                let max = draws.millis(2, Duration::from_secs(1));
                let min = max / 2;
                let by = Distribution::Uniform { min, max };
                on(Target::isolate(victim), FaultKind::Delay { by })
            }
            Self::Clog => {
                let target = match draws.between(0, 9) {
                    0..3 => Target::link(victim, "*"),
                    3..6 => Target::link("*", victim),
                    _ => Target::isolate(victim),
                };
                on(target, FaultKind::Clog)
            }
            Self::Replay => {
                let max = draws.millis(10, field.lasts_max);
                let fault = FaultKind::Replay {
                    chance: draws.rate(1_000, 200_000),
                    after: Distribution::Uniform {
                        min: Duration::from_millis(1),
                        max,
                    },
                };
                on(Target::isolate(victim), fault)
            }
            Self::LoseKind => {
                let kind = KINDS[draws.index(KINDS.len())];
                let what = PacketFilter::kind(kind);
                let chance = draws.rate(100_000, 1_000_000);
                let target = if draws.chance(50) {
                    Target::link(victim, "*")
                } else {
                    Target::link("*", victim)
                };
                on(target, FaultKind::Filter { what, chance })
            }
            Self::BusyServer => {
                let target = Target::link("*", victim);
                if draws.chance(50) {
                    let chance = draws.rate(50_000, 1_000_000);
                    return on(target, FaultKind::Refuse { chance });
                }
                let max = draws.millis(2, field.lasts_max);
                let min = Duration::from_millis(1);
                let by = Distribution::Uniform { min, max };
                on(target, FaultKind::SlowAccept { by })
            }
            Self::ShortCalls => {
                let target = || Target::isolate(victim.clone());
                let chance = draws.rate(10_000, 900_000);
                let writes = FaultKind::ShortWrites { chance };
                let reads = FaultKind::ShortReads { chance };
                vec![
                    blow(Duration::ZERO, lasts, writes, target()),
                    blow(Duration::ZERO, lasts, reads, target()),
                ]
            }
            Self::CorruptStreams => {
                let chance = draws.rate(1_000, 100_000);
                on(
                    Target::isolate(victim),
                    FaultKind::CorruptStreams { chance },
                )
            }
            Self::Swizzle => swizzle(field, draws),
            Self::Narrow => {
                let bytes_per_second = draws.log_between(20_000, 2_000_000);
                let bandwidth = Some(Bandwidth {
                    bytes_per_second,
                    queue_bytes: draws.log_between(8_000, 256_000),
                    drop: if draws.chance(50) {
                        QueueDrop::Tail
                    } else {
                        QueueDrop::Early
                    },
                });
                let change = LinkChange {
                    bandwidth,
                    ..LinkChange::default()
                };
                on(Target::isolate(victim), FaultKind::Link(change))
            }
            Self::Reset => {
                let target = Target::isolate(victim);
                let fault = if draws.chance(67) {
                    FaultKind::ResetOneEnd
                } else {
                    FaultKind::Reset
                };
                vec![instant(fault, target)]
            }
            Self::Lookup => {
                if draws.chance(50) {
                    return on(node(), FaultKind::LookupFail);
                }
                let max = draws.millis(10, field.lasts_max);
                let min = Duration::from_millis(1);
                let change = NamesChange {
                    delay: Some(Distribution::Uniform { min, max }),
                    failure: Some(draws.rate(10_000, 500_000)),
                    stale: Some(draws.rate(10_000, 500_000)),
                };
                on(Target::node("*"), FaultKind::Lookup(change))
            }
            Self::ClockStep => {
                let by = draws.shift(STEP_MAX);
                vec![instant(FaultKind::ClockStep { by }, node())]
            }
            Self::ClockSlew => {
                let by = draws.shift(SLEW_MAX);
                vec![instant(FaultKind::ClockSlew { by }, node())]
            }
            Self::ClockDrift => {
                let ppm = drift(draws);
                on(node(), FaultKind::ClockDrift { ppm })
            }
            Self::ClockStorm => {
                let mut blows = Vec::new();
                for name in &field.victims {
                    let target = || Target::node(name.clone());
                    let by = draws.shift(STEP_MAX);
                    blows.push(instant(FaultKind::ClockStep { by }, target()));
                    let ppm = drift(draws);
                    let fault = FaultKind::ClockDrift { ppm };
                    blows.push(blow(Duration::ZERO, lasts, fault, target()));
                }
                blows
            }
            Self::DiskErrors => {
                let faults = DiskFaults {
                    read_error: draws.rate(100, 10_000),
                    write_error: draws.rate(100, 10_000),
                    short_write: draws.rate(1_000, 100_000),
                    sync_error: draws.rate(1_000, 100_000),
                    metadata_error: draws.rate(100, 10_000),
                    stall: draws.rate(100, 10_000),
                    ..DiskFaults::NONE
                };
                on(node(), disk(faults))
            }
            Self::DiskCorruption => {
                let faults = DiskFaults {
                    latent_sector: draws.rate(10, 10_000),
                    bit_rot: draws.rate(1, 10_000),
                    misdirected_read: draws.rate(1, 10_000),
                    lost_write: draws.rate(1, 10_000),
                    misdirected_write: draws.rate(1, 10_000),
                    ..DiskFaults::NONE
                };
                on(node(), disk(faults))
            }
            Self::DiskFull => {
                let room_bytes = draws.between(0, 64) * 4_096;
                on(node(), FaultKind::DiskFull { room_bytes })
            }
            Self::DiskSlow => {
                let mean = draws.millis(1, Duration::from_millis(200));
                let slow = |over: u32| Distribution::Exponential {
                    min: Duration::from_micros(50),
                    mean: mean / over,
                    max: 20 * mean,
                };
                let latency = DiskLatency {
                    read: slow(10),
                    write: slow(20),
                    sync: slow(1),
                    metadata: slow(10),
                    ..DiskLatency::default()
                };
                on(node(), FaultKind::DiskLatency(latency))
            }
            Self::Buggify => {
                let fault = FaultKind::Buggify {
                    sites: Vec::new(),
                    active: Probability::percent(25),
                    fires: Probability::percent(25),
                };
                on(Target::Nodes(field.victims.clone()), fault)
            }
            Self::Wipe => on(node(), FaultKind::Wipe),
            Self::Rollback => on(node(), FaultKind::Rollback),
        }
    }
}

fn blow(after: Duration, lasts: Duration, fault: FaultKind, target: Target) -> Blow {
    Blow {
        after,
        duration: Some(lasts),
        fault,
        target,
    }
}

const fn instant(fault: FaultKind, target: Target) -> Blow {
    Blow {
        after: Duration::ZERO,
        duration: None,
        fault,
        target,
    }
}

const fn disk(faults: DiskFaults) -> FaultKind {
    let scope = DiskScope {
        path: None,
        bytes: None,
        strikes_max: None,
    };
    FaultKind::Disk { scope, faults }
}

/// Each victim goes down for a while, the next when it is back.
fn rolling(field: &Field, draws: &mut Draws<'_>) -> Vec<Blow> {
    let count = u32::try_from(field.victims.len()).expect("fewer than 2^32 nodes");
    let each = draws.millis(LASTS_MIN_MS, field.lasts_max / count);
    let rest = draws.millis(1, each);
    let mut after = Duration::ZERO;
    let mut blows = Vec::new();
    for name in draws.shuffled(&field.victims) {
        let fault = if draws.chance(50) {
            FaultKind::Crash
        } else {
            FaultKind::Kill
        };
        blows.push(blow(after, each, fault, Target::node(name)));
        after += each + rest;
    }
    blows
}

/// A half of all nodes is clogged at random times and let go at random times, after all have begun.
///
/// Source: `FoundationDB`'s swizzle-clogging ("Testing Distributed Systems w/ Deterministic
/// Simulation", Strange Loop 2014).
fn swizzle(field: &Field, draws: &mut Draws<'_>) -> Vec<Blow> {
    let mut chosen = draws.shuffled(&field.all);
    chosen.truncate(chosen.len().div_ceil(2));
    let spread = u64::try_from(field.lasts_max.as_millis() / 2).unwrap_or(u64::MAX);
    let clog = |name: String| {
        let from = draws.between(0, spread);
        let until = spread + draws.between(1, spread.max(1));
        let lasts = Duration::from_millis(until - from);
        let target = Target::isolate(name);
        blow(Duration::from_millis(from), lasts, FaultKind::Clog, target)
    };
    chosen.into_iter().map(clog).collect()
}

/// Splits nodes into two sides, of which neither is empty.
fn halves(mut all: Vec<String>, draws: &mut Draws<'_>) -> Option<[Vec<String>; 2]> {
    if all.len() < 2 {
        return None;
    }
    let mut few = all.split_off(1 + draws.index(all.len() - 1));
    all.sort();
    few.sort();
    Some([all, few])
}

fn on_groups(sides: Option<[Vec<String>; 2]>, lasts: Duration) -> Vec<Blow> {
    let cut = |sides: [Vec<String>; 2]| {
        let target = Target::Groups(sides.into());
        blow(Duration::ZERO, lasts, FaultKind::Cut, target)
    };
    sides.map(cut).into_iter().collect()
}

/// Two nodes, at least one of them a victim.
fn two(field: &Field, draws: &mut Draws<'_>) -> (String, String) {
    let victim = draws.pick(&field.victims);
    let others: Vec<String> = field
        .all
        .iter()
        .filter(|name| **name != victim)
        .cloned()
        .collect();
    let other = draws.pick(&others);
    if draws.chance(50) {
        (victim, other)
    } else {
        (other, victim)
    }
}

/// Parts per million, fast or slow: up to a tenth, of which a clock that is broken is capable.
fn drift(draws: &mut Draws<'_>) -> i64 {
    let ppm = i64::try_from(draws.log_between(10, 100_000)).expect("at most 100,000");
    if draws.chance(50) { ppm } else { -ppm }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// Kinds of packets whose loss alone is telling.
const KINDS: [PacketKind; 6] = [
    PacketKind::Datagram,
    PacketKind::Syn,
    PacketKind::SynAck,
    PacketKind::Ack,
    PacketKind::Fin,
    PacketKind::Reset,
];
/// The shortest that a fault lasts: shorter ones are hardly noticed.
const LASTS_MIN_MS: u64 = 10;
/// As far as an operator's mistake with a time zone, or a dead battery of the clock, moves it.
const STEP_MAX: Duration = Duration::from_secs(12 * 3_600);
const SLEW_MAX: Duration = Duration::from_secs(1);
