//! What one can wait for at a socket: tokio's `Interest` and `Ready`, which tokio itself has only
//! together with real sockets.

use core::fmt;
use core::ops;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use crate::model::net::Readiness;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u8);

/// What is ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

// Interests have the numbers of what they wait for first.
const READABLE: u8 = 1;
const WRITABLE: u8 = 1 << 1;
const READ_CLOSED: u8 = 1 << 2;
const WRITE_CLOSED: u8 = 1 << 3;
const PRIORITY: u8 = 1 << 4;
const ERROR: u8 = 1 << 5;

impl Interest {
    /// Something can be read, or the end, or an error.
    pub const READABLE: Self = Self(READABLE);
    /// Something can be written.
    pub const WRITABLE: Self = Self(WRITABLE);
    /// The connection failed.
    pub const ERROR: Self = Self(ERROR);
    /// Something urgent can be read. Simulated peers send nothing urgent, but they end.
    pub const PRIORITY: Self = Self(PRIORITY);

    /// Whether reading is waited for.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// Whether writing is waited for.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether a failure is waited for.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Whether urgent reading is waited for.
    #[must_use]
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Either of both.
    #[must_use = "this returns the sum and changes neither"]
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is waited for here and not there, if anything is.
    #[must_use = "this returns what is left and changes neither"]
    pub const fn remove(self, other: Self) -> Option<Self> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Self(left)),
        }
    }
}

impl ops::BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl ops::BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_error(), "ERROR"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(named, _)| *named) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}

impl Ready {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// Something can be read.
    pub const READABLE: Self = Self(READABLE);
    /// Something can be written.
    pub const WRITABLE: Self = Self(WRITABLE);
    /// Nothing more comes than can be read now.
    pub const READ_CLOSED: Self = Self(READ_CLOSED);
    /// Nothing more can be written.
    pub const WRITE_CLOSED: Self = Self(WRITE_CLOSED);
    /// Something urgent can be read.
    pub const PRIORITY: Self = Self(PRIORITY);
    /// The connection failed.
    pub const ERROR: Self = Self(ERROR);
    /// All of it.
    pub const ALL: Self = Self(READABLE | WRITABLE | READ_CLOSED | WRITE_CLOSED | PRIORITY | ERROR);

    /// Whether nothing is ready.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether something can be read, or nothing more will come.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & (READABLE | READ_CLOSED) != 0
    }

    /// Whether something can be written, or nothing more.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & (WRITABLE | WRITE_CLOSED) != 0
    }

    /// Whether nothing more comes than can be read now.
    #[must_use]
    pub const fn is_read_closed(self) -> bool {
        self.0 & READ_CLOSED != 0
    }

    /// Whether nothing more can be written.
    #[must_use]
    pub const fn is_write_closed(self) -> bool {
        self.0 & WRITE_CLOSED != 0
    }

    /// Whether something urgent can be read.
    #[must_use]
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Whether the connection failed.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// What of this is waited for.
    pub(super) const fn of_interest(self, interest: Interest) -> Self {
        let mut bits = interest.0;
        if interest.is_readable() || interest.is_priority() {
            bits |= READ_CLOSED;
        }
        if interest.is_writable() {
            bits |= WRITE_CLOSED;
        }
        Self(self.0 & bits)
    }

    /// This, if something is so.
    const fn when(self, so: bool) -> Self {
        if so { self } else { Self::EMPTY }
    }
}

/// Carries out `f` if something is ready.
///
/// # Errors
/// `WouldBlock` if nothing is, those of `f`.
pub(super) fn if_ready<R>(ready: Ready, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    if ready.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    f()
}

/// Carries out `f` when something is ready, and again as long as it says that it would block.
///
/// # Errors
/// Those of `poll_ready` and of `f`.
pub(super) async fn when_ready<R>(
    mut poll_ready: impl FnMut(&mut Context<'_>) -> Poll<io::Result<Ready>>,
    mut f: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    loop {
        poll_fn(&mut poll_ready).await?;
        match f() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        // Others have their turn before it is asked again.
        let mut waited = false;
        poll_fn(|cx| {
            if core::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl From<Readiness> for Ready {
    fn from(is: Readiness) -> Self {
        Self::READABLE.when(is.readable)
            | Self::WRITABLE.when(is.writable)
            | Self::READ_CLOSED.when(is.read_closed)
            | Self::WRITE_CLOSED.when(is.write_closed)
            | Self::ERROR.when(is.error)
    }
}

impl ops::BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ops::BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl ops::BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl ops::Sub for Ready {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_closed", &self.is_read_closed())
            .field("is_write_closed", &self.is_write_closed())
            .field("is_error", &self.is_error())
            .field("is_priority", &self.is_priority())
            .finish()
    }
}
