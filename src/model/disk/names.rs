//! The calls on names: what they find, make, move and take away.
//!
//! Owns the rules of Linux for each, and how many names an inode has. It must never know what is
//! durable.
//!
//! # Fidelity
//! A program is its files' owner and nobody special: only the owner's bits of a mode count. There
//! is one file system, no `chown`, no extended attributes, and writing takes no bit off a mode.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::call::{Blocks, Entry, Fd, FileKind, Metadata, OpenFlags, Target};
use super::image::{Attributes, Body, Directory, File, Ino, Inode, Name};
use super::path::{self, Follow, Last, PATH_MAX_BYTES, READ, SEARCH, WRITE};
use super::{Around, Disk, os_error};
use crate::kernel::Digest;

impl Disk {
    pub(super) fn open(
        &mut self,
        around: &Around,
        path: &[u8],
        flags: OpenFlags,
    ) -> io::Result<Fd> {
        flags.check()?;
        let creates = flags.create || flags.create_new;
        let follow = match (creates, flags.create_new || flags.no_follow) {
            (true, true) => Follow::NotToMake,
            (true, false) => Follow::ToMake,
            (false, true) => Follow::BeforeSlash,
            (false, false) => Follow::Always,
        };
        let image = self.store.visible();
        let (place, found) = path::locate(image, path, follow)?;
        let ino = match (found, place.last) {
            (Some(_), _) if flags.create_new => return Err(os_error(libc::EEXIST)),
            (Some(ino), _) => {
                self.check_open(ino, flags, place.slash)?;
                if flags.truncate {
                    self.resize(around, ino, 0);
                }
                ino
            }
            (None, Last::Name(name)) if creates => {
                path::permit(image, place.dir, WRITE | SEARCH)?;
                let body = Body::File(File::default());
                self.make(around, (place.dir, name), body, flags.mode & !self.umask)
            }
            (None, _) => return Err(os_error(libc::ENOENT)),
        };
        Ok(self.files.open(ino, flags))
    }

    /// Whether what is there can be opened so.
    fn check_open(&self, ino: Ino, flags: OpenFlags, slash: bool) -> io::Result<()> {
        let body = &self.inode(ino).body;
        let is_directory = matches!(body, Body::Directory(_));
        if !is_directory && (flags.directory || slash) {
            return Err(os_error(libc::ENOTDIR));
        }
        if matches!(body, Body::Symlink(_)) {
            return Err(os_error(libc::ELOOP));
        }
        if is_directory && flags.writes() {
            return Err(os_error(libc::EISDIR));
        }
        let mut wanted = 0;
        if flags.read {
            wanted |= READ;
        }
        if flags.writes() {
            wanted |= WRITE;
        }
        path::permit(self.store.visible(), ino, wanted)?;
        if is_directory && flags.direct {
            return Err(os_error(libc::EINVAL));
        }
        Ok(())
    }

    pub(super) fn make_directory(
        &mut self,
        around: &Around,
        path: &[u8],
        mode: u32,
    ) -> io::Result<()> {
        let (dir, name) = self.vacancy(path, Making::Directory)?;
        let body = Body::Directory(Directory {
            entries: BTreeMap::new(),
            parent: dir,
        });
        self.make(around, (dir, name), body, mode & !self.umask);
        self.add_links(dir, 1);
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        around: &Around,
        target: &Arc<[u8]>,
        path: &[u8],
    ) -> io::Result<()> {
        if target.is_empty() {
            return Err(os_error(libc::ENOENT));
        }
        if target.len() > PATH_MAX_BYTES {
            return Err(os_error(libc::ENAMETOOLONG));
        }
        let place = self.vacancy(path, Making::Other)?;
        self.make(around, place, Body::Symlink(target.clone()), 0o777);
        Ok(())
    }

