//! The engine against a brute force, model by model, and against the files with known verdicts.

mod explanations;
mod longer;

use super::*;
use crate::check::history::{Event, Kind};
use crate::check::testing::Numbers;
use crate::kernel::SimTime;

/// Whether there is an order, by trying all of them.
fn brute_force<M: Model>(model: &M, part: &Part<M::Op>) -> bool {
    fn go<M: Model>(model: &M, part: &Part<M::Op>, state: &M::State, done: u32) -> bool {
        let left = |op: &usize| done >> op & 1 == 0;
        let Some(limit) = (0..part.len())
            .filter(left)
            .map(|op| part.returns[op])
            .min()
        else {
            return true;
        };
        if limit == NEVER {
            return true;
        }
        (0..part.len()).filter(left).any(|op| {
            part.calls[op] < limit
                && model
                    .step(state, &part.ops[op])
                    .is_some_and(|next| go(model, part, &next, done | 1 << op))
        })
    }
    go(model, part, &model.initial(), 0)
}

/// Asserts that an order is one: complete, allowed by real time, and possible.
#[track_caller]
fn assert_witness<M: Model>(model: &M, part: &Part<M::Op>, order: &[u32]) {
    let mut ops: Vec<usize> = order
        .iter()
        .map(|id| part.ids.iter().position(|other| other == id).unwrap())
        .collect();
    let mut state = model.initial();
    let mut last_call = 0;
    for op in &ops {
        last_call = last_call.max(part.calls[*op]);
        assert!(
            part.returns[*op] >= last_call,
            "real time: {order:?} of {part:?}"
        );
        let next = model.step(&state, &part.ops[*op]);
        state = next.unwrap_or_else(|| panic!("impossible at {op}: {order:?} of {part:?}"));
    }
    ops.sort_unstable();
    ops.dedup();
    assert_eq!(ops.len(), order.len(), "twice in {order:?}");
    let complete = (0..part.len()).all(|op| part.is_open(op) || ops.binary_search(&op).is_ok());
    assert!(complete, "{order:?} of {part:?}");
}

