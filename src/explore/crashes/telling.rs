//! Changes whose loss nobody can see, since the disk had the same before.
//!
//! Owns the comparison. Such changes are always kept, and so double no number of states.

use std::collections::BTreeMap;

use crate::model::disk::{Change, CrashPoint, Ino, Patch};

/// The places of those changes whose loss may make a difference.
pub(crate) fn telling(point: &CrashPoint) -> Vec<usize> {
    let mut writes: BTreeMap<(Ino, u64), usize> = BTreeMap::new();
    let mut sizes: BTreeMap<Ino, usize> = BTreeMap::new();
    for op in &point.pending {
        match &op.change {
            Change::Data { ino, patches, .. } => {
                for patch in patches {
                    *writes.entry((*ino, patch.index)).or_default() += 1;
                }
            }
            Change::Size { ino, .. } => *sizes.entry(*ino).or_default() += 1,
            _ => {}
        }
    }
    let idle = |change: &Change| match change {
        Change::Data {
            ino,
            patches,
            grows: false,
            regrows: false,
        } => {
            !sizes.contains_key(ino)
                && patches.iter().all(|patch| {
                    writes.get(&(*ino, patch.index)) == Some(&1) && is_there(point, *ino, patch)
                })
        }
        Change::Attributes { ino, .. } => {
            let mode = point.durable.get(*ino).map(|inode| inode.attributes.mode);
            point.pending.iter().all(|op| match &op.change {
                Change::Attributes {
                    ino: other,
                    attributes,
                } => other != ino || Some(attributes.mode) == mode,
                _ => true,
            })
        }
        _ => false,
    };
    let count = point.pending.len();
    (0..count)
        .filter(|&op| !idle(&point.pending[op].change))
        .collect()
}

/// Whether the disk has these very bytes in these sectors, and can read them.
fn is_there(point: &CrashPoint, ino: Ino, patch: &Patch) -> bool {
    let Some(file) = point.durable.file(ino) else {
        return false;
    };
    let Some(page) = file.content.page(patch.index) else {
        return false;
    };
    file.unreadable.is_empty() && page.agrees(&patch.page, patch.sectors)
}
