//! The fewest of some items that are enough.
//!
//! Owns the search over a list. What an item is, and what is enough, is the caller's.
//!
//! Source: ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"
//! (IEEE TSE 2002, section 3.3): of what it leaves, nothing can be taken alone. Here only its
//! complements are tried, and a pass goes on where the last cut was made in place of beginning
//! again: a try is a whole run of a test. That takes about `2 * n` tries if nothing can go, some
//! `k * log n` if `k` of `n` items are needed, and at most `n * n`.

/// The fewest of some items of which a test still fails; no one of them can be left out.
pub(super) fn ddmin<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if items.is_empty() || fails(&[]) {
        return Vec::new();
    }
    let mut size = items.len().div_ceil(2);
    loop {
        let before = items.len();
        // From the end: what is late is needed by nothing that is early.
        let mut end = items.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let rest = [&items[..start], &items[end..]].concat();
            if !rest.is_empty() && fails(&rest) {
                items = rest;
            }
            end = start;
        }
        if size == 1 && items.len() == before {
            return items;
        }
        size = size.min(items.len()).div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against all subsets: it fails, and does so without no one of its items.
        #[test]
        fn nothing_can_be_left_out(causes in proptest::collection::vec(0_u32..1 << 10, 1..4)) {
            // It fails if all of any cause are there.
            let fails = |items: &[u32]| {
                let set = items.iter().fold(0, |set, item| set | 1 << item);
                causes.iter().any(|cause| cause & set == *cause)
            };
            let found = ddmin((0..10).collect(), fails);
            prop_assert!(fails(&found));
            for skipped in &found {
                let rest: Vec<u32> = found.iter().copied().filter(|item| item != skipped).collect();
                prop_assert!(!fails(&rest), "{found:?} without {skipped}");
            }
        }
    }

    #[test]
    fn few_tries_find_two_of_a_thousand() {
        let mut tries = 0;
        let found = ddmin((0..1_000).collect(), |items: &[u32]| {
            tries += 1;
            items.contains(&3) && items.contains(&717)
        });
        assert_eq!(found, [3, 717]);
        assert!(tries < 60, "{tries}");
    }
}
