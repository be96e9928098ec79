//! The log of Jepsen's etcd test.
//!
//! Operations are `:read`, `:write` and `:cas` on one register. A `:fail :cas` was done and
//! compared false; a `:fail` with `:timed-out` tells nothing, and neither does `:info`.

use std::fmt::Write as _;

use super::{Event, History, Kind, Malformed, Value, name_of};
use crate::kernel::SimTime;

const HELP: &str =
    "lines of operations are `INFO  jepsen.util - PROCESS :TYPE :OP VALUE`, others are passed over";

pub(super) fn read(text: &str) -> Result<History, Malformed> {
    let mut history = History::new();
    for (n, line) in text.lines().enumerate() {
        let event = event(line).map_err(|malformed| malformed.at_line(n as u64 + 1))?;
        if let Some(event) = event {
            history
                .push(event)
                .map_err(|malformed| malformed.at_line(n as u64 + 1))?;
        }
    }
    for (position, event) in history.events.iter_mut().enumerate() {
        event.index = position as u64;
    }
    Ok(history)
}

/// The event of a line; `None` if the line is of something else.
fn event(line: &str) -> Result<Option<Event>, Malformed> {
    let mut words = line.split_whitespace();
    let is_event = words.next() == Some("INFO")
        && words.next() == Some("jepsen.util")
        && words.next() == Some("-");
    let (Some(process), Some(kind)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let Some(kind) = kind.strip_prefix(':').filter(|_| is_event) else {
        return Ok(None);
    };
    // Faults of the test itself (`:nemesis`) have the same form.
    if process.starts_with(':') {
        return Ok(None);
    }
    let column = |word: &str| (word.as_ptr().addr() - line.as_ptr().addr()) as u64 + 1;
    let bad = |word: &str, what: &str| {
        let reason = format!("`{word}` is no {what}");
        Malformed::new(reason, HELP).at_column(column(word))
    };
    let ends = || Malformed::new("the line ends early", HELP).at_column(line.len() as u64 + 1);
    let process = process.parse().map_err(|_| bad(process, "process"))?;
    let kind = Kind::named(kind).ok_or_else(|| bad(kind, "type of event"))?;
    let f = words.next().ok_or_else(ends)?;
    let f = f.strip_prefix(':').ok_or_else(|| bad(f, "operation"))?;
    let mut value = words.next().ok_or_else(ends)?;
    if value.starts_with('[') {
        // A pair, whose parts are words of their own.
        let start = value.as_ptr().addr() - line.as_ptr().addr();
        value = line[start..].trim_end();
    }
    let (kind, value) = match value {
        ":timed-out" => (Kind::Info, Value::from("timed-out")),
        _ => (kind, parse(value).ok_or_else(|| bad(value, "value"))?),
    };
    // A read that failed has no effect, so its process may carry on.
    let kind = match (kind, f) {
        (Kind::Info, "read") => Kind::Fail,
        (kind, _) => kind,
    };
    Ok(Some(Event {
        process,
        kind,
        f: name_of(f),
        key: None,
        value,
        time: SimTime::ZERO,
        index: 0,
    }))
}

fn parse(value: &str) -> Option<Value> {
    if let Some(pair) = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let parts: Option<Vec<Value>> = pair.split_whitespace().map(parse).collect();
        return parts.map(Value::List);
    }
    match value {
        "nil" => Some(Value::Nil),
        _ => match value.strip_prefix(':') {
            Some(keyword) => Some(Value::from(keyword)),
            None => value.parse().ok().map(Value::Int),
        },
    }
}

pub(super) fn write(history: &History) -> String {
    let mut text = String::new();
    for event in history.events() {
        let (process, kind, f) = (event.process, event.kind.name(), &event.f);
        write!(text, "INFO  jepsen.util - {process}\t:{kind}\t:{f}\t")
            .expect("a string takes every write");
        match (&event.value, event.kind) {
            (_, Kind::Info) => text.push_str(":timed-out"),
            (Value::Text(word), _) => text.push_str(&format!(":{word}")),
            (value, _) => text.push_str(&value.to_string()),
        }
        text.push('\n');
    }
    text
}
