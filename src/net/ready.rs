//! What one can wait for at a socket: tokio's `Interest` and `Ready`, which tokio itself has only
//! together with real sockets.

use core::fmt;
use core::ops;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u8);

/// What is ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

const READ: u8 = 1;
const WRITE: u8 = 2;

impl Interest {
    /// Something can be read, or the end, or an error.
    pub const READABLE: Self = Self(READ);
    /// Something can be written.
    pub const WRITABLE: Self = Self(WRITE);

    /// Whether reading is waited for.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & READ != 0
    }

    /// Whether writing is waited for.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & WRITE != 0
    }

    /// Either of both.
    #[must_use = "this returns the sum and changes neither"]
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ops::BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.0))
    }
}

impl Ready {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// Something can be read.
    pub const READABLE: Self = Self(READ);
    /// Something can be written.
    pub const WRITABLE: Self = Self(WRITE);
    /// Both.
    pub const ALL: Self = Self(READ | WRITE);

    /// Whether nothing is ready.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether something can be read.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & READ != 0
    }

    /// Whether something can be written.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & WRITE != 0
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

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.0))
    }
}

const fn name(bits: u8) -> &'static str {
    match bits {
        0 => "EMPTY",
        READ => "READABLE",
        WRITE => "WRITABLE",
        _ => "READABLE | WRITABLE",
    }
}
