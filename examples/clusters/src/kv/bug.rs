//! Mistakes that the cluster can be told to make, so that a test can show that it finds them.

use core::fmt;
use core::str::FromStr;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A write is acknowledged as soon as the primary has it in ordinary memory; the copies are
    /// made when there is time.
    AckBeforeMajority,
    /// A primary that restarts believes its own log and asks no one.
    RecoverAlone,
    /// A primary that restarts has lost the session table: it was never part of the replicated
    /// state.
    ForgetSessions,
    /// Of two writes to a key the one with the later time of day wins.
    NewestClockWins,
    /// What must survive a crash is said to be kept at once, and written a little later.
    SyncLater,
    /// A primary that restarts takes over the log of the first replica that answers, and not the
    /// greatest of a majority.
    RecoverFromFirst,
    /// A primary that restarts answers reads while it is still recovering.
    ReadWhileRecovering,
    /// The session table knows which writes were done, and not what was answered: who asks again
    /// is told what the key holds now.
    ForgetAnswers,
    /// A client that got no answer in time takes the next one that comes, whatever it answers.
    LateAnswer,
    /// A client takes the lack of an answer for a failure.
    TimeoutIsFailure,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AckBeforeMajority,
        Self::RecoverAlone,
        Self::ForgetSessions,
        Self::NewestClockWins,
        Self::SyncLater,
        Self::RecoverFromFirst,
        Self::ReadWhileRecovering,
        Self::ForgetAnswers,
        Self::LateAnswer,
        Self::TimeoutIsFailure,
    ];

    /// The name that the command line uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeMajority => "ack-before-majority",
            Self::RecoverAlone => "recover-alone",
            Self::ForgetSessions => "forget-sessions",
            Self::NewestClockWins => "newest-clock-wins",
            Self::SyncLater => "sync-later",
            Self::RecoverFromFirst => "recover-from-first",
            Self::ReadWhileRecovering => "read-while-recovering",
            Self::ForgetAnswers => "forget-answers",
            Self::LateAnswer => "late-answer",
            Self::TimeoutIsFailure => "timeout-is-failure",
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
        Self::ALL
            .into_iter()
            .find(|bug| bug.name() == name)
            .ok_or_else(|| {
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
        assert!("none".parse::<Bug>().unwrap_err().contains("recover-alone"));
    }
}
