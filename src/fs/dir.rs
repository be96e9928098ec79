//! Reading and making directories.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::functions::{make_directories, make_directory, symlink_metadata};
use super::handle::Home;
use super::path::{name_from_bytes, to_bytes};
use super::port::Port;
use super::work::{self, DIRECTORY_MODE};
use super::{FileType, Metadata};
use crate::model::disk::call::{Call, Entry};

/// Lists a directory, as it is at the end of this call.
///
/// # Errors
/// Those of `opendir`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<ReadDir>> {
    let place = Location::caller();
    async move {
        let path = path.as_ref().to_owned();
        let call = Call::ReadDirectory(to_bytes(&path)?);
        let reply = Home::here()?.ask(place, call).await?;
        let listed = Listed::all(path, work::entries(reply));
        Ok(ReadDir(listed.map(DirEntry).collect()))
    }
}

/// The entries of a directory, of [`read_dir`].
#[derive(Debug)]
#[must_use = "entries are taken one by one"]
pub struct ReadDir(VecDeque<DirEntry>);

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct DirEntry(Listed);

/// An entry as it was read.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    directory: Arc<PathBuf>,
    name: OsString,
    ino: u64,
    file_type: FileType,
}

impl ReadDir {
    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// Never: the whole directory was read at once.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        Ok(self.0.pop_front())
    }

    /// As [`next_entry`](Self::next_entry).
    ///
    /// # Errors
    /// Never: the whole directory was read at once.
    pub fn poll_next_entry(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        Poll::Ready(Ok(self.0.pop_front()))
    }
}

impl DirEntry {
    /// Its path: the directory's as it was given, and its name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Its name.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }

    /// Its inode's number.
    #[must_use]
    pub const fn ino(&self) -> u64 {
        self.0.ino()
    }

    /// What is known of it; of a symbolic link, of the link itself.
    ///
    /// # Errors
    /// Those of `lstat`.
    #[track_caller]
    pub fn metadata(&self) -> impl Future<Output = io::Result<Metadata>> {
        symlink_metadata(self.path())
    }

    /// What it is.
    ///
    /// # Errors
    /// Never; tokio's signature.
    pub async fn file_type(&self) -> io::Result<FileType> {
        Ok(self.0.file_type())
    }
}

impl Listed {
    /// The entries of a directory, in the order in which they were read.
    pub(super) fn all(directory: PathBuf, entries: Vec<Entry>) -> impl Iterator<Item = Self> {
        let directory = Arc::new(directory);
        entries.into_iter().map(move |entry| Self {
            directory: directory.clone(),
            name: name_from_bytes(&entry.name.0),
            ino: entry.ino.0,
            file_type: FileType::of(entry.kind),
        })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    pub(super) fn file_name(&self) -> OsString {
        self.name.clone()
    }

    pub(super) const fn ino(&self) -> u64 {
        self.ino
    }

    pub(super) const fn file_type(&self) -> FileType {
        self.file_type
    }
}

/// How directories are made: `tokio::fs::DirBuilder`.
#[derive(Debug)]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl Default for DirBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl DirBuilder {
    /// One directory, in one that is there.
    #[must_use]
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
    /// When polled, if this thread runs no simulation.
    #[track_caller]
    pub fn create(&self, path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
        let place = Location::caller();
        let Self { recursive, mode } = *self;
        async move {
            if recursive {
                make_directories(path, mode, place).await
            } else {
                make_directory(path, mode, place).await
            }
        }
    }
}
