//! A failing run as at most 25 lines of text.

use core::fmt;

use crate::exec::{Failed, Failure, Policy};
use crate::explore::{Shrunk, Size};
use crate::fault::Decisions;
use crate::kernel::{Kind, NodeId, Record, Ring};
use crate::sys::EscapeKind;

/// All that the report of a failing run is made of.
pub(crate) struct Report<'a> {
    pub(crate) name: &'a str,
    pub(crate) seed: u64,
    pub(crate) failed: &'a Failed,
    /// A command that replays the run.
    pub(crate) replay: &'a str,
    /// Where the scenario was saved, or why not.
    pub(crate) saved: &'a str,
    /// Where it was saved when it had been shrunk, and how much of it is left.
    pub(crate) shrunk: Option<&'a str>,
    /// The digest of the run.
    pub(crate) first: &'a str,
    /// The digest of its replay.
    pub(crate) second: Option<&'a str>,
    /// The last records of the replay.
    pub(crate) ring: Option<&'a Ring>,
    pub(crate) node_names: &'a [String],
    pub(crate) policy: Policy,
    pub(crate) decisions: &'a Decisions,
    pub(crate) escaped: &'a [EscapeKind],
    /// How the failure compares with the saved one that is being replayed.
    pub(crate) scenario: Option<&'a str>,
}

/// Lines of a report, all told.
const LINES: usize = 25;
/// Lines of the failure's own message.
const MESSAGE_LINES: usize = 8;
/// Records of the chain of causes that are shown.
const CAUSES: usize = 8;
/// Log lines that are shown.
const NOTES: usize = 5;
/// Faults that are listed; of more, only how many there are.
const FAULTS: usize = 6;
/// Tasks that are listed.
const TASKS: usize = 6;

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![
            self.headline(),
            format!("  where   {}", self.failed.moment),
            format!("  replay  {}", self.replay),
            format!("  saved   {}", self.saved),
        ];
        lines.extend(self.shrunk.map(|shrunk| format!("  shrunk  {shrunk}")));
        lines.push(format!(
            "  run     seed {}, {:?} scheduling, digest {}",
            self.seed, self.policy, self.first
        ));
        if let Some(scenario) = self.scenario {
            lines.push(format!("  kept    {scenario}"));
        }
        if let Some(second) = self.second.filter(|second| *second != self.first) {
            lines.push(format!(
                "  beware  the same seed again gave digest {second}: the run is not deterministic; \
                 STORMGLASS_CHECK=1 tells where it differs"
            ));
        }
        if !self.escaped.is_empty() {
            let ways: Vec<_> = self.escaped.iter().map(ToString::to_string).collect();
            lines.push(format!(
                "  beware  it may not replay, having used: {}",
                ways.join(", ")
            ));
        }
        self.plan(&mut lines);
        self.tasks(&mut lines);
        self.divergence(&mut lines);
        self.causes(&mut lines);
        self.notes(&mut lines);
        lines.truncate(LINES);
        // A message of several lines counts as so many.
        let text = lines.join("\n");
        let mut shown: Vec<&str> = text.lines().collect();
        if shown.len() > LINES {
            shown.truncate(LINES - 1);
            shown.push("  ...");
        }
        f.write_str(&shown.join("\n"))
    }
}

