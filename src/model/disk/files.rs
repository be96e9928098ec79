//! What a process has open: descriptors, and what is read and written through them.
//!
//! Owns the table of descriptors, the open descriptions behind them, which duplicates share, and
//! the rules of each call on a descriptor. It must never know a path.
//!
//! # Fidelity
//! `O_DIRECT` asks for whole sectors in offset and length, also where a read goes over the end of
//! the file; the address of the program's memory is ignored. Reading does not change the time of
//! access (`noatime`). The largest file is that of ext4. A directory can be seeked in like a file
//! without bytes, to no effect.

use std::collections::BTreeSet;
use std::io::{self, SeekFrom};

use super::call::{Fd, Lock, OpenFlags, WriteSync};
use super::fault::Place;
use super::image::{Body, File, Ino};
use super::page::SECTOR_MIN_BYTES;
use super::store::Syncing;
use super::{Around, Disk, os_error};

/// The descriptors of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// By number, from that of the first after standard input, output and error.
    descriptors: Table<usize>,
    descriptions: Table<Description>,
}

/// What duplicates of a descriptor share.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) ino: Ino,
    pub(super) flags: OpenFlags,
    /// How it is locked.
    pub(super) lock: Option<Lock>,
    /// Of how many failed syncs of the file it was told, or that were before it was opened.
    pub(super) told: u64,
    /// Where the next read or write is.
    pub(super) at: u64,
    descriptors: u32,
}

impl Files {
    /// A new description with one descriptor.
    pub(super) fn open(&mut self, ino: Ino, flags: OpenFlags) -> Fd {
        let description = self.descriptions.insert(Description {
            ino,
            flags,
            lock: None,
            told: 0,
            at: 0,
            descriptors: 1,
        });
        fd_of(self.descriptors.insert(description))
    }

    fn duplicate(&mut self, fd: Fd) -> io::Result<Fd> {
        let description = self.index(fd)?;
        self.get_mut(fd)?.descriptors += 1;
        Ok(fd_of(self.descriptors.insert(description)))
    }

    /// Gives the description if this was its last descriptor.
    fn close(&mut self, fd: Fd) -> io::Result<Option<Description>> {
        let index = self.index(fd)?;
        self.descriptors.remove(number_of(fd)?);
        let description = self.descriptions.get_mut(index).expect("it is open");
        description.descriptors -= 1;
        if description.descriptors > 0 {
            return Ok(None);
        }
        Ok(self.descriptions.remove(index))
    }

    /// # Errors
    /// `EBADF`.
    pub(super) fn get(&self, fd: Fd) -> io::Result<&Description> {
        let index = self.index(fd)?;
        Ok(self.descriptions.get(index).expect("it is open"))
    }

    /// # Errors
    /// `EBADF`.
    pub(super) fn get_mut(&mut self, fd: Fd) -> io::Result<&mut Description> {
        let index = self.index(fd)?;
        Ok(self.descriptions.get_mut(index).expect("it is open"))
    }

    /// All descriptions but that of `fd`.
    pub(super) fn others(&self, fd: Fd) -> impl Iterator<Item = &Description> {
        let own = self.index(fd).ok();
        let all = self.descriptions.iter();
        all.filter(move |(index, _)| Some(*index) != own)
            .map(|(_, description)| description)
    }

    pub(super) fn has_open(&self, ino: Ino) -> bool {
        let mut all = self.descriptions.iter();
        all.any(|(_, description)| description.ino == ino)
    }

    /// How many descriptors there are.
    pub(super) fn count(&self) -> usize {
        self.descriptors.iter().count()
    }

    fn take_all(&mut self) -> Vec<Description> {
        let all = core::mem::take(self);
        all.descriptions.slots.into_iter().flatten().collect()
    }

    fn index(&self, fd: Fd) -> io::Result<usize> {
        let index = self.descriptors.get(number_of(fd)?);
        index.copied().ok_or_else(bad_descriptor)
    }
}

