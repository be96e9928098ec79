//! The environment variables, read once and checked.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::doctor::Order;
use super::worker;
use crate::kernel::span::Span;
use crate::sim::Config;

/// What the environment asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) seeds: Seeds,
    /// `STORMGLASS_CHECK`: run the determinism doctor too.
    pub(crate) check: bool,
    /// `STORMGLASS_LOG`: print `tracing` events up to this level.
    pub(crate) log: Option<LevelFilter>,
    /// `STORMGLASS_SCENARIO`: replay this file, with its seed, whatever `seeds` says.
    pub(crate) scenario: Option<PathBuf>,
    /// `STORMGLASS_SHRINK`: make a failure small before it is reported, for at most so long.
    pub(crate) shrink: Option<Duration>,
    /// The socket of the runner that this process is a worker of, if it is.
    pub(crate) worker: Option<PathBuf>,
    /// How many bytes of memory a worker may use.
    pub(crate) worker_memory: Option<u64>,
    /// What the doctor started this process for, if it did.
    pub(crate) order: Option<Order>,
}

/// Which seeds to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Seeds {
    /// As the test says.
    #[default]
    AsConfigured,
    /// `STORMGLASS_SEED`: this one.
    One(u64),
    /// `STORMGLASS_SEEDS=N`: so many, from the test's first on.
    Count(u64),
    /// `STORMGLASS_SEEDS=A..B`: from A to B - 1.
    Range(u64, u64),
}

impl Seeds {
    pub(crate) fn override_in(&self, config: &mut Config) {
        match *self {
            Self::AsConfigured => {}
            Self::One(seed) => (config.first_seed, config.seeds) = (seed, 1),
            Self::Count(count) => config.seeds = count,
            Self::Range(first, end) => (config.first_seed, config.seeds) = (first, end - first),
        }
    }
}

impl Settings {
    /// A command that replays one seed of a test, or the scenario that is being replayed; with the
    /// doctor's check, if that is what failed.
    pub(crate) fn replay_command(&self, name: &str, seed: u64, check: bool) -> String {
        let check = if check { "STORMGLASS_CHECK=1 " } else { "" };
        let what = match &self.scenario {
            Some(path) => format!("STORMGLASS_SCENARIO={}", path.display()),
            None => format!("STORMGLASS_SEED={seed}"),
        };
        command(name, &format!("{check}{what}"))
    }

    /// A command that replays a scenario of a test.
    pub(crate) fn replay_file_command(name: &str, path: &str) -> String {
        command(name, &format!("STORMGLASS_SCENARIO={path}"))
    }
}

/// A command that runs one test with some variables.
fn command(name: &str, variables: &str) -> String {
    if name.contains(".rs:") {
        // A plain program: the same arguments again.
        let arguments: Vec<String> = std::env::args().collect();
        return format!("{variables} {}", arguments.join(" "));
    }
    // A workspace may have tests of one name in several packages; cargo and nextest tell which.
    let package = package().map_or_else(String::new, |package| format!(" -p {package}"));
    format!("{variables} cargo test{package} {name} -- --exact")
}

