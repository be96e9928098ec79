//! The trace: one record for each thing that happens, summed by a running digest.
//!
//! Owns the step counter, the digest and the sink. It must never know what the records mean, and
//! whether anybody listens must never change what happens: a sink only copies.

use std::collections::VecDeque;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Digest, NodeId, SimTime, Step};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What a [`Record`] says happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All kinds, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that reports print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// The simulation begins; value: the seed.
    Begin = "begin";
    /// The simulation ends; value: 0 if it passed.
    End = "end";
    /// A node is made; subject: hash of its name, value: hash of its labels.
    NodeAdded = "node added";
    /// A node's program starts; subject: incarnation.
    NodeStarted = "node started";
    /// A node's program returned by itself; subject: incarnation, value: unfinished tasks.
    NodeExited = "node exited";
    /// A node lost power; subject: incarnation, value: unfinished tasks.
    NodeCrashed = "node crashed";
    /// A node's process died; subject: incarnation, value: unfinished tasks.
    NodeKilled = "node killed";
    /// A node was asked to stop; subject: incarnation.
    NodeStopping = "node stopping";
    /// A node stopped on request; subject: incarnation, value: unfinished tasks.
    NodeStopped = "node stopped";
    /// A node stands still; value: 1 if its monotonic clock does too.
    NodePaused = "node paused";
    /// A node goes on.
    NodeResumed = "node resumed";
    /// A clock of a node was changed; subject: which setting, value: its new value.
    ClockChanged = "clock changed";
    /// A task was spawned; subject: task.
    TaskSpawned = "task spawned";
    /// A task was polled; subject: task, value: how many were ready.
    TaskPolled = "task polled";
    /// A task panicked; subject: task.
    TaskPanicked = "task panicked";
    /// A task was aborted; subject: task.
    TaskAborted = "task aborted";
    /// A blocking call ran; value: until when the node is busy, in nanoseconds.
    Blocked = "blocking call";
    /// A timer fired; subject: its local deadline in nanoseconds.
    TimerFired = "timer fired";
    /// A timer was given up before it fired; subject: its local deadline in nanoseconds.
    TimerCancelled = "timer cancelled";
    /// The program drew random numbers; subject: choice point, value: the number or its length.
    Drawn = "drawn";
    /// A datagram left its socket; subject: to, value: length.
    DatagramSent = "datagram sent";
    /// A datagram reached a socket; subject: from, value: length.
    DatagramDelivered = "datagram delivered";
    /// A datagram was lost; subject: from or to, value: length.
    DatagramDropped = "datagram dropped";
    /// A socket got its address; subject: its node and port, value: 1 for a listener, else 0.
    SocketBound = "socket bound";
    /// A call of the network or a disk gave the program an error; subject: as of the call, or 0,
    /// value: the operating system's number of
    /// it, or 0 if it has none.
    CallFailed = "call failed";
    /// A connection is being asked for; subject: connection, value: own port and the peer's.
    ConnectSent = "connect sent";
    /// A listener took a connection into its queue; subject: connection.
    ConnectionAccepted = "connection accepted";
    /// A connection was refused; subject: connection.
    ConnectionRefused = "connection refused";
    /// The asking side's connection is open; subject: connection.
    ConnectionEstablished = "connection established";
    /// Bytes left on a stream; subject: connection, value: length.
    StreamSent = "stream sent";
    /// Bytes arrived on a stream; subject: connection, value: length.
    StreamDelivered = "stream delivered";
    /// Bytes or a signal of a stream were lost and will be sent again; subject: connection.
    StreamRetransmitted = "stream retransmitted";
    /// The end of a stream arrived; subject: connection.
    StreamFinished = "stream finished";
    /// A stream was reset; subject: connection.
    StreamReset = "stream reset";
    /// A stream gave up after retransmissions; subject: connection.
    StreamTimedOut = "stream timed out";
    /// A directed link was cut; subject: to.
    LinkCut = "link cut";
    /// A directed link was healed; subject: to.
    LinkHealed = "link healed";
    /// A directed link keeps its packets; subject: to.
    LinkHeld = "link held";
    /// A directed link lets its packets go; subject: to.
    LinkReleased = "link released";
    /// A directed link loses packets, takes longer or does worse from now on; subject: to.
    LinkWorsened = "link worsened";
    /// A directed link is better again; subject: to.
    LinkRecovered = "link recovered";
    /// A packet was kept on a link; subject: to, value: its number.
    PacketKept = "packet kept";
    /// A kept packet goes on; subject: to, value: its number.
    PacketPassed = "packet passed on";
    /// A kept packet was thrown away; subject: to, value: its number.
    PacketDiscarded = "packet discarded";
    /// The name server was asked; subject: hash of the name, value: when the answer arrives.
    NameAsked = "name asked";
    /// The name server answered; subject: hash of the name, value: how many addresses.
    NameAnswered = "name answered";
    /// A lookup failed; subject: hash of the name, value: the error of `getaddrinfo`.
    NameFailed = "name not resolved";
    /// A name's addresses were changed; subject: hash of the name, value: how many it has now.
    NameChanged = "name changed";
    /// Lookups of a name, or of a node, fail or no longer do; subject: hash of the name, 0 for
    /// the node, value: 1 if they do.
    LookupsFailing = "lookups failing";
    /// A call of a disk was carried out; subject: descriptor, or hash of the path, value: what it
    /// gave, such as a length.
    DiskCall = "disk call";
    /// A node's disk was put back to an earlier state, emptied (value: 1), or mounted anew (2).
    DiskReplaced = "disk replaced";
    /// A part of a node's disk fails, or no longer does; subject: fault, value: 1 if it does.
    DiskFault = "disk fault";
    /// A test's own mark; subject: hash of its name, value: its number.
    Mark = "mark";
    /// A Unix socket got its name; subject: hash of it, value: 1 for a listener, else 0.
    UnixBound = "unix socket bound";
    /// Two Unix sockets were connected; subject: the one that asked, value: the other.
    UnixConnected = "unix sockets connected";
    /// Bytes of a stream, or a datagram, were queued at a Unix socket; subject: that socket,
    /// value: length.
    UnixSent = "sent to unix socket";
    /// A Unix stream ended; subject: the socket that reads its end.
    UnixFinished = "unix stream finished";
    /// A Unix stream was reset; subject: the socket that hears of it.
    UnixReset = "unix stream reset";
    /// The path of a Unix socket was removed; subject: hash of it.
    UnixRemoved = "unix path removed";
    /// A fault of a plan begins; subject: its id, value: how many nodes or links it strikes.
    FaultBegan = "fault began";
    /// A fault of a plan ends; subject: its id, value: how many nodes or links it struck.
    FaultEnded = "fault ended";
    /// A program passed a named point; subject: hash of its name.
    PointPassed = "point passed";
    /// A program came to a place that may take a rare way; subject: hash of its name, value: 1 if
    /// it does.
    Buggified = "buggify";
    /// Bits of a stream were flipped; subject: connection, value: how many bytes are before them.
    StreamCorrupted = "stream corrupted";
    /// A node was labelled anew; value: hash of its labels.
    NodeLabelled = "node labelled";
}

