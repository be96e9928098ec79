//! Which changes a loss of power may keep without which: the ordering that a file system promises.
//!
//! Owns the edges. Each change *provides* some keys and *needs* others: it is durable only if all
//! earlier changes that provide a key it needs are. What no edge forbids may happen, and does in a
//! test.
//!
//! Sources: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), table 1 and
//! section 3; the kernel's documentation of ext4 (`data=ordered`, `auto_da_alloc`); the edges that
//! all profiles keep follow from what an inode is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::change::{Change, Op};
use super::image::{Ino, Name};
use super::op_set::OpSet;
use crate::kernel::EntityKey;

/// How a file system orders what it writes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Everything in the order in which it was done. A smoke test, and more than any file system
    /// promises.
    Strict,
    /// As ext4 with `data=ordered` and delayed allocation: names in order; a file is not longer on
    /// the disk than what of it is there; replacing a file by renaming writes the new one first.
    Ext4Ordered,
    /// As XFS: names in order; a file is not longer on the disk than what of it is there.
    Xfs,
    /// As Btrfs: names of different inodes in any order; a file is not longer on the disk than what
    /// of it is there; replacing a file by renaming writes the new one first.
    Btrfs,
    /// Only what a sync forces: any subset in any order. A file may have its length without its
    /// bytes, and a renamed one both names.
    #[default]
    Adversarial,
}

/// What an edge hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Everything,
    /// The journal of names and attributes.
    Journal,
    /// Bytes of a file, where it was not longer then, or beyond.
    Overwritten(Ino),
    Grown(Ino),
    /// The length of a file.
    Size(Ino),
    Shrunk(Ino),
    /// A name in a directory, by its hash; the names of an inode.
    Name(Ino, u64),
    Names(Ino),
    /// The first half of a renaming, by its call.
    NewName(u64),
}

/// The keys of one change.
type Keys = Vec<Key>;

