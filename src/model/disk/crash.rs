//! What a loss of power leaves: the states that a disk may be found in, each made on demand.
//!
//! Owns how a set of kept changes becomes an image. Which sets are legal is the
//! [profile](super::profile)'s to say; one is [drawn](super::power) when a node loses power, and
//! all are visited when crash states are explored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, Op, Patch};
use super::image::{Extent, Image, Ino};
use super::page::{PAGE_BYTES, SECTOR_MIN_BYTES, Sectors};
use super::profile::Profile;
use super::store::Store;

/// The disk at the moment at which power is lost.
#[derive(Clone, Debug)]
pub(crate) struct CrashPoint {
    pub(crate) profile: Profile,
    pub(crate) durable: Image,
    pub(crate) pending: Vec<Arc<Op>>,
}

/// What becomes of one pending change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Lost,
    Kept,
    /// Of each page that it wrote, in order, these sectors are kept.
    Torn(Vec<Sectors>),
}

impl Mark {
    /// Which sectors of a patch are kept: the one of that number among those of its change.
    fn sectors(&self, number: usize, patch: &Patch) -> Sectors {
        match self {
            Self::Lost => Sectors::NONE,
            Self::Kept => patch.sectors,
            Self::Torn(kept) => kept[number],
        }
    }
}

/// What is in sectors that a file has by its length and that were never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Zeros,
    /// What the disk held there before; a pattern made of this number stands for it.
    Garbage(u64),
}

impl CrashPoint {
    pub(crate) fn of(store: &Store) -> Self {
        Self {
            profile: store.profile(),
            durable: store.durable().clone(),
            pending: store.pending().to_vec(),
        }
    }

    /// The state that is found when power is back. `marks` must be legal.
    pub(crate) fn image(&self, marks: &[Mark], fill: Fill) -> Image {
        assert_eq!(marks.len(), self.pending.len(), "a mark for each change");
        let mut image = self.durable.clone();
        for (op, mark) in self.pending.iter().zip(marks) {
            match mark {
                Mark::Lost => {}
                Mark::Kept => image.apply(&op.change, Extent::Whole),
                Mark::Torn(sectors) => image.apply(&op.change, Extent::Sectors(sectors)),
            }
        }
        if let Fill::Garbage(pattern) = fill {
            for exposed in self.exposed(marks) {
                scribble(&mut image, exposed, pattern);
            }
        }
        image.settle();
        image
    }

    /// Sectors that are in a file by its kept length and whose bytes are lost: what may show what
    /// the disk held before. Only a profile that lets a length go before its bytes has any.
    pub(crate) fn exposed(&self, marks: &[Mark]) -> Vec<Exposed> {
        let mut exposed: BTreeMap<(Ino, u64), Sectors> = BTreeMap::new();
        for (op, mark) in self.pending.iter().zip(marks) {
            let Change::Data {
                ino,
                patches,
                grows: true,
                ..
            } = &op.change
            else {
                continue;
            };
            if *mark == Mark::Kept {
                continue;
            }
            let durable = self.durable.file(*ino).map_or(0, |file| file.len);
            for (number, patch) in patches.iter().enumerate() {
                let lost = patch.sectors.without(mark.sectors(number, patch));
                let fresh = lost.without(sectors_below(durable, patch.index));
                let place = exposed.entry((*ino, patch.index)).or_insert(Sectors::NONE);
                *place = place.union(fresh);
            }
        }
        self.cover(&mut exposed, marks);
        let sectors = exposed.into_iter().flat_map(|((ino, page), sectors)| {
            let all: Vec<usize> = sectors.iter().collect();
            all.into_iter()
                .map(move |sector| Exposed { ino, page, sector })
        });
        sectors.collect()
    }

    /// Takes out of some sectors what another kept change wrote there.
    fn cover(&self, exposed: &mut BTreeMap<(Ino, u64), Sectors>, marks: &[Mark]) {
        if exposed.is_empty() {
            return;
        }
        for (op, mark) in self.pending.iter().zip(marks) {
            let Change::Data { ino, patches, .. } = &op.change else {
                continue;
            };
            for (number, patch) in patches.iter().enumerate() {
                if let Some(place) = exposed.get_mut(&(*ino, patch.index)) {
                    *place = place.without(mark.sectors(number, patch));
                }
            }
        }
    }
}

/// A sector of a page of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposed {
    ino: Ino,
    page: u64,
    sector: usize,
}

/// The sectors of a page that lie below a length, the one that it cuts among them.
fn sectors_below(len: u64, page: u64) -> Sectors {
    let start = page * PAGE_BYTES as u64;
    let below = len.saturating_sub(start).min(PAGE_BYTES as u64);
    Sectors::touched(0, usize::try_from(below).expect("at most a page"))
}

fn scribble(image: &mut Image, place: Exposed, pattern: u64) {
    let Some(file) = image.file_mut(place.ino) else {
        return;
    };
    let at = place.page * PAGE_BYTES as u64 + (place.sector * SECTOR_MIN_BYTES) as u64;
    if at >= file.len {
        return;
    }
    let page = file.content.entry(place.page).bytes_mut();
    let from = place.sector * SECTOR_MIN_BYTES;
    for (word, bytes) in (at / 8..).zip(page[from..from + SECTOR_MIN_BYTES].chunks_exact_mut(8)) {
        // Any fixed mixing does: what matters is that it is neither zeros nor what was written.
        let garbage = (pattern ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        bytes.copy_from_slice(&garbage.to_le_bytes());
    }
}