/// One thing that happened.
///
/// `head` holds the first 16 bytes of the payload, little end first and padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position in the trace.
    pub step: Step,
    /// Virtual time.
    pub at: SimTime,
    /// The step that led to this one.
    pub cause: Step,
    /// Where it happened.
    pub node: NodeId,
    /// What happened.
    pub kind: Kind,
    /// What it happened to; the meaning depends on the kind.
    pub subject: u64,
    /// Length, result or number; the meaning depends on the kind.
    pub value: u64,
    /// The first bytes of the payload.
    pub head: [u64; 2],
}

/// How much of a payload the digest covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestMode {
    /// Its length and first 16 bytes.
    #[default]
    Heads,
    /// Every byte. The determinism doctor uses it.
    Full,
}

/// Where records go besides the digest.
#[derive(Default)]
pub enum Sink {
    /// Nowhere: the cost is one branch a record.
    #[default]
    None,
    /// Into a ring that keeps the last ones.
    Ring(Ring),
    /// Into a file or the like, in the form that [`read`] reads.
    Writer(Box<dyn Write + Send>),
}

/// Keeps the last records, and the last log lines, of a run.
#[derive(Debug)]
pub struct Ring {
    records: Vec<Record>,
    next: usize,
    capacity: usize,
    notes: VecDeque<(Step, String)>,
}

