//! One direction of a stream: its bytes, how far they have come, and what its sender knows.
//!
//! Owns the bytes from the write that accepts them to the read that takes them: they are copied in
//! once, out once, and are never moved between. It must never know links, timers or sockets.
//! It is longer than 600 lines because what both ends know of the same bytes is one state.
//!
//! ```text
//!        read       delivered        sent       written
//!  taken  |  readable   |  in flight   |  unsent   |  free
//! --------+-------------+--------------+-----------+--------
//!                acked: what the sender knows of delivered, ends the send buffer
//!                edge: what the sender knows of the receive window's end, ends sending
//! ```

use core::cmp::max;
use std::collections::VecDeque;

use super::gaps::Gaps;
use super::marks::Marks;
use super::options::Options;
use crate::kernel::{EventKey, SimTime};

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    /// From `read` to the last byte written.
    bytes: VecDeque<u8>,
    // Positions in the stream, in bytes since its beginning.
    read: u64,
    delivered: u64,
    sent: u64,
    acked: u64,
    edge: u64,
    /// The edge of which the receiver told last.
    told: u64,
    /// What the receiver takes before it is read.
    window: u64,
    /// What the sender keeps until it is acknowledged: a write beyond it waits.
    send_buffer: u64,
    fin: Fin,
    /// Where the last packet ended that was not full: until it is acknowledged no other such is
    /// sent, unless the program wants no delay.
    small: u64,
    /// What has arrived behind something that was lost.
    gaps: Gaps,
    /// Where what is known to be lost, or kept by a link, ends; the end of the stream counts as one
    /// more byte.
    lost: u64,
    /// What is on its way, in order of sending, from number `first_serial` on; `None` is what has
    /// arrived before an earlier one, as only a test can have it.
    flight: VecDeque<Option<Segment>>,
    first_serial: u32,
    /// Acknowledgements on their way back, in order of arrival. They are looked at when the sender
    /// needs them; there is an event for one only when the sender waits for it.
    news: VecDeque<News>,
    /// When the sender last learned from an acknowledgement.
    pub(super) heard_at: SimTime,
    /// When the last packet of this direction arrives.
    pub(super) last_arrival: SimTime,
    /// The event for the first of `news`.
    pub(super) news_event: Option<EventKey>,
    /// The event that sends again.
    pub(super) retransmit: Option<EventKey>,
    /// The event that sends again what is missing before something that arrived.
    pub(super) recover: Option<EventKey>,
    /// The event that sends when the link's queue is short.
    pub(super) pace: Option<EventKey>,
    /// How often the sender has sent again without hearing anything.
    pub(super) retries: u32,
    /// How often the sender has asked since the window was last found wider. Answers do not bring
    /// that down, as on Linux.
    pub(super) probes: u32,
    /// The first of what is lost is sent again, and the rest waits for word of it.
    pub(super) stalled: bool,
    /// Where bytes with flipped bits are that nobody has read.
    pub(super) corrupt: Vec<u64>,
    /// The latest word of what arrived was lost.
    pub(super) news_lost: bool,
    /// What keeps the latest word of what arrived, while a link does.
    pub(super) kept_by: Marks,
    /// Families by which the sender hears nothing, for acts that are not counted as effective: they
    /// will be if it gives up.
    pub(super) silenced: Marks,
}

/// A packet of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    start: u64,
    end: u64,
    fin: bool,
    /// What its sender had received when it sent it: acknowledgements travel with data too.
    pub(super) acked: u64,
    /// What happened to it on its way.
    pub(super) marks: Marks,
}

/// What a segment brought to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) bytes: u64,
    /// The end of the stream is known from now on.
    pub(super) fin: bool,
}

/// How far the end of the stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fin {
    /// More may be written.
    Open,
    /// Nothing more is written; it goes behind the last byte.
    Queued,
    Sent,
    Delivered,
}

