//! Reads that disagree on the order of writes.

use super::{Asked, Fault};
use crate::check::history::{History, Malformed, Value};

const HELP: &str = "a read gives a list of steps [r key value], with nil for what is not there";

/// Judges the workload `long-fork`: single writes to keys that are nil before, each key written
/// once, and `read`s of several keys at once, whose answer is a list of steps `[r key value]`. Two
/// reads of the same keys must be comparable: one sees all that the other sees. A pair of which
/// each lacks what the other has is a long fork, which parallel snapshot isolation allows and
/// snapshot isolation does not (Sovran et al., "Transactional storage for geo-replicated systems",
/// SOSP 2011, section 3).
///
/// Reads are sorted by how much they see; if any two fork, two neighbours in this order do. Time n
/// log n for each group of keys.
///
/// # Errors
/// If a read has another form.
pub fn check_long_fork(history: &History) -> Result<Vec<Fault>, Malformed> {
    // The keys of each read, which of them it saw, and who read.
    let mut reads: Vec<(Vec<&Value>, Vec<bool>, u32)> = Vec::new();
    for asked in Asked::all(history) {
        let Some(Value::List(steps)) = asked.ok() else {
            continue;
        };
        let mut keys: Vec<(&Value, bool)> = Vec::new();
        for step in steps {
            let Some([f, key, value]) = step.as_list() else {
                return Err(asked.wrong(HELP));
            };
            if matches!(f.as_text(), Some("r" | "read")) {
                keys.push((key, !value.is_nil()));
            }
        }
        if keys.len() > 1 {
            keys.sort_unstable();
            let seen = keys.iter().map(|(_, seen)| *seen).collect();
            reads.push((keys.iter().map(|(key, _)| *key).collect(), seen, asked.id));
        }
    }
    let count = |seen: &[bool]| seen.iter().filter(|seen| **seen).count();
    reads.sort_by(|one, other| (&one.0, count(&one.1)).cmp(&(&other.0, count(&other.1))));
    let mut faults = Vec::new();
    for two in reads.windows(2) {
        let ((keys, one, id), (other_keys, other, other_id)) = (&two[0], &two[1]);
        if keys != other_keys {
            continue;
        }
        let only_one = one
            .iter()
            .zip(other)
            .position(|(one, other)| *one && !*other);
        let only_other = one
            .iter()
            .zip(other)
            .position(|(one, other)| !*one && *other);
        if let (Some(first), Some(second)) = (only_one, only_other) {
            let because = format!(
                "one read sees key {} and not {}, the other {} and not {}",
                keys[first], keys[second], keys[second], keys[first]
            );
            faults.push(Fault::new("long-fork", &[*id, *other_id], because));
        }
    }
    Ok(faults)
}