impl Ring {
    /// A ring for `capacity` records and as many log lines.
    ///
    /// # Panics
    /// If `capacity` is zero.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring needs room for at least one record");
        Self {
            records: Vec::with_capacity(capacity),
            next: 0,
            capacity,
            notes: VecDeque::new(),
        }
    }

    /// The records kept, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let (newer, older) = self.records.split_at(self.next.min(self.records.len()));
        older.iter().chain(newer)
    }

    /// The record of a step, if it is still kept.
    #[must_use]
    pub fn get(&self, step: Step) -> Option<&Record> {
        let first = self.records().next()?.step.number();
        let age = usize::try_from(step.number().checked_sub(first)?).ok()?;
        let found = self.records().nth(age)?;
        (found.step == step).then_some(found)
    }

    /// The log lines kept, oldest first, each with the step in which it was written.
    pub fn notes(&self) -> impl DoubleEndedIterator<Item = (Step, &str)> {
        self.notes.iter().map(|(step, text)| (*step, text.as_str()))
    }

    fn push(&mut self, record: Record) {
        if self.records.len() < self.capacity {
            self.records.push(record);
        } else {
            self.records[self.next] = record;
        }
        self.next += 1;
        if self.next == self.capacity {
            self.next = 0;
        }
    }

    fn note(&mut self, step: Step, text: &str) {
        if self.notes.len() == self.capacity {
            self.notes.pop_front();
        }
        self.notes.push_back((step, text.to_owned()));
    }
}

/// The running trace of one simulation.
#[derive(Default)]
pub struct Trace {
    digest: Digest,
    next: u64,
    mode: DigestMode,
    sink: Sink,
    failed_write: Option<io::Error>,
}

impl Trace {
    /// A trace at its beginning.
    #[must_use]
    pub fn new(mode: DigestMode, sink: Sink) -> Self {
        Self {
            mode,
            sink,
            ..Self::default()
        }
    }

    /// Adds a record with no payload and gives its step.
    #[inline]
    pub fn record(
        &mut self,
        at: SimTime,
        node: NodeId,
        kind: Kind,
        cause: Step,
        subject: u64,
        value: u64,
    ) -> Step {
        self.absorb(Record {
            step: Step::new(self.next),
            at,
            cause,
            node,
            kind,
            subject,
            value,
            head: [0; 2],
        })
    }

    /// Adds a record with a payload and gives its step. `value` should tell the payload's length
    /// or what became of it.
    #[inline]
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of a record, all of them plain"
    )]
    pub fn record_payload(
        &mut self,
        at: SimTime,
        node: NodeId,
        kind: Kind,
        cause: Step,
        subject: u64,
        value: u64,
        payload: &[u8],
    ) -> Step {
        let record = Record {
            step: Step::new(self.next),
            at,
            cause,
            node,
            kind,
            subject,
            value,
            head: head_of(payload),
        };
        self.digest.absorb(record.head[0], record.head[1]);
        if self.mode == DigestMode::Full {
            self.digest.absorb_bytes(payload);
        }
        let step = self.absorb(record);
        if self.mode == DigestMode::Full
            && payload.len() > HEAD_BYTES
            && let Sink::Writer(writer) = &mut self.sink
        {
            let result = write_payload(writer, step, &self.digest);
            self.keep_error(result);
        }
        step
    }

    /// Adds a log line to the sink. The digest is not touched: watching is free.
    pub fn note(&mut self, text: &str) {
        let step = Step::new(self.next.saturating_sub(1));
        match &mut self.sink {
            Sink::None => {}
            Sink::Ring(ring) => ring.note(step, text),
            Sink::Writer(writer) => {
                let result = write_note(writer, step, text);
                self.keep_error(result);
            }
        }
    }

    /// Whether anybody listens.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        !matches!(self.sink, Sink::None)
    }

    /// The digest of all records so far.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Steps so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.next
    }

    /// Ends the trace and gives the sink back, flushed.
    ///
    /// # Errors
    /// The first error that writing to the sink gave.
    pub fn finish(mut self) -> io::Result<Sink> {
        if let Some(error) = self.failed_write.take() {
            return Err(error);
        }
        if let Sink::Writer(writer) = &mut self.sink {
            writer.flush()?;
        }
        Ok(self.sink)
    }

    #[inline]
    fn absorb(&mut self, record: Record) -> Step {
        let place = u64::from(record.node.number()) << 8 | record.kind as u64;
        self.digest.absorb(record.at.as_nanos(), place);
        self.digest.absorb(record.cause.number(), record.subject);
        self.digest.absorb(record.value, record.step.number());
        self.next += 1;
        match &mut self.sink {
            Sink::None => {}
            Sink::Ring(ring) => ring.push(record),
            Sink::Writer(writer) => {
                let result = write_record(writer, &record);
                self.keep_error(result);
            }
        }
        record.step
    }

    #[cold]
    fn keep_error(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed_write.get_or_insert(error);
            self.sink = Sink::None;
        }
    }
}