/// A random history of some operations, of which one in so many has an unknown outcome and as many
/// fail; `op` gives the name, what it takes and what it gives.
fn random_history(
    numbers: &mut Numbers,
    (ops, odds): (u64, u64),
    mut op: impl FnMut(&mut Numbers) -> (&'static str, Value, Value),
) -> History {
    let mut history = History::new();
    let mut open: Vec<(u32, &'static str, Value)> = Vec::new();
    let (mut process, mut begun) = (0, 0);
    let width = 1 + numbers.below(4);
    let mut push = |process, kind, f: &'static str, value| {
        let index = history.events().len() as u64;
        let event = Event {
            process,
            kind,
            f: f.into(),
            key: None,
            value,
            time: SimTime::ZERO,
            index,
        };
        history.push(event).unwrap();
    };
    while begun < ops || !open.is_empty() {
        if begun < ops && (open.len() as u64) < width && numbers.below(2) == 0 {
            let (f, takes, gives) = op(numbers);
            push(process, Kind::Invoke, f, takes);
            open.push((process, f, gives));
            (process, begun) = (process + 1, begun + 1);
        } else if !open.is_empty() {
            let at = usize::try_from(numbers.below(open.len() as u64)).unwrap();
            let (process, f, gives) = open.swap_remove(at);
            let kind = match numbers.below(odds) {
                0 => Kind::Info,
                1 => Kind::Fail,
                _ => Kind::Ok,
            };
            push(process, kind, f, gives);
        }
    }
    history
}

/// Compares the engine with the brute force; gives how many of the histories are linearizable.
#[track_caller]
fn compare<M: Model>(
    model: &M,
    seed: u64,
    count: u64,
    mut op: impl FnMut(&mut Numbers) -> (&'static str, Value, Value),
) -> u64 {
    let mut numbers = Numbers::new(seed);
    let mut linearizable = 0;
    for _ in 0..count {
        let ops = 1 + numbers.below(7);
        let history = random_history(&mut numbers, (ops, 10), &mut op);
        let parts = parts(model, &history, View::ALL).unwrap();
        let expected = parts.iter().all(|part| brute_force(model, part));
        match check_parts(model, &parts, &mut Budget::default()) {
            Verdict::Linearizable { orders } => {
                assert!(expected, "{}", history.to_edn());
                for (part, order) in parts.iter().zip(orders) {
                    assert_witness(model, part, &order);
                }
            }
            Verdict::Violation(_) => assert!(!expected, "{}", history.to_edn()),
            Verdict::Unknown { .. } => panic!("{}", history.to_edn()),
        }
        linearizable += u64::from(expected);
    }
    linearizable
}

/// How many histories of each kind are compared; a million of each with `STORMGLASS_LONG`.
const COUNT: u64 = if option_env!("STORMGLASS_LONG").is_some() {
    1_000_000
} else {
    20_000
};

/// Asserts that enough histories were of each verdict for the comparison to mean something.
#[track_caller]
fn both(linearizable: u64) {
    assert!(linearizable > COUNT / 20, "{linearizable} of {COUNT}");
    assert!(linearizable < COUNT * 19 / 20, "{linearizable} of {COUNT}");
}

fn small(numbers: &mut Numbers, below: i64) -> Value {
    Value::from(i64::try_from(numbers.below(u64::try_from(below).unwrap())).unwrap())
}

#[test]
fn registers_are_as_by_brute_force() {
    for meaning in [OnFail::DidNotHappen, OnFail::Refused] {
        let model = Register::new().with_initial(0).with_failed_cas(meaning);
        both(compare(&model, 1, COUNT, |n| match n.below(5) {
            0 | 1 => ("read", Value::Nil, small(n, 3)),
            2 | 3 => ("write", small(n, 3), Value::Nil),
            _ => (
                "cas",
                Value::from(vec![small(n, 3), small(n, 3)]),
                Value::Nil,
            ),
        }));
    }
}

/// Values that nobody else writes.
fn fresh() -> impl FnMut() -> i64 {
    let mut next = 0;
    move || {
        next = (next + 1) % 1000;
        next
    }
}

#[test]
fn unambiguous_registers_are_as_by_brute_force() {
    let model = Register::new().with_initial(0);
    let mut fresh = fresh();
    let mut last = 0;
    both(compare(&model, 2, COUNT, |n| {
        let recent = |n: &mut Numbers, last: i64| {
            Value::from((last - i64::try_from(n.below(3)).unwrap()).max(0))
        };
        match n.below(5) {
            0 | 1 => ("read", Value::Nil, recent(n, last)),
            2 | 3 => {
                last = fresh();
                ("write", Value::from(last), Value::Nil)
            }
            _ => {
                let from = recent(n, last);
                last = fresh();
                (
                    "cas",
                    Value::from(vec![from, Value::from(last)]),
                    Value::Nil,
                )
            }
        }
    }));
}

#[test]
fn stores_are_as_by_brute_force() {
    let texts = ["", "a", "b", "ab", "ba", "aa", "abb"];
    let any =
        |n: &mut Numbers, below: u64| Value::from(texts[usize::try_from(n.below(below)).unwrap()]);
    both(compare(&Kv::new(), 3, COUNT, |n| match n.below(4) {
        0 | 1 => ("get", Value::Nil, any(n, 7)),
        2 => ("append", any(n, 4), Value::Nil),
        _ => ("put", any(n, 4), Value::Nil),
    }));
}

#[test]
fn unambiguous_stores_are_as_by_brute_force() {
    let mut next = 0_u64;
    let mut text = String::new();
    both(compare(&Kv::new(), 4, COUNT, |n| match n.below(4) {
        0 | 1 => {
            // The text of late, or a beginning of it.
            let len = text
                .len()
                .saturating_sub(3 * usize::try_from(n.below(2)).unwrap());
            ("get", Value::Nil, Value::from(&text[..len]))
        }
        2 => {
            next = (next + 1) % 900;
            let value = (100 + next).to_string();
            text.push_str(&value);
            ("append", Value::from(value), Value::Nil)
        }
        _ => {
            next = (next + 1) % 900;
            let value = (100 + next).to_string();
            if n.below(2) == 0 {
                text.clone_from(&value);
            }
            ("put", Value::from(value), Value::Nil)
        }
    }));
}

#[test]
fn sets_are_as_by_brute_force() {
    let subset = |n: &mut Numbers| {
        let bits = n.below(8);
        Value::List(
            (0..3)
                .filter(|bit| bits >> bit & 1 == 1)
                .map(Value::Int)
                .collect(),
        )
    };
    both(compare(&Set, 5, COUNT, |n| match n.below(6) {
        0 | 1 => ("add", small(n, 3), Value::Nil),
        2 => ("remove", small(n, 3), Value::Nil),
        3 => ("contains", small(n, 3), Value::from(n.below(2) == 0)),
        _ => ("read", Value::Nil, subset(n)),
    }));
    // Each element once, and reads of what is newest.
    let mut next = 0;
    both(compare(&Set, 6, COUNT, |n| match n.below(3) {
        0 | 1 => {
            next = (next + 1) % 8;
            ("add", Value::from(next), Value::Nil)
        }
        _ => {
            let back = i64::try_from(n.below(4)).unwrap();
            let elements = (0..back).map(|back| Value::from((next + 8 - back) % 8));
            ("read", Value::Nil, Value::List(elements.collect()))
        }
    }));
}

#[test]
fn queues_are_as_by_brute_force() {
    both(compare(&Queue, 7, COUNT, |n| match n.below(4) {
        0 | 1 => ("enqueue", small(n, 2), Value::Nil),
        2 => ("dequeue", Value::Nil, small(n, 2)),
        _ => ("dequeue", Value::Nil, Value::Nil),
    }));
    let (mut into, mut out) = (0, 0);
    both(compare(&Queue, 8, COUNT, |n| {
        if n.below(2) == 0 {
            into = (into + 1) % 1000;
            ("enqueue", Value::from(into), Value::Nil)
        } else {
            if n.below(4) == 0 {
                return ("dequeue", Value::Nil, Value::Nil);
            }
            out = match n.below(4) {
                0 => into,
                1 => (into + 999) % 1000,
                _ => (out + 1) % 1000,
            };
            ("dequeue", Value::Nil, Value::from(out))
        }
    }));
}

#[test]
fn counters_are_as_by_brute_force() {
    both(compare(&Counter, 9, COUNT, |n| match n.below(5) {
        0 | 1 => ("add", Value::from(1), Value::Nil),
        2 => (
            "add",
            Value::from(i64::try_from(n.below(5)).unwrap() - 2),
            Value::Nil,
        ),
        _ => ("read", Value::Nil, small(n, 4)),
    }));
}

#[test]
fn locks_are_as_by_brute_force() {
    both(compare(&Lock, 10, COUNT, |n| match n.below(2) {
        0 => ("acquire", small(n, 2), Value::Nil),
        _ => ("release", small(n, 2), Value::Nil),
    }));
}

#[test]
fn multi_registers_are_as_by_brute_force() {
    let step = |n: &mut Numbers| {
        let (f, key, value) = match n.below(2) {
            0 => (
                "r",
                small(n, 2),
                if n.below(3) == 0 {
                    Value::Nil
                } else {
                    small(n, 2)
                },
            ),
            _ => ("w", small(n, 2), small(n, 2)),
        };
        Value::from(vec![Value::from(f), key, value])
    };
    both(compare(&MultiRegister, 11, COUNT, |n| {
        let steps = (0..1 + n.below(2)).map(|_| step(n)).collect();
        ("txn", Value::List(steps), Value::Nil)
    }));
}