    pub(super) fn hard_link(
        &mut self,
        around: &Around,
        original: &[u8],
        link: &[u8],
    ) -> io::Result<()> {
        let ino = path::find(self.store.visible(), original, Follow::BeforeSlash)?;
        let (dir, name) = self.vacancy(link, Making::Other)?;
        let inode = self.inode(ino);
        if inode.directory().is_some() {
            return Err(os_error(libc::EPERM));
        }
        if inode.links >= LINKS_MAX {
            return Err(os_error(libc::EMLINK));
        }
        let origin = self.origin(around);
        self.store.link(origin, dir, name, ino);
        self.add_links(ino, 1);
        self.changed(around, ino);
        self.modified(around, dir);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, around: &Around, path: &[u8]) -> io::Result<()> {
        let image = self.store.visible();
        let place = path::place(image, path)?;
        let Last::Name(name) = &place.last else {
            return Err(os_error(libc::EISDIR));
        };
        let ino = place.look(image)?;
        let ino = ino.ok_or_else(|| os_error(libc::ENOENT))?;
        let is_directory = self.inode(ino).directory().is_some();
        if place.slash && !is_directory {
            return Err(os_error(libc::ENOTDIR));
        }
        if !place.slash {
            path::permit(image, place.dir, WRITE | SEARCH)?;
        }
        if is_directory {
            return Err(os_error(libc::EISDIR));
        }
        let origin = self.origin(around);
        self.store.unlink(origin, place.dir, name.clone());
        self.modified(around, place.dir);
        self.lost_name(around, ino);
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, around: &Around, path: &[u8]) -> io::Result<()> {
        let image = self.store.visible();
        let place = path::place(image, path)?;
        let name = match &place.last {
            Last::Name(name) => name.clone(),
            Last::Same => return Err(os_error(libc::EINVAL)),
            Last::Parent => return Err(os_error(libc::ENOTEMPTY)),
            Last::Root => return Err(os_error(libc::EBUSY)),
        };
        let ino = place.look(image)?;
        let ino = ino.ok_or_else(|| os_error(libc::ENOENT))?;
        path::permit(image, place.dir, WRITE | SEARCH)?;
        let directory = self.inode(ino).directory();
        let directory = directory.ok_or_else(|| os_error(libc::ENOTDIR))?;
        if !directory.entries.is_empty() {
            return Err(os_error(libc::ENOTEMPTY));
        }
        let origin = self.origin(around);
        self.store.unlink(origin, place.dir, name);
        self.add_links(place.dir, -1);
        self.modified(around, place.dir);
        self.lost_name(around, ino);
        Ok(())
    }

    pub(super) fn rename(&mut self, around: &Around, from: &[u8], to: &[u8]) -> io::Result<()> {
        let image = self.store.visible();
        let (from, to) = (path::place(image, from)?, path::place(image, to)?);
        let (Last::Name(old), Last::Name(new)) = (&from.last, &to.last) else {
            return Err(os_error(libc::EBUSY));
        };
        let ino = from.look(image)?.ok_or_else(|| os_error(libc::ENOENT))?;
        let replaced = to.look(image)?;
        let is_directory = self.inode(ino).directory().is_some();
        if !is_directory && (from.slash || to.slash) {
            return Err(os_error(libc::ENOTDIR));
        }
        if is_directory && path::is_within(image, to.dir, ino) {
            return Err(os_error(libc::EINVAL));
        }
        if replaced.is_some_and(|replaced| path::is_within(image, from.dir, replaced)) {
            return Err(os_error(libc::ENOTEMPTY));
        }
        if replaced == Some(ino) {
            return Ok(());
        }
        path::permit(image, from.dir, WRITE | SEARCH)?;
        path::permit(image, to.dir, WRITE | SEARCH)?;
        if let Some(replaced) = replaced {
            self.check_replacement(ino, replaced)?;
        }
        let moves = from.dir != to.dir;
        if is_directory && moves {
            path::permit(image, ino, WRITE)?;
        }
        if let Some(replaced) = replaced
            && let Some(directory) = self.inode(replaced).directory()
            && !directory.entries.is_empty()
        {
            return Err(os_error(libc::ENOTEMPTY));
        }
        let (old, new) = ((from.dir, old.clone()), (to.dir, new.clone()));
        let origin = self.origin(around);
        self.store.rename(origin, old, new);
        if is_directory && moves {
            self.add_links(from.dir, -1);
            self.add_links(to.dir, 1);
        }
        self.modified(around, from.dir);
        self.modified(around, to.dir);
        self.changed(around, ino);
        if let Some(replaced) = replaced {
            if is_directory {
                self.add_links(to.dir, -1);
            }
            self.lost_name(around, replaced);
        }
        Ok(())
    }

