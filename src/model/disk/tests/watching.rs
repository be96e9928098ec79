//! What is said to be observed is all that is observed.

use std::collections::BTreeSet;
use std::io::SeekFrom;

use proptest::prelude::*;

use super::super::call::{Call, Fd, OpenFlags, Target};
use super::super::image::Image;
use super::super::profile::Profile;
use super::super::store::Syncing;
use super::super::watch::{Before, Observation};
use super::super::{Disk, Ino};
use super::{AROUND, BOTH, CREATE, READ, WRITE, bytes};

const PATHS: [&str; 6] = ["/a", "/b", "/d", "/d/a", "/s", "/d/s"];

fn path() -> impl Strategy<Value = super::super::call::Path> {
    proptest::sample::select(&PATHS[..]).prop_map(bytes)
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        path().prop_map(Target::Path),
        path().prop_map(Target::Link),
        fd().prop_map(Target::Open)
    ]
}

fn fd() -> impl Strategy<Value = Fd> {
    (3_u32..6).prop_map(Fd)
}

fn write() -> impl Strategy<Value = Call> {
    let at = prop_oneof![Just(None), (0_u64..4).prop_map(|page| Some(page * 3000))];
    (fd(), at, 0_usize..5000, 0_u8..3).prop_map(|(fd, at, len, byte)| Call::Write {
        fd,
        at,
        bytes: vec![byte; len],
    })
}

fn open() -> impl Strategy<Value = Call> {
    let append = OpenFlags {
        append: true,
        write: false,
        ..CREATE
    };
    let flags = proptest::sample::select(vec![READ, WRITE, BOTH, CREATE, CREATE, append]);
    (path(), flags).prop_map(|(path, flags)| Call::Open { path, flags })
}

fn call() -> impl Strategy<Value = Call> {
    let at = prop_oneof![Just(None), (0_u64..4).prop_map(|page| Some(page * 3000))];
    prop_oneof![
        4 => open(),
        4 => write(),
        4 => (fd(), at, 0_usize..5000).prop_map(|(fd, at, length)| Call::Read { fd, at, length }),
        1 => (fd(), -2_i64..2).prop_map(|(fd, by)| Call::Seek { fd, to: SeekFrom::End(by) }),
        1 => (fd(), 0_u64..9000).prop_map(|(fd, len)| Call::SetLen { fd, len }),
        1 => fd().prop_map(|fd| Call::Sync { fd, content_only: false }),
        1 => target().prop_map(Call::Metadata),
        1 => (target(), 0_u32..0o1000).prop_map(|(target, mode)| Call::SetMode { target, mode }),
        1 => path().prop_map(|path| Call::MakeDirectory { path, mode: 0o755 }),
        1 => path().prop_map(Call::RemoveFile),
        1 => path().prop_map(Call::RemoveDirectory),
        1 => (path(), path()).prop_map(|(from, to)| Call::Rename { from, to }),
        1 => (path(), path()).prop_map(|(original, link)| Call::HardLink { original, link }),
        1 => (path(), path()).prop_map(|(target, link)| Call::Symlink { target, link }),
        1 => path().prop_map(Call::ReadLink),
        1 => path().prop_map(Call::ReadDirectory),
        1 => path().prop_map(Call::Canonicalize),
    ]
}

/// Carries out calls on a disk that was mounted in a state; gives what they gave, and the disk.
fn run(image: Image, calls: &[Call]) -> (Vec<String>, Disk) {
    let mut disk = Disk::from_image(Profile::Adversarial, image);
    disk.watch(BTreeSet::new());
    let reply = |call: &Call| format!("{:?}", disk.perform(&AROUND, call.clone()));
    (calls.iter().map(reply).collect(), disk)
}

fn left(mut disk: Disk) -> Image {
    disk.process_died();
    let mut image = disk.store().visible().clone();
    image.settle();
    image
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        max_global_rejects: 100_000,
        ..ProptestConfig::default()
    })]

    /// Whoever answers all observations of a run alike gives that very run.
    #[test]
    fn equal_answers_give_equal_replies(
        before in proptest::collection::vec(call(), 0..12),
        difference in proptest::collection::vec(prop_oneof![2 => open(), 3 => write()], 1..6),
        calls in proptest::collection::vec(call(), 1..12),
    ) {
        let files = ["/a", "/b"].map(|path| Call::Open { path: bytes(path), flags: CREATE });
        let before: Vec<Call> = files.into_iter().chain(before).collect();
        let empty = left(Disk::new(Profile::Adversarial, 0));
        let image = left(run(empty, &before).1);
        let other = left(run(image.clone(), &difference).1);
        prop_assume!(image.hash() != other.hash());
        let (replies, mut disk) = run(image.clone(), &calls);
        let observed = disk.watched().observed;
        prop_assume!(observed.iter().all(|what| what.of(&image) == what.of(&other)));
        prop_assert_eq!(&replies, &run(other, &calls).0, "{:?}", observed);
    }
}

