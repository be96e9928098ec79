//! A small hash map from numbers to numbers, the same in every process.
//!
//! Owns its slots. It cannot be iterated, so its order can reach nothing; it only grows.

/// Finds a `u32` by a `u128`. Open addressing with linear probing, at most half full.
#[derive(Debug, Default)]
pub(super) struct NumberMap {
    /// A power of two long, or empty.
    slots: Vec<Option<(u128, u32)>>,
    len: usize,
}

impl NumberMap {
    #[inline]
    pub(super) fn get(&self, key: u128) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots[self.place(key)].map(|(_, value)| value)
    }

    /// Adds an entry, or gives the value that the key has already.
    pub(super) fn insert(&mut self, key: u128, value: u32) -> Option<u32> {
        if self.len * 2 >= self.slots.len() {
            self.grow();
        }
        let place = self.place(key);
        if let Some((_, present)) = self.slots[place] {
            return Some(present);
        }
        self.slots[place] = Some((key, value));
        self.len += 1;
        None
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = core::mem::replace(&mut self.slots, vec![None; slots]);
        for (key, value) in old.into_iter().flatten() {
            let place = self.place(key);
            self.slots[place] = Some((key, value));
        }
    }

    /// The slot of a key, or the free one where it belongs. At least half of them are free, so
    /// the search ends.
    #[inline]
    fn place(&self, key: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = hash(key) & mask;
        while self.slots[place].is_some_and(|(present, _)| present != key) {
            place = (place + 1) & mask;
        }
        place
    }
}

/// Multiplies by the golden ratio and takes the high bits, which depend on all lower ones. Keys
/// are node numbers and addresses, not an attacker's input.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a hash keeps the bits it wants"
)]
const fn hash(key: u128) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let high = ((key >> 64) as u64).wrapping_mul(GOLDEN);
    (((key as u64) ^ high).wrapping_mul(GOLDEN) >> 32) as usize
}

const SLOTS_MIN: usize = 16;
const _: () = assert!(SLOTS_MIN.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn agrees_with_a_tree() {
        let mut map = NumberMap::default();
        let mut tree = BTreeMap::new();
        assert_eq!(map.get(0), None);
        for i in 0..5_000_u32 {
            // Dense keys, sparse ones, and some twice.
            let key = u128::from(i % 4_000) << (i % 3 * 40);
            assert_eq!(map.insert(key, i), tree.get(&key).copied());
            tree.entry(key).or_insert(i);
        }
        assert!(
            tree.iter()
                .all(|(key, value)| map.get(*key) == Some(*value))
        );
        assert_eq!(map.get(u128::MAX), None);
        assert!(map.len * 2 <= map.slots.len());
    }
}
