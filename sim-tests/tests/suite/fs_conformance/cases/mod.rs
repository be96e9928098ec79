//! The programs of the suite. Included twice, with tokio's and std's files and with ours, so that
//! each call can be compared.
//!
//! A case is one task: its order is the order of the text.

mod blocking;
mod files;
mod names;

pub(crate) use blocking::*;
pub(crate) use files::*;
pub(crate) use names::*;

// Of Linux on most processors.
#[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
const O_DIRECTORY: i32 = 0o200_000;
#[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
const O_DIRECTORY: i32 = 0o40_000;
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
const O_NOFOLLOW: i32 = 0o100_000;
