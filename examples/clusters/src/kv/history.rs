//! What the clients saw, as data.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::message::Action;

/// What the clients saw, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Vec<Event>,
}

/// One thing that one client saw.
#[derive(Clone, Debug)]
pub struct Event {
    /// True virtual time.
    pub at: Duration,
    /// The client.
    pub client: u32,
    /// What it saw.
    pub what: What,
}

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It began an operation.
    Invoke(Action),
    /// The operation was done; the key held this, before the write if it was one.
    Ok(Option<String>),
    /// No one knows: the operation may have its effect at any later time, or never.
    Info,
    /// The operation was not done and will not be.
    Fail,
}

/// An operation from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client.
    pub client: u32,
    /// What it wanted.
    pub action: Action,
    /// Place of the beginning in the history.
    pub began: usize,
    /// Place of the end in the history; `usize::MAX` if it has none.
    pub ended: usize,
    /// How it ended; an operation that was never ended is an `Info`.
    pub end: What,
}

/// How many operations ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done.
    pub ok: usize,
    /// May have been done.
    pub info: usize,
    /// Not done.
    pub fail: usize,
}

impl History {
    /// Adds what a client saw. A client has one operation at a time.
    pub fn record(&mut self, at: Duration, client: u32, what: What) {
        self.events.push(Event { at, client, what });
    }

    /// All events.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The operations, in the order in which they began.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations: Vec<Operation> = Vec::new();
        let mut open = BTreeMap::new();
        for (place, Event { client, what, .. }) in self.events.iter().enumerate() {
            if let What::Invoke(action) = what {
                open.insert(*client, operations.len());
                operations.push(Operation {
                    client: *client,
                    action: action.clone(),
                    began: place,
                    ended: usize::MAX,
                    end: What::Info,
                });
            } else if let Some(index) = open.remove(client) {
                let operation: &mut Operation = &mut operations[index];
                operation.end = what.clone();
                if *what != What::Info {
                    operation.ended = place;
                }
            }
        }
        operations
    }

    /// How a client's operations ended.
    #[must_use]
    pub fn counts(&self, client: u32) -> Counts {
        let mut counts = Counts::default();
        for event in self.events.iter().filter(|event| event.client == client) {
            match event.what {
                What::Invoke(_) => {}
                What::Ok(_) => counts.ok += 1,
                What::Info => counts.info += 1,
                What::Fail => counts.fail += 1,
            }
        }
        counts
    }

    /// The longest time between two operations of a client that were done.
    #[must_use]
    pub fn longest_gap(&self, client: u32) -> Duration {
        let done = self.events.iter().filter(|event| event.client == client);
        let done = done.filter(|event| matches!(event.what, What::Ok(_)));
        let times: Vec<Duration> = done.map(|event| event.at).collect();
        times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or_default()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.6} client-{} ", self.at.as_secs_f64(), self.client)?;
        match &self.what {
            What::Invoke(Action::Get { key }) => write!(f, "invoke get {key}"),
            What::Invoke(Action::Put { key, value }) => write!(f, "invoke put {key} {value}"),
            What::Ok(held) => write!(f, "ok     {}", held.as_deref().unwrap_or("nothing")),
            What::Info => f.write_str("info"),
            What::Fail => f.write_str("fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get() -> What {
        What::Invoke(Action::Get {
            key: "k".to_owned(),
        })
    }

    fn history(events: &[(u64, u32, What)]) -> History {
        let mut history = History::default();
        for (at_ms, client, what) in events {
            history.record(Duration::from_millis(*at_ms), *client, what.clone());
        }
        history
    }

    #[test]
    fn an_operation_reaches_from_its_beginning_to_its_end() {
        let operations = history(&[
            (0, 1, get()),
            (1, 2, get()),
            (2, 1, What::Ok(None)),
            (3, 1, get()),
            (4, 2, What::Fail),
            (5, 1, What::Info),
            (6, 1, get()),
        ])
        .operations();
        let ends: Vec<_> = operations
            .iter()
            .map(|op| (op.client, op.began, op.ended, op.end.clone()))
            .collect();
        let never = usize::MAX;
        assert_eq!(
            ends,
            [
                (1, 0, 2, What::Ok(None)),
                (2, 1, 4, What::Fail),
                (1, 3, never, What::Info),
                (1, 6, never, What::Info),
            ]
        );
    }

    #[test]
    fn a_client_is_counted_by_itself() {
        let ok = What::Ok(None);
        let history = history(&[
            (0, 1, get()),
            (1, 1, ok.clone()),
            (2, 2, get()),
            (3, 2, ok.clone()),
            (4, 1, get()),
            (9, 1, ok.clone()),
            (9, 1, get()),
            (10, 1, What::Info),
            (10, 1, get()),
            (12, 1, ok),
        ]);
        assert_eq!(
            history.counts(1),
            Counts {
                ok: 3,
                info: 1,
                fail: 0
            }
        );
        assert_eq!(history.longest_gap(1), Duration::from_millis(8));
        assert_eq!(history.longest_gap(2), Duration::ZERO);
    }
}
