//! The doctor's processes: this very program, started again to run one seed and write its trace.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, io, thread};

use super::{Call, DONE, GIVEN_UP, Order};
use crate::run::test_of_thread;
use crate::sys::INTERPOSED;
use crate::sys::probe::{self, Probe};

/// Runs one seed of one call in processes of their own.
pub(super) struct Lab<'a> {
    call: &'a Call,
    seed: u64,
    folder: Folder,
    patience: Duration,
}

/// Of which source of difference a process is rid.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// Of what the probe takes away.
    Probe(Probe),
    /// Of addresses that differ.
    FixedAddresses,
}

/// What runs first in a process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoy {
    /// Another seed.
    First,
    /// Nothing.
    None,
}

impl<'a> Lab<'a> {
    /// A directory for traces is made in the one for temporary files.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) fn new(call: &'a Call, seed: u64) -> Result<Self, String> {
        let folder = Folder::new().map_err(|error| {
            let parent = std::env::temp_dir();
            format!(
                "cannot make a directory for traces in {}: {error}",
                parent.display()
            )
        })?;
        Ok(Self {
            call,
            seed,
            folder,
            patience: PATIENCE,
        })
    }

    /// Lets a process take longer, as it must if a run takes so long.
    pub(super) fn allow_for(&mut self, run: Duration) {
        self.patience = PATIENCE + run * PATIENCE_RUNS;
    }

    /// The file of this name for a trace.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        // All names are equally long, lest they move what is after them in memory.
        self.folder.path.join(format!("{name:-<8}"))
    }

    /// Runs the seed in a fresh process and gives the file of its trace.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn run(
        &self,
        name: &str,
        decoy: Decoy,
        cure: Option<How>,
    ) -> Result<PathBuf, String> {
        let trace = self.file(name);
        let errors = self.folder.path.join("errors");
        let order = Order {
            call: self.call.clone(),
            seed: self.seed,
            decoy: decoy == Decoy::First,
            trace: trace.clone(),
        };
        let mut command = self.command(&order).map_err(|error| error.to_string())?;
        match cure {
            None => {}
            Some(How::Probe(probe)) if INTERPOSED => {
                command.env(probe::VARIABLE, probe.name());
            }
            Some(How::Probe(_)) => return Err("not possible on this system".to_owned()),
            Some(How::FixedAddresses) => {
                probe::without_aslr(&mut command).map_err(|error| error.to_string())?;
            }
        }
        let stderr = File::create(&errors).map_err(|error| error.to_string())?;
        let child = command.stderr(stderr).spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        let ended = wait(child, self.patience).map_err(|error| error.to_string())?;
        let explained = |what: String| {
            let text = fs::read_to_string(&errors).unwrap_or_default();
            match text.lines().rev().find(|line| !line.trim().is_empty()) {
                Some(last) => format!("{what}; its last words: {last}"),
                None => what,
            }
        };
        match ended {
            None => Err(explained(format!(
                "the process was killed after {:?}",
                self.patience
            ))),
            Some(DONE) => Ok(trace),
            Some(probe::FAILED) if cure.is_some() => Err("not possible on this system".to_owned()),
            Some(GIVEN_UP) => Err(explained("the run hung in a fresh process".to_owned())),
            Some(code) => Err(explained(format!(
                "a fresh process ended with {code} before it came to `{}`",
                self.call.test
            ))),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the doctor compares whole processes"
    )]
    fn command(&self, order: &Order) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        match test_of_thread() {
            Some(test) => {
                command.args([&test, "--exact", "--nocapture", "--include-ignored"]);
            }
            None => {
                command.args(std::env::args_os().skip(1));
            }
        }
        let order = serde_json::to_string(order).map_err(io::Error::other)?;
        command
            .env(Order::VARIABLE, order)
            .env("STORMGLASS_CHECK", "0")
            .env_remove("STORMGLASS_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Ok(command)
    }
}

/// Waits for a process; its exit code, or `None` if it had to be killed.
fn wait(mut child: Child, patience: Duration) -> io::Result<Option<i32>> {
    let watch = Stopwatch::start();
    loop {
        if let Some(status) = child.try_wait()? {
            // A process that a signal ended has no code.
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        if watch.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Real time, by which the doctor bounds how long a process may take.
#[expect(
    clippy::disallowed_types,
    reason = "bounds what is outside any simulation"
)]
pub(super) struct Stopwatch(std::time::Instant);

#[expect(
    clippy::disallowed_types,
    reason = "bounds what is outside any simulation"
)]
impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A directory of its own for the traces of one examination, removed in the end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stormglass-doctor-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // An older process of the same number may have died and left it.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost if it stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// How long a process of the doctor's may take in any case, and how many times what the first run
/// took: it runs a decoy too, and a probe can make it ten times slower.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_RUNS: u32 = 20;
/// How long the doctor waits before it looks again whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "waiting for a process is under test"
    )]
    fn a_process_that_does_not_end_is_killed() {
        let spawn = |script| Command::new("sh").args(["-c", script]).spawn().unwrap();
        assert_eq!(
            wait(spawn("exec sleep 1000"), Duration::from_millis(20)).unwrap(),
            None
        );
        assert_eq!(wait(spawn("exit 7"), PATIENCE).unwrap(), Some(7));
        assert_eq!(wait(spawn("kill -KILL $$"), PATIENCE).unwrap(), Some(-1));
    }
}
