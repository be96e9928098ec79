//! The log of the examples: each planted bug is found among its crash states, and the log without
//! one survives them all.

use stormglass::explore::{Bounds, CrashBug, Explored, Profile};
use stormglass_clusters::wal::{self, Bug};

fn explore(profile: Profile, bug: Option<Bug>) -> Result<Explored, CrashBug> {
    let bounds = Bounds {
        profile,
        ..Bounds::default()
    };
    wal::explore(&bounds, bug)
}

#[test]
fn it_survives_every_loss_of_power() {
    for &profile in Profile::ALL {
        let told = explore(profile, None);
        let told = told.unwrap_or_else(|bug| panic!("{profile:?}:\n{bug}"));
        assert!(!told.cut_short, "{profile:?}: {told}");
        assert!(told.checks > 20, "{profile:?}: {told}");
    }
}

/// Each bug is found within so many states.
const STATES_MAX: u64 = 10_000;

/// Asserts that a bug is found under the most adversarial file system, what the log then did, and
/// which sync is named.
#[track_caller]
fn check(bug: Bug, message: &str, missing: &[&str]) {
    let found = explore(Profile::Adversarial, Some(bug)).expect_err("a bug to find");
    assert!(found.explored().states < STATES_MAX, "{found}");
    assert!(found.message().contains(message), "{found}");
    assert_eq!(found.missing().len(), missing.len(), "{found}");
    for (line, expected) in found.missing().iter().zip(missing) {
        assert!(line.starts_with(expected), "{found}");
    }
}

#[test]
fn a_log_that_is_not_synced_is_found() {
    let missing = ["sync of the content of /db/wal, before acknowledgement 1"];
    check(Bug::NoFileSync, "0 changes are there of 1", &missing);
}

#[test]
fn a_directory_that_is_not_synced_is_found() {
    let missing = ["sync of the directory /db, before acknowledgement 1"];
    check(Bug::NoDirectorySync, "0 changes are there of 1", &missing);
}

#[test]
fn a_rename_before_the_sync_is_found() {
    let missing = ["sync of the content of /db/wal, before the name /db/wal"];
    check(Bug::RenameBeforeSync, "changes are there of 2", &missing);
}

#[test]
fn a_record_without_a_checksum_is_found() {
    let missing = ["sync of the content of /db/wal, before"];
    check(Bug::NoChecksum, "no changes ever made this", &missing);
}

#[test]
fn a_length_that_is_trusted_is_found() {
    let missing = ["sync of the content of /db/wal, before"];
    check(Bug::TrustLength, "no record at byte 0", &missing);
}

#[test]
fn a_sync_that_is_tried_again_is_found() {
    // What the failed sync lost, no other sync brings back.
    let message = "3 changes are there of 4 acknowledged";
    check(Bug::RetryFailedSync, message, &[]);
}
