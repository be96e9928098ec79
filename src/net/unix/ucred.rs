//! Who is at the other end.

use super::{gid_t, pid_t, uid_t};

/// The credentials of a process: `tokio::net::unix::UCred`.
///
/// A simulated machine knows no users: its process is root's, and is its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    pub(super) const ROOT: Self = Self {
        pid: Some(1),
        uid: 0,
        gid: 0,
    };

    /// The user: 0.
    #[must_use]
    pub const fn uid(&self) -> uid_t {
        self.uid
    }

    /// The group: 0.
    #[must_use]
    pub const fn gid(&self) -> gid_t {
        self.gid
    }

    /// The process: 1.
    #[must_use]
    pub const fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}
