//! Values that only grow, and writes that come after what they depend on.

use std::collections::BTreeMap;

use super::{Asked, Fault};
use crate::check::history::{History, Malformed, Value};

const HELP: &str = "a read gives a whole number, or nil for none";

/// Judges the workload `monotonic`: a value that only grows, such as a counter or a log's length,
/// is `read`; of each key, no process may see less than it saw before.
///
/// Blind spots: it says nothing of what different processes see.
///
/// # Errors
/// If a read is no whole number.
pub fn check_monotonic(history: &History) -> Result<Vec<Fault>, Malformed> {
    let mut last: BTreeMap<(u32, Option<&Value>), (i64, u32)> = BTreeMap::new();
    let mut faults = Vec::new();
    for read in Asked::all(history).filter(|asked| asked.invoke.f == "read") {
        let value = match read.ok() {
            None | Some(Value::Nil) => continue,
            Some(value) => value.as_int().ok_or_else(|| read.wrong(HELP))?,
        };
        let key = (read.invoke.process, read.invoke.key.as_ref());
        if let Some((before, id)) = last.insert(key, (value, read.id))
            && value < before
        {
            let because = format!("process {} read {before} and then {value}", key.0);
            faults.push(Fault::new("backwards", &[id, read.id], because));
        }
    }
    Ok(faults)
}

/// Judges the workload `causal-reverse`: blind `write`s of unique values, and `read`s that give a
/// list of those that are there. If a read has a value, it must have each whose write was
/// acknowledged before that value's write began: an effect is not seen without its cause (Lamport
/// 1978).
///
/// For each read, the value whose write began last decides: it must have all that were acknowledged
/// before. Time: n log n, and for each read the values that may be missing.
///
/// # Errors
/// If a read is no list.
pub fn check_causal(history: &History) -> Result<Vec<Fault>, Malformed> {
    const HELP: &str = "a read gives a list of the values that are there";
    let mut begun: BTreeMap<&Value, (u32, u32)> = BTreeMap::new();
    let mut acknowledged: Vec<(u32, &Value, u32)> = Vec::new();
    for write in Asked::all(history).filter(|asked| asked.invoke.f == "write") {
        let value = &write.invoke.value;
        begun.insert(value, (write.operation.invoke, write.id));
        if write.ok().is_some() {
            acknowledged.push((write.end_position(), value, write.id));
        }
    }
    acknowledged.sort_unstable();
    let mut faults = Vec::new();
    for read in Asked::all(history).filter(|asked| asked.invoke.f == "read") {
        if read.ok().is_none() {
            continue;
        }
        let mut seen: Vec<&Value> = read.list(HELP)?.iter().collect();
        seen.sort_unstable();
        let last = seen.iter().filter_map(|value| begun.get(value)).max();
        let Some((last, effect)) = last else { continue };
        let causes = acknowledged.partition_point(|(end, ..)| end < last);
        let missing = acknowledged[..causes]
            .iter()
            .find(|(_, value, _)| seen.binary_search(value).is_err());
        if let Some((_, value, cause)) = missing {
            let because =
                format!("a read lacks {value}, and has what was written after it was acknowledged");
            faults.push(Fault::new(
                "effect-without-cause",
                &[*cause, *effect, read.id],
                because,
            ));
        }
    }
    Ok(faults)
}