#[derive(Clone, Copy, Debug)]
struct News {
    at: SimTime,
    acked: u64,
    edge: u64,
    marks: Marks,
}

impl Pipe {
    /// An empty one, between a sender and a receiver with these options.
    pub(super) fn new(sender: &Options, receiver: &Options) -> Self {
        let window = receiver.receive_window();
        Self {
            window,
            send_buffer: sender.send_room(),
            bytes: VecDeque::new(),
            read: 0,
            delivered: 0,
            sent: 0,
            acked: 0,
            edge: window,
            told: window,
            fin: Fin::Open,
            small: 0,
            gaps: Gaps::default(),
            lost: 0,
            flight: VecDeque::new(),
            first_serial: 0,
            news: VecDeque::new(),
            heard_at: SimTime::ZERO,
            last_arrival: SimTime::ZERO,
            news_event: None,
            retransmit: None,
            recover: None,
            pace: None,
            retries: 0,
            probes: 0,
            stalled: false,
            corrupt: Vec::new(),
            news_lost: false,
            kept_by: Marks::NONE,
            silenced: Marks::NONE,
        }
    }

    /// Accepts bytes as far as there is room; says how many.
    #[inline]
    pub(super) fn write(&mut self, data: &[u8]) -> usize {
        assert!(
            self.fin == Fin::Open,
            "nothing is written behind the end of a stream"
        );
        let room = usize::try_from(self.free()).unwrap_or(usize::MAX);
        let accepted = data.len().min(room);
        self.bytes.extend(&data[..accepted]);
        accepted
    }

    /// Copies what can be read into a buffer; says how much.
    #[inline]
    pub(super) fn peek(&self, buffer: &mut [u8]) -> usize {
        let length = usize::try_from(self.readable())
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (front, back) = self.bytes.as_slices();
        let split = length.min(front.len());
        buffer[..split].copy_from_slice(&front[..split]);
        buffer[split..length].copy_from_slice(&back[..length - split]);
        length
    }

    /// Takes bytes away that were looked at. Says whether the receiver has a wider window to tell
    /// of.
    #[inline]
    pub(super) fn consume(&mut self, length: usize) -> bool {
        assert!(
            length as u64 <= self.readable(),
            "only what was delivered is read"
        );
        self.bytes.drain(..length);
        self.read += length as u64;
        // Half of the window, and not each byte read: the receiver's part in avoiding silly windows
        // (RFC 1122, 4.2.3.3). With more, a sender that filled it might never hear.
        self.read + self.window - self.told >= self.window / 2
    }

    /// Ends the stream behind what is written.
    pub(super) fn finish(&mut self) {
        self.fin = max(self.fin, Fin::Queued);
    }

    /// What may be sent now, if anything: where it begins, and how many bytes. The end of the
    /// stream is something without bytes.
    #[inline]
    pub(super) fn sendable(&self) -> Option<(u64, u64)> {
        let (begin, end) = self.unsent();
        let fin = self.fin == Fin::Queued && end == self.written();
        (!self.stalled && (end > begin || fin)).then(|| (begin, end.saturating_sub(begin)))
    }

    /// Whether what does not fill a packet has to wait, by Nagle's rule as Minshall has it, which
    /// is Linux's: another such is on its way, and this is not the end of the stream.
    #[inline]
    pub(super) fn holds_small(&self) -> bool {
        self.small > self.acked && self.small <= self.sent && self.fin == Fin::Open
    }

    /// The last packet sent was not full.
    #[inline]
    pub(super) fn note_small(&mut self) {
        self.small = self.sent;
    }

    /// The next segment to send: as much as that of what is [sendable](Self::sendable).
    #[inline]
    pub(super) fn next_segment(&mut self, start: u64, length: u64) -> Segment {
        let end = start + length;
        let segment = Segment {
            start,
            end,
            fin: self.fin == Fin::Queued && end == self.written(),
            acked: 0,
            marks: Marks::NONE,
        };
        self.note_sent(segment);
        segment
    }

