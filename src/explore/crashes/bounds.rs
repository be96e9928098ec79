//! How much of a test's crash states is tried.

use super::CrashState;
use crate::model::disk::{PAGE_BYTES, Profile, SECTOR_MIN_BYTES};

/// How far crashes are explored.
///
/// At each moment at which power may be lost, with `n` changes that are not durable, these states
/// are tried: each beginning of the changes; all but one change; one change alone; all but two, up
/// to a size; all subsets, up to a size; writes torn at their first, middle and last border, of
/// sectors and of pages; and some states drawn at random. Always in so far as the profile allows
/// the state, and always with what such a choice implies by the profile.
///
/// ```
/// use stormglass::explore::{Bounds, Profile};
///
/// let bounds = Bounds { profile: Profile::Ext4Ordered, depth: 1, ..Bounds::default() };
/// assert_eq!(bounds.random, 64);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What the file system promises.
    pub profile: Profile,
    /// How often power is lost: at 2, also while the test recovers from the first time. At least 1.
    pub depth: usize,
    /// All subsets are tried of so many changes; at most 20.
    pub exhaustive_up_to: usize,
    /// All but two are tried of so many changes.
    pub pairs_up_to: usize,
    /// States drawn at random at each moment.
    pub random: usize,
    /// Whether writes are torn.
    pub torn: bool,
    /// What the disk writes whole or not at all, in bytes: 512 or 4,096.
    pub sector_bytes: u32,
    /// Whether bytes that a file has by its length and that were never written are tried as garbage
    /// too, where the profile allows them at all, and not as zeros alone.
    pub garbage: bool,
    /// Runs of the check after which no more states are tried.
    pub states_max: usize,
    /// What states drawn at random depend on.
    pub seed: u64,
    /// Which states count as tried already.
    pub pruning: Pruning,
    /// Tries this state alone, as a report has named it.
    pub only: Option<CrashState>,
}

/// Which states are passed over since another stands for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pruning {
    /// None: each is tried, however often it comes.
    None,
    /// Those that are equal to one that was tried.
    SameDisk,
    /// Those too that differ from one only where the check did not look. It takes for granted that
    /// what a check does depends on the disk and on what was acknowledged, and on nothing else.
    #[default]
    SameReads,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            depth: 2,
            exhaustive_up_to: 10,
            pairs_up_to: 12,
            random: 64,
            torn: true,
            sector_bytes: 512,
            garbage: true,
            states_max: 10_000,
            seed: 0,
            pruning: Pruning::default(),
            only: None,
        }
    }
}

impl Bounds {
    /// Whether a page is written as one, by the disk or by the file system.
    pub(crate) fn writes_whole_pages(&self) -> bool {
        self.sector_bytes as usize == PAGE_BYTES || self.profile.writes_whole_pages()
    }

    /// Complains of bounds that mean nothing.
    #[track_caller]
    pub(crate) fn validate(&self) {
        assert!(
            self.depth > 0,
            "a depth of 0 loses no power: give `Bounds::depth` 1 or more"
        );
        assert!(
            self.exhaustive_up_to <= EXHAUSTIVE_MAX,
            "all subsets of {} changes are too many: give `Bounds::exhaustive_up_to` at most \
             {EXHAUSTIVE_MAX}",
            self.exhaustive_up_to
        );
        let (sector, page) = (SECTOR_MIN_BYTES, PAGE_BYTES);
        assert!(
            [sector, page].contains(&(self.sector_bytes as usize)),
            "no disk has sectors of {} bytes: give `Bounds::sector_bytes` {sector} or {page}",
            self.sector_bytes
        );
        assert!(
            self.states_max > 0,
            "no state would be tried: give `Bounds::states_max` 1 or more"
        );
    }
}

/// A million subsets of each moment.
const EXHAUSTIVE_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Bounds::default().validate();
    }

    #[test]
    #[should_panic(expected = "give `Bounds::depth` 1 or more")]
    fn no_crash_at_all_is_refused() {
        let depth = 0;
        Bounds {
            depth,
            ..Bounds::default()
        }
        .validate();
    }

    #[test]
    #[should_panic(expected = "at most 20")]
    fn too_many_subsets_are_refused() {
        let exhaustive_up_to = 21;
        Bounds {
            exhaustive_up_to,
            ..Bounds::default()
        }
        .validate();
    }

    #[test]
    #[should_panic(expected = "give `Bounds::sector_bytes` 512 or 4096")]
    fn sectors_of_another_size_are_refused() {
        let sector_bytes = 1024;
        Bounds {
            sector_bytes,
            ..Bounds::default()
        }
        .validate();
    }

    #[test]
    #[should_panic(expected = "give `Bounds::states_max` 1 or more")]
    fn no_state_at_all_is_refused() {
        let states_max = 0;
        Bounds {
            states_max,
            ..Bounds::default()
        }
        .validate();
    }
}
