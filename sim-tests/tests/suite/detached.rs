//! A disk without a simulation: what it keeps, and that it fails as a node's disk does.

use std::io::{self, ErrorKind, Write};

use stormglass::explore::{Bounds, Ctx, Profile, explore_crashes};
use stormglass::fs::blocking::{self, with_disk};
use stormglass::fs::{CrashOdds, DetachedDisk, DiskConfig, DiskFaults, DiskScope};
use stormglass::kernel::{Family, Probability};
use stormglass::sim::Builder;

#[test]
fn a_detached_disk_needs_no_simulation() {
    let disk = DetachedDisk::new();
    let file = with_disk(&disk, || {
        blocking::create_dir_all("/a/b").unwrap();
        let file = blocking::File::create("/a/b/file").unwrap();
        file.write_all_at(b"text", 0).unwrap();
        file
    });
    // The handle keeps its disk, on any thread.
    let file = std::thread::spawn(move || {
        file.write_all_at(b"more", 4).unwrap();
        file
    });
    let file = file.join().unwrap();
    let read = || with_disk(&disk, || blocking::read_to_string("/a/b/file"));
    assert_eq!(read().unwrap(), "textmore");
    disk.kill();
    assert_eq!(read().unwrap(), "textmore");
    let error = file.sync_all().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(5));
    disk.crash();
    assert_eq!(read().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_detached_disk_keeps_what_was_synced() {
    let disk = DetachedDisk::with_profile(Profile::Adversarial);
    with_disk(&disk, || {
        let mut file = blocking::File::create("/file").unwrap();
        file.write_all(b"durable").unwrap();
        file.sync_all().unwrap();
        blocking::File::open("/").unwrap().sync_all().unwrap();
        file.write_all(b" and not").unwrap();
        disk.crash();
        assert_eq!(blocking::read_to_string("/file").unwrap(), "durable");
    });
}

#[test]
fn a_detached_disk_goes_before_the_nodes() {
    let outcome = Builder::new().run(|sim| async move {
        let disk = DetachedDisk::new();
        with_disk(&disk, || blocking::write("/file", "x").unwrap());
        assert!(!blocking::exists("/file").unwrap());
        let node = sim.find("test").unwrap();
        assert!(node.disk().list("/").unwrap().is_empty());
        let there = with_disk(&disk, || blocking::exists("/file"));
        assert!(there.unwrap());
    });
    outcome.unwrap();
}

const PAGE: usize = 4096;

/// Two pages, each of one letter, durable.
fn two_pages(disk: &DetachedDisk) -> blocking::File {
    with_disk(disk, || {
        let file = blocking::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open("/file")
            .unwrap();
        let content: Vec<u8> = [[b'a'; PAGE], [b'b'; PAGE]].concat();
        file.write_all_at(&content, 0).unwrap();
        file.sync_all().unwrap();
        blocking::File::open("/").unwrap().sync_all().unwrap();
        file
    })
}

fn code<T>(result: io::Result<T>) -> i32 {
    let error = result.err().expect("it fails");
    error.raw_os_error().expect("an error of Linux")
}

fn letters(file: &blocking::File) -> io::Result<String> {
    let mut bytes = [0; 2 * PAGE];
    file.read_exact_at(&mut bytes, 0)?;
    let mut letters: Vec<u8> = bytes.into();
    letters.dedup();
    Ok(String::from_utf8_lossy(&letters).into_owned())
}

/// Lets one fault strike always, has something done, and asserts that it acted and was seen.
#[track_caller]
fn check(family: Family, set: fn(&mut DiskFaults), act: fn(&DetachedDisk, blocking::File)) {
    let disk = DetachedDisk::new();
    let file = two_pages(&disk);
    let mut faults = DiskFaults::NONE;
    set(&mut faults);
    disk.fault(DiskScope::default(), faults);
    act(&disk, file);
    let counter = disk.counters().get(family);
    assert!(counter.offered > 0, "{family}: {counter:?}");
    assert!(counter.fired > 0, "{family}: {counter:?}");
    assert!(counter.effective > 0, "{family}: {counter:?}");
}

#[test]
fn errors_of_all_kinds() {
    const EIO: i32 = 5;
    check(
        Family::ReadError,
        |faults| faults.read_error = Probability::ALWAYS,
        |_, file| assert_eq!(code(letters(&file)), EIO),
    );
    check(
        Family::WriteError,
        |faults| faults.write_error = Probability::ALWAYS,
        |_, file| assert_eq!(code(file.write_at(b"x", 0)), EIO),
    );
    check(
        Family::ShortWrite,
        |faults| faults.short_write = Probability::ALWAYS,
        |_, file| assert!(file.write_at(&[b'x'; 100], 0).unwrap() < 100),
    );
    check(
        Family::SyncError,
        |faults| faults.sync_error = Probability::ALWAYS,
        |_, file| {
            file.write_all_at(b"x", 0).unwrap();
            assert_eq!(code(file.sync_all()), EIO);
        },
    );
    check(
        Family::LatentSector,
        |faults| faults.latent_sector = Probability::ALWAYS,
        |_, file| assert_eq!(code(letters(&file)), EIO),
    );
    check(
        Family::MetadataError,
        |faults| faults.metadata_error = Probability::ALWAYS,
        |disk, _| assert_eq!(code(with_disk(disk, || blocking::create_dir("/d"))), EIO),
    );
    check(
        Family::ReadOnly,
        |faults| {
            faults.metadata_error = Probability::ALWAYS;
            faults.read_only = Probability::ALWAYS;
        },
        |disk, file| {
            assert!(with_disk(disk, || blocking::create_dir("/d")).is_err());
            assert_eq!(
                file.write_at(b"x", 0).unwrap_err().kind(),
                ErrorKind::ReadOnlyFilesystem
            );
            disk.remount();
            file.write_all_at(b"x", 0).unwrap();
        },
    );
}

#[test]
fn damage_of_all_kinds() {
    check(
        Family::BitRot,
        |faults| faults.bit_rot = Probability::ALWAYS,
        |_, file| assert_ne!(letters(&file).unwrap(), "ab"),
    );
    check(
        Family::MisdirectedRead,
        |faults| faults.misdirected_read = Probability::ALWAYS,
        |_, file| assert_ne!(letters(&file).unwrap(), "ab"),
    );
    check(
        Family::LostWrite,
        |faults| faults.lost_write = Probability::ALWAYS,
        |disk, file| {
            file.write_all_at(&[b'x'; PAGE], 0).unwrap();
            file.sync_all().unwrap();
            assert_eq!(letters(&file).unwrap(), "xb");
            disk.drop_cache();
            assert_eq!(letters(&file).unwrap(), "ab");
        },
    );
    check(
        Family::MisdirectedWrite,
        |faults| faults.misdirected_write = Probability::ALWAYS,
        |disk, file| {
            file.write_all_at(&[b'x'; PAGE], 0).unwrap();
            file.sync_all().unwrap();
            disk.drop_cache();
            assert_eq!(letters(&file).unwrap(), "ax");
        },
    );
    check(
        Family::SyncLie,
        |faults| faults.sync_lie = Probability::ALWAYS,
        |disk, file| {
            file.write_all_at(&[b'x'; PAGE], 0).unwrap();
            file.sync_all().unwrap();
            disk.crash();
            let left = with_disk(disk, || blocking::read("/file")).unwrap();
            assert_eq!(left[0], b'a');
        },
    );
}

#[test]
fn a_fault_strikes_in_its_part_and_so_often() {
    let disk = DetachedDisk::new();
    let file = two_pages(&disk);
    let scope = DiskScope {
        path: Some("/file".to_owned()),
        bytes: Some(0..1),
        strikes_max: Some(2),
    };
    let faults = DiskFaults {
        write_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let fault = disk.fault(scope.clone(), faults);
    let errors = [9, 0, 0, 0].map(|at| file.write_at(b"x", at).is_err());
    assert_eq!(errors, [false, true, true, false]);
    fault.end();
    disk.fault(scope, faults).end();
    file.write_all_at(b"x", 0).unwrap();
}

#[test]
fn it_has_a_size_and_so_many_descriptors() {
    let disk = DetachedDisk::new();
    let file = two_pages(&disk);
    disk.configure(&DiskConfig {
        capacity_bytes: Some(2 * PAGE as u64),
        descriptors_max: 2,
        ..DiskConfig::default()
    });
    let error = file.write_at(b"x", 2 * PAGE as u64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let _second = file.try_clone().unwrap();
    assert_eq!(code(file.try_clone()), 24, "EMFILE");
}

#[test]
fn a_lock_that_nobody_could_give_up_is_a_deadlock() {
    let disk = DetachedDisk::new();
    let file = two_pages(&disk);
    let other = with_disk(&disk, || blocking::File::open("/file")).unwrap();
    file.lock().unwrap();
    file.lock().unwrap();
    assert_eq!(code(other.lock()), 35, "EDEADLK");
    assert_eq!(code(other.lock_shared()), 35, "EDEADLK");
    file.lock_shared().unwrap();
    other.lock_shared().unwrap();
    assert_eq!(code(file.lock()), 35, "EDEADLK");
    other.unlock().unwrap();
    file.lock().unwrap();
    drop(file);
    other.lock().unwrap();
}

#[test]
fn a_crash_is_drawn_from_its_seed() {
    let left = |seed| {
        let config = DiskConfig {
            profile: Profile::Adversarial,
            crash: CrashOdds::default(),
            ..DiskConfig::default()
        };
        let disk = DetachedDisk::with_config(&config, seed);
        let file = two_pages(&disk);
        file.write_all_at(&[b'x'; 2 * PAGE], 0).unwrap();
        disk.crash();
        with_disk(&disk, || blocking::read("/file")).unwrap()
    };
    let outcomes: Vec<Vec<u8>> = (0..32).map(left).collect();
    assert_eq!(outcomes, (0..32).map(left).collect::<Vec<_>>());
    let is_all = |letter: u8| {
        outcomes
            .iter()
            .any(|left| left.iter().all(|byte| *byte == letter))
    };
    assert!(is_all(b'x'), "everything kept");
    assert!(
        outcomes.iter().any(|left| left[0] == b'a'),
        "something lost"
    );
}

/// Explores a program whose check meets a fault; gives how many states counted as another.
fn same_reads(faults: DiskFaults) -> u64 {
    let told = explore_crashes(
        &Bounds::default(),
        |_| blocking::write("/file", [b'a'; 3 * PAGE]).unwrap(),
        |_: &Ctx<()>| {
            let file = blocking::OpenOptions::new()
                .write(true)
                .open("/file")
                .unwrap();
            file.write_all_at(&[b'x'; 3 * PAGE], 0).unwrap();
        },
        |ctx, _| {
            ctx.disk().fault(DiskScope::default(), faults);
            let file = blocking::File::open("/file").map_err(|error| error.to_string())?;
            // It looks at the first page alone, of which a fault may make another.
            match file.read_exact_at(&mut [0; PAGE], 0) {
                Err(error) if error.kind() != ErrorKind::Other => Ok(()),
                result => result.map_err(|error| error.to_string()),
            }
        },
    );
    told.expect("it passes").same_reads
}

#[test]
fn where_a_check_meets_faults_everything_counts() {
    assert!(same_reads(DiskFaults::NONE) > 0);
    let faults = DiskFaults {
        misdirected_read: Probability::percent(50),
        ..DiskFaults::NONE
    };
    assert_eq!(same_reads(faults), 0);
}
