//! A disk and its file system as a state machine: files, directories, what of them is durable, and
//! everything that a loss of power or a failing device may leave.
//!
//! Owns one node's storage. A program's calls see the *visible* image, as through a page cache; a
//! sync moves *pending* changes to the *durable* image; a loss of power keeps the durable image and
//! a legal subset of what is pending. The disk takes the time as an argument and must never know a
//! future, a task or a program.
//!
//! Sources: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014); Rebello et al.,
//! "Can Applications Recover from fsync Failures?" (USENIX ATC 2020); Mohan et al., "Finding
//! Crash-Consistency Bugs with Bounded Black-Box Crash Testing" (OSDI 2018).

mod atlas;
mod blob;
pub(crate) mod call;
mod change;
mod config;
mod crash;
mod device;
mod fault;
mod files;
mod image;
mod latency;
mod locks;
mod lone;
mod moment;
mod names;
mod op_set;
mod page;
mod path;
mod power;
mod profile;
mod queue;
mod stacks;
mod store;
mod watch;
mod watching;

#[cfg(test)]
mod tests;

use core::panic::Location;
use std::io;

pub use atlas::{AtlasMap, AtlasPlace};
pub(crate) use change::{Change, Op, Patch};
pub use config::{CrashOdds, DiskConfig, DiskError, DiskFaults, DiskScope};
pub(crate) use crash::{CrashPoint, Fill, Mark};
pub(crate) use device::{Device, World as DeviceWorld};
pub(crate) use fault::Rule;
#[cfg(test)]
pub(crate) use image::File;
pub(crate) use image::{Attributes, Body, Image, Ino, Inode, Name};
pub use latency::DiskLatency;
pub(crate) use lone::Lone;
pub(crate) use op_set::OpSet;
pub(crate) use page::{PAGE_BYTES, SECTOR_MIN_BYTES, Sectors};
pub use profile::Profile;
pub(crate) use queue::{DiskEvent, Disks, Effects, Persistence, RequestId, gone};
pub(crate) use stacks::{Spot, Taken};
pub(crate) use store::{Origin, Store, Syncing};
pub(crate) use watch::{Ack, Before, Moment, Observation, Watch};

use call::{Call, Reply};
use files::Files;

/// A node's file system, and what its process has open.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    store: Store,
    files: Files,
    /// Bits that new files and directories do not get, as of `umask`.
    umask: u32,
    /// Pages that the visible files take up.
    used_pages: u64,
    next_call: u64,
    /// Records what programs do, for who explores it.
    watch: Option<Watch>,
}

/// What a call knows of the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    /// The node's wall clock, in nanoseconds since 1970.
    pub(crate) wall_ns: u64,
    /// Where the program made the call, if it is known.
    pub(crate) place: Option<&'static Location<'static>>,
}

impl Disk {
    /// An empty file system.
    pub(crate) fn new(profile: Profile, wall_ns: u64) -> Self {
        Self::from_image(profile, Image::empty(Attributes::new(0o755, wall_ns)))
    }

    /// A file system that was mounted in this state, which must be settled.
    pub(crate) fn from_image(profile: Profile, image: Image) -> Self {
        let used_pages = image.iter().map(|(_, inode)| pages_of(inode)).sum();
        Self {
            store: Store::from_image(profile, image),
            files: Files::default(),
            umask: 0o022,
            used_pages,
            next_call: 0,
            watch: None,
        }
    }

    /// Goes on from another state, which must be settled, with nothing open.
    pub(crate) fn remount(&mut self, image: Image) {
        self.used_pages = image.iter().map(|(_, inode)| pages_of(inode)).sum();
        self.files = Files::default();
        self.store.remount(image);
    }

    /// What a loss of power leaves at least: what syncs made durable.
    pub(crate) fn durable(&self) -> Image {
        let mut image = self.store.durable().clone();
        image.settle();
        image
    }

    /// Carries out a call, at once.
    ///
    /// # Errors
    /// Those of Linux, by their numbers.
    pub(crate) fn perform(&mut self, around: &Around, call: Call) -> io::Result<Reply> {
        self.observe(&call);
        match call {
            Call::Open { path, flags } => self.open(around, &path, flags).map(Reply::Opened),
            Call::Read { fd, at, length } => self.read_bytes(fd, at, length).map(Reply::Bytes),
            Call::Write { fd, at, bytes } => self.write(around, fd, at, &bytes).map(Reply::Written),
            Call::Seek { fd, to } => self.seek(fd, to).map(Reply::Place),
            Call::SetLen { fd, len } => done(self.set_len(around, fd, len)),
            Call::Sync { fd, content_only } => {
                let what = self.syncing(fd, content_only)?;
                self.before_sync(around, what);
                self.force(what);
                Ok(Reply::Nothing)
            }
            Call::Metadata(target) => {
                let metadata = self.metadata(&target)?;
                Ok(Reply::Metadata(self.observe_metadata(metadata)))
            }
            Call::SetMode { target, mode } => done(self.set_mode(around, &target, mode)),
            Call::SetTimes {
                target,
                accessed_ns,
                modified_ns,
            } => done(self.set_times(around, &target, accessed_ns, modified_ns)),
            Call::MakeDirectory { path, mode } => done(self.make_directory(around, &path, mode)),
            Call::RemoveFile(path) => done(self.remove_file(around, &path)),
            Call::RemoveDirectory(path) => done(self.remove_directory(around, &path)),
            Call::Rename { from, to } => done(self.rename(around, &from, &to)),
            Call::HardLink { original, link } => done(self.hard_link(around, &original, &link)),
            Call::Symlink { target, link } => done(self.symlink(around, &target, &link)),
            Call::ReadLink(path) => self.read_link(&path).map(Reply::Path),
            Call::ReadDirectory(path) => self.read_directory(&path).map(Reply::Entries),
            Call::Canonicalize(path) => self.canonicalize(&path).map(Reply::Path),
        }
    }

    #[cfg(test)]
    pub(crate) fn set_umask(&mut self, umask: u32) {
        self.umask = umask;
    }

    /// Pages that the visible files take up, those without a name among them.
    pub(crate) const fn used_pages(&self) -> u64 {
        self.used_pages
    }

    /// Descriptors that are open.
    pub(crate) fn open_files(&self) -> usize {
        self.files.count()
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    fn origin(&mut self, around: &Around) -> Origin {
        let call = self.next_call;
        self.next_call += 1;
        if let Some(watch) = &mut self.watch {
            watch.met(Spot::Call(call));
        }
        let place = around.place;
        Origin { call, place }
    }

    /// Notes that a file that had so many pages may have more or fewer.
    fn count_pages(&mut self, ino: Ino, before: u64) {
        let inode = self.store.visible().get(ino).expect("it was changed");
        self.used_pages = self.used_pages - before + pages_of(inode);
    }
}

impl Attributes {
    /// Those of something that is made now.
    const fn new(mode: u32, wall_ns: u64) -> Self {
        Self {
            mode,
            created_ns: wall_ns,
            accessed_ns: wall_ns,
            modified_ns: wall_ns,
            changed_ns: wall_ns,
        }
    }
}

fn pages_of(inode: &Inode) -> u64 {
    inode.file().map_or(0, |file| file.content.pages())
}

fn done(result: io::Result<()>) -> io::Result<Reply> {
    result.map(|()| Reply::Nothing)
}

/// The error of this number, as the operating system would give it.
fn os_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
