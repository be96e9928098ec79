//! The log: the writes in the order in which they take effect.
//!
//! An entry is known by its place and its epoch: a primary numbers its epoch upwards at each start
//! and fills each place at most once in it. So two logs that agree on the epoch at one place agree
//! on the entry there.

use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// One place of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The incarnation of the primary that made it.
    pub epoch: u64,
    /// What the primary's wall clock showed, in nanoseconds since 1970. For people to read;
    /// nothing may be decided by it.
    pub stamp_ns: u64,
    /// What it does.
    pub command: Command,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: the first entry of each epoch, by which all before it are known to be decided.
    Begin,
    /// Lets a key hold a value, on behalf of a request.
    Put {
        /// Who asked.
        client: u32,
        /// The request's number.
        number: u64,
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
}

/// The writes in the order in which they take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// Adds an entry at the end.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Makes this log hold `entries` after its first `after`. What already agrees stays, and so
    /// does what follows it: a message that comes late must not cut off what a newer one has
    /// brought. From the first difference on, the new entries replace the old.
    ///
    /// # Panics
    /// If this log has fewer than `after` entries.
    pub fn splice(&mut self, after: usize, entries: &[Entry]) {
        assert!(
            after <= self.len(),
            "a gap in the log: {} entries, then {after}",
            self.len()
        );
        let known = self.entries[after..].iter().zip(entries);
        let same = known
            .take_while(|(mine, new)| mine.epoch == new.epoch)
            .count();
        if same < entries.len() {
            self.entries.truncate(after + same);
            self.entries.extend_from_slice(&entries[same..]);
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries after the first `after`.
    #[must_use]
    pub fn tail(&self, after: usize) -> &[Entry] {
        &self.entries[after..]
    }

    /// How many entries at the beginning are the same in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> usize {
        let pairs = self.entries.iter().zip(&other.entries);
        pairs
            .take_while(|(mine, theirs)| mine.epoch == theirs.epoch)
            .count()
    }

    /// Compares how much two logs know. Of the logs of any majority the greatest holds every
    /// entry that was ever decided (Ongaro 2014, section 3.6.1).
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let rank = |log: &Self| (log.entries.last().map(|entry| entry.epoch), log.len());
        rank(self).cmp(&rank(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(epochs: &[u64]) -> Log {
        let mut log = Log::default();
        for &epoch in epochs {
            log.push(Entry {
                epoch,
                stamp_ns: 0,
                command: Command::Begin,
            });
        }
        log
    }

    fn check_splice(before: &[u64], after: usize, new: &[u64], expected: &[u64]) {
        let mut spliced = log(before);
        spliced.splice(after, log(new).entries());
        assert_eq!(
            spliced,
            log(expected),
            "{before:?} after {after} with {new:?}"
        );
    }

    #[test]
    fn splicing_replaces_from_the_first_difference_on() {
        check_splice(&[], 0, &[1, 1], &[1, 1]);
        check_splice(&[1], 1, &[1, 2], &[1, 1, 2]);
        check_splice(&[1, 1, 1], 1, &[2], &[1, 2]);
        check_splice(&[1, 1, 1], 1, &[1, 2], &[1, 1, 2]);
    }

    #[test]
    fn splicing_what_is_there_cuts_nothing_off() {
        check_splice(&[1, 1, 2], 1, &[1], &[1, 1, 2]);
        check_splice(&[1, 1, 2], 2, &[], &[1, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "a gap in the log")]
    fn a_gap_is_refused() {
        check_splice(&[1], 2, &[1], &[]);
    }

    #[test]
    fn a_later_epoch_outweighs_length() {
        assert_eq!(log(&[1, 2]).compare(&log(&[1, 1, 1])), Ordering::Greater);
        assert_eq!(log(&[1, 2]).compare(&log(&[1, 2, 2])), Ordering::Less);
        assert_eq!(log(&[]).compare(&log(&[1])), Ordering::Less);
    }

    #[test]
    fn what_is_common_ends_at_the_first_difference() {
        assert_eq!(log(&[1, 1, 2, 3]).common(&log(&[1, 1, 3, 3])), 2);
        assert_eq!(log(&[1]).common(&log(&[])), 0);
    }
}
