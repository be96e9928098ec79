//! A disk with what is wrong with it: what a read, a write, a change of names or a loss of power
//! meets.
//!
//! Owns the store, its faults, and the silent damage that no program has met yet. Damage is sticky:
//! it is in the bytes, and stays until they are rewritten. Clean pages of the cache stand for what
//! is on the disk, so that damage shows at the next read, as if the page had just been fetched;
//! only a *ghost*, a page that the disk holds otherwise, is read as the cache has it until it is
//! evicted.
//! The device must never know a descriptor, and knows a path only to ask the fault atlas.

mod decay;
mod perform;
mod power;
mod sync;

use core::ops::Range;
use std::collections::BTreeMap;
use std::io;

use super::atlas::Atlas;
use super::blob::parts;
use super::call::Fd;
use super::config::{CrashOdds, DiskConfig, DiskFaults};
use super::fault::{Drawn, Faults, Place, Rule};
use super::image::{Image, Ino};
use super::page::{PAGE_BYTES, SECTOR_MIN_BYTES};
use super::{Around, Disk, os_error};
use crate::kernel::{Choices, EntityKey, Family, NodeId, Point, Probability, Site};

/// What a disk holds, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) fs: Disk,
    pub(crate) faults: Faults,
    /// Pages with wrong bytes that no program has read yet, and what made them so.
    unseen: BTreeMap<(Ino, u64), Family>,
    /// How many syncs of each file failed. An open file is told once of those after its opening.
    failed_syncs: BTreeMap<Ino, u64>,
    /// Changes below this number were said to be durable by a sync that lied.
    lied_below: u64,
    /// Room for the content of files, in pages.
    capacity_pages: Option<u64>,
    descriptors_max: u32,
    crash_odds: CrashOdds,
    sector_bytes: u32,
    evict: Point,
    crash: Point,
}

/// What an operation needs of the world around it.
pub(crate) struct World<'a> {
    pub(crate) around: Around,
    pub(crate) node: NodeId,
    pub(crate) choices: &'a mut Choices,
    pub(crate) atlas: &'a mut Atlas,
}

/// The chance that a ghost has left the cache when it is read.
const EVICTED: Probability = Probability::percent(25);

