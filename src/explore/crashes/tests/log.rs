//! A small write-ahead log with known bugs, each of which must be found; the one without must pass.

use proptest::prelude::*;

use super::super::engine::explore;
use super::super::{Bounds, CrashBug, Explored, Pruning};
use super::toy::{Desk, SyncFailed, Toy};
use crate::model::disk::{Ino, Profile};

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    NoFileSync,
    NoDirectorySync,
    /// The shorter log takes the place of the old one before it is durable.
    RenameBeforeSync,
    NoChecksum,
    /// All of the file is taken to be records.
    TrustsLength,
    RetriesFailedSync,
    /// What is behind the last good record stays, and the next one is written after it.
    KeepsTail,
}

/// A log of records with a number each, in one file.
#[derive(Clone, Copy)]
struct Log {
    bug: Bug,
    /// Bytes of a record with its head.
    record: usize,
}

const HEAD: usize = 24;

impl Log {
    fn bytes(self, number: u64) -> Vec<u8> {
        let body: Vec<u8> = (0..self.record - HEAD)
            .map(|at| u8::try_from((number + at as u64) % 250 + 1).unwrap())
            .collect();
        let mut bytes = Vec::new();
        bytes.extend(number.to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(checksum(&body, number).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Appends records, each synced and acknowledged.
    fn append(self, desk: &mut Desk<u64>, log: Ino, numbers: core::ops::Range<u64>) -> Option<()> {
        for number in numbers {
            let end = desk.len(log);
            desk.write(log, end, &self.bytes(number));
            if self.bug != Bug::NoFileSync {
                self.sync(desk, log)?;
            }
            desk.ack(number);
        }
        Some(())
    }

    /// After a failed sync nothing more may be promised.
    fn sync(self, desk: &mut Desk<u64>, file: Ino) -> Option<()> {
        match desk.sync(file) {
            Err(SyncFailed) if self.bug == Bug::RetriesFailedSync => desk.sync(file).ok(),
            result => result.ok(),
        }
    }

    fn sync_names(self, desk: &mut Desk<u64>) -> Option<()> {
        if self.bug == Bug::NoDirectorySync {
            return Some(());
        }
        desk.sync_names().ok()
    }

    /// Writes records, and makes the log shorter by way of another file, as often as told.
    fn work(self, desk: &mut Desk<u64>, rounds: u64, records: u64) -> Option<()> {
        let mut log = desk.create("log");
        self.sync_names(desk)?;
        for round in 0..rounds {
            let first = round * records;
            self.append(desk, log, first..first + records)?;
            // All but the last record go.
            let shorter = desk.create("log.tmp");
            let last = first + records - 1;
            desk.write(shorter, 0, &self.bytes(last));
            if self.bug != Bug::RenameBeforeSync {
                self.sync(desk, shorter)?;
            }
            desk.rename("log.tmp", "log");
            self.sync_names(desk)?;
            if self.bug == Bug::RenameBeforeSync {
                self.sync(desk, shorter)?;
            }
            log = shorter;
        }
        let first = rounds * records;
        self.append(desk, log, first..first + records)
    }

    /// Opens the log, makes it ready for more, and gives what it holds.
    fn recover(self, desk: &mut Desk<u64>) -> Result<Vec<u64>, String> {
        if desk.open("log.tmp").is_some() {
            desk.unlink("log.tmp");
            desk.sync_names().map_err(|_| "a sync failed")?;
        }
        let Some(log) = desk.open("log") else {
            return Ok(Vec::new());
        };
        let len = desk.len(log);
        let (mut at, mut numbers) = (0, Vec::new());
        while at + HEAD as u64 <= len {
            let head = desk.read(log, at, HEAD);
            let word = |n: usize| u64::from_le_bytes(head[n * 8..n * 8 + 8].try_into().unwrap());
            let (number, size, sum) = (word(0), word(1), word(2));
            if size != (self.record - HEAD) as u64 || at + HEAD as u64 + size > len {
                break;
            }
            let body = desk.read(log, at + HEAD as u64, self.record - HEAD);
            let good = checksum(&body, number) == sum;
            if !good && self.bug != Bug::NoChecksum {
                break;
            }
            if !good {
                return Err(format!("record {number} has other bytes than were written"));
            }
            numbers.push(number);
            at += HEAD as u64 + size;
        }
        if at < len {
            if self.bug == Bug::TrustsLength {
                return Err(format!("no record at {at} of {len} bytes"));
            }
            if self.bug != Bug::KeepsTail {
                desk.set_len(log, at);
                desk.sync(log).map_err(|_| "a sync failed")?;
            }
        }
        Ok(numbers)
    }

    /// Everything acknowledged is there, in order and without a hole.
    fn check(self, desk: &mut Desk<u64>, acked: &[u64]) -> Result<(), String> {
        let numbers = self.recover(desk)?;
        let holes = numbers.windows(2).any(|pair| pair[0] + 1 != pair[1]);
        if holes {
            return Err(format!("records {numbers:?} have a hole"));
        }
        if let Some(last) = acked.last()
            && numbers.last().is_none_or(|there| there < last)
        {
            return Err(format!("record {last} is lost: there are {numbers:?}"));
        }
        // It goes on, and finds that again.
        let Some(log) = desk.open("log") else {
            return Ok(());
        };
        let next = numbers.last().map_or(0, |last| last + 1);
        let end = desk.len(log);
        desk.write(log, end, &self.bytes(next));
        desk.sync(log).map_err(|_| "a sync failed")?;
        let more = self.recover(desk)?;
        if more.last() != Some(&next) {
            return Err(format!("record {next} is lost after recovery: {more:?}"));
        }
        Ok(())
    }
}

fn checksum(body: &[u8], number: u64) -> u64 {
    let mix = |sum: u64, byte: u64| (sum ^ byte).wrapping_mul(0x0100_0000_01b3);
    body.iter()
        .fold(mix(0xcbf2_9ce4_8422_2325, number), |sum, byte| {
            mix(sum, u64::from(*byte)) ^ sum >> 32
        })
}

fn outcome(
    log: Log,
    bounds: &Bounds,
    rounds: u64,
    records: u64,
    failing_sync: Option<usize>,
) -> Result<Explored, CrashBug> {
    let mut toy = Toy {
        setup: |_: &mut Desk<u64>| {},
        workload: |desk: &mut Desk<u64>| {
            log.work(desk, rounds, records);
        },
        check: |desk: &mut Desk<u64>, acked: &[u64]| log.check(desk, acked),
        failing_sync,
    };
    explore(bounds, &mut toy)
}

/// Asserts that a bug is found, and what is said of it.
#[track_caller]
fn check(bug: Bug, failing_sync: Option<usize>, message: &str, missing: &[&str]) {
    let log = Log { bug, record: 1500 };
    let bounds = Bounds::default();
    let found = outcome(log, &bounds, 1, 2, failing_sync).expect_err("a bug to find");
    let text = found.to_string();
    assert!(found.message().contains(message), "{text}");
    assert!(text.lines().count() <= 25, "{text}");
    assert!(found.explored().states < 10_000, "{text}");
    assert_eq!(found.missing().len(), missing.len(), "{text}");
    for (line, expected) in found.missing().iter().zip(missing) {
        assert!(line.starts_with(expected), "{text}");
    }
    // The state by itself fails in the same way.
    let only = Some(found.state().to_string().parse().unwrap());
    let again = outcome(log, &Bounds { only, ..bounds }, 1, 2, failing_sync);
    let again = again.expect_err("it fails again");
    assert_eq!(again.message(), found.message());
    assert_eq!(again.state(), found.state());
}

#[test]
fn a_file_that_is_not_synced() {
    let missing = ["sync of the content of /log, before acknowledgement 1"];
    check(Bug::NoFileSync, None, "record 0 is lost", &missing);
}

#[test]
fn a_directory_that_is_not_synced() {
    let missing = ["sync of the directory /, before acknowledgement 1"];
    check(Bug::NoDirectorySync, None, "record 0 is lost", &missing);
}

#[test]
fn a_rename_before_the_sync() {
    let missing = ["sync of the content of /log, before the name /log"];
    check(Bug::RenameBeforeSync, None, "record 1 is lost", &missing);
}

#[test]
fn a_record_without_a_checksum() {
    let missing = ["sync of the content of /log, before"];
    check(Bug::NoChecksum, None, "has other bytes than", &missing);
}

#[test]
fn a_length_that_is_trusted() {
    let missing = ["sync of the content of /log, before"];
    check(Bug::TrustsLength, None, "no record at 0", &missing);
}

#[test]
fn a_sync_that_is_tried_again() {
    // What is lost was lost by the sync that failed, and no other can bring it back.
    check(Bug::RetriesFailedSync, Some(2), "record 0 is lost", &[]);
}

#[test]
fn a_tail_that_is_kept() {
    let missing = ["sync of the content of /log, before"];
    check(Bug::KeepsTail, None, "is lost after recovery", &missing);
}

#[test]
fn the_log_without_a_bug_passes() {
    let bug = Bug::None;
    for &profile in Profile::ALL {
        for record in [100, 1500, 5000] {
            let bounds = Bounds {
                profile,
                ..Bounds::default()
            };
            let told = outcome(Log { bug, record }, &bounds, 1, 2, None);
            let told = told.unwrap_or_else(|bug| panic!("{profile:?}, {record}:\n{bug}"));
            assert!(!told.cut_short, "{profile:?}, {record}: {told}");
        }
        // A sync that fails is no reason to fail.
        for failing in 1..8 {
            let bounds = Bounds {
                profile,
                depth: 1,
                ..Bounds::default()
            };
            let record = 700;
            let told = outcome(Log { bug, record }, &bounds, 1, 2, Some(failing));
            told.unwrap_or_else(|bug| panic!("{profile:?}, sync {failing}:\n{bug}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is passed over changes no verdict, and not which state is found first.
    #[test]
    fn pruning_changes_no_verdict(
        bug in prop_oneof![
            2 => Just(Bug::None),
            1 => prop_oneof![
                Just(Bug::NoFileSync), Just(Bug::NoDirectorySync), Just(Bug::RenameBeforeSync),
                Just(Bug::NoChecksum), Just(Bug::TrustsLength), Just(Bug::KeepsTail),
            ],
        ],
        profile in proptest::sample::select(Profile::ALL),
        record in 60_usize..3000,
        rounds in 0_u64..2,
        records in 1_u64..3,
        depth in 1_usize..3,
        seed in any::<u64>(),
    ) {
        let verdict = |pruning| {
            let bounds = Bounds {
                profile, depth, seed, pruning,
                exhaustive_up_to: 4,
                pairs_up_to: 5,
                random: 6,
                states_max: usize::MAX,
                ..Bounds::default()
            };
            outcome(Log { bug, record }, &bounds, rounds, records, None)
        };
        let (all, by_disk) = (verdict(Pruning::None), verdict(Pruning::SameDisk));
        let by_reads = verdict(Pruning::SameReads);
        let checks = |told: &Result<Explored, CrashBug>| match told {
            Ok(told) => told.checks,
            Err(bug) => bug.explored().checks,
        };
        prop_assert!(checks(&by_reads) <= checks(&by_disk));
        prop_assert!(checks(&by_disk) < checks(&all));
        let found = |told: Result<Explored, CrashBug>| {
            told.err().map(|bug| (bug.state().clone(), bug.message().to_owned()))
        };
        let all = found(all);
        prop_assert_eq!(&all, &found(by_disk));
        prop_assert_eq!(&all, &found(by_reads));
    }
}
