//! Locks that programs hold on what they have open, as of `flock`.
//!
//! Owns who may have which lock. A lock is that of an open description: duplicates share it, and it
//! goes with the last of them. It must never know who waits.
//!
//! # Fidelity
//! Locks of ranges (`fcntl`) are not there.

use std::io;

use super::call::{Fd, Lock};
use super::{Disk, os_error};

impl Disk {
    /// Locks what `fd` has open, or changes how it is locked. As on Linux, a change takes the old
    /// lock away first, and it is lost even if the new one cannot be had.
    ///
    /// # Errors
    /// `EBADF`; `EWOULDBLOCK` if another has a lock that excludes it.
    pub(crate) fn try_lock(&mut self, fd: Fd, lock: Lock) -> io::Result<()> {
        let description = self.files.get_mut(fd)?;
        let ino = description.ino;
        if description.lock == Some(lock) {
            return Ok(());
        }
        description.lock = None;
        let mut others = self.files.others(fd);
        if others.any(|other| other.ino == ino && excludes(other.lock, lock)) {
            return Err(os_error(libc::EWOULDBLOCK));
        }
        drop(others);
        self.files.get_mut(fd)?.lock = Some(lock);
        Ok(())
    }

    /// Takes the lock away, if there is one.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn unlock(&mut self, fd: Fd) -> io::Result<()> {
        self.files.get_mut(fd)?.lock = None;
        Ok(())
    }
}

fn excludes(held: Option<Lock>, wanted: Lock) -> bool {
    match held {
        None => false,
        Some(Lock::Shared) => wanted == Lock::Exclusive,
        Some(Lock::Exclusive) => true,
    }
}
