//! How the runner itself ends: the exit codes, and the one error that stops it early.

use std::fmt;

/// Everything went well.
pub const FINE: u8 = 0;
/// No test was run.
pub const NOTHING_RAN: u8 = 4;
/// A goal was not reached, or too many runs were excused.
pub const GOALS_UNMET: u8 = 5;
/// The arguments or the set-up are wrong.
pub const USAGE: u8 = 96;
/// A seed gave another run in another process.
pub const NONDETERMINISM: u8 = 97;
/// A property failed.
pub const FAILED: u8 = 100;
/// The tests do not build.
pub const BUILD_FAILED: u8 = 101;
/// Interrupted; what was found is saved.
pub const INTERRUPTED: u8 = 130;

/// What `--help` says of them.
pub const TABLE: &str = "\
Exit codes:
    0  fine
    4  nothing ran
    5  a goal was not reached, or more than 1 % of the runs were excused
   96  wrong usage or set-up
   97  non-determinism: a seed gave another run in another process
  100  a property failed (also if others gave 97)
  101  the build failed
  130  interrupted; what was found is saved, and `run --resume` goes on";

/// Why the runner cannot go on.
#[derive(Debug)]
pub struct Stop {
    pub code: u8,
    /// Empty if all was said already.
    pub message: String,
}

impl Stop {
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            message: message.into(),
        }
    }

    /// What was done, such as `cannot write`, to which file, and why it did not work.
    pub fn file(what: &str, path: &std::path::Path, error: impl fmt::Display) -> Self {
        Self::usage(format!("{what} {}: {error}", path.display()))
    }
}
