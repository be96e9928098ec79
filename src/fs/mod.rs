//! Files and directories, in tokio's names and signatures, on the simulated disk of each node.
//!
//! Floor 4. A handle belongs to the process that made it; when that has ended, so has what the
//! handle can do. What a program writes is durable when a sync says so, and not before: the
//! content of a file by its own, its name by one of its directory.
//!
//! ```
//! use stormglass::fs;
//!
//! let outcome = stormglass::sim::Builder::new().run(|_| async {
//!     fs::create_dir_all("/var/db").await?;
//!     fs::write("/var/db/log", "hello").await?;
//!     fs::File::open("/var/db/log").await?.sync_all().await?;
//!     fs::File::open("/var/db").await?.sync_all().await?;
//!     fs::read_to_string("/var/db/log").await
//! });
//! assert_eq!(outcome.unwrap().unwrap(), "hello");
//! ```
//!
//! # Fidelity
//! [`Metadata`], [`FileType`] and [`Permissions`] have the methods of std's, and are types of their
//! own, since std's cannot be made: a program for both worlds names `stormglass::fs::Metadata`.
//! A program is an ordinary user who owns all files: of permissions the owner's bits count. Paths
//! are relative to `/`. A directory is read at once, so that what is made while its entries are
//! taken is not among them. Unix sockets have paths of their own, apart from those of files: of the
//! calls here only the removing of a file knows them.

pub mod blocking;
mod dir;
mod file;
mod functions;
mod handle;
mod metadata;
mod operator;
mod options;
mod path;
mod port;
mod work;

#[cfg(test)]
mod tests;

pub use blocking::{DetachedDisk, DetachedFault};
pub use dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use file::File;
pub use functions::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, try_exists, write,
};
pub use metadata::{FileTimes, FileType, Metadata, Permissions};
pub(crate) use operator::Operator;
pub use options::OpenOptions;

pub use crate::model::disk::{
    AtlasMap, AtlasPlace, CrashOdds, DiskConfig, DiskError, DiskFaults, DiskLatency, DiskScope,
    Profile,
};
