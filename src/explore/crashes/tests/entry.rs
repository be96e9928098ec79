//! The way in, with programs that know nothing of it.

use std::io::{self, Write};

use super::super::{Bounds, CrashBug, Ctx, Explored, explore_crashes};
use crate::fs::blocking::{self, File, OpenOptions};
use crate::model::disk::Profile;

/// How a file is replaced by another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replacing {
    Well,
    WithoutFileSync,
    WithoutDirectorySync,
    InPlace,
}

fn sync(directory: &str) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn replace(text: &str, replacing: Replacing) -> io::Result<()> {
    let name = match replacing {
        Replacing::InPlace => "/etc/name",
        _ => "/etc/name.new",
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(name)?;
    file.write_all(text.as_bytes())?;
    if replacing != Replacing::WithoutFileSync {
        file.sync_all()?;
    }
    if replacing != Replacing::InPlace {
        blocking::rename("/etc/name.new", "/etc/name")?;
    }
    if replacing != Replacing::WithoutDirectorySync {
        sync("/etc")?;
    }
    Ok(())
}

fn explored(profile: Profile, replacing: Replacing) -> Result<Explored, CrashBug> {
    let bounds = Bounds {
        profile,
        ..Bounds::default()
    };
    let check = |_: &Ctx<&str>, acked: &[&str]| -> Result<(), String> {
        let text = blocking::read_to_string("/etc/name").map_err(|error| error.to_string())?;
        let last = *acked.last().unwrap_or(&"one");
        if text == last || text == "two" && last == "one" {
            return Ok(());
        }
        Err(format!("{text:?} after {last:?}"))
    };
    explore_crashes(
        &bounds,
        |_| {
            blocking::create_dir("/etc").unwrap();
            blocking::write("/etc/name", "one").unwrap();
        },
        |ctx| {
            replace("two", replacing).unwrap();
            ctx.ack("two");
        },
        check,
    )
}

#[test]
fn a_file_is_replaced_well() {
    for &profile in Profile::ALL {
        let told = explored(profile, Replacing::Well);
        let told = told.unwrap_or_else(|bug| panic!("{profile:?}:\n{bug}"));
        assert!(!told.cut_short && told.checks > 1, "{told}");
    }
}

#[track_caller]
fn check(replacing: Replacing, missing: &str) {
    let bug = explored(Profile::Adversarial, replacing).expect_err("a bug to find");
    assert!(bug.missing()[0].starts_with(missing), "{bug}");
}

#[test]
fn a_file_is_replaced_badly() {
    let content = "sync of the content of /etc/name, before the name /etc/name at src/explore/";
    check(Replacing::WithoutFileSync, content);
    let names = "sync of the directory /etc, before acknowledgement 1 at src/explore/";
    check(Replacing::WithoutDirectorySync, names);
    check(
        Replacing::InPlace,
        "sync of the content of /etc/name, before",
    );
}

/// A new file whose own sync is all that is made, as most programs do it.
fn new_file(profile: Profile) -> Result<Explored, CrashBug> {
    let bounds = Bounds {
        profile,
        ..Bounds::default()
    };
    explore_crashes(
        &bounds,
        |_| {},
        |ctx| {
            let mut file = File::create("/new").unwrap();
            file.write_all(b"text").unwrap();
            file.sync_all().unwrap();
            ctx.ack(());
        },
        |_, acked| match blocking::read("/new") {
            Ok(text) if text == b"text" => Ok(()),
            _ if acked.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
}

/// What a program may do without, since its file system promises more, is not held against it
/// there, and is elsewhere.
#[test]
fn the_rules_of_a_profile_are_enough_on_it() {
    for &profile in Profile::ALL {
        // A name that takes another's place comes after the bytes; a synced file has its name.
        let (replaces_after, names_synced) = match profile {
            Profile::Strict | Profile::Ext4Ordered | Profile::Btrfs => (true, true),
            Profile::Xfs => (false, true),
            Profile::Adversarial => (false, false),
        };
        let found = explored(profile, Replacing::WithoutFileSync);
        assert_eq!(found.is_ok(), replaces_after, "{profile:?}: {found:?}");
        let found = new_file(profile);
        assert_eq!(found.is_ok(), names_synced, "{profile:?}: {found:?}");
        // A rename that nothing made durable is promised nowhere, nor bytes that are cut off first.
        assert!(explored(profile, Replacing::WithoutDirectorySync).is_err());
        assert!(explored(profile, Replacing::InPlace).is_err());
    }
}

#[test]
fn a_panic_of_the_check_is_its_verdict() {
    let found = explore_crashes::<(), String>(
        &Bounds::default(),
        |_| {},
        |_| drop(File::create("/a").unwrap()),
        |_, _| {
            assert!(!blocking::exists("/a").unwrap(), "there it is");
            Ok(())
        },
    );
    let bug = found.expect_err("it panics");
    let told = "it panics: there it is (src/explore/crashes/tests/entry.rs:";
    assert!(bug.message().starts_with(told), "{bug}");
    assert!(bug.lost().is_empty(), "{bug}");
}

#[test]
#[should_panic(expected = "the workload fails without any loss of power: it panics: oh")]
fn a_workload_that_fails_by_itself_is_refused() {
    let _ =
        explore_crashes::<(), String>(&Bounds::default(), |_| {}, |_| panic!("oh"), |_, _| Ok(()));
}

const PAGE: usize = 4096;

/// A record of three pages, of which each has its number at both ends, as a checksum would tell.
fn record(number: u8) -> Vec<u8> {
    [number; 3 * PAGE].into()
}

/// Opens the record. It is written in place: a page that was torn is found out, and its record is
/// taken from a copy. Whether all pages are of one record may be asked or not.
fn number_of(copy: u8, asks_all: bool) -> Result<u8, String> {
    let record = blocking::read("/record").map_err(|error| error.to_string())?;
    let mut numbers = Vec::new();
    for page in record.chunks(PAGE) {
        if page.iter().any(|byte| *byte != page[0]) {
            return Ok(copy);
        }
        numbers.push(page[0]);
    }
    let is_one = numbers.iter().all(|number| *number == numbers[0]);
    match (is_one, asks_all) {
        (true, _) => Ok(numbers[0]),
        (false, true) => Ok(copy),
        (false, false) => Err(format!("pages of several records: {numbers:?}")),
    }
}

fn tear_records(bounds: &Bounds, asks_all: bool) -> Result<Explored, CrashBug> {
    explore_crashes(
        bounds,
        |_| blocking::write("/record", record(1)).unwrap(),
        |_: &Ctx<()>| {
            let file = OpenOptions::new().write(true).open("/record").unwrap();
            file.write_all_at(&record(2), 0).unwrap();
        },
        |_, _| number_of(1, asks_all).map(drop),
    )
}

#[test]
fn a_tear_between_pages_is_found_where_none_between_sectors_fails() {
    let bounds = Bounds {
        random: 0,
        ..Bounds::default()
    };
    for sector_bytes in [512, 4096] {
        let bounds = Bounds {
            sector_bytes,
            ..bounds.clone()
        };
        let bug = tear_records(&bounds, false).expect_err("a bug to find");
        assert_eq!(
            bug.message(),
            "pages of several records: [2, 1, 2]",
            "{bug}"
        );
        assert!(bug.lost()[0].contains(" of its sectors kept"), "{bug}");
        assert!(tear_records(&bounds, true).is_ok());
    }
    let untorn = Bounds {
        torn: false,
        ..bounds
    };
    assert!(tear_records(&untorn, false).is_ok());
}

/// A record of one page that is trusted to be written whole: right where sectors are that large.
#[test]
fn sectors_are_as_large_as_is_said() {
    let found = |sector_bytes| {
        let bounds = Bounds {
            sector_bytes,
            ..Bounds::default()
        };
        explore_crashes(
            &bounds,
            |_| blocking::write("/page", [1; PAGE]).unwrap(),
            |_: &Ctx<()>| {
                let file = OpenOptions::new().write(true).open("/page").unwrap();
                file.write_all_at(&[2; PAGE], 0).unwrap();
            },
            |_, _| {
                let page = blocking::read("/page").map_err(|error| error.to_string())?;
                let is_whole = page.iter().all(|byte| *byte == page[0]);
                is_whole
                    .then_some(())
                    .ok_or_else(|| "a torn page".to_owned())
            },
        )
    };
    assert!(found(512).is_err());
    assert!(found(4096).is_ok());
}
