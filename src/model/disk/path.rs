//! How a path leads to an inode.
//!
//! Owns the walk: components, `.` and `..`, symbolic links, trailing slashes, limits of length. It
//! changes nothing, and must never know what a call wants with what is found.
//!
//! Source: path_resolution(7), and `fs/namei.c` of Linux for the order in which errors are noticed.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use super::image::{Body, Directory, Image, Ino, Inode, Name};
use super::os_error;

/// Where a path ends: a last component that need not be there, in a directory that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) dir: Ino,
    pub(super) last: Last,
    /// The path ends with a slash: it must lead to a directory.
    pub(super) slash: bool,
}

/// The last component of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Name(Name),
    /// `.`
    Same,
    /// `..`
    Parent,
    /// The path is of slashes only.
    Root,
}

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// As for a file to be made: always, and a name with a slash at its end is that of a
    /// directory.
    ToMake,
    /// As for a file to be made, but never.
    NotToMake,
    Always,
    /// If the path ends with a slash.
    BeforeSlash,
}

/// What a directory's permissions may be asked for, as bits of its owner.
pub(super) const READ: u32 = 0o4;
pub(super) const WRITE: u32 = 0o2;
pub(super) const SEARCH: u32 = 0o1;

/// Where a path ends; a symbolic link there is not followed.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP` and `ENAMETOOLONG` for what comes before the end.
pub(super) fn place(image: &Image, path: &[u8]) -> io::Result<Place> {
    Walk::new(image, path)?.reach_end()
}

/// Where a path ends, and who is there if anyone is.
///
/// # Errors
/// As [`place`], also for the last component; `EISDIR` for a name to be made with a slash at its
/// end.
pub(super) fn locate(
    image: &Image,
    path: &[u8],
    follow: Follow,
) -> io::Result<(Place, Option<Ino>)> {
    let mut walk = Walk::new(image, path)?;
    loop {
        let place = walk.reach_end()?;
        let follows = match follow {
            Follow::ToMake | Follow::NotToMake
                if place.slash && matches!(place.last, Last::Name(_)) =>
            {
                return Err(os_error(libc::EISDIR));
            }
            Follow::ToMake | Follow::Always => true,
            Follow::NotToMake => false,
            Follow::BeforeSlash => place.slash,
        };
        let found = place.look(image)?;
        match found.and_then(|ino| symlink(image, ino)) {
            Some(target) if follows => walk.follow(target)?,
            _ => return Ok((place, found)),
        }
    }
}

/// The inode to which a path leads.
///
/// # Errors
/// As [`locate`]; `ENOENT` if nobody is there, `ENOTDIR` if it is no directory and the path ends
/// with a slash.
pub(super) fn find(image: &Image, path: &[u8], follow: Follow) -> io::Result<Ino> {
    let (place, found) = locate(image, path, follow)?;
    let ino = found.ok_or_else(|| os_error(libc::ENOENT))?;
    if place.slash && directory(image, ino).is_none() {
        return Err(os_error(libc::ENOTDIR));
    }
    Ok(ino)
}

/// The path without symbolic links, `.` and `..`.
///
/// # Errors
/// As [`find`].
pub(super) fn canonical(image: &Image, path: &[u8]) -> io::Result<Arc<[u8]>> {
    let (place, _) = locate(image, path, Follow::Always)?;
    let ino = find(image, path, Follow::Always)?;
    let mut names = Vec::new();
    let mut dir = match place.last {
        Last::Name(name) => {
            names.push(name);
            place.dir
        }
        Last::Same | Last::Parent | Last::Root => ino,
    };
    while dir != Ino::ROOT {
        let parent = parent(image, dir);
        let entries = &directory(image, parent).expect("a parent is one").entries;
        let name = entries.iter().find(|(_, ino)| **ino == dir);
        // A directory that was removed is reached by no path.
        names.push(name.expect("a directory is in its parent").0.clone());
        dir = parent;
    }
    let mut canonical = Vec::new();
    for name in names.iter().rev() {
        canonical.push(b'/');
        canonical.extend_from_slice(&name.0);
    }
    if canonical.is_empty() {
        canonical.push(b'/');
    }
    Ok(canonical.into())
}

/// Whether `dir` is `above`, or somewhere below it.
pub(super) fn is_within(image: &Image, mut dir: Ino, above: Ino) -> bool {
    while dir != above && dir != Ino::ROOT {
        dir = parent(image, dir);
    }
    dir == above
}

/// Asks for permissions of an inode, as its owner.
///
/// # Errors
/// `EACCES`.
pub(super) fn permit(image: &Image, ino: Ino, wanted: u32) -> io::Result<()> {
    let inode = image.get(ino).expect("it was found");
    if inode.attributes.mode >> OWNER_SHIFT & wanted == wanted {
        Ok(())
    } else {
        Err(os_error(libc::EACCES))
    }
}