impl Disk {
    /// A second descriptor for what `fd` has open, which shares its place and its lock.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn duplicate(&mut self, fd: Fd) -> io::Result<Fd> {
        self.files.duplicate(fd)
    }

    /// # Errors
    /// `EBADF`.
    pub(crate) fn close(&mut self, fd: Fd) -> io::Result<()> {
        if let Some(description) = self.files.close(fd)? {
            self.release(description.ino);
        }
        Ok(())
    }

    /// Closes all that the process had open: it is no more. What it wrote stays.
    pub(crate) fn process_died(&mut self) {
        let all = self.files.take_all();
        let inodes: BTreeSet<Ino> = all.iter().map(|open| open.ino).collect();
        for ino in inodes {
            self.release(ino);
        }
    }

    /// What a write through a descriptor makes durable before it returns.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn write_sync(&self, fd: Fd) -> io::Result<WriteSync> {
        Ok(self.files.get(fd)?.flags.sync)
    }

    /// Reads at an offset, and gives how many bytes there were: fewer than asked for only at the
    /// end of the file.
    ///
    /// # Errors
    /// `EBADF`, `EISDIR`; `EINVAL` for an offset that is none, and for a part of a sector past the
    /// page cache.
    pub(crate) fn read_at(&mut self, fd: Fd, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.observe_read(fd, offset, buffer.len());
        let (file, length) = self.readable(fd, offset, buffer.len())?;
        file.content.read(offset, &mut buffer[..length]);
        Ok(length)
    }

    /// Reads at the descriptor's place, and moves it.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    pub(crate) fn read(&mut self, fd: Fd, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.files.get(fd)?.at;
        let length = self.read_at(fd, at, buffer)?;
        self.files.get_mut(fd)?.at += length as u64;
        Ok(length)
    }

    /// As [`read_at`](Self::read_at) or [`read`](Self::read), into memory that is made for it.
    pub(super) fn read_bytes(
        &mut self,
        fd: Fd,
        at: Option<u64>,
        length: usize,
    ) -> io::Result<Vec<u8>> {
        let offset = match at {
            Some(offset) => offset,
            None => self.files.get(fd)?.at,
        };
        self.observe_read(fd, offset, length);
        let (file, length) = self.readable(fd, offset, length)?;
        let mut bytes = vec![0; length];
        file.content.read(offset, &mut bytes);
        if at.is_none() {
            self.files.get_mut(fd)?.at += length as u64;
        }
        Ok(bytes)
    }

    /// The file behind a descriptor, and how many of the bytes asked for it has.
    fn readable(&self, fd: Fd, offset: u64, length: usize) -> io::Result<(&File, usize)> {
        check_range(offset, 0)?;
        let description = self.files.get(fd)?;
        if !description.flags.read {
            return Err(bad_descriptor());
        }
        check_range(offset, length)?;
        let file = self.store.visible().file(description.ino);
        let file = file.ok_or_else(|| os_error(libc::EISDIR))?;
        let there = file.len.saturating_sub(offset);
        let length_there = usize::try_from(there).map_or(length, |there| there.min(length));
        if description.flags.direct && length_there > 0 {
            check_alignment(offset, length)?;
        }
        Ok((file, length_there))
    }

    /// Which bytes of which file a read or write of so many is about.
    ///
    /// # Errors
    /// `EBADF`.
    pub(super) fn place(&self, fd: Fd, at: Option<u64>, length: usize) -> io::Result<Place> {
        let description = self.files.get(fd)?;
        let ino = description.ino;
        let len = self.store.visible().file(ino).map_or(0, |file| file.len);
        let start = match at {
            _ if description.flags.append => len,
            Some(at) => at,
            None => description.at,
        };
        let bytes = start..start.saturating_add(length as u64);
        Ok(Place { ino, bytes })
    }

    /// As [`write_to_cache`](Self::write_to_cache), and makes durable what the descriptor was
    /// opened to.
    ///
    /// # Errors
    /// As [`write_to_cache`](Self::write_to_cache).
    pub(crate) fn write(
        &mut self,
        around: &Around,
        fd: Fd,
        at: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let written = self.write_to_cache(around, fd, at, bytes)?;
        let Description { ino, flags, .. } = *self.files.get(fd)?;
        if let Some(what) = flags.sync.after_write(ino) {
            self.before_sync(around, what);
            self.force(what);
        }
        Ok(written)
    }

    /// Writes at an offset, or at the descriptor's place and moves it; where the descriptor
    /// appends, always at the end. Gives how many bytes were written: fewer only where a file can
    /// be no longer.
    ///
    /// # Errors
    /// `EBADF`, `EFBIG`; `EINVAL` for an offset that is none, and for a part of a sector past the
    /// page cache.
    pub(super) fn write_to_cache(
        &mut self,
        around: &Around,
        fd: Fd,
        at: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        check_range(at.unwrap_or(0), 0)?;
        self.observe_write(fd);
        let description = self.files.get(fd)?;
        let (ino, flags) = (description.ino, description.flags);
        if !flags.writes() {
            return Err(bad_descriptor());
        }
        let file = self.store.visible().file(ino);
        let file = file.expect("nothing else is opened for writing");
        let (len, pages) = (file.len, file.content.pages());
        let offset = match at {
            _ if flags.append => len,
            Some(offset) => offset,
            None => description.at,
        };
        check_range(offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(0);
        }
        if offset >= FILE_MAX_BYTES {
            return Err(os_error(libc::EFBIG));
        }
        let room = usize::try_from(FILE_MAX_BYTES - offset).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        if flags.direct {
            check_alignment(offset, bytes.len())?;
        }
        let origin = self.origin(around);
        self.store.write(origin, ino, offset, bytes);
        self.observe_written(ino, offset, bytes.len());
        self.store.touch(ino, |attributes| {
            attributes.modified_ns = around.wall_ns;
            attributes.changed_ns = around.wall_ns;
        });
        self.count_pages(ino, pages);
        if at.is_none() {
            self.files.get_mut(fd)?.at = offset + bytes.len() as u64;
        }
        Ok(bytes.len())
    }

    /// # Errors
    /// `EBADF`; `EINVAL` for a place before the beginning, or where no file can reach.
    pub(super) fn seek(&mut self, fd: Fd, to: SeekFrom) -> io::Result<u64> {
        let description = self.files.get(fd)?;
        let file = self.store.visible().file(description.ino);
        let (base, delta) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(delta) => (file.map_or(0, |file| file.len), delta),
            SeekFrom::Current(delta) => (description.at, delta),
        };
        let place = base.checked_add_signed(delta);
        let place = place.filter(|place| *place <= FILE_MAX_BYTES);
        let place = place.ok_or_else(|| os_error(libc::EINVAL))?;
        self.files.get_mut(fd)?.at = place;
        Ok(place)
    }

    /// # Errors
    /// `EBADF`, `EFBIG`; `EINVAL` if it is not open for writing.
    pub(super) fn set_len(&mut self, around: &Around, fd: Fd, len: u64) -> io::Result<()> {
        check_range(len, 0)?;
        let description = self.files.get(fd)?;
        if !description.flags.writes() {
            return Err(os_error(libc::EINVAL));
        }
        if len > FILE_MAX_BYTES {
            return Err(os_error(libc::EFBIG));
        }
        let ino = description.ino;
        self.resize(around, ino, len);
        Ok(())
    }

    pub(super) fn resize(&mut self, around: &Around, ino: Ino, len: u64) {
        let file = self.store.visible().file(ino);
        let pages = file.expect("its length is set").content.pages();
        let origin = self.origin(around);
        self.store.set_len(origin, ino, len);
        self.store.touch(ino, |attributes| {
            attributes.modified_ns = around.wall_ns;
            attributes.changed_ns = around.wall_ns;
        });
        self.count_pages(ino, pages);
    }

    /// What a sync of a descriptor is to make durable.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn syncing(&self, fd: Fd, content_only: bool) -> io::Result<Syncing> {
        let ino = self.files.get(fd)?.ino;
        let inode = self.store.visible().get(ino).expect("it is open");
        Ok(match inode.body {
            Body::Directory(_) => Syncing::Directory(ino),
            Body::File(_) | Body::Symlink(_) if content_only => Syncing::Content(ino),
            Body::File(_) | Body::Symlink(_) => Syncing::File(ino),
        })
    }

    /// Makes durable what a sync asks for.
    pub(super) fn force(&mut self, what: Syncing) {
        let marks = self.store.forced(what, self.store.next_op());
        self.store.persist_whole(&marks);
    }
}

