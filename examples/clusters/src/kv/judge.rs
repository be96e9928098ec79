//! Was what the clients saw right?
//!
//! It takes histories and logs, and never a simulation: it would judge a real cluster as well.
//!
//! # What is checked
//!
//! Each key is a register, and no two writes write the same value, so it is known which write a
//! read has read. For each value let its *cluster* be the write of it and all that saw it. Let its
//! *zone* reach from the first end to the last beginning in the cluster: if it runs *forward*, the
//! register must have held the value all through it. A history of reads and writes is linearizable
//! if and only if no read ends before its write begins, no two forward zones overlap, and no zone
//! that runs backward lies inside a forward one (Gibbons & Korach 1997, "Testing Shared Memories";
//! in terms of zones: Golab, Li & Shah 2011). It can be done in `O(n log n)`; here each zone is
//! compared with all before it, which is as fast for the hundred values that a key has.
//!
//! A put also tells what it replaced, which is judged as a read at the time of the write. Because
//! both happen at once, each value is replaced at most once, and going back from value to
//! replaced value leads to the beginning and never round in a circle.
//!
//! An operation without an answer may have had its effect or not: its write is taken as done if
//! someone saw the value, with no end; otherwise it is left out.
//!
//! # Blind spots
//!
//! A correct history is never blamed. A wrong one may pass only if the fault lies in how reads and
//! the two halves of several puts fit together, beyond the rules above: a test finds that of small
//! random wrong histories two in a hundred do. Keys are judged one by one, which linearizability
//! allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::history::{History, Operation, What};
use super::log::{Command, Log};
use super::message::Action;

/// A broken promise of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub property: Property,
    /// How it was broken.
    pub detail: String,
}

/// What the cluster promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// Each key behaves like one register.
    Linearizable,
    /// An acknowledged write stays.
    NothingLost,
    /// In the end all nodes hold the same log.
    ReplicasEqual,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.detail)
    }
}

impl fmt::Display for Property {
    /// How it is broken.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linearizable => "reads and writes are not linearizable",
            Self::NothingLost => "an acknowledged write is lost",
            Self::ReplicasEqual => "the replicas differ",
        })
    }
}

impl std::error::Error for Violation {}

impl Violation {
    /// Says that a promise was broken, and how.
    #[must_use]
    pub const fn new(property: Property, detail: String) -> Self {
        Self { property, detail }
    }
}

/// Judges whether each key behaved like one register.
///
/// # Errors
/// With the first violation, by key.
pub fn linearizable(history: &History) -> Result<(), Violation> {
    let operations = history.operations();
    let keys: BTreeSet<&str> = operations.iter().map(|op| op.action.key()).collect();
    for key in keys {
        let mut register = Register::default();
        let result = operations
            .iter()
            .filter(|op| op.action.key() == key)
            .try_for_each(|op| register.add(op))
            .and_then(|()| register.judge());
        if let Err(detail) = result {
            let detail = format!("{key}: {detail}");
            return Err(Violation::new(Property::Linearizable, detail));
        }
    }
    Ok(())
}

/// Judges whether the log that the cluster ended with has all acknowledged writes.
///
/// # Errors
/// If it lacks one.
pub fn nothing_lost(history: &History, log: &Log) -> Result<(), Violation> {
    let mut kept = BTreeSet::new();
    for entry in log.entries() {
        if let Command::Put { value, .. } = &entry.command {
            kept.insert(value);
        }
    }
    for operation in history.operations() {
        if let (Action::Put { key, value }, What::Ok(_)) = (&operation.action, &operation.end)
            && !kept.contains(value)
        {
            let client = operation.client;
            let detail = format!("{value} of client-{client}, put into {key}, is in no log");
            return Err(Violation::new(Property::NothingLost, detail));
        }
    }
    Ok(())
}

/// Judges whether all nodes hold the same log; `logs` begins with the primary's.
///
/// # Errors
/// If one differs.
pub fn replicas_equal(logs: &[Log]) -> Result<(), Violation> {
    for (number, log) in logs.iter().enumerate().skip(1) {
        if log != &logs[0] {
            let detail = format!(
                "of {} entries kv-{number} has {}, of which {} are the same",
                logs[0].len(),
                log.len(),
                log.common(&logs[0])
            );
            return Err(Violation::new(Property::ReplicasEqual, detail));
        }
    }
    Ok(())
}

