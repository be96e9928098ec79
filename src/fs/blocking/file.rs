//! An open file, blocking.
#![expect(
    clippy::disallowed_types,
    reason = "times of files are std's, and inside the simulation std's clock is the node's"
)]

use std::fs::TryLockError;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::time::SystemTime;

use super::super::handle::Place;
use super::super::port::{Descriptor, now};
use super::super::work;
use super::port::Blocking;
use super::{FileTimes, Metadata, OpenOptions, Permissions};
use crate::model::disk::call::{Call, Lock, Target};

/// An open file: `std::fs::File` on the simulated disk, with the methods of std's `FileExt` for
/// Unix.
///
/// Nothing is durable before [`sync_all`](Self::sync_all) or [`sync_data`](Self::sync_data)
/// returns.
#[derive(Debug)]
pub struct File {
    pub(super) descriptor: Descriptor<Blocking>,
}

impl File {
    pub(super) const fn new(descriptor: Descriptor<Blocking>) -> Self {
        Self { descriptor }
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// Those of `open`.
    ///
    /// # Panics
    /// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
    #[track_caller]
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write it, empty, and makes it if it is not there.
    ///
    /// # Errors
    /// Those of `open`.
    ///
    /// # Panics
    /// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
    #[track_caller]
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Makes a file, which must not be there before, to read and write it.
    ///
    /// # Errors
    /// Those of `open`, `AlreadyExists` among them.
    ///
    /// # Panics
    /// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
    #[track_caller]
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// Options, to open a file in other ways.
    #[must_use]
    pub const fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Makes content and metadata durable, though not the file's name: that is in its directory.
    ///
    /// # Errors
    /// Those of `fsync`.
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        let fd = self.descriptor.fd;
        let content_only = false;
        self.call(Location::caller(), Call::Sync { fd, content_only })
    }

    /// Makes content durable, and of the metadata what is needed to read it.
    ///
    /// # Errors
    /// Those of `fdatasync`.
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        let fd = self.descriptor.fd;
        let content_only = true;
        self.call(Location::caller(), Call::Sync { fd, content_only })
    }

    /// Locks the file for this handle and its clones alone.
    ///
    /// # Errors
    /// `Deadlock` if another has it locked: nobody runs who could unlock it.
    #[track_caller]
    pub fn lock(&self) -> io::Result<()> {
        self.lock_or_stand_still(Lock::Exclusive)
    }

    /// Locks the file for all who lock it so.
    ///
    /// # Errors
    /// `Deadlock` if another has it locked alone: nobody runs who could unlock it.
    #[track_caller]
    pub fn lock_shared(&self) -> io::Result<()> {
        self.lock_or_stand_still(Lock::Shared)
    }

    /// Locks the file for this handle and its clones alone, if no other has it locked.
    ///
    /// # Errors
    /// `WouldBlock` if another has.
    #[track_caller]
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.lock_now(Lock::Exclusive)
    }

    /// Locks the file for all who lock it so, if no other has it locked alone.
    ///
    /// # Errors
    /// `WouldBlock` if another has.
    #[track_caller]
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.lock_now(Lock::Shared)
    }

    /// Gives a lock up.
    ///
    /// # Errors
    /// If the process has ended.
    #[track_caller]
    pub fn unlock(&self) -> io::Result<()> {
        let fd = self.descriptor.fd;
        let port = &self.descriptor.port;
        port.act(Location::caller(), |device| device.fs.unlock(fd))
    }

    /// Makes the file longer, by zeros, or shorter.
    ///
    /// # Errors
    /// Those of `ftruncate`.
    #[track_caller]
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        let (fd, len) = (self.descriptor.fd, work::length(size)?);
        self.call(Location::caller(), Call::SetLen { fd, len })
    }

    /// What is known of the file.
    ///
    /// # Errors
    /// Those of `fstat`.
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        let target = Target::Open(self.descriptor.fd);
        now(work::metadata(
            &self.descriptor.port,
            Location::caller(),
            target,
        ))
    }

    /// Another handle of the same open file: they share their place in it, and its lock.
    ///
    /// # Errors
    /// Those of `dup`.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.descriptor.duplicate().map(Self::new)
    }

    /// Sets the file's permissions.
    ///
    /// # Errors
    /// Those of `fchmod`.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "std's signature")]
    pub fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        let target = Target::Open(self.descriptor.fd);
        let mode = perm.bits();
        self.call(Location::caller(), Call::SetMode { target, mode })
    }

    /// Sets the file's times.
    ///
    /// # Errors
    /// Those of `futimens`.
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.call(Location::caller(), times.call(self.descriptor.fd))
    }

    /// Sets when the file's content was changed.
    ///
    /// # Errors
    /// Those of `futimens`.
    #[track_caller]
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Reads at a place, whatever the file's own is, and gives the length, which is 0 at the end.
    ///
    /// # Errors
    /// Those of `pread`.
    #[track_caller]
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_into(Location::caller(), Some(offset), buf)
    }

    /// Fills `buf` with what is at a place, whatever the file's own is.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before, and those of `pread`.
    #[track_caller]
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.fill(Location::caller(), Some(offset), buf)
    }

    /// Writes at a place, whatever the file's own is, and gives how many bytes.
    ///
    /// # Errors
    /// Those of `pwrite`.
    #[track_caller]
    pub fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.write_from(Location::caller(), Some(offset), buf)
    }

    /// Writes all of `buf` at a place, whatever the file's own is.
    ///
    /// # Errors
    /// Those of `pwrite`.
    #[track_caller]
    pub fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_from(Location::caller(), Some(offset), buf)
    }

    pub(super) fn read_into(
        &self,
        place: Place,
        at: Option<u64>,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        self.descriptor
            .port
            .read(place, self.descriptor.fd, at, buf)
    }

    pub(super) fn fill(&self, place: Place, mut at: Option<u64>, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_into(place, at, &mut buf[filled..]) {
                Ok(0) => {
                    let text = "failed to fill whole buffer";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                Ok(length) => {
                    filled += length;
                    at = at.map(|at| at + length as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn write_from(
        &self,
        place: Place,
        at: Option<u64>,
        buf: &[u8],
    ) -> io::Result<usize> {
        self.descriptor
            .port
            .write(place, self.descriptor.fd, at, buf)
    }

    pub(super) fn write_all_from(
        &self,
        place: Place,
        at: Option<u64>,
        buf: &[u8],
    ) -> io::Result<()> {
        self.descriptor
            .port
            .write_all(place, self.descriptor.fd, at, buf)
    }

    pub(super) fn call(&self, place: Place, call: Call) -> io::Result<()> {
        self.descriptor.port.call(place, call).map(drop)
    }

    #[track_caller]
    fn lock_now(&self, lock: Lock) -> Result<(), TryLockError> {
        let fd = self.descriptor.fd;
        let port = &self.descriptor.port;
        let locked = port.act(Location::caller(), |device| device.fs.try_lock(fd, lock));
        locked.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => TryLockError::WouldBlock,
            _ => TryLockError::Error(error),
        })
    }

    #[track_caller]
    fn lock_or_stand_still(&self, lock: Lock) -> io::Result<()> {
        self.lock_now(lock).map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::from_raw_os_error(libc::EDEADLK),
            TryLockError::Error(error) => error,
        })
    }
}
