//! What a test sets of a disk's speed: how long each class of calls takes, and how many at once.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::{Call, WriteSync};
use super::config::DiskError;
use super::device::Device;
use crate::kernel::Distribution;

/// How long the calls of a disk take.
///
/// Each call draws its own time, so that calls that are served at once finish in any order. A
/// constant distribution draws nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskLatency {
    /// A read, which finds the page in the page cache.
    pub read: Distribution,
    /// A write, which goes to the page cache.
    pub write: Distribution,
    /// A sync, and what a write adds that is durable when it returns.
    pub sync: Distribution,
    /// Everything else: opening, renaming, listing, asking for a length.
    pub metadata: Distribution,
    /// What a sync takes longer that [stalls](super::DiskFaults::stall).
    pub stall: Distribution,
    /// How many calls a disk serves at once; at least 1. The others wait in the order in which
    /// they came.
    pub queue_depth: u32,
}

/// What a call costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Read,
    Write,
    /// A write that is durable when it returns.
    SyncWrite,
    Sync,
    Metadata,
}

impl Class {
    /// The class of a call of a disk.
    pub(super) fn of(call: &Call, device: &Device) -> Self {
        match call {
            Call::Read { .. } => Self::Read,
            Call::Write { fd, .. } => match device.fs.write_sync(*fd) {
                Ok(WriteSync::Content | WriteSync::Everything) => Self::SyncWrite,
                Ok(WriteSync::Nothing) | Err(_) => Self::Write,
            },
            Call::Sync { .. } => Self::Sync,
            _ => Self::Metadata,
        }
    }
}

impl Default for DiskLatency {
    /// A solid-state disk behind a page cache: 2 to 10 us for reads and writes, 5 to 20 us for
    /// names, and syncs of at least 200 us, 1.2 ms in the mean and 50 ms at most, or 1 to 30 s more
    /// if they stall; 32 at once.
    fn default() -> Self {
        let uniform = |min_us, max_us| Distribution::Uniform {
            min: Duration::from_micros(min_us),
            max: Duration::from_micros(max_us),
        };
        Self {
            read: uniform(2, 10),
            write: uniform(2, 10),
            sync: Distribution::Exponential {
                min: Duration::from_micros(200),
                mean: Duration::from_millis(1),
                max: Duration::from_millis(50),
            },
            metadata: uniform(5, 20),
            stall: uniform(1_000_000, 30_000_000),
            // As many as SATA's command queue holds.
            queue_depth: 32,
        }
    }
}

impl DiskLatency {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// The first that makes none.
    pub fn validate(&self) -> Result<(), DiskError> {
        for (field, distribution) in [
            ("read", &self.read),
            ("write", &self.write),
            ("sync", &self.sync),
            ("metadata", &self.metadata),
            ("stall", &self.stall),
        ] {
            let check = distribution.validate();
            check.map_err(|error| DiskError::Duration { field, error })?;
        }
        if self.queue_depth == 0 {
            return Err(DiskError::NoQueue);
        }
        Ok(())
    }

    /// The longest that a call of a class takes that does not stall.
    pub(super) fn slowest(&self, class: Class) -> Duration {
        let (first, second) = self.parts(class);
        let second = second.map_or(Duration::ZERO, Distribution::max);
        first.max().saturating_add(second)
    }

    /// What a call of a class takes, as the parts whose sum it is.
    pub(super) fn parts(&self, class: Class) -> (&Distribution, Option<&Distribution>) {
        match class {
            Class::Read => (&self.read, None),
            Class::Write => (&self.write, None),
            Class::SyncWrite => (&self.write, Some(&self.sync)),
            Class::Sync => (&self.sync, None),
            Class::Metadata => (&self.metadata, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_well_and_refuse_what_they_do_not_know() {
        let text = r#"{"sync":{"constant":"5ns"},"queue_depth":1}"#;
        let latency: DiskLatency = serde_json::from_str(text).unwrap();
        assert_eq!(
            latency.sync,
            Distribution::Constant(Duration::from_nanos(5))
        );
        assert_eq!(latency.read, DiskLatency::default().read);
        let again = serde_json::to_string(&latency).unwrap();
        assert_eq!(
            serde_json::from_str::<DiskLatency>(&again).unwrap(),
            latency
        );
        assert!(serde_json::from_str::<DiskLatency>(r#"{"seek":1}"#).is_err());
    }

    #[test]
    fn settings_that_make_no_sense_say_why() {
        assert_eq!(DiskLatency::default().validate(), Ok(()));
        let reason = |change: fn(&mut DiskLatency)| {
            let mut latency = DiskLatency::default();
            change(&mut latency);
            latency.validate().unwrap_err().to_string()
        };
        assert!(reason(|latency| latency.queue_depth = 0).contains("queue_depth is 0"));
        let disorder: fn(&mut DiskLatency) = |latency| {
            latency.metadata = Distribution::Uniform {
                min: Duration::from_secs(2),
                max: Duration::from_secs(1),
            };
        };
        assert!(reason(disorder).contains("its metadata makes no sense"));
    }
}
