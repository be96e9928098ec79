//! What an exploration found: how much it tried, or a crash that fails the check.
//!
//! Owns the text, which has at most 25 lines.

use core::fmt;

use super::state::CrashState;

/// How much was tried, when nothing failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// Moments at which power was lost, those of the workload and those of checks.
    pub moments: u64,
    /// States that were listed.
    pub states: u64,
    /// Runs of the check.
    pub checks: u64,
    /// States that were equal to one tried before.
    pub same_disk: u64,
    /// States that differed from one tried before where the check does not look.
    pub same_reads: u64,
    /// States were left out since there were too many.
    pub cut_short: bool,
}

/// A crash after which the check fails.
#[derive(Clone, Debug)]
pub struct CrashBug {
    pub(crate) told: Box<Told>,
}

/// What is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// What the check said.
    pub(crate) message: String,
    pub(crate) state: CrashState,
    /// Each crash, the last one last.
    pub(crate) crashes: Vec<CrashTold>,
    /// Acknowledgements before the first crash.
    pub(crate) acked: Vec<String>,
    pub(crate) explored: Explored,
}

/// One loss of power in words.
#[derive(Clone, Debug)]
pub(crate) struct CrashTold {
    pub(crate) when: String,
    pub(crate) lost: Vec<String>,
    pub(crate) kept: usize,
    pub(crate) missing: Vec<String>,
}

impl CrashBug {
    /// What the check said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.told.message
    }

    /// The state, to be tried again by [`Bounds::only`](super::Bounds::only).
    #[must_use]
    pub fn state(&self) -> &CrashState {
        &self.told.state
    }

    /// How many times power was lost.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.told.crashes.len()
    }

    /// The changes whose loss, in the last crash, is enough: what each did, and where.
    #[must_use]
    pub fn lost(&self) -> &[String] {
        self.told.crashes.last().map_or(&[], |crash| &crash.lost)
    }

    /// The syncs that would have kept them, and where each belongs.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        self.told.crashes.last().map_or(&[], |crash| &crash.missing)
    }

    /// How much was tried before, and to find the smallest loss.
    #[must_use]
    pub fn explored(&self) -> Explored {
        self.told.explored
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            moments,
            states,
            checks,
            same_disk,
            same_reads,
            cut_short,
        } = self;
        write!(
            f,
            "{states} states at {moments} moments: {checks} checked, {same_disk} as others, \
             {same_reads} as others where it looked"
        )?;
        if *cut_short {
            f.write_str("; cut short by `Bounds::states_max`")?;
        }
        Ok(())
    }
}

impl fmt::Display for CrashBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told {
            message,
            state,
            crashes,
            acked,
            explored,
        } = &*self.told;
        let mut lines = vec!["the check fails after a loss of power".to_owned()];
        lines.extend(capped(
            message.lines().map(str::to_owned),
            MESSAGE_LINES,
            "more",
        ));
        for line in &mut lines[1..] {
            line.insert_str(0, "  what     ");
        }
        for (number, crash) in crashes.iter().enumerate() {
            let again = if number > 0 {
                ", while it recovered"
            } else {
                ""
            };
            lines.push(format!("  where    {}{again}", crash.when));
        }
        lines.push(format!(
            "  replay   Bounds {{ only: \"{state}\".parse().ok(), ..bounds }}"
        ));
        lines.push(format!("  acked    {}", list(acked)));
        // Most of the room is for the last one, which it takes to fail.
        for (number, crash) in crashes.iter().enumerate() {
            let last = number + 1 == crashes.len();
            let room = if last { LOST_LINES } else { LOST_EARLIER_LINES };
            let title = if crashes.len() > 1 {
                format!("lost {}  ", number + 1)
            } else {
                "lost    ".to_owned()
            };
            if crash.lost.is_empty() {
                lines.push(format!("  {title} nothing"));
            }
            for lost in capped(crash.lost.iter().cloned(), room, "more changes") {
                lines.push(format!("  {title} {lost}"));
            }
            lines.push(format!("  kept     {} other changes", crash.kept));
            if last {
                for sync in capped(crash.missing.iter().cloned(), MISSING_LINES, "more syncs") {
                    lines.push(format!("  missing  {sync}"));
                }
            }
        }
        lines.push(format!("  tried    {explored}"));
        lines.truncate(LINES);
        f.write_str(&lines.join("\n"))
    }
}

impl core::error::Error for CrashBug {}

/// The first lines, and how many more there are.
fn capped(lines: impl Iterator<Item = String>, room: usize, what: &str) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let count = lines.len();
    if count > room {
        lines.truncate(room - 1);
        lines.push(format!("and {} {what}", count - lines.len()));
    }
    lines
}

/// The last few of what was acknowledged.
fn list(acked: &[String]) -> String {
    if acked.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<&str> = acked
        .iter()
        .rev()
        .take(ACKED)
        .rev()
        .map(String::as_str)
        .collect();
    let before = if acked.len() > ACKED { ".., " } else { "" };
    let mut text = format!("{}: {before}{}", acked.len(), shown.join(", "));
    if text.len() > ACKED_BYTES {
        let end = (0..=ACKED_BYTES)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push_str("..");
    }
    text
}

/// Lines of a report, all told.
const LINES: usize = 25;
const MESSAGE_LINES: usize = 5;
const LOST_LINES: usize = 6;
const LOST_EARLIER_LINES: usize = 2;
const MISSING_LINES: usize = 3;
/// Acknowledgements that are shown, and bytes of them.
const ACKED: usize = 4;
const ACKED_BYTES: usize = 100;