    /// Whether something has arrived behind something that is missing.
    #[inline]
    pub(super) fn is_torn(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Where what may be sent begins and ends. If all is sent again, what has arrived behind a gap
    /// is left out.
    #[inline]
    fn unsent(&self) -> (u64, u64) {
        let begin = max(self.sent, self.delivered);
        let end = self.written().min(self.edge);
        if self.gaps.is_empty() {
            return (begin, end);
        }
        let (begin, stop) = self.gaps.missing_from(begin);
        (begin, end.min(stop))
    }

    /// The first of what has not arrived and may be sent, up to `limit` bytes: maybe nothing, which
    /// makes the receiver say again what it has. What comes behind is sent again after it.
    pub(super) fn segment_again(&mut self, limit: u64) -> Segment {
        let (_, stop) = self.gaps.missing_from(self.delivered);
        let end = max(self.sent, self.written().min(self.edge)).min(self.delivered + limit);
        let end = end.min(stop);
        self.gaps.go_back(end);
        self.stalled = true;
        if self.fin == Fin::Sent {
            self.fin = Fin::Queued;
        }
        let segment = Segment {
            start: self.delivered,
            end,
            fin: self.fin == Fin::Queued && end == self.written(),
            acked: 0,
            marks: Marks::NONE,
        };
        self.note_sent(segment);
        segment
    }

    /// The next part, of at most `limit` bytes, of what is known to be missing before something
    /// that arrived.
    pub(super) fn next_missing(&mut self, limit: u64) -> Option<Segment> {
        let (start, end) = self.gaps.next(self.delivered, self.sent, limit)?;
        self.gaps.resent = end;
        Some(Segment {
            start,
            end,
            fin: false,
            acked: 0,
            marks: Marks::NONE,
        })
    }

    /// Whether there is such a part.
    pub(super) fn misses_something(&self) -> bool {
        self.gaps.next(self.delivered, self.sent, 1).is_some()
    }

    /// The sender is told that a segment arrived behind a gap. Says how many have since there was
    /// none, if something is missing that was not sent again.
    pub(super) fn report_gap(&mut self, arrived: Segment) -> Option<u32> {
        let reports = self.gaps.report(self.delivered, arrived.start);
        reports.then_some(self.gaps.packets)
    }

    /// A segment is lost.
    pub(super) fn note_lost(&mut self, segment: Segment) {
        self.lost = max(self.lost, segment.end + u64::from(segment.fin));
    }

    /// The segment of a number stays on its way for nobody knows how long.
    pub(super) fn note_kept(&mut self, serial: u32) {
        if let Some(segment) = self.in_flight(serial) {
            self.note_lost(segment);
        }
    }

    fn note_sent(&mut self, segment: Segment) {
        assert!(segment.start <= segment.end, "a segment has a direction");
        self.sent = segment.end;
        if segment.fin {
            self.fin = Fin::Sent;
        }
    }

    /// The number of the next segment that goes on its way.
    #[inline]
    pub(super) fn next_serial(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a window holds fewer than 2^32 segments, and numbers wrap"
        )]
        let count = self.flight.len() as u32;
        self.first_serial.wrapping_add(count)
    }

    /// A segment is on its way.
    #[inline]
    pub(super) fn depart(&mut self, segment: Segment) {
        self.flight.push_back(Some(segment));
    }

    /// The segment of a number arrives, or is taken out on its way.
    ///
    /// # Panics
    /// If it is not on its way.
    #[inline]
    pub(super) fn arrive(&mut self, serial: u32) -> Segment {
        let place = serial.wrapping_sub(self.first_serial) as usize;
        let segment = self.flight[place].take();
        while let Some(None) = self.flight.front() {
            self.flight.pop_front();
            self.first_serial = self.first_serial.wrapping_add(1);
        }
        segment.expect("each segment on its way has one event")
    }

    /// The segment of a number, if it is on its way.
    pub(super) fn in_flight(&self, serial: u32) -> Option<Segment> {
        let place = serial.wrapping_sub(self.first_serial) as usize;
        self.flight.get(place).copied().flatten()
    }

    /// What the segment of a number carries that has not been read.
    pub(super) fn payload(&self, serial: u32) -> Vec<u8> {
        let Some(segment) = self.in_flight(serial) else {
            return Vec::new();
        };
        let place = |at: u64| usize::try_from(at.saturating_sub(self.read)).unwrap_or(usize::MAX);
        let range = place(segment.start)..place(segment.end);
        self.bytes.range(range).copied().collect()
    }

    /// Whether a segment would bring the receiver anything.
    pub(super) fn would_deliver(&self, segment: Segment) -> bool {
        let fin = segment.fin && self.fin != Fin::Delivered;
        let start = max(segment.start, self.delivered);
        (segment.end > self.delivered || fin) && !self.gaps.has(start, segment.end, fin)
    }

    /// Whether a segment just sent would bring the receiver anything that is not on its way.
    pub(super) fn is_news(&self, segment: Segment) -> bool {
        let on_its_way = |other: &Segment| {
            other.start <= segment.start && other.end >= segment.end && other.fin >= segment.fin
        };
        self.would_deliver(segment) && !self.flight.iter().flatten().any(on_its_way)
    }

    /// Something happens to the segment of a number, if it is on its way.
    pub(super) fn mark(&mut self, serial: u32, marks: Marks) {
        let place = serial.wrapping_sub(self.first_serial) as usize;
        if let Some(Some(segment)) = self.flight.get_mut(place) {
            segment.marks.add(marks);
        }
    }

    /// Where a segment begins and ends to bring the receiver bytes that have not arrived.
    pub(super) fn first_new(&self, segment: Segment) -> Option<(u64, u64)> {
        let (begin, stop) = self.gaps.missing_from(max(segment.start, self.delivered));
        let end = segment.end.min(stop);
        (begin < end).then_some((begin, end))
    }

    /// Flips a bit, which is counted from the beginning of the stream.
    pub(super) fn flip(&mut self, bit: u64) {
        let place = usize::try_from(bit / 8 - self.read).expect("it is among what was written");
        self.bytes[place] ^= 1 << (bit % 8);
    }

    /// How many of the bytes with flipped bits have been read since this was last asked.
    pub(super) fn take_corrupt_read(&mut self) -> usize {
        let before = self.corrupt.len();
        let read = self.read;
        self.corrupt.retain(|place| *place >= read);
        before - self.corrupt.len()
    }

    /// Takes a segment in at the receiver; `None` if something before it is missing, until which
    /// comes it is kept.
    #[inline]
    pub(super) fn deliver(&mut self, segment: Segment) -> Option<Delivery> {
        if segment.start > self.delivered {
            self.gaps.keep(segment.start, segment.end, segment.fin);
            return None;
        }
        let (mut end, mut fin) = (max(segment.end, self.delivered), segment.fin);
        if !self.gaps.is_empty() {
            let (filled, ended) = self.gaps.fill(end);
            end = filled;
            fin |= ended;
        }
        let bytes = end - self.delivered;
        fin &= self.fin != Fin::Delivered;
        self.delivered = end;
        assert!(
            self.delivered <= self.read + self.bytes.len() as u64,
            "bytes do not appear"
        );
        assert!(
            self.delivered <= self.read + self.window,
            "the window is kept"
        );
        if fin {
            self.fin = Fin::Delivered;
        }
        Some(Delivery { bytes, fin })
    }

    /// How much was sent and has not arrived, or not without a gap before it.
    pub(super) const fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.delivered)
    }

    /// So much of what was sent is there after all, without more of the stream behind it.
    pub(super) fn deliver_first(&mut self, bytes: u64) {
        assert!(bytes <= self.under_way(), "only what was sent arrives");
        self.delivered += bytes;
    }

    /// Sends word of what has arrived, which is at the sender at `at`, or later if earlier word is:
    /// then what happened to that is why. Says whether it is news that more has arrived.
    #[inline]
    pub(super) fn tell(&mut self, at: SimTime, mut marks: Marks) -> bool {
        let edge = self.told_now();
        let acked = self.arrived();
        let told = self.news.back().map_or(self.acked, |last| last.acked);
        marks.add(core::mem::take(&mut self.kept_by));
        match self.news.back_mut() {
            Some(last) if last.at >= at => (last.acked, last.edge) = (acked, edge),
            _ => self.news.push_back(News {
                at,
                acked,
                edge,
                marks,
            }),
        }
        self.news_lost = false;
        acked > told
    }

    /// How far the stream has arrived; its end counts as one more byte, as in TCP.
    #[inline]
    pub(super) fn arrived(&self) -> u64 {
        self.delivered + u64::from(self.fin == Fin::Delivered)
    }

    /// The sender learns from a packet with data how far the stream has arrived. Says whether it
    /// may send something now that it could not before.
    #[inline]
    pub(super) fn hear(&mut self, acked: u64) -> bool {
        if acked <= self.acked {
            return false;
        }
        self.acked = acked;
        self.stalled = false;
        self.has_unsent()
    }

    /// Word of what has arrived was sent, and a link keeps it; so it is with all that was on its
    /// way.
    pub(super) fn tell_later(&mut self, kept_by: Marks) {
        self.told_now();
        self.news.clear();
        self.kept_by.add(kept_by);
        self.silenced.add(kept_by);
    }

    /// Word of what has arrived was sent and lost.
    pub(super) fn tell_in_vain(&mut self) {
        self.told_now();
        self.kept_by = Marks::NONE;
        self.news_lost = true;
    }

    fn told_now(&mut self) -> u64 {
        self.told = self.read + self.window;
        self.told
    }

    /// The sender learns what is there by now; says what happened to the word of it.
    #[inline]
    pub(super) fn learn(&mut self, now: SimTime) -> Marks {
        let mut marks = Marks::NONE;
        while let Some(news) = self.news.front().filter(|news| news.at <= now) {
            self.acked = max(self.acked, news.acked);
            if news.edge > self.edge {
                self.probes = 0;
            }
            self.edge = news.edge;
            self.heard_at = news.at;
            self.stalled = false;
            marks.add(news.marks);
            self.silenced = Marks::NONE;
            self.news.pop_front();
        }
        marks
    }

    /// Word that would be there by now is lost on its last stretch.
    pub(super) fn learn_nothing(&mut self, now: SimTime) {
        self.news.retain(|news| news.at > now);
        self.news_lost |= self.news.is_empty();
    }

    /// How many words of what has arrived are on their way.
    pub(super) fn words(&self) -> usize {
        self.news.len()
    }

    /// When the next word is there.
    pub(super) fn next_news(&self) -> Option<SimTime> {
        self.news.front().map(|news| news.at)
    }

    /// When the last word is there that is on its way.
    pub(super) fn last_news(&self) -> Option<SimTime> {
        self.news.back().map(|news| news.at)
    }

    /// Bytes that a write would accept.
    pub(super) fn free(&self) -> u64 {
        // With the end of the stream acknowledged, more is acknowledged than written.
        self.send_buffer - self.written().saturating_sub(self.acked)
    }

    /// Whether there is so much room that a writer should hear of it.
    pub(super) fn is_roomy(&self) -> bool {
        // A third, and not each byte, as on Linux.
        self.free() >= self.send_buffer / 3
    }

    /// Whether something is written that could not be sent yet.
    pub(super) fn has_unsent(&self) -> bool {
        self.written() > max(self.sent, self.delivered) || self.fin == Fin::Queued
    }

    /// Whether there is something sent of whose arrival no word is on its way or there.
    pub(super) fn is_unacknowledged(&self) -> bool {
        let told = self.news.back().map_or(0, |news| news.acked);
        max(self.acked, told) < self.sent + u64::from(self.fin >= Fin::Sent)
    }

    /// Whether there is something to send and the window is closed, with no word under way.
    pub(super) fn is_shut_out(&self) -> bool {
        self.is_idle() && self.has_unsent() && self.sendable().is_none() && self.news.is_empty()
    }

    /// How often the wait doubles before the sender sends again.
    pub(super) fn patience(&self) -> u32 {
        if self.is_idle() {
            max(self.retries, self.probes)
        } else {
            self.retries
        }
    }

    /// Whether all that was sent is known to have arrived.
    pub(super) const fn is_idle(&self) -> bool {
        self.acked >= self.sent
    }

    /// Whether all that was written is known to have arrived, and its end if it has one.
    pub(super) fn is_at_rest(&self) -> bool {
        self.acked >= self.written() + u64::from(self.is_closed())
    }

    /// Whether something that was sent has not arrived and is not on its way.
    pub(super) fn has_gap(&self) -> bool {
        self.lost > self.arrived()
            || self.is_torn()
            || self.flight.is_empty() && self.is_unacknowledged()
    }

    /// Bytes that can be read.
    #[inline]
    pub(super) const fn readable(&self) -> u64 {
        self.delivered - self.read
    }

    /// Whether the reader will get no more than it can read now.
    pub(super) fn is_finished(&self) -> bool {
        self.fin == Fin::Delivered
    }

    /// Whether the sender knows that the end of the stream has arrived.
    pub(super) fn is_end_acknowledged(&self) -> bool {
        self.fin == Fin::Delivered && self.acked > self.written()
    }

    /// Whether nothing more can be written.
    pub(super) fn is_closed(&self) -> bool {
        self.fin != Fin::Open
    }

    fn written(&self) -> u64 {
        self.read + self.bytes.len() as u64
    }
}

