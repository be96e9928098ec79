//! What is wrong with a history, where, and how to mend it.

use core::fmt;

/// A history that cannot be judged: not in its format, or impossible as a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1; `None` if the history came from no file.
    pub line: Option<u64>,
    /// The column, from 1, if it is known.
    pub column: Option<u64>,
    /// What is wrong.
    pub reason: String,
    /// How to mend it.
    pub help: &'static str,
}

impl Malformed {
    pub(crate) fn new(reason: impl Into<String>, help: &'static str) -> Self {
        Self {
            line: None,
            column: None,
            reason: reason.into(),
            help,
        }
    }

    /// The same, of this line, unless a line is known already.
    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line.get_or_insert(line);
        self
    }

    pub(crate) fn at_column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} ({})", self.reason, self.help)
    }
}

impl std::error::Error for Malformed {}
