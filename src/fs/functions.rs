//! Functions of paths. One that is a single call asks the disk itself; one that is several runs as
//! a task of its own, so that it goes to its end as tokio's does, even if nobody waits for it.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use super::handle::{Home, Place};
use super::path::to_bytes;
use super::port::Port;
use super::work::{self, DIRECTORY_MODE, path_of};
use super::{Metadata, Permissions};
use crate::exec::{context, spawn_on};
use crate::model::disk::call::{Call, Reply, Target};
use crate::model::disk::gone;

/// Reads a file.
///
/// # Errors
/// Those of `open` and `read`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Vec<u8>>> {
    let place = Location::caller();
    async move {
        let path = path.as_ref().to_owned();
        job(place, async move |home| {
            work::read_whole(&home, place, &path).await
        })
        .await
    }
}

/// Reads a file that is text.
///
/// # Errors
/// Those of `open` and `read`; `InvalidData` if it is not UTF-8.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> impl Future<Output = io::Result<String>> {
    let read = read(path);
    async move { work::text(read.await?) }
}

/// Makes a file of this content; one that is there loses what it had.
///
/// # Errors
/// Those of `open` and `write`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn write(
    path: impl AsRef<Path>,
    contents: impl AsRef<[u8]>,
) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let path = path.as_ref().to_owned();
        let contents = contents.as_ref().to_vec();
        job(place, async move |home| {
            work::write_whole(&home, place, &path, contents).await
        })
        .await
    }
}

/// Copies a file's content and permissions, and gives its length.
///
/// # Errors
/// `InvalidInput` if it is no file, and those of `open`, `read` and `write`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> impl Future<Output = io::Result<u64>> {
    let place = Location::caller();
    async move {
        let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
        job(place, async move |home| {
            work::copy(&home, place, &from, &to).await
        })
        .await
    }
}

/// Gives a file or directory another name, and takes that from whoever has it.
///
/// # Errors
/// Those of `rename`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn rename(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let (from, to) = (to_bytes(from.as_ref())?, to_bytes(to.as_ref())?);
        ask(place, Call::Rename { from, to }).await.map(drop)
    }
}

/// Removes a name of a file, or the path of a Unix socket.
///
/// # Errors
/// Those of `unlink`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let path = path.as_ref();
        if Home::here()?.removes_socket(path)? {
            return Ok(());
        }
        ask(place, Call::RemoveFile(to_bytes(path)?))
            .await
            .map(drop)
    }
}

/// Removes a directory, which must be empty.
///
/// # Errors
/// Those of `rmdir`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let path = to_bytes(path.as_ref())?;
        ask(place, Call::RemoveDirectory(path)).await.map(drop)
    }
}

/// Removes a directory and all that is in it; of a symbolic link, the link.
///
/// # Errors
/// Those of `unlink` and `rmdir`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let path = path.as_ref().to_owned();
        job(place, async move |home| {
            work::remove_tree(&home, place, &path).await
        })
        .await
    }
}

/// Makes a directory.
///
/// # Errors
/// Those of `mkdir`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    make_directory(path, DIRECTORY_MODE, Location::caller())
}

/// Makes a directory, and all above it that are not there.
///
/// # Errors
/// Those of `mkdir`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    make_directories(path, DIRECTORY_MODE, Location::caller())
}

/// Gives a file one more name.
///
/// # Errors
/// Those of `link`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn hard_link(
    original: impl AsRef<Path>,
    link: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let (original, link) = (to_bytes(original.as_ref())?, to_bytes(link.as_ref())?);
        ask(place, Call::HardLink { original, link })
            .await
            .map(drop)
    }
}

/// Makes a symbolic link that says `original`.
///
/// # Errors
/// Those of `symlink`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn symlink(
    original: impl AsRef<Path>,
    link: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let (target, link) = (to_bytes(original.as_ref())?, to_bytes(link.as_ref())?);
        ask(place, Call::Symlink { target, link }).await.map(drop)
    }
}

/// What a symbolic link says.
///
/// # Errors
/// Those of `readlink`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> impl Future<Output = io::Result<PathBuf>> {
    let place = Location::caller();
    async move {
        let path = to_bytes(path.as_ref())?;
        ask(place, Call::ReadLink(path)).await.map(path_of)
    }
}

/// What is known of a file, or of what a symbolic link leads to.
///
/// # Errors
/// Those of `stat`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Metadata>> {
    let place = Location::caller();
    async move {
        let target = Target::Path(to_bytes(path.as_ref())?);
        work::metadata(&Home::here()?, place, target).await
    }
}

/// What is known of a file; of a symbolic link, of the link itself.
///
/// # Errors
/// Those of `lstat`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Metadata>> {
    let place = Location::caller();
    async move {
        let target = Target::Link(to_bytes(path.as_ref())?);
        work::metadata(&Home::here()?, place, target).await
    }
}

/// The path from the root, without symbolic links, `.` and `..`.
///
/// # Errors
/// Those of `realpath`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> impl Future<Output = io::Result<PathBuf>> {
    let place = Location::caller();
    async move {
        let path = to_bytes(path.as_ref())?;
        ask(place, Call::Canonicalize(path)).await.map(path_of)
    }
}

/// Whether a path leads to something.
///
/// # Errors
/// Those of `stat` but `NotFound`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn try_exists(path: impl AsRef<Path>) -> impl Future<Output = io::Result<bool>> {
    let metadata = metadata(path);
    async move { work::exists(metadata.await) }
}

/// Sets permissions.
///
/// # Errors
/// Those of `chmod`.
///
/// # Panics
/// When polled, if this thread runs no simulation.
#[track_caller]
pub fn set_permissions(
    path: impl AsRef<Path>,
    perm: Permissions,
) -> impl Future<Output = io::Result<()>> {
    let place = Location::caller();
    async move {
        let target = Target::Path(to_bytes(path.as_ref())?);
        let mode = perm.bits();
        ask(place, Call::SetMode { target, mode }).await.map(drop)
    }
}

/// Asks the running node's disk for a call, and waits for its end.
async fn ask(place: Place, call: Call) -> io::Result<Reply> {
    Home::here()?.ask(place, call).await
}

/// Runs several calls as a task of the running node, which goes on if this is dropped.
async fn job<T: 'static>(
    place: Place,
    work: impl AsyncFnOnce(Home) -> io::Result<T> + 'static,
) -> io::Result<T> {
    let home = Home::here()?;
    let stack = home.stack()?;
    let spawned = context::alive(|context| {
        let node = context.current.node.get();
        let work = async move { home.as_from(stack, work(home)).await };
        spawn_on(context, node, place, work)
    });
    let task = spawned.ok_or_else(gone)?;
    task.await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

pub(super) async fn make_directory(
    path: impl AsRef<Path>,
    mode: u32,
    place: Place,
) -> io::Result<()> {
    work::make_directory(&Home::here()?, place, path.as_ref(), mode).await
}

pub(super) async fn make_directories(
    path: impl AsRef<Path>,
    mode: u32,
    place: Place,
) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    job(place, async move |home| {
        work::make_directories(&home, place, &path, mode).await
    })
    .await
}
