//! The simulated arm: the cases with Stormglass's files.

use std::path::PathBuf;

use stormglass::fs::{self, Permissions, blocking};
use stormglass::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};
use stormglass::sim::Builder;

use super::{Case, Stage};

#[path = "cases/mod.rs"]
pub(super) mod cases;

/// What std has in traits is here in the types themselves.
mod traits {}

/// Plays a case, and gives what its calls gave. A run that fails has that as its last line.
pub(super) fn play(case: Case) -> Vec<String> {
    let stage = Stage::new(PathBuf::from("/root"));
    let played = stage.clone();
    let outcome = Builder::new().run(move |_| async move {
        fs::create_dir("/root").await.unwrap();
        case(played).await;
    });
    if let Some(failed) = &outcome.failed {
        stage.note("failed", failed.to_string());
    }
    let lines = stage.log.lock().unwrap();
    lines.clone()
}
