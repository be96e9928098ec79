//! Levels, counts, and what is told of a failure.

use std::cell::Cell;

use super::super::{Bounds, CrashBug, Pruning};
use super::toy::{self, Desk};
use crate::model::disk::{Ino, Profile};

/// A value in two places, and a journal that is played again after a crash.
fn journal(desk: &mut Desk<u8>) {
    let value = desk.create("value");
    desk.write(value, 0, &[1; 8192]);
    desk.sync(value).unwrap();
    desk.sync_names().unwrap();
    desk.ack(1);
    let journal = desk.create("journal");
    desk.write(journal, 0, &[2; 16]);
    desk.sync(journal).unwrap();
    desk.sync_names().unwrap();
    desk.ack(2);
    put(desk, value, 2);
    desk.sync(value).unwrap();
    desk.unlink("journal");
    desk.sync_names().unwrap();
}

fn put(desk: &mut Desk<u8>, value: Ino, number: u8) {
    desk.write(value, 0, &[number; 16]);
    desk.write(value, 4096, &[number; 16]);
}

/// Whether the recovery makes the value durable before the journal goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    Good,
    RemovesJournalEarly,
}

fn recover(desk: &mut Desk<u8>, acked: &[u8], recovery: Recovery) -> Result<(), String> {
    let Some(value) = desk.open("value") else {
        return if acked.is_empty() {
            Ok(())
        } else {
            Err("no value".into())
        };
    };
    if let Some(journal) = desk.open("journal") {
        let number = desk.read(journal, 0, 16);
        if desk.len(journal) == 16 && number == [2; 16] {
            put(desk, value, 2);
            if recovery == Recovery::Good {
                desk.sync(value).unwrap();
            }
        }
        desk.unlink("journal");
        desk.sync_names().unwrap();
        desk.sync(value).unwrap();
    }
    let (one, other) = (desk.read(value, 0, 16), desk.read(value, 4096, 16));
    match acked.last() {
        Some(2) if one != [2; 16] => Err("the value is lost".into()),
        Some(_) if one != other => Err("the value is torn".into()),
        _ => Ok(()),
    }
}

fn explored(recovery: Recovery, bounds: &Bounds) -> Result<super::super::Explored, CrashBug> {
    toy::run(bounds, journal, |desk, acked| {
        recover(desk, acked, recovery)
    })
}

#[test]
fn a_bug_that_needs_two_losses_of_power() {
    for &profile in Profile::ALL {
        for pruning in [Pruning::None, Pruning::SameDisk, Pruning::SameReads] {
            let bounds = |depth| Bounds {
                profile,
                depth,
                pruning,
                random: 8,
                states_max: 100_000,
                ..Bounds::default()
            };
            for (recovery, depth) in [(Recovery::RemovesJournalEarly, 1), (Recovery::Good, 2)] {
                let told = explored(recovery, &bounds(depth));
                let told = told.unwrap_or_else(|bug| panic!("{profile:?} {depth}:\n{bug}"));
                assert!(!told.cut_short, "{told}");
            }
            let found = explored(Recovery::RemovesJournalEarly, &bounds(2));
            if profile == Profile::Strict {
                // There the order of the calls is enough.
                found.unwrap_or_else(|bug| panic!("{bug}"));
                continue;
            }
            let found = found.expect_err("a bug to find");
            assert_eq!(found.depth(), 2, "{found}");
            assert!(
                found.missing()[0].starts_with("sync of the content of /value, before"),
                "{found}"
            );
            let only = Some(found.state().clone());
            let bounds = Bounds { only, ..bounds(2) };
            let again = explored(Recovery::RemovesJournalEarly, &bounds).expect_err("again");
            assert_eq!(again.message(), found.message());
        }
    }
}

