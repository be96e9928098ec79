//! One state of a file system: its inodes, and the names that lead to them.
//!
//! Owns files, directories and symbolic links as data. A clone costs a pointer; a change copies the
//! inode that it touches. It must never know what is durable, who has a file open, or what a path
//! is.

use core::borrow::Borrow;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::blob::Blob;
use super::change::Change;
use super::page::{PAGE_BYTES, SECTOR_MIN_BYTES, Sectors};
use crate::kernel::Digest;

/// An inode's number; never used twice on one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ino(pub(crate) u64);

impl Ino {
    /// The directory at which absolute paths begin. Linux file systems use 2.
    pub(crate) const ROOT: Self = Self(2);
}

/// A name in a directory: any bytes but NUL and `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(pub(crate) Arc<[u8]>);

/// What an inode is and holds.
#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub(crate) body: Body,
    pub(crate) attributes: Attributes,
    /// How many names it has; a directory counts its own and one for each directory in it.
    pub(crate) links: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    File(File),
    Directory(Directory),
    /// A symbolic link, and what it says.
    Symlink(Arc<[u8]>),
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// Length in bytes. In a durable image that is not settled there may be pages beyond it.
    pub(crate) len: u64,
    pub(crate) content: Blob,
    /// Sectors of 512 bytes that give an error when they are read, until they are rewritten.
    pub(crate) unreadable: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) entries: BTreeMap<Name, Ino>,
    pub(crate) parent: Ino,
}

/// What is known of a file beside its content. Times are those of the node's wall clock, in
/// nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Permission bits, as of `chmod`.
    pub(crate) mode: u32,
    pub(crate) created_ns: u64,
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
    /// When anything of this was changed (`ctime`).
    pub(crate) changed_ns: u64,
}

/// All inodes of a file system.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    inodes: Arc<BTreeMap<Ino, Arc<Hashed>>>,
}

#[derive(Clone, Debug)]
struct Hashed {
    inode: Inode,
    /// The hash of the inode, once somebody asked.
    hash: OnceLock<u128>,
}

/// Which part of a change is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent<'a> {
    /// All of it.
    Whole,
    /// Of each page that it writes, in order, these sectors. Only data can be taken apart.
    Sectors(&'a [Sectors]),
}

impl Image {
    /// A file system with an empty root directory.
    pub(crate) fn empty(attributes: Attributes) -> Self {
        let mut image = Self {
            inodes: Arc::default(),
        };
        let body = Body::Directory(Directory {
            entries: BTreeMap::new(),
            parent: Ino::ROOT,
        });
        image.insert(
            Ino::ROOT,
            Inode {
                body,
                attributes,
                links: 2,
            },
        );
        image
    }

    pub(crate) fn get(&self, ino: Ino) -> Option<&Inode> {
        self.inodes.get(&ino).map(|hashed| &hashed.inode)
    }

