//! The primary, as a state machine: it recovers, then orders the writes and counts their copies.
//!
//! It owns what one incarnation of the primary knows, and must never know a socket or a clock:
//! events go in by its methods, and [`take_outputs`](Primary::take_outputs) tells what to do.
//!
//! Its life: *joining* until a majority, itself included, has promised to follow its epoch and told
//! its log; it takes the greatest of these logs for its own. Then *beginning*: it appends the first
//! entry of its epoch and waits until a majority has it, with all that comes before. Then
//! *serving*.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use super::bug::Bug;
use super::log::{Command, Entry, Log};
use super::message::{Action, Answer, Reply, Request, ToReplica};
use super::nvram::{Durable, Write};
use super::store::Store;

/// One incarnation of the primary.
#[derive(Debug)]
pub struct Primary {
    epoch: u64,
    /// Nodes, the primary included.
    members: usize,
    log: Log,
    /// How many entries of the log the primary's own memory keeps through a crash.
    durable: usize,
    /// How many entries a majority has. They are applied to the store.
    committed: usize,
    store: Store,
    phase: Phase,
    followers: BTreeMap<Peer, Follower>,
    /// The latest call for confirmation.
    round: u64,
    /// Writes that wait for a majority, by their place in the log.
    writes: BTreeMap<usize, Asked>,
    /// Reads that wait for a majority's confirmation, oldest first.
    reads: VecDeque<Read>,
    outputs: Vec<Output>,
    bug: Option<Bug>,
}

/// A replica, by its number in the primary's list.
pub type Peer = usize;

/// Names a request between the primary and whoever holds its connection.
pub type Ticket = u64;

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send to a replica.
    Send(Peer, ToReplica),
    /// Make the primary's own log survive, and call [`Primary::persisted`].
    Persist(Write),
    /// Answer a request.
    Reply(Ticket, Reply),
}

#[derive(Debug)]
enum Phase {
    /// Holds the logs that have been told so far.
    Joining(BTreeMap<Peer, Log>),
    /// Holds the place after the epoch's first entry.
    Beginning(usize),
    Serving,
}

/// A connected replica that has joined.
#[derive(Debug)]
struct Follower {
    /// How many entries have been sent to it, or need not be.
    sent: usize,
    /// How many entries it has confirmed.
    matched: usize,
    /// The latest round that it has confirmed.
    round: u64,
}

#[derive(Debug)]
struct Asked {
    ticket: Ticket,
    number: u64,
}

#[derive(Debug)]
struct Read {
    asked: Asked,
    key: String,
    /// The round that a majority must confirm.
    round: u64,
}

impl Primary {
    /// An incarnation that starts with what survived. `durable.epoch` must be its own, above that
    /// of every incarnation before it, and must be kept already.
    #[must_use]
    pub fn new(durable: Durable, members: usize, bug: Option<Bug>) -> Self {
        let mut primary = Self {
            epoch: durable.epoch,
            members,
            durable: durable.log.len(),
            log: durable.log,
            committed: 0,
            store: Store::new(bug),
            phase: Phase::Joining(BTreeMap::new()),
            followers: BTreeMap::new(),
            round: 0,
            writes: BTreeMap::new(),
            reads: VecDeque::new(),
            outputs: Vec::new(),
            bug,
        };
        if bug == Some(Bug::RecoverAlone) {
            primary.begin(BTreeMap::new());
        }
        primary
    }

    /// A replica has joined, and told its log.
    pub fn joined(&mut self, peer: Peer, log: Log) {
        let majority = self.majority();
        let Phase::Joining(logs) = &mut self.phase else {
            self.follow(peer, &log);
            return;
        };
        logs.insert(peer, log);
        if logs.len() + 1 >= majority || self.bug == Some(Bug::RecoverFromFirst) {
            let logs = mem::take(logs);
            self.begin(logs);
        }
    }

    /// The connection to a replica is gone. What it has confirmed stays confirmed, since it is
    /// kept there; but it must join again.
    pub fn left(&mut self, peer: Peer) {
        self.followers.remove(&peer);
        if let Phase::Joining(logs) = &mut self.phase {
            logs.remove(&peer);
        }
    }

