//! The disk of a node in whole simulations: what crashes and kills leave, how long calls take, and
//! what the test's own hands do to it.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use stormglass::Config;
use stormglass::fs::{
    self, CrashOdds, DiskConfig, DiskFaults, DiskLatency, DiskScope, Profile, blocking,
};
use stormglass::io::AsyncWriteExt;
use stormglass::kernel::{Distribution, Kind, Probability, SimTime};
use stormglass::sim::{Builder, Node, Sim};
use stormglass::task::{spawn, yield_now};
use stormglass::time::{Instant, sleep, timeout};

const MS: Duration = Duration::from_millis(1);

/// A disk of which a loss of power leaves what was synced and nothing else.
fn synced_only() -> Config {
    Config {
        disk: DiskConfig {
            crash: CrashOdds::SYNCED_ONLY,
            ..DiskConfig::default()
        },
        ..Config::default()
    }
}

fn constant(time: Duration) -> DiskLatency {
    let constant = Distribution::Constant(time);
    DiskLatency {
        read: constant.clone(),
        write: constant.clone(),
        sync: constant.clone(),
        metadata: constant.clone(),
        stall: constant,
        queue_depth: 32,
    }
}

fn run<F, Fut>(config: Config, test: F) -> Fut::Output
where
    F: FnOnce(Sim) -> Fut + 'static,
    Fut: Future<Output: 'static> + 'static,
{
    Builder::new().config(config).run(test).unwrap()
}

fn text(node: Node, path: &str) -> Option<String> {
    let content = node.disk().read(path).ok()?;
    Some(String::from_utf8(content).unwrap())
}

async fn sync(path: &str) {
    let file = fs::File::open(path).await.unwrap();
    file.sync_all().await.unwrap();
}

#[test]
fn a_crash_keeps_exactly_what_was_synced() {
    run(synced_only(), |sim| async move {
        let node = sim.node("db").run(|context| async move {
            if context.incarnation() > 1 {
                // The program that comes back finds it too.
                assert_eq!(fs::read_to_string("/kept").await.unwrap(), "durable");
                assert!(!fs::try_exists("/lost").await.unwrap());
                return;
            }
            fs::write("/kept", "durable").await.unwrap();
            sync("/kept").await;
            sync("/").await;
            let mut file = fs::OpenOptions::new();
            let mut file = file.append(true).open("/kept").await.unwrap();
            file.write_all(b" and not").await.unwrap();
            file.flush().await.unwrap();
            // Its content is durable, and its name is not.
            fs::write("/lost", "content").await.unwrap();
            sync("/lost").await;
            std::future::pending::<()>().await;
        });
        sleep(1_000 * MS).await;
        assert_eq!(text(node, "/kept").unwrap(), "durable and not");
        assert_eq!(text(node, "/lost").unwrap(), "content");
        node.crash();
        assert_eq!(text(node, "/kept").unwrap(), "durable");
        assert_eq!(text(node, "/lost"), None);
        node.restart();
        node.ended().await;
        assert_eq!(node.incarnation(), 2);
    });
}

#[test]
fn a_kill_keeps_all_that_was_written_and_nothing_under_way() {
    run(Config::default(), |sim| async move {
        let node = sim.node("db").run(|context| async move {
            if context.incarnation() == 1 {
                fs::write("/file", "unsynced").await.unwrap();
                let mut options = fs::OpenOptions::new();
                let mut file = options.append(true).open("/file").await.unwrap();
                context.node().disk().set_latency(constant(100 * MS));
                // Taken by the handle, and not yet written.
                file.write_all(b" and late").await.unwrap();
                std::future::pending::<()>().await;
            }
        });
        sleep(50 * MS).await;
        node.kill();
        assert_eq!(text(node, "/file").unwrap(), "unsynced");
        node.restart();
        node.ended().await;
        sleep(1_000 * MS).await;
        assert_eq!(text(node, "/file").unwrap(), "unsynced");
    });
}

#[test]
fn a_write_under_way_goes_on_without_its_handle() {
    run(Config::default(), |sim| async move {
        let node = sim.find("test").unwrap();
        node.disk().set_latency(constant(MS));
        let mut file = fs::File::create("/file").await.unwrap();
        file.write_all(b"text").await.unwrap();
        drop(file);
        assert_eq!(text(node, "/file").unwrap(), "");
        sleep(2 * MS).await;
        assert_eq!(text(node, "/file").unwrap(), "text");
        // A whole file that nobody waits for any more is written, too.
        assert!(timeout(MS / 2, fs::write("/other", "all")).await.is_err());
        assert_eq!(text(node, "/other"), None);
        sleep(10 * MS).await;
        assert_eq!(text(node, "/other").unwrap(), "all");
    });
}

