//! JSON Lines, the native form of histories.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::edn::Fields;
use super::{Event, History, Item, Malformed, Mark, Value};

#[derive(Deserialize)]
struct Line<'a> {
    process: Option<Value>,
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    f: Option<Cow<'a, str>>,
    key: Option<Value>,
    #[serde(default)]
    value: Value,
    time: Option<Value>,
    index: Option<Value>,
}

#[derive(Serialize)]
struct EventLine<'a> {
    index: u64,
    time: u64,
    process: u32,
    r#type: &'static str,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Value>,
    value: &'a Value,
}

#[derive(Serialize)]
struct MarkLine<'a> {
    time: u64,
    process: &'static str,
    r#type: &'static str,
    f: &'a str,
    value: &'a Value,
}

const HELP: &str =
    "each line is an object such as {\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}";

pub(super) fn read(text: &str) -> Result<History, Malformed> {
    let mut history = History::new();
    for_each(text, |item| item.push_to(&mut history))?;
    Ok(history)
}

/// Gives each line's event or mark to `take`, and its line to what `take` says against it.
pub(crate) fn for_each(
    text: &str,
    mut take: impl FnMut(Item) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        item(line)
            .and_then(&mut take)
            .map_err(|malformed| malformed.at_line(n as u64 + 1))?;
    }
    Ok(())
}

fn item(line: &str) -> Result<Item, Malformed> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| {
        let reason = error.to_string();
        // It ends with a line that is always 1 here.
        let reason = reason.split(" at line ").next().unwrap_or(&reason);
        Malformed::new(reason, HELP).at_column(error.column() as u64)
    })?;
    let fields = Fields {
        process: line.process,
        kind: line.r#type,
        f: line.f,
        key: line.key,
        value: line.value,
        time: line.time,
        index: line.index,
    };
    fields.item()
}

pub(super) fn write(history: &History) -> String {
    let mut text = String::new();
    let mut marks = history.marks().iter().peekable();
    for (position, event) in history.events().iter().enumerate() {
        while let Some(mark) = marks.next_if(|mark| mark.position as usize <= position) {
            push(&mut text, &mark_line(mark));
        }
        push(&mut text, &event_line(event));
    }
    marks.for_each(|mark| push(&mut text, &mark_line(mark)));
    text
}

fn event_line(event: &Event) -> EventLine<'_> {
    EventLine {
        index: event.index,
        time: event.time.as_nanos(),
        process: event.process,
        r#type: event.kind.name(),
        f: &event.f,
        key: event.key.as_ref(),
        value: &event.value,
    }
}

fn mark_line(mark: &Mark) -> MarkLine<'_> {
    MarkLine {
        time: mark.time.as_nanos(),
        process: "nemesis",
        r#type: "info",
        f: &mark.f,
        value: &mark.value,
    }
}

fn push(text: &mut String, line: &impl Serialize) {
    text.push_str(&serde_json::to_string(line).expect("keys of maps are text"));
    text.push('\n');
}