impl WriteSync {
    /// What a write to a file makes durable.
    pub(super) const fn after_write(self, ino: Ino) -> Option<Syncing> {
        match self {
            Self::Nothing => None,
            Self::Content => Some(Syncing::Content(ino)),
            Self::Everything => Some(Syncing::File(ino)),
        }
    }
}

impl OpenFlags {
    /// Whether it may be written to.
    pub(super) const fn writes(&self) -> bool {
        self.write || self.append
    }
}

/// Values by number; a new one gets the lowest that is free.
#[derive(Clone, Debug)]
struct Table<T> {
    slots: Vec<Option<T>>,
    free: BTreeSet<usize>,
}

impl<T> Table<T> {
    fn insert(&mut self, value: T) -> usize {
        let index = self.free.pop_first().unwrap_or(self.slots.len());
        if index == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[index] = Some(value);
        index
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.slots.get(index)?.as_ref()
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slots.get_mut(index)?.as_mut()
    }

    fn remove(&mut self, index: usize) -> Option<T> {
        let value = self.slots.get_mut(index)?.take()?;
        self.free.insert(index);
        Some(value)
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let all = self.slots.iter().enumerate();
        all.filter_map(|(index, slot)| slot.as_ref().map(|value| (index, value)))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
        }
    }
}

fn fd_of(number: usize) -> Fd {
    let number = u32::try_from(number).expect("fewer than four billion are open");
    Fd(FIRST + number)
}

fn number_of(fd: Fd) -> io::Result<usize> {
    let number = fd.0.checked_sub(FIRST).ok_or_else(bad_descriptor)?;
    Ok(number as usize)
}

/// Places are signed for the kernel.
fn check_range(offset: u64, length: usize) -> io::Result<()> {
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(os_error(libc::EINVAL));
    }
    Ok(())
}

/// What goes past the page cache goes in whole sectors.
fn check_alignment(offset: u64, length: usize) -> io::Result<()> {
    let sector = SECTOR_MIN_BYTES;
    if offset.is_multiple_of(sector as u64) && length.is_multiple_of(sector) {
        return Ok(());
    }
    Err(os_error(libc::EINVAL))
}

fn bad_descriptor() -> io::Error {
    os_error(libc::EBADF)
}

/// The first descriptor after standard input, output and error.
const FIRST: u32 = 3;
/// Bytes of the largest file, as on ext4 with blocks of 4 KiB: as many as have a number of 32 bits.
pub(super) const FILE_MAX_BYTES: u64 = u32::MAX as u64 * 4096;
