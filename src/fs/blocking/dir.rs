//! Reading and making directories.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use super::super::dir::Listed;
use super::super::path::to_bytes;
use super::super::port::now;
use super::super::work::{self, DIRECTORY_MODE};
use super::port::Blocking;
use super::{FileType, Metadata};
use crate::model::disk::call::{Call, Target};

/// Lists a directory, as it is now.
///
/// # Errors
/// Those of `opendir`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let port = Blocking::here()?;
    let path = path.as_ref().to_owned();
    let call = Call::ReadDirectory(to_bytes(&path)?);
    let entries = work::entries(port.call(Location::caller(), call)?);
    let entry = |listed| DirEntry {
        listed,
        port: port.clone(),
    };
    Ok(ReadDir(Listed::all(path, entries).map(entry).collect()))
}

/// The entries of a directory, of [`read_dir`].
#[derive(Debug)]
pub struct ReadDir(VecDeque<DirEntry>);

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry {
    listed: Listed,
    port: Blocking,
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop_front().map(Ok)
    }
}

impl DirEntry {
    /// Its path: the directory's as it was given, and its name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.listed.path()
    }

    /// Its name.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.listed.file_name()
    }

    /// Its inode's number, as of std's `DirEntryExt`.
    #[must_use]
    pub const fn ino(&self) -> u64 {
        self.listed.ino()
    }

    /// What is known of it; of a symbolic link, of the link itself.
    ///
    /// # Errors
    /// Those of `lstat`.
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        let target = Target::Link(to_bytes(&self.path())?);
        now(work::metadata(&self.port, Location::caller(), target))
    }

    /// What it is.
    ///
    /// # Errors
    /// Never; std's signature.
    pub const fn file_type(&self) -> io::Result<FileType> {
        Ok(self.listed.file_type())
    }
}

/// How directories are made: `std::fs::DirBuilder`, with the method of std's `DirBuilderExt`.
#[derive(Debug)]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl DirBuilder {
    /// One directory, in one that is there.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Self {
        Self {
            recursive: false,
            mode: DIRECTORY_MODE,
        }
    }

    /// Whether those above are made too, and one that is there is fine.
    pub const fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// The permissions of what is made.
    pub const fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    /// Those of `mkdir`.
    ///
    /// # Panics
    /// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
    #[track_caller]
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let (port, place) = (Blocking::here()?, Location::caller());
        if self.recursive {
            now(work::make_directories(
                &port,
                place,
                path.as_ref(),
                self.mode,
            ))
        } else {
            now(work::make_directory(&port, place, path.as_ref(), self.mode))
        }
    }
}