/// One entry of a written trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record.
    Record(Record),
    /// A log line, with the step in which it was written.
    Note(Step, String),
    /// The digest after a step whose payload is longer than the head that its record holds, so
    /// that a difference in the rest can be seen. Only [`DigestMode::Full`] writes it.
    Payload(Step, u128),
}

/// Reads the next entry of a written trace; `None` at its end.
///
/// # Errors
/// What reading gives; `InvalidData` for bytes that are not a trace.
pub fn read(reader: &mut impl io::Read) -> io::Result<Option<Entry>> {
    let mut tag = [0; 1];
    if reader.read(&mut tag)? == 0 {
        return Ok(None);
    }
    match tag[0] {
        TAG_NOTE => {
            let step = Step::new(read_word(reader)?);
            let length = usize::try_from(read_word(reader)?).map_err(io::Error::other)?;
            let mut text = vec![0; length];
            reader.read_exact(&mut text)?;
            let text = String::from_utf8(text)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            Ok(Some(Entry::Note(step, text)))
        }
        TAG_PAYLOAD => {
            let step = Step::new(read_word(reader)?);
            let mut digest = [0; 16];
            reader.read_exact(&mut digest)?;
            Ok(Some(Entry::Payload(step, u128::from_le_bytes(digest))))
        }
        tag => {
            let kind = *Kind::ALL.get(usize::from(tag)).ok_or_else(|| {
                let text =
                    format!("{tag} is no kind of record: the file is not a trace of this version");
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            let mut words = [0; RECORD_WORDS];
            for word in &mut words {
                *word = read_word(reader)?;
            }
            let [step, at, cause, node, subject, value, head, tail] = words;
            Ok(Some(Entry::Record(Record {
                step: Step::new(step),
                at: SimTime::from_nanos(at),
                cause: Step::new(cause),
                node: NodeId::new(u32::try_from(node).map_err(io::Error::other)?),
                kind,
                subject,
                value,
                head: [head, tail],
            })))
        }
    }
}

const RECORD_WORDS: usize = 8;
/// Tags below this are kinds.
const TAG_PAYLOAD: u8 = 254;
const TAG_NOTE: u8 = 255;
const _: () = assert!(Kind::ALL.len() < TAG_PAYLOAD as usize);
/// How much of a payload a record holds.
const HEAD_BYTES: usize = 16;

fn head_of(payload: &[u8]) -> [u64; 2] {
    let mut bytes = [0; HEAD_BYTES];
    let length = payload.len().min(HEAD_BYTES);
    bytes[..length].copy_from_slice(&payload[..length]);
    let words = u128::from_le_bytes(bytes);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of 128 bits"
    )]
    let halves = [words as u64, (words >> 64) as u64];
    halves
}