#[test]
fn what_each_call_observes() {
    let mut disk = super::disk();
    disk.put("/a", &"x".repeat(9000));
    let ino = disk.metadata(&Target::Path(bytes("/a"))).unwrap().ino;
    let image = left(disk);
    let check = |calls: &[Call], expected: &[Observation]| {
        let open = Call::Open {
            path: bytes("/a"),
            flags: BOTH,
        };
        let calls: Vec<Call> = [open].iter().chain(calls).cloned().collect();
        let observed = run(image.clone(), &calls).1.watched().observed;
        assert_eq!(observed[0], Observation::Tree);
        assert_eq!(&observed[1..], expected);
    };
    let fd = Fd(3);
    let (at, length) = (Some(4000), 1000);
    let page = |number| Observation::Page(ino, number);
    let pages = [Observation::Length(ino), page(0), page(1)];
    check(&[], &[]);
    check(&[Call::Read { fd, at, length }], &pages);
    let at = Some(20_000);
    check(&[Call::Read { fd, at, length }], &pages[..1]);
    let content_only = true;
    check(&[Call::Sync { fd, content_only }], &[]);
    let metadata = Call::Metadata(Target::Open(fd));
    // The room that it takes up is looked at where the reply is printed.
    let room = [Observation::Length(ino), Observation::Room];
    check(&[metadata], &room);
    check(&[Call::ReadDirectory(bytes("/"))], &[]);
    // So is what it wrote over before it read it, where nothing of the page is left.
    let write = |at, length| Call::Write {
        fd,
        at: Some(at),
        bytes: vec![1; length],
    };
    let read = Call::Read {
        fd,
        at: Some(0),
        length: 9000,
    };
    let len = Observation::Length(ino);
    check(&[write(100, 8092), read.clone()], &[len, page(0), page(2)]);
    check(&[write(0, 8192), read.clone()], &[len, page(2)]);
    check(&[write(0, 12_288), read.clone()], &[len]);
    check(&[read, write(0, 12_288)], &[len, page(0), page(1), page(2)]);
    // What the program made itself is nothing that it found.
    let path = bytes("/new");
    let new = Call::Open {
        path,
        flags: CREATE,
    };
    let (fd, at) = (Fd(4), Some(0));
    let bytes = b"y".to_vec();
    check(
        &[
            new,
            Call::Write { fd, at, bytes },
            Call::Read { fd, at, length },
        ],
        &[],
    );
}

#[test]
fn a_moment_before_each_sync_and_each_acknowledgement_of_something_new() {
    let mut disk = super::disk();
    disk.watch(BTreeSet::new());
    let dsync = OpenFlags {
        sync: super::super::call::WriteSync::Content,
        ..CREATE
    };
    let fd = disk.opened("/a", dsync);
    let ino = disk.metadata(&Target::Path(bytes("/a"))).unwrap().ino;
    disk.write(&AROUND, fd, None, b"x").unwrap();
    // The name came before that sync, and nothing since.
    disk.acknowledge(None);
    let root = disk.opened("/", READ);
    let content_only = false;
    let sync = Call::Sync {
        fd: root,
        content_only,
    };
    disk.call(sync.clone()).unwrap();
    disk.call(sync).unwrap();
    disk.write(&AROUND, fd, None, b"y").unwrap();
    disk.set_len(&AROUND, fd, 0).unwrap();
    disk.acknowledge(None);
    let watch = disk.watched();
    let moments: Vec<_> = watch
        .moments
        .iter()
        .map(|moment| (moment.before, moment.acks, moment.point.pending.len()))
        .collect();
    let expected = [
        (Before::Sync(Syncing::Content(ino)), 0, 3),
        (Before::Sync(Syncing::Directory(Ino::ROOT)), 1, 1),
        (Before::Sync(Syncing::Content(ino)), 1, 2),
        (Before::Ack, 1, 1),
        (Before::End, 2, 1),
    ];
    assert_eq!(moments, expected);
    assert_eq!(watch.acks.len(), 2);
}

#[test]
fn a_process_may_die_with_a_nameless_file_open_twice() {
    let mut disk = super::disk();
    disk.opened("/a", CREATE);
    disk.opened("/a", READ);
    disk.call(Call::RemoveFile(bytes("/a"))).unwrap();
    disk.process_died();
    assert_eq!(disk.store().visible().iter().count(), 1);
}

#[test]
fn what_a_rename_replaces_is_there_until_the_new_name_is() {
    for &profile in Profile::ALL {
        let mut disk = Disk::new(profile, 0);
        disk.put("/a", "one");
        let sync = |disk: &mut Disk| {
            for path in ["/", "/a"] {
                let fd = disk.opened(path, READ);
                disk.call(Call::Sync {
                    fd,
                    content_only: false,
                })
                .unwrap();
                disk.close(fd).unwrap();
            }
        };
        sync(&mut disk);
        disk.put("/b", "two");
        let (from, to) = (bytes("/b"), bytes("/a"));
        disk.call(Call::Rename { from, to }).unwrap();
        let mut durable = disk.store().durable().clone();
        durable.settle();
        let mut old = Disk::from_image(profile, durable);
        let fd = old.opened("/a", READ);
        assert_eq!(old.read_bytes(fd, None, 10).unwrap(), b"one", "{profile:?}");
        sync(&mut disk);
        assert_eq!(
            disk.store().durable().iter().count(),
            2,
            "the root and one file"
        );
    }
}
