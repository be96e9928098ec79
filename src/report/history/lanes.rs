//! The picture: lanes, bars and bands, as SVG.

use core::fmt;

use super::Escaped;
use crate::check::{Event, Explanation, History, Kind, Mark, Operation};

/// So many pixels an event.
const EVENT: u32 = 26;
/// So many pixels a lane.
const LANE: u32 = 30;
/// Where the lanes begin, right of their names.
const LEFT: u32 = 96;
/// Above the lanes: the names of faults.
const TOP: u32 = 34;
/// So many events before the first that matters are shown, and after the last.
const AROUND: u32 = 6;
/// More operations than this are not drawn, but for those that matter.
const BARS_MAX: usize = 2_000;

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    history: &History,
    explanation: &Explanation,
) -> fmt::Result {
    let picture = Picture::new(history, explanation);
    let (width, height) = (picture.x(picture.to) + EVENT, picture.bottom() + 20);
    writeln!(
        f,
        "<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"operations in time\">"
    )?;
    picture.write_faults(f)?;
    picture.write_lanes(f)?;
    for (id, operation) in &picture.operations {
        picture.write_bar(f, *id, *operation)?;
    }
    let cut = picture.x(explanation.position);
    let bottom = picture.bottom();
    writeln!(
        f,
        "<line class=\"cut\" x1=\"{cut}\" x2=\"{cut}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\n</svg>"
    )
}

struct Picture<'a> {
    history: &'a History,
    explanation: &'a Explanation,
    /// The first and the last event.
    from: u32,
    to: u32,
    operations: Vec<(u32, Operation)>,
    /// The processes, each with its lane.
    lanes: Vec<u32>,
}

impl<'a> Picture<'a> {
    fn new(history: &'a History, explanation: &'a Explanation) -> Self {
        let calls = explanation.operations.iter().map(|shown| shown.call);
        let from = calls.min().unwrap_or(0).saturating_sub(AROUND);
        let last = u32::try_from(history.events().len()).unwrap_or(u32::MAX);
        let to = explanation.position.saturating_add(AROUND).min(last);
        let mut operations = Vec::new();
        for (id, operation) in (0..).zip(history.operations()) {
            let key = history.invocation(*operation).key.as_ref();
            let end = operation.complete.unwrap_or(u32::MAX);
            let is_near = operation.invoke <= to && end >= from && operations.len() < BARS_MAX;
            let matters = explanation.operations.iter().any(|o| o.operation == id);
            if matters || (is_near && key == explanation.key.as_ref()) {
                operations.push((id, *operation));
            }
        }
        let process = |(_, operation): &(u32, Operation)| history.invocation(*operation).process;
        let mut lanes: Vec<u32> = operations.iter().map(process).collect();
        lanes.sort_unstable();
        lanes.dedup();
        Self {
            history,
            explanation,
            from,
            to,
            operations,
            lanes,
        }
    }

    /// Where an event is.
    fn x(&self, position: u32) -> u32 {
        LEFT + position.clamp(self.from, self.to).saturating_sub(self.from) * EVENT
    }

    fn y(&self, process: u32) -> u32 {
        let lane = self.lanes.iter().position(|lane| *lane == process);
        TOP + u32::try_from(lane.unwrap_or_default()).unwrap_or_default() * LANE
    }

    fn bottom(&self) -> u32 {
        TOP + u32::try_from(self.lanes.len()).unwrap_or_default() * LANE
    }

