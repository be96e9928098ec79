//! Files and directories in std's names and signatures: calls that do not wait.
//!
//! In a simulation a call completes at once, and its node runs nothing else, after the running
//! poll, for as long as the disk takes. It goes past the disk's queue: a thread that blocks has the
//! disk's answer before anything else of its node happens.
//!
//! Without a simulation they work on a [`DetachedDisk`], which a plain test of a storage engine can
//! use; what is opened on one keeps a hold of it:
//!
//! ```
//! use std::io::Write;
//! use stormglass::fs::{DetachedDisk, blocking};
//!
//! let disk = DetachedDisk::new();
//! blocking::with_disk(&disk, || {
//!     let mut file = blocking::File::create("/log")?;
//!     file.write_all(b"hello")?;
//!     file.sync_all()?;
//!     assert_eq!(blocking::read_to_string("/log")?, "hello");
//!     std::io::Result::Ok(())
//! })
//! .unwrap();
//! ```
//!
//! # Fidelity
//! A lock that another holds cannot be waited for, since nobody else runs meanwhile:
//! [`File::lock`] gives `Deadlock` where a thread would stand still for ever.

mod detached;
mod dir;
mod file;
mod functions;
mod io;
mod options;
mod port;

pub use detached::{DetachedDisk, DetachedFault, with_disk};
pub use dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use file::File;
pub use functions::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, write,
};
pub use options::OpenOptions;

pub use super::{FileTimes, FileType, Metadata, Permissions};
