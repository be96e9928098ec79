//! What a disk holds, three times over: what programs see, what a loss of power leaves, and the
//! changes between the two.
//!
//! Owns the visible and the durable image and the pending changes, and keeps them in step: applying
//! all pending changes to the durable image gives the visible one, but for *ghosts*: pages that the
//! cache holds, takes for written, and that the disk holds otherwise. It must never know a path, a
//! descriptor, or why a page became a ghost.

use core::panic::Location;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::blob::parts;
use super::change::{Change, Op, Patch};
use super::image::{Attributes, Extent, Image, Ino, Inode, Name};
use super::page::{Page, Sectors};
use super::profile::Profile;

/// The images of one disk.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    profile: Profile,
    visible: Image,
    durable: Image,
    pending: Vec<Arc<Op>>,
    /// Bytes that pending changes keep in memory.
    pending_bytes: u64,
    /// Pending shortenings of files; writes look for them only if there are any.
    pending_cuts: usize,
    next_ino: u64,
    next_op: u64,
    /// Inodes that no program sees any more and that the durable image still has.
    gone: Vec<Ino>,
    /// Clean pages whose bytes in the cache are not those on the disk.
    ghosts: BTreeSet<(Ino, u64)>,
}

/// Which call changes something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) call: u64,
    pub(crate) place: Option<&'static Location<'static>>,
}

/// What a sync is asked to make durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncing {
    /// A file's content and attributes (`fsync`).
    File(Ino),
    /// A file's content, and of the rest what is needed to read it (`fdatasync`).
    Content(Ino),
    /// The names in a directory.
    Directory(Ino),
    /// Everything (`sync`).
    Everything,
}

impl Store {
    /// An empty file system.
    pub(crate) fn new(profile: Profile, root: Attributes) -> Self {
        Self::from_image(profile, Image::empty(root))
    }

    /// A file system that was mounted in this state, which must be settled.
    pub(crate) fn from_image(profile: Profile, image: Image) -> Self {
        let last = image.iter().map(|(ino, _)| ino.0).max();
        Self {
            profile,
            visible: image.clone(),
            durable: image,
            pending: Vec::new(),
            pending_bytes: 0,
            pending_cuts: 0,
            next_ino: last.expect("there is a root") + 1,
            next_op: 0,
            gone: Vec::new(),
            ghosts: BTreeSet::new(),
        }
    }

    /// Goes on from another state, which must be settled: that after a loss of power, or of another
    /// time. Numbers of inodes and changes go on.
    pub(crate) fn remount(&mut self, image: Image) {
        let last = image.iter().map(|(ino, _)| ino.0).max();
        self.next_ino = self.next_ino.max(last.expect("there is a root") + 1);
        self.visible = image.clone();
        self.durable = image;
        self.pending.clear();
        self.pending_bytes = 0;
        self.pending_cuts = 0;
        self.gone.clear();
        self.ghosts.clear();
    }

    pub(crate) const fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    pub(crate) const fn visible(&self) -> &Image {
        &self.visible
    }

    pub(crate) const fn durable(&self) -> &Image {
        &self.durable
    }

    /// Both images, for damage that no program did.
    pub(crate) fn images_mut(&mut self) -> (&mut Image, &mut Image) {
        (&mut self.visible, &mut self.durable)
    }

    /// Changes that are not durable, in the order in which they were made.
    pub(crate) fn pending(&self) -> &[Arc<Op>] {
        &self.pending
    }

    #[cfg(test)]
    pub(crate) const fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// A new inode, which no name leads to yet. A loss of power before one does forgets it.
    pub(crate) fn create(&mut self, inode: &Inode) -> Ino {
        let ino = Ino(self.next_ino);
        self.next_ino += 1;
        self.visible.insert(ino, inode.clone());
        self.durable.insert(ino, inode.clone());
        ino
    }

    /// Writes to a file, which must be there, and makes it longer if need be.
    pub(crate) fn write(&mut self, origin: Origin, ino: Ino, offset: u64, bytes: &[u8]) {
        let regrows = self.pending_cuts > 0 && self.was_cut_below(ino, offset + bytes.len() as u64);
        let file = self.visible.file_mut(ino).expect("it is written to a file");
        let end = offset + bytes.len() as u64;
        let (before, after) = (file.len, file.len.max(end));
        let mut patches = Vec::with_capacity(2);
        for part in parts(offset, bytes.len()) {
            let page = file.content.entry(part.page);
            let from = &bytes[part.from..part.from + part.len()];
            page.bytes_mut()[part.start..part.end].copy_from_slice(from);
            // A page is written back whole; it makes a difference only where the disk differs.
            let haunted = !self.ghosts.is_empty() && self.ghosts.remove(&(ino, part.page));
            let sectors = if haunted {
                Sectors::ALL
            } else {
                Sectors::touched(part.start, part.end)
            };
            let page = page.clone();
            file.rewritten(part.page, sectors);
            patches.push(Patch {
                index: part.page,
                page,
                sectors,
            });
        }
        file.len = after;
        let grows = end > before;
        self.record(
            origin,
            Change::Data {
                ino,
                patches,
                grows,
                regrows,
            },
        );
        if grows {
            let (from, to) = (before, after);
            self.record(origin, Change::Size { ino, from, to });
        }
    }

