//! What a test sets of a disk: how it orders what it writes, how large it is, what a loss of power
//! leaves, and how often it fails.

use core::fmt;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::page::{PAGE_BYTES, SECTOR_MIN_BYTES};
use super::profile::Profile;
use crate::kernel::{DistributionError, Probability};

/// The behaviour of a node's disk and file system.
///
/// Probabilities of zero take no draws: a run is the same as if the fault did not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskConfig {
    /// How the file system orders what it writes back.
    pub profile: Profile,
    /// What the disk writes whole or not at all, in bytes: 512 or 4,096.
    pub sector_bytes: u32,
    /// Room for the content of files, in bytes; `None` is without limit. Counted in pages of 4 KiB.
    pub capacity_bytes: Option<u64>,
    /// How many descriptors a process may have open (`RLIMIT_NOFILE`).
    pub descriptors_max: u32,
    /// What a loss of power leaves.
    pub crash: CrashOdds,
    /// How often which operation fails, but where a rule says otherwise.
    pub faults: DiskFaults,
}

/// What is found of changes that no sync made durable when the power is back.
///
/// One of four outcomes is drawn, each with its weight; what is kept is always legal under the
/// [`Profile`]. Nothing is drawn when nothing is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrashOdds {
    /// Weight of: nothing is kept.
    pub nothing: u32,
    /// Weight of: all changes up to some moment are kept.
    pub prefix: u32,
    /// Weight of: some changes are kept, each with a chance of one half.
    pub subset: u32,
    /// Weight of: everything is kept.
    pub everything: u32,
    /// The chance that a write of which not all is kept leaves some of its sectors.
    pub torn: Probability,
    /// The chance that sectors which a file has by its length, and whose bytes were lost, show what
    /// the disk held before, and not zeros. Only under [`Profile::Adversarial`].
    pub garbage: Probability,
}

/// How often a disk does what it should not. All are probabilities.
///
/// The rates of [`usual`](Self::usual) are those of the notes on fault catalogues: low enough that
/// a run of some thousand operations meets a few faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskFaults {
    /// For each read: it gives `EIO`, and the next may not.
    #[serde(skip_serializing_if = "is_never")]
    pub read_error: Probability,
    /// For each write: it gives `EIO` and writes nothing.
    #[serde(skip_serializing_if = "is_never")]
    pub write_error: Probability,
    /// For each write of more than one byte: it writes fewer bytes than it was asked to.
    #[serde(skip_serializing_if = "is_never")]
    pub short_write: Probability,
    /// For each sync with something to do: it gives `EIO`, once for each open file; the bytes that
    /// it should have written are gone, and the next sync succeeds.
    #[serde(skip_serializing_if = "is_never")]
    pub sync_error: Probability,
    /// For each sync with something to do: it succeeds, and nothing is durable.
    #[serde(skip_serializing_if = "is_never")]
    pub sync_lie: Probability,
    /// For each sector of 512 bytes that is read: it cannot be read any more until it is rewritten.
    #[serde(skip_serializing_if = "is_never")]
    pub latent_sector: Probability,
    /// For each sector of 512 bytes that is read: one bit of it has flipped, until it is rewritten.
    #[serde(skip_serializing_if = "is_never")]
    pub bit_rot: Probability,
    /// For each page that is read: the bytes of another page of the file come, until the page
    /// leaves the cache.
    #[serde(skip_serializing_if = "is_never")]
    pub misdirected_read: Probability,
    /// For each page that is written back: it stays as it was, though all seems well.
    #[serde(skip_serializing_if = "is_never")]
    pub lost_write: Probability,
    /// For each page that is written back: its bytes land on another page of the file, and it stays
    /// as it was. There is at most one such page at a time.
    #[serde(skip_serializing_if = "is_never")]
    pub misdirected_write: Probability,
    /// For each call that changes names or attributes: it gives `EIO` and changes nothing.
    #[serde(skip_serializing_if = "is_never")]
    pub metadata_error: Probability,
    /// After each error of names, attributes or a sync: the file system takes no more writes
    /// (`EROFS`) until the node loses power or the test remounts it.
    #[serde(skip_serializing_if = "is_never")]
    pub read_only: Probability,
    /// For each sync: it takes [`stall`](super::DiskLatency::stall) longer.
    #[serde(skip_serializing_if = "is_never")]
    pub stall: Probability,
}

/// Where the faults of a rule strike, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskScope {
    /// This file, or all files below this directory; `None` is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// These bytes of a file; `None` is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Range<u64>>,
    /// So often, and then as if the rule had ended; `None` is without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strikes_max: Option<u64>,
}

impl Default for DiskConfig {
    /// The adversary's profile and crashes, sectors of 512 bytes, no limits but Linux' 1,024
    /// descriptors, and no other faults.
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            sector_bytes: SECTORS_BYTES[0],
            capacity_bytes: None,
            descriptors_max: 1_024,
            crash: CrashOdds::default(),
            faults: DiskFaults::default(),
        }
    }
}

