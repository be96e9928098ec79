//! What takes several calls, once for both ways to a disk.

use std::io;
use std::path::{Path, PathBuf};

use super::Metadata;
use super::handle::Place;
use super::options::Flags;
use super::path::{from_bytes, to_bytes};
use super::port::{Descriptor, Port, bytes, opened};
use crate::model::disk::call::{self, Call, Entry, FileKind, Reply, Target};

pub(super) async fn open<P: Port>(
    port: &P,
    place: Place,
    path: &Path,
    flags: Flags,
) -> io::Result<Descriptor<P>> {
    let reply = port.ask(place, flags.call(path)?).await?;
    Ok(Descriptor {
        port: port.clone(),
        fd: opened(&reply),
    })
}

/// A length as the kernel takes it, which is signed there.
///
/// # Errors
/// `InvalidInput`, as std has it.
pub(super) fn length(len: u64) -> io::Result<u64> {
    match i64::try_from(len) {
        Ok(_) => Ok(len),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
    }
}

pub(super) async fn metadata<P: Port>(
    port: &P,
    place: Place,
    target: Target,
) -> io::Result<Metadata> {
    let reply = port.ask(place, Call::Metadata(target)).await?;
    Ok(Metadata::of(&reply))
}

pub(super) async fn read_at_once<P: Port>(
    file: &Descriptor<P>,
    place: Place,
    at: Option<u64>,
    length: usize,
) -> io::Result<Vec<u8>> {
    let fd = file.fd;
    let call = Call::Read { fd, at, length };
    file.port.insist(place, call).await.map(bytes)
}

pub(super) async fn write_all<P: Port>(
    file: &Descriptor<P>,
    place: Place,
    at: Option<u64>,
    bytes: Vec<u8>,
) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let fd = file.fd;
    let call = Call::Write { fd, at, bytes };
    file.port.insist(place, call).await.map(drop)
}

/// Makes a directory, with those above it if it is to be recursive.
pub(super) async fn make_directory<P: Port>(
    port: &P,
    place: Place,
    path: &Path,
    mode: u32,
) -> io::Result<()> {
    let path = to_bytes(path)?;
    port.ask(place, Call::MakeDirectory { path, mode })
        .await
        .map(drop)
}

