//! What makes two failures the same failure.
//!
//! Owns the rule: the kind of failure, the property or the place, and the words of its message
//! with every number and hash taken out. It must never look at the seed, the time or the node.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::exec::{Failed, Failure, WaitingTask, is_telling};

/// Names a failure: equal for runs that fail in the same way, whatever their seeds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a failure.
    #[must_use]
    pub fn of(failed: &Failed) -> Self {
        let failure = &failed.failure;
        let details = match failure {
            Failure::Panic { message, location } => {
                format!("{} ({})", words(message), without_column(location))
            }
            // A property may be claimed in several places, and is one.
            Failure::Violation { property, .. } => property.clone(),
            Failure::Error { message } => words(message),
            Failure::Deadlock { waiting } | Failure::TimeLimit { waiting, .. } => places(waiting),
            Failure::Livelock { busy, .. } => places(busy.get(..1).unwrap_or_default()),
            Failure::StepLimit { .. } => String::new(),
            Failure::Escape {
                kind, call, place, ..
            } => {
                let place = place.as_deref().map(without_column).unwrap_or_default();
                format!("{kind} by {call} {place}")
            }
            Failure::Hang { task, .. } => {
                let place = task.as_ref().map(|task| without_column(&task.spawned_at));
                place.unwrap_or_default().to_owned()
            }
            Failure::Died { how, last_words } => {
                let telling = last_words.iter().rev().find(|line| is_telling(line));
                let why = telling.map_or(String::new(), |line| format!(", {}", words(line.trim())));
                format!("{how}{why}")
            }
            Failure::Nondeterminism { leak, .. } => leak.to_string(),
        };
        Self(
            format!("{}: {details}", failure.name())
                .trim_end()
                .to_owned(),
        )
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A message with its numbers taken out, and no longer than a line.
fn words(message: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for letter in message.chars().take(MESSAGE_MAX) {
        // A number may be hexadecimal or have a point in it.
        let part = letter.is_ascii_digit()
            || in_number && (letter.is_ascii_hexdigit() || matches!(letter, '.' | '_' | 'x'));
        if part && !in_number {
            out.push('#');
        } else if !part {
            out.push(if letter.is_control() { ' ' } else { letter });
        }
        in_number = part;
    }
    out
}

/// `file:line` of `file:line:column`.
fn without_column(location: &str) -> &str {
    match location.rsplit_once(':') {
        Some((place, _)) if place.contains(':') => place,
        _ => location,
    }
}

/// The places at which tasks were spawned, each once.
fn places(tasks: &[WaitingTask]) -> String {
    let places = tasks.iter().map(|task| without_column(&task.spawned_at));
    let mut places: Vec<&str> = places.collect();
    places.sort_unstable();
    places.dedup();
    places.truncate(PLACES_MAX);
    places.join(", ")
}

/// Longer messages differ in their beginning, or in data.
const MESSAGE_MAX: usize = 200;
const PLACES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Moment;
    use crate::kernel::{NodeId, SimTime, Step};

    fn failed(failure: Failure, seed: u64) -> Failed {
        Failed {
            failure,
            moment: Moment {
                node: NodeId::TEST,
                name: format!("n-{seed}"),
                incarnation: 1,
                at: SimTime::from_nanos(seed),
                step: Step::new(seed),
            },
        }
    }

    fn panic(message: &str, location: &str) -> Failure {
        Failure::Panic {
            message: message.to_owned(),
            location: location.to_owned(),
        }
    }

    #[test]
    fn numbers_times_and_nodes_do_not_count() {
        let one = Fingerprint::of(&failed(panic("lost c1-34 at 0x7f.2", "src/a.rs:7:9"), 1));
        let two = Fingerprint::of(&failed(panic("lost c2-199 at 0x3c.11", "src/a.rs:7:30"), 2));
        assert_eq!(one, two);
        assert_eq!(one.as_str(), "Panic: lost c#-# at # (src/a.rs:7)");
    }

    #[test]
    fn kinds_places_and_words_do() {
        let of = |failure| Fingerprint::of(&failed(failure, 1));
        let here = of(panic("lost", "src/a.rs:7:9"));
        assert_ne!(here, of(panic("lost", "src/a.rs:8:9")));
        assert_ne!(here, of(panic("found", "src/a.rs:7:9")));
        let message = "lost".to_owned();
        assert_ne!(here, of(Failure::Error { message }));
        let violation = |property: &str, message: &str| {
            of(Failure::Violation {
                property: property.to_owned(),
                message: message.to_owned(),
                location: format!("src/{message}.rs:1"),
            })
        };
        assert_eq!(violation("p", "a"), violation("p", "b"));
        assert_ne!(violation("p", "a"), violation("q", "a"));
    }

    #[test]
    fn of_a_process_that_died_its_telling_words_count() {
        let of = |how: &str, line: &str| {
            Fingerprint::of(&failed(
                Failure::Died {
                    how: how.to_owned(),
                    last_words: vec![line.to_owned(), "fatal error".to_owned()],
                },
                1,
            ))
        };
        let one = of("signal 6 (SIGABRT)", "memory allocation of 12 bytes failed");
        assert_eq!(
            one.as_str(),
            "Died: signal 6 (SIGABRT), memory allocation of # bytes failed"
        );
        assert_eq!(
            one,
            of("signal 6 (SIGABRT)", "memory allocation of 7 bytes failed")
        );
        assert_ne!(one, of("signal 6 (SIGABRT)", "seed 3 was here"));
        assert_eq!(of("signal 9", "one"), of("signal 9", "two"));
    }

    #[test]
    fn tasks_count_by_where_they_were_spawned() {
        let task = |number: u64, spawned_at: &str| WaitingTask {
            task: crate::kernel::TaskId::new(number),
            node: format!("n-{number}"),
            spawned_at: spawned_at.to_owned(),
        };
        let of = |waiting| Fingerprint::of(&failed(Failure::Deadlock { waiting }, 1));
        let one = of(vec![
            task(1, "a.rs:1:2"),
            task(2, "b.rs:1:2"),
            task(3, "a.rs:1:2"),
        ]);
        assert_eq!(one, of(vec![task(9, "b.rs:1:2"), task(4, "a.rs:1:2")]));
        assert_ne!(one, of(vec![task(9, "b.rs:1:2")]));
    }
}
