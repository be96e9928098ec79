//! Each judge has a history that must pass and one that must fail.

use super::*;

/// Reads lines `process f value -> answer`, one operation after the other; with `?` for an answer
/// that never came, and `!` for a failure. Lines between which `|` stands overlap.
fn history(lines: &str) -> History {
    let mut edn = String::new();
    let mut ends = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (line, overlaps) = match line.strip_suffix('|') {
            Some(line) => (line.trim(), true),
            None => (line, false),
        };
        let (asked, answer) = line.split_once("->").unwrap();
        let (process, rest) = asked.trim().split_once(' ').unwrap();
        let (f, value) = rest.split_once(' ').unwrap_or((rest, "nil"));
        let (kind, answer) = match answer.trim() {
            "?" => ("info", "nil"),
            "!" => ("fail", "nil"),
            answer => ("ok", answer),
        };
        let event = |kind: &str, value: &str| {
            format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
        };
        edn += &event("invoke", value);
        ends += &event(kind, answer);
        if !overlaps {
            edn += &std::mem::take(&mut ends);
        }
    }
    History::from_edn(&(edn + &ends)).unwrap()
}

#[track_caller]
fn names(faults: &[Fault], expected: &[&str]) {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names, expected, "{faults:#?}");
}

#[test]
fn banks_keep_their_total() {
    let bank = Bank {
        total: 10,
        accounts: vec![0.into(), 1.into()],
        may_be_negative: false,
    };
    let good = history("0 read -> {0 5, 1 5}\n1 transfer {:from 0} -> nil\n0 read -> {1 8, 0 2}");
    names(&check_bank(&bank, &good).unwrap(), &[]);
    let bad = history("0 read -> {0 5, 1 4}\n0 read -> {0 -1, 1 11}\n0 read -> {0 10}");
    let faults = check_bank(&bank, &bad).unwrap();
    names(&faults, &["total", "negative", "accounts"]);
    assert_eq!(
        faults[0].to_string(),
        "total: the total is 9, and should be 10"
    );
    assert!(check_bank(&bank, &history("0 read -> 7")).is_err());
}

#[test]
fn unique_ids_are_given_once() {
    let good = history("0 generate -> 1\n1 generate -> 2\n2 generate -> ?");
    names(&check_unique_ids(&good), &[]);
    let bad = history("0 generate -> 1\n1 generate -> 1");
    names(&check_unique_ids(&bad), &["duplicate"]);
}

#[test]
fn elements_of_sets_are_followed() {
    let good =
        history("0 add 1 -> nil\n1 add 2 -> ? |\n0 read -> [1]\n0 read -> [1 2]\n0 add 3 -> nil");
    let elements = check_set_full(&good, true).unwrap();
    names(&elements.faults, &[]);
    assert_eq!((elements.stable, elements.never_read), (2, 1));
    let lost = history("0 add 1 -> nil\n0 read -> [1]\n0 read -> []");
    names(&check_set_full(&lost, false).unwrap().faults, &["lost"]);
    let never = history("0 add 1 -> nil\n0 read -> []");
    names(&check_set_full(&never, false).unwrap().faults, &["lost"]);
    let stale = history("0 add 1 -> nil\n0 read -> []\n0 read -> [1]");
    names(&check_set_full(&stale, false).unwrap().faults, &[]);
    names(&check_set_full(&stale, true).unwrap().faults, &["stale"]);
    let unexpected = history("0 read -> [1]\n0 add 1 -> nil\n0 read -> [1 7]");
    let faults = check_set_full(&unexpected, false).unwrap().faults;
    names(&faults, &["unexpected", "unexpected"]);
}

#[test]
fn what_goes_into_a_queue_comes_out() {
    let good = history(
        "0 enqueue 1 -> nil\n1 enqueue 2 -> ? |\n0 dequeue -> 1\n0 drain -> [2]\n0 dequeue -> nil",
    );
    let balance = check_total_queue(&good).unwrap();
    names(&balance.faults, &[]);
    assert_eq!((balance.acknowledged, balance.recovered), (1, 1));
    let bad = history("0 enqueue 1 -> nil\n0 enqueue 2 -> nil\n0 drain -> [2 2 3]");
    let faults = check_total_queue(&bad).unwrap().faults;
    names(&faults, &["duplicated", "unexpected", "lost"]);
    // The value may have gone with the dequeue that nobody heard of.
    let excused = history("0 enqueue 1 -> nil\n0 dequeue -> ?\n1 drain -> []");
    names(&check_total_queue(&excused).unwrap().faults, &[]);
    let aborted = history("0 enqueue 1 -> !\n0 dequeue -> 1");
    names(
        &check_total_queue(&aborted).unwrap().faults,
        &["unexpected"],
    );
}

#[test]
fn counters_stay_within_bounds() {
    let good = history("0 add 1 -> nil |\n1 read -> 0\n1 add -2 -> ? |\n2 read -> -1\n2 read -> 1");
    names(&check_counter(&good).unwrap(), &[]);
    let bad = history("0 add 1 -> nil\n1 read -> 0\n1 read -> 1\n1 read -> 2");
    let faults = check_counter(&bad).unwrap();
    names(&faults, &["out-of-bounds", "out-of-bounds"]);
    assert_eq!(faults[0].operations, [1]);
}

#[test]
fn long_forks_are_seen() {
    let read = |x: &str, y: &str| format!("0 read -> [[:r 1 {x}] [:r 2 {y}]]\n");
    let good = read("nil", "nil") + &read("1", "nil") + &read("1", "1") + &read("1", "nil");
    names(&check_long_fork(&history(&good)).unwrap(), &[]);
    let bad = good + &read("nil", "1");
    names(&check_long_fork(&history(&bad)).unwrap(), &["long-fork"]);
}

#[test]
fn monotonic_values_do_not_go_back() {
    let good = history("0 read -> 1\n1 read -> 0\n0 read -> 1\n0 read -> 3\n1 read -> nil");
    names(&check_monotonic(&good).unwrap(), &[]);
    let bad = history("0 read -> 2\n1 read -> 0\n0 read -> 1");
    let faults = check_monotonic(&bad).unwrap();
    names(&faults, &["backwards"]);
    assert_eq!(faults[0].operations, [0, 2]);
}

#[test]
fn effects_have_their_causes() {
    let good = history("0 write 1 -> nil\n1 write 2 -> nil |\n0 read -> [1]\n0 read -> [2 1]");
    names(&check_causal(&good).unwrap(), &[]);
    let bad = history("0 write 1 -> nil\n1 write 2 -> nil |\n0 read -> [2]");
    let faults = check_causal(&bad).unwrap();
    names(&faults, &["effect-without-cause"]);
    assert_eq!(faults[0].operations, [0, 1, 2]);
    // They overlapped, so that none is the cause of the other.
    let good = history("0 write 1 -> nil |\n1 write 2 -> nil\n0 read -> [2]");
    names(&check_causal(&good).unwrap(), &[]);
}