impl Device {
    /// An empty file system on a device without damage, of the node with this key.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn new(key: EntityKey, config: &DiskConfig, wall_ns: u64) -> Self {
        let mut device = Self {
            fs: Disk::new(config.profile, wall_ns),
            faults: Faults::new(key, DiskFaults::NONE),
            unseen: BTreeMap::new(),
            failed_syncs: BTreeMap::new(),
            lied_below: 0,
            capacity_pages: None,
            descriptors_max: 0,
            crash_odds: CrashOdds::default(),
            sector_bytes: 0,
            evict: Choices::point(Site::new("disk.evict"), key),
            crash: Choices::point(Site::new("disk.crash"), key),
        };
        device.configure(config);
        device
    }

    /// Changes the settings, for what is done from now on.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn configure(&mut self, config: &DiskConfig) {
        if let Err(error) = config.validate() {
            panic!("the disk cannot be set like this: {error}");
        }
        self.fs.store.set_profile(config.profile);
        self.faults.set_usual(config.faults);
        self.capacity_pages = config.capacity_bytes.map(|bytes| bytes / PAGE_BYTES as u64);
        self.descriptors_max = config.descriptors_max;
        self.crash_odds = config.crash;
        self.sector_bytes = config.sector_bytes;
        self.watch_faults();
    }

    /// Adds a rule, which goes before all others, and gives the number by which it is ended.
    pub(crate) fn add_rule(&mut self, rule: Rule) -> u64 {
        let number = self.faults.add_rule(rule);
        self.watch_faults();
        number
    }

    /// Ends a rule; nothing happens if it has ended.
    pub(crate) fn end_rule(&mut self, number: u64) {
        self.faults.end_rule(number);
    }

    /// What a program meets where something may fail depends on all that the disk holds.
    fn watch_faults(&mut self) {
        if self.faults.armed() || self.capacity_pages.is_some() {
            self.fs.observe_everything();
        }
    }

    /// How many pages of content it has room for; `None` is without limit.
    pub(crate) const fn capacity_pages(&self) -> Option<u64> {
        self.capacity_pages
    }

    pub(crate) fn set_capacity_pages(&mut self, pages: Option<u64>) {
        self.capacity_pages = pages;
        self.watch_faults();
    }

    /// How many pages it has if there is room for so many bytes more, in whole pages.
    pub(crate) const fn pages_with_room(&self, bytes: u64) -> u64 {
        self.fs.used_pages() + bytes / PAGE_BYTES as u64
    }

    /// Changes what a loss of power leaves.
    #[cfg(test)]
    pub(super) fn crash_with(&mut self, odds: &CrashOdds) {
        self.crash_odds = *odds;
    }

    /// Some bytes of a file are about to be read.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn reading(&mut self, world: &mut World<'_>, place: &Place) -> io::Result<()> {
        if !self.fs.store.ghosts().is_empty() {
            self.evict_some(world, place);
        }
        if self.faults.armed() {
            if self.strikes(world, Drawn::ReadError, place, 1) {
                self.faults.was_met(Family::ReadError);
                return Err(os_error(libc::EIO));
            }
            self.decay(world, place);
        }
        self.meet_unreadable(place)?;
        if !self.unseen.is_empty() {
            self.see(place);
        }
        Ok(())
    }

    /// Some bytes of a file are about to be written; gives how many.
    ///
    /// # Errors
    /// `EIO`, `EROFS`, `ENOSPC`.
    pub(super) fn writing(&mut self, world: &mut World<'_>, place: &Place) -> io::Result<usize> {
        self.check_writable()?;
        let asked = place.bytes.end - place.bytes.start;
        let mut length = asked;
        if self.faults.armed() {
            if self.strikes(world, Drawn::WriteError, place, 1) {
                self.faults.was_met(Family::WriteError);
                return Err(os_error(libc::EIO));
            }
            if asked > 1 && self.strikes(world, Drawn::ShortWrite, place, 1) {
                self.faults.was_met(Family::ShortWrite);
                length = 1 + self
                    .faults
                    .below(world.choices, Drawn::ShortWrite, asked - 1);
            }
        }
        self.meet_unreadable_edges(place)?;
        let length = self.room(place, length)?;
        let length = usize::try_from(length).expect("it came from memory");
        if !self.unseen.is_empty() {
            // Pages that are written whole are right again.
            for part in parts(place.bytes.start, length) {
                if part.len() == PAGE_BYTES {
                    self.unseen.remove(&(place.ino, part.page));
                }
            }
        }
        Ok(length)
    }

    /// Names or attributes are about to be changed; of that inode, or in that directory.
    ///
    /// # Errors
    /// `EIO`, `EROFS`.
    pub(super) fn changing(&mut self, world: &mut World<'_>, ino: Ino) -> io::Result<()> {
        self.check_writable()?;
        let place = Place { ino, bytes: 0..1 };
        if self.faults.armed() && self.strikes(world, Drawn::MetadataError, &place, 1) {
            self.faults.was_met(Family::MetadataError);
            self.maybe_remount(world, &place);
            return Err(os_error(libc::EIO));
        }
        Ok(())
    }

    /// How many of so many bytes there is room for, where space is found when they are written.
    fn room(&mut self, place: &Place, length: u64) -> io::Result<u64> {
        let Some(capacity) = self.capacity_pages else {
            return Ok(length);
        };
        if self.fs.store.profile().allocates_late() {
            return Ok(length);
        }
        self.faults.counters_mut().offered(Family::NoSpace);
        let mut free = capacity.saturating_sub(self.fs.used_pages());
        let content = &self.fs.store.visible().file(place.ino);
        let content = &content.expect("it is written to").content;
        let mut fits = 0;
        let length = usize::try_from(length).expect("it came from memory");
        for part in parts(place.bytes.start, length) {
            if content.page(part.page).is_none() {
                if free == 0 {
                    break;
                }
                free -= 1;
            }
            fits += part.len() as u64;
        }
        if fits < length as u64 {
            self.faults.was_met(Family::NoSpace);
        }
        if fits == 0 {
            return Err(os_error(libc::ENOSPC));
        }
        Ok(fits)
    }

    /// Whether more is written than there is room for, where space is found when it is synced.
    fn is_overcommitted(&self) -> bool {
        let late = self.fs.store.profile().allocates_late();
        late && self
            .capacity_pages
            .is_some_and(|capacity| self.fs.used_pages() > capacity)
    }

    /// Whether a sync of what a descriptor has open stalls, which is counted.
    pub(super) fn stalls(&mut self, choices: &mut Choices, fd: Fd) -> bool {
        let Ok(place) = self.fs.place(fd, None, 0) else {
            return false;
        };
        let image = self.fs.store.visible();
        let stalls =
            self.faults.armed() && (self.faults).strikes(choices, image, Drawn::Stall, &place, 1);
        if stalls {
            self.faults.was_met(Family::DiskStall);
        }
        stalls
    }

    /// How many syncs of a file have failed: what a file that is opened now has been told.
    pub(crate) fn failed_syncs(&self, ino: Ino) -> u64 {
        self.failed_syncs.get(&ino).copied().unwrap_or(0)
    }

    /// Drops all clean pages from the cache.
    pub(crate) fn drop_cache(&mut self) {
        while let Some(&(ino, page)) = self.fs.store.ghosts().first() {
            self.evict(ino, page);
        }
    }

    /// The disk holds something else from now on, settled: nothing, or what it held before. What
    /// was wrong with it goes with it.
    pub(crate) fn replace(&mut self, image: Image, family: Family) {
        let counters = self.faults.counters_mut();
        counters.offered(family);
        counters.fired(family);
        if self.fs.store.visible().hash() != image.hash() {
            counters.effective(family);
        }
        self.fs.remount(image);
        self.unseen.clear();
        self.forget_errors();
    }

    /// The file system is mounted anew: it takes writes again.
    fn forget_errors(&mut self) {
        self.failed_syncs.clear();
        self.lied_below = 0;
        self.faults.set_read_only(false);
    }

    fn strikes(&mut self, world: &mut World<'_>, kind: Drawn, place: &Place, count: u64) -> bool {
        let image = self.fs.store.visible();
        self.faults
            .strikes(world.choices, image, kind, place, count)
    }

    /// Whether the fault atlas gives leave to damage a place.
    fn may_damage(&self, world: &mut World<'_>, place: &Place) -> bool {
        if !world.atlas.knows(world.node) {
            return true;
        }
        let path = self
            .fs
            .store
            .visible()
            .path_of(place.ino)
            .unwrap_or_default();
        world.atlas.allows(world.node, &path, &place.bytes)
    }

    /// Takes some of the ghosts that are about to be read out of the cache.
    fn evict_some(&mut self, world: &mut World<'_>, place: &Place) {
        for (ino, page) in self.ghosts_in(place) {
            if world.choices.chance(&mut self.evict, EVICTED) {
                self.evict(ino, page);
            }
        }
    }

    fn evict(&mut self, ino: Ino, page: u64) {
        self.fs.store.evict(ino, page);
        if self.unseen.get(&(ino, page)) == Some(&Family::MisdirectedRead) {
            self.unseen.remove(&(ino, page));
        }
    }

    fn ghosts_in(&self, place: &Place) -> Vec<(Ino, u64)> {
        let pages = place.pages();
        let range = (place.ino, pages.start)..(place.ino, pages.end);
        self.fs.store.ghosts().range(range).copied().collect()
    }

    fn meet_unreadable(&mut self, place: &Place) -> io::Result<()> {
        let met = self.fs.store.visible().file(place.ino).is_some_and(|file| {
            !file.unreadable.is_empty() && file.unreadable.range(place.sectors()).next().is_some()
        });
        if met {
            self.faults.was_seen(Family::LatentSector);
            return Err(os_error(libc::EIO));
        }
        Ok(())
    }

    /// A write of a part of a sector reads the rest of it first.
    fn meet_unreadable_edges(&mut self, place: &Place) -> io::Result<()> {
        let Place { ino, ref bytes } = *place;
        let sector = SECTOR_MIN_BYTES as u64;
        let len = self.fs.store.visible().file(ino).map_or(0, |file| file.len);
        let edges = [
            (bytes.start % sector != 0).then_some(bytes.start),
            (bytes.end % sector != 0 && bytes.end < len).then_some(bytes.end),
        ];
        for at in edges.into_iter().flatten() {
            let bytes = at..at + 1;
            self.meet_unreadable(&Place { ino, bytes })?;
        }
        Ok(())
    }

    /// A program reads pages: what is wrong with them has been seen, but where the cache still
    /// holds what was written.
    fn see(&mut self, place: &Place) {
        let pages = place.pages();
        let range = (place.ino, pages.start)..(place.ino, pages.end);
        let shows = |key: &(Ino, u64), family: Family| {
            family == Family::MisdirectedRead || !self.fs.store.ghosts().contains(key)
        };
        let seen: Vec<_> = self
            .unseen
            .range(range)
            .filter(|(key, family)| shows(key, **family))
            .map(|(key, family)| (*key, *family))
            .collect();
        for (key, family) in seen {
            self.unseen.remove(&key);
            self.faults.was_seen(family);
        }
    }

    fn check_writable(&mut self) -> io::Result<()> {
        if self.faults.is_read_only() {
            self.faults.was_seen(Family::ReadOnly);
            return Err(os_error(libc::EROFS));
        }
        Ok(())
    }

    /// After an error of names or of a sync the file system may take no more writes.
    fn maybe_remount(&mut self, world: &mut World<'_>, place: &Place) {
        if !self.faults.is_read_only() && self.strikes(world, Drawn::ReadOnly, place, 1) {
            self.faults.acted(Family::ReadOnly);
            self.faults.set_read_only(true);
        }
    }
}

impl Place {
    fn pages(&self) -> Range<u64> {
        let page = PAGE_BYTES as u64;
        self.bytes.start / page..self.bytes.end.div_ceil(page)
    }

    /// Sectors of 512 bytes.
    fn sectors(&self) -> Range<u64> {
        let sector = SECTOR_MIN_BYTES as u64;
        self.bytes.start / sector..self.bytes.end.div_ceil(sector)
    }
}
