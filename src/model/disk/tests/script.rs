//! Calls as a line of text each, such as `mv a b`, and their results as text.
//!
//! Descriptors are numbers, as programs have them: the first is 3. `{255}` stands for so many
//! letters, `""` for an empty path.

use std::io::SeekFrom;

use super::super::call::{Entry, FileKind, WriteSync};
use super::super::image::Inode;
use super::*;

/// One thing that a process does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Do(Call),
    /// Makes a file with this content, or writes it to the beginning of one that is there.
    Put(Path, Vec<u8>),
    Close(Fd),
    Duplicate(Fd),
    Lock(Fd, Lock),
    Unlock(Fd),
}

impl Step {
    #[track_caller]
    pub(super) fn parse(line: &str) -> Self {
        let words: Vec<String> = line.split(' ').map(expand).collect();
        let path = |at: usize| bytes(&words[at]);
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let fd = || Fd(words[1].parse().unwrap());
        let at = |at: usize| words.get(at).map(|word| word[1..].parse().unwrap());
        let octal = |at: usize| u32::from_str_radix(&words[at], 8).unwrap();
        Self::Do(match words[0].as_str() {
            "put" => return Self::Put(path(1), words[2].clone().into_bytes()),
            "close" => return Self::Close(fd()),
            "dup" => return Self::Duplicate(fd()),
            "lock" => {
                let shared = words[2] == "shared";
                let lock = if shared {
                    Lock::Shared
                } else {
                    Lock::Exclusive
                };
                return Self::Lock(fd(), lock);
            }
            "unlock" => return Self::Unlock(fd()),
            "open" => Call::Open {
                path: path(1),
                flags: flags(&words[2]),
            },
            "read" => Call::Read {
                fd: fd(),
                length: usize::try_from(number(2)).unwrap(),
                at: at(3),
            },
            "write" => Call::Write {
                fd: fd(),
                bytes: words[2].clone().into_bytes(),
                at: at(3),
            },
            "seek" => Call::Seek {
                fd: fd(),
                to: match words[2].as_str() {
                    "start" => SeekFrom::Start(number(3)),
                    "current" => SeekFrom::Current(words[3].parse().unwrap()),
                    _ => SeekFrom::End(words[3].parse().unwrap()),
                },
            },
            "len" => Call::SetLen {
                fd: fd(),
                len: number(2),
            },
            kind @ ("sync" | "datasync") => Call::Sync {
                fd: fd(),
                content_only: kind == "datasync",
            },
            "stat" => Call::Metadata(Target::Path(path(1))),
            "lstat" => Call::Metadata(Target::Link(path(1))),
            "fstat" => Call::Metadata(Target::Open(fd())),
            "chmod" => Call::SetMode {
                target: Target::Path(path(1)),
                mode: octal(2),
            },
            "fchmod" => Call::SetMode {
                target: Target::Open(fd()),
                mode: octal(2),
            },
            "mkdir" => Call::MakeDirectory {
                path: path(1),
                mode: words.get(2).map_or(0o777, |_| octal(2)),
            },
            "rm" => Call::RemoveFile(path(1)),
            "rmdir" => Call::RemoveDirectory(path(1)),
            "mv" => Call::Rename {
                from: path(1),
                to: path(2),
            },
            "ln" => Call::HardLink {
                original: path(1),
                link: path(2),
            },
            "symlink" => Call::Symlink {
                target: path(1),
                link: path(2),
            },
            "readlink" => Call::ReadLink(path(1)),
            "ls" => Call::ReadDirectory(path(1)),
            "real" => Call::Canonicalize(path(1)),
            other => panic!("{other}"),
        })
    }
}

impl Disk {
    pub(super) fn step(&mut self, step: &Step) -> io::Result<Reply> {
        match step {
            Step::Do(call) => self.call(call.clone()),
            Step::Put(path, bytes) => {
                let (path, flags) = (path.clone(), PUT);
                let Reply::Opened(fd) = self.call(Call::Open { path, flags })? else {
                    unreachable!("a file was opened");
                };
                self.write(&AROUND, fd, None, bytes)?;
                self.close(fd).map(|()| Reply::Nothing)
            }
            Step::Close(fd) => self.close(*fd).map(|()| Reply::Nothing),
            Step::Duplicate(fd) => self.duplicate(*fd).map(Reply::Opened),
            Step::Lock(fd, lock) => self.try_lock(*fd, *lock).map(|()| Reply::Nothing),
            Step::Unlock(fd) => self.unlock(*fd).map(|()| Reply::Nothing),
        }
    }

