//! How a simulation behaves that is not decided by its seed.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exec::{Limits, OnPanic, Policy, Settings};
use crate::kernel::{DigestMode, Distribution, SimTime, duration_to_nanos, span};
use crate::model::disk::{DiskConfig, DiskLatency};
use crate::model::net::{DnsConfig, LinkConfig};
use crate::sys::EscapeKind;

/// How a simulation behaves that is not decided by its seed.
///
/// ```
/// use std::time::Duration;
/// use stormglass::{Config, Policy};
///
/// let config = Config {
///     seeds: 100,
///     time_limit: Duration::from_secs(60),
///     policy: Policy::BySeed,
///     ..Config::default()
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many seeds a test runs, from `first_seed` on; at least 1.
    pub seeds: u64,
    /// The first seed.
    pub first_seed: u64,
    /// Virtual time after which an unfinished run fails with `TimeLimit`.
    #[serde(with = "span::text")]
    pub time_limit: Duration,
    /// Steps of the trace after which a run fails with `StepLimit`; at least 1.
    pub step_limit: u64,
    /// Polls without virtual time moving after which a run fails with `Livelock`; at least 1.
    pub polls_at_one_instant: u64,
    /// Real time after which a poll that does not return fails the run with `Hang`. The bare
    /// [`Builder`](crate::sim::Builder) has no watchdog.
    #[serde(with = "span::text")]
    pub hang_after: Duration,
    /// Which of a node's ready tasks runs next.
    pub policy: Policy,
    /// What a panic in a task of a node does.
    pub on_panic: OnPanic,
    /// How much of each payload the digest covers.
    pub digest: DigestMode,
    /// Latency and loss of links that have no settings of their own.
    pub link: LinkConfig,
    /// How lookups of names behave.
    pub dns: DnsConfig,
    /// How disks behave that have no settings of their own.
    pub disk: DiskConfig,
    /// How long calls of disks take that have no settings of their own.
    pub disk_latency: DiskLatency,
    /// How long a blocking call (`spawn_blocking`, `block_in_place`) keeps its node busy.
    pub blocking: Distribution,
    /// What nodes' wall clocks show at the beginning, as time since 1970.
    #[serde(with = "span::text")]
    pub wall_clock: Duration,
    /// Ways out of the simulation that are left open. A run that takes one may not be replayable,
    /// and its outcome says so.
    pub allow: Vec<EscapeKind>,
}

impl Default for Config {
    /// Ten seeds from 0; ten minutes of virtual time; random scheduling; links of 0.5 to 2 ms
    /// without loss; lookups answered at once; disks without faults that take 2 to 20 us, and about
    /// a millisecond for a sync; blocking calls of 100 us; the year 2026; no way out.
    fn default() -> Self {
        Self {
            seeds: 10,
            first_seed: 0,
            time_limit: Duration::from_secs(600),
            step_limit: 100_000_000,
            polls_at_one_instant: 1_000_000,
            hang_after: Duration::from_secs(10),
            policy: Policy::default(),
            on_panic: OnPanic::default(),
            digest: DigestMode::default(),
            link: LinkConfig::default(),
            dns: DnsConfig::default(),
            disk: DiskConfig::default(),
            disk_latency: DiskLatency::default(),
            blocking: Distribution::Constant(Duration::from_micros(100)),
            wall_clock: Duration::from_secs(START_OF_2026),
            allow: Vec::new(),
        }
    }
}

/// 2026-01-01T00:00:00Z in seconds since 1970.
const START_OF_2026: u64 = 1_767_225_600;

impl Config {
    /// Checks that all values make sense together.
    ///
    /// # Errors
    /// A sentence that names the field and says what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let at_least_one = [
            ("seeds", self.seeds),
            ("step_limit", self.step_limit),
            ("polls_at_one_instant", self.polls_at_one_instant),
        ];
        for (name, value) in at_least_one {
            if value == 0 {
                return Err(format!("`{name}` is 0: it must be at least 1"));
            }
        }
        if self.first_seed.checked_add(self.seeds - 1).is_none() {
            return Err("`first_seed` + `seeds` is beyond the last seed, 2^64 - 1".to_owned());
        }
        if self.time_limit.is_zero() {
            return Err("`time_limit` is 0: a run needs some virtual time".to_owned());
        }
        if self.hang_after.is_zero() {
            return Err("`hang_after` is 0: every poll takes some real time".to_owned());
        }
        if let Policy::Pct { depth: 0, .. } | Policy::Pct { picks: 0, .. } = self.policy {
            return Err("`policy`: the depth and picks of Pct must be at least 1".to_owned());
        }
        self.blocking
            .validate()
            .map_err(|error| format!("`blocking`: {error}"))?;
        self.disk
            .validate()
            .map_err(|error| format!("`disk`: {error}"))?;
        self.disk_latency
            .validate()
            .map_err(|error| format!("`disk_latency`: {error}"))?;
        self.dns
            .validate()
            .map_err(|error| format!("`dns.delay`: {error}"))?;
        self.link
            .latency
            .validate()
            .map_err(|error| format!("`link.latency`: {error}"))
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            policy: self.policy,
            on_panic: self.on_panic,
            wall_start_ns: duration_to_nanos(self.wall_clock),
            blocking: self.blocking.clone(),
            allowed: self.allow.clone(),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            time: SimTime::ZERO.saturating_add(self.time_limit),
            steps: self.step_limit,
            polls_at_one_instant: self.polls_at_one_instant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_json() {
        let config = Config::default();
        assert_eq!(config.validate(), Ok(()));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn absent_fields_have_their_defaults_and_unknown_ones_are_errors() {
        let config: Config = serde_json::from_str(r#"{"seeds": 3}"#).unwrap();
        assert_eq!(
            config,
            Config {
                seeds: 3,
                ..Config::default()
            }
        );
        assert!(serde_json::from_str::<Config>(r#"{"seed": 3}"#).is_err());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let check = |config: Config, name: &str| {
            let error = config.validate().unwrap_err();
            assert!(error.contains(name), "{error}");
        };
        check(
            Config {
                seeds: 0,
                ..Config::default()
            },
            "seeds",
        );
        check(
            Config {
                first_seed: u64::MAX,
                ..Config::default()
            },
            "first_seed",
        );
        check(
            Config {
                time_limit: Duration::ZERO,
                ..Config::default()
            },
            "time_limit",
        );
        check(
            Config {
                step_limit: 0,
                ..Config::default()
            },
            "step_limit",
        );
        check(
            Config {
                hang_after: Duration::ZERO,
                ..Config::default()
            },
            "hang_after",
        );
        let delay = Distribution::Uniform {
            min: Duration::from_secs(2),
            max: Duration::from_secs(1),
        };
        let dns = DnsConfig {
            delay,
            ..DnsConfig::default()
        };
        check(
            Config {
                dns,
                ..Config::default()
            },
            "dns.delay",
        );
        let policy = Policy::Pct { depth: 0, picks: 1 };
        check(
            Config {
                policy,
                ..Config::default()
            },
            "policy",
        );
    }
}
