//! Tests of this binary in processes of their own, for what only a whole process can show.

use std::process::Command;

/// A process that runs the test of this name alone, whatever seeds are asked of this one.
pub(super) fn test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
    command
        .args([name, "--exact", "--nocapture"])
        .env_remove("STORMGLASS_SEED")
        .env_remove("STORMGLASS_SEEDS")
        .env("RUST_BACKTRACE", "0");
    command
}
