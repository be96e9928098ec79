//! The queue of pending events: what happens next, in a total order.
//!
//! Owns every pending event, inline, and the time of the last one taken. It must never know what
//! an event means: it is generic over it.
//!
//! Events leave in the order of `(at, seq)`, where `seq` counts pushes and reschedules: events due
//! at the same instant leave in the order in which they were queued.
//!
//! # How it works
//!
//! A hierarchical timing wheel on 64-bit nanoseconds: eight levels of 256 lists, one level for each
//! byte of a time. An event lies on the level of the highest byte in which its time differs from
//! `now`, the time of the last event taken, in the list of that byte's value. Three facts follow:
//!
//! - All events of a level come before all events of a higher one, and within a level a lower list
//!   comes first; so the next event lies in the first list that is occupied, which two bit scans
//!   find. It need not be the list's first node, except on level 0, where a list is one instant.
//! - When that next event is taken, `now` moves to its time, and only the others of its list may
//!   thereby have to move: higher bytes are those of the old `now`, and in any other list of the
//!   level the level's byte still differs. An event alone in its list is taken without moving any.
//! - Events with equal times always share a list. Pushes append to it, and when a list is spread
//!   over the levels below (all empty at that moment, or the list would not be the first) it is
//!   walked from front to back; so ties keep their order without a comparison.
//!
//! Events are nodes of one slab, and lists are links between nodes: nothing is allocated once the
//! slab has reached its largest size, and cancelling unlinks a node and frees it at once.
//!
//! Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), scheme 7, with
//! the monotone placement of the radix heap of Ahuja, Mehlhorn, Orlin and Tarjan, "Faster
//! Algorithms for the Shortest Path Problem" (JACM 1990).

use core::fmt;

use super::SimTime;

/// Pending events, taken in the order of their time and, for equal times, in queueing order.
///
/// Pushing, cancelling and rescheduling take constant time, and so does taking, on average: an
/// event moves at most once for each byte of the distance to its time. An empty queue takes 17 KB.
///
/// ```
/// use stormglass::kernel::{Queue, SimTime};
///
/// let mut queue = Queue::new();
/// let late = queue.push(SimTime::from_nanos(20), "late");
/// queue.push(SimTime::from_nanos(10), "early");
/// assert_eq!(queue.pop(), Some((SimTime::from_nanos(10), "early")));
/// assert_eq!(queue.cancel(late), Some("late"));
/// assert_eq!(queue.pop(), None);
/// ```
pub struct Queue<E> {
    /// All events, and the free nodes between them.
    nodes: Vec<Node<E>>,
    /// The first free node, or [`NONE`]; the rest follow by `next`.
    free: u32,
    /// How many nodes hold an event.
    len: usize,
    /// The number the next event gets: pushes so far.
    pushed: u64,
    /// The time of the last event taken.
    now: SimTime,
    /// Where the events lie, as seen from `now`. Boxed, since 16 KB are better not moved about.
    lists: Box<Lists>,
}

/// Names a pending event until it is taken or cancelled; afterwards it names nothing.
///
/// Keys are never reused: a key kept too long does not reach another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKey {
    pushed: u64,
    node: u32,
}

struct Node<E> {
    at: SimTime,
    /// The number of the push that queued the event, which makes its key unique.
    pushed: u64,
    /// The node before this in its list; in the first of a list it means nothing.
    prev: u32,
    /// The node after this in its list or among the free; in the last of a list it means nothing.
    next: u32,
    /// `None` in a free node.
    event: Option<E>,
}

/// All lists, level by level.
struct Lists {
    /// Bit `w` is set while entry `w` of `occupied` is not zero.
    words: u32,
    /// Bit `l % 64` of entry `l / 64` is set while list `l` is occupied.
    occupied: [u64; WORDS],
    /// The tail of a list that is not occupied is [`NONE`]; its head means nothing.
    ends: [Ends; LEVELS * BYTES],
}

/// The first and the last node of a list.
#[derive(Clone, Copy)]
struct Ends {
    head: u32,
    tail: u32,
}