/// The settings of this process.
///
/// # Panics
/// If a variable makes no sense, with the variable and what it may be.
pub(crate) fn get() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| parse(variable).unwrap_or_else(|error| panic!("{error}")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn parse(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
    let mut settings = Settings::default();
    if let Some(text) = variable("STORMGLASS_SEEDS") {
        settings.seeds = parse_seeds(&text).ok_or_else(|| {
            format!("STORMGLASS_SEEDS is `{text}`: give a number above 0, or a range such as 5..10")
        })?;
    }
    if let Some(text) = variable("STORMGLASS_SEED") {
        let seed = text.parse().map_err(|_| {
            format!("STORMGLASS_SEED is `{text}`: give a number from 0 to 18446744073709551615")
        })?;
        settings.seeds = Seeds::One(seed);
    }
    if let Some(text) = variable("STORMGLASS_CHECK") {
        settings.check = match text.as_str() {
            "0" => false,
            "1" => true,
            _ => return Err(format!("STORMGLASS_CHECK is `{text}`: give 1 or 0")),
        };
    }
    if let Some(text) = variable("STORMGLASS_LOG") {
        let level = text.parse().map_err(|_| {
            format!("STORMGLASS_LOG is `{text}`: give error, warn, info, debug, trace or off")
        })?;
        settings.log = Some(level);
    }
    if let Some(text) = variable("STORMGLASS_SHRINK") {
        settings.shrink = match (text.as_str(), text.parse::<Span>()) {
            ("0", _) => None,
            ("1", _) => Some(SHRINK_FOR),
            (_, Ok(Span(limit))) => Some(limit),
            (_, Err(error)) => {
                return Err(format!(
                    "STORMGLASS_SHRINK is `{text}`: give 1, 0, or for how long, such as 30s \
                     ({error})"
                ));
            }
        };
    }
    settings.scenario = variable("STORMGLASS_SCENARIO").map(PathBuf::from);
    settings.worker = variable(worker::SOCKET).map(PathBuf::from);
    if let Some(text) = variable(worker::MEMORY) {
        let bytes = text.parse();
        let wrong = |_| format!("{} is `{text}`: give a number of bytes", worker::MEMORY);
        settings.worker_memory = Some(bytes.map_err(wrong)?);
    }
    settings.order = variable(Order::VARIABLE)
        .map(|text| Order::parse(&text))
        .transpose()?;
    Ok(settings)
}

/// How long a failure is shrunk if the environment does not say.
const SHRINK_FOR: Duration = Duration::from_secs(60);

fn parse_seeds(text: &str) -> Option<Seeds> {
    let Some((first, end)) = text.split_once("..") else {
        return text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .map(Seeds::Count);
    };
    let (first, end) = (first.parse().ok()?, end.parse().ok()?);
    (first < end).then_some(Seeds::Range(first, end))
}

/// The package whose tests run, if cargo or nextest runs them.
pub(crate) fn package() -> Option<String> {
    variable("CARGO_PKG_NAME")
}

/// Where failing scenarios are saved: `STORMGLASS_DIR`, or `stormglass` in the target directory
/// that this program was built in, or else `target/stormglass` below the working directory.
pub(crate) fn scenario_directory() -> PathBuf {
    if let Some(directory) = variable("STORMGLASS_DIR") {
        return PathBuf::from(directory);
    }
    let program = std::env::current_exe().unwrap_or_default();
    // Cargo marks the target directory as a cache.
    let target = program
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("stormglass")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Result<Settings, &str>) {
        let parsed = parse(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        match (parsed, expected) {
            (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (parsed, expected) => panic!("{parsed:?} is not {expected:?}"),
        }
    }

    #[test]
    fn nothing_set_changes_nothing() {
        check(&[], Ok(Settings::default()));
    }

    #[test]
    fn seeds_are_a_number_a_range_or_one() {
        let with = |seeds| {
            Ok(Settings {
                seeds,
                ..Settings::default()
            })
        };
        check(&[("STORMGLASS_SEEDS", "5")], with(Seeds::Count(5)));
        check(&[("STORMGLASS_SEEDS", "5..10")], with(Seeds::Range(5, 10)));
        check(&[("STORMGLASS_SEED", "7")], with(Seeds::One(7)));
        check(
            &[("STORMGLASS_SEED", "7"), ("STORMGLASS_SEEDS", "5")],
            with(Seeds::One(7)),
        );
        for wrong in ["0", "x", "5..5", "9..5", "..", "-1"] {
            check(&[("STORMGLASS_SEEDS", wrong)], Err("STORMGLASS_SEEDS"));
        }
        check(&[("STORMGLASS_SEED", "x")], Err("STORMGLASS_SEED"));
    }

    #[test]
    fn the_others_are_checked_too() {
        check(
            &[("STORMGLASS_CHECK", "1"), ("STORMGLASS_LOG", "debug")],
            Ok(Settings {
                check: true,
                log: Some(LevelFilter::DEBUG),
                ..Settings::default()
            }),
        );
        for (text, limit) in [
            ("0", None),
            ("1", Some(SHRINK_FOR)),
            ("90s", Some(Duration::from_secs(90))),
        ] {
            check(
                &[("STORMGLASS_SHRINK", text)],
                Ok(Settings {
                    shrink: limit,
                    ..Settings::default()
                }),
            );
        }
        check(&[("STORMGLASS_SHRINK", "90")], Err("STORMGLASS_SHRINK"));
        check(&[("STORMGLASS_CHECK", "yes")], Err("STORMGLASS_CHECK"));
        check(&[("STORMGLASS_LOG", "loud")], Err("STORMGLASS_LOG"));
    }

    #[test]
    fn overrides_reach_the_configuration() {
        let mut config = Config {
            first_seed: 3,
            seeds: 9,
            ..Config::default()
        };
        Seeds::Count(2).override_in(&mut config);
        assert_eq!((config.first_seed, config.seeds), (3, 2));
        Seeds::Range(5, 10).override_in(&mut config);
        assert_eq!((config.first_seed, config.seeds), (5, 5));
        Seeds::One(u64::MAX).override_in(&mut config);
        assert_eq!((config.first_seed, config.seeds), (u64::MAX, 1));
    }
}
