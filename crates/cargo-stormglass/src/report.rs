//! The reports that a test's process cannot write itself, since it is gone or differs each time.

use stormglass::Failure as Why;
use stormglass::run::worker::Labels;

use crate::failure::Failure;

/// Lines of a report, all told.
const LINES: usize = 25;

/// The report of a run whose process ended.
pub fn of_death(failure: &Failure, name: &str, labels: &Labels) -> String {
    let Why::Died { last_words, .. } = &failure.scenario.failed.failure else {
        return failure.message();
    };
    let mut lines = vec![
        format!("{name} failed with {}", failure.message()),
        format!(
            "  where   seed {}; the process is gone, and the moment with it",
            failure.seed
        ),
        format!("  replay  {}", labels.replay),
        format!("  saved   {}", labels.saved),
    ];
    if !last_words.is_empty() {
        lines.push("  its last words:".to_owned());
        lines.extend(last_words.iter().map(|line| format!("    {line}")));
    }
    lines.truncate(LINES);
    lines.join("\n")
}

/// The report of a run that is another each time; `found` is what the doctor printed of it.
pub fn of_difference(name: &str, seed: u64, what: &str, replay: &str, found: &str) -> String {
    let mut found = found.lines().skip_while(|line| !line.contains(HEADLINE));
    // The doctor's report begins with lines of the same meaning.
    let leak = found.next().and_then(|line| line.split_once("the leak: "));
    let leak = leak.map_or(String::new(), |(_, leak)| format!("; the leak: {leak}"));
    let mut lines = vec![
        format!("{name} is not deterministic: {what}{leak}"),
        format!("  where   seed {seed}"),
        format!("  replay  {replay}"),
        "  saved   nowhere, since it would be another run each time".to_owned(),
    ];
    let own = ["  where ", "  replay ", "  saved ", "note: run with"];
    let is_own = |line: &&str| own.iter().any(|word| line.starts_with(word));
    let found = found.take_while(|line| !line.trim().is_empty());
    lines.extend(found.filter(|line| !is_own(line)).map(str::to_owned));
    lines.truncate(LINES);
    lines.join("\n")
}

/// What the doctor's report of a leak has in its first line.
const HEADLINE: &str = "failed with Nondeterminism";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_what_the_doctor_found() {
        let found = "thread 't' panicked at src/run/mod.rs:1:1:\n\
            t failed with Nondeterminism: the same seed gave another run; the leak: clock\n  \
            where   test\n  replay  STORMGLASS_CHECK=1 ..\n  saved   /tmp/x\n  likely  a clock\n\n\
            failures:\n";
        let report = of_difference("t", 3, "a and b", "cargo stormglass doctor t", found);
        let expected = "t is not deterministic: a and b; the leak: clock\n  where   seed 3\n  \
            replay  cargo stormglass doctor t\n  saved   nowhere, since it would be another run \
            each time\n  likely  a clock";
        assert_eq!(report, expected);
    }
}
