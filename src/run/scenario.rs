//! A failure that can be kept: everything that is needed to run it again, as a JSON file.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::env;
use crate::exec::{Failed, Failure};
use crate::fault::Decisions;
use crate::sim::Config;

/// A failing run, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format.
    pub format: u32,
    /// Version of stormglass that wrote it.
    pub stormglass: String,
    /// Name of the test.
    pub test: String,
    /// The seed.
    pub seed: u64,
    /// The configuration.
    pub config: Config,
    /// What was decided besides: fault plans, workloads, sizes of groups.
    #[serde(default)]
    pub decisions: Decisions,
    /// The failure that it shows.
    pub failed: Failed,
    /// The digest of the failing run, as 32 hex digits.
    pub digest: String,
}

/// The version of the format that this build reads and writes.
const FORMAT: u32 = 2;

impl Scenario {
    pub(crate) fn new(
        test: &str,
        config: &Config,
        seed: u64,
        decisions: &Decisions,
        failed: &Failed,
        digest: String,
    ) -> Self {
        Self {
            format: FORMAT,
            stormglass: env!("CARGO_PKG_VERSION").to_owned(),
            test: test.to_owned(),
            seed,
            config: config.clone(),
            decisions: decisions.clone(),
            failed: failed.clone(),
            digest,
        }
    }

    /// Reads a scenario.
    ///
    /// # Panics
    /// If the file cannot be read, is no scenario, or has a format that this version does not
    /// know; the message names the file.
    pub(crate) fn load(path: &Path) -> Self {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read the scenario {}: {error}", path.display()));
        Self::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
            stormglass: String,
        }
        let about: Format =
            serde_json::from_str(text).map_err(|error| format!("this is no scenario: {error}"))?;
        if about.format != FORMAT {
            return Err(format!(
                "the scenario has format {} (written by stormglass {}) and this version reads \
                 format {FORMAT}: replay it with that version",
                about.format, about.stormglass
            ));
        }
        serde_json::from_str(text).map_err(|error| format!("this is no scenario: {error}"))
    }

    /// Saves it, and says where; or why that failed, since a report must not fail for it.
    pub(crate) fn save(&self) -> String {
        let directory = env::scenario_directory();
        // Two packages may have tests of one name.
        let package = env::package().map_or_else(String::new, |package| package + "-");
        let name: String = format!("{package}{}", self.test)
            .chars()
            .map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
                _ => '_',
            })
            .collect();
        let path = directory.join(format!("{name}-{}.json", self.seed));
        let text = serde_json::to_string_pretty(self).expect("a scenario has text keys only");
        let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, text + "\n"));
        match written {
            Ok(()) => path.display().to_string(),
            Err(error) => format!("nowhere: cannot write {}: {error}", path.display()),
        }
    }

    /// # Panics
    /// If it is another test's.
    pub(crate) fn check_applies_to(&self, name: &str) {
        assert!(
            self.test == name,
            "the scenario in STORMGLASS_SCENARIO is of the test `{}`, not of `{name}`: run that \
             test alone, with `--exact`",
            self.test
        );
    }

    /// Whether a failure is the saved one, as far as a person would say: same kind, and for a
    /// panic the same source line.
    pub(crate) fn compare(&self, failed: &Failed) -> &'static str {
        let same = match (&self.failed.failure, &failed.failure) {
            (Failure::Panic { location: a, .. }, Failure::Panic { location: b, .. }) => a == b,
            (a, b) => a.name() == b.name(),
        };
        if same {
            "the failure is the one that the scenario was saved for"
        } else {
            "the failure is another than the one that the scenario was saved for"
        }
    }

    /// Says that the scenario ran and did not fail, and whether it still says anything: one whose
    /// faults or operations are not met any more is stale.
    pub(crate) fn report_passed(&self, name: &str, stale: &[String]) {
        let Failed { failure, moment } = &self.failed;
        let what = if stale.is_empty() {
            "no longer fails".to_owned()
        } else {
            format!("is stale and shows nothing ({})", stale.join("; "))
        };
        eprintln!(
            "stormglass: the scenario of `{name}` {what}; written by version {}, it showed: {} on \
             {moment}",
            self.stormglass,
            failure.name(),
        );
    }
}
