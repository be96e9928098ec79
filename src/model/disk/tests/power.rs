//! What a loss of power leaves, drawn over many seeds.

use std::collections::BTreeSet;

use super::super::config::CrashOdds;
use super::super::crash::{CrashPoint, Fill, Mark};
use super::super::image::{Image, Ino};
use super::super::page::SECTOR_MIN_BYTES;
use super::super::profile::Profile;
use super::super::store::Syncing;
use super::bench::Bench;
use super::profile::show;
use crate::kernel::{Choices, EntityKey, Point, Probability, Site};

fn point() -> Point {
    Choices::point(Site::new("disk.crash"), EntityKey::of("n"))
}

/// Draws after each of some seeds.
fn drawn(bench: &Bench, odds: &CrashOdds, seeds: u64) -> Vec<(Vec<Mark>, Fill)> {
    let crash = CrashPoint::of(&bench.store);
    let draw = |seed| crash.draw(&mut Choices::new(seed), &mut point(), odds, 512);
    (0..seeds).map(draw).collect()
}

/// A log, a file replaced by renaming, and a file cut short: all kinds of changes.
fn busy(profile: Profile) -> Bench {
    let mut bench = Bench::new(profile);
    let log = bench.file("log");
    let old = bench.file("old");
    bench.write(old, 0, &"o".repeat(5000));
    bench.sync_all();
    bench.write(log, 0, &"x".repeat(3000));
    let tmp = bench.file("tmp");
    bench.write(tmp, 0, "n");
    bench.rename("tmp", "new");
    bench.set_len(old, 100);
    bench.write(old, 0, "O");
    bench
}

#[test]
fn whatever_is_drawn_is_legal_and_all_that_is_legal_is_drawn() {
    let odds = CrashOdds {
        torn: Probability::NEVER,
        garbage: Probability::NEVER,
        ..CrashOdds::default()
    };
    for &profile in Profile::ALL {
        let bench = busy(profile);
        let legal: BTreeSet<String> = bench.states().into_iter().collect();
        let crash = CrashPoint::of(&bench.store);
        let found: BTreeSet<String> = drawn(&bench, &odds, 20_000)
            .iter()
            .map(|(marks, _)| show(&crash, marks))
            .collect();
        assert_eq!(found, legal, "{profile:?}");
    }
}

#[test]
fn each_outcome_comes_as_often_as_its_weight_says() {
    let bench = busy(Profile::Strict);
    let count = bench.store.pending().len();
    let share = |odds: &CrashOdds, kept: usize| {
        let is = |(marks, _): &(Vec<Mark>, Fill)| {
            marks.iter().filter(|mark| **mark == Mark::Kept).count() == kept
        };
        drawn(&bench, odds, 1_000)
            .iter()
            .filter(|drawn| is(drawn))
            .count()
    };
    assert_eq!(share(&CrashOdds::SYNCED_ONLY, 0), 1_000);
    let (nothing, everything) = (CrashOdds::SYNCED_ONLY.nothing, 3);
    let odds = CrashOdds {
        nothing,
        everything,
        ..CrashOdds::SYNCED_ONLY
    };
    let all = share(&odds, count);
    assert!(
        (700..800).contains(&all),
        "{all} of 1,000 with a weight of 3 in 4"
    );
}

#[test]
fn without_anything_pending_nothing_is_drawn() {
    let mut bench = Bench::new(Profile::Adversarial);
    bench.file("a");
    bench.sync_all();
    let mut point = point();
    let before = point.clone();
    let crash = CrashPoint::of(&bench.store);
    let (marks, fill) = crash.draw(&mut Choices::new(1), &mut point, &CrashOdds::default(), 512);
    assert_eq!((marks, fill, &point), (Vec::new(), Fill::Zeros, &before));
}

fn content(image: &Image, file: Ino) -> Vec<u8> {
    let file = image.file(file).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len).unwrap()];
    file.content.read(0, &mut bytes);
    bytes
}

/// Writes over 10,000 bytes and draws what is left of them, with every write torn that is not kept.
fn tears(profile: Profile, sector_bytes: u32) -> BTreeSet<Vec<u8>> {
    let mut bench = Bench::new(profile);
    let file = bench.file("a");
    bench.write(file, 0, &"-".repeat(10_000));
    bench.sync_all();
    bench.write(file, 0, &"x".repeat(10_000));
    let odds = CrashOdds {
        torn: Probability::ALWAYS,
        ..CrashOdds::default()
    };
    let crash = CrashPoint::of(&bench.store);
    (0..300)
        .map(|seed| {
            let mut choices = Choices::new(seed);
            let (marks, fill) = crash.draw(&mut choices, &mut point(), &odds, sector_bytes);
            content(&crash.image(&marks, fill), file)
        })
        .collect()
}

#[test]
fn a_torn_write_is_torn_between_sectors() {
    for (profile, sector_bytes, piece) in [
        (Profile::Adversarial, 512, SECTOR_MIN_BYTES),
        (Profile::Strict, 512, SECTOR_MIN_BYTES),
        (Profile::Adversarial, 4096, 4096),
        (Profile::Btrfs, 512, 4096),
    ] {
        let found = tears(profile, sector_bytes);
        let whole = |content: &[u8]| content.iter().all(|byte| *byte == content[0]);
        assert!(found.iter().all(|content| content.chunks(piece).all(whole)));
        let torn = found.iter().filter(|content| !whole(content)).count();
        assert!(
            torn > 3,
            "{profile:?} with {sector_bytes}: {torn} of {}",
            found.len()
        );
        let inside_pages = found.iter().any(|content| !content.chunks(4096).all(whole));
        assert_eq!(
            inside_pages,
            piece < 4096,
            "{profile:?} with {sector_bytes}"
        );
    }
}

#[test]
fn a_file_is_not_longer_than_its_torn_bytes_but_for_the_adversary() {
    for &profile in Profile::ALL {
        let mut bench = Bench::new(profile);
        let file = bench.file("a");
        bench.sync_all();
        bench.write(file, 0, &"x".repeat(2_000));
        let odds = CrashOdds {
            torn: Probability::ALWAYS,
            garbage: Probability::NEVER,
            ..CrashOdds::default()
        };
        let crash = CrashPoint::of(&bench.store);
        let holes = drawn(&bench, &odds, 300)
            .iter()
            .filter(|(marks, fill)| content(&crash.image(marks, *fill), file).contains(&0))
            .count();
        assert_eq!(
            holes > 0,
            profile == Profile::Adversarial,
            "{profile:?}: {holes}"
        );
    }
}

#[test]
fn what_was_synced_is_kept_whatever_is_drawn() {
    for &profile in Profile::ALL {
        let mut bench = busy(profile);
        let log = bench
            .store
            .visible()
            .entry(Ino::ROOT, &"log".into())
            .unwrap();
        bench.sync(Syncing::File(log));
        let crash = CrashPoint::of(&bench.store);
        for (marks, fill) in drawn(&bench, &CrashOdds::default(), 200) {
            assert_eq!(content(&crash.image(&marks, fill), log), b"x".repeat(3000));
        }
    }
}
