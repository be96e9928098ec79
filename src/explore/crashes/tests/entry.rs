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