    /// Carries out steps, parted by `; `, and gives the last one's outcome.
    pub(super) fn run(&mut self, script: &str) -> String {
        let mut last = String::new();
        for line in script.split("; ") {
            last = show(&self.step(&Step::parse(line)));
        }
        last
    }

    /// What must hold whatever was done.
    pub(super) fn check(&self) {
        let visible = self.store.visible();
        let pages = |(_, inode): (_, &Inode)| inode.file().map_or(0, |file| file.content.pages());
        assert_eq!(self.used_pages(), visible.iter().map(pages).sum::<u64>());
        let mut closed = self.clone();
        closed.process_died();
        let mut settled = closed.store.visible().clone();
        settled.settle();
        assert_eq!(
            settled.hash(),
            closed.store.visible().hash(),
            "links are right"
        );
    }
}

/// A result as text, with what can be compared between file systems.
pub(super) fn show(result: &io::Result<Reply>) -> String {
    match result {
        Err(error) => match error.kind() {
            // The standard library refuses some arguments before the kernel can.
            io::ErrorKind::InvalidInput => "EINVAL".to_owned(),
            _ => errno(error.raw_os_error()),
        },
        Ok(Reply::Nothing) => "ok".to_owned(),
        Ok(Reply::Opened(fd)) => format!("fd {}", fd.0),
        Ok(Reply::Bytes(bytes)) => shorten(bytes),
        Ok(Reply::Written(length)) => length.to_string(),
        Ok(Reply::Place(place)) => format!("at {place}"),
        Ok(Reply::Path(path)) => shorten(path),
        Ok(Reply::Metadata(metadata)) => {
            let mode = metadata.attributes.mode & 0o777;
            let (len, links) = (metadata.len, metadata.links);
            match metadata.kind {
                FileKind::File => format!("file len={len} mode={mode:o} links={links}"),
                FileKind::Directory => format!("directory mode={mode:o} links={links}"),
                FileKind::Symlink => format!("symlink len={len} links={links}"),
            }
        }
        Ok(Reply::Entries(entries)) => {
            let mut names: Vec<String> = entries.iter().map(entry).collect();
            names.sort();
            format!("[{}]", names.join(" "))
        }
    }
}

fn entry(entry: &Entry) -> String {
    let mark = match entry.kind {
        FileKind::File => "",
        FileKind::Directory => "/",
        FileKind::Symlink => "@",
    };
    format!("{}{mark}", shorten(&entry.name.0))
}

/// Bytes as text, with `{n}` after a byte that comes so many times.
fn shorten(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for run in bytes.chunk_by(|one, other| one == other) {
        let letter = run[0].escape_ascii().to_string();
        if run.len() > 4 {
            text += &format!("{letter}{{{}}}", run.len());
        } else {
            text += &letter.repeat(run.len());
        }
    }
    text + "\""
}

/// Puts letters in place of `{n}`, and nothing in place of `""`.
fn expand(word: &str) -> String {
    if word == "\"\"" {
        return String::new();
    }
    match word.split_once('{') {
        None => word.to_owned(),
        Some((before, rest)) => {
            let (count, after) = rest.split_once('}').unwrap();
            let letters = "n".repeat(count.parse().unwrap());
            format!("{before}{letters}{}", expand(after))
        }
    }
}

fn flags(words: &str) -> OpenFlags {
    let mut flags = OpenFlags {
        mode: 0o666,
        ..OpenFlags::default()
    };
    for word in words.split(',') {
        match word {
            "read" => flags.read = true,
            "write" => flags.write = true,
            "append" => flags.append = true,
            "truncate" => flags.truncate = true,
            "create" => flags.create = true,
            "new" => flags.create_new = true,
            "direct" => flags.direct = true,
            "dsync" => flags.sync = WriteSync::Content,
            "sync" => flags.sync = WriteSync::Everything,
            "directory" => flags.directory = true,
            "nofollow" => flags.no_follow = true,
            "none" => {}
            mode => flags.mode = u32::from_str_radix(mode, 8).unwrap(),
        }
    }
    flags
}

/// Not truncated: to write out at once what replaces a file's content, as ext4 does, is slow.
pub(super) const PUT: OpenFlags = OpenFlags {
    create: true,
    ..WRITE
};
