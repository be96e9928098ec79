//! Which operations of a disk go wrong: settings, rules for parts of it, and the draws.
//!
//! Owns the chances, the choice points, the counters, and whether the file system takes writes.
//! What a fault then does to the bytes is [device](super::device)'s.
//!
//! Rules are asked newest first; the first whose scope an operation meets decides, and if none
//! does, the disk's usual settings (as filters of packets are asked). Each kind of fault has a
//! choice point of its own, so that one switched off leaves the draws of the others as they were.

use core::ops::Range;
use core::time::Duration;

use super::config::{DiskFaults, DiskScope};
use super::image::{Image, Ino, Inode};
use crate::kernel::{Choices, EntityKey, Family, FaultCounters, Point, Probability, Site};

/// The faults of one disk.
#[derive(Debug)]
pub(crate) struct Faults {
    usual: DiskFaults,
    /// By number, the newest last.
    rules: Vec<(u64, Rule)>,
    next_rule: u64,
    /// Whether anything can go wrong at all.
    armed: bool,
    points: Vec<Point>,
    counters: FaultCounters,
    /// The file system takes no writes since an error.
    read_only: bool,
}

/// Faults for a part of a disk.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) scope: DiskScope,
    pub(crate) faults: DiskFaults,
}

/// What is done, and where.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) ino: Ino,
    pub(crate) bytes: Range<u64>,
}

/// A kind of fault that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    ReadError,
    WriteError,
    ShortWrite,
    SyncError,
    SyncLie,
    LatentSector,
    BitRot,
    MisdirectedRead,
    LostWrite,
    MisdirectedWrite,
    MetadataError,
    ReadOnly,
    Stall,
}

impl Drawn {
    /// In the order of their numbers.
    const ALL: [(Self, Site); 13] = [
        (Self::ReadError, Site::new("disk.read_error")),
        (Self::WriteError, Site::new("disk.write_error")),
        (Self::ShortWrite, Site::new("disk.short_write")),
        (Self::SyncError, Site::new("disk.sync_error")),
        (Self::SyncLie, Site::new("disk.sync_lie")),
        (Self::LatentSector, Site::new("disk.latent_sector")),
        (Self::BitRot, Site::new("disk.bit_rot")),
        (Self::MisdirectedRead, Site::new("disk.misdirected_read")),
        (Self::LostWrite, Site::new("disk.lost_write")),
        (Self::MisdirectedWrite, Site::new("disk.misdirected_write")),
        (Self::MetadataError, Site::new("disk.metadata_error")),
        (Self::ReadOnly, Site::new("disk.read_only")),
        (Self::Stall, Site::new("disk.stall")),
    ];

    const fn chance(self, faults: &DiskFaults) -> Probability {
        match self {
            Self::ReadError => faults.read_error,
            Self::WriteError => faults.write_error,
            Self::ShortWrite => faults.short_write,
            Self::SyncError => faults.sync_error,
            Self::SyncLie => faults.sync_lie,
            Self::LatentSector => faults.latent_sector,
            Self::BitRot => faults.bit_rot,
            Self::MisdirectedRead => faults.misdirected_read,
            Self::LostWrite => faults.lost_write,
            Self::MisdirectedWrite => faults.misdirected_write,
            Self::MetadataError => faults.metadata_error,
            Self::ReadOnly => faults.read_only,
            Self::Stall => faults.stall,
        }
    }

    pub(crate) const fn family(self) -> Family {
        match self {
            Self::ReadError => Family::ReadError,
            Self::WriteError => Family::WriteError,
            Self::ShortWrite => Family::ShortWrite,
            Self::SyncError => Family::SyncError,
            Self::SyncLie => Family::SyncLie,
            Self::LatentSector => Family::LatentSector,
            Self::BitRot => Family::BitRot,
            Self::MisdirectedRead => Family::MisdirectedRead,
            Self::LostWrite => Family::LostWrite,
            Self::MisdirectedWrite => Family::MisdirectedWrite,
            Self::MetadataError => Family::MetadataError,
            Self::ReadOnly => Family::ReadOnly,
            Self::Stall => Family::DiskStall,
        }
    }
}

impl Faults {
    /// Faults of the disk of the node with this key.
    pub(crate) fn new(key: EntityKey, usual: DiskFaults) -> Self {
        let point = |(_, site)| Choices::point(site, key);
        Self {
            usual,
            rules: Vec::new(),
            next_rule: 0,
            armed: usual != DiskFaults::NONE,
            points: Drawn::ALL.into_iter().map(point).collect(),
            counters: FaultCounters::default(),
            read_only: false,
        }
    }

    pub(crate) fn set_usual(&mut self, usual: DiskFaults) {
        self.usual = usual;
        self.arm();
    }

    /// Adds a rule, which goes before all others, and gives the number by which it is ended.
    pub(crate) fn add_rule(&mut self, rule: Rule) -> u64 {
        let number = self.next_rule;
        self.next_rule += 1;
        self.rules.push((number, rule));
        self.arm();
        number
    }

    /// Ends a rule; nothing happens if it has ended.
    pub(crate) fn end_rule(&mut self, number: u64) {
        self.rules.retain(|(other, _)| *other != number);
        self.arm();
    }

