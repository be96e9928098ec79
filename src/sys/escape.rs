//! What a refused call is called in reports, and what to do instead.

use core::fmt;
use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::place;

/// A way out of the simulation that a program tried to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EscapeKind {
    /// Starting a thread of the operating system.
    Thread,
    /// Blocking the thread for real time.
    Sleep,
    /// Opening a real socket or asking a real name server.
    Socket,
    /// Touching the real file system.
    File,
    /// Starting another process or program.
    ChildProcess,
    /// Reading standard input.
    Stdin,
    /// Ending the whole process.
    Exit,
}

impl EscapeKind {
    /// What a program should do instead, in one sentence.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Thread => {
                "start a task with stormglass::task::spawn, or stormglass::task::spawn_blocking \
                 for code that blocks"
            }
            Self::Sleep => "wait with stormglass::time::sleep or stormglass::time::timeout",
            Self::Socket => {
                "use stormglass::net, whose types have tokio's names and which resolves the names \
                 of nodes"
            }
            Self::File => {
                "use stormglass::fs, which has tokio's and std's names, or read real files before \
                 the simulation and pass what they hold to the node"
            }
            Self::ChildProcess => {
                "make the other program a node of the simulation, or run it before the simulation"
            }
            Self::Stdin => "read the input before the simulation and pass it to the node",
            Self::Exit => "return from the node's future, or crash the node by its handle",
        }
    }
}

impl fmt::Display for EscapeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread => "thread",
            Self::Sleep => "blocking sleep",
            Self::Socket => "real socket",
            Self::File => "real file",
            Self::ChildProcess => "child process",
            Self::Stdin => "standard input",
            Self::Exit => "process exit",
        })
    }
}

/// One attempt to leave the simulation, as told to [`Hooks::escape`](super::Hooks::escape).
#[derive(Clone, Debug)]
pub(crate) struct Escape<'a> {
    /// What was attempted.
    pub(crate) kind: EscapeKind,
    /// The libc function that was called.
    pub(crate) call: &'static str,
    /// The path, program, host name or exit code that it was called with, if it has one.
    pub(crate) detail: Option<Cow<'a, str>>,
}

impl Escape<'_> {
    /// Where the program made the call: `src/store.rs:12 in my_crate::load`, or the function alone
    /// if the build has no line tables.
    ///
    /// Slow (it symbolises a backtrace), and only right while the hook runs, since it looks at the
    /// stack. `None` if no frame of the program can be named.
    #[must_use]
    pub(crate) fn place(&self) -> Option<String> {
        place::of_caller()
    }
}

impl fmt::Display for Escape<'_> {
    /// The kind and the call: `real file: open64(/etc/hosts)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => {
                write!(f, "{}: {}({})", self.kind, self.call, detail.escape_debug())
            }
            None => write!(f, "{}: {}", self.kind, self.call),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_kind_call_and_detail() {
        let mut escape = Escape {
            kind: EscapeKind::File,
            call: "open64",
            detail: Some("/etc/hosts".into()),
        };
        assert_eq!(escape.to_string(), "real file: open64(/etc/hosts)");
        escape.detail = None;
        assert_eq!(escape.to_string(), "real file: open64");
    }

    #[test]
    fn kinds_are_kebab_case_in_scenario_files() {
        let text = serde_json::to_string(&EscapeKind::ChildProcess).unwrap();
        assert_eq!(text, r#""child-process""#);
        assert_eq!(
            serde_json::from_str::<EscapeKind>(&text).unwrap(),
            EscapeKind::ChildProcess
        );
    }
}
