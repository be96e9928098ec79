//! `tracing` events of the program under test, stamped with virtual time, node and step.
//!
//! They go to the trace's sink, and to standard error if asked. They never reach the digest.

use core::fmt::{self, Write as _};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::context;

/// Captures events up to a level while it is this thread's default subscriber.
pub(crate) struct Capture {
    level: LevelFilter,
    /// Print each line to standard error too.
    echo: bool,
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    open: BTreeMap<u64, Span>,
    made: u64,
    entered: Vec<u64>,
}

struct Span {
    /// Name and fields.
    text: String,
    handles: usize,
}

impl Capture {
    pub(crate) fn new(level: LevelFilter, echo: bool) -> Self {
        Self {
            level,
            echo,
            spans: Mutex::default(),
        }
    }

    fn spans(&self) -> std::sync::MutexGuard<'_, Spans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        let mut spans = self.spans();
        spans.made += 1;
        let id = spans.made;
        spans.open.insert(
            id,
            Span {
                text: text.0,
                handles: 1,
            },
        );
        Id::from_u64(id)
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = self.spans().open.get_mut(&id.into_u64()) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = self.spans();
        let Some(span) = spans.open.get_mut(&id.into_u64()) else {
            return false;
        };
        span.handles -= 1;
        let last = span.handles == 0;
        if last {
            spans.open.remove(&id.into_u64());
        }
        last
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut added = Text(String::new());
        values.record(&mut added);
        if let Some(span) = self.spans().open.get_mut(&id.into_u64()) {
            span.text.push_str(&added.0);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text(String::new());
        {
            let spans = self.spans();
            for span in spans.entered.iter().filter_map(|id| spans.open.get(id)) {
                text.0.push_str(&span.text);
                text.0.push_str(": ");
            }
        }
        text.0.push_str(metadata.target());
        text.0.push(':');
        event.record(&mut text);
        let line = context::try_with(|context| {
            let mut world = context.world.try_borrow_mut().ok()?;
            let node = context.current.node.get();
            let step = context.current.step.get();
            let (at, name) = (world.base.now, &world.node(node).name);
            let line = format!("{at} {name} {step} {:>5} {}", metadata.level(), text.0);
            world.base.trace.note(&line);
            Some(line)
        });
        if self.echo
            && let Some(line) = line.flatten()
        {
            crate::sys::outside(|| eprintln!("{line}"));
        }
    }

    fn enter(&self, span: &Id) {
        self.spans().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut spans = self.spans();
        if let Some(index) = spans.entered.iter().rposition(|id| *id == span.into_u64()) {
            spans.entered.remove(index);
        }
    }
}

/// Fields as ` key=value`, the message bare.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.0, " {value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        written.expect("a string takes every write");
    }
}
