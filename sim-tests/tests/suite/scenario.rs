//! A failure is saved as a file, and the file alone brings it back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use stormglass::explore::Scenario;
use stormglass::fault::{Attack, Nemesis, Quorum};
use stormglass::kernel::Distribution;
use stormglass::net::UdpSocket;
use stormglass::{Config, Sim};

use super::child;

/// The configuration of [`fails_if_asked`]: of another network, if the environment says so.
fn config() -> Config {
    let mut config = Config::default();
    if std::env::var_os("A_SLOW_NETWORK").is_some() {
        config.link.latency = Distribution::Constant(Duration::from_secs(1));
    }
    config
}

/// Fails at one seed, in the way that the environment asks for.
#[stormglass::test(config = config(), seeds = 10)]
async fn fails_if_asked(sim: Sim) -> Result<(), String> {
    let peer = sim.node("peer").run(|_| async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        let (_, from) = socket.recv_from(&mut [0; 4]).await?;
        socket.send_to(b"pong", from).await.map(drop)
    });
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.send_to(b"ping", "peer:7").await.unwrap();
    peer.ended().await;
    socket.recv(&mut [0; 4]).await.unwrap();
    match std::env::var("FAIL_BY").ok().filter(|_| sim.seed() == 4) {
        Some(way) if way == "panic" => panic!("a seed that fails"),
        Some(way) => Err(way),
        None => Ok(()),
    }
}

const NAME: &str = "suite::scenario::fails_if_asked";

/// A directory for the scenarios of one test, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("stormglass-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Runs [`fails_if_asked`] so that it fails and is saved: the file, and the report.
    fn failure(&self) -> (PathBuf, String) {
        let output = child::test(NAME)
            .env("STORMGLASS_DIR", &self.0)
            .env("FAIL_BY", "panic")
            .env("A_SLOW_NETWORK", "1")
            .output()
            .unwrap();
        let file = self
            .0
            .join("sim-tests-suite__scenario__fails_if_asked-4.json");
        (file, report(&output))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost if it stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a test of this binary with this scenario, and with other seeds asked for.
fn replay(name: &str, file: &Path, variables: &[(&str, &str)]) -> Output {
    child::test(name)
        .env("STORMGLASS_SCENARIO", file)
        .env("STORMGLASS_SEEDS", "100..200")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// What a failed test says.
#[track_caller]
fn report(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!output.status.success(), "{text}");
    text
}

/// The line of a report that begins with this word.
fn line<'a>(report: &'a str, word: &str) -> &'a str {
    report
        .lines()
        .find(|line| line.trim_start().starts_with(word))
        .unwrap_or_else(|| panic!("no line `{word}` in:\n{report}"))
}

#[test]
fn a_scenario_brings_back_the_same_failure_and_digest() {
    let folder = Folder::new("replay");
    let (file, first) = folder.failure();
    let saved = fs::read_to_string(&file).unwrap();
    for part in [
        "\"seed\": 4",
        "\"format\": 2",
        "a seed that fails",
        concat!("\"stormglass\": \"", env!("CARGO_PKG_VERSION"), "\""),
    ] {
        assert!(saved.contains(part), "no `{part}` in:\n{saved}");
    }
    // The network is as it was, for the file has the configuration.
    let second = report(&replay(NAME, &file, &[("FAIL_BY", "panic")]));
    for word in ["where", "saved", "run"] {
        assert_eq!(line(&first, word), line(&second, word));
    }
    let digest = line(&second, "run").rsplit(' ').next().unwrap();
    assert!(
        saved.contains(&format!("\"digest\": \"{digest}\"")),
        "{saved}"
    );
    assert!(
        line(&second, "kept").contains("the failure is the one"),
        "{second}"
    );
    let command = format!("STORMGLASS_SCENARIO={} cargo test", file.display());
    assert!(line(&second, "replay").contains(&command), "{second}");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        saved,
        "the file is left alone"
    );
}