    fn arm(&mut self) {
        let none = |rule: &(u64, Rule)| rule.1.faults == DiskFaults::NONE;
        self.armed = self.usual != DiskFaults::NONE || !self.rules.iter().all(none);
    }

    /// Whether anything can go wrong at all: asked first, so that a disk without faults pays one
    /// branch.
    pub(crate) const fn armed(&self) -> bool {
        self.armed
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) const fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    pub(crate) const fn counters(&self) -> &FaultCounters {
        &self.counters
    }

    pub(crate) const fn counters_mut(&mut self) -> &mut FaultCounters {
        &mut self.counters
    }

    /// Draws whether a fault strikes one of `count` things at a place. Counts the chance; the act
    /// is counted by [`acted`](Self::acted), since a fault that strikes may find nothing to do.
    pub(crate) fn strikes(
        &mut self,
        choices: &mut Choices,
        image: &Image,
        kind: Drawn,
        place: &Place,
        count: u64,
    ) -> bool {
        let meets = |(_, rule): &(u64, Rule)| rule.scope.meets(image, place);
        let rule = self.rules.iter().rposition(meets);
        let faults = rule.map_or(&self.usual, |rule| &self.rules[rule].1.faults);
        let chance = kind.chance(faults).times(count);
        if chance.is_never() {
            return false;
        }
        self.counters.offered(kind.family());
        let strikes = choices.chance(&mut self.points[kind as usize], chance);
        if strikes
            && let Some(rule) = rule
            && let Some(left) = &mut self.rules[rule].1.scope.strikes_max
        {
            *left -= 1;
        }
        strikes
    }

    /// A fault that struck did what it does.
    pub(crate) fn acted(&mut self, family: Family) {
        self.counters.fired(family);
    }

    /// A program met what a fault did.
    pub(crate) fn was_seen(&mut self, family: Family) {
        let counter = self.counters.get(family);
        if counter.effective < counter.fired {
            self.counters.effective(family);
        }
    }

    /// A fault does what it does where a program meets it at once: with an error, or by waiting.
    pub(crate) fn was_met(&mut self, family: Family) {
        self.counters.fired(family);
        self.counters.effective(family);
    }

    /// A call of a disk with a speed of its own took so long; on others it takes no longer than
    /// `usual`.
    pub(super) fn took(&mut self, takes: Duration, usual: Duration) {
        self.counters.offered(Family::DiskSlow);
        if takes > usual {
            self.was_met(Family::DiskSlow);
        }
    }

    /// Draws a number below `n` for what a fault of that kind does.
    pub(crate) fn below(&mut self, choices: &mut Choices, kind: Drawn, n: u64) -> u64 {
        choices.below(&mut self.points[kind as usize], n)
    }
}

impl DiskFaults {
    /// The families that these may bring.
    pub(crate) fn families(&self) -> Vec<Family> {
        let kinds = Drawn::ALL.into_iter().map(|(kind, _)| kind);
        kinds
            .filter(|kind| !kind.chance(self).is_never())
            .map(Drawn::family)
            .collect()
    }
}

impl DiskScope {
    /// Whether a place is in the scope.
    fn meets(&self, image: &Image, place: &Place) -> bool {
        let in_range = self
            .bytes
            .as_ref()
            .is_none_or(|bytes| place.bytes.start < bytes.end && bytes.start < place.bytes.end);
        in_range
            && self.strikes_max != Some(0)
            && self.path.as_ref().is_none_or(|path| {
                let found = image.find(path.as_bytes());
                found.is_some_and(|top| image.is_below(top, place.ino))
            })
    }
}

impl Image {
    /// What a path of plain names leads to; symbolic links are not followed.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Ino> {
        let names = path.split(|byte| *byte == b'/');
        names
            .filter(|name| !name.is_empty() && *name != b".")
            .try_fold(Ino::ROOT, |dir, name| {
                let directory = self.get(dir)?.directory()?;
                directory.entries.get(name).copied()
            })
    }

    /// A path that leads to an inode, the first in the order of names.
    pub(crate) fn path_of(&self, ino: Ino) -> Option<String> {
        let mut todo = vec![(Ino::ROOT, String::new())];
        while let Some((dir, path)) = todo.pop() {
            if dir == ino {
                return Some(if path.is_empty() {
                    "/".to_owned()
                } else {
                    path
                });
            }
            if let Some(directory) = self.get(dir).and_then(Inode::directory) {
                let below = directory.entries.iter().rev();
                todo.extend(below.map(|(name, entry)| (*entry, format!("{path}/{name}"))));
            }
        }
        None
    }

    /// Whether an inode is `top`, or a name in it or in a directory below it leads to it.
    fn is_below(&self, top: Ino, ino: Ino) -> bool {
        if top == ino || top == Ino::ROOT {
            return true;
        }
        let mut todo = vec![top];
        while let Some(dir) = todo.pop() {
            let Some(directory) = self.get(dir).and_then(Inode::directory) else {
                continue;
            };
            for &entry in directory.entries.values() {
                if entry == ino {
                    return true;
                }
                todo.push(entry);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_at_their_numbers() {
        for (number, (kind, site)) in Drawn::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(kind.family().name(), site.name());
        }
    }
}
