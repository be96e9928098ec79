//! Each row of the fault table: what a program meets, for how long, and how it is counted.

use super::super::atlas::AtlasMap;
use super::super::config::{CrashOdds, DiskFaults, DiskScope};
use super::super::fault::Rule;
use super::super::image::Ino;
use super::super::profile::Profile;
use super::rig::{KEEP_ALL, ORIGIN, Rig, code};
use crate::kernel::{Family, NodeId, Probability};

#[test]
fn a_read_error_is_given_once_and_cured_by_a_retry() {
    let mut rig = Rig::new(DiskFaults {
        read_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    assert_eq!(code(rig.read_all()), libc::EIO);
    assert_eq!(rig.count(Family::ReadError), (1, 1, 1));
    rig.quiet();
    assert_eq!(rig.read_all().unwrap(), "abc");
}

#[test]
fn a_write_error_writes_nothing() {
    let mut rig = Rig::new(DiskFaults {
        write_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    assert_eq!(code(rig.write(0, "x")), libc::EIO);
    assert_eq!(rig.count(Family::WriteError), (1, 1, 1));
    assert_eq!(rig.read_all().unwrap(), "abc");
    assert!(rig.device.fs.store.pending().is_empty());
}

#[test]
fn a_short_write_writes_some_bytes_and_at_least_one() {
    let mut lengths = Vec::new();
    for seed in 0..50 {
        let mut rig = Rig::seeded(
            seed,
            DiskFaults {
                short_write: Probability::ALWAYS,
                ..DiskFaults::NONE
            },
        );
        lengths.push(rig.write(0, "xxxx").unwrap());
        assert_eq!(
            rig.write(0, "x").unwrap(),
            1,
            "one byte cannot be shortened"
        );
        assert_eq!(rig.count(Family::ShortWrite), (1, 1, 1));
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!(lengths, [1, 2, 3]);
}

#[test]
fn a_failed_sync_loses_the_bytes_and_the_next_succeeds() {
    for profile in [Profile::Ext4Ordered, Profile::Xfs, Profile::Btrfs] {
        let mut rig = Rig::with_profile(1, profile);
        rig.device.faults.set_usual(DiskFaults {
            sync_error: Probability::ALWAYS,
            ..DiskFaults::NONE
        });
        rig.write(0, "x").unwrap();
        assert_eq!(code(rig.sync()), libc::EIO, "{profile:?}");
        rig.quiet();
        rig.sync().unwrap();
        let seen = rig.device.fs.store.visible().clone();
        let mut byte = [0];
        seen.file(rig.file).unwrap().content.read(0, &mut byte);
        let cached = if profile == Profile::Btrfs {
            b'a'
        } else {
            b'x'
        };
        assert_eq!(byte[0], cached, "{profile:?}");
        rig.crash(&KEEP_ALL);
        assert_eq!(rig.read_all().unwrap(), "abc", "{profile:?}");
        assert_eq!(rig.count(Family::SyncError), (1, 1, 1));
    }
}

#[test]
fn each_open_file_is_told_once_of_a_failed_sync() {
    let mut rig = Rig::new(DiskFaults {
        sync_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(0, "x").unwrap();
    let (first, other) = (rig.told, rig.told);
    assert!(rig.sync().is_err());
    rig.quiet();
    rig.told = other;
    assert!(rig.sync().is_err(), "another open file hears of it too");
    assert!(rig.sync().is_ok());
    rig.told = rig.device.failed_syncs(rig.file);
    assert!(
        rig.sync().is_ok(),
        "who opens it afterwards is told nothing"
    );
    assert_eq!(first, 0);
}

#[test]
fn bytes_of_a_failed_sync_leave_the_cache_sooner_or_later() {
    let mut gone = 0;
    for seed in 0..40 {
        let mut rig = Rig::seeded(
            seed,
            DiskFaults {
                sync_error: Probability::ALWAYS,
                ..DiskFaults::NONE
            },
        );
        rig.write(0, "x").unwrap();
        rig.sync().unwrap_err();
        rig.quiet();
        let read = rig.read(0, 1).unwrap();
        gone += usize::from(read == "a");
        rig.device.drop_cache();
        assert_eq!(rig.read(0, 1).unwrap(), "a");
    }
    assert!(
        (3..=20).contains(&gone),
        "{gone} of 40, with a chance of a quarter"
    );
}

#[test]
fn writing_to_a_page_of_a_failed_sync_brings_its_bytes_back() {
    let mut rig = Rig::new(DiskFaults {
        sync_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(0, "x").unwrap();
    rig.sync().unwrap_err();
    rig.quiet();
    rig.write(4095, "y").unwrap();
    rig.sync().unwrap();
    rig.crash(&KEEP_ALL);
    assert_eq!(rig.read(0, 4096).unwrap(), "xay");
}

#[test]
fn a_sync_that_lies_shows_when_power_is_lost() {
    let faults = DiskFaults {
        sync_lie: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let mut rig = Rig::new(faults);
    rig.write(0, "x").unwrap();
    rig.sync().unwrap();
    assert_eq!(rig.count(Family::SyncLie), (1, 1, 0));
    rig.crash(&CrashOdds::SYNCED_ONLY);
    assert_eq!(rig.read_all().unwrap(), "abc");
    assert_eq!(rig.count(Family::SyncLie), (1, 1, 1));
    // An honest sync afterwards makes it good.
    let mut rig = Rig::new(faults);
    rig.write(0, "x").unwrap();
    rig.sync().unwrap();
    rig.quiet();
    rig.sync().unwrap();
    rig.crash(&CrashOdds::SYNCED_ONLY);
    assert_eq!(rig.read(0, 1).unwrap(), "x");
    assert_eq!(rig.count(Family::SyncLie), (1, 1, 0));
}

#[test]
fn a_latent_sector_error_stays_until_the_sector_is_rewritten() {
    let mut rig = Rig::new(DiskFaults {
        latent_sector: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    assert_eq!(code(rig.read(0, 512)), libc::EIO);
    assert_eq!(rig.count(Family::LatentSector), (1, 1, 1));
    rig.quiet();
    assert_eq!(
        code(rig.read(0, 512)),
        libc::EIO,
        "a retry does not cure it"
    );
    assert_eq!(rig.read(512, 512).unwrap(), "a");
    rig.crash(&KEEP_ALL);
    assert_eq!(code(rig.read(0, 1)), libc::EIO, "nor does a crash");
    assert_eq!(
        code(rig.write(0, "xx")),
        libc::EIO,
        "a part of it is read first"
    );
    rig.write(0, &"x".repeat(512)).unwrap();
    assert_eq!(rig.read(0, 513).unwrap(), "xa");
    assert_eq!(rig.count(Family::LatentSector), (1, 1, 1));
}

#[test]
fn bit_rot_stays_until_the_bytes_are_rewritten() {
    let mut rig = Rig::new(DiskFaults {
        bit_rot: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    let rotten = rig.read(0, 512).unwrap();
    assert_eq!(
        rotten.chars().filter(|c| *c != 'a').count(),
        1,
        "{rotten:?}"
    );
    assert_eq!(rig.count(Family::BitRot), (1, 1, 1));
    rig.quiet();
    assert_eq!(
        rig.read(0, 512).unwrap(),
        rotten,
        "a retry does not cure it"
    );
    rig.crash(&KEEP_ALL);
    assert_eq!(rig.read(0, 512).unwrap(), rotten, "nor does a crash");
    rig.write(0, &"x".repeat(4096)).unwrap();
    assert_eq!(rig.read(0, 512).unwrap(), "x");
}

#[test]
fn bytes_that_wait_to_be_written_do_not_rot() {
    let mut rig = Rig::new(DiskFaults {
        bit_rot: Probability::ALWAYS,
        latent_sector: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(0, "x").unwrap();
    assert_eq!(rig.read(0, 512).unwrap(), "xa");
    assert_eq!(rig.count(Family::BitRot), (1, 0, 0));
    assert_eq!(rig.count(Family::LatentSector), (1, 0, 0));
}

#[test]
fn a_misdirected_read_gives_another_page_until_it_leaves_the_cache() {
    let mut rig = Rig::new(DiskFaults {
        misdirected_read: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    let wrong = rig.read(0, 4096).unwrap();
    assert!(wrong == "b" || wrong == "c", "{wrong:?}");
    assert_eq!(rig.count(Family::MisdirectedRead), (1, 1, 1));
    rig.quiet();
    rig.device.drop_cache();
    assert_eq!(rig.read_all().unwrap(), "abc");
}

#[test]
fn a_lost_write_shows_the_old_bytes_when_the_cache_is_gone() {
    let mut rig = Rig::new(DiskFaults {
        lost_write: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(4096, &"x".repeat(4096)).unwrap();
    rig.sync().unwrap();
    rig.quiet();
    assert_eq!(
        rig.count(Family::LostWrite),
        (1, 1, 0),
        "the cache has them still"
    );
    rig.crash(&KEEP_ALL);
    assert_eq!(rig.read_all().unwrap(), "abc");
    assert_eq!(rig.count(Family::LostWrite), (1, 1, 1));
}

#[test]
fn a_misdirected_write_damages_two_pages_and_only_one_is_live() {
    let mut rig = Rig::new(DiskFaults {
        misdirected_write: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(0, &"x".repeat(4096)).unwrap();
    rig.sync().unwrap();
    rig.write(0, &"y".repeat(4096)).unwrap();
    rig.quiet();
    rig.device.drop_cache();
    rig.crash(&CrashOdds::SYNCED_ONLY);
    let found = rig.read_all().unwrap();
    assert!(found == "axc" || found == "abx", "{found:?}");
    assert_eq!(rig.count(Family::MisdirectedWrite), (1, 1, 1));
}

#[test]
fn at_most_one_misdirected_write_is_live() {
    let mut rig = Rig::new(DiskFaults {
        misdirected_write: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    rig.write(0, &"x".repeat(3 * 4096)).unwrap();
    rig.sync().unwrap();
    assert_eq!(rig.count(Family::MisdirectedWrite), (1, 1, 0));
}

#[test]
fn a_metadata_error_may_leave_the_file_system_read_only_until_power_is_lost() {
    let mut rig = Rig::new(DiskFaults {
        metadata_error: Probability::ALWAYS,
        read_only: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    assert_eq!(code(rig.change()), libc::EIO);
    assert_eq!(rig.count(Family::MetadataError), (1, 1, 1));
    assert_eq!(rig.count(Family::ReadOnly), (1, 1, 0));
    rig.quiet();
    assert_eq!(code(rig.change()), libc::EROFS);
    assert_eq!(code(rig.write(0, "x")), libc::EROFS);
    assert_eq!(rig.read_all().unwrap(), "abc");
    assert_eq!(rig.count(Family::ReadOnly), (1, 1, 1));
    rig.crash(&KEEP_ALL);
    rig.change().unwrap();
}

#[test]
fn rules_strike_in_their_scope_and_the_newest_decides() {
    let strike = DiskFaults {
        read_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    for (path, bytes, struck) in [
        (Some("/f"), None, [true, true]),
        (Some("/"), None, [true, true]),
        (Some("f"), Some(0..4096), [true, false]),
        (None, Some(4096..8192), [false, true]),
        (Some("/g"), None, [false, false]),
    ] {
        let mut rig = Rig::new(DiskFaults::NONE);
        let path = path.map(str::to_owned);
        let strikes_max = None;
        let scope = DiskScope {
            path,
            bytes,
            strikes_max,
        };
        let rule = rig.device.faults.add_rule(Rule {
            scope: scope.clone(),
            faults: strike,
        });
        let found = [0, 4096].map(|at| rig.read(at, 4096).is_err());
        assert_eq!(found, struck, "{scope:?}");
        let faults = DiskFaults::NONE;
        let newer = rig.device.faults.add_rule(Rule { scope, faults });
        assert!(rig.read_all().is_ok() || !struck[0] || !struck[1]);
        rig.device.faults.end_rule(newer);
        assert_eq!(rig.read_all().is_err(), struck != [false, false]);
        rig.device.faults.end_rule(rule);
        assert!(rig.read_all().is_ok());
        assert!(!rig.device.faults.armed());
    }
}

#[test]
fn the_atlas_keeps_damage_from_a_disk() {
    let faults = DiskFaults {
        latent_sector: Probability::ALWAYS,
        bit_rot: Probability::ALWAYS,
        misdirected_read: Probability::ALWAYS,
        lost_write: Probability::ALWAYS,
        misdirected_write: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let mut rig = Rig::new(faults);
    rig.atlas
        .add(vec![NodeId::new(1), NodeId::new(2)], 1, AtlasMap::Unknown);
    assert!(rig.atlas.allows(NodeId::new(2), "/f", &(0..1)));
    assert_eq!(rig.read_all().unwrap(), "abc");
    rig.write(0, &"x".repeat(4096)).unwrap();
    rig.sync().unwrap();
    rig.crash(&KEEP_ALL);
    rig.quiet();
    assert_eq!(rig.read_all().unwrap(), "xbc");
    for family in [
        Family::LatentSector,
        Family::BitRot,
        Family::MisdirectedRead,
        Family::LostWrite,
        Family::MisdirectedWrite,
    ] {
        let (offered, fired, effective) = rig.count(family);
        assert!(offered > 0 && fired == 0 && effective == 0, "{family}");
    }
}

#[test]
fn without_faults_nothing_is_drawn_or_counted() {
    let mut rig = Rig::new(DiskFaults::NONE);
    rig.write(10, "x").unwrap();
    rig.read_all().unwrap();
    rig.sync().unwrap();
    rig.change().unwrap();
    rig.sync_all();
    rig.crash(&CrashOdds::default());
    assert_eq!(rig.device.faults.counters().iter().count(), 0);
}

#[test]
fn a_loss_of_power_counts_what_it_lost() {
    let mut rig = Rig::new(DiskFaults::NONE);
    rig.write(3 * 4096, "new").unwrap();
    rig.device
        .fs
        .store
        .link(ORIGIN, Ino::ROOT, "g".into(), rig.file);
    rig.crash(&CrashOdds::SYNCED_ONLY);
    assert_eq!(rig.count(Family::UnsyncedLoss), (1, 1, 1));
    assert_eq!(rig.count(Family::EntryLost), (1, 1, 1));
    assert_eq!(rig.count(Family::TornWrite), (1, 0, 0));
    // What is written and is the same as before is lost without effect.
    rig.write(0, "a").unwrap();
    rig.crash(&CrashOdds::SYNCED_ONLY);
    assert_eq!(rig.count(Family::UnsyncedLoss), (2, 2, 1));
    assert_eq!(rig.count(Family::SizeWithoutData), (1, 0, 0));
}
