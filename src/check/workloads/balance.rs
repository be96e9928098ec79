//! What goes in and what comes out.

use super::{Asked, Fault};
use crate::check::history::{History, Malformed, Value};
use crate::check::linear::{Counter, Model as _, Shortcut, View, parts};
use crate::check::table::Interner;

/// What became of the values of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// How many were put in, as far as that is known.
    pub acknowledged: u64,
    /// How many came out that were put in, or may have been.
    pub received: u64,
    /// How many came out of which it was unknown whether they went in.
    pub recovered: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

#[derive(Default)]
struct Count {
    attempted: u64,
    acknowledged: u64,
    received: u64,
    last: u32,
}

const HELP: &str = "a drain gives a list of values";

/// Judges the workload `total-queue`: `enqueue`, `dequeue`, and `drain`, whose answer is a list of
/// all that was left. Every value that was acknowledged must come out, none more often than it may
/// have gone in. Order does not matter.
///
/// A value is *lost* if it never came out though it was acknowledged (if nothing drained the queue
/// at the end, that means nothing), *unexpected* if nobody tried to put it in, *duplicated* if it
/// came out more often than it was tried.
///
/// Blind spots: a dequeue of unknown outcome may have taken a value with it; then that many losses
/// are excused.
///
/// # Errors
/// If a drain gives no list.
pub fn check_total_queue(history: &History) -> Result<Balance, Malformed> {
    let mut numbers: Interner<&Value> = Interner::default();
    let mut counts: Vec<Count> = Vec::new();
    let mut swallowed = 0_u64;
    let mut result = Balance::default();
    let mut count = |value, id: u32| -> usize {
        let number = numbers.intern(value) as usize;
        if number == counts.len() {
            counts.push(Count::default());
        }
        counts[number].last = id;
        number
    };
    let mut taken = Vec::new();
    let mut put = Vec::new();
    for asked in Asked::all(history) {
        match (&*asked.invoke.f, asked.ok()) {
            ("enqueue", ok) => {
                let number = count(&asked.invoke.value, asked.id);
                put.push((number, asked.may_be_done(), ok.is_some()));
            }
            ("dequeue", Some(Value::Nil)) => {}
            ("dequeue", Some(value)) => taken.push(count(value, asked.id)),
            ("drain", Some(_)) => {
                for value in asked.list(HELP)? {
                    taken.push(count(value, asked.id));
                }
            }
            ("dequeue" | "drain", None) if asked.may_be_done() => swallowed += 1,
            _ => {}
        }
    }
    for (number, attempted, acknowledged) in put {
        counts[number].attempted += u64::from(attempted);
        counts[number].acknowledged += u64::from(acknowledged);
    }
    for number in taken {
        counts[number].received += 1;
    }
    let mut lost = Vec::new();
    for (value, count) in numbers.items().iter().zip(&counts) {
        result.acknowledged += count.acknowledged;
        result.received += count.received.min(count.attempted);
        let unsure = count.received.min(count.attempted);
        result.recovered += unsure.saturating_sub(count.acknowledged);
        if count.attempted == 0 && count.received > 0 {
            let because = format!("{value} came out, and nobody put it in");
            result
                .faults
                .push(Fault::new("unexpected", &[count.last], because));
        } else if count.received > count.attempted {
            let because = format!(
                "{value} came out {} times, and went in {} times",
                count.received, count.attempted
            );
            result
                .faults
                .push(Fault::new("duplicated", &[count.last], because));
        } else if count.received < count.acknowledged {
            let because = format!("{value} was acknowledged, and did not come out");
            lost.push(Fault::new("lost", &[count.last], because));
        }
    }
    let excused = usize::try_from(swallowed)
        .unwrap_or(usize::MAX)
        .min(lost.len());
    result.faults.extend(lost.into_iter().skip(excused));
    Ok(result)
}

/// Judges the workload `counter`: `add` and `read`; each read must lie between the sum of what was
/// surely added before it began and the sum of what may have been added before it ended. For more
/// than these bounds, judge it by the model [`Counter`].
///
/// # Errors
/// If a value is no whole number.
pub fn check_counter(history: &History) -> Result<Vec<Fault>, Malformed> {
    let mut faults = Vec::new();
    for part in parts(&Counter, history, View::ALL)? {
        if Counter.shortcut(&part) != Shortcut::Violation {
            continue;
        }
        // Which read it is, one finds by leaving out the others; reads are few where this happens.
        let is_read = |op: &usize| {
            let id = part.ids[*op] as usize;
            history.invocation(history.operations()[id]).f == "read"
        };
        let (reads, adds): (Vec<usize>, Vec<usize>) = (0..part.len()).partition(is_read);
        for read in reads {
            let mut ids: Vec<u32> = adds.iter().chain([&read]).map(|op| part.ids[*op]).collect();
            ids.sort_unstable();
            let view = View {
                only: Some(&ids),
                ..View::ALL
            };
            let alone = parts(&Counter, history, view)?;
            if alone
                .iter()
                .any(|part| Counter.shortcut(part) == Shortcut::Violation)
            {
                let read = part.ids[read];
                let operation = history.operations()[read as usize];
                let value = history.completion(operation).map(|end| &end.value);
                let value = value.unwrap_or(&Value::Nil);
                let because = format!("{value} is no sum that can have been there");
                faults.push(Fault::new("out-of-bounds", &[read], because));
            }
        }
    }
    Ok(faults)
}