#[test]
fn destructors_of_a_dead_node_reach_no_disk() {
    struct Writes;

    impl Drop for Writes {
        fn drop(&mut self) {
            let error = blocking::write("/last-words", "x").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(5));
            let mut written = pin!(fs::write("/others", "x"));
            let polled = written
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, std::task::Poll::Ready(Err(_))));
        }
    }

    run(Config::default(), |sim| async move {
        let node = sim.node("a").run(|_| async {
            fs::write("/first", "x").await.unwrap();
            let _writes = Writes;
            std::future::pending::<()>().await;
        });
        sleep(10 * MS).await;
        for end in [Node::kill, Node::crash] {
            end(&node);
            let there = node.disk().list("/").unwrap();
            assert!(!there.contains(&"last-words".to_owned()), "{there:?}");
            assert!(!there.contains(&"others".to_owned()), "{there:?}");
            node.restart();
            sleep(10 * MS).await;
        }
    });
}

#[test]
fn handles_of_an_earlier_process_are_worth_nothing() {
    run(Config::default(), |sim| async move {
        let kept = Rc::new(RefCell::new(None));
        let node = sim.node("a").run(move |context| {
            let kept = kept.clone();
            async move {
                if context.incarnation() == 1 {
                    let file = fs::File::create("/file").await.unwrap();
                    let blocking = blocking::File::create("/file").unwrap();
                    *kept.borrow_mut() = Some((file, blocking));
                    return;
                }
                // It has the numbers that the old ones had.
                let _own = [
                    fs::File::create("/own").await.unwrap(),
                    fs::File::create("/own").await.unwrap(),
                ];
                let (mut file, mut blocking) = kept.take().unwrap();
                let error = file.write(b"x").await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(5));
                let error = file.sync_all().await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(5));
                let error = blocking.write(b"x").unwrap_err();
                assert_eq!(error.raw_os_error(), Some(5));
                drop((file, blocking));
                fs::write("/done", "").await.unwrap();
            }
        });
        node.ended().await;
        node.restart();
        node.ended().await;
        assert_eq!(text(node, "/own").unwrap(), "");
        assert!(text(node, "/done").is_some());
    });
}

#[test]
fn a_blocking_call_keeps_its_node_busy() {
    run(Config::default(), |sim| async move {
        let node = sim.find("test").unwrap();
        node.disk().set_latency(constant(10 * MS));
        let begin = Instant::now();
        let file = blocking::File::create("/file").unwrap();
        assert_eq!(begin.elapsed(), Duration::ZERO, "it does not wait");
        file.sync_all().unwrap();
        yield_now().await;
        assert_eq!(begin.elapsed(), 20 * MS);
    });
}

/// Disks on which nothing but these faults goes wrong.
fn faulty(faults: DiskFaults) -> Config {
    Config {
        disk: DiskConfig {
            faults,
            ..DiskConfig::default()
        },
        ..Config::default()
    }
}

#[test]
fn a_write_that_fails_behind_a_handle_is_told_by_the_next_call() {
    let faults = DiskFaults {
        write_error: Probability::percent(100),
        ..DiskFaults::NONE
    };
    run(faulty(faults), |_| async {
        let mut file = fs::File::create("/file").await.unwrap();
        assert_eq!(file.write(b"text").await.unwrap(), 4);
        assert_eq!(file.flush().await.unwrap_err().raw_os_error(), Some(5));
        file.flush().await.unwrap();
        file.write_all(b"text").await.unwrap();
        assert!(file.write_all(b"more").await.is_err());
        assert!(fs::write("/file", "text").await.is_err());
        assert!(blocking::write("/file", "text").is_err());
        assert!(fs::read("/file").await.unwrap().is_empty());
    });
}

