//! What is known of a file.
#![expect(
    clippy::disallowed_types,
    reason = "times of files are std's, and inside the simulation std's clock is the node's"
)]

use core::time::Duration;
use std::io;
use std::time::SystemTime;

use crate::model::disk::call::{self, Call, Fd, FileKind, Reply, Target};

/// What is known of a file, as `std::fs::Metadata`, which cannot be made by others than std: so a
/// program for both worlds names `stormglass::fs::Metadata`.
///
/// The methods of std's `MetadataExt` for Unix are here as they are.
#[derive(Clone, Debug)]
pub struct Metadata {
    inner: call::Metadata,
}

/// Whether something is a file, a directory or a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType {
    kind: FileKind,
}

/// Who may do what with a file. The simulation keeps permissions and lets every program do
/// everything, as it does for root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    mode: u32,
}

/// Times to be set: the `FileTimes` of tokio and of std, which cannot be read by others than they.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "times are set by `File::set_times`"]
pub struct FileTimes {
    accessed: Option<SystemTime>,
    modified: Option<SystemTime>,
}

impl FileTimes {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// When the file was read.
    pub const fn set_accessed(mut self, time: SystemTime) -> Self {
        self.accessed = Some(time);
        self
    }

    /// When the file's content was changed.
    pub const fn set_modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }

    /// The call that sets them.
    pub(super) fn call(self, fd: Fd) -> Call {
        Call::SetTimes {
            target: Target::Open(fd),
            accessed_ns: self.accessed.map(to_ns),
            modified_ns: self.modified.map(to_ns),
        }
    }
}

impl Metadata {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Metadata(inner) => Self {
                inner: inner.clone(),
            },
            other => unreachable!("asking for metadata does not give {other:?}"),
        }
    }

    /// What it is.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        FileType::of(self.inner.kind)
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a symbolic link, which only
    /// [`symlink_metadata`](super::symlink_metadata) tells.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// Its length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the names are std's")]
    pub const fn len(&self) -> u64 {
        self.inner.len
    }

    /// Who may do what with it.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions { mode: self.mode() }
    }

    /// When its content was changed, by the node's wall clock.
    ///
    /// # Errors
    /// Never; std's signature.
    pub fn modified(&self) -> io::Result<SystemTime> {
        Ok(time(self.inner.attributes.modified_ns))
    }

    /// When it was read, by the node's wall clock.
    ///
    /// # Errors
    /// Never; std's signature.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        Ok(time(self.inner.attributes.accessed_ns))
    }

    /// When it was made, by the node's wall clock.
    ///
    /// # Errors
    /// Never; std's signature.
    pub fn created(&self) -> io::Result<SystemTime> {
        Ok(time(self.inner.attributes.created_ns))
    }

    /// Its inode's number.
    #[must_use]
    pub const fn ino(&self) -> u64 {
        self.inner.ino.0
    }

    /// What it is, and its permission bits.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        let kind = match self.inner.kind {
            FileKind::File => libc::S_IFREG,
            FileKind::Directory => libc::S_IFDIR,
            FileKind::Symlink => libc::S_IFLNK,
        };
        kind | self.inner.attributes.mode
    }

    /// How many names it has.
    #[must_use]
    pub const fn nlink(&self) -> u64 {
        self.inner.links as u64
    }

    /// As [`len`](Self::len).
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.inner.len
    }

    /// The space that it takes up, in blocks of 512 bytes.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.inner.blocks.count()
    }
}

impl FileType {
    pub(super) const fn of(kind: FileKind) -> Self {
        Self { kind }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.kind == FileKind::Symlink
    }
}

impl Permissions {
    /// Permissions of these bits, as of `chmod`.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Self {
        Self { mode }
    }

    /// The bits, with what the file is if they were asked of one.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        self.mode
    }

    /// Sets the bits.
    pub const fn set_mode(&mut self, mode: u32) {
        self.mode = mode;
    }

    /// Whether nobody may write.
    #[must_use]
    pub const fn readonly(&self) -> bool {
        self.mode & 0o222 == 0
    }

    /// Lets nobody write, or everybody.
    pub const fn set_readonly(&mut self, readonly: bool) {
        if readonly {
            self.mode &= !0o222;
        } else {
            self.mode |= 0o222;
        }
    }

    /// The bits that can be set.
    pub(super) const fn bits(&self) -> u32 {
        self.mode & 0o7777
    }
}

fn time(ns: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)
}

/// A time as a disk keeps it; one before 1970 is 1970.
fn to_ns(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
