//! Random sequences of calls in a small space of names, so that they meet often, and what must hold
//! after each.
//!
//! There is no `..` among the paths: with symbolic links it would lead the kernel's arm of
//! `conformance` out of its directory.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

use super::super::crash::{CrashPoint, Fill, Mark};
use super::super::image::{Image, Ino, Inode, Name};
use super::super::store::Syncing;
use super::*;

fn path() -> impl Strategy<Value = &'static str> {
    const PATHS: &[&str] = &[
        "a", "a", "a", "b", "b", "d", "d", "d", "e", "e", "l", "d/a", "d/a", "d/b", "d/e", "d/e",
        "e/a", "e/b", "e/d", "d/l", "l/a", "l/b", "d/e/a", "a/", "d/", "l/", "/a", "d//a", "./e",
        "d/.", "l/.",
    ];
    select(PATHS)
}

fn target() -> impl Strategy<Value = &'static str> {
    const TARGETS: &[&str] = &[
        "a", "b", "d", "e", "l", "d/a", "e/b", "/a", "/d", "/d/l", "d/", "b/",
    ];
    select(TARGETS)
}

fn flags() -> impl Strategy<Value = &'static str> {
    const FLAGS: &[&str] = &[
        "read",
        "write",
        "read,write",
        "append",
        "read,append",
        "read,write,create",
        "read,write,create",
        "read,append,create",
        "read,write,create,truncate",
        "read,write,new",
        "read,directory",
        "read,nofollow",
        "write,create,nofollow",
    ];
    select(FLAGS)
}

fn mode(harmless: bool) -> impl Strategy<Value = &'static str> {
    const HARMLESS: &[&str] = &["700", "755", "711", "770"];
    const ALL: &[&str] = &["700", "700", "755", "711", "600", "500", "300", "100", "0"];
    select(if harmless { HARMLESS } else { ALL })
}

fn fd() -> impl Strategy<Value = u32> {
    3..7_u32
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[xyz]{1,9}",
        (1..6000_u32).prop_map(|length| format!("{{{length}}}"))
    ]
}

fn place() -> impl Strategy<Value = u32> {
    prop_oneof![0..10_u32, 4090..4100_u32, 0..9000_u32]
}

/// A call; of modes only those that stop no owner, if they are to be harmless.
pub(super) fn step(harmless: bool) -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (path(), flags()).prop_map(|(path, flags)| format!("open {path} {flags}")),
        6 => (path(), text()).prop_map(|(path, text)| format!("put {path} {text}")),
        4 => fd().prop_map(|fd| format!("close {fd}")),
        2 => fd().prop_map(|fd| format!("dup {fd}")),
        4 => (fd(), place()).prop_map(|(fd, length)| format!("read {fd} {length}")),
        2 => (fd(), place(), place())
            .prop_map(|(fd, length, at)| format!("read {fd} {length} @{at}")),
        6 => (fd(), text()).prop_map(|(fd, text)| format!("write {fd} {text}")),
        4 => (fd(), text(), place()).prop_map(|(fd, text, at)| format!("write {fd} {text} @{at}")),
        2 => (fd(), place()).prop_map(|(fd, to)| format!("seek {fd} start {to}")),
        2 => (fd(), -20..20_i32).prop_map(|(fd, by)| format!("seek {fd} current {by}")),
        2 => (fd(), -20..20_i32).prop_map(|(fd, by)| format!("seek {fd} end {by}")),
        4 => (fd(), place()).prop_map(|(fd, length)| format!("len {fd} {length}")),
        2 => path().prop_map(|path| format!("stat {path}")),
        2 => path().prop_map(|path| format!("lstat {path}")),
        1 => fd().prop_map(|fd| format!("fstat {fd}")),
        1 => (path(), mode(harmless)).prop_map(|(path, mode)| format!("chmod {path} {mode}")),
        8 => path().prop_map(|path| format!("mkdir {path}")),
        5 => path().prop_map(|path| format!("rm {path}")),
        4 => path().prop_map(|path| format!("rmdir {path}")),
        14 => (path(), path()).prop_map(|(from, to)| format!("mv {from} {to}")),
        7 => (path(), path()).prop_map(|(original, link)| format!("ln {original} {link}")),
        6 => (target(), path()).prop_map(|(target, link)| format!("symlink {target} {link}")),
        1 => path().prop_map(|path| format!("readlink {path}")),
        2 => path().prop_map(|path| format!("ls {path}")),
        // Whether a `.` at the end needs a permission is the C library's to say.
        2 => path().prop_map(|path| format!("real {}", path.trim_end_matches("/."))),
        2 => fd().prop_map(|fd| format!("lock {fd} shared")),
        2 => fd().prop_map(|fd| format!("lock {fd} exclusive")),
        1 => fd().prop_map(|fd| format!("unlock {fd}")),
    ]
}

