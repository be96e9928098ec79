//! The kernel's arm: calls by the standard library, in a directory of its own.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{
    DirBuilderExt as _, DirEntryExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _, symlink,
};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::super::call::{Blocks, Entry, FileKind, WriteSync};
use super::super::super::files::FILE_MAX_BYTES;
use super::super::super::image::{Attributes, Ino, Name};
use super::*;

pub(super) struct Kernel {
    place: Place,
    root: PathBuf,
    /// By descriptor, from 3.
    files: Vec<Option<File>>,
}

/// Where the kernel's arm works.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The system's directory for temporary files.
    Disk,
    /// A file system that is in memory, if there is one.
    Memory,
}

/// What a file system is like.
pub(super) struct Facts {
    pub(super) umask: u32,
    /// Whether a directory's links count the directories in it.
    counts_directories: bool,
    /// Whether files can be opened past the page cache, and then refuse a part of a sector.
    pub(super) has_direct: bool,
    /// Whether the longest file is that of ext4.
    pub(super) is_limited_as_ext4: bool,
}

impl Place {
    pub(super) fn facts(self) -> &'static Facts {
        static DISK: LazyLock<Facts> = LazyLock::new(|| Facts::of(Place::Disk));
        static MEMORY: LazyLock<Facts> = LazyLock::new(|| Facts::of(Place::Memory));
        match self {
            Self::Disk => &DISK,
            Self::Memory => &MEMORY,
        }
    }

    fn fresh_directory(self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stormglass-conformance-{}-{number}", std::process::id());
        let mut builder = DirBuilder::new();
        builder.mode(0o755);
        let memory = PathBuf::from("/dev/shm").join(&name);
        if matches!(self, Self::Memory) && builder.create(&memory).is_ok() {
            return memory;
        }
        let disk = std::env::temp_dir().canonicalize().unwrap().join(name);
        builder.create(&disk).unwrap();
        disk
    }
}

impl Facts {
    fn of(place: Place) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let mut lines = status.lines();
        let umask = lines.find_map(|line| line.strip_prefix("Umask:")).unwrap();
        let root = place.fresh_directory();
        fs::create_dir(root.join("a")).unwrap();
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .custom_flags(libc::O_DIRECT);
        let direct = options.open(root.join("b"));
        let file = File::create(root.join("c")).unwrap();
        let longest = file.set_len(FILE_MAX_BYTES);
        let longer = file.set_len(FILE_MAX_BYTES + 1);
        let facts = Self {
            umask: u32::from_str_radix(umask.trim(), 8).unwrap(),
            counts_directories: fs::metadata(&root).unwrap().nlink() == 3,
            has_direct: direct.is_ok_and(|mut file| file.write(b"x").is_err()),
            is_limited_as_ext4: longest.is_ok() && longer.is_err(),
        };
        fs::remove_dir_all(root).unwrap();
        facts
    }
}

/// Whether the tests run as root.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