impl Segment {
    pub(super) const fn length(self) -> u64 {
        self.end - self.start
    }

    /// Whether the end of the stream is in it.
    pub(super) const fn has_fin(self) -> bool {
        self.fin
    }

    /// Whether it carries nothing, and only makes the receiver say again what it has.
    pub(super) const fn is_probe(self) -> bool {
        self.start == self.end && !self.fin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_arrives_in_order() {
        let at = SimTime::from_nanos;
        let mut pipe = Pipe::new(&Options::default(), &Options::default());
        pipe.write(b"ab");
        let segment = pipe.next_segment(0, 2);
        pipe.tell(at(10), Marks::NONE);
        pipe.deliver(segment).unwrap();
        pipe.tell(at(5), Marks::NONE);
        assert_eq!(
            pipe.next_news(),
            Some(at(10)),
            "the later word waits for the earlier"
        );
        pipe.learn_nothing(at(7));
        assert!(!pipe.news_lost);
        pipe.learn(at(10));
        assert_eq!(pipe.next_news(), None);
        assert!(!pipe.is_unacknowledged());
    }

    #[test]
    fn a_segment_again_brings_all_that_is_missing() {
        let mut pipe = Pipe::new(&Options::default(), &Options::default());
        pipe.write(b"abc");
        let lost = pipe.next_segment(0, 3);
        assert_eq!(lost.length(), 3);
        pipe.write(b"de");
        pipe.finish();
        let behind = pipe.next_segment(3, 2);
        assert_eq!(pipe.deliver(behind), None);
        let again = pipe.segment_again(9);
        assert_eq!(
            pipe.deliver(again),
            Some(Delivery {
                bytes: 5,
                fin: true
            })
        );
        assert_eq!(
            pipe.deliver(again),
            Some(Delivery {
                bytes: 0,
                fin: false
            })
        );
        let mut buffer = [0; 9];
        assert_eq!(pipe.peek(&mut buffer), 5);
        assert_eq!(&buffer[..5], b"abcde");
    }
}
