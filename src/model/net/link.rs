//! What a test sets of a directed link: how long its packets take, and which of them suffer.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::{Distribution, DistributionError, Probability};

/// The least size of a packet that every link carries (RFC 8200, section 5, for IPv6).
const MTU_MIN_BYTES: u32 = 1_280;
/// The size of a packet on Ethernet.
const MTU_BYTES: u32 = 1_500;

/// The behaviour of a directed link.
///
/// Probabilities of zero and a bandwidth of `None` take no draws: a run is the same as if the fault
/// did not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The time from sending to arrival, drawn for each packet.
    ///
    /// Datagrams may overtake each other; the packets of a connection never do.
    pub latency: Distribution,
    /// Added to the latency of every packet, and drawn once for each link: so some links of a group
    /// that shares settings are always slower than others.
    pub base_latency: Distribution,
    /// The chance that a packet is lost. What is lost of a stream is sent again: to a program it is
    /// only late. A datagram larger than [`mtu_bytes`](Self::mtu_bytes) is lost with any of its
    /// fragments.
    pub loss: Probability,
    /// The chance that a datagram arrives twice, the second time after a latency of its own.
    pub duplicate: Probability,
    /// The chance that a datagram is held up for [`reorder_delay`](Self::reorder_delay), so that
    /// later ones overtake it.
    pub reorder: Probability,
    /// How long a datagram that is held up takes beyond its latency.
    pub reorder_delay: Distribution,
    /// The chance that bits of a packet are flipped. A datagram arrives changed; a packet of a
    /// stream fails its checksum and is lost.
    pub corrupt: Probability,
    /// How fast the link carries bytes; `None` is without limit.
    pub bandwidth: Option<Bandwidth>,
    /// The largest packet, with its headers, in bytes: 1,280 to 65,535. Decides how a stream is cut
    /// into segments, and a datagram into fragments.
    pub mtu_bytes: u32,
}

/// How fast a link carries bytes, and how many may wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second, with headers; not 0.
    pub bytes_per_second: u64,
    /// The queue before the link: a packet that finds so many bytes waiting that it does not fit is
    /// lost. A stream waits at its own host until the queue is short, as Linux has it (TCP small
    /// queues).
    pub queue_bytes: u64,
    /// What else the queue loses.
    #[serde(default)]
    pub drop: QueueDrop,
}

/// Which packets the queue before a link loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueDrop {
    /// Those that do not fit (tail drop).
    #[default]
    Tail,
    /// Others too, at random: none while what waits before it is half of the queue or less, and
    /// from there to a full queue a share that grows evenly from none to all.
    ///
    /// Source: random early detection (Floyd & Jacobson 1993), by the length of the moment and not
    /// by its mean.
    Early,
}

impl Default for LinkConfig {
    /// Half a millisecond to two milliseconds, so that messages of different nodes do not march in
    /// step; no faults, no limits, and the packets of Ethernet.
    fn default() -> Self {
        Self {
            latency: Distribution::Uniform {
                min: Duration::from_micros(500),
                max: Duration::from_millis(2),
            },
            base_latency: Distribution::Constant(Duration::ZERO),
            loss: Probability::NEVER,
            duplicate: Probability::NEVER,
            reorder: Probability::NEVER,
            reorder_delay: Distribution::Uniform {
                min: Duration::from_millis(1),
                max: Duration::from_millis(20),
            },
            corrupt: Probability::NEVER,
            bandwidth: None,
            mtu_bytes: MTU_BYTES,
        }
    }
}

impl LinkConfig {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// The first that makes none.
    pub fn validate(&self) -> Result<(), LinkError> {
        for (field, distribution) in [
            ("latency", &self.latency),
            ("base_latency", &self.base_latency),
            ("reorder_delay", &self.reorder_delay),
        ] {
            let check = distribution.validate();
            check.map_err(|error| LinkError::Duration { field, error })?;
        }
        if let Some(bandwidth) = self.bandwidth {
            if bandwidth.bytes_per_second == 0 {
                return Err(LinkError::NoBandwidth);
            }
            if bandwidth.queue_bytes < u64::from(self.mtu_bytes) {
                return Err(LinkError::ShortQueue {
                    queue_bytes: bandwidth.queue_bytes,
                    mtu_bytes: self.mtu_bytes,
                });
            }
        }
        if !(MTU_MIN_BYTES..=0xffff).contains(&self.mtu_bytes) {
            return Err(LinkError::Mtu {
                mtu_bytes: self.mtu_bytes,
            });
        }
        Ok(())
    }

