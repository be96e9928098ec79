//! The command line: what can be asked for, and its words.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::stop;
use crate::units;

/// Finds the tests with `#[stormglass::test]` of a workspace, and runs them by the thousand in
/// processes of their own.
#[derive(Debug, Parser)]
#[command(name = "cargo stormglass", bin_name = "cargo stormglass", version)]
#[command(after_help = stop::TABLE)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the tests, without running anything of them.
    List(ListArgs),
    /// Runs tests: the corpus first, then seeds; each failure is confirmed, told once and saved.
    #[command(after_help = stop::TABLE)]
    Run(Box<RunArgs>),
    /// Runs a saved failure, or a seed of a test, and tells whether it is the same again.
    #[command(after_help = stop::TABLE)]
    Replay(ReplayArgs),
    /// Makes a saved failure smaller while it stays the same failure.
    Shrink(ShrinkArgs),
    /// Compares a seed of a test with itself in a fresh process, and names the leak if they differ.
    Doctor(DoctorArgs),
    /// Saved failures: lists them, runs them, or deletes those that fail no more.
    Corpus(CorpusArgs),
    /// Prints a Rust test that replays a saved failure.
    ToTest(ToTestArgs),
    /// Judges a history from elsewhere: its last line begins with `linearizable`, `violation` or
    /// `unknown`; of transactions with `valid` or `invalid`.
    #[command(after_help = CHECK_CODES)]
    Check(CheckArgs),
}

/// What is passed on to `cargo test --no-run`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Build")]
pub struct CargoArgs {
    /// Only this package; can be given again.
    #[arg(short, long = "package", value_name = "SPEC")]
    pub packages: Vec<String>,
    /// All packages of the workspace.
    #[arg(long)]
    pub workspace: bool,
    /// Only this integration test; can be given again.
    #[arg(long = "test", value_name = "NAME")]
    pub tests: Vec<String>,
    /// Only the library's own tests.
    #[arg(long)]
    pub lib: bool,
    /// Features to switch on, by commas.
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    #[arg(long)]
    pub all_features: bool,
    #[arg(long)]
    pub no_default_features: bool,
    /// Optimised.
    #[arg(short, long)]
    pub release: bool,
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    #[arg(long, value_name = "DIRECTORY")]
    pub target_dir: Option<PathBuf>,
    #[arg(long)]
    pub locked: bool,
    #[arg(long)]
    pub offline: bool,
}

impl CargoArgs {
    /// The arguments again, for cargo or for a command that is printed; without those that choose
    /// tests.
    pub fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let flags = [
            (self.all_features, "--all-features"),
            (self.no_default_features, "--no-default-features"),
            (self.release, "--release"),
            (self.locked, "--locked"),
            (self.offline, "--offline"),
        ];
        words.extend(
            flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, word)| (*word).to_owned()),
        );
        for features in &self.features {
            words.extend(["--features".to_owned(), features.clone()]);
        }
        if let Some(profile) = &self.profile {
            words.extend(["--profile".to_owned(), profile.clone()]);
        }
        for (word, path) in [
            ("--manifest-path", &self.manifest_path),
            ("--target-dir", &self.target_dir),
        ] {
            if let Some(path) = path {
                words.extend([word.to_owned(), path.display().to_string()]);
            }
        }
        words
    }

    /// The arguments that choose what is built.
    pub fn selection(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.workspace {
            words.push("--workspace".to_owned());
        }
        if self.lib {
            words.push("--lib".to_owned());
        }
        for package in &self.packages {
            words.extend(["--package".to_owned(), package.clone()]);
        }
        for test in &self.tests {
            words.extend(["--test".to_owned(), test.clone()]);
        }
        words
    }
}

/// What a process of a test may do.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Processes of tests")]
pub struct ProcessArgs {
    /// Address space that a process of a test may use, such as `512MiB`; what asks for more dies.
    #[arg(long, value_name = "BYTES", default_value = "4GiB", value_parser = units::parse_bytes)]
    pub memory: u64,
    /// Kills a process that has said nothing for so long: it should tell of hangs by itself.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::parse_time)]
    pub timeout: Duration,
}

