//! The first record in which two written traces differ, and what led to it in each.
//!
//! Owns the comparison. It reads both traces once, side by side, and keeps the last records only,
//! so that runs of any length can be compared. It must never know why two runs may differ: that
//! is found by experiment, above.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read};

use crate::kernel::{Entry, Record, Step, read};

/// Where two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The step in which they differ; all earlier ones are the same.
    pub step: Step,
    /// What differs there.
    pub difference: Difference,
    /// The record of the first trace in that step, after its chain of causes, oldest first; empty
    /// if the trace has ended.
    pub first: Vec<Record>,
    /// The same of the second trace.
    pub second: Vec<Record>,
}

/// What differs between two traces in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The records.
    Record,
    /// The records are the same, and bytes of the payload beyond those that a record holds differ.
    Payload,
}

/// Finds the first step in which two written traces differ; `None` if they tell the same.
///
/// Log lines are passed over: they are no part of what happened. The traces need no buffer of
/// their own. To see a difference in the rest of a long payload, both must have been written with
/// [`DigestMode::Full`](crate::kernel::DigestMode::Full).
///
/// # Errors
/// What reading gives; `InvalidData` for bytes that are not a trace.
pub fn first_difference(first: impl Read, second: impl Read) -> io::Result<Option<Divergence>> {
    let mut first = BufReader::with_capacity(BUFFER_BYTES, first);
    let mut second = BufReader::with_capacity(BUFFER_BYTES, second);
    let mut common = Common::default();
    loop {
        let (one, other) = (next_event(&mut first)?, next_event(&mut second)?);
        if one == other {
            match one {
                None => return Ok(None),
                Some(Entry::Record(record)) => common.push(record),
                Some(Entry::Payload(..) | Entry::Note(..)) => {}
            }
            continue;
        }
        return Ok(Some(common.divergence(one, other)));
    }
}

/// The next entry that tells what happened.
fn next_event(reader: &mut impl Read) -> io::Result<Option<Entry>> {
    loop {
        match read(reader)? {
            Some(Entry::Note(..)) => {}
            entry => return Ok(entry),
        }
    }
}

/// The last of the records that both traces have.
#[derive(Default)]
struct Common {
    records: VecDeque<Record>,
}

impl Common {
    fn push(&mut self, record: Record) {
        if self.records.len() == COMMON_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    fn get(&self, step: Step) -> Option<Record> {
        let oldest = self.records.front()?.step.number();
        let age = usize::try_from(step.number().checked_sub(oldest)?).ok()?;
        self.records.get(age).copied()
    }

    fn divergence(&self, first: Option<Entry>, second: Option<Entry>) -> Divergence {
        let last = self.records.back();
        if let (Some(Entry::Payload(step, _)), _) | (_, Some(Entry::Payload(step, _))) =
            (&first, &second)
        {
            // The bytes belong to the record before them.
            let chain: Vec<_> = last.map(|last| self.chain(*last)).unwrap_or_default();
            let (step, difference) = (*step, Difference::Payload);
            return Divergence {
                step,
                difference,
                first: chain.clone(),
                second: chain,
            };
        }
        let chain = |entry: Option<Entry>| match entry {
            Some(Entry::Record(record)) => self.chain(record),
            Some(Entry::Payload(..) | Entry::Note(..)) | None => Vec::new(),
        };
        Divergence {
            step: Step::new(last.map_or(0, |last| last.step.number() + 1)),
            difference: Difference::Record,
            first: chain(first),
            second: chain(second),
        }
    }

    /// A record after its causes, as far back as they are kept and wanted.
    fn chain(&self, record: Record) -> Vec<Record> {
        let mut chain = vec![record];
        let mut latest = record;
        while chain.len() < CHAIN_RECORDS
            && latest.cause < latest.step
            && let Some(cause) = self.get(latest.cause)
        {
            chain.push(cause);
            latest = cause;
        }
        chain.reverse();
        chain
    }
}

/// A mebibyte for each trace: fewer calls of the system do not make it faster.
const BUFFER_BYTES: usize = 1 << 20;
/// Records looked back over for causes: 8 MB. An older cause ends the chain.
const COMMON_RECORDS: usize = 100_000;
/// Records of a chain: two chains and their titles must fit into a report of 25 lines.
const CHAIN_RECORDS: usize = 5;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::kernel::{DigestMode, Kind, NodeId, SimTime, Sink, Trace};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The bytes of a trace that `fill` writes.
    fn written(fill: impl FnOnce(&mut Trace)) -> Vec<u8> {
        let shared = Shared::default();
        let mut trace = Trace::new(DigestMode::Full, Sink::Writer(Box::new(shared.clone())));
        fill(&mut trace);
        trace.finish().unwrap();
        shared.0.lock().unwrap().clone()
    }

