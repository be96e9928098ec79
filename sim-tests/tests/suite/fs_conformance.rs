//! Files held to those of the kernel: the same programs of calls, with tokio's and std's in a
//! directory of the real file system and with ours in the simulation, give the same results,
//! errors and contents, call by call.

// The same cases twice is the point: with tokio's files, and with ours.
#[expect(clippy::duplicate_mod, reason = "compares two file systems")]
mod ours;
mod tokios;

use std::fmt::{Debug, Write};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// What a case is given: a directory of its own, and where it notes what its calls gave.
#[derive(Clone)]
struct Stage {
    root: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

type Case = fn(Stage) -> Pin<Box<dyn Future<Output = ()>>>;

impl Stage {
    fn new(root: PathBuf) -> Self {
        let log = Arc::default();
        Self { root, log }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Notes what is so.
    fn note(&self, what: &str, value: impl Debug) {
        // Where the case runs is of no interest.
        let root = self.root.to_str().unwrap();
        let line = format!("{what}: {value:?}").replace(root, "/root");
        self.log.lock().unwrap().push(line);
    }

    /// Notes what a call gave: errors by their kind and the system's number.
    fn put<T: Debug>(&self, call: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.note(call, &value);
                Some(value)
            }
            Err(error) => {
                self.note(call, (error.kind(), error.raw_os_error()));
                None
            }
        }
    }

    /// Notes whether a call that makes something succeeded.
    fn made<T>(&self, call: &str, result: io::Result<T>) -> Option<T> {
        let (made, result) = match result {
            Ok(made) => (Some(made), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.put(call, result);
        made
    }
}

/// Makes a test of each case.
macro_rules! cases {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                compare(
                    |stage| Box::pin(tokios::cases::$name(stage)),
                    |stage| Box::pin(ours::cases::$name(stage)),
                );
            }
        )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

/// Plays a case on both arms.
#[track_caller]
fn compare(tokios: Case, ours: Case) {
    let (real, simulated) = (tokios::play(tokios), ours::play(ours));
    assert!(!real.is_empty(), "a case that calls nothing");
    let mut differences = String::new();
    for n in 0..real.len().max(simulated.len()) {
        let line = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
        let (a, b) = (line(&real), line(&simulated));
        if a != b {
            writeln!(differences, "{n}: real {a}, simulated {b}").unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn there_are_enough_cases() {
    assert!(NAMES.len() >= 25, "{}", NAMES.len());
}

cases! {
    open_what_is_not_there
    open_in_every_way
    custom_flags
    names_that_are_none
    write_and_read_back
    writes_take_what_fits
    a_write_that_fails_is_told_later
    a_write_goes_on_when_its_file_is_dropped
    vectored_writes
    seeks
    a_write_after_a_read_given_up
    appends
    lengths
    clones_share_their_place
    whole_files
    metadata_of_all_kinds
    times
    directories_are_listed
    renames
    removals
    directories_with_those_above
    trees_are_removed
    copies
    hard_links
    symbolic_links
    canonical_paths
    permissions
    blocking_traits
    blocking_positions
    blocking_directories
    blocking_times
    locks
}
