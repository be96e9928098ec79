//! Verdicts without a search, for histories in which it is plain who wrote what.
//!
//! Blocks and zones: Gibbons & Korach, "Testing shared memories" (SIAM J. Comput. 26, 1997),
//! section 4, with blocks of any number of ordered groups in place of a write and its reads, so
//! that they serve compare-and-set, appends and sets too. Queues: Henzinger, Sezgin & Vafeiadis,
//! "Aspect-oriented linearizability proofs" (CONCUR 2013), section 3.
//!
//! All take time n log n and memory n. They decide; what they cannot decide they say to be
//! ambiguous, and the search has it.

use super::part::{NEVER, Part};
use crate::check::table::number;

/// What is known of a part without a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// It is linearizable in this order of operations, numbered as in the part.
    Linearizable(Vec<u32>),
    /// It is not.
    Violation,
    /// Nothing: search.
    Ambiguous,
}

/// Groups of operations that belong together.
///
/// The groups of a block follow one another, and no operation of another block may be between
/// them. Blocks may stand in any order.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    ops: Vec<u32>,
    /// Where each block begins in `ops`.
    starts: Vec<u32>,
    /// The first block stands before all others.
    first_is_first: bool,
}

impl Blocks {
    /// No blocks; the first that is begun is what the object was in the beginning, and stands
    /// before all others.
    #[must_use]
    pub fn with_initial() -> Self {
        Self {
            first_is_first: true,
            ..Self::default()
        }
    }

    /// Begins a block.
    pub fn block(&mut self) {
        self.starts.push(number(self.ops.len()));
    }

    /// Adds the next operation of the block. Those of a group, whose order is open, are added in
    /// the order of their calls.
    pub fn op(&mut self, op: u32) {
        self.ops.push(op);
    }

    /// Whether the blocks can be put in an order that real time allows.
    #[must_use]
    pub fn judge<O>(&self, part: &Part<O>) -> Shortcut {
        let mut zones = Zones::default();
        for block in 0..self.starts.len() {
            let end = self
                .starts
                .get(block + 1)
                .map_or(self.ops.len(), |end| *end as usize);
            let ops = &self.ops[self.starts[block] as usize..end];
            if ops.is_empty() {
                continue;
            }
            let times = |op: &u32| (part.calls[*op as usize], part.returns[*op as usize]);
            // Positions are moved by one, so that the beginning of time is free.
            let (mut last_call, mut first_return) = (0, u64::MAX);
            for (call, returns) in ops.iter().map(times) {
                // Within a group the calls ascend, so only other groups can forbid a return.
                if u64::from(returns) + 1 < last_call {
                    return Shortcut::Violation;
                }
                last_call = last_call.max(u64::from(call) + 1);
                first_return = first_return.min(u64::from(returns) + 1);
            }
            if self.first_is_first && block == 0 {
                first_return = 0;
            }
            zones.add(number(block), first_return, last_call);
        }
        if !zones.are_apart() {
            return Shortcut::Violation;
        }
        Shortcut::Linearizable(self.order(part, &zones))
    }

    /// An order, of which `zones` says that there is one.
    fn order<O>(&self, part: &Part<O>, zones: &Zones) -> Vec<u32> {
        // The point of each operation, and where it stands among those of the same point.
        let mut placed: Vec<(u64, u32, u32)> = Vec::with_capacity(self.ops.len());
        let mut place = |block: u32, point: &mut dyn FnMut(u64) -> u64, side: u32| {
            let start = self.starts[block as usize] as usize;
            let next = self.starts.get(block as usize + 1);
            let end = next.map_or(self.ops.len(), |end| *end as usize);
            for at in start..end {
                let call = u64::from(part.calls[self.ops[at] as usize]) + 1;
                placed.push((point(call), side, number(at)));
            }
        };
        for forward in &zones.forward {
            let mut last = forward.start;
            place(
                forward.block,
                &mut |call| {
                    last = last.max(call);
                    last
                },
                0,
            );
        }
        for backward in &zones.backward {
            let point = zones.after_cover(backward.start);
            place(backward.block, &mut |_| point, 1);
        }
        placed.sort_unstable();
        placed
            .into_iter()
            .map(|(_, _, at)| self.ops[at as usize])
            .collect()
    }
}

/// From the first return to the last call of a block, or the other way round.
#[derive(Clone, Copy, Debug)]
struct Zone {
    start: u64,
    end: u64,
    block: u32,
}