/// Makes what is missing of a path, from the end that is there on.
pub(super) async fn make_directories<P: Port>(
    port: &P,
    place: Place,
    path: &Path,
    mode: u32,
) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(path) = next {
        if path.as_os_str().is_empty() {
            break;
        }
        match make_directory(port, place, path, mode).await {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(path),
            Err(_) if is_directory(port, place, path).await => break,
            Err(error) => return Err(error),
        }
        next = path.parent();
    }
    for path in missing.into_iter().rev() {
        match make_directory(port, place, path, mode).await {
            Err(error) if !is_directory(port, place, path).await => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

async fn is_directory<P: Port>(port: &P, place: Place, path: &Path) -> bool {
    let Ok(path) = to_bytes(path) else {
        return false;
    };
    let metadata = metadata(port, place, Target::Path(path)).await;
    metadata.is_ok_and(|metadata| metadata.is_dir())
}

pub(super) async fn read_whole<P: Port>(
    port: &P,
    place: Place,
    path: &Path,
) -> io::Result<Vec<u8>> {
    let file = open(port, place, path, Flags::READ).await?;
    let mut content = Vec::new();
    read_to_end(&file, place, &mut content).await?;
    Ok(content)
}

/// Appends what is left of a file to `content`, and gives its length.
pub(super) async fn read_to_end<P: Port>(
    file: &Descriptor<P>,
    place: Place,
    content: &mut Vec<u8>,
) -> io::Result<usize> {
    let before = content.len();
    let len = metadata(&file.port, place, Target::Open(file.fd))
        .await?
        .len();
    loop {
        // One more than there is: a read of nothing is the end.
        let left = len.saturating_sub((content.len() - before) as u64);
        let length = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .max(READ_AT_LEAST_BYTES);
        let read = read_at_once(file, place, None, length).await?;
        if read.is_empty() {
            return Ok(content.len() - before);
        }
        if content.is_empty() {
            *content = read;
        } else {
            content.extend_from_slice(&read);
        }
    }
}

pub(super) fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|_| {
        let text = "stream did not contain valid UTF-8";
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

pub(super) async fn write_whole<P: Port>(
    port: &P,
    place: Place,
    path: &Path,
    content: Vec<u8>,
) -> io::Result<()> {
    let file = open(port, place, path, Flags::CREATE).await?;
    write_all(&file, place, None, content).await
}

pub(super) async fn copy<P: Port>(
    port: &P,
    place: Place,
    from: &Path,
    to: &Path,
) -> io::Result<u64> {
    let source = open(port, place, from, Flags::READ).await?;
    let metadata = metadata(port, place, Target::Open(source.fd)).await?;
    if !metadata.is_file() {
        let text = "the source path is neither a regular file nor a symlink to a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mode = metadata.permissions().bits();
    let mut flags = Flags::CREATE;
    flags.open.mode = mode;
    let copy = open(port, place, to, flags).await?;
    let target = Target::Open(copy.fd);
    port.ask(place, Call::SetMode { target, mode }).await?;
    let mut copied = 0;
    loop {
        let read = read_at_once(&source, place, None, COPY_BYTES).await?;
        if read.is_empty() {
            return Ok(copied);
        }
        copied += read.len() as u64;
        write_all(&copy, place, None, read).await?;
    }
}

/// Removes what is below a path, deepest first, and then what it leads to; of a symbolic link, the
/// link.
pub(super) async fn remove_tree<P: Port>(port: &P, place: Place, path: &Path) -> io::Result<()> {
    let top = to_bytes(path)?;
    if metadata(port, place, Target::Link(top.clone()))
        .await?
        .is_symlink()
    {
        return port.ask(place, Call::RemoveFile(top)).await.map(drop);
    }
    // A directory stands here twice: to be read, and to be removed when it is empty.
    let mut todo = vec![(top.clone(), false)];
    while let Some((directory, is_read)) = todo.pop() {
        let is_top = directory == top;
        if is_read {
            let removed = port.ask(place, Call::RemoveDirectory(directory)).await;
            if !is_gone(&removed, is_top) {
                removed?;
            }
            continue;
        }
        let read = port
            .ask(place, Call::ReadDirectory(directory.clone()))
            .await;
        if is_gone(&read, is_top) {
            continue;
        }
        todo.push((directory.clone(), true));
        for entry in entries(read?) {
            let below = join(&directory, &entry.name.0);
            if entry.kind == FileKind::Directory {
                todo.push((below, false));
                continue;
            }
            let removed = port.ask(place, Call::RemoveFile(below)).await;
            if !is_gone(&removed, false) {
                removed?;
            }
        }
    }
    Ok(())
}

/// Whether somebody else removed it meanwhile, which is fine below the top.
fn is_gone(result: &io::Result<Reply>, is_top: bool) -> bool {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    !is_top && result.as_ref().is_err_and(is_gone)
}

fn join(directory: &[u8], name: &[u8]) -> call::Path {
    let mut path = directory.to_vec();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path.into()
}

/// What asking for metadata says of a path's being there.
pub(super) fn exists(metadata: io::Result<Metadata>) -> io::Result<bool> {
    match metadata {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn path_of(reply: Reply) -> PathBuf {
    match reply {
        Reply::Path(path) => from_bytes(&path),
        other => unreachable!("asking for a path does not give {other:?}"),
    }
}

pub(super) fn entries(reply: Reply) -> Vec<Entry> {
    match reply {
        Reply::Entries(entries) => entries,
        other => unreachable!("reading a directory does not give {other:?}"),
    }
}

/// Permissions of a directory if nothing else is said. std: `DirBuilder`.
pub(super) const DIRECTORY_MODE: u32 = 0o777;
/// As much as std asks for when it looks for the end of a file.
const READ_AT_LEAST_BYTES: usize = 32;
/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;
