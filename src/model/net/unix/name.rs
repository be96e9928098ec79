//! What Unix sockets are called, and which names of a host lead to which socket.
//!
//! Owns the names. It must never know what a socket does. A path is in the file system: it stays
//! when its socket is closed and its process dies, and leads nowhere until it is removed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::mutant::{self, Mutant};
use super::super::os_error;
use super::super::slab::SocketId;
use crate::kernel::EntityKey;

/// The length of `sun_path`.
const NAME_MAX_BYTES: usize = 108;

/// What a socket is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnixName {
    /// Nothing.
    Unnamed,
    /// A place in the file system.
    Path(Arc<Path>),
    /// A name apart from it, without its leading zero byte.
    Abstract(Arc<[u8]>),
}

impl UnixName {
    /// The name that a path stands for: an abstract one if it begins with a zero byte.
    ///
    /// # Errors
    /// `InvalidInput` for one that is too long or has a zero byte in it.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let Some(name) = path.as_os_str().as_encoded_bytes().strip_prefix(b"\0") else {
            return Self::of_path(path);
        };
        if name.len() >= NAME_MAX_BYTES {
            return Err(invalid("abstract socket name must be shorter than SUN_LEN"));
        }
        Ok(Self::Abstract(name.into()))
    }

    /// The name that a path is; that of an empty one is no name.
    ///
    /// # Errors
    /// `InvalidInput` for one that is too long or has a zero byte in it.
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.contains(&0) {
            return Err(invalid("paths must not contain interior null bytes"));
        }
        if bytes.len() >= NAME_MAX_BYTES {
            return Err(invalid("path must be shorter than SUN_LEN"));
        }
        Ok(if bytes.is_empty() {
            Self::Unnamed
        } else {
            Self::Path(path.into())
        })
    }

    /// The name as a number, for the trace.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Unnamed => 0,
            Self::Path(path) => number(path),
            Self::Abstract(name) => EntityKey::of(&String::from_utf8_lossy(name)).number(),
        }
    }
}

/// A path as a number, for the trace.
pub(super) fn number(path: &Path) -> u64 {
    EntityKey::of(&path.to_string_lossy()).number()
}

/// To which socket a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Bound {
    Listener(SocketId),
    Datagram(SocketId),
}

/// The names of one host.
#[derive(Debug, Default)]
pub(in super::super) struct Names {
    /// Leads nowhere if its socket is closed.
    paths: BTreeMap<PathBuf, Option<Bound>>,
    abstracts: BTreeMap<Arc<[u8]>, Bound>,
    /// How many sockets were given a name because they wanted any.
    given: u32,
}

impl Names {
    /// The name that a socket which wants this one is bound to: another if it wants none.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub(super) fn free(&mut self, name: UnixName) -> io::Result<UnixName> {
        let taken = match &name {
            UnixName::Unnamed => return Ok(UnixName::Abstract(self.any())),
            UnixName::Path(path) => self.paths.contains_key(&**path),
            UnixName::Abstract(name) => self.abstracts.contains_key(name),
        };
        if taken {
            return Err(os_error(libc::EADDRINUSE));
        }
        Ok(name)
    }

    /// An abstract name that is free.
    fn any(&mut self) -> Arc<[u8]> {
        loop {
            self.given += 1;
            let name = format!("{:05x}", self.given).into_bytes();
            if !self.abstracts.contains_key(&*name) {
                return name.into();
            }
        }
    }

    /// Has a free name lead to a socket.
    pub(super) fn bind(&mut self, name: &UnixName, socket: Bound) {
        let before = match name {
            UnixName::Unnamed => None,
            UnixName::Path(path) => self
                .paths
                .insert(path.to_path_buf(), Some(socket))
                .flatten(),
            // Each kind of sockets has its own abstract names, and tokio looks up listeners' only.
            UnixName::Abstract(_) if matches!(socket, Bound::Datagram(_)) => None,
            UnixName::Abstract(name) => self.abstracts.insert(name.clone(), socket),
        };
        assert!(before.is_none(), "a name leads to one socket");
    }

    /// The socket to which a name leads.
    ///
    /// # Errors
    /// `EINVAL` for no name, `ENOENT` for a path that is none, `ECONNREFUSED` for one whose socket
    /// is closed and for an abstract name that nobody has.
    pub(super) fn find(&self, name: &UnixName) -> io::Result<Bound> {
        let found = match name {
            UnixName::Unnamed => return Err(os_error(libc::EINVAL)),
            UnixName::Path(path) => *self
                .paths
                .get(&**path)
                .ok_or_else(|| os_error(libc::ENOENT))?,
            UnixName::Abstract(name) => self.abstracts.get(name).copied(),
        };
        let missing = mutant::is(Mutant::UnixStaleIsMissing);
        let stale = if missing {
            libc::ENOENT
        } else {
            libc::ECONNREFUSED
        };
        found.ok_or_else(|| os_error(stale))
    }

    /// A socket is closed: its abstract name goes, its path stays, if it still is the socket's.
    pub(super) fn release(&mut self, name: &UnixName, socket: Bound) {
        match name {
            UnixName::Unnamed => {}
            UnixName::Path(path) if mutant::is(Mutant::UnixPathGoesWithItsSocket) => {
                self.paths.remove(&**path);
            }
            UnixName::Path(path) => {
                if let Some(place) = self.paths.get_mut(&**path)
                    && *place == Some(socket)
                {
                    *place = None;
                }
            }
            UnixName::Abstract(name) => {
                if self.abstracts.get(name) == Some(&socket) {
                    self.abstracts.remove(name);
                }
            }
        }
    }

    /// Removes a path.
    ///
    /// # Errors
    /// `ENOENT`.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let removed = self.paths.remove(path);
        removed.map(drop).ok_or_else(|| os_error(libc::ENOENT))
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
