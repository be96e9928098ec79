//! How a file is opened.

use std::io;
use std::panic::Location;
use std::path::Path;

use super::super::options::{Flags, setters};
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

    setters!();

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
