//! Each exit code, and what is told with it.

use super::package::{Called, Runner};

#[test]
fn help_tells_the_exit_codes() {
    let runner = Runner::new("help");
    for words in ["--help", "run --help", "replay --help"] {
        let called = runner.call(words);
        assert_eq!(called.code, 0);
        for code in ["0", "4", "5", "96", "97", "100", "101", "130"] {
            let line = format!("{code:>5}  ");
            assert!(
                called.stdout.lines().any(|it| it.starts_with(&line)),
                "{code}"
            );
        }
    }
}

#[test]
fn a_list_has_simulation_tests_alone() {
    let runner = Runner::new("list");
    let called = runner.call("list --test crashers");
    assert_eq!(called.code, 0);
    assert_eq!(called.stdout.lines().count(), 12, "{}", called.stdout);
    assert!(
        called
            .stdout
            .contains("planted::crashers::panics  (tests/crashers.rs:22)")
    );
    for not in ["is_ignored", "is_no_simulation"] {
        assert!(!called.stdout.contains(not));
    }
    let called = runner.call("list --format ndjson leaks_a_clock");
    let tests = called.events("test");
    assert_eq!((tests.len(), called.code), (1, 0));
    assert_eq!(tests[0]["target"], "crashers");
}

#[test]
fn a_clean_campaign_is_fine_and_says_what_it_proves() {
    let runner = Runner::new("clean");
    let corpus = runner.file("corpus");
    let called = runner.call(&format!("run passes --seeds 1000 --corpus {corpus}"));
    assert_eq!(called.code, 0);
    let proves = "0 failures in 1,000 seeds: with 95 % confidence fewer than 3 in 1,000 of such \
                  seeds fail";
    assert!(called.stdout.contains(proves));
    // Without a terminal there is no bar.
    assert!(!called.stderr.contains('\r') && !called.stderr.contains('\u{1b}'));
    let called = runner.run("passes --seeds 10..30 -j 3 --isolate seed");
    assert_eq!((called.code, &called.over()["seeds"]), (0, &20.into()));
    let part = |number: u64| {
        let called = runner.run(&format!("passes --partition {number}/3"));
        called.over()["seeds"].as_u64().unwrap()
    };
    assert_eq!([part(1), part(2), part(3)], [6, 7, 7]);
}

#[test]
fn a_time_ends_a_campaign_and_so_do_failures() {
    let runner = Runner::new("for");
    let called = runner.run("passes --for 1s --goals-after 0");
    assert_eq!(called.code, 0);
    let over = called.over();
    // More than the test says itself.
    assert!(over["seeds"].as_u64().unwrap() > 20, "{over}");
    // Several tests share it.
    let called = runner.run("--test clean --for 1s --goals-after 0 --progress-every 10ms");
    assert_eq!((called.code, &called.over()["tests"]), (0, &3.into()));
    assert!(!called.events("progress").is_empty());
    let called = runner.run("panics --until-failures 1");
    assert_eq!(called.code, 100);
    assert_eq!(called.events("failure").len(), 1);
}

#[test]
fn unmet_goals_are_5_with_a_table() {
    let runner = Runner::new("goals");
    let corpus = runner.file("corpus");
    let called = runner.call(&format!("run --test clean --seeds 100 --corpus {corpus}"));
    assert_eq!(called.code, 5);
    for words in [
        "reachable \"a place that nobody reaches\" 0 0 tests/clean.rs:",
        "sometimes \"the seed is high\", missed by 999901 100 0 tests/clean.rs:",
        "clock.step 100 100 0",
        "clock.step is effective if the program read the wall clock after the step",
    ] {
        let lines = called.stdout.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        });
        assert!(
            lines.into_iter().any(|line| line.starts_with(words)),
            "{words}"
        );
    }
    // Met: a seed is five, and crashes bite.
    assert!(!called.stdout.contains("a seed is five") && !called.stdout.contains("process.crash"));
    let junit = runner.file("junit.xml");
    // Too few seeds to say.
    assert_eq!(runner.run("--test clean --seeds 99").code, 0);
    // Of one test alone only what it came to is known.
    let called = runner.run(&format!("misses_its_goals --seeds 100 --junit {junit}"));
    assert_eq!(called.code, 5);
    let goals = called.over()["goals"].to_string();
    assert!(
        goals.contains("the seed is high") && !goals.contains("nobody reaches"),
        "{goals}"
    );
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("<testsuite name=\"goals\" tests=\"2\""),
        "{junit}"
    );
    assert_eq!(
        runner
            .run("misses_its_goals --seeds 100 --goals-after 0")
            .code,
        0
    );
}

#[test]
fn a_difference_alone_is_97() {
    let runner = Runner::new("difference");
    assert_eq!(runner.run("leaks_a_clock").code, 97);
    let called = runner.call("doctor leaks_a_clock");
    assert_eq!(called.code, 97);
    assert!(called.stdout.contains("the leak: clock"));
    let called = runner.call("doctor passes --seed 3");
    assert_eq!(called.code, 0);
    assert!(called.stdout.contains("is the same run in a fresh process"));
    assert_eq!(runner.call("doctor panics --seed 2").code, 100);
    let called = runner.call("replay leaks_a_clock --seed 3");
    assert_eq!(called.code, 97);
    assert!(called.stdout.contains("not deterministic: digest "));
}

#[test]
fn nothing_to_run_is_4_wrong_usage_96_and_a_failed_build_101() {
    let runner = Runner::new("wrong");
    for (words, code) in [
        ("run no_such_test", 4),
        ("list no_such_test", 4),
        ("corpus list --corpus /nowhere", 4),
        ("run --seeds 0", 96),
        ("run --no-such-option", 96),
        ("replay no_such_file.json", 96),
        ("replay no_such_test --seed 1", 96),
        ("run --resume", 96),
        ("list --manifest-path /nowhere/Cargo.toml", 96),
        ("run --features no-such-feature", 101),
    ] {
        let called = runner.call(words);
        assert_eq!(called.code, code, "{words}");
        assert!(!called.stderr.is_empty(), "{words}: nobody is told why");
    }
}

#[test]
fn a_test_that_cannot_begin_is_96_and_says_why() {
    let runner = Runner::new("broken");
    let called = runner.run("cannot_begin");
    assert_eq!(called.code, 96);
    assert!(called.stderr.contains("there is no configuration"));
    assert_eq!(called.over()["seeds"], 0);
}

#[test]
fn a_process_that_says_nothing_is_killed() {
    let runner = Runner::new("silent");
    let words = format!(
        "run is_slow --seeds 1 --timeout 300ms --format ndjson --corpus {}",
        runner.file("corpus")
    );
    let output = runner
        .command(&words)
        .env("PLANTED_SLOW_MS", "600000")
        .output()
        .unwrap();
    let called = Called::new(&words, &output);
    assert_eq!(called.code, 100);
    let failures = called.events("failure");
    assert_eq!(failures.len(), 1);
    let report = failures[0]["report"].as_str().unwrap();
    assert!(
        report.contains("ended by the runner, after no word for 300ms"),
        "{report}"
    );
    assert!(report.contains(" --timeout 300ms "), "{report}");
}