    /// Whether a packet of a stream is never lost here and never waits for its turn.
    pub(super) const fn is_smooth(&self) -> bool {
        self.loss.is_never() && self.corrupt.is_never() && self.bandwidth.is_none()
    }

    /// How long every packet takes, if nothing is ever drawn and nothing goes wrong.
    pub(super) fn plain(&self) -> Option<Duration> {
        let smooth = self.is_smooth() && self.duplicate.is_never() && self.reorder.is_never();
        let base = self.base_latency.constant()?;
        let latency = self.latency.constant()?;
        smooth.then(|| latency.saturating_add(base))
    }
}

/// Why a [`LinkConfig`] makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// A distribution of durations makes no sense.
    Duration {
        /// The field of the settings.
        field: &'static str,
        /// What is wrong with it.
        error: DistributionError,
    },
    /// The bandwidth is zero.
    NoBandwidth,
    /// The queue holds no packet.
    ShortQueue {
        /// The size of the queue.
        queue_bytes: u64,
        /// The size of the largest packet.
        mtu_bytes: u32,
    },
    /// No link has packets of this size.
    Mtu {
        /// The size.
        mtu_bytes: u32,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration { field, error } => write!(f, "its {field} makes no sense: {error}"),
            Self::NoBandwidth => {
                f.write_str("its bandwidth is 0 bytes a second: cut the link to let nothing pass")
            }
            Self::ShortQueue {
                queue_bytes,
                mtu_bytes,
            } => write!(
                f,
                "its queue_bytes are {queue_bytes}: give room for a packet of {mtu_bytes} bytes"
            ),
            Self::Mtu { mtu_bytes } => write!(
                f,
                "its mtu_bytes are {mtu_bytes}: give {MTU_MIN_BYTES} to 65535"
            ),
        }
    }
}

impl core::error::Error for LinkError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_well_and_refuse_what_they_do_not_know() {
        let text = r#"{"latency":{"constant":"5ns"},"loss":"25%",
            "bandwidth":{"bytes_per_second":1000000,"queue_bytes":64000}}"#;
        let config: LinkConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.loss, Probability::percent(25));
        let bandwidth = config.bandwidth.unwrap();
        assert_eq!(
            (bandwidth.queue_bytes, bandwidth.drop),
            (64_000, QueueDrop::Tail)
        );
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<LinkConfig>(&again).unwrap(),
            config,
            "{again}"
        );
        let part: LinkConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(part, LinkConfig::default());
        assert!(serde_json::from_str::<LinkConfig>(r#"{"lost":1}"#).is_err());
    }

    #[test]
    fn settings_that_make_no_sense_say_why() {
        let reason = |change: fn(&mut LinkConfig)| {
            let mut config = LinkConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        let disorder = Distribution::Uniform {
            min: Duration::from_millis(2),
            max: Duration::from_millis(1),
        };
        let text = "min (2ms) is above max (1ms): give a max of at least min";
        for (field, config) in [
            (
                "latency",
                LinkConfig {
                    latency: disorder.clone(),
                    ..LinkConfig::default()
                },
            ),
            (
                "base_latency",
                LinkConfig {
                    base_latency: disorder.clone(),
                    ..LinkConfig::default()
                },
            ),
            (
                "reorder_delay",
                LinkConfig {
                    reorder_delay: disorder,
                    ..LinkConfig::default()
                },
            ),
        ] {
            let reason = config.validate().unwrap_err().to_string();
            assert_eq!(reason, format!("its {field} makes no sense: {text}"));
        }
        let narrow = |bytes_per_second, queue_bytes| Bandwidth {
            bytes_per_second,
            queue_bytes,
            drop: QueueDrop::Tail,
        };
        assert_eq!(LinkConfig::default().validate(), Ok(()));
        assert!(reason(|config| config.mtu_bytes = 1_279).contains("give 1280 to 65535"));
        let with = |bandwidth| LinkConfig {
            bandwidth: Some(bandwidth),
            ..LinkConfig::default()
        };
        assert_eq!(with(narrow(1, 1_500)).validate(), Ok(()));
        assert_eq!(
            with(narrow(0, 1_500)).validate(),
            Err(LinkError::NoBandwidth)
        );
        let short = with(narrow(1, 1_499)).validate().unwrap_err();
        assert!(
            short
                .to_string()
                .contains("give room for a packet of 1500 bytes")
        );
    }
}