    /// An inode to change; its hash is forgotten.
    pub(crate) fn get_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        let hashed = Arc::make_mut(Arc::make_mut(&mut self.inodes).get_mut(&ino)?);
        hashed.hash = OnceLock::new();
        Some(&mut hashed.inode)
    }

    pub(crate) fn insert(&mut self, ino: Ino, inode: Inode) {
        let hash = OnceLock::new();
        Arc::make_mut(&mut self.inodes).insert(ino, Arc::new(Hashed { inode, hash }));
    }

    pub(crate) fn remove(&mut self, ino: Ino) -> Option<Inode> {
        let hashed = Arc::make_mut(&mut self.inodes).remove(&ino)?;
        Some(hashed.inode.clone())
    }

    /// All inodes, from low to high.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ino, &Inode)> {
        self.inodes
            .iter()
            .map(|(ino, hashed)| (*ino, &hashed.inode))
    }

    /// What `name` in directory `dir` leads to; `None` also if `dir` is no directory.
    pub(crate) fn entry(&self, dir: Ino, name: &Name) -> Option<Ino> {
        self.get(dir)?.directory()?.entries.get(name).copied()
    }

    pub(crate) fn file(&self, ino: Ino) -> Option<&File> {
        self.get(ino)?.file()
    }

    pub(crate) fn file_mut(&mut self, ino: Ino) -> Option<&mut File> {
        match &mut self.get_mut(ino)?.body {
            Body::File(file) => Some(file),
            Body::Directory(_) | Body::Symlink(_) => None,
        }
    }

    pub(crate) fn directory_mut(&mut self, ino: Ino) -> Option<&mut Directory> {
        match &mut self.get_mut(ino)?.body {
            Body::Directory(directory) => Some(directory),
            Body::File(_) | Body::Symlink(_) => None,
        }
    }

    /// Carries out a change, or a part of it. What it needs and is not there, it passes over: a
    /// state after a crash may lack it.
    pub(crate) fn apply(&mut self, change: &Change, extent: Extent<'_>) {
        match change {
            Change::Data { ino, patches, .. } => {
                let Some(file) = self.file_mut(*ino) else {
                    return;
                };
                for (number, patch) in patches.iter().enumerate() {
                    let sectors = match extent {
                        Extent::Whole => patch.sectors,
                        Extent::Sectors(sectors) => sectors[number],
                    };
                    file.content.take(patch.index, &patch.page, sectors);
                    file.rewritten(patch.index, sectors);
                }
            }
            Change::Size { ino, to, .. } => {
                if let Some(file) = self.file_mut(*ino) {
                    file.set_len(*to);
                }
            }
            Change::Link { dir, name, ino, .. } => self.put_entry(*dir, name, *ino),
            Change::Unlink { dir, name, .. } => self.take_entry(*dir, name),
            Change::Rename { ino, from, to, .. } => {
                self.take_entry(from.0, &from.1);
                self.put_entry(to.0, &to.1, *ino);
                if let Some(directory) = self.directory_mut(*ino) {
                    directory.parent = to.0;
                }
            }
            Change::Attributes { ino, attributes } => {
                if let Some(inode) = self.get_mut(*ino) {
                    inode.attributes = *attributes;
                }
            }
        }
    }

    /// Makes of a durable state what is found when it is mounted: inodes without a name are gone,
    /// bytes beyond the end of a file too, and links are counted anew. A directory to which two
    /// names lead keeps the one that is found first.
    pub(crate) fn settle(&mut self) {
        let mut links = BTreeMap::from([(Ino::ROOT, 2_u32)]);
        let mut parents = BTreeMap::from([(Ino::ROOT, Ino::ROOT)]);
        let mut surplus = Vec::new();
        let mut todo = vec![Ino::ROOT];
        while let Some(dir) = todo.pop() {
            let Some(directory) = self.get(dir).and_then(Inode::directory) else {
                continue;
            };
            for (name, &ino) in &directory.entries {
                match self.get(ino).map(|inode| &inode.body) {
                    None => surplus.push((dir, name.clone())),
                    Some(Body::Directory(_)) if parents.contains_key(&ino) => {
                        surplus.push((dir, name.clone()));
                    }
                    Some(Body::Directory(_)) => {
                        parents.insert(ino, dir);
                        links.insert(ino, 2);
                        *links.entry(dir).or_default() += 1;
                        todo.push(ino);
                    }
                    Some(Body::File(_) | Body::Symlink(_)) => *links.entry(ino).or_default() += 1,
                }
            }
        }
        for (dir, name) in surplus {
            self.take_entry(dir, &name);
        }
        let all: Vec<Ino> = self.inodes.keys().copied().collect();
        for ino in all {
            let Some(&count) = links.get(&ino) else {
                self.remove(ino);
                continue;
            };
            if self.get(ino).is_some_and(|inode| inode.links != count) {
                self.get_mut(ino).expect("it is there").links = count;
            }
            let parent = parents.get(&ino).copied();
            let moved = |directory: &Directory| Some(directory.parent) != parent;
            if self.get(ino).and_then(Inode::directory).is_some_and(moved) {
                let directory = self.directory_mut(ino).expect("it is one");
                directory.parent = parent.expect("a directory is counted with its parent");
            }
            if self.file(ino).is_some_and(File::exceeds_its_length) {
                let file = self.file_mut(ino).expect("it is one");
                file.set_len(file.len);
            }
        }
    }

    /// A hash of everything that a program can see but times: equal for equal states.
    pub(crate) fn hash(&self) -> u128 {
        let mut digest = Digest::new();
        for (ino, hashed) in self.inodes.iter() {
            let hash = hashed.hash.get_or_init(|| hashed.inode.hash());
            digest.absorb_value(*hash);
            digest.absorb(ino.0, 0);
        }
        digest.value()
    }

    fn put_entry(&mut self, dir: Ino, name: &Name, ino: Ino) {
        if let Some(directory) = self.directory_mut(dir) {
            directory.entries.insert(name.clone(), ino);
        }
    }

    fn take_entry(&mut self, dir: Ino, name: &Name) {
        if let Some(directory) = self.directory_mut(dir) {
            directory.entries.remove(name);
        }
    }
}