impl ProcessArgs {
    /// Those that are not as usual, again, for a command that is printed.
    pub fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.memory != 4 << 30 {
            words.extend(["--memory".to_owned(), self.memory.to_string()]);
        }
        if self.timeout != Duration::from_secs(600) {
            words.extend([
                "--timeout".to_owned(),
                format!("{}ms", self.timeout.as_millis()),
            ]);
        }
        words
    }
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only tests whose name has this in it.
    pub filter: Option<String>,
    /// As lines of JSON.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Only tests whose name has this in it.
    pub filter: Option<String>,
    /// So many seeds of each test from its first on, or from A to B - 1; else as many as the test
    /// says.
    #[arg(long, value_name = "N | A..B", value_parser = Seeds::parse)]
    pub seeds: Option<Seeds>,
    /// Adds this to all seeds, such as the number of a nightly run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed_offset: u64,
    /// New seeds for so long, such as `90s` or `10m`.
    #[arg(long = "for", value_name = "TIME", value_parser = units::parse_time)]
    pub time: Option<Duration>,
    /// Stops after so many distinct failures.
    #[arg(long, value_name = "K")]
    pub until_failures: Option<usize>,
    /// So many processes at once; else one for each core.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// The M-th of N parts of the seeds, for N machines: a slice of a range, or, without an end,
    /// seeds from (M - 1) * 2^40 on.
    #[arg(long, value_name = "M/N", value_parser = Partition::parse)]
    pub partition: Option<Partition>,
    /// `seed`: a process for each seed, so that statics are fresh.
    #[arg(long, value_enum)]
    pub isolate: Option<Isolate>,
    /// A goal that so many seeds did not reach fails the campaign; 0 is never.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub goals_after: u64,
    /// Goes on with the last campaign that was interrupted or killed, with its own arguments.
    #[arg(long)]
    pub resume: bool,
    /// Makes failures smaller before they are saved (the default).
    #[arg(long, overrides_with = "no_shrink")]
    pub shrink: bool,
    /// Saves failures as they are.
    #[arg(long)]
    pub no_shrink: bool,
    /// For how long each failure is made smaller.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::parse_time)]
    pub shrink_for: Duration,
    /// Where failures are saved and read first the next time; else `stormglass/corpus` beside the
    /// package's Cargo.toml, so that they can be committed.
    #[arg(long, value_name = "DIRECTORY")]
    pub corpus: Option<PathBuf>,
    /// Leaves the corpus alone: neither runs it nor saves to it.
    #[arg(long, conflicts_with = "corpus")]
    pub no_corpus: bool,
    /// Writes JUnit's XML to a file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Writes SARIF to a file, for code scanning.
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Adds a summary in Markdown to a file; else to that of `GITHUB_STEP_SUMMARY`, if it is set.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// What is printed: text, or a line of JSON for each event.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// How often a line of progress is printed if there is no terminal.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::parse_time)]
    pub progress_every: Duration,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A saved failure, or the name of a test.
    pub what: String,
    /// The seed, if a test is named.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Prints all that happens up to this step.
    #[arg(long, value_name = "N")]
    pub until_step: Option<u64>,
    /// Prints all that happens up to this virtual time, such as `1.5s`.
    #[arg(long, value_name = "TIME", value_parser = units::parse_time)]
    pub at: Option<Duration>,
    /// Of what is printed, only so many last lines.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Prints the program's `tracing` events up to this level.
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// A saved failure.
    pub file: PathBuf,
    /// Where the smaller one goes; else over the file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// For how long.
    #[arg(long = "for", value_name = "TIME", default_value = "60s")]
    #[arg(value_parser = units::parse_time)]
    pub time: Duration,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The name of a test.
    pub test: String,
    /// The seed; else the test's first.
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Debug, Args)]
pub struct CorpusArgs {
    #[arg(value_enum, default_value_t = CorpusAction::List)]
    pub action: CorpusAction,
    /// Only tests whose name has this in it.
    pub filter: Option<String>,
    /// The directory; else `stormglass/corpus` of each package.
    #[arg(long, value_name = "DIRECTORY")]
    pub corpus: Option<PathBuf>,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub cargo: CargoArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CorpusAction {
    /// Lists the files, and what each shows.
    List,
    /// Runs them: live, fixed or stale.
    Run,
    /// Runs them, and deletes those that are fixed or stale.
    Prune,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The history; `-` is the standard input.
    pub file: PathBuf,
    /// What it is judged by: register, cas-register, multi-register, kv, set, queue, counter, lock;
    /// list-append or rw-register for transactions, which may be followed by a colon and the level
    /// that is promised, such as `list-append:snapshot-isolation`.
    #[arg(short, long)]
    pub model: String,
    /// The form of the file: jsonl, edn or etcd-log; as it looks, if not given.
    #[arg(long)]
    pub format: Option<String>,
    /// Configurations that the search may have for each object.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub configurations: u64,
    /// How long it may take, such as 30s; any time, if not given.
    #[arg(long, value_name = "TIME", value_parser = units::parse_time)]
    pub timeout: Option<Duration>,
    /// Where a page is written that shows a violation.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// What `--help` says of how `check` ends.
const CHECK_CODES: &str = "\
Exit codes:
    0  the promise is kept
    5  unknown: the search came to its end before
   96  wrong usage, or a malformed file
  100  the promise is broken";

#[derive(Debug, Args)]
pub struct ToTestArgs {
    /// A saved failure.
    pub file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Ndjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isolate {
    Seed,
}

/// Which seeds of each test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// So many from the test's first on.
    Count(u64),
    /// From the first to the second, without it.
    Range(u64, u64),
}

impl Seeds {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "give a number above 0, or a range such as 5..10".to_owned();
        let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|_| wrong());
        let seeds = match text.split_once("..") {
            Some((first, end)) => Self::Range(number(first)?, number(end)?),
            None => Self::Count(number(text)?),
        };
        match seeds {
            Self::Count(0) => Err(wrong()),
            Self::Range(first, end) if first >= end => Err(wrong()),
            seeds => Ok(seeds),
        }
    }
}

/// A part of the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// From 1.
    pub number: u64,
    pub of: u64,
}

impl Partition {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(m, n)| Some((m.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of && of <= 1 << 20 => {
                Ok(Self { number, of })
            }
            _ => Err("give the part and how many there are, such as 2/8".to_owned()),
        }
    }
}

/// The arguments, without the name of the subcommand that cargo puts first.
pub fn words() -> Vec<OsString> {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "stormglass") {
        words.remove(1);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn seeds_and_parts_are_checked() {
        assert_eq!(Seeds::parse("10_000"), Ok(Seeds::Count(10_000)));
        assert_eq!(Seeds::parse("5..10"), Ok(Seeds::Range(5, 10)));
        for wrong in ["0", "5..5", "x", "5..", "-1"] {
            assert!(Seeds::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Partition::parse("2/8"), Ok(Partition { number: 2, of: 8 }));
        for wrong in ["0/8", "9/8", "8", "/", "1/0"] {
            assert!(Partition::parse(wrong).is_err(), "{wrong}");
        }
    }
}
