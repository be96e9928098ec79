//! How a file is opened.

use std::io;
use std::panic::Location;
use std::path::Path;

use super::super::options::Flags;
use super::super::port::now;
use super::super::work;
use super::File;
use super::port::Blocking;

/// How a file is opened: `std::fs::OpenOptions` on the simulated disk, with the methods of std's
/// `OpenOptionsExt` for Unix.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    flags: Flags,
}

impl OpenOptions {
    /// Nothing is allowed and nothing made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Self {
        Self {
            flags: Flags::new(),
        }
    }

    /// Whether the file can be read.
    pub const fn read(&mut self, read: bool) -> &mut Self {
        self.flags.open.read = read;
        self
    }

    /// Whether the file can be written.
    pub const fn write(&mut self, write: bool) -> &mut Self {
        self.flags.open.write = write;
        self
    }

    /// Whether all writes go to the file's end.
    pub const fn append(&mut self, append: bool) -> &mut Self {
        self.flags.open.append = append;
        self
    }

    /// Whether the file loses its content.
    pub const fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.flags.open.truncate = truncate;
        self
    }

    /// Whether the file is made if it is not there.
    pub const fn create(&mut self, create: bool) -> &mut Self {
        self.flags.open.create = create;
        self
    }

    /// Whether the file is made and must not be there before.
    pub const fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.flags.open.create_new = create_new;
        self
    }

    /// The permissions of a file that is made; 0o666 if nothing is said.
    pub const fn mode(&mut self, mode: u32) -> &mut Self {
        self.flags.open.mode = mode;
        self
    }

    /// As of the asynchronous [`OpenOptions`](crate::fs::OpenOptions::custom_flags).
    pub const fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.flags.custom = flags;
        self
    }

    /// Opens a file.
    ///
    /// # Errors
    /// `InvalidInput` for options that exclude each other, and those of `open`.
    ///
    /// # Panics
    /// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
    #[track_caller]
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let place = Location::caller();
        let opened = now(work::open(
            &Blocking::here()?,
            place,
            path.as_ref(),
            self.flags,
        ));
        opened.map(File::new)
    }
}
