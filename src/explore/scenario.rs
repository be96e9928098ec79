//! A failure that can be kept: everything that is needed to run it again, as data.
//!
//! Owns the format, its version, and what a replay says about a kept failure. It must never know
//! where files are.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use crate::exec::Failed;
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
    /// Which failure that is, whatever the seed.
    pub fingerprint: Fingerprint,
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
            fingerprint: Fingerprint::of(failed),
            digest,
        }
    }

    /// Reads a scenario from JSON.
    ///
    /// # Errors
    /// A sentence, if the text is no scenario, or has a format that this version does not know, or
    /// a configuration or plan that makes no sense.
    pub fn parse(text: &str) -> Result<Self, String> {
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
        let scenario: Self =
            serde_json::from_str(text).map_err(|error| format!("this is no scenario: {error}"))?;
        let checked = scenario.config.validate();
        checked.map_err(|error| format!("the scenario's configuration makes no sense: {error}"))?;
        for plan in &scenario.decisions.plans {
            let checked = plan.validate();
            checked.map_err(|error| format!("the scenario's plan makes no sense: {error}"))?;
        }
        Ok(scenario)
    }

    /// The JSON that [`parse`](Self::parse) reads, for a person too.
    ///
    /// # Panics
    /// If an operation of a workload is a map whose keys are no text, which JSON cannot hold.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a scenario has text keys only") + "\n"
    }

    /// How much there is of it.
    #[must_use]
    pub fn size(&self) -> Size {
        Size::of(&self.decisions)
    }

    /// A Rust test that replays it, to be put into the module of the test that failed: it fails as
    /// long as the failure is there.
    ///
    /// ```no_run
    /// # let text = std::fs::read_to_string("target/stormglass/x-7.json").unwrap();
    /// let scenario = stormglass::explore::Scenario::parse(&text).unwrap();
    /// println!("{}", scenario.to_rust_test());
    /// ```
    #[must_use]
    pub fn to_rust_test(&self) -> String {
        let json = self.to_json();
        // A raw string ends at the first quote with so many hashes.
        let hashes = (1..).map(|count| "#".repeat(count));
        let hashes = hashes.skip_while(|hashes| json.contains(&format!("\"{hashes}")));
        let hashes = hashes.take(1).collect::<String>();
        let function = self.test.rsplit("::").next().unwrap_or(&self.test);
        let (seed, fingerprint) = (self.seed, self.fingerprint.as_str());
        let size = self.size();
        format!(
            "/// Seed {seed} of [`{function}`], with {size}: {fingerprint}.\n\
             #[test]\n\
             fn {function}_seed_{seed}() {{\n    \
                 stormglass::run::replay({function}, SCENARIO_{seed});\n\
             }}\n\n\
             const SCENARIO_{seed}: &str = r{hashes}\"{json}\"{hashes};\n"
        )
    }
}

/// How much there is of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Size {
    /// Faults of all plans.
    pub faults: usize,
    /// Operations of all workloads.
    pub operations: usize,
    /// Members of all groups.
    pub members: u64,
}

impl Size {
    /// The size of decisions.
    #[must_use]
    pub fn of(decisions: &Decisions) -> Self {
        let faults = decisions.plans.iter().map(|plan| plan.faults.len());
        Self {
            faults: faults.sum(),
            operations: decisions.workloads.values().map(Vec::len).sum(),
            members: decisions.groups.values().map(|size| u64::from(*size)).sum(),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (faults, operations) = (self.faults, self.operations);
        let (faults, operations) = (count(faults, "fault"), count(operations, "operation"));
        write!(f, "{faults}, {operations}")
    }
}

/// What a replay says about a kept failure, after the code has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Label {
    /// It fails as it did; the digest may be another.
    Live,
    /// It fails, in another way: whether the old failure is still there is not known.
    Changed,
    /// It does not fail, and all that it names was met.
    Fixed,
    /// It does not fail, and something that it names found no target: it shows nothing.
    Stale,
}

impl Label {
    /// The label of a kept failure by what its replay gave: the failure, if any, and the given
    /// decisions that found nothing to decide ([`Outcome::stale`](crate::sim::Outcome::stale)).
    #[must_use]
    pub fn of(kept: &Fingerprint, seen: Option<&Fingerprint>, stale: &[String]) -> Self {
        match seen {
            Some(seen) if seen == kept => Self::Live,
            Some(_) => Self::Changed,
            None if stale.is_empty() => Self::Fixed,
            None => Self::Stale,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Changed => "changed",
            Self::Fixed => "fixed",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::exec::{Failure, Moment};
    use crate::kernel::{NodeId, SimTime, Step};

    /// A scenario of nothing.
    pub(crate) fn scenario(decisions: &Decisions) -> Scenario {
        let failed = Failed {
            failure: Failure::Error {
                message: "it broke \"#".to_owned(),
            },
            moment: Moment {
                node: NodeId::TEST,
                name: "test".to_owned(),
                incarnation: 1,
                at: SimTime::ZERO,
                step: Step::new(0),
            },
        };
        let digest = String::new();
        Scenario::new("a::b", &Config::default(), 7, decisions, &failed, digest)
    }

    #[test]
    fn what_is_written_is_read() {
        let scenario = scenario(&Decisions::default());
        assert_eq!(Scenario::parse(&scenario.to_json()), Ok(scenario));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let text = scenario(&Decisions::default()).to_json();
        let check = |from: &str, to: &str, part: &str| {
            let error = Scenario::parse(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("\"format\": 2", "\"format\": 3", "format 3");
        check(
            "\"step_limit\": 100000000",
            "\"step_limit\": 0",
            "step_limit",
        );
        check("\"seed\"", "\"sead\"", "sead");
    }

    #[test]
    fn a_label_is_never_green_for_what_was_not_met() {
        let [kept, other] = ["Panic: a", "Panic: b"]
            .map(|words| serde_json::from_value::<Fingerprint>(words.into()).unwrap());
        let unmet = ["fault f1 found no n-7".to_owned()];
        for (seen, stale, label) in [
            (Some(&kept), &[][..], Label::Live),
            (Some(&kept), &unmet[..], Label::Live),
            (Some(&other), &[][..], Label::Changed),
            (None, &[][..], Label::Fixed),
            (None, &unmet[..], Label::Stale),
        ] {
            assert_eq!(Label::of(&kept, seen, stale), label);
        }
    }

    #[test]
    fn a_rust_test_holds_the_scenario_whole() {
        let scenario = scenario(&Decisions::default());
        let text = scenario.to_rust_test();
        assert!(text.contains("fn b_seed_7() {\n    stormglass::run::replay(b, SCENARIO_7);\n}"));
        let (_, raw) = text.split_once("r##\"").unwrap();
        let (json, _) = raw.split_once("\"##").unwrap();
        assert_eq!(Scenario::parse(json), Ok(scenario));
    }
}