#[test]
fn short_writes_are_gone_on_with_where_all_is_to_be_written() {
    let faults = DiskFaults {
        short_write: Probability::percent(100),
        ..DiskFaults::NONE
    };
    run(faulty(faults), |sim| async move {
        let node = sim.find("test").unwrap();
        let long = "many words that no disk takes at once";
        fs::write("/a", long).await.unwrap();
        assert_eq!(text(node, "/a").unwrap(), long);
        let mut file = fs::File::create("/b").await.unwrap();
        file.write_all(long.as_bytes()).await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(text(node, "/b").unwrap(), long);
        blocking::write("/c", long).unwrap();
        assert_eq!(text(node, "/c").unwrap(), long);
        let file = blocking::File::create("/d").unwrap();
        let length = file.write_at(long.as_bytes(), 0).unwrap();
        assert!(length < long.len());
        assert_eq!(text(node, "/d").unwrap(), long[..length]);
    });
}

#[test]
fn a_disk_serves_so_many_calls_at_once() {
    let elapsed = |queue_depth| {
        run(Config::default(), move |sim| async move {
            let latency = DiskLatency {
                queue_depth,
                ..constant(MS)
            };
            sim.find("test").unwrap().disk().set_latency(latency);
            let begin = Instant::now();
            let tasks: Vec<_> = (0..6)
                .map(|n| spawn(fs::create_dir(format!("/{n}"))))
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
            begin.elapsed()
        })
    };
    assert_eq!([1, 2, 6].map(elapsed), [6 * MS, 3 * MS, MS]);
}

/// Writes, syncs, reads and crashes; the digest of it.
fn digest(seed: u64, config: Config) -> u128 {
    let outcome = Builder::new()
        .seed(seed)
        .config(config)
        .run(|sim| async move {
            let node = sim.node("db").run(|_| async {
                fs::create_dir_all("/a/b").await?;
                for n in 0..20 {
                    fs::write(format!("/a/b/{n}"), [n; 5_000]).await?;
                    if n % 3 == 0 {
                        let file = fs::File::open(format!("/a/b/{n}")).await?;
                        file.sync_all().await?;
                    }
                }
                let mut entries = fs::read_dir("/a/b").await?;
                while let Some(entry) = entries.next_entry().await? {
                    fs::read(entry.path()).await?;
                }
                blocking::rename("/a/b", "/c")?;
                std::io::Result::Ok(())
            });
            node.ended().await;
            node.crash();
            node.restart();
            node.ended().await;
        });
    assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
    outcome.digest.value()
}

#[test]
fn the_same_seed_does_the_same_to_a_disk() {
    let default = Config::default;
    assert_eq!(digest(1, default()), digest(1, default()));
    assert_ne!(digest(1, default()), digest(2, default()));
    let orderly = Config {
        disk: DiskConfig {
            profile: Profile::Strict,
            ..DiskConfig::default()
        },
        ..Config::default()
    };
    assert_eq!(digest(1, orderly.clone()), digest(1, orderly));
}

#[test]
fn who_uses_no_disk_is_not_changed_by_one() {
    let digest = |config: Config| {
        let outcome = Builder::new().config(config).run(|sim| async move {
            let node = sim.node("a").run(|_| async {
                sleep(3 * MS).await;
            });
            node.ended().await;
            node.crash();
            node.restart();
        });
        assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
        outcome.digest.value()
    };
    let slow = Config {
        disk_latency: constant(1_000 * MS),
        ..synced_only()
    };
    assert_eq!(digest(Config::default()), digest(slow));
}

#[test]
fn calls_and_their_errors_are_in_the_trace() {
    let outcome = Builder::new().keep_last(1_000).run(|_| async {
        fs::write("/file", "some text").await.unwrap();
        fs::create_dir("/file").await.unwrap_err();
    });
    let ring = outcome.ring.as_ref().unwrap();
    let written = ring
        .records()
        .find(|record| record.kind == Kind::DiskCall && record.value == 9)
        .expect("what was written");
    assert_eq!(&written.head[0].to_le_bytes(), b"some tex");
    assert!(written.at > SimTime::ZERO);
    let failed = ring
        .records()
        .find(|record| record.kind == Kind::CallFailed);
    assert_eq!(failed.expect("the error").value, 17);
}

