//! Faults of disks in whole simulations: where they strike, what bounds them, and what is counted.

use std::future::Future;
use std::time::Duration;

use stormglass::Config;
use stormglass::fs::{self, AtlasMap, AtlasPlace, CrashOdds, DiskConfig, DiskFaults, DiskScope};
use stormglass::kernel::{Digest, Family, Probability};
use stormglass::sim::{Builder, Node, Sim};
use stormglass::time::{Instant, sleep};

// Linux' numbers of errors.
const EIO: i32 = 5;
const EROFS: i32 = 30;

fn scope(path: &str) -> DiskScope {
    DiskScope {
        path: Some(path.to_owned()),
        ..DiskScope::default()
    }
}

fn code<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

fn with(faults: DiskFaults) -> Config {
    let disk = DiskConfig {
        faults,
        ..DiskConfig::default()
    };
    Config {
        disk,
        ..Config::default()
    }
}

/// Counts of a family in a run: offered, fired, effective.
fn count<F, Fut>(config: Config, family: Family, test: F) -> (u64, u64, u64)
where
    F: FnOnce(Sim) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let outcome = Builder::new().config(config).run(test);
    let counter = outcome.counters.get(family);
    outcome.unwrap();
    (counter.offered, counter.fired, counter.effective)
}

/// A file of so many pages, each of one letter, synced.
async fn put(path: &str, pages: u8) {
    let content: Vec<u8> = (0..pages).flat_map(|page| [b'a' + page; 4096]).collect();
    fs::write(path, content).await.unwrap();
    fs::File::open(path)
        .await
        .unwrap()
        .sync_all()
        .await
        .unwrap();
}

fn is_whole(content: &[u8]) -> bool {
    content
        .chunks(4096)
        .zip(b'a'..)
        .all(|(page, letter)| page.iter().all(|byte| *byte == letter))
}

#[test]
fn a_fault_strikes_its_part_of_one_nodes_disk_until_it_ends() {
    let struck = count(Config::default(), Family::WriteError, |sim| async move {
        let here = sim.find("test").unwrap().disk();
        fs::create_dir("/log").await.unwrap();
        let broken = DiskFaults {
            write_error: Probability::ALWAYS,
            ..DiskFaults::NONE
        };
        let fault = here.fault(scope("/log"), broken);
        let good = here.fault(scope("/log/good"), DiskFaults::NONE);
        assert_eq!(code(fs::write("/log/1", "x").await), EIO);
        fs::write("/data", "x").await.unwrap();
        fs::write("/log/good", "x").await.unwrap();
        good.end();
        assert_eq!(code(fs::write("/log/good", "x").await), EIO);
        fault.end();
        fs::write("/log/1", "x").await.unwrap();
        let other = sim.node("other").run(|_| fs::write("/log", "x"));
        {
            let _all = here.fault(DiskScope::default(), broken).scoped();
            assert!(fs::write("/data", "y").await.is_err());
            sleep(Duration::from_secs(1)).await;
            assert_eq!(other.disk().read("/log").unwrap(), b"x");
        }
        fs::write("/data", "y").await.unwrap();
    });
    assert_eq!(struck, (3, 3, 3));
}

#[test]
fn a_retry_after_a_failed_sync_loses_what_it_says_is_durable() {
    let config = Config {
        disk: DiskConfig {
            crash: CrashOdds::SYNCED_ONLY,
            ..DiskConfig::default()
        },
        ..Config::default()
    };
    let counted = count(config, Family::SyncError, |sim| async move {
        let node = sim.node("db").run(|context| async move {
            if context.incarnation() > 1 {
                return;
            }
            put("/log", 1).await;
            fs::File::open("/").await.unwrap().sync_all().await.unwrap();
            let file = fs::OpenOptions::new()
                .write(true)
                .open("/log")
                .await
                .unwrap();
            file.write_all_at(b"acknowledged", 0).await.unwrap();
            let errors = [
                file.sync_all().await.is_err(),
                file.sync_all().await.is_err(),
            ];
            assert_eq!(errors, [true, false], "the error is given once");
            std::future::pending::<()>().await;
        });
        let failing = DiskFaults {
            sync_error: Probability::ALWAYS,
            ..DiskFaults::NONE
        };
        // The first sync succeeds, the one after the second write fails.
        while node
            .disk()
            .read("/log")
            .map_or(true, |content| !content.starts_with(b"ack"))
        {
            sleep(Duration::from_micros(1)).await;
        }
        let fault = node.disk().fault(DiskScope::default(), failing);
        sleep(Duration::from_secs(1)).await;
        fault.end();
        node.crash();
        assert!(
            is_whole(&node.disk().read("/log").unwrap()),
            "the old bytes are back"
        );
    });
    assert_eq!(counted, (1, 1, 1));
}

