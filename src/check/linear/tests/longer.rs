//! Histories that are too long for the brute force, against a search without reductions.

use super::*;

/// Whether there is an order, by trying all with a memory of what was tried: Wing & Gong's search
/// with Lowe's memory and no reduction, for histories that are too long for the brute force.
fn plain_search<M: Model>(model: &M, part: &Part<M::Op>) -> bool {
    let mut tried: crate::check::table::Interner<(u64, M::State)> = Default::default();
    let mut stack = vec![(0_u64, model.initial())];
    while let Some((done, state)) = stack.pop() {
        let left = |op: &usize| done >> op & 1 == 0;
        let limit = (0..part.len())
            .filter(left)
            .map(|op| part.returns[op])
            .min();
        if limit.is_none_or(|limit| limit == NEVER) {
            return true;
        }
        let before = tried.len();
        if tried.intern((done, state.clone())) as usize != before {
            continue;
        }
        for op in (0..part.len()).filter(left) {
            if part.calls[op] < limit.unwrap()
                && let Some(next) = model.step(&state, &part.ops[op])
            {
                stack.push((done | 1 << op, next));
            }
        }
    }
    false
}

/// Compares the engine, without its shortcuts, and the shortcuts with the plain search.
#[track_caller]
fn compare_longer<M: Model, F: FnMut(&mut Numbers) -> (&'static str, Value, Value)>(
    model: &M,
    seed: u64,
    ops: u64,
    object: impl Fn() -> F,
) {
    let mut numbers = Numbers::new(seed);
    let (mut linearizable, mut count) = (0, 0);
    while count < COUNT / 20 {
        let history = random_history(&mut numbers, (ops, 60), object());
        let parts = parts(model, &history, View::ALL).unwrap();
        let Some(part) = parts.first() else { continue };
        count += 1;
        let expected = plain_search(model, part);
        linearizable += u64::from(expected);
        let mut never = || false;
        let mut limits = Limits {
            configurations: 10_000_000,
            late: &mut never,
        };
        match search(model, part, &mut limits) {
            Found::Order(order) => {
                assert!(expected, "{}", history.to_edn());
                let ids: Vec<u32> = order.iter().map(|op| part.ids[*op as usize]).collect();
                assert_witness(model, part, &ids);
            }
            Found::Stuck(_) => assert!(!expected, "{}", history.to_edn()),
            Found::Spent(_) | Found::Late(_) => panic!("{}", history.to_edn()),
        }
        match model.shortcut(part) {
            Shortcut::Linearizable(_) => assert!(expected, "{}", history.to_edn()),
            Shortcut::Violation => assert!(!expected, "{}", history.to_edn()),
            Shortcut::Ambiguous => {}
        }
    }
    assert!(linearizable > count / 50, "{linearizable} of {count}");
    assert!(linearizable < count * 49 / 50, "{linearizable} of {count}");
}

#[test]
fn longer_histories_are_as_by_a_plain_search() {
    let pick = |n: &mut Numbers, below| i64::try_from(n.below(below)).unwrap();
    // Objects that do what is asked when they are asked, so that many histories are right.
    let register = Register::new()
        .with_failed_cas(OnFail::Refused)
        .with_initial(0);
    compare_longer(&register, 20, 24, || {
        let mut value = 0;
        move |n| match n.below(8) {
            0..=2 => ("read", Value::Nil, Value::from(value)),
            3 | 4 => {
                value = pick(n, 3);
                ("write", Value::from(value), Value::Nil)
            }
            _ => {
                let from = value;
                value = pick(n, 3);
                ("cas", Value::from([from, value]), Value::Nil)
            }
        }
    });
    let letter = |n: &mut Numbers| ["a", "b"][usize::try_from(n.below(2)).unwrap()];
    compare_longer(&Kv::new(), 21, 20, || {
        let mut text = String::new();
        move |n| match n.below(8) {
            0..=2 => ("get", Value::Nil, Value::from(&*text)),
            3 => {
                letter(n).clone_into(&mut text);
                ("put", Value::from(&*text), Value::Nil)
            }
            _ => {
                let value = letter(n);
                text += value;
                ("append", Value::from(value), Value::Nil)
            }
        }
    });
    compare_longer(&Queue, 22, 20, || {
        let mut into = 0;
        let mut held = std::collections::VecDeque::new();
        move |n| {
            if n.below(2) == 0 {
                into += 1;
                held.push_back(into);
                ("enqueue", Value::from(into), Value::Nil)
            } else {
                ("dequeue", Value::Nil, Value::from(held.pop_front()))
            }
        }
    });
    compare_longer(&Counter, 23, 20, || {
        let mut sum = 0;
        move |n| match n.below(3) {
            0 => ("read", Value::Nil, Value::from(sum)),
            _ => {
                let add = 1 + pick(n, 2);
                sum += add;
                ("add", Value::from(add), Value::Nil)
            }
        }
    });
}
