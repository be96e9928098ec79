//! What a Unix socket is called.

use core::fmt;
use std::path::Path;

use crate::model::net::UnixName;

/// The address of a Unix socket: `tokio::net::unix::SocketAddr`.
#[derive(Clone)]
pub struct SocketAddr(UnixName);

impl SocketAddr {
    pub(super) const fn new(name: UnixName) -> Self {
        Self(name)
    }

    pub(super) fn name(&self) -> UnixName {
        self.0.clone()
    }

    /// Whether the socket has no name.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        matches!(self.0, UnixName::Unnamed)
    }

    /// The path, if the name is one.
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        match &self.0 {
            UnixName::Path(path) => Some(path),
            UnixName::Unnamed | UnixName::Abstract(_) => None,
        }
    }

    /// The abstract name, if it is one, without its leading zero byte.
    #[must_use]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            UnixName::Abstract(name) => Some(name),
            UnixName::Unnamed | UnixName::Path(_) => None,
        }
    }
}

impl fmt::Debug for SocketAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            UnixName::Unnamed => f.write_str("(unnamed)"),
            UnixName::Path(path) => write!(f, "{path:?} (pathname)"),
            UnixName::Abstract(name) => write!(f, "\"{}\" (abstract)", name.escape_ascii()),
        }
    }
}
