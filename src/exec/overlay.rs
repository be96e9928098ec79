//! Settings that faults change for a while, so that two which overlap leave what was there before.
//!
//! Owns, for each thing that is changed, what it was and the changes that are on. It must never
//! know what they mean.

use std::collections::BTreeMap;

/// Changes by faults of the kind `F` to things named by `K`, whose settings are a `B`.
#[derive(Debug)]
pub(super) struct Overlay<F, K, B, C> {
    changed: BTreeMap<K, Changed<F, B, C>>,
}

#[derive(Debug)]
struct Changed<F, B, C> {
    /// What it was before the first change.
    before: B,
    /// In the order in which they began.
    changes: Vec<(F, C)>,
}

/// What a thing should now be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Now<B> {
    /// As before all changes.
    Before(B),
    /// With the changes that are on.
    Changed(B),
}

impl<B> Now<B> {
    /// What it should be, changed or not.
    pub(super) fn either(self) -> B {
        match self {
            Self::Before(now) | Self::Changed(now) => now,
        }
    }
}

impl<F, K, B, C> Default for Overlay<F, K, B, C> {
    fn default() -> Self {
        Self {
            changed: BTreeMap::new(),
        }
    }
}

impl<F: Copy + PartialEq, K: Ord + Clone, B: Clone, C> Overlay<F, K, B, C> {
    /// Begins a change of one thing, which now is `before` unless it is changed already, and gives
    /// what it should be.
    pub(super) fn begin(
        &mut self,
        fault: F,
        key: K,
        change: C,
        before: impl FnOnce() -> B,
        with: impl FnMut(B, &C) -> B,
    ) -> B {
        let changed = self.changed.entry(key).or_insert_with(|| Changed {
            before: before(),
            changes: Vec::new(),
        });
        changed.changes.push((fault, change));
        changed.now(with)
    }

    /// Ends all changes by a fault, and gives what it changed and what that should now be.
    pub(super) fn end(&mut self, fault: F, mut with: impl FnMut(B, &C) -> B) -> Vec<(K, Now<B>)> {
        let mut ended = Vec::new();
        for (key, changed) in &mut self.changed {
            let count = changed.changes.len();
            changed.changes.retain(|(other, _)| *other != fault);
            if changed.changes.len() == count {
                continue;
            }
            ended.push((
                key.clone(),
                if changed.changes.is_empty() {
                    Now::Before(changed.before.clone())
                } else {
                    Now::Changed(changed.now(&mut with))
                },
            ));
        }
        self.changed
            .retain(|_, changed| !changed.changes.is_empty());
        ended
    }

    /// The changes of a thing that are on, in the order in which they began.
    pub(super) fn changes(&self, key: &K) -> impl Iterator<Item = &C> {
        let changed = self.changed.get(key).into_iter();
        changed.flat_map(|changed| changed.changes.iter().map(|(_, change)| change))
    }
}

impl<F, B: Clone, C> Changed<F, B, C> {
    fn now(&self, with: impl FnMut(B, &C) -> B) -> B {
        let changes = self.changes.iter().map(|(_, change)| change);
        changes.fold(self.before.clone(), with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up_and_leave_what_was_before() {
        let mut sums: Overlay<u32, &str, i64, i64> = Overlay::default();
        let add = |sum: i64, by: &i64| sum + by;
        assert_eq!(sums.begin(1, "a", 10, || 5, add), 15);
        assert_eq!(
            sums.begin(2, "a", 100, || unreachable!("it is changed"), add),
            115
        );
        assert_eq!(sums.begin(2, "b", 7, || 0, add), 7);
        assert_eq!(sums.end(1, add), [("a", Now::Changed(105))]);
        let rest = [("a", Now::Before(5)), ("b", Now::Before(0))];
        assert_eq!(sums.end(2, add), rest);
        assert_eq!(sums.changes(&"a").count(), 0);
        assert_eq!(sums.end(2, add), []);
    }
}
