//! Anomalies planted among the transactions of a serializable database.

use super::*;

/// Transactions by what they do; each is invoked when its letter is first met in `order`, and ends
/// when it is met again.
struct Plant {
    class: Class,
    strength: Strength,
    workload: Workload,
    /// Steps in EDN, with `x`, `y` and `z` for fresh keys, and how the transaction ends.
    txns: &'static [(&'static str, Kind)],
    order: &'static str,
}

const AT_ONCE: &str = "abcdabcd";

#[rustfmt::skip]
const PLANTS: &[Plant] = {
    use Kind::{Fail, Ok};
    use Strength::{Plain, RealTime, Session};
    use Workload::{ListAppend, RwRegister};
    &[
        Plant { class: Class::G0, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [append y 2]", Ok), ("[append x 3] [append y 4]", Ok),
            ("[r x [1 3]] [r y [4 2]]", Ok)] },
        Plant { class: Class::G1a, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1]", Fail), ("[r x [1]]", Ok)] },
        Plant { class: Class::G1b, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [append x 2]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::G1c, strength: Plain, workload: ListAppend, order: AT_ONCE, txns: &[
            ("[append x 1] [r y [2]]", Ok), ("[append y 2] [r x [1]]", Ok)] },
        Plant { class: Class::DirtyUpdate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Fail), ("[append x 2]", Ok), ("[r x [1 2]]", Ok)] },
        Plant { class: Class::Garbage, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[r x [7]]", Ok)] },
        Plant { class: Class::Duplicate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Ok), ("[r x [1 1]]", Ok)] },
        Plant { class: Class::IncompatibleOrder, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[("[append x 1]", Ok), ("[append x 2]", Ok),
            ("[r x [1 2]]", Ok), ("[r x [2]]", Ok)] },
        Plant { class: Class::Internal, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1] [r x []]", Ok)] },
        Plant { class: Class::LostUpdate, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[r x []] [append x 1]", Ok), ("[r x []] [append x 2]", Ok),
            ("[r x [1 2]]", Ok)] },
        Plant { class: Class::GSingle, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[append x 1] [append y 2]", Ok), ("[r x [1]] [r y []]", Ok), ("[r y [2]]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: Plain, workload: ListAppend, order: AT_ONCE,
            txns: &[("[append x 1]", Ok), ("[append y 2]", Ok),
            ("[r x [1]] [r y []]", Ok), ("[r x []] [r y [2]]", Ok)] },
        Plant { class: Class::G2Item, strength: Plain, workload: ListAppend,
            order: AT_ONCE, txns: &[
            ("[r x []] [append y 1]", Ok), ("[r y []] [append x 2]", Ok),
            ("[r x [2]] [r y [1]]", Ok)] },
        Plant { class: Class::G0, strength: RealTime, workload: ListAppend,
            order: "aabbcc", txns: &[
            ("[append x 1]", Ok), ("[append x 2]", Ok), ("[r x [2 1]]", Ok)] },
        Plant { class: Class::G1c, strength: RealTime, workload: ListAppend, order: "bbaa", txns: &[
            ("[append x 1]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GSingle, strength: RealTime, workload: ListAppend, order: "aabbcc",
            txns: &[("[append x 1]", Ok), ("[r x []]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GSingle, strength: Session, workload: ListAppend, order: "aabb",
            txns: &[("[append x 1]", Ok), ("[r x []]", Ok)] },
        Plant { class: Class::G0, strength: Session, workload: ListAppend, order: "aabbcc", txns: &[
            ("[append x 1]", Ok), ("[append x 2]", Ok), ("[r x [2 1]]", Ok)] },
        Plant { class: Class::G1c, strength: Session, workload: ListAppend, order: "bbaa", txns: &[
            ("[append x 1]", Ok), ("[r x [1]]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: RealTime, workload: ListAppend,
            order: "bcddaabc", txns: &[("[r x []]", Ok), ("[append x 1]", Ok),
            ("[r x [1]] [r y []]", Ok), ("[append y 2]", Ok)] },
        Plant { class: Class::G2Item, strength: RealTime, workload: ListAppend, order: "bccaab",
            txns: &[("[r x []]", Ok), ("[append x 1] [r y []]", Ok), ("[append y 2]", Ok)] },
        Plant { class: Class::G1a, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1]", Fail), ("[r x 1]", Ok)] },
        Plant { class: Class::G1b, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1] [w x 2]", Ok), ("[r x 1]", Ok)] },
        Plant { class: Class::G1c, strength: Plain, workload: RwRegister, order: AT_ONCE, txns: &[
            ("[w x 1] [r y 2]", Ok), ("[w y 2] [r x 1]", Ok)] },
        Plant { class: Class::Garbage, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[r x 7]", Ok)] },
        Plant { class: Class::Internal, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1] [r x nil]", Ok)] },
        Plant { class: Class::LostUpdate, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1]", Ok), ("[r x 1] [w x 2]", Ok), ("[r x 1] [w x 3]", Ok)] },
        Plant { class: Class::GSingle, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[w x 1] [w y 2]", Ok), ("[r x 1] [r y nil]", Ok)] },
        Plant { class: Class::GNonadjacent, strength: Plain, workload: RwRegister, order: AT_ONCE,
            txns: &[("[w x 1]", Ok), ("[w y 2]", Ok),
            ("[r x 1] [r y nil]", Ok), ("[r x nil] [r y 2]", Ok)] },
        Plant { class: Class::G2Item, strength: Plain, workload: RwRegister,
            order: AT_ONCE, txns: &[
            ("[r x nil] [w y 1]", Ok), ("[r y nil] [w x 2]", Ok)] },
        Plant { class: Class::G1c, strength: RealTime, workload: RwRegister, order: "bbaa", txns: &[
            ("[w x 1]", Ok), ("[r x 1]", Ok)] },
        Plant { class: Class::GSingle, strength: RealTime, workload: RwRegister, order: "aabb",
            txns: &[("[w x 1]", Ok), ("[r x nil]", Ok)] },
    ]
};

/// So many plants of each kind.
const PLANTED: u64 = 1_000;

/// The steps of a plant with keys that nobody else has.
fn steps(text: &str, first_key: i64) -> String {
    let keys = [("x", first_key), ("y", first_key + 1), ("z", first_key + 2)];
    let mut text = format!("[{text}]");
    for (letter, key) in keys {
        text = text.replace(&format!(" {letter} "), &format!(" {key} "));
    }
    text
}

/// The events of a plant.
fn planted(plant: &Plant, first_key: i64, process: u32) -> Vec<(u32, Kind, Value)> {
    let mut events = Vec::new();
    let mut begun = Vec::new();
    for letter in plant.order.bytes() {
        let n = usize::from(letter - b'a');
        let Some((text, kind)) = plant.txns.get(n) else {
            continue;
        };
        let text = format!(
            "{{:process 0, :type :invoke, :value {}}}",
            steps(text, first_key)
        );
        let value = History::from_edn(&text).unwrap().events()[0].value.clone();
        let process = match plant.strength {
            Strength::Session => process,
            Strength::Plain | Strength::RealTime => process + u32::try_from(n).unwrap(),
        };
        let is_new = !begun.contains(&n);
        begun.push(n);
        events.push((process, if is_new { Kind::Invoke } else { *kind }, value));
    }
    events
}

#[test]
fn what_is_planted_is_found_and_named() {
    for (n, plant) in PLANTS.iter().enumerate() {
        for seed in 0..PLANTED {
            let mut world = World::new(plant.workload, Db::Serializable, seed);
            world.run(8);
            let mut plants = planted(plant, 100, 1000).into_iter().peekable();
            let mut history = History::new();
            let background = world.history.events();
            let mut left = background.len() as u64;
            for old in background {
                while left < plants.len() as u64 * (1 + world.numbers.below(8))
                    && let Some((process, kind, value)) = plants.next()
                {
                    event(&mut history, process, kind, value);
                }
                left -= 1;
                event(&mut history, old.process, old.kind, old.value.clone());
            }
            for (process, kind, value) in plants {
                event(&mut history, process, kind, value);
            }
            let txns = Transactions::from_history(plant.workload, &history).unwrap();
            let isolated = check_transactions(&txns).unwrap();
            let name = format!("plant {n} ({}), seed {seed}", plant.class.name());
            let found = isolated
                .anomalies
                .iter()
                .find(|anomaly| (anomaly.class, anomaly.strength) == (plant.class, plant.strength));
            let found = found.unwrap_or_else(|| panic!("{name}: {:#?}", isolated.anomalies));
            assert!(
                found
                    .because
                    .iter()
                    .all(|sentence| sentence.starts_with('T')),
                "{name}"
            );
            // Nothing weaker is said to be violated than what excludes the plant.
            let (weakest, _) = Level::judge(&[(plant.class, plant.strength)]);
            let excused = |level: &Level| weakest.iter().any(|weakest| level.implies(*weakest));
            assert!(
                isolated.violated.iter().all(excused),
                "{name}: {:#?}",
                isolated.anomalies
            );
        }
    }
}