impl Inode {
    pub(crate) const fn directory(&self) -> Option<&Directory> {
        match &self.body {
            Body::Directory(directory) => Some(directory),
            Body::File(_) | Body::Symlink(_) => None,
        }
    }

    pub(crate) const fn file(&self) -> Option<&File> {
        match &self.body {
            Body::File(file) => Some(file),
            Body::Directory(_) | Body::Symlink(_) => None,
        }
    }

    fn hash(&self) -> u128 {
        let mut digest = Digest::new();
        digest.absorb(self.attributes.mode.into(), self.links.into());
        match &self.body {
            Body::File(file) => {
                digest.absorb(FILE_MARK, file.len);
                digest.absorb_value(file.content.hash());
                for &sector in &file.unreadable {
                    digest.absorb(sector, UNREADABLE_MARK);
                }
            }
            Body::Directory(directory) => {
                digest.absorb(DIRECTORY_MARK, directory.entries.len() as u64);
                for (name, ino) in &directory.entries {
                    digest.absorb_bytes(&name.0);
                    digest.absorb(ino.0, 0);
                }
            }
            Body::Symlink(target) => {
                digest.absorb(SYMLINK_MARK, 0);
                digest.absorb_bytes(target);
            }
        }
        digest.value()
    }
}

impl File {
    /// Makes the file longer, by zeros, or shorter.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
        let page_bytes = PAGE_BYTES as u64;
        self.content.cut(len.div_ceil(page_bytes));
        let tail = usize::try_from(len % page_bytes).expect("below the size of a page");
        if tail > 0 && self.has_bytes_after(len / page_bytes, tail) {
            self.content.entry(len / page_bytes).bytes_mut()[tail..].fill(0);
        }
        let sectors = len.div_ceil(SECTOR_MIN_BYTES as u64);
        drop(self.unreadable.split_off(&sectors));
    }

    /// Notes that sectors of a page were written: they can be read again.
    pub(crate) fn rewritten(&mut self, page: u64, sectors: Sectors) {
        if !self.unreadable.is_empty() {
            for sector in sectors.iter() {
                let first = page * (PAGE_BYTES / SECTOR_MIN_BYTES) as u64;
                self.unreadable.remove(&(first + sector as u64));
            }
        }
    }

    fn exceeds_its_length(&self) -> bool {
        let page_bytes = PAGE_BYTES as u64;
        let tail = usize::try_from(self.len % page_bytes).expect("below the size of a page");
        let beyond = self.content.last().map_or(0, |index| index + 1);
        beyond > self.len.div_ceil(page_bytes)
            || tail > 0 && self.has_bytes_after(self.len / page_bytes, tail)
    }

    /// Whether a page holds anything but zeros from `start` on.
    fn has_bytes_after(&self, page: u64, start: usize) -> bool {
        let page = self.content.page(page);
        page.is_some_and(|page| page.bytes()[start..].iter().any(|byte| *byte != 0))
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().into())
    }
}

// What tells the kinds of inodes apart in a hash.
const FILE_MARK: u64 = 1;
const DIRECTORY_MARK: u64 = 2;
const SYMLINK_MARK: u64 = 3;
const UNREADABLE_MARK: u64 = 4;
