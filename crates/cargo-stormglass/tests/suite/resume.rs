//! A campaign that is killed or interrupted goes on with what it had.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::package::{Called, Runner};

const SEEDS: u64 = 120;

/// Begins a campaign that takes a while, and waits until it has told of some seeds; how many.
fn begin(runner: &Runner) -> (Child, u64) {
    let words = format!(
        "run is_slow --seeds {SEEDS} --format ndjson --progress-every 50ms -j 2 --corpus {}",
        runner.file("corpus")
    );
    let mut child = runner
        .command(&words)
        .env("PLANTED_SLOW_MS", "20")
        .env("PLANTED_FAIL", "yes")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    for line in lines {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let seeds = event["seeds"].as_u64().unwrap_or(0);
        if event["event"] == "progress" && seeds >= 20 && event["failures"] == 1 {
            assert!(seeds < SEEDS, "it was too fast to be stopped");
            return (child, seeds);
        }
    }
    let status = child.wait().unwrap();
    panic!("the campaign ended early: {status}");
}

fn resume(runner: &Runner) -> Called {
    let words = "run --resume";
    let mut command = runner.command(words);
    command.env("PLANTED_FAIL", "yes");
    Called::new(words, &command.output().unwrap())
}

/// Seeds in the journal.
fn journalled(runner: &Runner) -> u64 {
    let text = fs::read_to_string(runner.directory.join("campaign.ndjson")).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tallies: Vec<Value> = lines
        .map(|line| line["ran"]["tally"]["seeds"].clone())
        .collect();
    let ranges = tallies.iter().filter_map(Value::as_array).flatten();
    ranges
        .map(|range| range[1].as_u64().unwrap() - range[0].as_u64().unwrap())
        .sum()
}

/// All seeds are counted once, and the failure is told, whoever found it.
fn check_resumed(runner: &Runner, called: &Called) {
    assert_eq!(called.code, 100);
    assert_eq!(called.events("begun")[0]["resumed"], true);
    let over = called.over();
    assert_eq!(over["seeds"], SEEDS);
    assert_eq!(called.events("failure").len(), 1);
    assert_eq!(over["failures"][0]["seed"], 13);
    assert_eq!(over["failures"][0]["count"], 1);
    assert_eq!(over["failures"][0]["state"], "confirmed");
    // A seed that was lost, or counted twice, would show in the sum of all steps.
    let words = format!("run is_slow --seeds {SEEDS} --format ndjson --no-corpus");
    let mut command = Runner::new(&format!("{}-whole", std::process::id())).command(&words);
    let whole = Called::new(
        &words,
        &command.env("PLANTED_FAIL", "yes").output().unwrap(),
    );
    assert_eq!(over["steps"], whole.over()["steps"]);
    // It came to its end, and there is nothing more to do.
    assert_eq!(runner.call("run --resume").code, 96);
}

#[test]
fn a_runner_that_is_killed_loses_only_what_was_running() {
    let runner = Runner::new("killed");
    let (mut child, told) = begin(&runner);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = journalled(&runner);
    assert!(
        kept >= told,
        "{told} were told of, and {kept} are in the journal"
    );
    check_resumed(&runner, &resume(&runner));
}

#[test]
fn a_runner_that_is_interrupted_saves_what_it_has() {
    let runner = Runner::new("interrupted");
    let (child, told) = begin(&runner);
    let pid = child.id().to_string();
    let signalled = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let over: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(over["interrupted"], true);
    let seeds = over["seeds"].as_u64().unwrap();
    assert!(told <= seeds && seeds < SEEDS, "{over}");
    assert_eq!(journalled(&runner), seeds);
    check_resumed(&runner, &resume(&runner));
}