#[test]
fn the_test_has_its_hands_on_the_disk() {
    run(synced_only(), |sim| async move {
        let node = sim.node("a").idle();
        let disk = node.disk();
        // Nothing of this is a program's: it is durable, and takes no time.
        disk.write("/etc/app/config", "x = 1").unwrap();
        assert_eq!(disk.list("/etc").unwrap(), ["app"]);
        node.crash();
        assert_eq!(text(node, "/etc/app/config").unwrap(), "x = 1");
        assert!(disk.read("/none").is_err());
        let before = disk.snapshot();
        disk.write("/etc/app/config", "x = 2").unwrap();
        disk.restore(&before);
        assert_eq!(text(node, "/etc/app/config").unwrap(), "x = 1");
        // An image may go to another node.
        let other = sim.node("b").idle();
        other.disk().restore(&before);
        assert_eq!(text(other, "/etc/app/config").unwrap(), "x = 1");
        disk.wipe();
        assert!(disk.list("/").unwrap().is_empty());
        assert_eq!(text(other, "/etc/app/config").unwrap(), "x = 1");
    });
}

#[test]
fn a_program_meets_errors_when_its_disk_is_wiped() {
    run(Config::default(), |sim| async move {
        let node = sim.find("test").unwrap();
        let file = fs::File::create("/file").await.unwrap();
        node.disk().set_latency(constant(MS));
        let waiting = spawn(fs::create_dir("/dir"));
        yield_now().await;
        sleep(MS / 2).await;
        node.disk().wipe();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
        let error = file.sync_all().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
        // The new disk works.
        fs::write("/file", "new").await.unwrap();
        assert_eq!(node.disk().list("/").unwrap(), ["file"]);
    });
}

#[test]
fn a_dropped_cache_shows_what_the_disk_holds() {
    run(synced_only(), |sim| async move {
        let disk = sim.find("test").unwrap().disk();
        fs::write("/file", "old").await.unwrap();
        sync("/file").await;
        let file = fs::OpenOptions::new()
            .write(true)
            .open("/file")
            .await
            .unwrap();
        // What waits to be written stays in the cache.
        file.write_all_at(b"new", 0).await.unwrap();
        disk.drop_cache();
        assert_eq!(fs::read("/file").await.unwrap(), b"new");
        let failing = DiskFaults {
            sync_error: Probability::ALWAYS,
            ..DiskFaults::NONE
        };
        let fault = disk.fault(DiskScope::default(), failing);
        assert!(file.sync_all().await.is_err());
        fault.end();
        // It counts as written now, and was not.
        disk.drop_cache();
        assert_eq!(fs::read("/file").await.unwrap(), b"old");
    });
}

#[test]
fn a_disk_is_configured_anew_for_what_comes() {
    run(synced_only(), |sim| async move {
        let node = sim.node("a").idle();
        let disk = node.disk();
        let attempt = move |name: &'static str, length: usize| {
            node.spawn(async move { fs::write(name, vec![1; length]).await })
        };
        attempt("/before", 3 * 4096).await.unwrap().unwrap();
        let full = DiskConfig {
            capacity_bytes: Some(4 * 4096),
            descriptors_max: 1,
            ..DiskConfig::default()
        };
        disk.configure(&full);
        attempt("/fits", 4096).await.unwrap().unwrap();
        let error = attempt("/more", 4096).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        let opened = node.spawn(async {
            let _first = fs::File::open("/fits").await.unwrap();
            fs::File::open("/fits").await.map(drop)
        });
        let error = opened.await.unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(24), "EMFILE");
        disk.configure(&DiskConfig::default());
        attempt("/more", 4096).await.unwrap().unwrap();
        // Another node's disk was never full.
        let other = sim.node("b").idle();
        let written = other.spawn(fs::write("/file", vec![1; 9 * 4096]));
        written.await.unwrap().unwrap();
    });
}

#[test]
fn a_disk_is_as_fast_as_all_when_nothing_else_is_said() {
    let config = Config {
        disk_latency: constant(MS),
        ..Config::default()
    };
    run(config, |sim| async move {
        let disk = sim.find("test").unwrap().disk();
        let mut took = Vec::new();
        for latency in [None, Some(constant(5 * MS)), None] {
            disk.set_latency(latency);
            let begin = Instant::now();
            fs::symlink_metadata("/").await.unwrap();
            took.push(begin.elapsed());
        }
        assert_eq!(took, [MS, 5 * MS, MS]);
    });
}

#[test]
#[should_panic(expected = "there is no simulation on this thread")]
fn files_need_a_simulation_or_a_disk() {
    let _ = blocking::read("/file");
}
