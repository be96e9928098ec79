//! The rules of the project, read from its own files. A rule that reads source is named as the
//! invariant that it keeps; ARCHITECTURE.md says what each is for.
//!
//! Each rule is a function of one file, so that a test can plant a violation and see it caught.

mod floors;
mod project;
mod source;
mod words;

use std::fmt::Write as _;

use floors::floor_of;
use source::{Source, lines_with, paths, sources};

/// What may be found where, and why. Paths are below `src`.
struct Exception {
    path: &'static str,
    words: &'static [&'static str],
}

/// Complaints of one rule, each with its file and line.
type Complaints = Vec<String>;

fn complain(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", source.path)
}

/// Has a rule judge the files of some directories.
fn judge(directories: &[&str], rule: impl Fn(&Source) -> Complaints) {
    let all: Vec<String> = sources(directories).iter().flat_map(rule).collect();
    let mut text = String::new();
    for complaint in &all {
        writeln!(text, "{complaint}").expect("a string takes every write");
    }
    assert!(all.is_empty(), "{} complaints:\n{text}", all.len());
}

/// Asserts that a rule has something to say of one file and nothing of another.
#[track_caller]
fn catches(rule: impl Fn(&Source) -> Complaints, path: &str, bad: &str, good: &str) {
    let complaints = rule(&Source::new(path, bad));
    assert!(!complaints.is_empty(), "not caught in {path}: {bad}");
    let complaints = rule(&Source::new(path, good));
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Complains of words in a file's code, its tests apart, but for exceptions.
fn forbid(source: &Source, words: &[&str], exceptions: &[Exception], why: &str) -> Complaints {
    let below = source.path.strip_prefix("src/").unwrap_or(&source.path);
    let mut complaints = Vec::new();
    if source.is_test() {
        return complaints;
    }
    for word in words {
        let excepted = exceptions
            .iter()
            .any(|e| e.path == below && e.words.contains(word));
        if !excepted {
            let lines = lines_with(&source.code_without_tests, word);
            let say = |line| complain(source, line, &format!("`{word}`: {why}"));
            complaints.extend(lines.into_iter().map(say));
        }
    }
    complaints
}

fn one_door_rule(source: &Source) -> Complaints {
    const GENERATORS: &[&str] = &[
        "rand_chacha",
        "ChaCha8Rng",
        "ChaCha20Rng",
        "SeedableRng",
        "RngCore",
        "SplitMix64",
        "getrandom",
        "getentropy",
        "RandomState",
        "DefaultHasher",
        "thread_rng",
        "fastrand",
    ];
    const EXCEPTIONS: &[Exception] = &[
        Exception {
            path: "kernel/choice.rs",
            words: &["rand_chacha", "ChaCha8Rng", "SeedableRng"],
        },
        // Without a simulation the machine's entropy is what is asked for.
        Exception {
            path: "rand/machine.rs",
            words: &["getrandom"],
        },
        // A fixed stream for threads between two polls: it decides nothing in a simulation.
        Exception {
            path: "sys/entropy.rs",
            words: &["RandomState"],
        },
        // Defines the symbols through which programs ask; the answers are drawn at the node.
        Exception {
            path: "sys/symbols/entropy.rs",
            words: &["getrandom", "getentropy"],
        },
        Exception {
            path: "sys/symbols/mod.rs",
            words: &["getrandom", "getentropy"],
        },
    ];
    let mut complaints = forbid(
        source,
        GENERATORS,
        EXCEPTIONS,
        "only kernel/choice.rs may know a generator",
    );
    // Worlds, a disk that needs none, and what chooses states or plans without running anything.
    let opens = [
        "src/exec/world.rs",
        "src/explore/crashes/states.rs",
        "src/fault/strategy.rs",
        "src/model/disk/lone.rs",
    ];
    if !opens.contains(&&*source.path) && !source.is_test() {
        let lines = lines_with(&source.code_without_tests, "Choices::new");
        let say = |line| complain(source, line, "only a world may make `Choices`");
        complaints.extend(lines.into_iter().map(say));
    }
    complaints
}

#[test]
fn one_door() {
    judge(&["src"], one_door_rule);
    let good = "use crate::kernel::Choices; let x = choices.draw(&mut point);";
    catches(
        one_door_rule,
        "src/exec/a.rs",
        "use rand_chacha::ChaCha8Rng;",
        good,
    );
    catches(
        one_door_rule,
        "src/net/a.rs",
        "let mut mine = Choices::new(7);",
        good,
    );
    catches(
        one_door_rule,
        "src/sys/symbols/file.rs",
        "libc::getrandom(b, n, 0)",
        good,
    );
}

fn closed_events_rule(source: &Source) -> Complaints {
    let carries_events = ["src/kernel/queue.rs", "src/exec/event.rs"].contains(&&*source.path)
        || source.path.starts_with("src/model/");
    if !carries_events || source.is_test() {
        return Vec::new();
    }
    let lines = lines_with(&source.code_without_tests, "dyn");
    lines
        .into_iter()
        .map(|line| complain(source, line, "events are data, not callbacks"))
        .collect()
}

#[test]
fn closed_events() {
    judge(&["src"], closed_events_rule);
    let good = "fn keys_where(&self, wanted: impl Fn(&E) -> bool) {} struct Timer { at: u64 }";
    catches(
        closed_events_rule,
        "src/kernel/queue.rs",
        "event: Box<dyn FnOnce()>",
        good,
    );
    catches(
        closed_events_rule,
        "src/exec/event.rs",
        "Call(Rc<dyn Fn(u32)>)",
        good,
    );
    catches(
        closed_events_rule,
        "src/model/net/mod.rs",
        "on_drop: Box<dyn Fn()>",
        good,
    );
}

fn no_outside_rule(source: &Source) -> Complaints {
    /// Paths below `std`.
    const OUTSIDE: &[&str] = &[
        "collections::HashMap",
        "collections::HashSet",
        "collections::hash_map",
        "env",
        "fs",
        "net::TcpListener",
        "net::TcpStream",
        "net::ToSocketAddrs",
        "net::UdpSocket",
        "os",
        "process",
        "sync::Condvar",
        "thread",
        "time::Instant",
        "time::SystemTime",
    ];
    const EXCEPTIONS: &[Exception] = &[
        // Converts to and from std's clock, which shows the node's inside a simulation.
        Exception {
            path: "time/instant.rs",
            words: &["time::Instant"],
        },
        // Times of files are std's; they come from the node's disk and clock.
        Exception {
            path: "fs/metadata.rs",
            words: &["time::SystemTime"],
        },
        Exception {
            path: "fs/file.rs",
            words: &["time::SystemTime"],
        },
        // The same, and std's error of a lock, which holds no file.
        Exception {
            path: "fs/blocking/file.rs",
            words: &["fs", "time::SystemTime"],
        },
        // Paths are bytes on Unix, and only its traits say so.
        Exception {
            path: "fs/path.rs",
            words: &["os"],
        },
        // hyper's trait counts in std's instants.
        Exception {
            path: "hyper.rs",
            words: &["time::Instant"],
        },
        // Waits for threads that the configuration lets out; such a run may not replay.
        Exception {
            path: "exec/foreign.rs",
            words: &["sync::Condvar"],
        },
        // Asks whether this very thread is unwinding.
        Exception {
            path: "exec/lifecycle.rs",
            words: &["thread"],
        },
    ];
    let module = source.module().expect("a file of the library");
    // `sys` is where the outside is met, and `real` is what is used without a simulation.
    let below = floor_of(module).is_some_and(|floor| floor < 7);
    if !below || matches!(module, "sys" | "real") || source.is_test() {
        return Vec::new();
    }
    let file = source
        .path
        .strip_prefix("src/")
        .expect("a file of the library");
    let mut complaints = Vec::new();
    for (line, path) in paths(&source.code_without_tests, "std") {
        let outside = OUTSIDE.iter().find(|outside| {
            path.strip_prefix(**outside)
                .is_some_and(|r| r.is_empty() || r.starts_with("::"))
        });
        let Some(outside) = outside else { continue };
        if !EXCEPTIONS
            .iter()
            .any(|e| e.path == file && e.words.contains(outside))
        {
            let what = format!("`std::{path}` is outside the simulation");
            complaints.push(complain(source, line, &what));
        }
    }
    complaints
}

#[test]
fn no_outside() {
    judge(&["src"], no_outside_rule);
    let good = "use std::collections::BTreeMap;\nuse std::net::{IpAddr, SocketAddr};\n\
                use std::time::Duration;";
    for bad in [
        "use std::time::{Duration, Instant};",
        "use std::{\n    collections::HashMap,\n    rc::Rc,\n};",
        "let x = std::env::var(name);",
        "std::thread::sleep(d);",
        "use std::net::{IpAddr, TcpStream};",
        "fn f(at: std::time::SystemTime) {}",
    ] {
        catches(no_outside_rule, "src/model/disk.rs", bad, good);
        catches(no_outside_rule, "src/sim/a.rs", bad, good);
        assert!(no_outside_rule(&Source::new("src/run/a.rs", bad)).is_empty());
    }
}

fn handles_are_thin_rule(source: &Source) -> Complaints {
    const DECIDE: &[&str] = &[
        "choices",
        "Choices",
        "Point",
        "Probability",
        "Distribution",
        "Family",
        "FaultCounters",
    ];
    const EXCEPTIONS: &[Exception] = &[
        // The one handle that is a choice: the program under test asks for numbers.
        Exception {
            path: "rand/node.rs",
            words: &["choices", "Choices", "Point", "Probability"],
        },
        // It has no outcome that tells what its faults did.
        Exception {
            path: "fs/blocking/detached.rs",
            words: &["FaultCounters"],
        },
        // A blocking call's length is drawn where the call is made, at the node's own point.
        Exception {
            path: "task/mod.rs",
            words: &["choices"],
        },
    ];
    let module = source.module().expect("a file of the library");
    if floor_of(module) != Some(4) {
        return Vec::new();
    }
    forbid(
        source,
        DECIDE,
        EXCEPTIONS,
        "a handle decides nothing and knows no fault",
    )
}

#[test]
fn handles_are_thin() {
    judge(&["src"], handles_are_thin_rule);
    let good = "context::world(|world, node| world.monotonic_ns(node))";
    let bad = "base.choices.chance(&mut link.loss, p)";
    catches(handles_are_thin_rule, "src/net/udp.rs", bad, good);
    let bad = "world.base.counters.fired(Family::Loss)";
    catches(handles_are_thin_rule, "src/time/sleep.rs", bad, good);
}

fn judges_see_data_rule(source: &Source) -> Complaints {
    const RUNNING: &[&str] = &["Sim", "World", "context", "Builder", "NodeContext"];
    if !matches!(source.module(), Some("check" | "explore" | "report")) {
        return Vec::new();
    }
    forbid(
        source,
        RUNNING,
        &[],
        "a judge takes data, which may come from a file",
    )
}

#[test]
fn judges_see_data() {
    judge(&["src"], judges_see_data_rule);
    let good = "use crate::kernel::{Record, Ring, SimTime};";
    catches(
        judges_see_data_rule,
        "src/report/a.rs",
        "use crate::sim::Sim;",
        good,
    );
    catches(
        judges_see_data_rule,
        "src/explore/a.rs",
        "crate::exec::context::world(f)",
        good,
    );
    catches(
        judges_see_data_rule,
        "src/check/a.rs",
        "fn check(sim: &Sim) {}",
        good,
    );
}

/// Everything that is written by hand in Rust.
const ALL: &[&str] = &["benches", "crates", "examples", "sim-tests", "src"];
/// What is linked into a user's program.
const SHIPPED: &[&str] = &["crates", "src"];

fn line_length_rule(source: &Source) -> Complaints {
    const COLUMNS: usize = 100;
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| line.chars().count() > COLUMNS)
        .map(|(n, line)| {
            let long = line.chars().count();
            complain(
                source,
                n + 1,
                &format!("{long} columns are more than {COLUMNS}"),
            )
        })
        .collect()
}