#[derive(Default)]
struct Zones {
    /// Blocks of which one operation returned before another was called: they fill their zone.
    forward: Vec<Zone>,
    /// Blocks whose operations share a stretch of time: one point of it is enough.
    backward: Vec<Zone>,
}

impl Zones {
    fn add(&mut self, block: u32, first_return: u64, last_call: u64) {
        if first_return < last_call {
            self.forward.push(Zone {
                start: first_return,
                end: last_call,
                block,
            });
        } else {
            self.backward.push(Zone {
                start: last_call,
                end: first_return,
                block,
            });
        }
    }

    /// Whether no two forward zones meet, and none covers a backward one. Sorts the forward ones.
    fn are_apart(&mut self) -> bool {
        self.forward.sort_unstable_by_key(|zone| zone.start);
        let disjoint = self.forward.windows(2).all(|two| two[0].end < two[1].start);
        disjoint
            && self.backward.iter().all(|zone| {
                self.cover(zone.start)
                    .is_none_or(|cover| cover.end < zone.end)
            })
    }

    /// The forward zone that a point is in.
    fn cover(&self, point: u64) -> Option<&Zone> {
        let after = self.forward.partition_point(|zone| zone.start <= point);
        let zone = self.forward[..after].last()?;
        (point <= zone.end).then_some(zone)
    }

    /// The first point from here on that is in no forward zone, or at the end of one.
    fn after_cover(&self, point: u64) -> u64 {
        self.cover(point).map_or(point, |zone| zone.end)
    }
}

/// A value of a queue that was put in once: when, and when it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Who put it in, numbered as in the part.
    pub enqueue: u32,
    /// Who took it.
    pub dequeue: Option<u32>,
}

/// Judges a queue in which each value was put in once, and no dequeue is of unknown outcome. An
/// enqueue of unknown outcome whose value nobody took is left out; `empties` found nothing.
///
/// A moment at which the queue is empty divides the values: those that were there before and those
/// that come after. It is possible if no value was surely there then, from the return of its
/// enqueue to the call of its dequeue.
#[must_use]
pub fn judge_queue<O>(part: &Part<O>, values: &[Passage], empties: &[u32]) -> Shortcut {
    let after_all = u64::from(NEVER) + 1;
    let times = |op: u32| {
        let (call, returns) = (part.calls[op as usize], part.returns[op as usize]);
        (u64::from(call), u64::from(returns))
    };
    let mut enqueues = Interval::with_capacity(values.len());
    let mut dequeues = Interval::with_capacity(values.len());
    for value in values {
        let (in_call, in_return) = times(value.enqueue);
        let (out_call, out_return) = match value.dequeue {
            Some(op) => times(op),
            None => (after_all, after_all + 1),
        };
        if out_return < in_call {
            // It was taken before it was put in.
            return Shortcut::Violation;
        }
        enqueues.push(in_call, in_return.min(out_return));
        dequeues.push(out_call.max(in_call), out_return);
    }
    let Some(moments) = empty_moments(&enqueues, &dequeues, empties.iter().map(|op| times(*op)))
    else {
        return Shortcut::Violation;
    };
    divide(&mut enqueues, &mut dequeues, &moments);
    let Some(order) = common_order(&enqueues, &dequeues) else {
        return if empties.is_empty() {
            Shortcut::Violation
        } else {
            // With other moments there may be an order.
            Shortcut::Ambiguous
        };
    };
    let mut placed = Vec::with_capacity(values.len() * 2 + empties.len());
    let (mut last_in, mut last_out) = (0, 0);
    for (seq, value) in (0_u32..).zip(order) {
        let (passage, value) = (values[value as usize], value as usize);
        last_in = last_in.max(enqueues.calls[value]);
        last_out = last_out.max(dequeues.calls[value]).max(last_in);
        if last_in > enqueues.returns[value] || last_out > dequeues.returns[value] {
            return Shortcut::Ambiguous;
        }
        placed.push((last_in, 0, seq, passage.enqueue));
        if let Some(op) = passage.dequeue {
            placed.push((last_out, 1, seq, op));
        }
    }
    for (moment, op) in moments.iter().zip(empties) {
        placed.push((*moment, 0, 0, *op));
    }
    placed.sort_unstable();
    Shortcut::Linearizable(placed.into_iter().map(|(.., op)| op).collect())
}