#[test]
fn a_scenario_tells_when_its_failure_is_gone_or_another() {
    let folder = Folder::new("changed");
    let (file, _) = folder.failure();
    let fixed = replay(NAME, &file, &[]);
    let text = String::from_utf8(fixed.stderr).unwrap();
    assert!(fixed.status.success(), "{text}");
    assert!(text.contains("no longer fails"), "{text}");
    let other = report(&replay(NAME, &file, &[("FAIL_BY", "error")]));
    assert!(
        line(&other, "kept").contains("the failure is another"),
        "{other}"
    );
}

#[test]
fn a_file_that_is_no_scenario_of_the_test_is_refused() {
    let folder = Folder::new("refused");
    let (file, _) = folder.failure();
    let saved = fs::read_to_string(&file).unwrap();
    let check = |name, text: &str, expected: &str| {
        let file = folder.0.join("changed.json");
        fs::write(&file, text).unwrap();
        let text = report(&replay(name, &file, &[]));
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    };
    check(
        "suite::attribute::it_may_return_a_result",
        &saved,
        "is of the test `suite::scenario::fails_if_asked`, not of `suite::attribute::it_may",
    );
    check(
        NAME,
        &saved.replace("\"format\": 2", "\"format\": 1"),
        "changed.json: the scenario has format 1 (written by stormglass 0.1.0) and this version \
         reads format 2",
    );
    check(
        NAME,
        "{}",
        "changed.json: this is no scenario: missing field",
    );
    check(
        NAME,
        &saved.replacen('{', "{\"plan\": [],", 1),
        "changed.json: this is no scenario: unknown field `plan`",
    );
    let missing = folder.0.join("missing.json");
    let text = report(&replay(NAME, &missing, &[]));
    assert!(
        text.contains("cannot read the scenario") && text.contains("missing.json"),
        "{text}"
    );
}

/// A cluster with a bug: two nodes that are down at once are one too many.
#[stormglass::test(seeds = 30)]
async fn two_down_are_too_many(sim: Sim) -> Result<(), String> {
    if std::env::var_os("BREAK_A_CLUSTER").is_none() {
        return Ok(());
    }
    let nodes = sim.group("n", 3..=3).run(|_| std::future::pending::<()>());
    let storm = sim.unleash(&Nemesis {
        attacks: vec![Attack::Crash, Attack::ClockStep],
        ..Nemesis::of(nodes.names(), Quorum::AllBut(3))
    });
    let ops = sim.workload("watch", || (0..500_u32).collect());
    for _ in ops {
        stormglass::time::sleep(Duration::from_millis(20)).await;
        let down = nodes.iter().filter(|node| !node.is_alive()).count();
        if down > 1 {
            return Err(format!("{down} nodes are down"));
        }
    }
    storm.over().await;
    Ok(())
}

#[test]
fn a_scenario_has_the_plan_and_what_is_cut_from_it_is_run() {
    let folder = Folder::new("plan");
    let output = child::test("suite::scenario::two_down_are_too_many")
        .env("STORMGLASS_DIR", &folder.0)
        .env("BREAK_A_CLUSTER", "1")
        .output()
        .unwrap();
    let text = report(&output);
    assert!(text.contains("nodes are down"), "{text}");
    let saved = line(&text, "saved")
        .trim()
        .strip_prefix("saved")
        .unwrap()
        .trim()
        .to_owned();
    let file = PathBuf::from(saved);
    let scenario: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let faults = scenario["decisions"]["plans"][0]["faults"]
        .as_array()
        .unwrap();
    assert!(faults.len() > 1, "{text}");

    let run = |scenario: &serde_json::Value| {
        let file = folder.0.join("changed.json");
        fs::write(&file, scenario.to_string()).unwrap();
        child::test("suite::scenario::two_down_are_too_many")
            .env("STORMGLASS_SCENARIO", &file)
            .env("BREAK_A_CLUSTER", "1")
            .output()
            .unwrap()
    };
    // Without its clock steps it still fails, and the report lists what is left.
    let mut fewer = scenario.clone();
    let plan = &mut fewer["decisions"]["plans"][0];
    plan["faults"]
        .as_array_mut()
        .unwrap()
        .retain(|fault| fault["fault"] == "crash");
    let text = report(&run(&fewer));
    assert!(text.contains("nodes are down"), "{text}");
    // Without any fault it does not fail, and says so.
    let mut none = scenario.clone();
    none["decisions"]["plans"][0]["faults"] = serde_json::json!([]);
    let output = run(&none);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && text.contains("no longer fails"),
        "{text}"
    );
    // One that names a node that there is not is stale, which is no success.
    let mut other = scenario;
    let faults = &mut other["decisions"]["plans"][0]["faults"];
    faults.as_array_mut().unwrap().truncate(1);
    faults[0]["at"] = "1s".into();
    faults[0]["fault"] = "crash".into();
    faults[0]["target"] = serde_json::json!({ "nodes": ["n-7"] });
    faults[0]["duration"] = "1s".into();
    let text = report(&run(&other));
    let expected = "is stale and shows nothing (fault f";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("found no n-7"), "{text}");
}