    fn write_lanes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = self.x(self.to) + EVENT;
        for process in &self.lanes {
            let y = self.y(*process) + LANE;
            let text = y - 10;
            writeln!(
                f,
                "<line class=\"lane\" x1=\"0\" x2=\"{right}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text class=\"soft\" x=\"6\" y=\"{text}\">process {process}</text>"
            )?;
        }
        Ok(())
    }

    /// Bands from what starts something to what stops it, lines for other marks.
    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = self.history.marks();
        let bottom = self.bottom();
        for (n, mark) in marks.iter().enumerate() {
            let name = Escaped(&mark.f);
            if mark.f.starts_with("stop") || mark.f.starts_with("heal") {
                continue;
            }
            let starts = mark.f.starts_with("start");
            let stop = marks[n + 1..]
                .iter()
                .find(|later| starts && stops(mark, later));
            let to = match (stop, starts) {
                (Some(stop), _) => stop.position,
                (None, true) => self.to,
                (None, false) => mark.position,
            };
            if mark.position > self.to || to < self.from {
                continue;
            }
            let (x, width) = (self.x(mark.position), self.x(to) - self.x(mark.position));
            if starts {
                let height = bottom - 6;
                writeln!(
                    f,
                    "<rect class=\"band\" x=\"{x}\" y=\"6\" width=\"{width}\" height=\"{height}\"/>"
                )?;
            } else {
                writeln!(
                    f,
                    "<line class=\"mark\" x1=\"{x}\" x2=\"{x}\" y1=\"6\" y2=\"{bottom}\"/>"
                )?;
            }
            let (value, time) = (Escaped(&mark.value), mark.time);
            let text = x + 4;
            writeln!(
                f,
                "<text class=\"soft\" x=\"{text}\" y=\"18\">{name}<title>{name} {value} at {time}\
                 </title></text>"
            )?;
        }
        Ok(())
    }

    fn write_bar(&self, f: &mut fmt::Formatter<'_>, id: u32, operation: Operation) -> fmt::Result {
        let invoke = self.history.invocation(operation);
        let end = self.history.completion(operation);
        let (x, y) = (self.x(operation.invoke), self.y(invoke.process) + 4);
        let right = match end.filter(|end| end.kind != Kind::Info) {
            Some(_) => self.x(operation.complete.unwrap_or(self.to)),
            None => self.x(self.to) + EVENT,
        };
        let (width, class) = ((right - x).max(EVENT / 2), self.class(id, end));
        let text = self.text(id, invoke, end);
        let letters = usize::try_from(width / 7).unwrap_or_default();
        let label: String = text.chars().take(letters).collect();
        let (text_x, text_y, turn_y) = (x + 4, y + 15, y - 1);
        let (text, label) = (Escaped(&text), Escaped(&label));
        let times = match end {
            Some(end) => format!("{} to {}", invoke.time, end.time),
            None => format!("{}, without an end", invoke.time),
        };
        let height = LANE - 8;
        writeln!(
            f,
            "<g class=\"{class}\" data-op=\"{id}\"><title>#{id} process {}: {text}\n{times}</title>\
             <rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\
             <text x=\"{text_x}\" y=\"{text_y}\">{label}</text>\
             <text class=\"turn\" x=\"{x}\" y=\"{turn_y}\"></text></g>",
            invoke.process
        )
    }

    /// What an operation is in the picture.
    fn class(&self, id: u32, end: Option<&Event>) -> &'static str {
        let shown = self
            .explanation
            .operations
            .iter()
            .find(|o| o.operation == id);
        match (
            shown.and_then(|shown| shown.returns),
            end.map(|end| end.kind),
        ) {
            (Some(returns), _) if returns == self.explanation.position => "op stuck",
            (Some(_), _) => "op firm",
            (None, None | Some(Kind::Info | Kind::Invoke)) => "op open",
            (None, Some(Kind::Fail)) => "op fail",
            (None, Some(Kind::Ok)) => "op",
        }
    }

    /// What an operation was: as the model tells it, or as the history has it.
    fn text(&self, id: u32, invoke: &Event, end: Option<&Event>) -> String {
        let mut shown = self.explanation.operations.iter();
        if let Some(shown) = shown.find(|o| o.operation == id && o.returns.is_some()) {
            return shown.text.clone();
        }
        let (f, asked) = (&invoke.f, &invoke.value);
        match end.map(|end| (end.kind, &end.value)) {
            Some((Kind::Ok, value)) if value != asked => format!("{f} {asked} -> {value}"),
            Some((Kind::Ok, _)) => format!("{f} {asked}"),
            Some((Kind::Fail, _)) => format!("{f} {asked}: failed"),
            _ => format!("{f} {asked} -> ?"),
        }
    }
}

/// Whether a mark ends what another began: `stop-partition` ends `start-partition`.
fn stops(start: &Mark, stop: &Mark) -> bool {
    let what = |mark: &Mark| {
        let rest = mark
            .f
            .split_once(['-', ' '])
            .map(|(_, rest)| rest.to_owned());
        rest.unwrap_or_default()
    };
    let is_stop = stop.f.starts_with("stop") || stop.f.starts_with("heal");
    is_stop && (what(start) == what(stop) || what(stop).is_empty())
}
