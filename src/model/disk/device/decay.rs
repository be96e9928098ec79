//! Damage of what lies on the disk and of what comes from it: sectors that cannot be read any more,
//! bits that flip, and pages that come from elsewhere.

use super::{Device, World};
use crate::kernel::Family;
use crate::model::disk::fault::{Drawn, Place};
use crate::model::disk::image::Ino;
use crate::model::disk::page::{PAGE_BYTES, Page, SECTOR_MIN_BYTES, SECTORS_MAX};

/// A bit of a file.
#[derive(Clone, Copy)]
struct Spot {
    ino: Ino,
    /// Of 512 bytes.
    sector: u64,
    bit: u64,
}

impl Device {
    /// What may have happened to some bytes since they were last looked at.
    pub(super) fn decay(&mut self, world: &mut World<'_>, place: &Place) {
        let sectors = place.sectors();
        let count = sectors.end - sectors.start;
        for kind in [Drawn::LatentSector, Drawn::BitRot] {
            if !self.strikes(world, kind, place, count) {
                continue;
            }
            let sector = sectors.start + self.faults.below(world.choices, kind, count);
            let bit = self
                .faults
                .below(world.choices, kind, SECTOR_MIN_BYTES as u64 * 8);
            let ino = place.ino;
            self.spoil(world, kind, Spot { ino, sector, bit });
        }
        let pages = place.pages();
        let count = pages.end - pages.start;
        let kind = Drawn::MisdirectedRead;
        if self.strikes(world, kind, place, count) {
            let page = pages.start + self.faults.below(world.choices, kind, count);
            self.misdirect_read(world, place.ino, page);
        }
    }

    /// Makes a sector unreadable, or flips a bit of it, unless it waits in the cache to be written.
    fn spoil(&mut self, world: &mut World<'_>, kind: Drawn, spot: Spot) {
        let Spot { ino, sector, bit } = spot;
        let size = SECTOR_MIN_BYTES as u64;
        let page = sector / SECTORS_MAX as u64;
        let bytes = sector * size..(sector + 1) * size;
        let flipped = bytes.start + bit / 8;
        let file = self.fs.store.visible().file(ino);
        let stored =
            file.is_some_and(|file| flipped < file.len && file.content.page(page).is_some());
        if !stored
            || self.fs.store.is_dirty(ino, page)
            || !self.may_damage(world, &Place { ino, bytes })
        {
            return;
        }
        let at = usize::try_from(flipped % PAGE_BYTES as u64).expect("in the page");
        let (visible, durable) = self.fs.store.images_mut();
        for image in [visible, durable] {
            let Some(file) = image.file_mut(ino) else {
                continue;
            };
            if kind == Drawn::LatentSector {
                file.unreadable.insert(sector);
            } else {
                file.content.entry(page).bytes_mut()[at] ^= 1 << (bit % 8);
            }
        }
        self.faults.acted(kind.family());
        if kind == Drawn::BitRot {
            self.unseen.insert((ino, page), Family::BitRot);
        }
    }

    /// The bytes of another page of the file come into the cache for a page.
    fn misdirect_read(&mut self, world: &mut World<'_>, ino: Ino, page: u64) {
        let kind = Drawn::MisdirectedRead;
        let Some(other) = self.other_page(world, kind, ino, page) else {
            return;
        };
        let file = self.fs.store.visible().file(ino).expect("it has pages");
        let at = |page| {
            file.content
                .page(page)
                .cloned()
                .unwrap_or_else(Page::zeroed)
        };
        let (right, wrong) = (at(page), at(other));
        if right.same(&wrong)
            || self.fs.store.is_dirty(ino, page)
            || !self.may_damage(world, &Place::page(ino, page))
        {
            return;
        }
        let (visible, _) = self.fs.store.images_mut();
        let file = visible.file_mut(ino).expect("it has pages");
        file.content.set(page, wrong);
        file.set_len(file.len);
        self.fs.store.haunt(ino, page);
        self.faults.acted(Family::MisdirectedRead);
        self.unseen.insert((ino, page), Family::MisdirectedRead);
    }

    /// Draws another page of a file that has more than one.
    pub(super) fn other_page(
        &mut self,
        world: &mut World<'_>,
        kind: Drawn,
        ino: Ino,
        page: u64,
    ) -> Option<u64> {
        let len = self.fs.store.visible().file(ino)?.len;
        let count = len.div_ceil(PAGE_BYTES as u64);
        if count < 2 {
            return None;
        }
        let other = self.faults.below(world.choices, kind, count - 1);
        Some(if other >= page { other + 1 } else { other })
    }
}

impl Place {
    /// A page of a file.
    pub(super) fn page(ino: Ino, page: u64) -> Self {
        let size = PAGE_BYTES as u64;
        let bytes = page * size..(page + 1) * size;
        Self { ino, bytes }
    }
}
