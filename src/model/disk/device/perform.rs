//! The calls of a program, as a device with faults carries them out.
//!
//! Each call meets its faults first, and then the file system, which knows none.

use std::io;
use std::sync::Arc;

use super::{Device, World};
use crate::kernel::Family;
use crate::model::disk::call::{Call, Fd, OpenFlags, Path, Reply, Target};
use crate::model::disk::fault::Place;
use crate::model::disk::image::Ino;
use crate::model::disk::os_error;
use crate::model::disk::store::Syncing;

impl Device {
    /// Carries out a call, at once.
    ///
    /// # Errors
    /// Those of Linux, by their numbers.
    pub(crate) fn perform(&mut self, world: &mut World<'_>, call: Call) -> io::Result<Reply> {
        self.fs.observe(&call);
        match &call {
            Call::Open { path, flags } => {
                self.check_descriptors()?;
                self.before_open(world, path, *flags)?;
            }
            Call::Read { fd, at, length } => {
                self.before_read(world, *fd, *at, *length)?;
            }
            Call::Write { fd, at, bytes } => {
                return self.write(world, *fd, *at, bytes).map(Reply::Written);
            }
            Call::Sync { fd, content_only } => {
                let before = self.fs.store.next_op();
                let synced = self.sync_before(world, *fd, *content_only, before);
                return synced.map(|()| Reply::Nothing);
            }
            Call::SetLen { fd, .. } => self.before_change(world, &Target::Open(*fd))?,
            Call::SetMode { target, .. } | Call::SetTimes { target, .. } => {
                self.before_change(world, target)?;
            }
            Call::MakeDirectory { path, .. }
            | Call::RemoveFile(path)
            | Call::RemoveDirectory(path)
            | Call::Rename { to: path, .. }
            | Call::HardLink { link: path, .. }
            | Call::Symlink { link: path, .. } => {
                self.before_change(world, &Target::Link(Arc::clone(path)))?;
            }
            Call::Seek { .. }
            | Call::Metadata(_)
            | Call::ReadLink(_)
            | Call::ReadDirectory(_)
            | Call::Canonicalize(_) => {}
        }
        let reply = self.fs.perform(&world.around, call)?;
        if let Reply::Opened(fd) = reply {
            let ino = self.fs.files.get(fd)?.ino;
            self.fs.files.get_mut(fd)?.told = self.failed_syncs(ino);
        }
        Ok(reply)
    }

    /// Reads at an offset, or at the descriptor's place and moves it; gives how many bytes.
    ///
    /// # Errors
    /// Those of Linux, by their numbers.
    pub(crate) fn read(
        &mut self,
        world: &mut World<'_>,
        fd: Fd,
        at: Option<u64>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        self.before_read(world, fd, at, buffer.len())?;
        match at {
            Some(offset) => self.fs.read_at(fd, offset, buffer),
            None => self.fs.read(fd, buffer),
        }
    }

    /// Writes at an offset, or at the descriptor's place and moves it; gives how many bytes.
    ///
    /// # Errors
    /// Those of Linux, by their numbers.
    pub(crate) fn write(
        &mut self,
        world: &mut World<'_>,
        fd: Fd,
        at: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let flags = self.fs.files.get(fd)?.flags;
        let mut length = bytes.len();
        if flags.writes() && length > 0 {
            let place = self.fs.place(fd, at, length)?;
            length = self.writing(world, &place)?;
        }
        let written = self
            .fs
            .write_to_cache(&world.around, fd, at, &bytes[..length])?;
        self.sync_write(world, fd, flags)?;
        Ok(written)
    }

    /// Carries out a sync that began when the next change had the number `before`.
    ///
    /// # Errors
    /// `EBADF`, `EIO`, `ENOSPC`.
    pub(crate) fn sync_before(
        &mut self,
        world: &mut World<'_>,
        fd: Fd,
        content_only: bool,
        before: u64,
    ) -> io::Result<()> {
        let what = self.fs.syncing(fd, content_only)?;
        self.sync_for(world, fd, what, before)
    }

    fn sync_for(
        &mut self,
        world: &mut World<'_>,
        fd: Fd,
        what: Syncing,
        before: u64,
    ) -> io::Result<()> {
        let mut told = self.fs.files.get(fd)?.told;
        let result = self.sync(world, what, before, &mut told);
        self.fs.files.get_mut(fd)?.told = told;
        result
    }

    /// What `O_DSYNC` and `O_SYNC` ask for after each write.
    fn sync_write(&mut self, world: &mut World<'_>, fd: Fd, flags: OpenFlags) -> io::Result<()> {
        let ino = self.fs.files.get(fd)?.ino;
        let Some(what) = flags.sync.after_write(ino) else {
            return Ok(());
        };
        let before = self.fs.store.next_op();
        self.sync_for(world, fd, what, before)
    }

    /// A second descriptor for what `fd` has open.
    ///
    /// # Errors
    /// `EBADF`, `EMFILE`.
    pub(crate) fn duplicate(&mut self, fd: Fd) -> io::Result<Fd> {
        self.check_descriptors()?;
        self.fs.duplicate(fd)
    }

    /// A file system that takes no writes still opens what is there to be read.
    fn before_open(
        &mut self,
        world: &mut World<'_>,
        path: &Path,
        flags: OpenFlags,
    ) -> io::Result<()> {
        let target = Target::Path(Arc::clone(path));
        let creates = flags.create || flags.create_new;
        let is_there = self.fs.metadata(&target).is_ok();
        let is_in_vain = flags.writes() && self.faults.is_read_only() && is_there;
        if flags.truncate || is_in_vain || creates && !is_there {
            self.before_change(world, &target)?;
        }
        Ok(())
    }

    /// Names, attributes or a length are about to be changed: of what the target leads to, or in
    /// the directory in which it is to be.
    fn before_change(&mut self, world: &mut World<'_>, target: &Target) -> io::Result<()> {
        let image = self.fs.store.visible();
        let ino = match target {
            Target::Open(fd) => self.fs.files.get(*fd)?.ino,
            Target::Path(path) | Target::Link(path) => {
                let parent = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                let found = image.find(path).or_else(|| image.find(&path[..parent]));
                found.unwrap_or(Ino::ROOT)
            }
        };
        self.changing(world, ino)
    }

    fn before_read(
        &mut self,
        world: &mut World<'_>,
        fd: Fd,
        at: Option<u64>,
        length: usize,
    ) -> io::Result<()> {
        let description = self.fs.files.get(fd)?;
        let (ino, start) = (description.ino, at.unwrap_or(description.at));
        let len = self.fs.store.visible().file(ino).map_or(0, |file| file.len);
        let end = start.saturating_add(length as u64).min(len);
        if start < end {
            let bytes = start..end;
            self.reading(world, &Place { ino, bytes })?;
        }
        Ok(())
    }

    fn check_descriptors(&mut self) -> io::Result<()> {
        if self.fs.open_files() >= self.descriptors_max as usize {
            self.faults.counters_mut().offered(Family::NoDescriptors);
            self.faults.was_met(Family::NoDescriptors);
            return Err(os_error(libc::EMFILE));
        }
        Ok(())
    }
}
