//! Each edge of each profile, and the absence of each that a profile does not promise.

use super::super::change::Change;
use super::super::crash::{CrashPoint, Fill, Mark};
use super::super::image::{Attributes, Body, File, Ino, Inode, Name};
use super::super::profile::Profile;
use super::super::store::Syncing;
use super::bench::{Bench, PLAIN};

impl Bench {
    /// All states after a loss of power, each as its files with their contents.
    pub(super) fn states(&self) -> Vec<String> {
        let point = CrashPoint::of(&self.store);
        let count = point.pending.len();
        assert!(count <= 10, "too many for all subsets");
        let mut states = Vec::new();
        for subset in 0..1_u32 << count {
            let kept: Vec<bool> = (0..count).map(|op| subset >> op & 1 == 1).collect();
            let mut legal = kept.clone();
            point.profile.drop_unfounded(&point.pending, &mut legal);
            let mut closed = kept.clone();
            point.profile.close_over_needs(&point.pending, &mut closed);
            assert_eq!(
                legal == kept,
                closed == kept,
                "both ways agree on what is legal"
            );
            if legal == kept {
                let mark = |kept: &bool| if *kept { Mark::Kept } else { Mark::Lost };
                let marks: Vec<Mark> = kept.iter().map(mark).collect();
                states.push(show(&point, &marks));
            }
        }
        states.sort();
        states.dedup();
        states
    }
}

pub(super) fn show(point: &CrashPoint, marks: &[Mark]) -> String {
    let image = point.image(marks, Fill::Zeros);
    let mut lines = Vec::new();
    let mut todo = vec![(Ino::ROOT, String::new())];
    while let Some((dir, path)) = todo.pop() {
        let directory = image.get(dir).and_then(Inode::directory).unwrap();
        for (Name(name), ino) in &directory.entries {
            let path = format!("{path}{}", String::from_utf8_lossy(name));
            match &image.get(*ino).unwrap().body {
                Body::Directory(_) => todo.push((*ino, format!("{path}/"))),
                Body::Symlink(_) => lines.push(path),
                Body::File(file) => {
                    let mut bytes = vec![0; usize::try_from(file.len).unwrap()];
                    file.content.read(0, &mut bytes);
                    // A run of one byte as that byte.
                    bytes.dedup();
                    let text = String::from_utf8_lossy(&bytes).replace('\0', "0");
                    lines.push(format!("{path}={text}"));
                }
            }
        }
    }
    lines.sort();
    lines.join(" ")
}

/// Asserts which profiles may leave a state after some steps.
#[track_caller]
fn check(steps: impl Fn(&mut Bench), state: &str, possible: &[Profile]) {
    for &profile in Profile::ALL {
        let mut bench = Bench::new(profile);
        steps(&mut bench);
        let states = bench.states();
        assert_eq!(
            states.iter().any(|other| other == state),
            possible.contains(&profile),
            "{profile:?}: {state:?} among {states:#?}"
        );
    }
}

const ALL: &[Profile] = Profile::ALL;
const NONE: &[Profile] = &[];
const NOT_STRICT: &[Profile] = &[
    Profile::Ext4Ordered,
    Profile::Xfs,
    Profile::Btrfs,
    Profile::Adversarial,
];
const WEAK_NAMES: &[Profile] = &[Profile::Btrfs, Profile::Adversarial];
const ADVERSARIAL: &[Profile] = &[Profile::Adversarial];

#[test]
fn nothing_and_everything_may_be_durable() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, "x");
    };
    check(steps, "", ALL);
    check(steps, "a=x", ALL);
}

#[test]
fn overwrites_are_not_ordered_but_in_strict() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, &"-".repeat(8192));
        bench.sync_all();
        bench.write(file, 0, &"x".repeat(4096));
        bench.write(file, 4096, &"y".repeat(4096));
    };
    check(steps, "a=-y", NOT_STRICT);
    check(steps, "a=x-", ALL);
}