impl Report<'_> {
    /// What went wrong, in a few lines: a long message must not push out how to replay it.
    fn headline(&self) -> String {
        let text = format!("{} failed with {}", self.name, self.failed.failure);
        let count = text.lines().count();
        if count <= MESSAGE_LINES {
            return text;
        }
        let shown: Vec<_> = text.lines().take(MESSAGE_LINES - 1).collect();
        let more = count - shown.len();
        format!(
            "{}\n  ({more} more lines in the saved file)",
            shown.join("\n")
        )
    }

    /// What went wrong around it, if there was a plan: all of a short one, the size of a long one.
    fn plan(&self, lines: &mut Vec<String>) {
        let size = Size::of(self.decisions);
        let faults = size.faults;
        if faults == 0 && size.operations == 0 {
            return;
        }
        lines.push(format!("  plan    {size}"));
        if (1..=FAULTS).contains(&faults) {
            let tables = self
                .decisions
                .plans
                .iter()
                .filter(|plan| !plan.faults.is_empty());
            let tables: Vec<String> = tables.map(ToString::to_string).collect();
            let rows = tables.iter().flat_map(|table| table.lines());
            lines.extend(rows.map(|row| format!("    {}", row.trim_end())));
        }
    }

    fn tasks(&self, lines: &mut Vec<String>) {
        let (title, tasks) = match &self.failed.failure {
            Failure::Deadlock { waiting } | Failure::TimeLimit { waiting, .. } => {
                ("  tasks that wait:", waiting)
            }
            Failure::Livelock { busy, .. } => ("  tasks that keep running:", busy),
            Failure::Panic { .. }
            | Failure::Violation { .. }
            | Failure::Error { .. }
            | Failure::StepLimit { .. }
            | Failure::Escape { .. }
            | Failure::Hang { .. }
            | Failure::Died { .. }
            | Failure::Nondeterminism { .. } => return,
        };
        lines.push(title.to_owned());
        lines.extend(tasks.iter().take(TASKS).map(|task| format!("    {task}")));
        if tasks.len() > TASKS {
            lines.push(format!("    and {} more", tasks.len() - TASKS));
        }
    }

    /// The first records in which two runs differ.
    fn divergence(&self, lines: &mut Vec<String>) {
        let Failure::Nondeterminism {
            leak,
            evidence,
            difference,
            first,
            second,
        } = &self.failed.failure
        else {
            return;
        };
        lines.push(format!("  likely  {}", leak.advice()));
        lines.push(format!("  why     {evidence}"));
        lines.push(format!("  differ  {difference}"));
        for (title, records) in [
            ("  in the first run, after what led to it:", first),
            ("  in the fresh process, after what led to it:", second),
        ] {
            lines.push(title.to_owned());
            lines.extend(records.iter().map(|record| format!("    {record}")));
        }
    }

    /// The chain of causes that ends at the failure, latest last.
    fn causes(&self, lines: &mut Vec<String>) {
        let Some(ring) = self.ring else { return };
        let mut chain = Vec::new();
        let mut next = ring.get(self.failed.moment.step);
        while let Some(record) = next {
            chain.push(record);
            if chain.len() == CAUSES || record.cause >= record.step {
                break;
            }
            next = ring.get(record.cause);
        }
        if chain.is_empty() {
            return;
        }
        lines.push("  what led to it:".to_owned());
        let names = self.node_names;
        let line = |record| format!("    {}", record_line(record, names));
        lines.extend(chain.into_iter().rev().map(line));
    }

    fn notes(&self, lines: &mut Vec<String>) {
        let Some(ring) = self.ring else { return };
        let mut notes: Vec<_> = ring.notes().rev().take(NOTES).collect();
        if notes.is_empty() {
            return;
        }
        notes.reverse();
        lines.push("  last log lines:".to_owned());
        lines.extend(notes.into_iter().map(|(_, text)| format!("    {text}")));
    }
}

/// How much of a failing run is needed to fail.
pub(crate) fn needed(shrunk: &Shrunk) -> String {
    let Shrunk { from, to, runs, .. } = shrunk;
    format!(
        "{} of {} faults, {} of {} operations needed ({runs} runs)",
        to.faults, from.faults, to.operations, from.operations
    )
}

/// A record in one line.
pub(crate) fn record_line(record: &Record, node_names: &[String]) -> String {
    let Record {
        step,
        at,
        node,
        kind,
        subject,
        value,
        ..
    } = record;
    let place = node_names.get(node.index()).map_or("?", String::as_str);
    let endpoint = |subject| endpoint(subject, node_names);
    let step = step.to_string();
    let what = kind.name();
    let details = match kind {
        Kind::TaskPolled | Kind::TaskSpawned | Kind::TaskPanicked | Kind::TaskAborted => {
            format!(" t{subject}")
        }
        Kind::DatagramSent | Kind::DatagramDropped => {
            format!(", {value} bytes to {}", endpoint(*subject))
        }
        Kind::DatagramDelivered => {
            format!(", {value} bytes from {}", endpoint(*subject))
        }
        Kind::StreamSent | Kind::StreamDelivered | Kind::StreamRetransmitted => {
            format!(", {value} bytes on connection {subject}")
        }
        Kind::SocketBound => format!(" to {}", endpoint(*subject)),
        // A descriptor is a small number, and a path a hash that tells nobody anything.
        Kind::DiskCall if *subject <= u64::from(u32::MAX) => {
            format!(" on descriptor {subject}, {value}")
        }
        Kind::DiskCall => format!(", {value}"),
        Kind::CallFailed => match i32::try_from(*value) {
            Ok(code @ 1..) => format!(", {}", std::io::Error::from_raw_os_error(code).kind()),
            _ => String::new(),
        },
        Kind::LinkCut | Kind::LinkHealed => format!(" to {}", endpoint(subject << 16)),
        Kind::NodeStarted | Kind::NodeCrashed | Kind::NodeKilled => {
            format!(", incarnation {subject}")
        }
        Kind::Mark => format!(" {value}"),
        _ => String::new(),
    };
    format!("{step:<8} {at} {place:<12} {what}{details}")
}

/// A node and port, as subjects of records hold them.
fn endpoint(subject: u64, node_names: &[String]) -> String {
    let node = u32::try_from(subject >> 16)
        .map(NodeId::new)
        .unwrap_or_default();
    let name = node_names.get(node.index()).map_or("?", String::as_str);
    match subject & 0xffff {
        0 => name.to_owned(),
        port => format!("{name}:{port}"),
    }
}
