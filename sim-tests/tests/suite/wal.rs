//! The log of the examples: each planted bug is found among its crash states, and the log without
//! one survives them all.

use std::fs;
use std::io;
use std::time::Duration;

use stormglass::explore::{Bounds, CrashBug, Explored, NodeCtx, Profile, explore_crashes_on_node};
use stormglass::fs as asynchronous;
use stormglass::time::sleep;
use stormglass_clusters::wal::{self, Bug, Wal};

use super::nested;

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

/// The log in an asynchronous program, whose blocking calls are for the disk of its node.
async fn count(ctx: NodeCtx<u32>, bug: Option<Bug>) -> io::Result<()> {
    let mut wal = Wal::open("/", bug)?;
    for number in 0..3 {
        wal.set("number", &number.to_string())?;
        ctx.ack(number);
        sleep(Duration::from_secs(1)).await;
        if number == 1 {
            wal.compact()?;
        }
    }
    Ok(())
}

async fn recount(acked: Vec<u32>, bug: Option<Bug>) -> Result<(), String> {
    let wal = Wal::open("/", bug).map_err(|error| error.to_string())?;
    let number = wal.map().get("number");
    let number: Option<u32> = number.map(|text| text.parse().expect("a number"));
    if number < acked.last().copied() {
        return Err(format!("there is {number:?} after {acked:?}"));
    }
    Ok(())
}

fn explore_on_node(profile: Profile, bug: Option<Bug>) -> Result<Explored, CrashBug> {
    let bounds = Bounds {
        profile,
        ..Bounds::default()
    };
    explore_crashes_on_node(
        &bounds,
        |_| async {},
        move |ctx| count(ctx, bug),
        move |_, acked| recount(acked, bug),
    )
}

#[test]
fn on_a_node_it_survives_as_well() {
    for &profile in Profile::ALL {
        let told = explore_on_node(profile, None);
        let told = told.unwrap_or_else(|bug| panic!("{profile:?}:\n{bug}"));
        assert!(told.checks > 5, "{profile:?}: {told}");
    }
}

#[test]
fn on_a_node_bugs_are_found_as_well() {
    for bug in [
        Bug::NoFileSync,
        Bug::NoDirectorySync,
        Bug::RenameBeforeSync,
        Bug::TrustLength,
    ] {
        let found = explore_on_node(Profile::Adversarial, Some(bug));
        let found = found.expect_err(bug.name());
        assert!(found.explored().states < STATES_MAX, "{found}");
    }
}

/// Asserts that a line tells how the program came to a place, from these functions of this file.
#[track_caller]
fn came_by(line: &str, place: &str, calls: usize) {
    let (_, told) = line.split_once(" at ").unwrap();
    let (at, by) = told.split_once(" by ").unwrap_or_else(|| panic!("{line}"));
    assert!(at.starts_with(place), "{line}");
    assert_eq!(by.split(", ").count(), calls, "{line}");
}

#[test]
fn a_report_tells_how_the_log_came_there() {
    let found = explore(Profile::Adversarial, Some(Bug::NoFileSync)).unwrap_err();
    // Written by `set`, which the workload calls, as it calls what acknowledges.
    came_by(&found.lost()[0], "examples/clusters/src/wal.rs:", 2);
    let found = explore_on_node(Profile::Adversarial, Some(Bug::NoFileSync)).unwrap_err();
    came_by(&found.lost()[0], "examples/clusters/src/wal.rs:", 1);
}

async fn note(text: &str) -> io::Result<()> {
    asynchronous::write("/note", text).await
}

async fn note_twice() -> io::Result<()> {
    note("one").await?;
    // Carried out by the disk when nothing of this is on the stack.
    note("two").await
}

#[test]
fn a_report_tells_how_asynchronous_code_came_there() {
    let found = explore_crashes_on_node(
        &Bounds::default(),
        |_| async {},
        |ctx: NodeCtx<()>| async move {
            note_twice().await?;
            asynchronous::File::open("/").await?.sync_all().await?;
            ctx.ack(());
            io::Result::Ok(())
        },
        |_, acked| async move {
            match asynchronous::read("/note").await {
                Ok(text) if text == b"two" => Ok(()),
                _ if acked.is_empty() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    );
    let found = found.unwrap_err();
    came_by(&found.lost()[0], "sim-tests/tests/suite/wal.rs:", 2);
    assert!(
        found.missing()[0].contains(" before acknowledgement 1 at sim-tests/"),
        "{found}"
    );
}

#[test]
fn the_readme_shows_what_is_found() {
    let readme = fs::read_to_string(nested::workspace().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Crash states\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let found = explore(Profile::Adversarial, Some(Bug::RenameBeforeSync)).unwrap_err();
    let report = format!("```text\nadversarial: {found}\n```\n");
    assert!(section.contains(&report), "{report}");
}
