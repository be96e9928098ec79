//! The test of the log: every state in which a loss of power leaves it, and what must be there.

use std::collections::BTreeMap;
use std::io;

use stormglass::explore::{Bounds, CrashBug, Ctx, Explored, explore_crashes};
use stormglass::fs::{DiskFaults, DiskScope, blocking};
use stormglass::kernel::Probability;

use super::{Bug, Wal};

/// Loses power wherever it may be lost, and asks the log whether it kept its promises.
///
/// # Errors
/// The first state in which it did not.
///
/// # Panics
/// If the log fails without any loss of power.
pub fn explore(bounds: &Bounds, bug: Option<Bug>) -> Result<Explored, CrashBug> {
    explore_crashes(
        bounds,
        |_| blocking::create_dir(DIRECTORY).expect("an empty disk has room"),
        |ctx| workload(ctx, bug).expect("only the sync fails that is told to"),
        |_, acked| check(acked.len(), bug),
    )
}

/// The changes, each of which is acknowledged by its number: two, a compaction, one, and one whose
/// sync fails.
fn workload(ctx: &Ctx<usize>, bug: Option<Bug>) -> io::Result<()> {
    let mut wal = Wal::open(DIRECTORY, bug)?;
    for number in 0..SOUND {
        if number == COMPACTED {
            wal.compact()?;
        }
        let (key, value) = change(number);
        wal.set(key, &value)?;
        ctx.ack(number);
    }
    let failing = DiskFaults {
        sync_error: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let once = DiskScope {
        strikes_max: Some(1),
        ..DiskScope::default()
    };
    ctx.disk().fault(once, failing);
    let (key, value) = change(SOUND);
    // A log that says no has promised nothing.
    if wal.set(key, &value).is_ok() {
        ctx.ack(SOUND);
    }
    Ok(())
}

/// Whether the log, after a crash, holds what the first changes made, as many as were acknowledged
/// or more; and takes another change and holds that too.
fn check(acked: usize, bug: Option<Bug>) -> Result<(), String> {
    let fault = |error: io::Error| format!("the log cannot be opened: {error}");
    let mut wal = Wal::open(DIRECTORY, bug).map_err(fault)?;
    let mut held = wal.map().clone();
    // This one is there if power was lost below, in a check before this one.
    held.remove(LAST);
    let made = (0..=CHANGES).rfind(|made| held == after(*made));
    match made {
        Some(made) if made >= acked => {}
        Some(made) => {
            return Err(format!("{made} changes are there of {acked} acknowledged"));
        }
        None => return Err(format!("no changes ever made this: {}", shown(&held))),
    }
    wal.set(LAST, "after all").map_err(fault)?;
    let again = Wal::open(DIRECTORY, bug).map_err(fault)?;
    if again.map() != wal.map() {
        return Err(format!(
            "a change after recovery is lost: {}",
            shown(again.map())
        ));
    }
    Ok(())
}

fn change(number: usize) -> (&'static str, String) {
    (["a", "b"][number % 2], value(number))
}

/// A text that is no other's, longer than a sector, so that it can be torn.
fn value(number: usize) -> String {
    format!("{number} ").repeat(400)
}

/// What so many changes make.
fn after(changes: usize) -> BTreeMap<String, String> {
    let changes = (0..changes).map(change);
    changes
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The beginnings of what is in a map.
fn shown(map: &BTreeMap<String, String>) -> String {
    let begin = |text: &str| text.chars().take(8).collect::<String>();
    let pairs = map.iter().map(|(key, value)| (begin(key), begin(value)));
    format!("{:?}", pairs.collect::<Vec<_>>())
}

const DIRECTORY: &str = "/db";
/// Changes all told; those before anything fails; and how many come before the compaction.
const CHANGES: usize = 4;
const SOUND: usize = 3;
const COMPACTED: usize = 2;
/// The key that the check changes.
const LAST: &str = "last";
