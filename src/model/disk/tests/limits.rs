//! What a disk has no more of, and calls that meet more than one thing.

use super::super::call::{Call, OpenFlags, Reply, WriteSync};
use super::super::config::DiskFaults;
use super::super::profile::Profile;
use super::rig::{Rig, code, configured, open, perform, put};
use super::{BOTH, CREATE, READ, bytes};
use crate::kernel::{Family, Probability};

#[test]
fn a_full_disk_takes_what_fits_and_then_gives_an_error() {
    // The file of the rig takes three pages.
    let mut rig = configured(Profile::Ext4Ordered, |config| {
        config.capacity_bytes = Some(5 * 4096);
    });
    let fd = open(&mut rig, "g").unwrap();
    assert_eq!(put(&mut rig, fd, &"x".repeat(3 * 4096)).unwrap(), 2 * 4096);
    assert_eq!(code(put(&mut rig, fd, "x")), libc::ENOSPC);
    rig.write(0, "over").unwrap();
    let (offered, fired, effective) = rig.count(Family::NoSpace);
    assert!(
        offered > fired && (fired, effective) == (2, 2),
        "{offered} {fired}"
    );
    perform(&mut rig, Call::RemoveFile(bytes("f"))).unwrap();
    assert_eq!(code(put(&mut rig, fd, "x")), libc::ENOSPC, "it is open yet");
    rig.device.fs.close(rig.fd).unwrap();
    assert_eq!(put(&mut rig, fd, "x").unwrap(), 1, "space has come back");
}

#[test]
fn where_space_is_found_late_the_sync_gives_the_error() {
    let mut rig = configured(Profile::Xfs, |config| {
        config.capacity_bytes = Some(4 * 4096);
    });
    let fd = open(&mut rig, "g").unwrap();
    assert_eq!(put(&mut rig, fd, &"x".repeat(2 * 4096)).unwrap(), 2 * 4096);
    let content_only = false;
    let sync = perform(&mut rig, Call::Sync { fd, content_only });
    assert_eq!(code(sync), libc::ENOSPC);
    assert_eq!(rig.count(Family::NoSpace), (1, 1, 1));
    assert_eq!(rig.read_all().unwrap(), "abc", "others keep what they have");
}

#[test]
fn a_process_has_so_many_descriptors() {
    let mut rig = configured(Profile::Adversarial, |config| config.descriptors_max = 3);
    let first = open(&mut rig, "g").unwrap();
    open(&mut rig, "h").unwrap();
    assert_eq!(code(open(&mut rig, "i")), libc::EMFILE);
    assert_eq!(rig.count(Family::NoDescriptors), (1, 1, 1));
    rig.device.fs.close(first).unwrap();
    assert_eq!(open(&mut rig, "i").unwrap(), first);
}

#[test]
fn a_write_that_is_synced_at_once_meets_the_faults_of_syncs() {
    let mut rig = Rig::new(DiskFaults {
        sync_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    });
    let flags = OpenFlags {
        sync: WriteSync::Content,
        ..CREATE
    };
    let path = bytes("g");
    let Reply::Opened(fd) = perform(&mut rig, Call::Open { path, flags }).unwrap() else {
        panic!("it was opened");
    };
    assert_eq!(code(put(&mut rig, fd, "x")), libc::EIO);
    rig.quiet();
    assert_eq!(put(&mut rig, fd, "x").unwrap(), 1);
}

#[test]
fn a_disk_goes_on_from_an_older_image() {
    let mut rig = Rig::new(DiskFaults::NONE);
    let older = rig.device.fs.store.durable().clone();
    rig.write(0, "x").unwrap();
    rig.sync().unwrap();
    let fd = open(&mut rig, "g").unwrap();
    rig.device.replace(older, Family::OlderImage);
    assert_eq!(rig.count(Family::OlderImage), (1, 1, 1));
    assert_eq!(code(put(&mut rig, fd, "x")), libc::EBADF, "nothing is open");
    rig.fd = rig.device.fs.opened("f", BOTH);
    assert_eq!(rig.read_all().unwrap(), "abc");
}

#[test]
fn a_read_only_file_system_opens_what_is_there_to_be_read() {
    let mut rig = Rig::new(DiskFaults::NONE);
    rig.device.faults.set_read_only(true);
    let open = |rig: &mut Rig, path: &str, flags: OpenFlags| {
        let path = bytes(path);
        perform(rig, Call::Open { path, flags })
    };
    for (path, flags, expected) in [
        ("f", READ, 0),
        (
            "f",
            OpenFlags {
                create: true,
                ..READ
            },
            libc::EINVAL,
        ),
        ("f", BOTH, libc::EROFS),
        ("f", CREATE, libc::EROFS),
        ("g", READ, libc::ENOENT),
        ("g", CREATE, libc::EROFS),
    ] {
        let found = open(&mut rig, path, flags).map_or_else(|error| code::<()>(Err(error)), |_| 0);
        assert_eq!(found, expected, "{path} {flags:?}");
    }
}

#[test]
fn a_second_descriptor_is_one_too() {
    let mut rig = configured(Profile::Adversarial, |config| config.descriptors_max = 1);
    let fd = rig.fd;
    assert_eq!(code(rig.device.duplicate(fd)), libc::EMFILE);
    rig.device.fs.close(fd).unwrap();
    assert_eq!(code(rig.device.duplicate(fd)), libc::EBADF);
}