impl Kernel {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            root: place.fresh_directory(),
            files: Vec::new(),
        }
    }

    pub(super) fn show(&mut self, step: &Step) -> String {
        let result = match step {
            Step::Do(call) => self.perform(call),
            Step::Put(path, bytes) => {
                let file = options(PUT).open(self.path(path));
                nothing(file.and_then(|mut file| file.write_all(bytes)))
            }
            Step::Close(fd) => self.close(*fd),
            Step::Duplicate(fd) => {
                let twin = self.file(*fd).and_then(|file| file.try_clone());
                twin.map(|file| self.add(file))
            }
            Step::Lock(fd, lock) => nothing(self.file(*fd).and_then(|file| {
                let result = match lock {
                    Lock::Shared => file.try_lock_shared(),
                    Lock::Exclusive => file.try_lock(),
                };
                result.map_err(|error| match error {
                    TryLockError::WouldBlock => os_error(libc::EWOULDBLOCK),
                    TryLockError::Error(error) => error,
                })
            })),
            Step::Unlock(fd) => nothing(self.file(*fd).and_then(|file| file.unlock())),
        };
        self.comparable(show(&result))
    }

    /// Leaves out of an outcome what this file system does not tell.
    pub(super) fn comparable(&self, mut outcome: String) -> String {
        if outcome.contains("directory mode=") && !self.place.facts().counts_directories {
            outcome.truncate(outcome.rfind(" links=").unwrap());
        }
        outcome
    }

    /// Whether a step's outcome means anything: places in a directory are the file system's own.
    pub(super) fn is_comparable(&self, step: &Step) -> bool {
        let Step::Do(Call::Seek { fd, .. }) = step else {
            return true;
        };
        !self
            .file(*fd)
            .is_ok_and(|file| file.metadata().unwrap().is_dir())
    }

    fn perform(&mut self, call: &Call) -> io::Result<Reply> {
        match call {
            Call::Open { path, flags } => {
                let file = options(*flags).open(self.path(path))?;
                Ok(self.add(file))
            }
            Call::Read { fd, at, length } => {
                let mut memory = vec![0; length + ALIGNMENT];
                let buffer = aligned(&mut memory, *length);
                let mut file = self.file(*fd)?;
                let length = match at {
                    Some(at) => file.read_at(buffer, *at),
                    None => file.read(buffer),
                }?;
                Ok(Reply::Bytes(buffer[..length].to_vec()))
            }
            Call::Write { fd, at, bytes } => {
                let mut memory = vec![0; bytes.len() + ALIGNMENT];
                let buffer = aligned(&mut memory, bytes.len());
                buffer.copy_from_slice(bytes);
                let mut file = self.file(*fd)?;
                let length = match at {
                    Some(at) => file.write_at(buffer, *at),
                    None => file.write(buffer),
                };
                length.map(Reply::Written)
            }
            Call::Seek { fd, to } => self.file(*fd)?.seek(*to).map(Reply::Place),
            Call::SetLen { fd, len } => nothing(self.file(*fd)?.set_len(*len)),
            Call::Sync { fd, content_only } => {
                let file = self.file(*fd)?;
                nothing(if *content_only {
                    file.sync_data()
                } else {
                    file.sync_all()
                })
            }
            Call::Metadata(target) => self.metadata(target),
            Call::SetMode { target, mode } => {
                let permissions = Permissions::from_mode(*mode);
                nothing(match target {
                    Target::Open(fd) => self.file(*fd)?.set_permissions(permissions),
                    Target::Path(path) => fs::set_permissions(self.path(path), permissions),
                    Target::Link(_) => panic!("the standard library cannot"),
                })
            }
            Call::SetTimes { .. } => panic!("times are not compared"),
            Call::MakeDirectory { path, mode } => {
                nothing(DirBuilder::new().mode(*mode).create(self.bare_path(path)))
            }
            Call::RemoveFile(path) => nothing(fs::remove_file(self.bare_path(path))),
            Call::RemoveDirectory(path) => nothing(fs::remove_dir(self.bare_path(path))),
            Call::Rename { from, to } => nothing(fs::rename(self.path(from), self.path(to))),
            Call::HardLink { original, link } => {
                nothing(fs::hard_link(self.path(original), self.path(link)))
            }
            Call::Symlink { target, link } => {
                let target = if target.first() == Some(&b'/') {
                    self.path(target)
                } else {
                    os_path(target)
                };
                nothing(symlink(target, self.path(link)))
            }
            Call::ReadLink(path) => {
                let target = fs::read_link(self.path(path))?;
                Ok(Reply::Path(self.below_root(target)))
            }
            Call::ReadDirectory(path) => {
                let mut entries = Vec::new();
                for entry in fs::read_dir(self.path(path))? {
                    let entry = entry?;
                    entries.push(Entry {
                        name: Name(entry.file_name().into_vec().into()),
                        ino: Ino(entry.ino()),
                        kind: kind(entry.file_type()?),
                    });
                }
                Ok(Reply::Entries(entries))
            }
            Call::Canonicalize(path) => {
                let path = fs::canonicalize(self.path(path))?;
                Ok(Reply::Path(self.below_root(path)))
            }
        }
    }

    fn metadata(&self, target: &Target) -> io::Result<Reply> {
        let metadata = match target {
            Target::Open(fd) => self.file(*fd)?.metadata(),
            Target::Path(path) => fs::metadata(self.path(path)),
            Target::Link(path) => fs::symlink_metadata(self.path(path)),
        }?;
        let mut len = metadata.len();
        if let Target::Link(path) = target
            && metadata.is_symlink()
        {
            let target = fs::read_link(self.path(path))?;
            len = self.below_root(target).len() as u64;
        }
        Ok(Reply::Metadata(Metadata {
            ino: Ino(metadata.ino()),
            kind: kind(metadata.file_type()),
            len,
            attributes: Attributes::new(metadata.mode(), 0),
            links: u32::try_from(metadata.nlink()).unwrap(),
            blocks: Blocks::new(metadata.blocks()),
        }))
    }

    fn add(&mut self, file: File) -> Reply {
        let free = self.files.iter().position(Option::is_none);
        let index = free.unwrap_or(self.files.len());
        if index == self.files.len() {
            self.files.push(None);
        }
        self.files[index] = Some(file);
        Reply::Opened(Fd(u32::try_from(index).unwrap() + 3))
    }

    fn file(&self, fd: Fd) -> io::Result<&File> {
        let file = self.files.get(fd.0 as usize - 3).and_then(Option::as_ref);
        file.ok_or_else(|| os_error(libc::EBADF))
    }

    fn close(&mut self, fd: Fd) -> io::Result<Reply> {
        self.file(fd)?;
        self.files[fd.0 as usize - 3] = None;
        Ok(Reply::Nothing)
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() {
            return PathBuf::new();
        }
        let mut full = self.root.as_os_str().as_bytes().to_vec();
        full.push(b'/');
        full.extend_from_slice(path);
        os_path(&full)
    }

    /// As [`path`](Self::path), but of the root itself, which no call can take away or make.
    fn bare_path(&self, path: &[u8]) -> PathBuf {
        if path == b"/" {
            return PathBuf::from("/");
        }
        self.path(path)
    }

    /// A path as seen by whoever takes the directory for the root.
    fn below_root(&self, path: PathBuf) -> Path {
        let path = path.into_os_string().into_vec();
        let below = path.strip_prefix(self.root.as_os_str().as_bytes());
        // Links to the root's children have two slashes: one of the root, one of their own.
        let below = below.map(|below| below.strip_prefix(b"/").unwrap_or(below));
        match below {
            None => path.into(),
            Some(below) if below.first() == Some(&b'/') => below.into(),
            Some(below) => [b"/", below].concat().into(),
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.files.clear();
        if !is_root() {
            open_up(&self.root);
        }
        fs::remove_dir_all(&self.root).unwrap();
    }
}