/// What is there before, so that calls meet something from the first on.
pub(super) fn start() -> impl Strategy<Value = &'static str> {
    const STARTS: &[&str] = &[
        "put a text",
        "put a 1; put b 2; mkdir d; mkdir e; put d/a 3; ln d/a e/b; symlink d l; \
         open d/a read,write; dup 3",
        "mkdir d; mkdir d/e; put d/e/a 1; put a 2; ln a d/a; symlink d/a b; \
         open a read,append; open d read",
        "mkdir d; mkdir e; mkdir d/e; mkdir e/d; put a 1; symlink e d/l; \
         open a read; open d/e read",
    ];
    select(STARTS)
}

proptest! {
    #![proptest_config(Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    })]

    /// A loss of power that keeps no change finds what was synced last, one that keeps all finds
    /// what was visible.
    #[test]
    fn all_or_nothing_is_kept(
        profile in select(Profile::ALL),
        start in start(),
        steps in proptest::collection::vec(step(false), 30),
    ) {
        let mut disk = Disk::new(profile, 0);
        disk.run(start);
        disk.force(Syncing::Everything);
        let synced = disk.store().visible().hash();
        for line in &steps {
            let _ = disk.step(&script::Step::parse(line));
            let point = CrashPoint::of(disk.store());
            let found = |mark: Mark| {
                let marks = vec![mark; point.pending.len()];
                point.image(&marks, Fill::Zeros).hash()
            };
            let mut visible = disk.store().visible().clone();
            visible.settle();
            prop_assert_eq!(found(Mark::Lost), synced, "nothing, after {}", line);
            prop_assert_eq!(found(Mark::Kept), visible.hash(), "all, after {}", line);
        }
    }

    /// A name that was there all the time is there after a loss of power, whatever that keeps.
    #[test]
    fn what_always_had_a_name_has_one(
        profile in select(Profile::ALL),
        start in start(),
        steps in proptest::collection::vec(step(false), 30),
        kept in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let names = |image: &Image| -> BTreeSet<Name> {
            let root = image.get(Ino::ROOT).and_then(Inode::directory).unwrap();
            root.entries.keys().cloned().collect()
        };
        let mut disk = Disk::new(profile, 0);
        disk.run(start);
        disk.force(Syncing::Everything);
        let mut always = names(disk.store().visible());
        for line in &steps {
            let _ = disk.step(&script::Step::parse(line));
            let now = names(disk.store().visible());
            always.retain(|name| now.contains(name));
            let point = CrashPoint::of(disk.store());
            let mut kept: Vec<bool> =
                kept.iter().copied().cycle().take(point.pending.len()).collect();
            profile.drop_unfounded(&point.pending, &mut kept);
            let mark = |kept: &bool| if *kept { Mark::Kept } else { Mark::Lost };
            let marks: Vec<Mark> = kept.iter().map(mark).collect();
            let found = names(&point.image(&marks, Fill::Zeros));
            prop_assert!(always.is_subset(&found), "{:?}, after {}", always, line);
        }
    }
}
