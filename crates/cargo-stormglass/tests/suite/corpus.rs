//! Saved failures: run first, labelled, replayed, made a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::package::{self, Runner};

/// The one file of a corpus.
fn only_file(runner: &Runner) -> PathBuf {
    let entries = fs::read_dir(runner.directory.join("corpus")).unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Saves a changed copy of a scenario.
fn change(file: &PathBuf, name: &str, change: impl FnOnce(&mut Value)) {
    let mut scenario: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    change(&mut scenario);
    fs::write(file.with_file_name(name), scenario.to_string()).unwrap();
}

#[test]
fn saved_failures_run_first_and_are_labelled() {
    let runner = Runner::new("corpus");
    assert_eq!(runner.run("panics --no-shrink").code, 100);
    let file = only_file(&runner);
    change(&file, "fixed.json", |it| it["seed"] = 1.into());
    change(&file, "stale.json", |it| {
        it["seed"] = 1.into();
        it["decisions"]["workloads"] = serde_json::json!({ "of nobody": [1] });
    });
    fs::write(file.with_file_name("broken.json"), "{}").unwrap();

    let called = runner.run("panics -j 1");
    assert_eq!(called.code, 100);
    let labels = called.events("corpus");
    let mut labels: Vec<&str> = labels
        .iter()
        .map(|it| it["label"].as_str().unwrap())
        .collect();
    labels.sort_unstable();
    assert_eq!(labels, ["fixed", "live", "stale"]);
    assert!(called.stderr.contains("broken.json: this is no scenario"));
    // The saved one and two seeds are one failure.
    let over = called.over();
    assert_eq!(over["failures"].as_array().unwrap().len(), 1, "{over}");
    assert_eq!(over["failures"][0]["count"], 3);
    assert_eq!(called.events("failure").len(), 1);

    let corpus = runner.file("corpus");
    let called = runner.call(&format!("corpus run --corpus {corpus}"));
    assert_eq!(called.code, 100);
    assert!(called.stdout.contains("stale") && called.stdout.contains("fixed"));
    let called = runner.call(&format!("corpus prune --corpus {corpus}"));
    assert_eq!(called.code, 100);
    fs::remove_file(file.with_file_name("broken.json")).unwrap();
    assert_eq!(only_file(&runner), file);
    let called = runner.call(&format!("corpus list --corpus {corpus}"));
    assert_eq!(called.code, 0);
    assert!(
        called.stdout.contains("panics with seed "),
        "{}",
        called.stdout
    );
}

#[test]
fn a_saved_failure_is_replayed_and_becomes_a_test() {
    let runner = Runner::new("replay");
    let corpus = runner.file("corpus");
    let called = runner.call(&format!(
        "run panics --corpus {corpus} --seeds 3 --no-shrink"
    ));
    assert_eq!(called.code, 100);
    let file = only_file(&runner);
    let told = called
        .stdout
        .lines()
        .find(|line| line.starts_with("  replay  "))
        .unwrap();
    let pasted = told.trim_start_matches("  replay  cargo stormglass ");
    assert!(pasted.ends_with(&*file.to_string_lossy()), "{pasted}");
    let called = runner.call(pasted);
    assert_eq!(called.code, 100);
    assert!(
        called
            .stdout
            .contains("panics failed with Panic: seed 2 is bad")
    );
    assert!(called.stdout.contains("live: fails as it did"));
    assert!(
        called
            .stdout
            .contains("the same run, event by event: digest ")
    );

    let called = runner.call(&format!("{pasted} --until-step 3"));
    assert_eq!(called.code, 100);
    let steps: Vec<&str> = called.stdout.lines().map(|line| &line[..2]).collect();
    assert_eq!(steps, ["e0", "e1", "e2", "e3"]);
    assert!(called.stderr.contains("in the end: Panic: seed 2 is bad"));
    let called = runner.call(&format!("{pasted} --at 1ms --last 2"));
    assert_eq!(called.stdout.lines().count(), 2, "{}", called.stdout);

    let text = runner.call(&format!("to-test {}", file.display())).stdout;
    assert!(text.contains("/// Seed 2 of [`panics`]"), "{text}");
    // Beside the test, in a package of its own.
    let source = fs::read_to_string(package::root().join("tests/crashers.rs")).unwrap();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replayed");
    let test = ("replayed.rs", format!("{source}\n{text}"));
    package::write(&root, "replayed", &[test]);
    let mut cargo = Command::new(env!("CARGO"));
    package::build_settings(&mut cargo);
    let output = cargo
        .args(["test", "--test", "replayed", "panics_seed_2"])
        .current_dir(&root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("test panics_seed_2 ... FAILED"), "{text}");
    assert!(text.contains("seed 2 is bad"), "{text}");
}

#[test]
fn a_seed_is_replayed_twice() {
    let runner = Runner::new("seed");
    let called = runner.call("replay passes --seed 3");
    assert_eq!(called.code, 0);
    assert!(called.stdout.contains("passes passed with seed 3"));
    assert!(
        called
            .stdout
            .contains("the same run twice, event by event: digest ")
    );
    let called = runner.call("replay aborts --seed 2");
    assert_eq!(called.code, 100);
    assert!(called.stdout.contains("SIGABRT"));
}

#[test]
fn a_failure_is_made_smaller_before_it_is_told() {
    let runner = Runner::new("shrink");
    let corpus = runner.file("corpus");
    let called = runner.call(&format!("run odd_numbers --corpus {corpus}"));
    assert_eq!(called.code, 100);
    let line = "  shrunk  0 of 0 faults, 3 of 100 operations needed (";
    assert!(called.stdout.lines().any(|it| it.starts_with(line)));
    let file = only_file(&runner);
    let size = |file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        let numbers = &scenario["decisions"]["workloads"]["numbers"];
        numbers.as_array().unwrap().len()
    };
    assert_eq!(size(&file), 3);
    let called = runner.call(&format!("replay {}", file.display()));
    assert_eq!(called.code, 100);
    assert!(
        called
            .stdout
            .contains("live: fails as it did\nthe same run, event by event")
    );

    fs::remove_file(&file).unwrap();
    assert_eq!(runner.run("odd_numbers --no-shrink").code, 100);
    assert_eq!(size(&only_file(&runner)), 100);
    let smaller = runner.file("smaller.json");
    let called = runner.call(&format!("shrink {} -o {smaller}", file.display()));
    assert_eq!(called.code, 0);
    assert!(called.stdout.contains("3 of 100 operations needed"));
    assert_eq!((size(&file), size(Path::new(&smaller))), (100, 3));
}
