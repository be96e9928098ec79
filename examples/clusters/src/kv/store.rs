//! What the log adds up to: the keys' values, and what each client was last told.
//!
//! It must never read a clock, a socket or the primary's memory: the same entries give the same
//! store on every node.

use std::collections::BTreeMap;

use super::bug::Bug;
use super::log::{Command, Entry};

/// The state after some entries of the log.
#[derive(Debug)]
pub struct Store {
    values: BTreeMap<String, Value>,
    sessions: BTreeMap<u32, Session>,
    bug: Option<Bug>,
}

#[derive(Debug)]
struct Value {
    value: String,
    stamp_ns: u64,
}

/// A client's latest write.
#[derive(Debug)]
struct Session {
    number: u64,
    /// What the key held before it.
    held: Option<String>,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub const fn new(bug: Option<Bug>) -> Self {
        Self {
            values: BTreeMap::new(),
            sessions: BTreeMap::new(),
            bug,
        }
    }

    /// Lets an entry take effect, unless its request has had its effect already, and gives what
    /// the request's client is to be told: what the key held before.
    pub fn apply(&mut self, entry: &Entry) -> Option<String> {
        let Command::Put {
            client,
            number,
            key,
            value,
        } = &entry.command
        else {
            return None;
        };
        if let Some(session) = self.sessions.get(client)
            && session.number >= *number
        {
            if self.bug == Some(Bug::ForgetAnswers) {
                return self.get(key).map(str::to_owned);
            }
            // An older number than the latest is a straggler: no one waits for its answer.
            return session.held.clone();
        }
        let old = self.values.get(key);
        let held = old.map(|old| old.value.clone());
        let outdated = old.is_some_and(|old| old.stamp_ns > entry.stamp_ns);
        if !(outdated && self.bug == Some(Bug::NewestClockWins)) {
            let value = Value {
                value: value.clone(),
                stamp_ns: entry.stamp_ns,
            };
            self.values.insert(key.clone(), value);
        }
        self.sessions.insert(
            *client,
            Session {
                number: *number,
                held: held.clone(),
            },
        );
        held
    }

    /// What a planted bug does at the end of a recovery.
    pub fn recovered(&mut self) {
        if self.bug == Some(Bug::ForgetSessions) {
            self.sessions.clear();
        }
    }

    /// What a key holds.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(client: u32, number: u64, value: &str, stamp_ns: u64) -> Entry {
        let (key, value) = ("k".to_owned(), value.to_owned());
        Entry {
            epoch: 1,
            stamp_ns,
            command: Command::Put {
                client,
                number,
                key,
                value,
            },
        }
    }

    #[test]
    fn a_write_tells_what_it_replaced() {
        let mut store = Store::new(None);
        assert_eq!(store.apply(&put(1, 1, "a", 5)), None);
        assert_eq!(store.apply(&put(2, 1, "b", 3)), Some("a".to_owned()));
        assert_eq!(
            store.get("k"),
            Some("b"),
            "the order of the log counts, not the clock"
        );
    }

    #[test]
    fn asking_again_gives_the_same_answer_and_has_no_effect() {
        let mut store = Store::new(None);
        store.apply(&put(1, 1, "a", 0));
        assert_eq!(store.apply(&put(1, 2, "b", 0)), Some("a".to_owned()));
        store.apply(&put(2, 1, "c", 0));
        assert_eq!(store.apply(&put(1, 2, "b", 0)), Some("a".to_owned()));
        assert_eq!(store.get("k"), Some("c"));
    }

    #[test]
    fn a_straggler_has_no_effect() {
        let mut store = Store::new(None);
        store.apply(&put(1, 2, "b", 0));
        store.apply(&put(1, 1, "a", 0));
        assert_eq!(store.get("k"), Some("b"));
    }
}
