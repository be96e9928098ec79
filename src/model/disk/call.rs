//! The calls that a program makes of its file system, and what they give, as data.
//!
//! Owns the vocabulary that handles, queue and tests share. The names are those of the system
//! calls; what each does is said where it is carried out.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io::SeekFrom;
use std::sync::Arc;

use super::image::{Attributes, Ino, Name};
use crate::kernel::Digest;

/// A path as a program gives it: any bytes, absolute or below the process's directory, which is
/// the root.
pub(crate) type Path = Arc<[u8]>;

/// A descriptor: the lowest number that its process does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fd(pub(crate) u32);

/// How a file is opened, as of `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenFlags {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) append: bool,
    pub(crate) truncate: bool,
    pub(crate) create: bool,
    /// The file must not be there before.
    pub(crate) create_new: bool,
    /// Permissions of a file that is made.
    pub(crate) mode: u32,
    /// `O_DIRECT`: past the page cache, in whole sectors.
    pub(crate) direct: bool,
    /// Each write is durable when it returns.
    pub(crate) sync: WriteSync,
    pub(crate) directory: bool,
    pub(crate) no_follow: bool,
}

/// What a write makes durable before it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteSync {
    #[default]
    Nothing,
    /// `O_DSYNC`.
    Content,
    /// `O_SYNC`.
    Everything,
}

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Open(Fd),
    Path(Path),
    /// The symbolic link itself, if the path leads to one.
    Link(Path),
}

/// How a lock is held (`flock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Shared,
    Exclusive,
}

/// A call that may take time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open {
        path: Path,
        flags: OpenFlags,
    },
    /// Reads at most so much, at the descriptor's place or at another.
    Read {
        fd: Fd,
        at: Option<u64>,
        length: usize,
    },
    /// Writes at the descriptor's place or at another.
    Write {
        fd: Fd,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Seek {
        fd: Fd,
        to: SeekFrom,
    },
    SetLen {
        fd: Fd,
        len: u64,
    },
    /// `fsync`, or `fdatasync`; of a directory, its names.
    Sync {
        fd: Fd,
        content_only: bool,
    },
    Metadata(Target),
    SetMode {
        target: Target,
        mode: u32,
    },
    SetTimes {
        target: Target,
        accessed_ns: Option<u64>,
        modified_ns: Option<u64>,
    },
    MakeDirectory {
        path: Path,
        mode: u32,
    },
    RemoveFile(Path),
    RemoveDirectory(Path),
    Rename {
        from: Path,
        to: Path,
    },
    HardLink {
        original: Path,
        link: Path,
    },
    Symlink {
        target: Path,
        link: Path,
    },
    ReadLink(Path),
    ReadDirectory(Path),
    /// The path without symbolic links, `.` and `..`.
    Canonicalize(Path),
}

impl Call {
    /// The descriptor that it uses.
    pub(super) fn descriptor(&self) -> Option<Fd> {
        match self {
            Self::Read { fd, .. }
            | Self::Write { fd, .. }
            | Self::Seek { fd, .. }
            | Self::SetLen { fd, .. }
            | Self::Sync { fd, .. }
            | Self::Metadata(Target::Open(fd))
            | Self::SetMode {
                target: Target::Open(fd),
                ..
            }
            | Self::SetTimes {
                target: Target::Open(fd),
                ..
            } => Some(*fd),
            Self::Open { .. }
            | Self::Metadata(_)
            | Self::SetMode { .. }
            | Self::SetTimes { .. }
            | Self::MakeDirectory { .. }
            | Self::RemoveFile(_)
            | Self::RemoveDirectory(_)
            | Self::Rename { .. }
            | Self::HardLink { .. }
            | Self::Symlink { .. }
            | Self::ReadLink(_)
            | Self::ReadDirectory(_)
            | Self::Canonicalize(_) => None,
        }
    }

    /// What it is about, as a number: a descriptor, or a hash of a path.
    pub(super) fn subject(&self) -> u64 {
        if let Some(fd) = self.descriptor() {
            return fd.0.into();
        }
        let path = match self {
            Self::Open { path, .. }
            | Self::MakeDirectory { path, .. }
            | Self::RemoveFile(path)
            | Self::RemoveDirectory(path)
            | Self::Rename { from: path, .. }
            | Self::HardLink { link: path, .. }
            | Self::Symlink { link: path, .. }
            | Self::ReadLink(path)
            | Self::ReadDirectory(path)
            | Self::Canonicalize(path) => path,
            Self::Metadata(target)
            | Self::SetMode { target, .. }
            | Self::SetTimes { target, .. } => match target {
                Target::Path(path) | Target::Link(path) => path,
                Target::Open(fd) => return fd.0.into(),
            },
            Self::Read { fd, .. }
            | Self::Write { fd, .. }
            | Self::Seek { fd, .. }
            | Self::SetLen { fd, .. }
            | Self::Sync { fd, .. } => return fd.0.into(),
        };
        hash(path)
    }
}

impl Blocks {
    pub(super) const fn new(count: u64) -> Self {
        let looked_at = None;
        Self { count, looked_at }
    }

    pub(crate) fn count(&self) -> u64 {
        if let Some(looked_at) = &self.looked_at {
            looked_at.store(true, Ordering::Relaxed);
        }
        self.count
    }

    /// Has this set when somebody looks.
    pub(super) fn watched_by(&mut self, looked_at: Arc<AtomicBool>) {
        self.looked_at = Some(looked_at);
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.count().fmt(f)
    }
}

impl PartialEq for Blocks {
    fn eq(&self, other: &Self) -> bool {
        self.count() == other.count()
    }
}

impl Eq for Blocks {}

/// What a call gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    Opened(Fd),
    Bytes(Vec<u8>),
    /// How many bytes were written.
    Written(usize),
    /// A place in a file.
    Place(u64),
    Metadata(Metadata),
    Entries(Vec<Entry>),
    Path(Path),
}

/// What `stat` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) ino: Ino,
    pub(crate) kind: FileKind,
    pub(crate) len: u64,
    pub(crate) attributes: Attributes,
    pub(crate) links: u32,
    /// Space that it takes up, in blocks of 512 bytes.
    pub(crate) blocks: Blocks,
}

/// A number of blocks, which may be watched: it tells when it is looked at.
#[derive(Clone)]
pub(crate) struct Blocks {
    count: u64,
    looked_at: Option<Arc<AtomicBool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileKind {
    File,
    Directory,
    Symlink,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) ino: Ino,
    pub(crate) kind: FileKind,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "half of a hash tells paths apart in a trace"
)]
fn hash(path: &Path) -> u64 {
    let mut digest = Digest::new();
    digest.absorb_bytes(path);
    digest.value() as u64
}