/// Makes directories such that they can be removed.
fn open_up(dir: &std::path::Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            open_up(&entry.path());
        }
    }
}

fn options(flags: OpenFlags) -> OpenOptions {
    let custom = [
        (flags.direct, libc::O_DIRECT),
        (flags.sync == WriteSync::Content, libc::O_DSYNC),
        (flags.sync == WriteSync::Everything, libc::O_SYNC),
        (flags.directory, libc::O_DIRECTORY),
        (flags.no_follow, libc::O_NOFOLLOW),
    ];
    let custom = custom.iter().filter(|(on, _)| *on);
    let custom = custom.fold(0, |flags, (_, flag)| flags | flag);
    let mut options = OpenOptions::new();
    options
        .read(flags.read)
        .write(flags.write)
        .append(flags.append)
        .truncate(flags.truncate)
        .create(flags.create)
        .create_new(flags.create_new)
        .mode(flags.mode)
        .custom_flags(custom);
    options
}

fn kind(kind: fs::FileType) -> FileKind {
    if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::File
    }
}

fn nothing(result: io::Result<()>) -> io::Result<Reply> {
    result.map(|()| Reply::Nothing)
}

fn os_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn os_path(bytes: &[u8]) -> PathBuf {
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// Memory at an address that suits `O_DIRECT`.
fn aligned(memory: &mut [u8], length: usize) -> &mut [u8] {
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    &mut memory[start..start + length]
}

const ALIGNMENT: usize = 4096;