    /// A replica has confirmed a round and that it has the first `matched` entries.
    pub fn appended(&mut self, peer: Peer, round: u64, matched: usize) {
        if let Some(follower) = self.followers.get_mut(&peer) {
            follower.round = follower.round.max(round);
            follower.matched = follower.matched.max(matched);
            self.advance();
        }
    }

    /// The primary's own memory keeps the first `entries` entries.
    pub fn persisted(&mut self, entries: usize) {
        self.durable = self.durable.max(entries);
        self.advance();
    }

    /// A client asks for something; `stamp_ns` is the time of day.
    pub fn request(&mut self, ticket: Ticket, request: Request, stamp_ns: u64) {
        let Request {
            client,
            number,
            action,
        } = request;
        if let Action::Get { key } = &action
            && !matches!(self.phase, Phase::Serving)
            && self.bug == Some(Bug::ReadWhileRecovering)
        {
            let held = self.store.get(key).map(str::to_owned);
            self.reply(&Asked { ticket, number }, Answer::Held(held));
            return;
        }
        if !matches!(self.phase, Phase::Serving) {
            self.reply(&Asked { ticket, number }, Answer::NotReady);
            return;
        }
        match action {
            Action::Get { key } => {
                let round = self.round + 1;
                self.reads.push_back(Read {
                    asked: Asked { ticket, number },
                    key,
                    round,
                });
            }
            Action::Put { key, value } => {
                self.append(
                    stamp_ns,
                    Command::Put {
                        client,
                        number,
                        key,
                        value,
                    },
                );
                self.writes.insert(self.log.len(), Asked { ticket, number });
                if self.bug == Some(Bug::AckBeforeMajority) {
                    // The copies follow with the next sign of life.
                    self.advance();
                    return;
                }
            }
        }
        self.broadcast();
        self.advance();
    }

    /// Sends each follower what it lacks, which may be nothing, and calls for its confirmation.
    pub fn broadcast(&mut self) {
        self.round += 1;
        let peers: Vec<Peer> = self.followers.keys().copied().collect();
        for peer in peers {
            self.send(peer);
        }
    }