fn write_record(writer: &mut impl Write, record: &Record) -> io::Result<()> {
    let words = [
        record.step.number(),
        record.at.as_nanos(),
        record.cause.number(),
        u64::from(record.node.number()),
        record.subject,
        record.value,
        record.head[0],
        record.head[1],
    ];
    let mut bytes = [0; 1 + 8 * RECORD_WORDS];
    bytes[0] = record.kind as u8;
    for (place, word) in bytes[1..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    writer.write_all(&bytes)
}

fn write_note(writer: &mut impl Write, step: Step, text: &str) -> io::Result<()> {
    writer.write_all(&[TAG_NOTE])?;
    writer.write_all(&step.number().to_le_bytes())?;
    writer.write_all(&(text.len() as u64).to_le_bytes())?;
    writer.write_all(text.as_bytes())
}

fn write_payload(writer: &mut impl Write, step: Step, digest: &Digest) -> io::Result<()> {
    writer.write_all(&[TAG_PAYLOAD])?;
    writer.write_all(&step.number().to_le_bytes())?;
    writer.write_all(&digest.value().to_le_bytes())
}

fn read_word(reader: &mut impl io::Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn fill(trace: &mut Trace, count: u64) {
        for i in 0..count {
            let at = SimTime::from_nanos(i * 10);
            let cause = Step::new(i.saturating_sub(1));
            trace.record(at, NodeId::new(3), Kind::TaskPolled, cause, i, 1);
        }
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn watching_is_free() {
        let mut plain = Trace::default();
        let mut ring = Trace::new(DigestMode::Heads, Sink::Ring(Ring::new(4)));
        let mut file = Trace::new(DigestMode::Heads, Sink::Writer(Box::<Shared>::default()));
        for trace in [&mut plain, &mut ring, &mut file] {
            fill(trace, 100);
            trace.note("only seen by a sink");
        }
        assert_eq!(plain.digest().value(), ring.digest().value());
        assert_eq!(plain.digest().value(), file.digest().value());
    }

    #[test]
    fn a_ring_keeps_the_last() {
        let mut trace = Trace::new(DigestMode::Heads, Sink::Ring(Ring::new(4)));
        fill(&mut trace, 10);
        let Ok(Sink::Ring(ring)) = trace.finish() else {
            panic!("the ring comes back")
        };
        let steps: Vec<_> = ring.records().map(|record| record.step.number()).collect();
        assert_eq!(steps, [6, 7, 8, 9]);
        assert_eq!(ring.get(Step::new(7)).map(|record| record.subject), Some(7));
        assert_eq!(ring.get(Step::new(5)), None);
        assert_eq!(ring.get(Step::new(10)), None);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let bytes = Shared::default();
        let mut trace = Trace::new(DigestMode::Heads, Sink::Writer(Box::new(bytes.clone())));
        fill(&mut trace, 2);
        trace.note("hello");
        let (at, node) = (SimTime::from_nanos(7), NodeId::new(1));
        trace.record_payload(at, node, Kind::StreamSent, Step::new(1), 9, 3, b"abc");
        trace.finish().expect("memory takes every write");
        let written = bytes.0.lock().unwrap();
        let mut reader = written.as_slice();
        let mut entries = Vec::new();
        while let Some(entry) = read(&mut reader).expect("what was written is well formed") {
            entries.push(entry);
        }
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[2], Entry::Note(Step::new(1), "hello".to_owned()));
        let Entry::Record(last) = &entries[3] else {
            panic!("the last is a record")
        };
        assert_eq!((last.kind, last.head[0]), (Kind::StreamSent, 0x0063_6261));
        assert!(read(&mut [200_u8].as_slice()).is_err());
    }

    #[test]
    fn the_rest_of_a_long_payload_is_written_as_the_digest() {
        for (mode, length, expected) in [
            (DigestMode::Full, HEAD_BYTES + 1, true),
            (DigestMode::Full, HEAD_BYTES, false),
            (DigestMode::Heads, HEAD_BYTES + 1, false),
        ] {
            let bytes = Shared::default();
            let mut trace = Trace::new(mode, Sink::Writer(Box::new(bytes.clone())));
            let (at, step, payload) = (SimTime::ZERO, Step::new(0), vec![1; length]);
            let node = NodeId::TEST;
            trace.record_payload(at, node, Kind::StreamSent, step, 0, length as u64, &payload);
            let digest = trace.digest().value();
            trace.finish().expect("memory takes every write");
            let written = bytes.0.lock().unwrap();
            let mut reader = written.as_slice();
            assert!(matches!(read(&mut reader), Ok(Some(Entry::Record(_)))));
            let rest = expected.then_some(Entry::Payload(step, digest));
            assert_eq!(read(&mut reader).expect("well formed"), rest);
        }
    }

    #[test]
    fn every_field_reaches_the_digest() {
        let base = |change: usize| {
            let mut trace = Trace::default();
            let pick = |index: usize| u64::from(index == change);
            trace.record_payload(
                SimTime::from_nanos(pick(1)),
                NodeId::new(u32::from(change == 2)),
                if change == 3 { Kind::Mark } else { Kind::End },
                Step::new(pick(4)),
                pick(5),
                pick(6),
                if change == 7 { b"x" } else { b"y" },
            );
            trace.digest().value()
        };
        let mut digests: Vec<_> = (0..8).map(base).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 8);
    }

    #[test]
    fn full_mode_covers_every_byte() {
        let digest = |mode, last: u8| {
            let mut trace = Trace::new(mode, Sink::None);
            let mut payload = [0; 40];
            payload[39] = last;
            let (at, step) = (SimTime::ZERO, Step::new(0));
            trace.record_payload(at, NodeId::TEST, Kind::StreamSent, step, 0, 40, &payload);
            trace.digest().value()
        };
        assert_eq!(digest(DigestMode::Heads, 0), digest(DigestMode::Heads, 1));
        assert_ne!(digest(DigestMode::Full, 0), digest(DigestMode::Full, 1));
    }
}