#[test]
fn a_sector_holds_all_earlier_writes_of_its_bytes() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, "----");
        bench.sync_all();
        bench.write(file, 0, "x");
        bench.write(file, 3, "y");
    };
    check(steps, "a=-y", NONE);
    check(steps, "a=x-", ALL);
    check(steps, "a=x-y", ALL);
}

#[test]
fn a_length_without_bytes_is_seen_only_by_the_adversary() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.sync_all();
        bench.write(file, 0, "x");
    };
    check(steps, "a=0", ADVERSARIAL);
    check(steps, "a=", ALL);
}

#[test]
fn lengths_of_one_file_come_in_order() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, "xxxx");
        bench.sync_all();
        bench.set_len(file, 0);
        bench.set_len(file, 4);
    };
    check(steps, "a=0", ALL);
    check(steps, "a=", ALL);
    check(steps, "a=x", ALL);
    // The bytes cannot come back with the second length and without the first.
    let regrown = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, &"x".repeat(8192));
        bench.sync_all();
        bench.set_len(file, 0);
        bench.write(file, 0, "y");
    };
    check(regrown, "a=yx", NONE);
    check(regrown, "a=y", ALL);
}

#[test]
fn names_come_in_order_where_there_is_a_journal() {
    let steps = |bench: &mut Bench| {
        bench.file("a");
        bench.file("b");
    };
    check(steps, "b=", WEAK_NAMES);
    check(steps, "a=", ALL);
}

#[test]
fn an_unlink_may_go_before_a_rename() {
    // The old one is gone and the new one is not there: LevelDB's CURRENT and MANIFEST.
    let steps = |bench: &mut Bench| {
        bench.file("old");
        bench.file("tmp");
        bench.sync_all();
        bench.rename("tmp", "new");
        bench.unlink("old");
    };
    check(steps, "tmp=", WEAK_NAMES);
    check(steps, "new= old=", ALL);
}

#[test]
fn a_new_name_may_come_before_the_bytes() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("tmp");
        bench.write(file, 0, "x");
        bench.rename("tmp", "new");
    };
    check(steps, "new=", NOT_STRICT);
}

#[test]
fn replacing_by_rename_writes_the_bytes_first_on_ext4_and_btrfs() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("new");
        bench.write(file, 0, "-");
        bench.sync_all();
        let file = bench.file("tmp");
        bench.write(file, 0, "x");
        bench.rename("tmp", "new");
    };
    check(steps, "new=", &[Profile::Xfs, Profile::Adversarial]);
    check(steps, "new=x", ALL);
    check(steps, "new=-", ALL);
}

#[test]
fn a_rename_is_atomic_where_there_is_a_journal() {
    let steps = |bench: &mut Bench| {
        bench.file("a");
        bench.sync_all();
        bench.rename("a", "b");
    };
    check(steps, "a= b=", ADVERSARIAL);
    check(steps, "", NONE);
    check(steps, "a=", ALL);
    check(steps, "b=", ALL);
}

#[test]
fn a_renamed_directory_has_one_name() {
    let steps = |bench: &mut Bench| {
        let directory = bench.directory(Ino::ROOT, "a");
        bench.make(directory, "f", Body::File(File::default()));
        bench.sync_all();
        bench.rename("a", "b");
    };
    check(steps, "a/f= b/f=", NONE);
    check(steps, "a/f=", ALL);
    check(steps, "b/f=", ALL);
}

#[test]
fn a_synced_file_has_its_name_but_for_the_adversary() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, "x");
        bench.sync(Syncing::File(file));
    };
    check(steps, "", ADVERSARIAL);
    check(steps, "a=x", ALL);
    check(steps, "a=", NONE);
}

#[test]
fn a_synced_file_in_a_new_directory_can_be_reached() {
    let steps = |bench: &mut Bench| {
        let directory = bench.directory(Ino::ROOT, "d");
        let file = bench.make(directory, "a", Body::File(File::default()));
        bench.sync(Syncing::Content(file));
    };
    check(steps, "", ADVERSARIAL);
    check(steps, "d/a=", ALL);
}

