//! What the nodes and clients say to each other.

use serde::{Deserialize, Serialize};

use super::log::{Entry, Log};

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Tell what `key` holds.
    Get {
        /// The key.
        key: String,
    },
    /// Let `key` hold `value`, and tell what it held before.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
}

impl Action {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Get { key } | Self::Put { key, .. } => key,
        }
    }
}

/// From a client to the primary. A client has one request at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub client: u32,
    /// Numbers the client's requests upwards. Asking again keeps the number.
    pub number: u64,
    /// What it wants.
    pub action: Action,
}

/// From the primary to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's number.
    pub number: u64,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done; the key held this, before the write if it was one.
    Held(Option<String>),
    /// Not done and not going to be: the primary is still recovering.
    NotReady,
}

/// From the primary to a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToReplica {
    /// First on each connection: follow this incarnation of the primary and no older one, and
    /// tell what you have.
    Join {
        /// The incarnation.
        epoch: u64,
    },
    /// The log from some place on; often nothing, as a sign of life.
    Append {
        /// The incarnation.
        epoch: u64,
        /// Counts the primary's calls for confirmation upwards.
        round: u64,
        /// How many entries come before these.
        after: usize,
        /// The entries.
        entries: Vec<Entry>,
    },
}

/// From a replica to the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromReplica {
    /// Answers `Join`. The whole log travels, to keep this small; a real store would send where
    /// it ends and be asked for what is missing.
    Joined {
        /// All that the replica has.
        log: Log,
    },
    /// Answers `Append`: these are kept, and this incarnation is still followed.
    Appended {
        /// The round of the `Append`.
        round: u64,
        /// How many entries are now known to be the same as the primary's.
        matched: usize,
    },
}