impl Profile {
    /// All profiles, the most orderly first.
    pub const ALL: &'static [Self] = &[
        Self::Strict,
        Self::Ext4Ordered,
        Self::Xfs,
        Self::Btrfs,
        Self::Adversarial,
    ];

    /// Whether a renaming is one change, which is durable or not.
    pub(crate) fn renames_at_once(self) -> bool {
        self != Self::Adversarial
    }

    /// Whether a sync of a file makes its names durable too.
    pub(crate) fn syncs_names_with_files(self) -> bool {
        self != Self::Adversarial
    }

    /// Whether the bytes of a page are written at once, whatever the sectors of the disk.
    pub(crate) fn writes_whole_pages(self) -> bool {
        self == Self::Btrfs
    }

    /// Whether a file's new length may be durable before its bytes.
    pub(crate) fn exposes_garbage(self) -> bool {
        self == Self::Adversarial
    }

    /// Whether space is found when bytes are written back, not when a program writes them.
    pub(crate) fn allocates_late(self) -> bool {
        matches!(self, Self::Xfs | Self::Btrfs)
    }

    /// Adds to the changes in `kept` all that they need.
    pub(crate) fn close_over_needs(self, ops: &[Arc<Op>], kept: &mut [bool]) {
        assert_eq!(ops.len(), kept.len(), "a mark for each change");
        let mut needed = BTreeSet::new();
        for (op, kept) in ops.iter().zip(kept).rev() {
            *kept |= self.provides(op).iter().any(|key| needed.contains(key));
            if *kept {
                needed.extend(self.needs(op));
            }
        }
    }

    /// Takes from the changes in `kept` all that need one which is not among them.
    #[cfg(test)]
    pub(crate) fn drop_unfounded(self, ops: &[Arc<Op>], kept: &mut [bool]) {
        assert_eq!(ops.len(), kept.len(), "a mark for each change");
        self.found(ops, |number, founded| {
            kept[number] &= founded;
            kept[number]
        });
    }

    /// Goes through changes in order. `keep` is told the number of each, and whether all that it
    /// needs is kept, and says whether all of it is kept.
    pub(crate) fn found(self, ops: &[Arc<Op>], mut keep: impl FnMut(usize, bool) -> bool) {
        let mut lost = BTreeSet::new();
        for (number, op) in ops.iter().enumerate() {
            let founded = lost.is_empty() || !self.needs(op).iter().any(|key| lost.contains(key));
            if !keep(number, founded) {
                lost.extend(self.provides(op));
            }
        }
    }

    /// For each change all earlier ones that it needs, and those that they need.
    pub(crate) fn needs_of_each(self, ops: &[Arc<Op>]) -> Vec<OpSet> {
        // For each key who provides it, with all that these need.
        let mut reach: BTreeMap<Key, OpSet> = BTreeMap::new();
        let mut all = Vec::with_capacity(ops.len());
        for (number, op) in ops.iter().enumerate() {
            let mut needs = OpSet::new(ops.len());
            for key in self.needs(op) {
                if let Some(others) = reach.get(&key) {
                    needs.add_all(others);
                }
            }
            for key in self.provides(op) {
                let others = reach.entry(key).or_insert_with(|| OpSet::new(ops.len()));
                others.add_all(&needs);
                others.add(number);
            }
            all.push(needs);
        }
        all
    }

    fn provides(self, op: &Op) -> Keys {
        let mut keys = Vec::new();
        if self == Self::Strict {
            keys.push(Key::Everything);
            return keys;
        }
        match &op.change {
            Change::Data { ino, grows, .. } => keys.push(if *grows {
                Key::Grown(*ino)
            } else {
                Key::Overwritten(*ino)
            }),
            Change::Size { ino, from, to } => {
                keys.push(Key::Size(*ino));
                if to < from {
                    keys.push(Key::Shrunk(*ino));
                    self.add_journal(&mut keys);
                }
            }
            Change::Link { dir, name, ino, .. } => {
                self.add_name(&mut keys, *dir, name, *ino);
                keys.push(Key::NewName(op.call));
            }
            Change::Unlink { dir, name, ino } => self.add_name(&mut keys, *dir, name, *ino),
            Change::Rename { ino, from, to, .. } => {
                self.add_name(&mut keys, from.0, &from.1, *ino);
                self.add_name(&mut keys, to.0, &to.1, *ino);
            }
            Change::Attributes { .. } => self.add_journal(&mut keys),
        }
        keys
    }

    fn needs(self, op: &Op) -> Keys {
        let mut keys = Vec::new();
        if self == Self::Strict {
            keys.push(Key::Everything);
            return keys;
        }
        match &op.change {
            Change::Data { ino, regrows, .. } => {
                if *regrows {
                    keys.push(Key::Shrunk(*ino));
                }
            }
            Change::Size { ino, from, to } => {
                keys.push(Key::Size(*ino));
                self.add_journal(&mut keys);
                if to > from && self != Self::Adversarial {
                    keys.push(Key::Grown(*ino));
                }
            }
            Change::Link { dir, name, ino, .. } => {
                self.add_name(&mut keys, *dir, name, *ino);
                self.add_path(&mut keys, *dir);
            }
            Change::Unlink { dir, name, ino } => {
                self.add_name(&mut keys, *dir, name, *ino);
                keys.push(Key::NewName(op.call));
            }
            Change::Rename {
                ino,
                from,
                to,
                replaced,
            } => {
                self.add_name(&mut keys, from.0, &from.1, *ino);
                self.add_name(&mut keys, to.0, &to.1, *ino);
                self.add_path(&mut keys, to.0);
                if replaced.is_some() && matches!(self, Self::Ext4Ordered | Self::Btrfs) {
                    keys.extend([Key::Grown(*ino), Key::Overwritten(*ino), Key::Size(*ino)]);
                }
            }
            Change::Attributes { .. } => self.add_journal(&mut keys),
        }
        keys
    }

    /// What is ordered with all that goes through one journal.
    fn add_journal(self, keys: &mut Keys) {
        if matches!(self, Self::Ext4Ordered | Self::Xfs) {
            keys.push(Key::Journal);
        }
    }

    /// What is ordered with other changes of names.
    fn add_name(self, keys: &mut Keys, dir: Ino, name: &Name, ino: Ino) {
        self.add_journal(keys);
        if self == Self::Btrfs {
            let name = String::from_utf8_lossy(&name.0);
            keys.extend([
                Key::Name(dir, EntityKey::of(&name).number()),
                Key::Names(ino),
            ]);
        }
    }
    /// A name is durable only if those of its directory are.
    fn add_path(self, keys: &mut Keys, dir: Ino) {
        if self == Self::Btrfs {
            keys.push(Key::Names(dir));
        }
    }
}
