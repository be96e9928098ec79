//! An explanation for a terminal.

use core::fmt;

use super::explain::{End, Explanation, Shown};

/// So many operations and steps of an order are written; there are rarely so many.
const LINES_MAX: usize = 40;
/// A bar is so wide.
const BAR: usize = 40;

impl fmt::Display for Explanation {
    /// A table of the operations with their bars in time, and the longest orders, each with what it
    /// fails at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => writeln!(f, "no order of these operations on key {key} is possible:")?,
            None => writeln!(f, "no order of these operations is possible:")?,
        }
        let width = self
            .operations
            .iter()
            .map(|op| op.text.chars().count())
            .max();
        let width = width.unwrap_or_default().min(BAR);
        for (n, shown) in self.operations.iter().enumerate() {
            if n == LINES_MAX {
                writeln!(f, "  and {} more", self.operations.len() - n)?;
                break;
            }
            let Shown {
                operation,
                process,
                text,
                ..
            } = shown;
            let bar = self.bar(shown);
            writeln!(
                f,
                "  #{operation:<6} process {process:<4} {text:<width$} {bar}"
            )?;
        }
        for (n, end) in self.ends.iter().enumerate() {
            self.write_end(f, n + 1, end)?;
        }
        Ok(())
    }
}

impl Explanation {
    /// The stretch of time of an operation, `|` where it was called and returned.
    fn bar(&self, shown: &Shown) -> String {
        // The positions that matter, so that the bars show overlaps and no distances.
        let mut marks: Vec<u32> = self.operations.iter().map(|op| op.call).collect();
        marks.extend(self.operations.iter().filter_map(|op| op.returns));
        marks.sort_unstable();
        let last = marks.len().saturating_sub(1).max(1);
        let place = |position: u32| marks.partition_point(|mark| *mark < position);
        let column = |position: u32| place(position) * BAR.min(last) / last;
        let from = column(shown.call);
        let mut bar = " ".repeat(from) + "|";
        match shown.returns {
            Some(returns) => {
                let to = column(returns).max(from + 1);
                bar += &"-".repeat(to - from - 1);
                bar.push('|');
            }
            None => bar += &("-".repeat(BAR.min(last).saturating_sub(from)) + ">"),
        }
        bar
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>, n: usize, end: &End) -> fmt::Result {
        let all = self.ends.len();
        writeln!(f, "order {n} of {all}:")?;
        // Orders begin alike, and the beginning is told once.
        let first = &self.ends[0].order;
        let alike = end
            .order
            .iter()
            .zip(first)
            .take_while(|(one, other)| one == other);
        let alike = if n == 1 { 0 } else { alike.count() };
        if let Some((last, _)) = alike.checked_sub(1).map(|last| &end.order[last]) {
            writeln!(f, "  as order 1 up to #{last}, then")?;
        }
        let rest = &end.order[alike..];
        let skipped = rest.len().saturating_sub(LINES_MAX);
        if skipped > 0 {
            writeln!(f, "  {skipped} operations, then")?;
        }
        for (operation, state) in &rest[skipped..] {
            let text = self.text_of(*operation);
            writeln!(f, "  #{operation:<6} {text}: {state}")?;
        }
        for (operation, why) in end.refused.iter().take(LINES_MAX) {
            writeln!(f, "  #{operation:<6} {why}")?;
        }
        Ok(())
    }

    /// What an operation was.
    fn text_of(&self, operation: u32) -> &str {
        let shown = self
            .operations
            .iter()
            .find(|shown| shown.operation == operation);
        shown.map_or("", |shown| &shown.text)
    }
}
