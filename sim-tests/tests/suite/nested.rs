//! Running cargo within a test, on crates that are not built the way this one is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("this crate is in the workspace")
        .to_owned()
}

/// Where nested builds go: apart from this build, whose features are others.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("nested")
}

/// Runs cargo, and gives whether it succeeded and all that it printed.
pub(crate) fn cargo(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--target-dir")
        .arg(target())
        .current_dir(directory)
        .env_remove("CARGO_TARGET_DIR")
        // Built once and hardly run: quickly is better than well.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the cargo that built this runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What the package of an engine prints, and the code with which it exits: 100 if it fails.
pub(crate) fn engine(package: &str) -> (Option<i32>, String) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../engines");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--target-dir"])
        .arg(target)
        .current_dir(workspace().join("sim-tests/engines").join(package))
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("the cargo that built this runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{package}:\n{text}");
    let code = output.status.code();
    assert!(
        matches!(code, Some(0 | 100)) && !text.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (code, text)
}
