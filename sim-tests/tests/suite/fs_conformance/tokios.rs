//! The real arm: the cases with tokio's and std's files, in a directory of the real file system.

use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use std::fs::{self as blocking, Permissions};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

use super::{Case, Stage};

#[path = "cases/mod.rs"]
pub(super) mod cases;

/// What std has in traits and the simulation in the types themselves.
mod traits {
    pub(super) use std::os::unix::fs::{
        DirBuilderExt, DirEntryExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt,
    };
}

/// Plays a case, and gives what its calls gave.
pub(super) fn play(case: Case) -> Vec<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fs-conformance-{}-{number}", process::id());
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir(&root).unwrap();
    let stage = Stage::new(root.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(case(stage.clone()));
    drop(runtime);
    std::fs::remove_dir_all(root).unwrap();
    let lines = stage.log.lock().unwrap();
    lines.clone()
}