    pub(super) fn metadata(&self, target: &Target) -> io::Result<Metadata> {
        let ino = self.target(target)?;
        let inode = self.inode(ino);
        let (len, blocks) = match &inode.body {
            Body::File(file) => (file.len, file.content.pages() * PAGE_BLOCKS),
            Body::Directory(_) => (DIRECTORY_BYTES, PAGE_BLOCKS),
            Body::Symlink(target) => (target.len() as u64, 0),
        };
        Ok(Metadata {
            ino,
            kind: kind(&inode.body),
            len,
            attributes: inode.attributes,
            links: inode.links,
            blocks: Blocks::new(blocks),
        })
    }

    pub(super) fn set_mode(
        &mut self,
        around: &Around,
        target: &Target,
        mode: u32,
    ) -> io::Result<()> {
        let ino = self.target(target)?;
        let inode = self.inode(ino);
        if matches!(inode.body, Body::Symlink(_)) {
            return Err(os_error(libc::EOPNOTSUPP));
        }
        let attributes = Attributes {
            mode: mode & MODE_BITS,
            changed_ns: around.wall_ns,
            ..inode.attributes
        };
        let origin = self.origin(around);
        self.store.set_attributes(origin, ino, attributes);
        Ok(())
    }

    pub(super) fn set_times(
        &mut self,
        around: &Around,
        target: &Target,
        accessed_ns: Option<u64>,
        modified_ns: Option<u64>,
    ) -> io::Result<()> {
        let ino = self.target(target)?;
        let before = self.inode(ino).attributes;
        if accessed_ns.is_none() && modified_ns.is_none() {
            return Ok(());
        }
        let attributes = Attributes {
            accessed_ns: accessed_ns.unwrap_or(before.accessed_ns),
            modified_ns: modified_ns.unwrap_or(before.modified_ns),
            changed_ns: around.wall_ns,
            ..before
        };
        let origin = self.origin(around);
        self.store.set_attributes(origin, ino, attributes);
        Ok(())
    }

    pub(super) fn read_link(&self, path: &[u8]) -> io::Result<Arc<[u8]>> {
        let ino = path::find(self.store.visible(), path, Follow::BeforeSlash)?;
        match &self.inode(ino).body {
            Body::Symlink(target) => Ok(target.clone()),
            Body::File(_) | Body::Directory(_) => Err(os_error(libc::EINVAL)),
        }
    }

    /// The names in a directory but `.` and `..`. Linux promises no order; here it is that of a
    /// hash of directory and name, so that no program comes to rely on one that is sorted, or the
    /// same in two directories.
    pub(super) fn read_directory(&self, path: &[u8]) -> io::Result<Vec<Entry>> {
        let image = self.store.visible();
        let dir = path::find(image, path, Follow::Always)?;
        let directory = self.inode(dir).directory();
        let directory = directory.ok_or_else(|| os_error(libc::ENOTDIR))?;
        path::permit(image, dir, READ)?;
        let entry = |(name, ino): (&Name, &Ino)| Entry {
            name: name.clone(),
            ino: *ino,
            kind: kind(&self.inode(*ino).body),
        };
        let mut entries: Vec<Entry> = directory.entries.iter().map(entry).collect();
        entries.sort_by_cached_key(|entry| {
            let mut digest = Digest::new();
            digest.absorb(dir.0, 0);
            digest.absorb_bytes(&entry.name.0);
            digest.value()
        });
        Ok(entries)
    }

    pub(super) fn canonicalize(&self, path: &[u8]) -> io::Result<Arc<[u8]>> {
        path::canonical(self.store.visible(), path)
    }

    /// An inode that lost its last name and that nobody has open is no more.
    pub(super) fn release(&mut self, ino: Ino) {
        // A process that dies may have had it open twice, so that it is gone already.
        let Some(inode) = self.store.visible().get(ino) else {
            return;
        };
        if inode.links == 0 && !self.files.has_open(ino) {
            self.used_pages -= inode.file().map_or(0, |file| file.content.pages());
            self.store.forget(ino);
        }
    }