/// A value of a register; `None` is what it holds before the first write.
type Value<'a> = Option<&'a str>;

/// The operations on one key, by value.
#[derive(Debug, Default)]
struct Register<'a> {
    writes: BTreeMap<&'a str, Span>,
    seen: BTreeMap<Value<'a>, Vec<Span>>,
    /// What each write replaced, if it was told.
    replaced: BTreeMap<&'a str, Value<'a>>,
}

/// From beginning to end of an operation, as places in the history.
#[derive(Clone, Copy, Debug)]
struct Span {
    began: usize,
    ended: usize,
}

/// When a register held a value.
#[derive(Clone, Copy, Debug)]
struct Zone<'a> {
    value: Value<'a>,
    first_end: usize,
    last_begin: usize,
}

impl<'a> Register<'a> {
    fn add(&mut self, operation: &'a Operation) -> Result<(), String> {
        let span = Span {
            began: operation.began,
            ended: operation.ended,
        };
        match (&operation.action, &operation.end) {
            (Action::Get { .. }, What::Ok(held)) => {
                self.seen.entry(held.as_deref()).or_default().push(span);
            }
            (Action::Put { value, .. }, What::Ok(held)) => {
                self.writes.insert(value, span);
                self.seen.entry(held.as_deref()).or_default().push(span);
                let other = self
                    .replaced
                    .iter()
                    .find(|(_, replaced)| **replaced == held.as_deref());
                if let Some((other, _)) = other {
                    let held = show(held.as_deref());
                    return Err(format!(
                        "{held} was replaced by {other} and again by {value}"
                    ));
                }
                self.replaced.insert(value, held.as_deref());
            }
            (Action::Put { value, .. }, What::Info) => {
                self.writes.insert(value, span);
            }
            // Reads without an answer tell nothing; writes that were not done must not be seen.
            (_, What::Info | What::Fail | What::Invoke(_)) => {}
        }
        Ok(())
    }

    fn judge(&self) -> Result<(), String> {
        self.no_circle()?;
        let mut zones = Vec::new();
        for (&value, seen) in &self.seen {
            let write = self.write(value)?;
            if seen.iter().any(|read| read.ended < write.began) {
                return Err(format!("{} was seen before it was written", show(value)));
            }
            zones.push(zone(value, seen.iter().copied().chain([write])));
        }
        let unseen = self
            .writes
            .iter()
            .filter(|(value, _)| !self.seen.contains_key(&Some(**value)));
        // A write that no one saw and no one was told of may never have happened.
        let done = unseen.filter(|(_, write)| write.ended != usize::MAX);
        zones.extend(done.map(|(value, write)| zone(Some(value), [*write].into_iter())));
        zones.sort_by_key(Zone::start);
        for (index, zone) in zones.iter().enumerate() {
            if let Some(other) = zones[..index]
                .iter()
                .rev()
                .find(|other| other.excludes(zone))
            {
                let (held, between) = (show(other.value), show(zone.value));
                return Err(format!("{held} was seen both before and after {between}"));
            }
        }
        Ok(())
    }

    fn write(&self, value: Value<'a>) -> Result<Span, String> {
        match value {
            None => Ok(Span { began: 0, ended: 0 }),
            Some(value) => {
                let write = self.writes.get(value).copied();
                write.ok_or_else(|| format!("{value} was seen and never written"))
            }
        }
    }

    fn no_circle(&self) -> Result<(), String> {
        for &first in self.replaced.keys() {
            let mut value = first;
            // A way without a circle is not longer than there are writes.
            for _ in 0..self.replaced.len() {
                match self.replaced.get(value) {
                    Some(Some(before)) => value = before,
                    Some(None) | None => break,
                }
                if value == first {
                    return Err(format!("{first} was written more than once"));
                }
            }
        }
        Ok(())
    }
}

