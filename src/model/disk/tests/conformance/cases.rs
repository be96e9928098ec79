//! Named cases, by area: a name, a script, and the outcome of its last step. The outcome is for the
//! reader: what decides is the kernel, with which the model must agree at each step.

use super::*;

/// What the machine must have for a case to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// `O_DIRECT`, which some file systems do not know.
    Direct,
    /// The longest file of ext4.
    Limit,
    /// A user whom permissions stop.
    User,
}

/// Where the machine has not what is needed, the model alone must give what is expected.
#[track_caller]
fn check(needs: Needs, cases: &str) {
    let facts = Place::Disk.facts();
    let compares = match needs {
        Needs::Nothing => true,
        Needs::Direct => facts.has_direct,
        Needs::Limit => facts.is_limited_as_ext4,
        Needs::User => !kernel::is_root(),
    };
    if !compares {
        eprintln!("not compared with the kernel, which lacks {needs:?}");
    }
    let mut complaints = String::new();
    for case in cases.trim_end().split("\n\n") {
        let lines: Vec<&str> = case.lines().collect();
        let [name, script, expected] = lines[..] else {
            panic!("three lines: {case}");
        };
        let outcome = if compares {
            let steps: Vec<String> = script.split("; ").map(str::to_owned).collect();
            compare(Place::Disk, &steps)
        } else {
            Ok(disk().run(script))
        };
        if outcome.as_deref() != Ok(expected) {
            complaints += &format!("{name}\n{script}\n{outcome:?} instead of {expected}\n");
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn opening() {
    check(Needs::Nothing, include_str!("cases/opening.txt"));
}

#[test]
fn reading_and_writing() {
    check(
        Needs::Nothing,
        include_str!("cases/reading_and_writing.txt"),
    );
}

#[test]
fn places_and_lengths() {
    check(Needs::Nothing, include_str!("cases/places_and_lengths.txt"));
}

#[test]
fn duplicates_and_syncs() {
    check(
        Needs::Nothing,
        include_str!("cases/duplicates_and_syncs.txt"),
    );
}

#[test]
fn past_the_page_cache() {
    check(Needs::Direct, include_str!("cases/past_the_page_cache.txt"));
}

#[test]
fn directories() {
    check(Needs::Nothing, include_str!("cases/directories.txt"));
}

#[test]
fn files_taken_away() {
    check(Needs::Nothing, include_str!("cases/files_taken_away.txt"));
}

#[test]
fn renaming() {
    check(Needs::Nothing, include_str!("cases/renaming.txt"));
}

#[test]
fn links() {
    check(Needs::Nothing, include_str!("cases/links.txt"));
}

#[test]
fn paths() {
    check(Needs::Nothing, include_str!("cases/paths.txt"));
}

#[test]
fn modes() {
    check(Needs::Nothing, include_str!("cases/modes.txt"));
}

#[test]
fn permissions() {
    check(Needs::User, include_str!("cases/permissions.txt"));
}

#[test]
fn locks() {
    check(Needs::Nothing, include_str!("cases/locks.txt"));
}

#[test]
fn limits() {
    check(Needs::Limit, include_str!("cases/limits.txt"));
}

#[test]
fn forty_links() {
    let chain = |length: u32| {
        let mut steps = vec!["put 0 x".to_owned()];
        steps.extend((0..length).map(|link| format!("symlink {} {}", link, link + 1)));
        steps.extend(["stat", "real", "rm"].map(|call| format!("{call} {length}")));
        steps
    };
    for length in [39, 40, 41] {
        assert_eq!(compare(Place::Disk, &chain(length)), Ok("ok".to_owned()));
    }
}