    fn mark(trace: &mut Trace, cause: u64, value: u64) {
        let cause = Step::new(cause);
        trace.record(SimTime::ZERO, NodeId::TEST, Kind::Mark, cause, 0, value);
    }

    /// Each step caused by the one two steps before.
    fn marks(values: &[u64]) -> Vec<u8> {
        written(|trace| {
            for (step, value) in (0..).zip(values) {
                mark(trace, u64::saturating_sub(step, 2), *value);
            }
        })
    }

    fn check(first: &[u8], second: &[u8]) -> Option<Divergence> {
        first_difference(first, second).unwrap()
    }

    fn steps(chain: &[Record]) -> Vec<u64> {
        chain.iter().map(|record| record.step.number()).collect()
    }

    #[test]
    fn equal_traces_have_no_difference() {
        assert_eq!(check(&marks(&[1, 2, 3]), &marks(&[1, 2, 3])), None);
        assert_eq!(check(&[], &[]), None);
    }

    #[test]
    fn the_first_of_several_differences_is_found_with_its_causes() {
        let first = marks(&[1; 20]);
        let mut values = [1; 20];
        (values[15], values[17]) = (2, 2);
        let found = check(&first, &marks(&values)).unwrap();
        assert_eq!(
            (found.step, found.difference),
            (Step::new(15), Difference::Record)
        );
        assert_eq!(steps(&found.first), [7, 9, 11, 13, 15]);
        assert_eq!(steps(&found.second), [7, 9, 11, 13, 15]);
        assert_eq!((found.first[4].value, found.second[4].value), (1, 2));
    }

    #[test]
    fn the_causes_of_each_side_are_its_own() {
        let trace = |cause| {
            written(|trace| {
                (0..5).for_each(|_| mark(trace, 0, 7));
                mark(trace, cause, 7);
            })
        };
        let found = check(&trace(2), &trace(4)).unwrap();
        assert_eq!(
            (steps(&found.first), steps(&found.second)),
            (vec![0, 2, 5], vec![0, 4, 5])
        );
    }

    #[test]
    fn a_trace_that_ends_early_differs() {
        let found = check(&marks(&[1, 2]), &marks(&[1, 2, 3])).unwrap();
        assert_eq!(found.step, Step::new(2));
        assert_eq!(
            (steps(&found.first), steps(&found.second)),
            (vec![], vec![0, 2])
        );
        let found = check(&marks(&[1]), &[]).unwrap();
        assert_eq!((found.step, found.second), (Step::new(0), vec![]));
    }

    #[test]
    fn the_rest_of_a_payload_counts_and_log_lines_do_not() {
        let trace = |last: u8, note: &str| {
            written(|trace| {
                mark(trace, 0, 0);
                let mut payload = [0; 40];
                payload[39] = last;
                trace.note(note);
                let (kind, cause) = (Kind::StreamSent, Step::new(0));
                let node = NodeId::TEST;
                trace.record_payload(SimTime::ZERO, node, kind, cause, 1, 40, &payload);
            })
        };
        assert_eq!(check(&trace(1, "here"), &trace(1, "somewhere else")), None);
        let found = check(&trace(1, ""), &trace(2, "")).unwrap();
        assert_eq!(
            (found.step, found.difference),
            (Step::new(1), Difference::Payload)
        );
        assert_eq!(steps(&found.first), [0, 1]);
    }

    #[test]
    fn a_cause_too_old_to_be_kept_ends_the_chain() {
        let trace = |last| {
            written(|trace| {
                (0..COMMON_RECORDS as u64 + 10).for_each(|_| mark(trace, 0, 0));
                mark(trace, 5, last);
            })
        };
        let found = check(&trace(1), &trace(2)).unwrap();
        assert_eq!(steps(&found.first), [COMMON_RECORDS as u64 + 10]);
    }

    #[test]
    fn what_is_no_trace_is_an_error() {
        let error = first_difference([200].as_slice(), [200].as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