/// The first moment within each interval at which no value is surely there: just after an event, as
/// four times its position and two. `None` if one has no such moment.
fn empty_moments(
    enqueues: &Interval,
    dequeues: &Interval,
    intervals: impl Iterator<Item = (u64, u64)>,
) -> Option<Vec<u64>> {
    // The events after which a value is surely there, first and last; those that meet are joined.
    let all = enqueues.returns.iter().zip(&dequeues.calls);
    let mut there: Vec<(u64, u64)> = all
        .filter(|(first, end)| first < end)
        .map(|(first, end)| (*first, end - 1))
        .collect();
    there.sort_unstable();
    there.dedup_by(|next, last| {
        let meets = next.0 <= last.1 + 1;
        if meets {
            last.1 = last.1.max(next.1);
        }
        meets
    });
    intervals
        .map(|(call, returns)| {
            let after = there.partition_point(|(first, _)| *first <= call);
            let cover = there[..after].last().filter(|(_, last)| *last >= call);
            let moment = cover.map_or(call, |(_, last)| last + 1);
            (moment < returns).then_some(moment * 4 + 2)
        })
        .collect()
}

/// Divides values by moments at which the queue is empty: cuts their intervals, in quarters of a
/// position, so that each is on one side of each moment.
fn divide(enqueues: &mut Interval, dequeues: &mut Interval, moments: &[u64]) {
    let mut moments = moments.to_vec();
    moments.sort_unstable();
    for value in 0..enqueues.calls.len() {
        // What must be after a moment is; all else is before.
        let call = dequeues.calls[value] * 4;
        let before = moments.partition_point(|moment| *moment < call);
        let from = before.checked_sub(1).map_or(0, |last| moments[last] + 1);
        let to = moments.get(before).map_or(u64::MAX, |next| next - 1);
        for interval in [&mut *enqueues, &mut *dequeues] {
            interval.calls[value] = (interval.calls[value] * 4).max(from);
            interval.returns[value] = (interval.returns[value] * 4).min(to);
        }
    }
}

/// Intervals by number.
struct Interval {
    calls: Vec<u64>,
    returns: Vec<u64>,
}

impl Interval {
    fn with_capacity(len: usize) -> Self {
        Self {
            calls: Vec::with_capacity(len),
            returns: Vec::with_capacity(len),
        }
    }

    fn push(&mut self, call: u64, returns: u64) {
        self.calls.push(call);
        self.returns.push(returns);
    }

    fn sorted(times: &[u64]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..number(times.len())).collect();
        order.sort_unstable_by_key(|n| times[*n as usize]);
        order
    }
}

/// An order that extends both interval orders, if they do not contradict each other.
///
/// Takes, again and again, one that none of the remaining ones must precede in either.
fn common_order(one: &Interval, other: &Interval) -> Option<Vec<u32>> {
    let len = one.calls.len();
    let mut sides: Vec<Side<'_>> = [one, other].into_iter().map(Side::new).collect();
    let mut free_in = vec![0_u8; len];
    let mut taken = vec![false; len];
    let mut ready = Vec::new();
    let mut order = Vec::with_capacity(len);
    while order.len() < len {
        for side in &mut sides {
            side.free(&taken, |n| {
                free_in[n as usize] += 1;
                if free_in[n as usize] == 2 {
                    ready.push(n);
                }
            });
        }
        let next = ready.pop()?;
        taken[next as usize] = true;
        order.push(next);
    }
    Some(order)
}

/// One of the orders, and how far it was walked.
struct Side<'a> {
    intervals: &'a Interval,
    by_call: Vec<u32>,
    by_return: Vec<u32>,
    called: usize,
    returned: usize,
}

impl<'a> Side<'a> {
    fn new(intervals: &'a Interval) -> Self {
        Self {
            intervals,
            by_call: Interval::sorted(&intervals.calls),
            by_return: Interval::sorted(&intervals.returns),
            called: 0,
            returned: 0,
        }
    }

    /// Tells those that have become free: called before the first return of the remaining ones.
    fn free(&mut self, taken: &[bool], mut tell: impl FnMut(u32)) {
        while self
            .by_return
            .get(self.returned)
            .is_some_and(|n| taken[*n as usize])
        {
            self.returned += 1;
        }
        let Some(first) = self.by_return.get(self.returned) else {
            return;
        };
        let limit = self.intervals.returns[*first as usize];
        while let Some(n) = self.by_call.get(self.called) {
            if self.intervals.calls[*n as usize] > limit {
                break;
            }
            tell(*n);
            self.called += 1;
        }
    }
}