#[test]
fn a_check_that_reads_little_runs_seldom() {
    let work = |desk: &mut Desk<u8>| {
        let (read, unread) = (desk.create("read"), desk.create("unread"));
        desk.sync_names().unwrap();
        desk.write(read, 0, &[1; 512]);
        for page in 0..6 {
            desk.write(unread, page * 4096, &[1; 4096]);
        }
    };
    let checks = |pruning| {
        let bounds = Bounds {
            pruning,
            ..Bounds::default()
        };
        let told = toy::run::<u8>(&bounds, work, |desk, _| {
            if let Some(read) = desk.open("read") {
                desk.read(read, 0, 512);
            }
            Ok(())
        });
        told.unwrap().checks
    };
    let (all, by_disk, by_reads) = (
        checks(Pruning::None),
        checks(Pruning::SameDisk),
        checks(Pruning::SameReads),
    );
    assert!(by_disk < all, "{by_disk} of {all}");
    // Four sets of names; the bytes; garbage in their place.
    assert_eq!(by_reads, 6, "{by_disk} of {all}");
}

#[test]
fn checks_are_counted_and_capped() {
    let work = |desk: &mut Desk<u8>| {
        for name in ["a", "b", "c", "d"] {
            desk.create(name);
        }
    };
    let count = Cell::new(0);
    let bounds = Bounds {
        pruning: Pruning::SameDisk,
        ..Bounds::default()
    };
    let told = toy::run(&bounds, work, toy::counting::<u8>(&count)).unwrap();
    // Each subset of four names once.
    assert_eq!((told.checks, count.get()), (16, 16));
    assert_eq!(told.states, told.checks + told.same_disk + told.same_reads);
    assert!(!told.cut_short);
    let bounds = Bounds {
        states_max: 7,
        ..bounds
    };
    let told = toy::run(&bounds, work, toy::counting::<u8>(&count)).unwrap();
    assert_eq!((told.checks, count.get()), (7, 16 + 7));
    assert!(told.cut_short);
}

#[test]
fn each_number_of_acknowledgements_is_checked() {
    let work = |desk: &mut Desk<u8>| {
        desk.create("a");
        desk.ack(1);
        desk.sync_names().unwrap();
        desk.ack(2);
    };
    let seen = std::cell::RefCell::new(Vec::new());
    let bounds = Bounds {
        depth: 1,
        ..Bounds::default()
    };
    toy::run(&bounds, work, |desk: &mut Desk<u8>, acked| {
        let there = desk.open("a").is_some();
        seen.borrow_mut().push((acked.to_vec(), there));
        Ok(())
    })
    .unwrap();
    let expected = [
        // Before the first acknowledgement, before the sync, and at the end.
        (vec![], false),
        (vec![], true),
        (vec![1], false),
        (vec![1], true),
        (vec![1, 2], true),
    ];
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn a_report_tells_what_was_lost_and_which_sync_was_not_there() {
    let bounds = Bounds::default();
    let found = toy::run(
        &bounds,
        |desk: &mut Desk<&str>| {
            let log = desk.create("log");
            desk.sync_names().unwrap();
            desk.write(log, 0, &[7; 700]);
            desk.write(log, 8192, &[8; 700]);
            desk.ack("both");
        },
        |desk, acked| {
            let log = desk.open("log").ok_or("no log");
            let log = log.or_else(|error| {
                if acked.is_empty() {
                    Ok(Ino::ROOT)
                } else {
                    Err(error)
                }
            })?;
            if !acked.is_empty() && (desk.len(log) < 8892 || desk.read(log, 0, 700) != [7; 700]) {
                return Err("half of it\nis lost".into());
            }
            Ok(())
        },
    );
    let text = found.expect_err("a bug to find").to_string();
    let lines: Vec<&str> = text.lines().collect();
    let starts = [
        "the check fails after a loss of power",
        "  what     half of it",
        "  what     is lost",
        "  where    at the end",
        "  replay   Bounds { only: \"crash=",
        "  acked    1: \"both\"",
        "  lost     write to /log in bytes 0..1024 at src/explore/crashes/tests/engine.rs:",
    ];
    assert!(lines.len() <= 25, "{text}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(
            line.starts_with(start),
            "{line:?} and not {start:?} in\n{text}"
        );
    }
    let missing =
        "  missing  sync of the content of /log, before acknowledgement 1 at src/explore/";
    assert!(lines.iter().any(|line| line.starts_with(missing)), "{text}");
}

#[test]
#[should_panic(expected = "this test has no such crash state")]
fn a_state_of_another_test_is_refused() {
    let only = Some("crash=99".parse().unwrap());
    let bounds = Bounds {
        only,
        ..Bounds::default()
    };
    let _ = toy::run::<u8>(&bounds, |_| {}, |_, _| Ok(()));
}
