//! Scenarios as files, and as what a test is to replay.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use super::env;
use crate::explore::{Fingerprint, Label, Scenario};

/// Which of two files of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Shrunk,
}

/// Reads a scenario.
///
/// # Panics
/// If the file cannot be read, is no scenario, or has a format that this version does not know; the
/// message names the file.
pub(super) fn load(path: &Path) -> Scenario {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read the scenario {}: {error}", path.display()));
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Saves a scenario of a failure that was found with this seed, and says where; or why that failed,
/// since a report must not fail for it.
pub(super) fn save(scenario: &Scenario, kind: Kind, seed: u64) -> String {
    let directory = env::scenario_directory();
    // Two packages may have tests of one name.
    let package = env::package().map_or_else(String::new, |package| package + "-");
    let name: String = format!("{package}{}", scenario.test)
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
            _ => '_',
        })
        .collect();
    let kind = match kind {
        Kind::Whole => "",
        Kind::Shrunk => "-shrunk",
    };
    let path = directory.join(format!("{name}-{seed}{kind}.json"));
    let written =
        fs::create_dir_all(&directory).and_then(|()| fs::write(&path, scenario.to_json()));
    match written {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("nowhere: cannot write {}: {error}", path.display()),
    }
}

/// Runs a test of this crate with a scenario of it in place of its seeds, and fails if the failure
/// is still there, or another, or if what the scenario names is not met any more.
///
/// [`Scenario::to_rust_test`] writes the call. `test` is the function that
/// [`#[stormglass::test]`](macro@crate::test) has made.
///
/// # Panics
/// If the test fails, as it does; if the text is no scenario, or one of another test; if the
/// scenario is [stale](Label::Stale).
#[track_caller]
pub fn replay(test: impl FnOnce(), json: &str) {
    let scenario = Scenario::parse(json).unwrap_or_else(|error| panic!("{error}"));
    GIVEN.with(|given| *given.borrow_mut() = Some(scenario));
    test();
    let left = GIVEN.with(|given| given.borrow_mut().take());
    assert!(
        left.is_none(),
        "the function that was given ran no simulation"
    );
}

thread_local! {
    /// The scenario that the next test of this thread replays.
    static GIVEN: RefCell<Option<Scenario>> = const { RefCell::new(None) };
}

/// The scenario that a test is to replay: one that this thread was given, or the environment's.
///
/// # Panics
/// If it cannot be read, or is another test's.
pub(super) fn for_test(name: &str, settings: &env::Settings) -> Option<Scenario> {
    let given = GIVEN.with(|given| given.borrow_mut().take());
    let from = if given.is_some() {
        "that `replay` was given"
    } else {
        "in STORMGLASS_SCENARIO"
    };
    let scenario = given.or_else(|| settings.scenario.as_deref().map(load))?;
    assert!(
        scenario.test == name,
        "the scenario {from} is of the test `{}`, not of `{name}`: run that test alone, with \
         `--exact`",
        scenario.test
    );
    Some(scenario)
}

/// How the failure of a replay compares with the one that was kept, in a few words.
pub(super) fn compare(kept: &Scenario, seen: &Fingerprint) -> &'static str {
    if Label::of(&kept.fingerprint, Some(seen), &[]) == Label::Live {
        "live: the failure is the one that the scenario was saved for"
    } else {
        "changed: the failure is another than the one that the scenario was saved for"
    }
}

/// Says that a scenario ran and did not fail.
///
/// # Panics
/// If it is stale: it shows nothing, and must not look as if it did.
pub(super) fn passed(kept: &Scenario, stale: &[String]) {
    let (name, showed) = (&kept.test, kept.failed.failure.name());
    let (version, moment) = (&kept.stormglass, &kept.failed.moment);
    let told = format!("written by version {version}, it showed: {showed} on {moment}");
    match Label::of(&kept.fingerprint, None, stale) {
        Label::Stale => panic!(
            "the scenario of `{name}` is stale and shows nothing ({}): find the failure anew, or \
             delete it; {told}",
            stale.join("; ")
        ),
        _ => eprintln!("stormglass: the scenario of `{name}` is fixed: it no longer fails; {told}"),
    }
}
