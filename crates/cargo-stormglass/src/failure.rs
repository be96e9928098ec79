//! One distinct failure of a campaign.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stormglass::explore::Fingerprint;
use stormglass::run::Scenario;

use crate::units::hash;

/// All runs of a test that fail in the same way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// In the order of finding, from 0.
    pub number: usize,
    /// The test's id.
    pub test: String,
    /// In which way they fail.
    pub fingerprint: Fingerprint,
    /// How many there are.
    pub count: u64,
    /// The smallest seed among them.
    pub seed: u64,
    /// The one that is saved.
    pub scenario: Box<Scenario>,
    /// The digest of the run that is to be confirmed; empty if it has none.
    pub digest: String,
    pub state: State,
    /// Where it is saved.
    pub file: Option<PathBuf>,
    /// At most 25 lines.
    pub report: String,
}

/// What is known of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was seen once.
    Suspected,
    /// It was the same in a fresh process.
    Confirmed,
    /// It was not the same again.
    Nondeterministic,
    /// It turned out to be another one, which counts its runs.
    Merged,
}

impl Failure {
    /// The kind, such as `Panic`.
    pub fn kind(&self) -> &'static str {
        self.scenario.failed.failure.name()
    }

    /// The property that is broken, or else the kind of failure.
    pub fn rule(&self) -> String {
        match &self.scenario.failed.failure {
            stormglass::Failure::Violation { property, .. } => property.clone(),
            failure => failure.name().to_owned(),
        }
    }

    /// In one line.
    pub fn message(&self) -> String {
        let text = self.scenario.failed.failure.to_string();
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(300) {
            Some((end, _)) => format!("{} ...", &line[..end]),
            None => line.to_owned(),
        }
    }

    /// The source line, as `file` and line, if it has one.
    pub fn place(&self) -> Option<(String, u64)> {
        use stormglass::Failure as F;
        let place = match &self.scenario.failed.failure {
            F::Panic { location, .. } | F::Violation { location, .. } => location,
            F::Escape { place, .. } => place.as_ref()?,
            F::Hang { task, .. } => &task.as_ref()?.spawned_at,
            F::Deadlock { waiting } | F::TimeLimit { waiting, .. } => &waiting.first()?.spawned_at,
            F::Livelock { busy, .. } => &busy.first()?.spawned_at,
            _ => return None,
        };
        let mut parts = place.split(':');
        let file = parts.next()?.to_owned();
        Some((file, parts.next()?.parse().ok()?))
    }

    /// The command of its report that replays it.
    pub fn replay(&self) -> Option<&str> {
        self.report
            .lines()
            .find_map(|line| line.strip_prefix("  replay  "))
    }

    /// The fingerprint as 16 hex digits.
    pub fn hash(&self) -> String {
        format!("{:016x}", hash(self.fingerprint.as_str().as_bytes()))
    }
}