    /// What is to be done since the last call.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        mem::take(&mut self.outputs)
    }

    /// Ends the joining: takes the greatest log and opens the epoch.
    fn begin(&mut self, logs: BTreeMap<Peer, Log>) {
        let from_first = self.bug == Some(Bug::RecoverFromFirst);
        let first = logs.values().next().filter(|_| from_first);
        if let Some(best) = first.or_else(|| logs.values().max_by(|a, b| a.compare(b)))
            && (from_first || best.compare(&self.log).is_gt())
        {
            self.durable = self.log.common(best);
            self.log = best.clone();
        }
        let after = self.durable;
        self.log.push(Entry {
            epoch: self.epoch,
            stamp_ns: 0,
            command: Command::Begin,
        });
        let entries = self.log.tail(after).to_vec();
        self.outputs
            .push(Output::Persist(Write::Entries { after, entries }));
        self.phase = Phase::Beginning(self.log.len());
        for (peer, log) in logs {
            self.follow(peer, &log);
        }
    }

    fn follow(&mut self, peer: Peer, log: &Log) {
        let matched = self.log.common(log);
        self.followers.insert(
            peer,
            Follower {
                sent: matched,
                matched,
                round: 0,
            },
        );
        self.send(peer);
    }

    fn append(&mut self, stamp_ns: u64, command: Command) {
        let after = self.log.len();
        self.log.push(Entry {
            epoch: self.epoch,
            stamp_ns,
            command,
        });
        let entries = self.log.tail(after).to_vec();
        self.outputs
            .push(Output::Persist(Write::Entries { after, entries }));
    }

    fn send(&mut self, peer: Peer) {
        let Some(follower) = self.followers.get_mut(&peer) else {
            return;
        };
        let after = mem::replace(&mut follower.sent, self.log.len());
        let entries = self.log.tail(after).to_vec();
        let (epoch, round) = (self.epoch, self.round);
        self.outputs.push(Output::Send(
            peer,
            ToReplica::Append {
                epoch,
                round,
                after,
                entries,
            },
        ));
    }

    /// Applies what a majority has by now, and answers who waited for it.
    fn advance(&mut self) {
        let decided = self.decided();
        while self.committed < decided {
            let held = self.store.apply(&self.log.entries()[self.committed]);
            self.committed += 1;
            if let Some(asked) = self.writes.remove(&self.committed) {
                self.reply(&asked, Answer::Held(held));
            }
        }
        if matches!(self.phase, Phase::Beginning(begin) if self.committed >= begin) {
            self.phase = Phase::Serving;
            self.store.recovered();
        }
        let rounds = self.followers.values().map(|follower| follower.round);
        let confirmed = self.held_by_majority(self.round, rounds);
        while self
            .reads
            .front()
            .is_some_and(|read| read.round <= confirmed)
            && let Some(read) = self.reads.pop_front()
        {
            let held = self.store.get(&read.key).map(str::to_owned);
            self.reply(&read.asked, Answer::Held(held));
        }
    }

    /// How many entries are decided. Those of earlier epochs are so only together with one of
    /// this epoch (Ongaro 2014, section 3.6.2).
    fn decided(&self) -> usize {
        if matches!(self.phase, Phase::Serving) && self.bug == Some(Bug::AckBeforeMajority) {
            return self.log.len();
        }
        let matched = self.followers.values().map(|follower| follower.matched);
        let held = self.held_by_majority(self.durable, matched);
        match self.phase {
            Phase::Joining(_) => 0,
            Phase::Beginning(begin) if held < begin => 0,
            Phase::Beginning(_) | Phase::Serving => held,
        }
    }

    /// The greatest number that a majority has reached.
    fn held_by_majority<T: Ord + Default>(&self, own: T, others: impl Iterator<Item = T>) -> T {
        let mut reached: Vec<T> = others.chain([own]).collect();
        reached.sort_by(|a, b| b.cmp(a));
        reached
            .into_iter()
            .nth(self.majority() - 1)
            .unwrap_or_default()
    }

    const fn majority(&self) -> usize {
        self.members / 2 + 1
    }

    fn reply(&mut self, asked: &Asked, answer: Answer) {
        let reply = Reply {
            number: asked.number,
            answer,
        };
        self.outputs.push(Output::Reply(asked.ticket, reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 3;

    fn log(epochs: &[u64]) -> Log {
        let mut log = Log::default();
        for &epoch in epochs {
            log.push(Entry {
                epoch,
                stamp_ns: 0,
                command: Command::Begin,
            });
        }
        log
    }

    fn primary(own: &[u64]) -> Primary {
        Primary::new(
            Durable {
                epoch: EPOCH,
                log: log(own),
            },
            5,
            None,
        )
    }

    /// A primary of five that serves, with three connected replicas and one entry in its log.
    fn serving() -> Primary {
        let mut primary = primary(&[]);
        for peer in 0..3 {
            primary.joined(peer, Log::default());
        }
        primary.persisted(1);
        primary.appended(0, 0, 1);
        primary.appended(1, 0, 1);
        primary.take_outputs();
        primary
    }

    fn put(primary: &mut Primary, ticket: Ticket) {
        let action = Action::Put {
            key: "k".to_owned(),
            value: ticket.to_string(),
        };
        primary.request(
            ticket,
            Request {
                client: 1,
                number: ticket,
                action,
            },
            0,
        );
    }

    fn get(primary: &mut Primary, ticket: Ticket) {
        let action = Action::Get {
            key: "k".to_owned(),
        };
        primary.request(
            ticket,
            Request {
                client: 2,
                number: ticket,
                action,
            },
            0,
        );
    }

    fn answers(primary: &mut Primary) -> Vec<(Ticket, Answer)> {
        let reply = |output| match output {
            Output::Reply(ticket, reply) => Some((ticket, reply.answer)),
            Output::Send(..) | Output::Persist(_) => None,
        };
        primary
            .take_outputs()
            .into_iter()
            .filter_map(reply)
            .collect()
    }

    fn held(value: Option<&str>) -> Answer {
        Answer::Held(value.map(str::to_owned))
    }

    #[test]
    fn it_serves_when_a_majority_has_its_first_entry() {
        let mut primary = primary(&[]);
        primary.joined(0, Log::default());
        put(&mut primary, 1);
        primary.joined(1, Log::default());
        primary.persisted(1);
        primary.appended(0, 0, 1);
        put(&mut primary, 2);
        assert_eq!(
            answers(&mut primary),
            [(1, Answer::NotReady), (2, Answer::NotReady)]
        );
        primary.appended(1, 0, 1);
        put(&mut primary, 3);
        assert_eq!(answers(&mut primary), []);
    }

    #[test]
    fn it_takes_the_greatest_log_of_a_majority() {
        let mut primary = primary(&[1, 1]);
        primary.joined(0, log(&[1, 2]));
        primary.joined(1, log(&[1, 1, 1]));
        assert_eq!(primary.log, log(&[1, 2, EPOCH]));
        let outputs = primary.take_outputs();
        let Output::Persist(Write::Entries { after: 1, entries }) = &outputs[0] else {
            panic!("{outputs:?}");
        };
        assert_eq!(entries.as_slice(), log(&[2, EPOCH]).entries());
        let Output::Send(
            1,
            ToReplica::Append {
                after: 1, entries, ..
            },
        ) = &outputs[2]
        else {
            panic!("{outputs:?}");
        };
        assert_eq!(
            entries.len(),
            2,
            "a replica that differs is sent all from the difference on"
        );
    }

    #[test]
    fn a_write_is_acknowledged_when_any_three_of_five_have_it() {
        let mut primary = serving();
        put(&mut primary, 1);
        primary.appended(0, 1, 2);
        primary.appended(1, 1, 2);
        assert_eq!(answers(&mut primary), []);
        primary.appended(2, 1, 2);
        assert_eq!(
            answers(&mut primary),
            [(1, held(None))],
            "its own copy is not needed"
        );
        put(&mut primary, 2);
        primary.persisted(3);
        primary.appended(2, 2, 3);
        assert_eq!(answers(&mut primary), []);
        primary.appended(1, 2, 3);
        assert_eq!(answers(&mut primary), [(2, held(Some("1")))]);
    }

    #[test]
    fn a_read_waits_for_a_confirmation_that_began_after_it() {
        let mut primary = serving();
        primary.broadcast();
        get(&mut primary, 1);
        primary.appended(0, 1, 1);
        primary.appended(1, 1, 1);
        assert_eq!(answers(&mut primary), []);
        primary.appended(0, 2, 1);
        assert_eq!(answers(&mut primary), []);
        primary.appended(2, 2, 1);
        assert_eq!(answers(&mut primary), [(1, held(None))]);
    }

    #[test]
    fn who_joins_late_is_sent_what_it_missed() {
        let mut primary = serving();
        put(&mut primary, 1);
        primary.take_outputs();
        primary.joined(3, Log::default());
        let outputs = primary.take_outputs();
        let [
            Output::Send(
                3,
                ToReplica::Append {
                    after: 0, entries, ..
                },
            ),
        ] = &outputs[..]
        else {
            panic!("{outputs:?}");
        };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn entries_of_the_past_are_not_decided_by_counting() {
        let mut primary = primary(&[1]);
        primary.joined(0, log(&[1]));
        primary.joined(1, log(&[1]));
        primary.appended(0, 0, 1);
        primary.appended(1, 0, 1);
        assert_eq!(primary.committed, 0);
        primary.appended(0, 0, 2);
        primary.appended(1, 0, 2);
        assert_eq!(primary.committed, 0);
        primary.persisted(2);
        assert_eq!(primary.committed, 2);
    }
}