    fn lost_name(&mut self, around: &Around, ino: Ino) {
        // A directory's second link is its own `.`, which goes with the name.
        let lost = if self.inode(ino).directory().is_some() {
            -2
        } else {
            -1
        };
        self.add_links(ino, lost);
        self.changed(around, ino);
        self.release(ino);
    }

    /// Where a new name is to be.
    fn vacancy(&self, path: &[u8], making: Making) -> io::Result<(Ino, Name)> {
        let image = self.store.visible();
        let place = path::place(image, path)?;
        let found = place.look(image)?;
        let (Last::Name(name), None) = (place.last, found) else {
            return Err(os_error(libc::EEXIST));
        };
        if place.slash && making == Making::Other {
            return Err(os_error(libc::ENOENT));
        }
        path::permit(image, place.dir, WRITE | SEARCH)?;
        Ok((place.dir, name))
    }

    /// A new inode with a name, which is free.
    fn make(&mut self, around: &Around, place: (Ino, Name), body: Body, mode: u32) -> Ino {
        let links = if matches!(body, Body::Directory(_)) {
            2
        } else {
            1
        };
        let ino = self.store.create(&Inode {
            body,
            attributes: Attributes::new(mode & MODE_BITS, around.wall_ns),
            links,
        });
        let origin = self.origin(around);
        let (dir, name) = place;
        self.store.link(origin, dir, name, ino);
        self.modified(around, dir);
        ino
    }

    /// Whether one may take the place of the other: directories that of directories.
    fn check_replacement(&self, ino: Ino, replaced: Ino) -> io::Result<()> {
        let is_directory = |ino| self.inode(ino).directory().is_some();
        match (is_directory(ino), is_directory(replaced)) {
            (true, false) => Err(os_error(libc::ENOTDIR)),
            (false, true) => Err(os_error(libc::EISDIR)),
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn target(&self, target: &Target) -> io::Result<Ino> {
        let image = self.store.visible();
        match target {
            Target::Open(fd) => Ok(self.files.get(*fd)?.ino),
            Target::Path(path) => path::find(image, path, Follow::Always),
            Target::Link(path) => path::find(image, path, Follow::BeforeSlash),
        }
    }

    fn inode(&self, ino: Ino) -> &Inode {
        let inode = self.store.visible().get(ino);
        inode.expect("what a name or a descriptor leads to is there")
    }

    fn add_links(&mut self, ino: Ino, more: i32) {
        let links = self.inode(ino).links.checked_add_signed(more);
        let links = links.expect("only names that there were are taken away");
        self.store.set_links(ino, links);
    }

    fn changed(&mut self, around: &Around, ino: Ino) {
        self.store
            .touch(ino, |attributes| attributes.changed_ns = around.wall_ns);
    }

    fn modified(&mut self, around: &Around, ino: Ino) {
        self.store.touch(ino, |attributes| {
            attributes.modified_ns = around.wall_ns;
            attributes.changed_ns = around.wall_ns;
        });
    }
}

impl OpenFlags {
    /// The combinations that `std::fs::OpenOptions` and the kernel refuse.
    fn check(&self) -> io::Result<()> {
        let makes = self.create || self.create_new;
        let sound = (self.read || self.writes())
            && (self.writes() || !makes && !self.truncate)
            && (!self.append || !self.truncate || self.create_new)
            && (!self.directory || !makes);
        if sound {
            Ok(())
        } else {
            Err(os_error(libc::EINVAL))
        }
    }
}

/// What a new name is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    Directory,
    Other,
}

fn kind(body: &Body) -> FileKind {
    match body {
        Body::File(_) => FileKind::File,
        Body::Directory(_) => FileKind::Directory,
        Body::Symlink(_) => FileKind::Symlink,
    }
}

/// Names that a file may have, as on ext4.
const LINKS_MAX: u32 = 65_000;
/// The bits of a mode that can be set.
const MODE_BITS: u32 = 0o7777;
/// The length that a directory tells.
const DIRECTORY_BYTES: u64 = 4096;
/// Blocks of 512 bytes in a page.
const PAGE_BLOCKS: u64 = 8;