    /// Makes a file, which must be there, longer or shorter.
    pub(crate) fn set_len(&mut self, origin: Origin, ino: Ino, to: u64) {
        let from = self.visible.file(ino).expect("its length is set").len;
        if from != to {
            self.change(origin, Change::Size { ino, from, to });
        }
    }

    /// Gives a name to an inode, and takes it from another that had it.
    pub(crate) fn link(&mut self, origin: Origin, dir: Ino, name: Name, ino: Ino) {
        let replaced = self.visible.entry(dir, &name);
        self.change(
            origin,
            Change::Link {
                dir,
                name,
                ino,
                replaced,
            },
        );
    }

    /// Takes a name, which must be there, from its inode.
    pub(crate) fn unlink(&mut self, origin: Origin, dir: Ino, name: Name) {
        let ino = self.visible.entry(dir, &name).expect("the name is taken");
        self.change(origin, Change::Unlink { dir, name, ino });
    }

    /// Moves a name, which must be there, to another place, and takes that from whoever has it.
    pub(crate) fn rename(&mut self, origin: Origin, from: (Ino, Name), to: (Ino, Name)) {
        let ino = self.visible.entry(from.0, &from.1).expect("it is renamed");
        let replaced = self.visible.entry(to.0, &to.1);
        let rename = Change::Rename {
            ino,
            from: from.clone(),
            to: to.clone(),
            replaced,
        };
        let is_directory = self
            .visible
            .get(ino)
            .is_some_and(|i| i.directory().is_some());
        if self.profile.renames_at_once() || is_directory {
            self.change(origin, rename);
            return;
        }
        self.visible.apply(&rename, Extent::Whole);
        let (dir, name) = to;
        self.record(
            origin,
            Change::Link {
                dir,
                name,
                ino,
                replaced,
            },
        );
        let (dir, name) = from;
        self.record(origin, Change::Unlink { dir, name, ino });
    }

    /// Sets permissions and times.
    pub(crate) fn set_attributes(&mut self, origin: Origin, ino: Ino, attributes: Attributes) {
        self.change(origin, Change::Attributes { ino, attributes });
    }

    /// Times that change with every call and that nobody has to find again after a crash.
    pub(crate) fn touch(&mut self, ino: Ino, touch: impl FnOnce(&mut Attributes)) {
        if let Some(inode) = self.visible.get_mut(ino) {
            touch(&mut inode.attributes);
        }
    }

    /// Sets how many names an inode has.
    pub(crate) fn set_links(&mut self, ino: Ino, links: u32) {
        if let Some(inode) = self.visible.get_mut(ino) {
            inode.links = links;
        }
    }

    /// An inode without names, which nobody has open any more, is gone from sight.
    pub(crate) fn forget(&mut self, ino: Ino) {
        self.visible.remove(ino);
        self.gone.push(ino);
        self.collect();
    }

    /// Which of the pending changes a sync makes durable, with all that they need. `before` is the
    /// number of the first change that came after the sync began.
    pub(crate) fn forced(&self, what: Syncing, before: u64) -> Vec<bool> {
        let with_names = self.profile.syncs_names_with_files();
        let is_asked_for = |change: &Change| match what {
            Syncing::Everything => true,
            Syncing::Directory(dir) => change.is_in(dir) || is_attribute_of(change, dir),
            Syncing::File(ino) | Syncing::Content(ino) => match change {
                Change::Data { ino: other, .. } | Change::Size { ino: other, .. } => *other == ino,
                Change::Attributes { .. } => {
                    what == Syncing::File(ino) && is_attribute_of(change, ino)
                }
                Change::Link { .. } | Change::Unlink { .. } | Change::Rename { .. } => {
                    with_names && change.ino() == ino
                }
            },
        };
        let mut marks: Vec<bool> = self
            .pending
            .iter()
            .map(|op| op.number < before && is_asked_for(&op.change))
            .collect();
        self.profile.close_over_needs(&self.pending, &mut marks);
        marks
    }

    /// The number that the next change will have.
    pub(crate) const fn next_op(&self) -> u64 {
        self.next_op
    }

