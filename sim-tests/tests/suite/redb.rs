//! redb, a real engine, on a simulated disk: the crash states of a few commits.
//!
//! Version 4.1.0 has a bug that loses the whole database, which 4.2.0 does not have. As no lock
//! file can hold both, and the newest, each of the two is a package of its own.

use std::time::Instant;

use stormglass::explore::{Bounds, CrashBug};

use super::nested;

#[path = "../../engines/redb.rs"]
mod engine;

use engine::{Creation, Planted};

#[test]
fn redb_4_1_0_is_found_failing() {
    let (code, text) = nested::engine("redb-4.1.0");
    assert_eq!(code, Some(100), "{text}");
    // Each with how redb came there.
    let storage = "redb-4.1.0/src/tree_store/page_store/";
    let [grow, header, commit] = [
        "page_manager.rs:",
        "cached_file.rs:",
        "src/transactions.rs:",
    ];
    for parts in [
        &["  what  ", "raw_file_len()? >= header.layout().len()"][..],
        &[
            "  lost     length of /redb from 1056768 to 2109440 at ",
            storage,
            grow,
        ],
        &[
            "  missing  sync of the content of /redb, before the write to /redb in bytes 0..512 ",
            storage,
            header,
            commit,
        ],
    ] {
        let tells = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(text.lines().any(tells), "{parts:?} are not in:\n{text}");
    }
}

#[test]
fn redb_4_2_0_passes() {
    let (code, text) = nested::engine("redb-4.2.0");
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("cut short"), "{text}");
}

#[test]
fn the_newest_redb_passes() {
    for (bounds, commits) in engine::tours() {
        let begin = Instant::now();
        let explored = engine::explore(&bounds, commits, Planted::Nothing)
            .unwrap_or_else(|bug| panic!("{bug}"));
        eprintln!("{commits} commits: {explored}; {:?}", begin.elapsed());
        assert!(explored.checks > 100 && !explored.cut_short, "{explored}");
    }
}

fn bug(planted: Planted) -> CrashBug {
    let [(bounds, commits), _] = engine::tours();
    engine::explore(&bounds, commits, planted).expect_err("a bug to find")
}

#[test]
fn redb_on_a_backend_that_does_not_sync_fails() {
    let bug = bug(Planted::NoSync);
    assert!(
        bug.missing()[0].starts_with("sync of the content of /redb, "),
        "{bug}"
    );
}

#[test]
fn a_commit_of_redb_that_is_not_there_is_found() {
    let bug = bug(Planted::EarlyAck);
    assert_eq!(bug.message(), "[] with 1 commits acknowledged", "{bug}");
}

/// A file that was being made when power was lost has no magic number yet, and redb refuses it: so
/// a database is made under another name.
#[test]
fn a_database_of_redb_that_is_being_made() {
    let bounds = Bounds::default();
    let bug = engine::explore_creation(&bounds, Creation::InPlace).expect_err("it is refused");
    assert!(bug.message().contains("magic number mismatch"), "{bug}");
    let explored =
        engine::explore_creation(&bounds, Creation::Beside).unwrap_or_else(|bug| panic!("{bug}"));
    eprintln!("creation: {explored}");
    assert!(explored.checks > 20, "{explored}");
    let bug = engine::explore_creation(&bounds, Creation::NoDirectorySync).expect_err("a bug");
    let missing = "sync of the directory /, before acknowledgement 1";
    assert!(bug.missing()[0].starts_with(missing), "{bug}");
}
