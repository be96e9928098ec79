//! Paths as a program has them, and as a disk knows them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::model::disk::call;

/// A path's bytes.
///
/// # Errors
/// `InvalidInput` if it has a NUL, which no system call can be told.
pub(super) fn to_bytes(path: &Path) -> io::Result<call::Path> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        let text = "file name contained an unexpected NUL byte";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(bytes.into())
}

pub(super) fn from_bytes(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

pub(super) fn name_from_bytes(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}