#[test]
fn a_failing_test_is_shrunk_before_it_reports() {
    let folder = Folder::new("shrink");
    let run = |shrink: &str| {
        let output = child::test("suite::scenario::two_down_are_too_many")
            .env("STORMGLASS_DIR", &folder.0)
            .env("BREAK_A_CLUSTER", "1")
            .env("STORMGLASS_SHRINK", shrink)
            .output()
            .unwrap();
        report(&output)
    };
    let plain = run("0");
    assert!(!plain.contains("shrunk"), "{plain}");
    let text = run("1");
    let shrunk = line(&text, "shrunk").trim();
    assert!(shrunk.contains(": 2 of "), "{text}");
    assert!(shrunk.contains(" of 500 operations needed ("), "{text}");
    assert_eq!(line(&plain, "saved"), line(&text, "saved"));
    // Both faults are listed: that two nodes lose power.
    let faults = text.lines().filter(|line| line.contains("  n-"));
    assert_eq!(faults.count(), 2, "{text}");
    let begins = text.find("two_down_are_too_many failed").unwrap();
    let report = text[begins..].split("\nnote:").next().unwrap();
    assert!(report.lines().count() <= 25, "{report}");

    // The shrunk file lies beside the whole one, and shows the same.
    let file = shrunk.split(':').next().unwrap();
    let file = PathBuf::from(file.strip_prefix("shrunk").unwrap().trim());
    assert!(
        line(&text, "replay").contains(&*file.to_string_lossy()),
        "{text}"
    );
    let again = child::test("suite::scenario::two_down_are_too_many")
        .env("STORMGLASS_SCENARIO", &file)
        .env("BREAK_A_CLUSTER", "1")
        .output()
        .unwrap();
    let again = self::report(&again);
    assert!(line(&again, "kept").contains("live"), "{again}");
    assert_eq!(line(&again, "run"), line(&text, "run"));
}

/// A test with a bug that is there only if the environment says so.
#[stormglass::test(seeds = 1)]
async fn odd_ones_are_few(sim: Sim) -> Result<(), String> {
    let numbers = sim.workload("numbers", || (0..100_u32).collect());
    let odd = numbers.iter().filter(|number| *number % 2 == 1).count();
    if odd > 2 && std::env::var_os("COUNT_ODD_ONES").is_some() {
        return Err(format!("{odd} numbers are odd"));
    }
    Ok(())
}

include!("scenario/kept.txt");

#[test]
fn a_scenario_becomes_a_rust_test() {
    // What is included above, and is a test of this file, is what the scenario writes.
    let scenario = Scenario::parse(SCENARIO_0).unwrap();
    assert_eq!(scenario.to_rust_test(), include_str!("scenario/kept.txt"));
    assert_eq!(scenario.size().operations, 3);
    let name = "suite::scenario::odd_ones_are_few_seed_0";
    let fixed = child::test(name).output().unwrap();
    assert!(fixed.status.success(), "{fixed:?}");
    let live = child::test(name)
        .env("COUNT_ODD_ONES", "1")
        .output()
        .unwrap();
    let text = report(&live);
    assert!(text.contains("3 numbers are odd"), "{text}");
    assert!(line(&text, "kept").contains("live"), "{text}");
}
