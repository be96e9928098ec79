//! Functions of paths.

use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use super::super::path::to_bytes;
use super::super::port::now;
use super::super::work::{self, path_of};
use super::port::Blocking;
use super::{DirBuilder, Metadata, Permissions};
use crate::model::disk::call::{Call, Reply, Target};

/// Reads a file.
///
/// # Errors
/// Those of `open` and `read`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    let (port, place) = (Blocking::here()?, Location::caller());
    now(work::read_whole(&port, place, path.as_ref()))
}

/// Reads a file that is text.
///
/// # Errors
/// Those of `open` and `read`; `InvalidData` if it is not UTF-8.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    work::text(read(path)?)
}

/// Makes a file of this content; one that is there loses what it had.
///
/// # Errors
/// Those of `open` and `write`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    let (port, place) = (Blocking::here()?, Location::caller());
    let content = contents.as_ref().to_vec();
    now(work::write_whole(&port, place, path.as_ref(), content))
}

/// Copies a file's content and permissions, and gives its length.
///
/// # Errors
/// `InvalidInput` if it is no file, and those of `open`, `read` and `write`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (port, place) = (Blocking::here()?, Location::caller());
    now(work::copy(&port, place, from.as_ref(), to.as_ref()))
}

/// Gives a file or directory another name, and takes that from whoever has it.
///
/// # Errors
/// Those of `rename`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from, to) = (to_bytes(from.as_ref())?, to_bytes(to.as_ref())?);
    call(Call::Rename { from, to }).map(drop)
}

/// Removes a name of a file, or the path of a Unix socket.
///
/// # Errors
/// Those of `unlink`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    let port = Blocking::here()?;
    if let Blocking::Simulated(home) = &port
        && home.removes_socket(path)?
    {
        return Ok(());
    }
    let path = to_bytes(path)?;
    port.call(Location::caller(), Call::RemoveFile(path))
        .map(drop)
}

/// Removes a directory, which must be empty.
///
/// # Errors
/// Those of `rmdir`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    call(Call::RemoveDirectory(to_bytes(path.as_ref())?)).map(drop)
}

/// Removes a directory and all that is in it; of a symbolic link, the link.
///
/// # Errors
/// Those of `unlink` and `rmdir`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let (port, place) = (Blocking::here()?, Location::caller());
    now(work::remove_tree(&port, place, path.as_ref()))
}

/// Makes a directory.
///
/// # Errors
/// Those of `mkdir`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// Makes a directory, and all above it that are not there.
///
/// # Errors
/// Those of `mkdir`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// Gives a file one more name.
///
/// # Errors
/// Those of `link`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (to_bytes(original.as_ref())?, to_bytes(link.as_ref())?);
    call(Call::HardLink { original, link }).map(drop)
}

/// Makes a symbolic link that says `original`; `std::os::unix::fs::symlink`.
///
/// # Errors
/// Those of `symlink`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (target, link) = (to_bytes(original.as_ref())?, to_bytes(link.as_ref())?);
    call(Call::Symlink { target, link }).map(drop)
}

/// What a symbolic link says.
///
/// # Errors
/// Those of `readlink`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    call(Call::ReadLink(to_bytes(path.as_ref())?)).map(path_of)
}

/// What is known of a file, or of what a symbolic link leads to.
///
/// # Errors
/// Those of `stat`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let (port, place) = (Blocking::here()?, Location::caller());
    let target = Target::Path(to_bytes(path.as_ref())?);
    now(work::metadata(&port, place, target))
}

/// What is known of a file; of a symbolic link, of the link itself.
///
/// # Errors
/// Those of `lstat`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let (port, place) = (Blocking::here()?, Location::caller());
    let target = Target::Link(to_bytes(path.as_ref())?);
    now(work::metadata(&port, place, target))
}

/// The path from the root, without symbolic links, `.` and `..`.
///
/// # Errors
/// Those of `realpath`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    call(Call::Canonicalize(to_bytes(path.as_ref())?)).map(path_of)
}

/// Whether a path leads to something.
///
/// # Errors
/// Those of `stat` but `NotFound`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    work::exists(metadata(path))
}

/// Sets permissions.
///
/// # Errors
/// Those of `chmod`.
///
/// # Panics
/// If this thread runs no simulation and has no [`DetachedDisk`](super::DetachedDisk).
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "std's signature")]
pub fn set_permissions<P: AsRef<Path>>(path: P, perm: Permissions) -> io::Result<()> {
    let target = Target::Path(to_bytes(path.as_ref())?);
    let mode = perm.bits();
    call(Call::SetMode { target, mode }).map(drop)
}

#[track_caller]
fn call(call: Call) -> io::Result<Reply> {
    Blocking::here()?.call(Location::caller(), call)
}