impl Default for CrashOdds {
    /// 25, 25, 40 and 10 of 100; one write in ten is torn, and every second hole shows garbage.
    fn default() -> Self {
        Self {
            nothing: 25,
            prefix: 25,
            subset: 40,
            everything: 10,
            torn: Probability::percent(10),
            garbage: Probability::percent(50),
        }
    }
}

impl CrashOdds {
    /// Exactly what was synced is kept: the weakest adversary, for a test of the happy path.
    pub const SYNCED_ONLY: Self = Self {
        nothing: 1,
        prefix: 0,
        subset: 0,
        everything: 0,
        torn: Probability::NEVER,
        garbage: Probability::NEVER,
    };
}

impl DiskFaults {
    /// No faults.
    pub const NONE: Self = Self {
        read_error: Probability::NEVER,
        write_error: Probability::NEVER,
        short_write: Probability::NEVER,
        sync_error: Probability::NEVER,
        sync_lie: Probability::NEVER,
        latent_sector: Probability::NEVER,
        bit_rot: Probability::NEVER,
        misdirected_read: Probability::NEVER,
        lost_write: Probability::NEVER,
        misdirected_write: Probability::NEVER,
        metadata_error: Probability::NEVER,
        read_only: Probability::NEVER,
        stall: Probability::NEVER,
    };

    /// Faults at the rates of a bad disk: what a program that checks for errors, and checksums what
    /// it reads, should live through.
    #[must_use]
    pub const fn usual() -> Self {
        Self {
            read_error: Probability::per_million(100),
            write_error: Probability::per_million(100),
            short_write: Probability::per_million(1_000),
            sync_error: Probability::per_million(1_000),
            sync_lie: Probability::NEVER,
            latent_sector: Probability::per_million(10),
            bit_rot: Probability::per_million(1),
            misdirected_read: Probability::per_million(1),
            lost_write: Probability::per_million(1),
            misdirected_write: Probability::per_million(1),
            metadata_error: Probability::per_million(100),
            read_only: Probability::percent(10),
            stall: Probability::per_million(100),
        }
    }

    /// As [`usual`](Self::usual), with silent corruption ten thousand times as often: for a run
    /// that is about nothing else.
    #[must_use]
    pub const fn corrupting() -> Self {
        Self {
            bit_rot: Probability::percent(1),
            misdirected_read: Probability::percent(1),
            lost_write: Probability::percent(1),
            misdirected_write: Probability::percent(1),
            ..Self::usual()
        }
    }
}

impl DiskConfig {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// The first that makes none.
    pub fn validate(&self) -> Result<(), DiskError> {
        let sector_bytes = self.sector_bytes;
        if !SECTORS_BYTES.contains(&sector_bytes) {
            return Err(DiskError::Sector { sector_bytes });
        }
        if self.descriptors_max == 0 {
            return Err(DiskError::NoDescriptors);
        }
        self.crash.weights().map(drop)
    }
}

impl CrashOdds {
    /// The sum of the weights.
    pub(super) fn weights(&self) -> Result<u64, DiskError> {
        let weights = [self.nothing, self.prefix, self.subset, self.everything];
        let sum = weights.into_iter().map(u64::from).sum();
        if sum == 0 {
            Err(DiskError::NoOutcome)
        } else {
            Ok(sum)
        }
    }
}

/// Why settings of a disk make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskError {
    /// No disk has sectors of this size.
    Sector {
        /// The size.
        sector_bytes: u32,
    },
    /// No file could be opened.
    NoDescriptors,
    /// No outcome of a loss of power has a weight.
    NoOutcome,
    /// The disk serves no call at all.
    NoQueue,
    /// A distribution of durations makes no sense.
    Duration {
        /// The field of the settings.
        field: &'static str,
        /// What is wrong with it.
        error: DistributionError,
    },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sector { sector_bytes } => {
                write!(f, "its sector_bytes are {sector_bytes}: give 512 or 4096")
            }
            Self::NoDescriptors => {
                f.write_str("its descriptors_max is 0: give at least 1, or nothing can be opened")
            }
            Self::NoOutcome => f.write_str(
                "no outcome of a crash has a weight: give one to nothing, prefix, subset or \
                 everything",
            ),
            Self::NoQueue => f.write_str("its queue_depth is 0: a disk serves at least one call"),
            Self::Duration { field, error } => write!(f, "its {field} makes no sense: {error}"),
        }
    }
}

impl core::error::Error for DiskError {}

/// Whether a chance is left out of a file.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_never(chance: &Probability) -> bool {
    chance.is_never()
}

/// The sizes of sectors that there are.
const SECTORS_BYTES: [u32; 2] = [512, 4_096];

const _: () = assert!(SECTORS_BYTES[0] as usize == SECTOR_MIN_BYTES);
const _: () = assert!(SECTORS_BYTES[1] as usize == PAGE_BYTES);
