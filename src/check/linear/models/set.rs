//! A set that grows, and may shrink.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Blocks, Call, Effect, Model, Outcome, Part, Shortcut};
use crate::check::table::{Interner, number};

/// A set of values, empty in the beginning.
///
/// Operations: `add` and `remove` of an element; `contains` of an element, whose answer is a
/// boolean; `read`, whose answer is a list of all elements in any order.
///
/// Without a search: histories of `add` and `read` in which each element is added once. Reads must
/// form a chain, and between two of its links stand the elements that are new.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// An operation of a [`Set`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// The element is in it from now on.
    Add(Value),
    /// The element is not in it from now on.
    Remove(Value),
    /// Whether the element was in it.
    Contains(Value, bool),
    /// All its elements, sorted.
    Read(Vec<Value>),
}

impl Model for Set {
    type State = Vec<Value>;
    type Op = SetOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<SetOp>, String> {
        let op = match (call.f, call.outcome) {
            ("add", Outcome::Ok(_) | Outcome::Unknown) => SetOp::Add(call.input.clone()),
            ("remove", Outcome::Ok(_) | Outcome::Unknown) => SetOp::Remove(call.input.clone()),
            ("read", Outcome::Ok(value)) => {
                let Some(elements) = value.as_list() else {
                    return Err(format!(
                        "`read` gives a list of elements, and this is {value}"
                    ));
                };
                let mut elements = elements.to_vec();
                elements.sort_unstable();
                elements.dedup();
                SetOp::Read(elements)
            }
            ("contains", Outcome::Ok(value)) => match value {
                Value::Bool(is) => SetOp::Contains(call.input.clone(), *is),
                other => return Err(format!("`contains` gives a boolean, and this is {other}")),
            },
            ("add" | "remove" | "read" | "contains", _) => return Ok(None),
            _ => return Err(no_such(call, "set", "add, remove, contains and read")),
        };
        Ok(Some(op))
    }

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, op: &SetOp) -> Option<Vec<Value>> {
        match op {
            SetOp::Add(element) => {
                let mut state = state.clone();
                if let Err(place) = state.binary_search(element) {
                    state.insert(place, element.clone());
                }
                Some(state)
            }
            SetOp::Remove(element) => {
                let mut state = state.clone();
                if let Ok(place) = state.binary_search(element) {
                    state.remove(place);
                }
                Some(state)
            }
            SetOp::Contains(element, is) => {
                (state.binary_search(element).is_ok() == *is).then(|| state.clone())
            }
            SetOp::Read(elements) => (elements == state).then(|| state.clone()),
        }
    }

    fn effect(&self, op: &SetOp) -> Effect {
        match op {
            SetOp::Add(_) | SetOp::Remove(_) => Effect::Blind,
            SetOp::Contains(..) | SetOp::Read(_) => Effect::Pure,
        }
    }

    fn shortcut(&self, part: &Part<SetOp>) -> Shortcut {
        chain(part).unwrap_or_else(|known| known)
    }

    fn describe(&self, op: &SetOp) -> String {
        match op {
            SetOp::Add(element) => format!("add {element}"),
            SetOp::Remove(element) => format!("remove {element}"),
            SetOp::Contains(element, is) => format!("contains {element} -> {is}"),
            SetOp::Read(elements) => format!("read -> {}", Value::List(elements.clone())),
        }
    }

    fn describe_state(&self, state: &Vec<Value>) -> String {
        format!("its elements are {}", Value::List(state.clone()))
    }
}

/// Puts reads in the order of their sizes, and each element before the first read that has it.
fn chain(part: &Part<SetOp>) -> Result<Shortcut, Shortcut> {
    let mut elements: Interner<&Value> = Interner::default();
    let (mut adds, mut reads) = (Vec::new(), Vec::new());
    for (op, what) in (0_u32..).zip(&part.ops) {
        match what {
            SetOp::Add(element) => {
                if elements.intern(element) as usize != adds.len() {
                    return Err(Shortcut::Ambiguous);
                }
                adds.push(op);
            }
            SetOp::Read(elements) => reads.push((elements.len(), op)),
            SetOp::Remove(_) | SetOp::Contains(..) => return Err(Shortcut::Ambiguous),
        }
    }
    // The sort is stable: equal reads stay in the order of their calls.
    reads.sort_by_key(|(len, _)| *len);
    let mut is_seen = vec![false; adds.len()];
    let mut seen = 0;
    let mut blocks = Blocks::with_initial();
    blocks.block();
    for (len, op) in reads {
        let SetOp::Read(read) = &part.ops[op as usize] else {
            continue;
        };
        let mut known = 0;
        let mut new = Vec::new();
        for element in read {
            match elements.find(&element) {
                Some(n) if is_seen[n as usize] => known += 1,
                Some(n) => new.push(n),
                // Nobody added it.
                None => return Err(Shortcut::Violation),
            }
        }
        if known != seen {
            // It lacks what a smaller or equal one has.
            return Err(Shortcut::Violation);
        }
        debug_assert_eq!(known + new.len(), len);
        // Elements are numbered in the order of calls.
        new.sort_unstable();
        for n in new {
            is_seen[n as usize] = true;
            seen += 1;
            blocks.op(adds[n as usize]);
        }
        blocks.op(op);
    }
    for n in 0..number(adds.len()) {
        let op = adds[n as usize];
        if !is_seen[n as usize] && !part.is_open(op as usize) {
            blocks.op(op);
        }
    }
    Ok(blocks.judge(part))
}
