//! What becomes of each element of a set.

use super::{Asked, Fault};
use crate::check::history::{History, Malformed, Value};
use crate::check::table::Interner;

/// What became of the elements of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements {
    /// Elements that every read had that began late enough.
    pub stable: u64,
    /// Elements of which no read says anything: nobody read after them.
    pub never_read: u64,
    /// Elements that a read lacked which began after their addition was known, and that came back.
    pub stale: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// An element on its way.
struct Element<'a> {
    value: &'a Value,
    add: u32,
    /// The position at which it was known to be there: of the end of its addition, or of the first
    /// read that had it.
    known: u32,
    /// The last read that had it, and the last that should have and had not: where it began, and
    /// which it is.
    present: Option<(u32, u32)>,
    absent: Option<(u32, u32)>,
}

const HELP: &str = "a read gives a list of elements";

/// Judges the workload `set-full`: `add` of unique elements, and `read`s of all.
///
/// An element is known when its addition was acknowledged or a read had it. It is *lost* if the
/// last read that began after that lacks it; *stale* if one lacks it and a later one has it, which
/// is a fault only if `linearizable` reads are promised; *unexpected* if a read has it that nobody
/// added, or before it was added.
///
/// Time: the sum of the lengths of reads, and for each read the elements that it may lack.
///
/// # Errors
/// If a read is no list.
pub fn check_set_full(history: &History, linearizable: bool) -> Result<Elements, Malformed> {
    let mut numbers: Interner<&Value> = Interner::default();
    let mut elements: Vec<Element<'_>> = Vec::new();
    let mut faults = Vec::new();
    let mut reads = Vec::new();
    for asked in Asked::all(history) {
        match &*asked.invoke.f {
            "add" => {
                let value = &asked.invoke.value;
                if numbers.intern(value) as usize == elements.len() {
                    elements.push(Element {
                        value,
                        add: asked.id,
                        known: if asked.may_be_done() {
                            asked.end_position()
                        } else {
                            u32::MAX
                        },
                        present: None,
                        absent: None,
                    });
                }
            }
            "read" if asked.ok().is_some() => reads.push(asked),
            _ => {}
        }
    }
    // A read tells that an element is there at its end.
    let mut has: Vec<Vec<u32>> = Vec::with_capacity(reads.len());
    for read in &reads {
        let mut seen = Vec::new();
        for value in read.list(HELP)? {
            let number = numbers.find(&value);
            let known = number.filter(|n| {
                let add = elements[*n as usize].add;
                history.operations()[add as usize].invoke < read.end_position()
            });
            let Some(number) = known else {
                let because = format!("a read has {value}, which nobody had added");
                faults.push(Fault::new("unexpected", &[read.id], because));
                continue;
            };
            let element = &mut elements[number as usize];
            element.known = element.known.min(read.end_position());
            seen.push(number);
        }
        seen.sort_unstable();
        has.push(seen);
    }
    for (read, seen) in reads.iter().zip(&has) {
        let began = read.operation.invoke;
        for (number, element) in (0..).zip(&mut elements) {
            if seen.binary_search(&number).is_ok() {
                element.present = element.present.max(Some((began, read.id)));
            } else if element.known < began {
                element.absent = element.absent.max(Some((began, read.id)));
            }
        }
    }
    let mut result = Elements::default();
    for element in elements {
        match (element.present, element.absent) {
            (None, None) => result.never_read += 1,
            (Some(_), None) => result.stable += 1,
            (present, Some(absent)) if present < Some(absent) => {
                let because = format!("{} was there, and the last read lacks it", element.value);
                faults.push(Fault::new("lost", &[element.add, absent.1], because));
            }
            (_, Some(absent)) => {
                result.stale += 1;
                if linearizable {
                    let because = format!("{} was there, and a later read lacks it", element.value);
                    faults.push(Fault::new("stale", &[element.add, absent.1], because));
                }
            }
        }
    }
    result.faults = faults;
    Ok(result)
}
