//! What goes wrong: which attacks there may be. What becomes of them in a run is drawn from its
//! seed, as a plan, which is data.

use std::time::Duration;

use stormglass::fault::{Attack, Nemesis, Quorum};

/// How long faults go on; then all of them end.
const STORM: Duration = Duration::from_secs(8);

/// What the cluster must live through. It has no disks, and no name server to trust.
const ATTACKS: &[Attack] = &[
    Attack::Crash,
    Attack::Kill,
    Attack::Pause,
    Attack::Suspend,
    Attack::RollingCrash,
    Attack::Blackout,
    Attack::Isolate,
    Attack::LeaderAlone,
    Attack::Halves,
    Attack::Bridge,
    Attack::OneWay,
    Attack::Flap,
    Attack::GrayLink,
    Attack::Noise,
    Attack::Slow,
    Attack::Clog,
    Attack::Swizzle,
    Attack::Reset,
    Attack::ClockStep,
    Attack::ClockSlew,
    Attack::ClockDrift,
];

/// The nemesis of a run. Its faults may overlap in every way, and all nodes may be down at once:
/// what is promised to the clients holds whatever goes wrong, and only progress needs a majority,
/// which is there again when all faults have ended.
#[must_use]
pub fn nemesis(nodes: Vec<String>, clients: Vec<String>) -> Nemesis {
    let all = nodes.len();
    Nemesis {
        lasts: STORM,
        attacks: ATTACKS.to_vec(),
        bystanders: clients,
        has_leader: true,
        ..Nemesis::of(nodes, Quorum::AllBut(all))
    }
}
