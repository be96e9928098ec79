//! Numbers that are given once.

use super::{Asked, Fault};
use crate::check::history::{History, Value};
use crate::check::table::Interner;

/// Judges the workload `unique-ids`: each value that an operation `generate` gave must be given
/// once.
///
/// Blind spots: what was given to those who never heard of it.
#[must_use]
pub fn check_unique_ids(history: &History) -> Vec<Fault> {
    let mut ids: Interner<&Value> = Interner::default();
    let mut first = Vec::new();
    let mut faults = Vec::new();
    for generate in Asked::all(history).filter(|asked| asked.invoke.f == "generate") {
        let Some(id) = generate.ok() else { continue };
        let number = ids.intern(id) as usize;
        if number == first.len() {
            first.push(generate.id);
        } else {
            let because = format!("{id} was given twice");
            faults.push(Fault::new(
                "duplicate",
                &[first[number], generate.id],
                because,
            ));
        }
    }
    faults
}
