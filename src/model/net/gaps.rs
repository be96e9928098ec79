//! What of a stream has arrived behind something that is missing.
//!
//! Owns the ranges that a receiver keeps until the gaps before them are filled, and how far the
//! sender has filled them. There are at most as many as packets fit the receive window. It must
//! never know bytes, links or timers.
//!
//! Source: selective acknowledgements (RFC 2018, RFC 6675).

/// Ranges of a stream behind gaps.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Beginnings and ends of what has arrived, in order; no two touch.
    arrived: Vec<(u64, u64)>,
    /// Where the stream ends, if its end has arrived.
    fin: Option<u64>,
    /// Packets that arrived since there were no gaps.
    pub(super) packets: u32,
    /// The sender knows of each gap before this.
    known: u64,
    /// The sender has sent again what is missing before this.
    pub(super) resent: u64,
}

impl Gaps {
    /// Whether nothing is kept.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Keeps what arrives behind a gap.
    pub(super) fn keep(&mut self, start: u64, end: u64, fin: bool) {
        self.packets = self.packets.saturating_add(1);
        if fin {
            self.fin = Some(end);
        }
        if start == end {
            return;
        }
        let first = self.arrived.partition_point(|range| range.1 < start);
        let behind = self.arrived.partition_point(|range| range.0 <= end);
        let mut joined = (start, end);
        for range in self.arrived.drain(first..behind) {
            joined = (joined.0.min(range.0), joined.1.max(range.1));
        }
        self.arrived.insert(first, joined);
    }

    /// How far the stream has arrived without gaps, if it has to `at`, and whether its end has.
    /// What lies before is kept no longer.
    pub(super) fn fill(&mut self, at: u64) -> (u64, bool) {
        let filled = self.arrived.partition_point(|range| range.0 <= at);
        let ends = self.arrived.drain(..filled).map(|range| range.1);
        let at = ends.fold(at, u64::max);
        let fin = self.fin == Some(at);
        if self.arrived.is_empty() && (fin || self.fin.is_none()) {
            self.fin = None;
            self.packets = 0;
        }
        (at, fin)
    }

    /// Whether a range has arrived, and if it `has_fin` the end of the stream.
    pub(super) fn has(&self, start: u64, end: u64, has_fin: bool) -> bool {
        let (begin, _) = self.missing_from(start);
        (begin >= end) && (!has_fin || self.fin.is_some())
    }

    /// The first place from `at` on that has not arrived, and the beginning of what has behind it.
    pub(super) fn missing_from(&self, at: u64) -> (u64, u64) {
        let next = self.arrived.partition_point(|range| range.1 <= at);
        match self.arrived.get(next) {
            Some((start, end)) if *start <= at => {
                let behind = self.arrived.get(next + 1);
                (*end, behind.map_or(u64::MAX, |range| range.0))
            }
            Some((start, _)) => (at, *start),
            None => (at, u64::MAX),
        }
    }

    /// The sender is told that what is missing before `at` will not come by itself. Says whether
    /// there is any that it has not sent again.
    pub(super) fn report(&mut self, delivered: u64, at: u64) -> bool {
        self.known = self.known.max(at);
        let (begin, _) = self.missing_from(self.resent.max(delivered));
        begin < self.known
    }

    /// The next part of a gap of which the sender knows, and has sent `sent` before: at most
    /// `limit` bytes.
    pub(super) fn next(&self, delivered: u64, sent: u64, limit: u64) -> Option<(u64, u64)> {
        let (begin, stop) = self.missing_from(self.resent.max(delivered));
        let end = stop.min(self.known).min(sent).min(begin + limit);
        (end > begin).then_some((begin, end))
    }

    /// All is sent again from `at` on, as far as it has not arrived.
    pub(super) fn go_back(&mut self, at: u64) {
        self.resent = at;
        self.known = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_join_when_they_touch() {
        let mut gaps = Gaps::default();
        for (start, end) in [(10, 20), (30, 40), (50, 60), (20, 30), (35, 45)] {
            gaps.keep(start, end, false);
        }
        assert_eq!(gaps.arrived, [(10, 45), (50, 60)]);
        assert_eq!(gaps.missing_from(0), (0, 10));
        assert_eq!(gaps.missing_from(10), (45, 50));
        assert_eq!(gaps.missing_from(47), (47, 50));
        assert_eq!(gaps.missing_from(60), (60, u64::MAX));
        assert_eq!(gaps.fill(5), (5, false));
        assert_eq!(gaps.fill(12), (45, false));
        assert!(!gaps.is_empty());
        assert_eq!(gaps.fill(50), (60, false));
        assert!(gaps.is_empty());
    }

    #[test]
    fn each_gap_is_sent_again_once() {
        let mut gaps = Gaps::default();
        gaps.keep(10, 20, false);
        assert!(gaps.report(0, 10));
        assert_eq!(gaps.next(0, 20, 6), Some((0, 6)));
        gaps.resent = 6;
        assert_eq!(gaps.next(0, 20, 6), Some((6, 10)));
        gaps.resent = 10;
        assert_eq!(gaps.next(0, 20, 6), None);
        assert!(!gaps.report(0, 10));
        gaps.keep(25, 30, false);
        assert!(gaps.report(0, 25), "a second one");
        assert_eq!(gaps.next(0, 30, 100), Some((20, 25)));
        gaps.resent = 25;
        assert_eq!(gaps.next(0, 30, 100), None);
        gaps.go_back(10);
        assert!(!gaps.report(0, 10), "that was sent again just now");
    }

    #[test]
    fn the_end_of_the_stream_is_kept_too() {
        let mut gaps = Gaps::default();
        gaps.keep(9, 9, true);
        assert!(!gaps.is_empty());
        assert!(gaps.has(9, 9, true));
        assert_eq!(gaps.fill(5), (5, false));
        assert!(!gaps.is_empty());
        assert_eq!(gaps.fill(9), (9, true));
        assert!(gaps.is_empty());
    }

    proptest! {
        #[test]
        fn ranges_are_what_a_list_of_bytes_says(
            kept in prop::collection::vec((0_u64..60, 1_u64..12), 1..20),
            at in 0_u64..80,
        ) {
            let mut gaps = Gaps::default();
            let mut bytes = [false; 100];
            for (start, length) in kept {
                gaps.keep(start, start + length, false);
                let place = |at: u64| usize::try_from(at).unwrap();
                bytes[place(start)..place(start + length)].fill(true);
            }
            let from = usize::try_from(at).unwrap();
            let missing = (from..100).find(|n| !bytes[*n]).unwrap();
            let behind = (missing..100).find(|n| bytes[*n]);
            let expected = (missing as u64, behind.map_or(u64::MAX, |n| n as u64));
            prop_assert_eq!(gaps.missing_from(at), expected);
            prop_assert_eq!(gaps.fill(at).0, missing as u64);
        }
    }
}