impl Zone<'_> {
    fn is_forward(&self) -> bool {
        self.first_end < self.last_begin
    }

    fn start(&self) -> usize {
        self.first_end.min(self.last_begin)
    }

    fn end(&self) -> usize {
        self.first_end.max(self.last_begin)
    }

    /// Whether `later`, which starts no earlier, cannot be beside this one.
    fn excludes(&self, later: &Self) -> bool {
        self.is_forward()
            && if later.is_forward() {
                later.start() < self.end()
            } else {
                later.end() < self.end()
            }
    }
}

fn zone<'a>(value: Value<'a>, spans: impl Iterator<Item = Span> + Clone) -> Zone<'a> {
    let first_end = spans.clone().map(|span| span.ended).min();
    let last_begin = spans.map(|span| span.began).max();
    Zone {
        value,
        first_end: first_end.expect("a cluster has its write"),
        last_begin: last_begin.expect("a cluster has its write"),
    }
}

fn show(value: Value<'_>) -> &str {
    value.unwrap_or("nothing")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kv::log::Entry;

    /// A history of one key, an event a word: `1:put=a`, `1:get`, `1:ok=a`, `1:ok`, `1:info`,
    /// `1:fail`, with the client before the colon.
    fn history(text: &str) -> History {
        let mut history = History::default();
        for word in text.split_whitespace() {
            let (client, what) = word.split_once(':').unwrap();
            let (what, value) = what.split_once('=').unwrap_or((what, ""));
            let key = "k".to_owned();
            let what = match what {
                "put" => What::Invoke(Action::Put {
                    key,
                    value: value.to_owned(),
                }),
                "get" => What::Invoke(Action::Get { key }),
                "ok" => What::Ok((!value.is_empty()).then(|| value.to_owned())),
                "info" => What::Info,
                "fail" => What::Fail,
                other => panic!("{other}"),
            };
            history.record(Duration::ZERO, client.parse().unwrap(), what);
        }
        history
    }

    fn check(text: &str, expected: Result<(), &str>) {
        match (linearizable(&history(text)), expected) {
            (Ok(()), Ok(())) => {}
            (Err(violation), Err(part)) => {
                assert!(violation.detail.contains(part), "{text}: {violation}");
            }
            (judged, _) => panic!("{text}: {judged:?}"),
        }
    }

    #[test]
    fn one_after_the_other() {
        check("", Ok(()));
        check(
            "1:get 1:ok 1:put=a 1:ok 2:get 2:ok=a 2:put=b 2:ok=a 1:get 1:ok=b",
            Ok(()),
        );
    }

    #[test]
    fn at_the_same_time_either_is_right() {
        check("1:put=a 2:get 2:ok=a 1:ok", Ok(()));
        check("1:put=a 2:get 2:ok 1:ok", Ok(()));
        check("1:put=a 2:put=b 1:ok=b 2:ok 3:get 3:ok=a", Ok(()));
    }

    #[test]
    fn a_stale_read_is_wrong() {
        check(
            "1:put=a 1:ok 1:put=b 1:ok=a 2:get 2:ok=a",
            Err("seen both before and after"),
        );
        check(
            "1:put=a 1:ok 2:get 2:ok",
            Err("nothing was seen both before and after a"),
        );
        check(
            "1:put=a 2:get 2:ok=a 3:get 3:ok 1:ok",
            Err("seen both before and after"),
        );
    }

    #[test]
    fn a_value_from_nowhere_is_wrong() {
        check("1:get 1:ok=a", Err("a was seen and never written"));
        check(
            "1:get 1:ok=a 2:put=a 2:ok",
            Err("a was seen before it was written"),
        );
        check(
            "1:put=a 1:fail 1:get 1:ok=a",
            Err("a was seen and never written"),
        );
    }

    #[test]
    fn a_lost_write_is_wrong_though_no_one_reads() {
        check(
            "1:put=a 1:ok 1:put=b 1:ok",
            Err("nothing was replaced by a and again by b"),
        );
    }

    #[test]
    fn a_write_done_twice_is_wrong() {
        check(
            "1:put=a 2:put=b 2:ok=a 1:ok=b",
            Err("a was written more than once"),
        );
        check("1:put=a 1:ok=a", Err("a was written more than once"));
    }

    #[test]
    fn an_unanswered_write_may_have_its_effect_late_or_never() {
        check("1:put=a 1:info 2:get 2:ok 2:get 2:ok=a", Ok(()));
        check(
            "1:put=a 1:info 2:get 2:ok 2:put=b 2:ok 2:get 2:ok=b",
            Ok(()),
        );
        check(
            "1:put=a 1:info 2:get 2:ok=a 2:get 2:ok",
            Err("seen both before and after"),
        );
    }

    /// A log with one entry for each letter, which is the value put.
    fn log(values: &str) -> Log {
        let mut log = Log::default();
        for (number, value) in (1..).zip(values.chars()) {
            let (key, value) = ("k".to_owned(), value.to_string());
            let command = Command::Put {
                client: 1,
                number,
                key,
                value,
            };
            log.push(Entry {
                epoch: 1,
                stamp_ns: 0,
                command,
            });
        }
        log
    }

    #[test]
    fn an_acknowledged_write_must_be_in_the_log() {
        let history = history("1:put=a 1:ok 1:put=b 1:info 1:put=c 1:fail 1:get 1:ok=z");
        assert_eq!(nothing_lost(&history, &log("ab")), Ok(()));
        assert_eq!(nothing_lost(&history, &log("a")), Ok(()));
        let violation = nothing_lost(&history, &log("b")).unwrap_err();
        assert_eq!(violation.property, Property::NothingLost);
        assert!(violation.detail.contains("a of client-1"), "{violation}");
    }

    #[test]
    fn all_logs_must_be_the_same() {
        assert_eq!(replicas_equal(&[log("ab"), log("ab")]), Ok(()));
        for other in ["a", "abc", "ac"] {
            let violation = replicas_equal(&[log("ab"), log("ab"), log(other)]).unwrap_err();
            assert_eq!(violation.property, Property::ReplicasEqual);
            assert!(violation.detail.contains("kv-2"), "{violation}");
        }
    }

    /// Whether some order of the operations explains what was seen: by trying all. Wing & Gong
    /// 1993, without memory.
    fn explained(rest: &[Operation], held: Option<&str>) -> bool {
        let first_end = rest.iter().map(|op| op.ended).min().unwrap_or(usize::MAX);
        if first_end == usize::MAX {
            return true;
        }
        rest.iter()
            .enumerate()
            .filter(|(_, op)| op.began < first_end)
            .any(|(index, op)| {
                let mut others = rest.to_vec();
                others.remove(index);
                if matches!(&op.end, What::Ok(seen) if seen.as_deref() != held) {
                    return false;
                }
                match &op.action {
                    Action::Get { .. } => explained(&others, held),
                    Action::Put { value, .. } => explained(&others, Some(value)),
                }
            })
    }

    #[test]
    fn no_correct_history_is_blamed_and_few_wrong_ones_pass() {
        let mut state = 1_u64;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % bound
        };
        let (mut right, mut wrong, mut missed) = (0, 0, 0);
        for _ in 0..40_000 {
            let mut text = String::new();
            let mut open = [false; 3];
            let mut values = vec![String::new()];
            for event in 0..9 {
                let client = below(3);
                let busy = &mut open[usize::try_from(client).unwrap()];
                let seen = &values[usize::try_from(below(values.len() as u64)).unwrap()];
                text += &match (*busy, below(8)) {
                    (true, 0) => format!(" {client}:info"),
                    (true, _) => format!(" {client}:ok={seen}"),
                    (false, 0..4) => format!(" {client}:get"),
                    (false, _) => {
                        values.push(format!("v{event}"));
                        format!(" {client}:put=v{event}")
                    }
                };
                *busy = !*busy;
            }
            let history = history(&text);
            let judged = linearizable(&history);
            if explained(&history.operations(), None) {
                right += 1;
                assert_eq!(judged, Ok(()), "{text}");
            } else {
                wrong += 1;
                missed += u32::from(judged.is_ok());
            }
        }
        assert!(
            right > 1_000 && wrong > 10_000,
            "{right} right, {wrong} wrong"
        );
        assert!(
            missed * 40 < wrong,
            "{missed} of {wrong} wrong histories passed"
        );
    }
}
