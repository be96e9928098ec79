//! A replica, as a state machine: it follows the newest incarnation of the primary that it has
//! heard of.
//!
//! It owns what the node knows, and must never know a socket or a clock. It keeps the log and
//! does not apply it: no one reads from a replica.

use super::log::Log;
use super::message::{FromReplica, ToReplica};
use super::nvram::{Durable, Write};

/// The state of one replica.
#[derive(Debug)]
pub struct Replica {
    /// The newest incarnation of the primary that was heard of; older ones are not followed.
    epoch: u64,
    log: Log,
}

impl Replica {
    /// A replica that starts with what survived.
    #[must_use]
    pub fn new(durable: Durable) -> Self {
        Self {
            epoch: durable.epoch,
            log: durable.log,
        }
    }

    /// Takes a message from a primary, and gives the write that must survive a crash before the
    /// answer may be sent. `None` if the sender is an incarnation of the past, to which nothing is
    /// said: its connection is to be closed.
    pub fn handle(&mut self, message: ToReplica) -> Option<(Write, FromReplica)> {
        match message {
            ToReplica::Join { epoch } => {
                if epoch < self.epoch {
                    return None;
                }
                self.epoch = epoch;
                Some((
                    Write::Epoch(epoch),
                    FromReplica::Joined {
                        log: self.log.clone(),
                    },
                ))
            }
            ToReplica::Append {
                epoch,
                round,
                after,
                entries,
            } => {
                if epoch != self.epoch {
                    return None;
                }
                self.log.splice(after, &entries);
                let matched = after + entries.len();
                let answer = FromReplica::Appended { round, matched };
                Some((Write::Entries { after, entries }, answer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::log::{Command, Entry};

    fn append(epoch: u64, after: usize, epochs: &[u64]) -> ToReplica {
        let entry = |&epoch| Entry {
            epoch,
            stamp_ns: 0,
            command: Command::Begin,
        };
        ToReplica::Append {
            epoch,
            round: 7,
            after,
            entries: epochs.iter().map(entry).collect(),
        }
    }

    fn joined(epoch: u64) -> Replica {
        let mut replica = Replica::new(Durable::default());
        assert!(replica.handle(ToReplica::Join { epoch }).is_some());
        replica
    }

    #[test]
    fn entries_are_kept_before_they_are_confirmed() {
        let mut replica = joined(1);
        let (write, answer) = replica.handle(append(1, 0, &[1, 1])).unwrap();
        assert!(matches!(write, Write::Entries { after: 0, entries } if entries.len() == 2));
        assert_eq!(
            answer,
            FromReplica::Appended {
                round: 7,
                matched: 2
            }
        );
    }

    #[test]
    fn an_incarnation_of_the_past_is_not_followed() {
        let mut replica = joined(2);
        assert!(replica.handle(ToReplica::Join { epoch: 1 }).is_none());
        assert!(replica.handle(append(1, 0, &[1])).is_none());
        assert!(replica.handle(append(2, 0, &[2])).is_some());
    }

    #[test]
    fn only_what_the_message_covers_is_confirmed() {
        let mut replica = joined(1);
        replica.handle(append(1, 0, &[1, 1, 1]));
        replica.handle(ToReplica::Join { epoch: 2 });
        let (_, answer) = replica.handle(append(2, 1, &[])).unwrap();
        assert_eq!(
            answer,
            FromReplica::Appended {
                round: 7,
                matched: 1
            }
        );
    }
}
