//! The way in for programs of a node: a small log with tasks and timers, and bugs to be found.

use std::io;
use std::time::Duration;

use super::super::{Bounds, CrashBug, Explored, NodeCtx, Pruning, explore_crashes_on_node};
use crate::fs::{self, File, OpenOptions};
use crate::io::AsyncWriteExt;
use crate::model::disk::Profile;
use crate::{task, time};

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    NoFileSync,
    NoDirectorySync,
    /// The sync is left to a task, and nobody waits for it.
    DoesNotWait,
    /// Recovery clears the log before it writes what it keeps of it.
    RecoversInPlace,
}

/// A record that is whole only if all of it is there.
fn record(number: u8) -> [u8; RECORD] {
    [number + 1; RECORD]
}

const RECORD: usize = 700;

async fn sync_names() -> io::Result<()> {
    File::open("/").await?.sync_all().await
}

async fn open() -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).open("/log").await
}

/// Appends records, each synced by a task and acknowledged, one each second.
async fn work(ctx: NodeCtx<u8>, bug: Bug) -> io::Result<()> {
    let mut log = open().await?;
    if bug != Bug::NoDirectorySync {
        sync_names().await?;
    }
    for number in 0..3 {
        log.write_all(&record(number)).await?;
        log.flush().await?;
        if bug != Bug::NoFileSync {
            let log = log.try_clone().await?;
            let syncing = task::spawn(async move { log.sync_data().await });
            if bug != Bug::DoesNotWait {
                syncing.await.unwrap()?;
            }
        }
        ctx.ack(number);
        time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Opens the log after a crash, and gives how many records it has.
async fn recover(bug: Bug) -> io::Result<u8> {
    let bytes = match fs::read("/log").await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        bytes => bytes?,
    };
    let records = bytes.chunks(RECORD).zip(0..);
    let good = records.take_while(|(bytes, number)| **bytes == record(*number));
    let count = u8::try_from(good.count()).unwrap();
    let end = usize::from(count) * RECORD;
    let mut log = open().await?;
    if bug == Bug::RecoversInPlace {
        log.set_len(0).await?;
        log.sync_data().await?;
        log.write_all(&bytes[..end]).await?;
        log.flush().await?;
    } else {
        log.set_len(end as u64).await?;
    }
    log.sync_data().await?;
    Ok(count)
}

async fn judge(acked: Vec<u8>, bug: Bug) -> Result<(), String> {
    time::sleep(Duration::from_secs(1)).await;
    let count = recover(bug).await.map_err(|error| error.to_string())?;
    if usize::from(count) < acked.len() {
        return Err(format!("{count} of {} records are there", acked.len()));
    }
    Ok(())
}

fn explored(profile: Profile, bug: Bug) -> Result<Explored, CrashBug> {
    let bounds = Bounds {
        profile,
        ..Bounds::default()
    };
    within(&bounds, bug)
}

fn within(bounds: &Bounds, bug: Bug) -> Result<Explored, CrashBug> {
    explore_crashes_on_node(
        bounds,
        |_| async {},
        move |ctx| work(ctx, bug),
        move |_, acked| judge(acked, bug),
    )
}

#[test]
fn a_log_that_waits_for_its_syncs() {
    for &profile in Profile::ALL {
        let told = explored(profile, Bug::None);
        let told = told.unwrap_or_else(|bug| panic!("{profile:?}:\n{bug}"));
        assert!(!told.cut_short && told.checks > 5, "{profile:?}: {told}");
        let again = explored(profile, Bug::None);
        assert_eq!(again.unwrap(), told, "{profile:?}");
    }
}

/// Asserts that a bug is found, and in the same way each time.
#[track_caller]
fn check(bug: Bug, depth: usize, missing: &str) {
    let find = || explored(Profile::Adversarial, bug).expect_err("a bug to find");
    let found = find();
    assert_eq!(found.depth(), depth, "{found}");
    assert!(found.message().contains("records are there"), "{found}");
    assert!(found.missing()[0].starts_with(missing), "{found}");
    assert!(found.missing()[0].contains("tests/on_node.rs:"), "{found}");
    assert_eq!(find().to_string(), found.to_string());
    // What the check did not look at may be passed over on a node too.
    let bounds = Bounds {
        profile: Profile::Adversarial,
        pruning: Pruning::None,
        ..Bounds::default()
    };
    let unpruned = within(&bounds, bug).expect_err("a bug to find");
    assert_eq!(unpruned.state(), found.state());
}

#[test]
fn bugs_are_found() {
    let content = "sync of the content of /log, before acknowledgement 1";
    check(Bug::NoFileSync, 1, content);
    check(Bug::DoesNotWait, 1, content);
    let names = "sync of the directory /, before acknowledgement 1";
    check(Bug::NoDirectorySync, 1, names);
}

#[test]
fn a_bug_of_recovery_is_found_in_a_second_loss() {
    let bug = explored(Profile::Strict, Bug::RecoversInPlace).expect_err("a bug to find");
    assert_eq!(bug.depth(), 2, "{bug}");
    assert!(bug.message().starts_with("0 of "), "{bug}");
}

/// What is said of a check, which finds nothing.
fn verdict<C>(check: impl Fn() -> C + 'static) -> String
where
    C: Future<Output = Result<(), String>> + 'static,
{
    let found = explore_crashes_on_node::<(), _, _, _, _>(
        &Bounds::default(),
        |_| async {},
        |_| fs::write("/a", "a"),
        move |_, _| check(),
    );
    found.expect_err("it fails").message().to_owned()
}

#[test]
fn each_end_of_a_check_is_a_verdict() {
    let panics = verdict(async || panic!("oh"));
    assert!(panics.starts_with("it panics: oh ("), "{panics}");
    let task_panics = verdict(async || {
        let task = task::spawn(async { panic!("oh, a task") });
        task.await.map_err(|error| error.to_string())
    });
    let told = "it panics: oh, a task (";
    assert!(task_panics.starts_with(told), "{task_panics}");
    let waits = verdict(std::future::pending);
    assert!(waits.starts_with("Deadlock: nothing can"), "{waits}");
    let fails = verdict(async || Err("no".to_owned()));
    assert_eq!(fails, "no");
}

#[test]
#[should_panic(expected = "the workload fails without any loss of power")]
fn a_workload_that_fails_by_itself_is_refused() {
    let _ = explore_crashes_on_node::<(), String, _, _, _>(
        &Bounds::default(),
        |_| async {},
        |_| async { fs::read("/none").await.map(drop) },
        |_, _| async { Ok(()) },
    );
}

#[test]
fn what_a_setup_leaves_is_durable() {
    let found = explore_crashes_on_node::<(), _, _, _, _>(
        &Bounds::default(),
        |ctx| async move { ctx.node().disk().write("/a", "b").map(drop) },
        |_| async { fs::read("/a").await.map(drop) },
        |_, _| async {
            match fs::read("/a").await {
                Ok(bytes) if bytes == b"b" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    );
    assert_eq!(found.unwrap().checks, 1);
}
