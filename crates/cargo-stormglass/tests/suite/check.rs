//! Histories from elsewhere, judged by the command.

use std::fs;
use std::path::{Path, PathBuf};

use super::package::Runner;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sim-tests/data/porcupine")
}

#[test]
fn files_with_known_verdicts_are_judged_as_they_should_be() {
    let runner = Runner::new("check");
    let expected = fs::read_to_string(data().join("expected.tsv")).unwrap();
    let mut count = 0;
    for line in expected.lines() {
        let (file, verdict) = line.split_once('\t').unwrap();
        let model = if file.starts_with("kv/") {
            "kv"
        } else {
            "cas-register"
        };
        let path = data().join(file);
        let called = runner.call(&format!("check {} --model {model}", path.display()));
        let last = called.stdout.lines().last().unwrap();
        assert!(last.starts_with(verdict), "{file}: {last}");
        let code = if verdict == "violation" { 100 } else { 0 };
        assert_eq!(called.code, code, "{file}");
        count += 1;
    }
    assert!(count >= 20, "{count} files");
}

#[test]
fn what_cannot_be_judged_is_told_with_its_line() {
    let runner = Runner::new("check-wrong");
    let broken = runner.file("broken.jsonl");
    let first = r#"{"process":0,"type":"invoke","f":"write","value":1}"#;
    fs::write(&broken, format!("{first}\n{{\"process\":\n")).unwrap();
    let called = runner.call(&format!("check {broken} --model register"));
    let text = called.stdout + &called.stderr;
    assert_eq!(called.code, 96);
    assert!(text.contains("line 2"), "{text}");
    let called = runner.call(&format!("check {broken} --model notebook"));
    assert_eq!(called.code, 96);
    assert!(
        called.stderr.contains("no model `notebook`"),
        "{}",
        called.stderr
    );
    let called = runner.call("check no-such-file --model register");
    assert_eq!(called.code, 96);
    assert!(called.stderr.contains("no-such-file"), "{}", called.stderr);
}

#[test]
fn a_small_budget_leaves_it_unknown_and_a_violation_is_drawn() {
    let runner = Runner::new("check-budget");
    let hard = data().join("kv/c10-ok.txt");
    let call = format!("check {} --model kv --configurations 1", hard.display());
    let called = runner.call(&call);
    assert_eq!(called.code, 5);
    assert!(called.stdout.lines().last().unwrap().starts_with("unknown"));
    let page = runner.file("page.html");
    let bad = data().join("kv/c10-bad.txt");
    let called = runner.call(&format!("check {} --model kv --html {page}", bad.display()));
    assert_eq!(called.code, 100);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("http://"));
}