impl Place {
    /// Who is there.
    ///
    /// # Errors
    /// `ENAMETOOLONG`.
    pub(super) fn look(&self, image: &Image) -> io::Result<Option<Ino>> {
        match &self.last {
            Last::Name(name) if name.0.len() > NAME_MAX_BYTES => Err(os_error(libc::ENAMETOOLONG)),
            Last::Name(name) => Ok(image.entry(self.dir, name)),
            Last::Same => Ok(Some(self.dir)),
            Last::Parent => Ok(Some(parent(image, self.dir))),
            Last::Root => Ok(Some(Ino::ROOT)),
        }
    }
}

impl Last {
    fn new(component: &[u8]) -> Self {
        match component {
            b"" => Self::Root,
            b"." => Self::Same,
            b".." => Self::Parent,
            name => Self::Name(Name(name.into())),
        }
    }
}

/// A walk along a path.
struct Walk<'a> {
    image: &'a Image,
    dir: Ino,
    /// The path from the last symbolic link on: what that says, and what came after it.
    path: Cow<'a, [u8]>,
    /// How much of it is behind.
    at: usize,
    links: u32,
}

impl<'a> Walk<'a> {
    fn new(image: &'a Image, path: &'a [u8]) -> io::Result<Self> {
        if path.is_empty() {
            return Err(os_error(libc::ENOENT));
        }
        if path.contains(&0) {
            return Err(os_error(libc::EINVAL));
        }
        if path.len() > PATH_MAX_BYTES {
            return Err(os_error(libc::ENAMETOOLONG));
        }
        Ok(Self {
            image,
            dir: Ino::ROOT,
            path: Cow::Borrowed(path),
            at: 0,
            links: 0,
        })
    }

    /// Goes on to the last component, which is not looked up.
    fn reach_end(&mut self) -> io::Result<Place> {
        loop {
            let (start, end) = self.component();
            self.at = end;
            let name = &self.path[start..end];
            if !name.is_empty() {
                permit(self.image, self.dir, SEARCH)?;
            }
            if self.path[end..].iter().all(|byte| *byte == b'/') {
                return Ok(Place {
                    dir: self.dir,
                    last: Last::new(name),
                    slash: end < self.path.len(),
                });
            }
            let ino = step(self.image, self.dir, name)?;
            let ino = ino.ok_or_else(|| os_error(libc::ENOENT))?;
            match &self.image.get(ino).expect("a name leads to it").body {
                Body::Directory(_) => self.dir = ino,
                Body::Symlink(target) => self.follow(target)?,
                Body::File(_) => return Err(os_error(libc::ENOTDIR)),
            }
        }
    }

    /// Goes where a symbolic link says, and then the rest of the way.
    fn follow(&mut self, target: &[u8]) -> io::Result<()> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(os_error(libc::ELOOP));
        }
        self.path = Cow::Owned([target, &self.path[self.at..]].concat());
        self.at = 0;
        if target.first() == Some(&b'/') {
            self.dir = Ino::ROOT;
        }
        Ok(())
    }

    /// Where the next component begins and ends.
    fn component(&self) -> (usize, usize) {
        let rest = &self.path[self.at..];
        let start = rest.iter().position(|byte| *byte != b'/');
        let start = start.unwrap_or(rest.len());
        let length = rest[start..].iter().position(|byte| *byte == b'/');
        let end = length.map_or(rest.len(), |length| start + length);
        (self.at + start, self.at + end)
    }
}

/// Where a component leads from a directory.
fn step(image: &Image, dir: Ino, component: &[u8]) -> io::Result<Option<Ino>> {
    match component {
        b"." => Ok(Some(dir)),
        b".." => Ok(Some(parent(image, dir))),
        name if name.len() > NAME_MAX_BYTES => Err(os_error(libc::ENAMETOOLONG)),
        name => {
            let directory = directory(image, dir).expect("it is a directory");
            Ok(directory.entries.get(name).copied())
        }
    }
}

fn parent(image: &Image, dir: Ino) -> Ino {
    directory(image, dir).expect("it is a directory").parent
}

fn directory(image: &Image, ino: Ino) -> Option<&Directory> {
    image.get(ino).and_then(Inode::directory)
}

fn symlink(image: &Image, ino: Ino) -> Option<&[u8]> {
    match &image.get(ino)?.body {
        Body::Symlink(target) => Some(target),
        Body::File(_) | Body::Directory(_) => None,
    }
}

/// Bytes of the longest path, without the NUL that ends it for the kernel.
pub(super) const PATH_MAX_BYTES: usize = libc::PATH_MAX as usize - 1;
/// Bytes of the longest name.
const NAME_MAX_BYTES: usize = 255;
/// Symbolic links that are followed on the way of one path.
const LINKS_MAX: u32 = 40;
/// Where the bits of the owner are in a mode.
const OWNER_SHIFT: u32 = 6;
