//! Tests of the disk as a state machine.

use std::io;

use super::call::{Call, Fd, Lock, Metadata, OpenFlags, Path, Reply, Target};
use super::profile::Profile;
use super::{Around, Disk};

mod bench;
mod conformance;
mod faults;
mod files;
mod limits;
mod locks;
mod names;
mod path;
mod power;
mod profile;
mod queue;
mod random;
mod rig;
mod script;
mod watching;

const AROUND: Around = Around {
    wall_ns: 1,
    place: None,
};

const READ: OpenFlags = OpenFlags {
    read: true,
    write: false,
    append: false,
    truncate: false,
    create: false,
    create_new: false,
    mode: 0o666,
    direct: false,
    sync: super::call::WriteSync::Nothing,
    directory: false,
    no_follow: false,
};
const WRITE: OpenFlags = OpenFlags {
    read: false,
    write: true,
    ..READ
};
const BOTH: OpenFlags = OpenFlags {
    write: true,
    ..READ
};
const CREATE: OpenFlags = OpenFlags {
    create: true,
    ..BOTH
};

fn bytes(text: &str) -> Path {
    text.as_bytes().into()
}

fn disk() -> Disk {
    Disk::new(Profile::default(), 0)
}

impl Disk {
    fn call(&mut self, call: Call) -> io::Result<Reply> {
        self.perform(&AROUND, call)
    }

    fn try_open(&mut self, path: &str, flags: OpenFlags) -> io::Result<Fd> {
        let path = bytes(path);
        match self.call(Call::Open { path, flags })? {
            Reply::Opened(fd) => Ok(fd),
            other => panic!("{other:?}"),
        }
    }

    fn opened(&mut self, path: &str, flags: OpenFlags) -> Fd {
        self.try_open(path, flags).unwrap()
    }

    /// A file with this content, which nobody has open.
    fn put(&mut self, path: &str, text: &str) {
        let fd = self.opened(path, CREATE);
        self.write(&AROUND, fd, None, text.as_bytes()).unwrap();
        self.close(fd).unwrap();
    }

    fn make_dir(&mut self, path: &str) {
        let (path, mode) = (bytes(path), 0o777);
        self.call(Call::MakeDirectory { path, mode }).unwrap();
    }

    fn link_to(&mut self, link: &str, target: &str) {
        let (target, link) = (bytes(target), bytes(link));
        self.call(Call::Symlink { target, link }).unwrap();
    }

    fn chmod(&mut self, path: &str, mode: u32) {
        let target = Target::Path(bytes(path));
        self.call(Call::SetMode { target, mode }).unwrap();
    }

    fn stat(&self, path: &str) -> Metadata {
        self.metadata(&Target::Link(bytes(path))).unwrap()
    }

    fn content(&mut self, fd: Fd) -> String {
        let bytes = self.read_bytes(fd, Some(0), 1 << 20).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

/// The error's name, or the result.
fn outcome<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => errno(error.raw_os_error()),
    }
}

fn errno(code: Option<i32>) -> String {
    const NAMES: &[(i32, &str)] = &[
        (libc::EACCES, "EACCES"),
        (libc::EBADF, "EBADF"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::EFBIG, "EFBIG"),
        (libc::EINVAL, "EINVAL"),
        (libc::EISDIR, "EISDIR"),
        (libc::ELOOP, "ELOOP"),
        (libc::EMLINK, "EMLINK"),
        (libc::ENAMETOOLONG, "ENAMETOOLONG"),
        (libc::ENOENT, "ENOENT"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::ENOTEMPTY, "ENOTEMPTY"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EPERM, "EPERM"),
        (libc::EWOULDBLOCK, "EWOULDBLOCK"),
    ];
    let name = NAMES.iter().find(|(number, _)| Some(*number) == code);
    name.map_or_else(|| format!("{code:?}"), |(_, name)| (*name).to_owned())
}
