//! The calls on names: what each refuses, and what it does to the counts of links.
//!
//! What Linux does is checked against Linux in `conformance`; here is what it cannot show there.

use super::super::crash::{CrashPoint, Fill, Mark};
use super::super::store::Syncing;
use super::*;

#[test]
fn a_directory_is_not_made_by_opening_it() {
    // As of Linux 6.3; before, a file was made.
    assert_eq!(disk().run("open d write,create,directory"), "EINVAL");
}

#[test]
fn the_root_has_no_name_to_change() {
    // The kernel's arm has another root, which may be another file system.
    assert_eq!(disk().run("mv / a"), "EBUSY");
    assert_eq!(disk().run("put a x; mv a /"), "EBUSY");
}

#[test]
fn links_are_counted() {
    for (script, path, expected) in [
        ("mkdir d", "/", 3),
        ("mkdir d; mkdir d/e; put d/a x", "d", 3),
        ("mkdir d; mkdir d/e; rmdir d/e", "d", 2),
        ("mkdir d; mkdir e; mv e d/e", "d", 3),
        ("mkdir d; mkdir e; mv e d/e", "/", 3),
        ("mkdir d; mkdir e; mv e d", "/", 3),
        ("mkdir d; mkdir e; mkdir d/e; mv e d/e", "d", 3),
        ("put a x; ln a b; ln b c", "a", 3),
        ("put a x; ln a b; rm a", "b", 1),
        ("put a x; ln a b; put c x; mv c b", "a", 1),
        ("put a x; ln a b; mv a b", "b", 2),
    ] {
        let mut disk = disk();
        assert_eq!(disk.run(script), "ok", "{script}");
        assert_eq!(disk.stat(path).links, expected, "{script}: {path}");
        // Settling counts anew.
        let mut settled = disk.store().visible().clone();
        settled.settle();
        assert_eq!(settled.hash(), disk.store().visible().hash(), "{script}");
    }
}

#[test]
fn a_file_has_no_more_than_65000_names() {
    let mut disk = disk();
    disk.put("a", "");
    let ino = disk.stat("a").ino;
    disk.store.set_links(ino, 64_999);
    assert_eq!(disk.run("ln a b"), "ok");
    assert_eq!(disk.run("ln a c"), "EMLINK");
}

#[test]
fn what_has_no_name_lives_while_it_is_open() {
    let mut disk = disk();
    disk.put("a", "text");
    disk.make_dir("d");
    let (file, dir) = (disk.opened("a", READ), disk.opened("d", READ));
    assert_eq!(disk.run("rm a; rmdir d"), "ok");
    assert_eq!(disk.content(file), "text");
    for fd in [file, dir] {
        let metadata = disk.metadata(&Target::Open(fd)).unwrap();
        assert_eq!(metadata.links, 0);
        let content_only = false;
        disk.call(Call::Sync { fd, content_only }).unwrap();
        let twin = disk.duplicate(fd).unwrap();
        disk.close(fd).unwrap();
        assert!(disk.store().visible().get(metadata.ino).is_some());
        disk.close(twin).unwrap();
        assert!(disk.store().visible().get(metadata.ino).is_none());
    }
}

#[test]
fn what_a_dead_process_had_open_without_a_name_is_gone() {
    let mut disk = disk();
    disk.put("a", "text");
    let fd = disk.opened("a", READ);
    disk.opened("a", READ);
    let ino = disk.metadata(&Target::Open(fd)).unwrap().ino;
    assert_eq!(disk.run("rm a"), "ok");
    disk.process_died();
    assert!(disk.store().visible().get(ino).is_none());
}

#[test]
fn names_come_in_no_order_and_always_the_same() {
    let names = |disk: &Disk, path: &str| -> Vec<String> {
        let entries = disk.read_directory(path.as_bytes()).unwrap();
        entries.iter().map(|entry| entry.name.to_string()).collect()
    };
    let sorted: Vec<String> = (b'a'..=b'h').map(|l| char::from(l).to_string()).collect();
    let make = |order: &mut dyn Iterator<Item = &String>| {
        let mut disk = disk();
        disk.make_dir("one");
        disk.make_dir("two");
        for name in order {
            disk.put(&format!("one/{name}"), "");
            disk.put(&format!("two/{name}"), "");
        }
        disk
    };
    let disk = make(&mut sorted.iter());
    let (one, two) = (names(&disk, "one"), names(&disk, "two"));
    assert_ne!(one, sorted);
    assert_ne!(one, two);
    assert_eq!(names(&make(&mut sorted.iter().rev()), "one"), one);
    let mut again = one;
    again.sort();
    assert_eq!(again, sorted);
}