#[test]
fn lines_have_at_most_100_columns() {
    judge(ALL, line_length_rule);
    let (bad, good) = ("é".repeat(101), "é".repeat(100));
    catches(line_length_rule, "src/a.rs", &bad, &good);
}

fn file_length_rule(source: &Source) -> Complaints {
    const LINES: usize = 600;
    /// With which a file's header excuses its length, and goes on to say why.
    const EXCUSE: &str = "longer than 600 lines because";
    // Tests stand at the end, and are not counted.
    let lines = source.code_without_tests.trim_end().lines().count();
    let header = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"));
    let excused = header
        .collect::<Vec<_>>()
        .join(" ")
        .replace("//! ", "")
        .contains(EXCUSE);
    if lines <= LINES || excused {
        return Vec::new();
    }
    vec![complain(
        source,
        1,
        &format!("{lines} lines without tests: split it, or say why"),
    )]
}

#[test]
fn files_have_at_most_600_lines() {
    judge(ALL, file_length_rule);
    let long = "a;\n".repeat(601);
    catches(file_length_rule, "src/a.rs", &long, &"a;\n".repeat(600));
    let header = "//! Short, and longer than\n//! 600 lines because it is a table.\n";
    catches(
        file_length_rule,
        "src/a.rs",
        &long,
        &format!("{header}{long}"),
    );
    let tests = format!(
        "{}#[cfg(test)]\nmod tests {{\n{long}}}\n",
        "a;\n".repeat(600)
    );
    catches(file_length_rule, "src/a.rs", &long, &tests);
}

fn header_rule(source: &Source) -> Complaints {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![complain(
        source,
        1,
        "a file begins with `//!` and one sentence of purpose",
    )]
}

#[test]
fn files_begin_with_their_purpose() {
    judge(ALL, header_rule);
    catches(header_rule, "src/a.rs", "// A.\nuse b;", "//! A.\nuse b;");
}