impl<E> Queue<E> {
    /// An empty queue at [`SimTime::ZERO`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            pushed: 0,
            now: SimTime::ZERO,
            lists: Box::new(Lists::EMPTY),
        }
    }

    /// Queues an event to happen at `at`, after all those already queued for that instant.
    ///
    /// # Panics
    /// If `at` is before [`now`](Self::now), since time does not run backwards, or if there are
    /// 2^32 - 1 pending events already.
    #[inline]
    pub fn push(&mut self, at: SimTime, event: E) -> EventKey {
        assert!(at >= self.now, "an event was queued for the past");
        let pushed = self.pushed;
        self.pushed += 1;
        self.len += 1;
        let index = self.free;
        let nodes = &mut self.nodes[..];
        let Some(node) = nodes.get_mut(index as usize) else {
            return self.grow(at, event);
        };
        self.free = node.next;
        node.at = at;
        node.pushed = pushed;
        node.event = Some(event);
        self.lists.append(nodes, place(at, self.now), index);
        EventKey {
            pushed,
            node: index,
        }
    }

    /// Takes the next event, and moves [`now`](Self::now) to its time.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        let list = self.lists.first()?;
        // An event alone in the first list is the next one, whatever the level.
        if list < BYTES || self.lists.is_single(list) {
            return Some(self.take_first(list));
        }
        Some(self.spread(list))
    }

    /// Takes the next event if it is due exactly at `now`, the time of the last event taken.
    ///
    /// A cheap way to drain an instant: events of one instant lie in one known list.
    ///
    /// # Panics
    /// If `now` is not [`now`](Self::now).
    #[inline]
    pub fn pop_at(&mut self, now: SimTime) -> Option<E> {
        assert!(
            now == self.now,
            "only the instant of the last event taken can be drained"
        );
        let list = place(now, now);
        if !self.lists.is_occupied(list) {
            return None;
        }
        Some(self.take_first(list).1)
    }

    /// Takes an event out of its turn: it will not happen. `None` if it has happened already.
    pub fn cancel(&mut self, key: EventKey) -> Option<E> {
        let node = self
            .nodes
            .get(key.node as usize)
            .filter(|node| node.is(key))?;
        let list = place(node.at, self.now);
        self.lists.unlink(&mut self.nodes, list, key.node);
        Some(self.release(key.node).1)
    }

    /// Moves an event to `at`, after all those already queued for that instant, also when it was
    /// due at that instant before. Its key stays valid. False if it has happened already.
    ///
    /// # Panics
    /// If `at` is before [`now`](Self::now).
    pub fn reschedule(&mut self, key: EventKey, at: SimTime) -> bool {
        assert!(at >= self.now, "an event was rescheduled to the past");
        let now = self.now;
        let Some(node) = self
            .nodes
            .get_mut(key.node as usize)
            .filter(|node| node.is(key))
        else {
            return false;
        };
        let from = place(node.at, now);
        node.at = at;
        self.lists.unlink(&mut self.nodes, from, key.node);
        self.lists.append(&mut self.nodes, place(at, now), key.node);
        true
    }

    /// The event of a key, for changing it where it is. `None` if it has happened already.
    pub fn get_mut(&mut self, key: EventKey) -> Option<&mut E> {
        self.nodes
            .get_mut(key.node as usize)
            .filter(|node| node.is(key))?
            .event
            .as_mut()
    }

    /// Empties the queue and gives its events in an order that depends only on what was done with
    /// the queue before, though not in the order of their times.
    ///
    /// The queue is empty at once, so that destructors of the events may use it again.
    pub fn drain(&mut self) -> impl Iterator<Item = E> + use<E> {
        let nodes = core::mem::take(&mut self.nodes);
        self.free = NONE;
        self.len = 0;
        *self.lists = Lists::EMPTY;
        nodes.into_iter().filter_map(|node| node.event)
    }

    /// The event of a key. `None` if it has happened already.
    #[must_use]
    pub fn get(&self, key: EventKey) -> Option<&E> {
        self.nodes
            .get(key.node as usize)
            .filter(|node| node.is(key))?
            .event
            .as_ref()
    }

    /// When the next event happens. Takes time in proportion to the events in the first list.
    #[must_use]
    pub fn next_at(&self) -> Option<SimTime> {
        let list = self.lists.first()?;
        if list < BYTES {
            return Some(self.nodes[self.lists.ends[list].head as usize].at);
        }
        Some(self.earliest(list).1)
    }

    /// The keys of all events for which `wanted` holds, in the order in which the events would be
    /// taken. Walks and sorts: meant for faults, which are rare.
    #[must_use]
    pub fn keys_where(&self, mut wanted: impl FnMut(&E) -> bool) -> Vec<EventKey> {
        let mut found = Vec::new();
        for list in (0..LEVELS * BYTES).filter(|list| self.lists.is_occupied(*list)) {
            let Ends { head, tail } = self.lists.ends[list];
            let mut index = head;
            loop {
                let node = &self.nodes[index as usize];
                if node.event.as_ref().is_some_and(&mut wanted) {
                    found.push((
                        node.at,
                        EventKey {
                            pushed: node.pushed,
                            node: index,
                        },
                    ));
                }
                if index == tail {
                    break;
                }
                index = node.next;
            }
        }
        // Ties share a list and were met in their order, which a stable sort keeps.
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// The time of the last event taken; no event can be queued before it.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }

    /// How many events are pending.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The node of the earliest event in an occupied list, and its time.
    #[inline]
    fn earliest(&self, list: usize) -> (u32, SimTime) {
        let Ends { head, tail } = self.lists.ends[list];
        let nodes = &self.nodes[..];
        // Of equal times the first in the list stays, also if all are the end of time.
        let (mut earliest, mut earliest_at) = (head, SimTime::MAX);
        let mut index = head;
        loop {
            let Node { at, next, .. } = nodes[index as usize];
            if at < earliest_at {
                (earliest, earliest_at) = (index, at);
            }
            if index == tail {
                return (earliest, earliest_at);
            }
            index = next;
        }
    }

    /// Takes the next event from a list of several above level 0, and moves the others to where
    /// they belong as seen from its time.
    #[inline(never)]
    fn spread(&mut self, list: usize) -> (SimTime, E) {
        let (earliest, now) = self.earliest(list);
        assert!(
            now > self.now,
            "a list above level 0 holds later events only"
        );
        self.now = now;
        let Ends { head, tail } = self.lists.ends[list];
        self.lists.vacate(list);
        let nodes = &mut self.nodes[..];
        let mut index = head;
        loop {
            let Node { at, next, .. } = nodes[index as usize];
            if index != earliest {
                self.lists.append(nodes, place(at, now), index);
            }
            if index == tail {
                break;
            }
            index = next;
        }
        self.release(earliest)
    }

    /// Takes the first event of a list in which it is the earliest.
    #[inline]
    fn take_first(&mut self, list: usize) -> (SimTime, E) {
        let Ends { head, tail } = self.lists.ends[list];
        if head == tail {
            self.lists.vacate(list);
        } else {
            self.lists.ends[list].head = self.nodes[head as usize].next;
        }
        let (at, event) = self.release(head);
        assert!(
            at >= self.now,
            "events are taken in the order of their times"
        );
        self.now = at;
        (at, event)
    }

    /// Queues an event in a new node at the end of the slab.
    #[cold]
    fn grow(&mut self, at: SimTime, event: E) -> EventKey {
        let pushed = self.pushed - 1;
        let index = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        assert!(index != NONE, "more than 2^32 - 1 events are pending");
        self.nodes.push(Node {
            at,
            pushed,
            prev: NONE,
            next: NONE,
            event: Some(event),
        });
        self.lists
            .append(&mut self.nodes, place(at, self.now), index);
        EventKey {
            pushed,
            node: index,
        }
    }

    /// Frees a node that is in no list any more.
    #[inline]
    fn release(&mut self, index: u32) -> (SimTime, E) {
        let node = &mut self.nodes[index as usize];
        let event = node.event.take().expect("a node in a list holds an event");
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        (node.at, event)
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Queue<E> {
    /// The time and the number of events; the lists would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("now", &self.now)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<E> Node<E> {
    /// Whether this node holds the event that `key` names.
    fn is(&self, key: EventKey) -> bool {
        self.pushed == key.pushed && self.event.is_some()
    }
}

impl Lists {
    const EMPTY: Self = Self {
        words: 0,
        occupied: [0; WORDS],
        ends: [Ends {
            head: NONE,
            tail: NONE,
        }; LEVELS * BYTES],
    };

    /// Puts a node at the end of a list.
    #[inline]
    fn append<E>(&mut self, nodes: &mut [Node<E>], list: usize, index: u32) {
        let ends = &mut self.ends[list];
        let before = ends.tail;
        ends.tail = index;
        nodes[index as usize].prev = before;
        if let Some(before) = nodes.get_mut(before as usize) {
            before.next = index;
            return;
        }
        ends.head = index;
        self.occupied[list / 64] |= 1 << (list % 64);
        self.words |= 1 << (list / 64);
    }

    /// Takes a node out of its list.
    fn unlink<E>(&mut self, nodes: &mut [Node<E>], list: usize, index: u32) {
        let Ends { head, tail } = self.ends[list];
        let Node { prev, next, .. } = nodes[index as usize];
        match (index == head, index == tail) {
            (true, true) => self.vacate(list),
            (true, false) => self.ends[list].head = next,
            (false, true) => self.ends[list].tail = prev,
            (false, false) => {
                nodes[prev as usize].next = next;
                nodes[next as usize].prev = prev;
            }
        }
    }

    /// Marks a list as empty.
    #[inline]
    fn vacate(&mut self, list: usize) {
        self.ends[list].tail = NONE;
        let word = list / 64;
        self.occupied[word] &= !(1 << (list % 64));
        if self.occupied[word] == 0 {
            self.words &= !(1 << word);
        }
    }

    /// The list that holds the next event.
    #[inline]
    fn first(&self) -> Option<usize> {
        if self.words == 0 {
            return None;
        }
        let word = self.words.trailing_zeros() as usize;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }

    #[inline]
    fn is_occupied(&self, list: usize) -> bool {
        self.occupied[list / 64] & (1 << (list % 64)) != 0
    }

    /// Whether an occupied list has one node.
    #[inline]
    fn is_single(&self, list: usize) -> bool {
        let Ends { head, tail } = self.ends[list];
        head == tail
    }
}

/// The list in which an event due at `at` belongs: the level of the highest byte in which the two
/// times differ (0 if they are equal), and in that level the list of the byte's value.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a byte is what is wanted")]
const fn place(at: SimTime, now: SimTime) -> usize {
    let differing = (at.as_nanos() ^ now.as_nanos()) | 1;
    let level = (u64::BITS - 1 - differing.leading_zeros()) / u8::BITS;
    let byte = (at.as_nanos() >> (level * u8::BITS)) as u8;
    level as usize * BYTES + byte as usize
}

/// Marks the end of the list of free nodes: not an index of a node.
const NONE: u32 = u32::MAX;
/// Values of a byte, and lists of a level. Digits of six bits, with a word of occupancy for each
/// level, would cost more: an event far away moves down once more, and levels are not shifts.
const BYTES: usize = 256;
/// Levels, one for each byte of a time.
const LEVELS: usize = 8;
/// Words that tell which lists are occupied.
const WORDS: usize = LEVELS * BYTES / 64;

const _: () = assert!(WORDS == u32::BITS as usize);
const _: () = assert!(LEVELS == size_of::<SimTime>());

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    /// The slow obvious queue: a sorted map, with a counter that breaks ties.
    #[derive(Default)]
    struct Model {
        events: BTreeMap<(u64, u64), usize>,
        places: BTreeMap<usize, (u64, u64)>,
        order: u64,
        now: u64,
    }

    impl Model {
        fn put(&mut self, at: u64, event: usize) {
            self.order += 1;
            self.events.insert((at, self.order), event);
            self.places.insert(event, (at, self.order));
        }

        fn remove(&mut self, event: usize) -> Option<usize> {
            let place = self.places.remove(&event)?;
            self.events.remove(&place)
        }

        fn next_at(&self) -> Option<u64> {
            self.events.first_key_value().map(|((at, _), _)| *at)
        }

        fn pop(&mut self) -> Option<(u64, usize)> {
            let ((at, _), event) = self.events.pop_first()?;
            self.places.remove(&event);
            self.now = at;
            Some((at, event))
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Push { delay: u64 },
        Pop,
        PopAt,
        Cancel { key: usize },
        Reschedule { key: usize, delay: u64 },
    }

    fn delay() -> impl Strategy<Value = u64> {
        // Ties, neighbours, the usual milliseconds, and the end of time.
        prop_oneof![
            4 => Just(0),
            4 => 0..4u64,
            4 => 0..1_000u64,
            2 => Just(50_000_000),
            2 => (0..4u64).prop_map(|n| n * 50_000_000),
            4 => 0..100_000_000u64,
            2 => any::<u64>(),
            1 => Just(u64::MAX),
            1 => (0..64u32, 0..3u64).prop_map(|(bit, less)| (1u64 << bit).saturating_sub(less)),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => delay().prop_map(|delay| Op::Push { delay }),
            5 => Just(Op::Pop),
            2 => Just(Op::PopAt),
            1 => any::<usize>().prop_map(|key| Op::Cancel { key }),
            1 => (any::<usize>(), delay()).prop_map(|(key, delay)| Op::Reschedule { key, delay }),
        ]
    }

    /// Does `ops` to a queue and to the model, and compares all that can be seen after each.
    fn check(ops: &[Op]) {
        let (mut queue, mut model) = (Queue::new(), Model::default());
        let mut keys: Vec<EventKey> = Vec::new();
        let nanos = SimTime::from_nanos;
        for op in ops {
            match *op {
                Op::Push { delay } => {
                    let at = model.now.saturating_add(delay);
                    model.put(at, keys.len());
                    keys.push(queue.push(nanos(at), keys.len()));
                }
                Op::Pop => {
                    let popped = queue.pop().map(|(at, event)| (at.as_nanos(), event));
                    assert_eq!(popped, model.pop());
                }
                Op::PopAt => {
                    let due = model.next_at() == Some(model.now);
                    let expected = if due {
                        model.pop().map(|(_, event)| event)
                    } else {
                        None
                    };
                    assert_eq!(queue.pop_at(queue.now()), expected);
                }
                Op::Cancel { key } if !keys.is_empty() => {
                    let event = key % keys.len();
                    assert_eq!(queue.cancel(keys[event]), model.remove(event));
                    assert_eq!(queue.get(keys[event]), None);
                }
                Op::Reschedule { key, delay } if !keys.is_empty() => {
                    let event = key % keys.len();
                    let at = model.now.saturating_add(delay);
                    let pending = model.remove(event).is_some();
                    if pending {
                        model.put(at, event);
                    }
                    assert_eq!(queue.reschedule(keys[event], nanos(at)), pending);
                    assert_eq!(queue.get(keys[event]), pending.then_some(&event));
                }
                Op::Cancel { .. } | Op::Reschedule { .. } => {}
            }
            assert_eq!(queue.now().as_nanos(), model.now);
            assert_eq!(queue.next_at().map(SimTime::as_nanos), model.next_at());
            assert_eq!(queue.len(), model.events.len());
            assert_eq!(queue.is_empty(), model.events.is_empty());
        }
        let expected: Vec<_> = model
            .events
            .values()
            .filter(|event| *event % 3 != 0)
            .map(|e| keys[*e])
            .collect();
        assert_eq!(queue.keys_where(|event| event % 3 != 0), expected);
        while let Some((at, event)) = queue.pop() {
            assert_eq!(Some((at.as_nanos(), event)), model.pop());
        }
        assert_eq!(model.pop(), None);
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map(ops in prop::collection::vec(op(), 0..300)) {
            check(&ops);
        }

        #[test]
        fn many_pending_events_leave_in_order(
            delays in prop::collection::vec(delay(), 0..2_000),
        ) {
            let mut ops: Vec<_> = delays.into_iter().map(|delay| Op::Push { delay }).collect();
            ops.extend((0..100).flat_map(|_| [Op::Pop, Op::Push { delay: 0 }, Op::PopAt]));
            check(&ops);
        }
    }

    #[test]
    fn ties_leave_in_the_order_of_their_queueing() {
        let (tie, mut queue) = (SimTime::from_nanos(1 << 40), Queue::new());
        // Queued from different distances, so that they arrive from different levels.
        let mut expected = Vec::new();
        for step in 0..6 {
            for event in step * 10..step * 10 + 3 {
                queue.push(tie, event);
                expected.push(event);
            }
            queue.push(
                SimTime::from_nanos((1 << 40) - (1 << (40 - 8 * step))),
                1_000 + step,
            );
            assert_eq!(queue.pop().map(|(_, event)| event), Some(1_000 + step));
        }
        let popped: Vec<_> = core::iter::from_fn(|| queue.pop())
            .map(|(_, event)| event)
            .collect();
        assert_eq!(popped, expected);
    }

    #[test]
    fn rescheduling_to_the_same_instant_goes_to_the_end_of_it() {
        let at = SimTime::from_nanos(5);
        let mut queue = Queue::new();
        let first = queue.push(at, "first");
        queue.push(at, "second");
        assert!(queue.reschedule(first, at));
        assert_eq!(queue.keys_where(|event| *event == "first"), [first]);
        assert_eq!(queue.pop(), Some((at, "second")));
        assert_eq!(queue.pop_at(at), Some("first"));
        assert!(!queue.reschedule(first, at));
    }

    #[test]
    fn a_stale_key_does_not_reach_the_event_in_its_node() {
        let at = SimTime::from_nanos(5);
        let mut queue = Queue::new();
        let stale = queue.push(at, 1);
        assert_eq!(queue.cancel(stale), Some(1));
        assert_eq!(queue.cancel(stale), None, "the node is free");
        let fresh = queue.push(at, 2);
        assert_eq!(stale.node, fresh.node, "the node is used again");
        assert_eq!(queue.cancel(stale), None);
        assert_eq!(queue.get_mut(stale), None);
        assert!(!queue.reschedule(stale, at));
        *queue.get_mut(fresh).expect("it is pending") = 3;
        assert_eq!(queue.pop(), Some((at, 3)));
        assert_eq!(queue.get(fresh), None);
    }

    #[test]
    fn keys_stay_unique_when_the_queue_was_drained() {
        let mut queue = Queue::new();
        let stale = queue.push(SimTime::from_nanos(9), 1);
        assert_eq!(queue.drain().collect::<Vec<_>>(), [1]);
        assert!(queue.is_empty());
        assert_eq!(queue.pop(), None);
        let fresh = queue.push(SimTime::from_nanos(9), 2);
        assert_eq!(queue.get(stale), None);
        assert_eq!(queue.get(fresh), Some(&2));
    }

    /// Counts how many of its clones are alive.
    #[derive(Clone)]
    struct Alive(Rc<Cell<i64>>);

    impl Alive {
        fn new(count: &Rc<Cell<i64>>) -> Self {
            count.set(count.get() + 1);
            Self(Rc::clone(count))
        }
    }

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    #[test]
    fn cancelling_leaves_no_garbage_behind() {
        let alive = Rc::new(Cell::new(0));
        let mut queue = Queue::new();
        let mut keys = Vec::new();
        for round in 0..1_000_000u64 {
            let at = SimTime::from_nanos(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
            keys.push(queue.push(at, Alive::new(&alive)));
            if keys.len() == 100 {
                for key in keys.drain(..) {
                    assert!(queue.cancel(key).is_some());
                }
                assert_eq!(alive.get(), 0, "the slab holds no event");
            }
        }
        assert!(queue.is_empty());
        assert_eq!(queue.nodes.len(), 100, "nodes are used again");
        assert_eq!(queue.lists.words, 0);
        assert!(queue.lists.ends.iter().all(|ends| ends.tail == NONE));
    }

    #[test]
    fn a_dropped_drain_drops_the_events() {
        let alive = Rc::new(Cell::new(0));
        let mut queue = Queue::new();
        for nanos in 0..10 {
            queue.push(SimTime::from_nanos(nanos), Alive::new(&alive));
        }
        drop(queue.pop());
        drop(queue.drain());
        assert_eq!(alive.get(), 0);
    }

    #[test]
    #[should_panic(expected = "queued for the past")]
    fn the_past_is_closed() {
        let mut queue = Queue::new();
        queue.push(SimTime::from_nanos(5), ());
        queue.pop();
        queue.push(SimTime::from_nanos(4), ());
    }

    #[test]
    #[should_panic(expected = "only the instant")]
    fn only_the_present_can_be_drained() {
        Queue::<()>::new().pop_at(SimTime::from_nanos(1));
    }

    #[test]
    fn the_key_is_16_bytes() {
        assert_eq!(size_of::<EventKey>(), 16);
    }
}
