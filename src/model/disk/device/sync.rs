//! Writing back: what a sync makes durable, and the ways in which it does not.
//!
//! # Fidelity
//! A failed sync of Ext4 and XFS leaves the new bytes in the cache, clean, where programs read them
//! until the page is evicted; Btrfs shows the old ones at once (Rebello et al. 2020, table 1). The
//! file's new length stays pending, so that a later sync that succeeds makes a length durable whose
//! bytes are gone.

use std::io;
use std::sync::Arc;

use super::{Device, World};
use crate::kernel::Family;
use crate::model::disk::change::{Change, Op, Patch};
use crate::model::disk::fault::{Drawn, Place};
use crate::model::disk::image::{Extent, Ino};
use crate::model::disk::os_error;
use crate::model::disk::page::Sectors;
use crate::model::disk::profile::Profile;
use crate::model::disk::store::Syncing;

/// A page of a change that does not arrive where it should.
#[derive(Clone, Copy, Debug)]
struct Stray {
    op: u64,
    /// Which of the change's pages.
    patch: usize,
    /// Where it lands instead.
    on: Option<u64>,
}

impl Device {
    /// Carries out a sync. `before` is the number of the first change that came after it began,
    /// and `told` of how many failed syncs the open file that asks has been told.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub(crate) fn sync(
        &mut self,
        world: &mut World<'_>,
        what: Syncing,
        before: u64,
        told: &mut u64,
    ) -> io::Result<()> {
        self.fs.before_sync(&world.around, what);
        let marks = self.fs.store.forced(what, before);
        let ino = match what {
            Syncing::File(ino) | Syncing::Content(ino) | Syncing::Directory(ino) => ino,
            Syncing::Everything => Ino::ROOT,
        };
        if self.is_overcommitted() && marks.contains(&true) {
            // The bytes are gone, and with them the need for space.
            self.faults.counters_mut().offered(Family::NoSpace);
            self.faults.was_met(Family::NoSpace);
            self.fs.store.lose_data(&marks, |of| of == ino);
            self.drop_cache();
            return Err(os_error(libc::ENOSPC));
        }
        if !self.faults.armed() || !marks.contains(&true) {
            self.fs.store.persist_whole(&marks);
        } else {
            let bytes = 0..u64::MAX;
            self.sync_under_faults(world, &Place { ino, bytes }, before, &marks);
        }
        let failed = self.failed_syncs(ino);
        if core::mem::replace(told, failed) < failed {
            self.faults.was_seen(Family::SyncError);
            return Err(os_error(libc::EIO));
        }
        Ok(())
    }

    fn sync_under_faults(
        &mut self,
        world: &mut World<'_>,
        place: &Place,
        before: u64,
        marks: &[bool],
    ) {
        if self.strikes(world, Drawn::SyncError, place, 1) {
            self.faults.acted(Family::SyncError);
            self.fail_sync(place.ino, marks);
            self.maybe_remount(world, place);
        } else if self.strikes(world, Drawn::SyncLie, place, 1) {
            self.faults.acted(Family::SyncLie);
            self.lied_below = self.lied_below.max(before.min(self.fs.store.next_op()));
        } else {
            self.write_back(world, marks);
        }
    }

    /// The bytes that a sync should have written are gone, and the pages count as written.
    fn fail_sync(&mut self, ino: Ino, marks: &[bool]) {
        *self.failed_syncs.entry(ino).or_default() += 1;
        self.fs.store.lose_data(marks, |of| of == ino);
        if self.fs.store.profile() == Profile::Btrfs {
            let bytes = 0..u64::MAX;
            for (ino, page) in self.ghosts_in(&Place { ino, bytes }) {
                self.evict(ino, page);
            }
        }
    }

    /// Makes marked changes durable, page by page; some do not arrive where they should.
    fn write_back(&mut self, world: &mut World<'_>, marks: &[bool]) {
        let strays = self.strays(world, marks);
        if strays.is_empty() {
            self.fs.store.persist_whole(marks);
            return;
        }
        let mut wrong = Vec::new();
        self.fs.store.persist(marks, |durable, op| {
            let Change::Data { ino, patches, .. } = &op.change else {
                durable.apply(&op.change, Extent::Whole);
                return;
            };
            let mut sectors: Vec<Sectors> = patches.iter().map(|patch| patch.sectors).collect();
            for stray in strays.iter().filter(|stray| stray.op == op.number) {
                let patch = &patches[stray.patch];
                sectors[stray.patch] = Sectors::NONE;
                wrong.push((*ino, patch.index, stray.family()));
                if let Some(page) = stray.on {
                    let file = durable.file_mut(*ino).expect("it is written to");
                    file.content.take(page, &patch.page, patch.sectors);
                    wrong.push((*ino, page, stray.family()));
                }
            }
            durable.apply(&op.change, Extent::Sectors(&sectors));
        });
        for (ino, page, family) in wrong {
            if !self.fs.store.is_dirty(ino, page) {
                self.fs.store.haunt(ino, page);
            }
            self.unseen.insert((ino, page), family);
        }
    }

    /// Draws which pages of marked changes go astray.
    fn strays(&mut self, world: &mut World<'_>, marks: &[bool]) -> Vec<Stray> {
        let pending = self.fs.store.pending().iter().zip(marks);
        let ops: Vec<Arc<Op>> = pending
            .filter(|(_, marked)| **marked)
            .map(|(op, _)| Arc::clone(op))
            .collect();
        let mut strays: Vec<Stray> = Vec::new();
        for op in &ops {
            let Change::Data { ino, patches, .. } = &op.change else {
                continue;
            };
            for (number, patch) in patches.iter().enumerate() {
                let one_lives = strays.iter().any(|stray| stray.on.is_some());
                if let Some(on) = self.goes_astray(world, *ino, patch, one_lives) {
                    strays.push(Stray {
                        op: op.number,
                        patch: number,
                        on,
                    });
                }
            }
        }
        strays
    }

    /// Whether a page goes astray, and where it lands then. At most one page that landed elsewhere
    /// lives at a time.
    fn goes_astray(
        &mut self,
        world: &mut World<'_>,
        ino: Ino,
        patch: &Patch,
        one_lives: bool,
    ) -> Option<Option<u64>> {
        let place = Place::page(ino, patch.index);
        if self.strikes(world, Drawn::LostWrite, &place, 1) && self.may_damage(world, &place) {
            self.faults.acted(Family::LostWrite);
            return Some(None);
        }
        let kind = Drawn::MisdirectedWrite;
        let mut unseen = self.unseen.values();
        let one_lives = one_lives || unseen.any(|family| *family == kind.family());
        if one_lives || !self.strikes(world, kind, &place, 1) {
            return None;
        }
        let other = self.other_page(world, kind, ino, patch.index)?;
        if self.may_damage(world, &place) && self.may_damage(world, &Place::page(ino, other)) {
            self.faults.acted(Family::MisdirectedWrite);
            return Some(Some(other));
        }
        None
    }
}

impl Stray {
    const fn family(self) -> Family {
        match self.on {
            None => Family::LostWrite,
            Some(_) => Family::MisdirectedWrite,
        }
    }
}