#[test]
fn a_sync_that_stalls_is_waited_for() {
    let faults = DiskFaults {
        stall: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let counted = count(with(faults), Family::DiskStall, |_| async {
        let begin = Instant::now();
        put("/a", 1).await;
        let waited = begin.elapsed();
        assert!(
            (Duration::from_secs(1)..Duration::from_secs(31)).contains(&waited),
            "{waited:?}"
        );
    });
    assert_eq!(counted, (1, 1, 1));
}

#[test]
fn a_read_only_file_system_is_mounted_anew() {
    let faults = DiskFaults {
        metadata_error: Probability::ALWAYS,
        read_only: Probability::ALWAYS,
        ..DiskFaults::NONE
    };
    let counted = count(Config::default(), Family::ReadOnly, move |sim| async move {
        let disk = sim.find("test").unwrap().disk();
        put("/a", 1).await;
        let fault = disk.fault(DiskScope::default(), faults);
        assert_eq!(code(fs::create_dir("/d").await), EIO);
        fault.end();
        assert_eq!(code(fs::create_dir("/d").await), EROFS);
        assert_eq!(code(fs::write("/a", "x").await), EROFS);
        assert!(is_whole(&fs::read("/a").await.unwrap()));
        disk.remount();
        fs::create_dir("/d").await.unwrap();
    });
    assert_eq!(counted, (1, 1, 1));
}

/// Three nodes each read their copy of a file again and again on bad disks; gives which copies of
/// which pages are bad at the end.
fn bad_pages(seed: u64, declare: impl FnOnce(Sim, &[Node]) + 'static) -> Vec<Vec<usize>> {
    let faults = DiskFaults {
        bit_rot: Probability::percent(1),
        latent_sector: Probability::percent(1),
        lost_write: Probability::percent(10),
        ..DiskFaults::NONE
    };
    let outcome = Builder::new()
        .seed(seed)
        .config(with(faults))
        .run(|sim| async move {
            let nodes = sim.group("db", 3..=3).run(|_| async {
                put("/data", 8).await;
                for _ in 0..20 {
                    drop(fs::read("/data").await);
                    sleep(Duration::from_millis(1)).await;
                }
            });
            declare(sim, &nodes);
            sleep(Duration::from_secs(10)).await;
            let mut bad = Vec::new();
            for node in nodes.iter() {
                let disk = node.disk();
                disk.drop_cache();
                let content = disk.read("/data").unwrap();
                let pages = content.chunks(4096).zip(b'a'..).enumerate();
                let is_bad = |(page, letter): (&[u8], u8)| page.iter().any(|byte| *byte != letter);
                bad.push(
                    pages
                        .filter(|(_, page)| is_bad(*page))
                        .map(|(number, _)| number)
                        .collect(),
                );
            }
            bad
        });
    outcome.unwrap()
}

#[test]
fn the_atlas_leaves_enough_good_copies() {
    let mut damaged = [0; 3];
    for seed in 0..20 {
        let free = bad_pages(seed, |_, _| {});
        let nodes = bad_pages(seed, |sim, nodes| {
            sim.disk_atlas(nodes, 1, AtlasMap::Unknown);
        });
        let blocks = bad_pages(seed, |sim, nodes| {
            let (path, bytes) = ("/data".to_owned(), 4096);
            sim.disk_atlas(nodes, 1, AtlasMap::Blocks { path, bytes });
        });
        let copies = |bad: &[Vec<usize>], page| bad.iter().filter(|of| of.contains(&page)).count();
        assert!(
            nodes.iter().filter(|bad| !bad.is_empty()).count() <= 1,
            "{nodes:?}"
        );
        assert!((0..8).all(|page| copies(&blocks, page) <= 1), "{blocks:?}");
        damaged[0] += usize::from((0..8).any(|page| copies(&free, page) > 1));
        damaged[1] += usize::from(nodes.iter().any(|bad| !bad.is_empty()));
        damaged[2] += usize::from(blocks.iter().filter(|bad| !bad.is_empty()).count() > 1);
    }
    assert!(
        damaged.iter().all(|count| *count > 10),
        "{damaged:?} of 20 runs each"
    );
}

#[test]
fn places_of_objects_bound_damage_as_well() {
    let place = AtlasPlace {
        path: "/data".to_owned(),
        bytes: Some(0..4096),
    };
    for seed in 0..5 {
        let place = place.clone();
        let bad = bad_pages(seed, move |sim, nodes| {
            sim.disk_atlas(nodes, 0, AtlasMap::Places(vec![place]));
        });
        assert!(bad.iter().all(|pages| !pages.contains(&0)), "{bad:?}");
    }
}

#[test]
fn a_wipe_and_an_older_image_are_counted() {
    let test = |sim: Sim| async move {
        let disk = sim.find("test").unwrap().disk();
        disk.wipe();
        let empty = disk.snapshot();
        put("/a", 1).await;
        disk.restore(&empty);
        assert!(fs::read("/a").await.is_err());
        put("/a", 1).await;
        disk.wipe();
    };
    assert_eq!(count(Config::default(), Family::Wipe, test), (2, 2, 1));
    assert_eq!(
        count(Config::default(), Family::OlderImage, test),
        (1, 1, 1)
    );
}

#[test]
fn faults_of_no_chance_leave_the_run_as_it_is() {
    let digest = |faults| -> Digest {
        let outcome = Builder::new().config(with(faults)).run(|sim| async move {
            put("/a", 3).await;
            fs::rename("/a", "/b").await.unwrap();
            drop(fs::read("/b").await.unwrap());
            let node = sim.node("db").run(|_| put("/c", 2));
            sleep(Duration::from_secs(1)).await;
            node.crash();
        });
        let digest = outcome.digest.clone();
        outcome.unwrap();
        digest
    };
    let plain = digest(DiskFaults::NONE);
    let never = DiskFaults {
        read_error: Probability::new(0, 7),
        sync_error: Probability::new(0, 7),
        bit_rot: Probability::new(0, 7),
        ..DiskFaults::NONE
    };
    assert_eq!(digest(never), plain);
    assert_ne!(
        digest(DiskFaults {
            stall: Probability::ALWAYS,
            ..DiskFaults::NONE
        }),
        plain
    );
}
