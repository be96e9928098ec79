//! Mistakes that the log can be told to make, so that a test can show that it finds them.

use core::fmt;
use core::str::FromStr;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A record is promised that is in memory only.
    NoFileSync,
    /// The log's name is never made durable, neither a new one's nor that of a shorter one.
    NoDirectorySync,
    /// A shorter log takes the place of the other before its content is durable.
    RenameBeforeSync,
    /// A record is believed by its length alone.
    NoChecksum,
    /// All of the file is taken to be records: a torn one is an error, and not the end.
    TrustLength,
    /// A sync that failed is done again, and believed.
    RetryFailedSync,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NoFileSync,
        Self::NoDirectorySync,
        Self::RenameBeforeSync,
        Self::NoChecksum,
        Self::TrustLength,
        Self::RetryFailedSync,
    ];

    /// The name that the command line uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFileSync => "no-file-sync",
            Self::NoDirectorySync => "no-directory-sync",
            Self::RenameBeforeSync => "rename-before-sync",
            Self::NoChecksum => "no-checksum",
            Self::TrustLength => "trust-length",
            Self::RetryFailedSync => "retry-failed-sync",
        }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|bug| bug.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no bug `{name}`: there are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_known_by_its_name() {
        for bug in Bug::ALL {
            assert_eq!(bug.name().parse(), Ok(bug));
        }
        assert!("none".parse::<Bug>().unwrap_err().contains("no-checksum"));
    }
}