    /// Makes marked changes durable, as `how` says of each, and takes them off the list.
    pub(crate) fn persist(&mut self, marks: &[bool], mut how: impl FnMut(&mut Image, &Op)) {
        let mut rest = Vec::with_capacity(self.pending.len());
        for (op, marked) in core::mem::take(&mut self.pending).into_iter().zip(marks) {
            if *marked {
                how(&mut self.durable, &op);
                self.pending_bytes -= op.change.cost_bytes();
                self.pending_cuts -= usize::from(is_cut(&op.change));
            } else {
                rest.push(op);
            }
        }
        self.pending = rest;
        self.collect();
    }

    /// Takes the marked changes that are bytes of certain files off the list as if they were
    /// durable: the cache takes its pages for written.
    pub(crate) fn lose_data(&mut self, marks: &[bool], of: impl Fn(Ino) -> bool) {
        let pending = self.pending.iter().zip(marks);
        let lost: Vec<bool> = pending
            .map(|(op, marked)| *marked && matches!(op.change, Change::Data { ino, .. } if of(ino)))
            .collect();
        let mut ghosts = core::mem::take(&mut self.ghosts);
        self.persist(&lost, |_, op| ghosts.extend(op.change.pages()));
        self.ghosts = ghosts;
    }

    /// A page of the cache is not what the disk holds, though no change of it is pending.
    pub(crate) fn haunt(&mut self, ino: Ino, page: u64) {
        self.ghosts.insert((ino, page));
    }

    /// Clean pages whose bytes in the cache are not those on the disk.
    pub(crate) const fn ghosts(&self) -> &BTreeSet<(Ino, u64)> {
        &self.ghosts
    }

    /// Drops a ghost from the cache: programs see what the disk holds.
    pub(crate) fn evict(&mut self, ino: Ino, page: u64) {
        assert!(self.ghosts.remove(&(ino, page)), "only ghosts are evicted");
        let durable = self
            .durable
            .file(ino)
            .and_then(|file| file.content.page(page));
        let durable = durable.cloned().unwrap_or_else(Page::zeroed);
        if let Some(file) = self.visible.file_mut(ino) {
            file.content.set(page, durable);
            // The page may hold bytes beyond the end of the file.
            file.set_len(file.len);
        }
    }

    /// Makes marked changes durable.
    pub(crate) fn persist_whole(&mut self, marks: &[bool]) {
        self.persist(marks, |durable, op| {
            durable.apply(&op.change, Extent::Whole);
        });
    }

    /// Whether a page of a file has changes that are not durable.
    pub(crate) fn is_dirty(&self, inode: Ino, page: u64) -> bool {
        self.pending
            .iter()
            .any(|op| op.change.ino() == inode && op.change.pages().any(|(_, other)| other == page))
    }

    fn change(&mut self, origin: Origin, change: Change) {
        self.visible.apply(&change, Extent::Whole);
        self.record(origin, change);
    }

    fn record(&mut self, origin: Origin, change: Change) {
        self.pending_bytes += change.cost_bytes();
        self.pending_cuts += usize::from(is_cut(&change));
        let Origin { call, place } = origin;
        let number = self.next_op;
        self.next_op += 1;
        self.pending.push(Arc::new(Op {
            number,
            call,
            place,
            change,
        }));
        if self.pending_bytes > PENDING_MAX_BYTES || self.pending.len() > PENDING_MAX {
            self.write_back_oldest();
        }
    }

    /// Makes the older half of what is pending durable, as a kernel does whose cache is full.
    #[cold]
    fn write_back_oldest(&mut self) {
        let half = self.pending.len() / 2;
        let mut marks: Vec<bool> = (0..self.pending.len()).map(|op| op <= half).collect();
        self.profile.close_over_needs(&self.pending, &mut marks);
        self.persist_whole(&marks);
    }

    fn was_cut_below(&self, inode: Ino, end: u64) -> bool {
        self.pending.iter().any(|op| {
            matches!(op.change, Change::Size { ino, to, .. } if ino == inode && to < end)
                && is_cut(&op.change)
        })
    }

    /// Forgets inodes that are gone and that no pending change speaks of.
    fn collect(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        let (pending, durable) = (&self.pending, &mut self.durable);
        self.gone.retain(|&ino| {
            let spoken_of = pending.iter().any(|op| op.change.mentions(ino));
            if !spoken_of {
                durable.remove(ino);
            }
            spoken_of
        });
    }
}

fn is_attribute_of(change: &Change, inode: Ino) -> bool {
    matches!(change, Change::Attributes { ino, .. } if *ino == inode)
}

fn is_cut(change: &Change) -> bool {
    matches!(change, Change::Size { from, to, .. } if to < from)
}

/// How much may wait to be written back: the memory that pages of pending changes take, and the
/// number of changes, which each sync walks through.
const PENDING_MAX_BYTES: u64 = 256 << 20;
const PENDING_MAX: usize = 1 << 16;