#[test]
fn a_synced_directory_has_its_names_and_not_their_bytes() {
    let steps = |bench: &mut Bench| {
        let file = bench.file("a");
        bench.write(file, 0, "x");
        bench.sync(Syncing::Directory(Ino::ROOT));
    };
    check(steps, "", NONE);
    check(steps, "a=", ALL);
}

#[test]
fn syncing_either_directory_of_a_rename() {
    let steps = |synced: fn(Ino) -> Ino| {
        move |bench: &mut Bench| {
            let directory = bench.directory(Ino::ROOT, "d");
            bench.file("a");
            bench.sync_all();
            let origin = bench.origin();
            let (from, to) = ((Ino::ROOT, "a".into()), (directory, "b".into()));
            bench.store.rename(origin, from, to);
            bench.sync(Syncing::Directory(synced(directory)));
        }
    };
    let new = steps(|directory| directory);
    check(new, "a= d/b=", ADVERSARIAL);
    check(new, "d/b=", ALL);
    check(new, "a=", NONE);
    // The old name is never taken away before the new one is there.
    let old = steps(|_| Ino::ROOT);
    check(old, "", NONE);
    check(old, "d/b=", ALL);
    check(old, "a= d/b=", NONE);
}

#[test]
fn attributes_are_synced_with_the_file_and_not_with_its_content() {
    for (what, durable) in [
        (Syncing::File as fn(Ino) -> _, true),
        (Syncing::Content, false),
    ] {
        let mut bench = Bench::new(Profile::Adversarial);
        let file = bench.file("a");
        bench.sync_all();
        let origin = bench.origin();
        let mode = 0o600;
        bench
            .store
            .set_attributes(origin, file, Attributes { mode, ..PLAIN });
        bench.sync(what(file));
        assert_eq!(bench.store.pending().is_empty(), durable);
    }
}

#[test]
fn a_sync_covers_what_came_before_it() {
    let mut bench = Bench::new(Profile::Adversarial);
    let file = bench.file("a");
    bench.sync_all();
    bench.write(file, 0, "x");
    let before = bench.store.next_op();
    bench.write(file, 4096, "y");
    let marks = bench.store.forced(Syncing::File(file), before);
    bench.store.persist_whole(&marks);
    let left: Vec<_> = bench.store.pending().iter().map(|op| &op.change).collect();
    assert!(
        matches!(
            left[..],
            [
                Change::Data { .. },
                Change::Size {
                    from: 1,
                    to: 4097,
                    ..
                }
            ]
        ),
        "{left:?}"
    );
}

#[test]
fn garbage_shows_where_a_length_has_no_bytes() {
    let mut bench = Bench::new(Profile::Adversarial);
    let file = bench.file("a");
    bench.sync_all();
    bench.write(file, 0, &"x".repeat(1500));
    let point = CrashPoint::of(&bench.store);
    let read = |marks: &[Mark], fill| {
        let image = point.image(marks, fill);
        let mut bytes = [0; 1500];
        image.file(file).unwrap().content.read(0, &mut bytes);
        bytes
    };
    let lost = [Mark::Lost, Mark::Kept];
    assert_eq!(read(&lost, Fill::Zeros), [0; 1500]);
    let garbage = read(&lost, Fill::Garbage(1));
    assert!(garbage.chunks(8).all(|word| *word != [0; 8]));
    assert_ne!(garbage, read(&lost, Fill::Garbage(2)));
    let kept = [Mark::Kept, Mark::Kept];
    assert_eq!(read(&kept, Fill::Garbage(1)), [b'x'; 1500]);
    assert!(point.exposed(&kept).is_empty());
}

#[test]
fn what_is_gone_is_forgotten_when_no_change_speaks_of_it() {
    let mut bench = Bench::new(Profile::Adversarial);
    let file = bench.file("a");
    bench.write(file, 0, "x");
    bench.sync(Syncing::File(file));
    bench.unlink("a");
    bench.store.forget(file);
    assert!(
        bench.store.durable().get(file).is_some(),
        "its name may yet be durable"
    );
    bench.sync_all();
    assert!(bench.store.durable().get(file).is_none());
    assert_eq!(bench.store.pending_bytes(), 0);
}
