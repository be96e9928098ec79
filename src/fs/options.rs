//! How a file is opened.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::Path;

use super::File;
use super::handle::{Home, Place};
use super::path::to_bytes;
use super::work;
use crate::model::disk::call::{Call, OpenFlags, WriteSync};

/// The methods that set what an [`OpenOptions`] with `flags` asks for: tokio's and std's are alike.
macro_rules! setters {
    () => {
        /// Whether the file can be read.
        pub const fn read(&mut self, read: bool) -> &mut Self {
            self.flags.open.read = read;
            self
        }

        /// Whether the file can be written.
        pub const fn write(&mut self, write: bool) -> &mut Self {
            self.flags.open.write = write;
            self
        }

        /// Whether all writes go to the file's end.
        pub const fn append(&mut self, append: bool) -> &mut Self {
            self.flags.open.append = append;
            self
        }

        /// Whether the file loses its content.
        pub const fn truncate(&mut self, truncate: bool) -> &mut Self {
            self.flags.open.truncate = truncate;
            self
        }

        /// Whether the file is made if it is not there.
        pub const fn create(&mut self, create: bool) -> &mut Self {
            self.flags.open.create = create;
            self
        }

        /// Whether the file is made and must not be there before.
        pub const fn create_new(&mut self, create_new: bool) -> &mut Self {
            self.flags.open.create_new = create_new;
            self
        }

        /// The permissions of a file that is made; 0o666 if nothing is said.
        pub const fn mode(&mut self, mode: u32) -> &mut Self {
            self.flags.open.mode = mode;
            self
        }

        /// More flags of `open`: `O_DIRECT`, `O_DSYNC`, `O_SYNC`, `O_DIRECTORY` and `O_NOFOLLOW` do
        /// what they do on Linux, others nothing.
        pub const fn custom_flags(&mut self, flags: i32) -> &mut Self {
            self.flags.custom = flags;
            self
        }
    };
}
pub(super) use setters;

/// How a file is opened: `tokio::fs::OpenOptions` on the simulated disk.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    flags: Flags,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// Nothing is allowed and nothing made.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            flags: Flags::new(),
        }
    }

    setters!();

    /// Opens a file.
    ///
    /// # Errors
    /// `InvalidInput` for options that exclude each other, and those of `open`.
    ///
    /// # Panics
    /// When polled, if this thread runs no simulation.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> impl Future<Output = io::Result<File>> {
        let place = Location::caller();
        let flags = self.flags;
        async move { flags.open(path.as_ref(), place).await }
    }
}

/// What [`OpenOptions`] hold, asynchronous and blocking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) open: OpenFlags,
    pub(super) custom: i32,
}

impl Flags {
    /// As `File::open` does.
    pub(super) const READ: Self = {
        let mut flags = Self::new();
        flags.open.read = true;
        flags
    };
    /// As `File::create` does.
    pub(super) const CREATE: Self = {
        let mut flags = Self::new();
        flags.open.write = true;
        flags.open.create = true;
        flags.open.truncate = true;
        flags
    };
    /// As `File::create_new` does.
    pub(super) const CREATE_NEW: Self = {
        let mut flags = Self::new();
        flags.open.read = true;
        flags.open.write = true;
        flags.open.create_new = true;
        flags
    };

    pub(super) const fn new() -> Self {
        Self {
            open: OpenFlags {
                read: false,
                write: false,
                append: false,
                truncate: false,
                create: false,
                create_new: false,
                mode: 0o666,
                direct: false,
                sync: WriteSync::Nothing,
                directory: false,
                no_follow: false,
            },
            custom: 0,
        }
    }

    pub(super) async fn open(self, path: &Path, place: Place) -> io::Result<File> {
        let descriptor = work::open(&Home::here()?, place, path, self).await?;
        Ok(File::new(descriptor, place))
    }

    /// The call that opens a path so.
    pub(super) fn call(self, path: &Path) -> io::Result<Call> {
        let path = to_bytes(path)?;
        let flags = self.checked()?;
        Ok(Call::Open { path, flags })
    }

    /// Refuses what std refuses, and reads the custom flags.
    fn checked(self) -> io::Result<OpenFlags> {
        let mut open = self.open;
        if !(open.read || open.write || open.append) {
            return Err(invalid(
                "must specify at least one of read, write, or append access",
            ));
        }
        if open.append && open.truncate && !open.create_new {
            return Err(invalid(
                "creating or truncating a file requires write or append access",
            ));
        }
        let makes = open.truncate || open.create || open.create_new;
        if makes && !(open.write || open.append) {
            return Err(invalid(
                "creating or truncating a file requires write or append access",
            ));
        }
        let has = |flag: i32| self.custom & flag == flag;
        open.direct = has(libc::O_DIRECT);
        open.directory = has(libc::O_DIRECTORY);
        open.no_follow = has(libc::O_NOFOLLOW);
        open.sync = if has(libc::O_SYNC) {
            WriteSync::Everything
        } else if has(libc::O_DSYNC) {
            WriteSync::Content
        } else {
            WriteSync::Nothing
        };
        Ok(open)
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