#[test]
fn modes_and_times_that_are_set_are_changes() {
    let mut disk = disk();
    disk.put("a", "");
    disk.link_to("l", "a");
    let changes = |disk: &Disk| disk.store().pending().len();
    let before = changes(&disk);
    disk.chmod("l", 0o7654);
    assert_eq!(changes(&disk), before + 1);
    let set = |disk: &mut Disk, target, accessed_ns, modified_ns| {
        disk.call(Call::SetTimes {
            target,
            accessed_ns,
            modified_ns,
        })
        .unwrap();
    };
    set(&mut disk, Target::Path(bytes("l")), Some(5), None);
    set(&mut disk, Target::Path(bytes("l")), None, Some(6));
    assert_eq!(changes(&disk), before + 3);
    set(&mut disk, Target::Path(bytes("l")), None, None);
    assert_eq!(changes(&disk), before + 3, "nothing is set");
    let attributes = disk.stat("a").attributes;
    assert_eq!(attributes.mode, 0o7654);
    assert_eq!((attributes.accessed_ns, attributes.modified_ns), (5, 6));
    set(&mut disk, Target::Link(bytes("l")), Some(9), None);
    assert_eq!(disk.stat("l").attributes.accessed_ns, 9);
    assert_eq!(disk.stat("a").attributes.accessed_ns, 5);
    let (target, mode) = (Target::Link(bytes("l")), 0o600);
    let refused = disk.call(Call::SetMode { target, mode });
    assert_eq!(outcome(refused), "EOPNOTSUPP");
}

#[test]
fn new_names_change_the_times_of_their_directory() {
    for (script, path, modified) in [
        ("open d/b write,create", "d", true),
        ("mkdir d/e", "d", true),
        ("rm d/a", "d", true),
        ("mv d/a d/b", "d", true),
        ("mv d/a b", "d", true),
        ("mv d/a b", "/", true),
        ("ln d/a d/b", "d", true),
        ("symlink x d/l", "d", true),
        ("open d/a write", "d", false),
        ("rmdir d/no", "d", false),
    ] {
        let mut disk = disk();
        disk.run("mkdir d; put d/a x");
        let ino = disk.stat(path).ino;
        disk.store.touch(ino, |times| times.modified_ns = 0);
        disk.run(script);
        let touched = disk.stat(path).attributes.modified_ns == AROUND.wall_ns;
        assert_eq!(touched, modified, "{script}: {path}");
    }
}

#[test]
fn the_bits_of_the_mask_are_not_given() {
    let mut disk = disk();
    disk.run("put a x; mkdir d; symlink a l");
    let modes = ["a", "d", "l"].map(|path| disk.stat(path).attributes.mode);
    assert_eq!(modes, [0o644, 0o755, 0o777]);
    disk.set_umask(0o077);
    disk.run("put b x");
    assert_eq!(disk.stat("b").attributes.mode, 0o600);
}

/// Nothing of the renaming is durable: neither may what it replaced be lost.
#[test]
fn what_was_replaced_is_there_until_the_renaming_is_durable() {
    for &profile in Profile::ALL {
        let mut disk = Disk::new(profile, 0);
        assert_eq!(disk.run("put a old; open / read; sync 3"), "ok");
        disk.force(Syncing::Everything);
        assert_eq!(disk.run("put b new; mv b a; close 3"), "ok");
        let point = CrashPoint::of(disk.store());
        let lost = vec![Mark::Lost; point.pending.len()];
        let mut found = Disk::from_image(profile, point.image(&lost, Fill::Zeros));
        let outcome = found.run("open a read; read 3 9");
        assert_eq!(outcome, "\"old\"", "{profile:?}");
    }
}
