//! Numbers for things: equal items get one small number, in the order in which they first appear.
//!
//! Owns the one hash table of the checkers. std's maps hash by the machine's entropy and are not
//! used below floor 7; a `BTreeMap` is several times slower where a million values are numbered.
//! The hash is fixed, so the numbers and the time taken are the same in every run. It is no defence
//! against keys chosen to collide.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// A multiply-and-rotate hash of what is written to it, in the manner of Fx, with a final mix.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mix(u64);

/// An odd number without pattern: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Mix {
    pub(crate) fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(SPREAD);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(
                word.try_into().expect("a chunk has 8 bytes"),
            ));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 59));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(SPREAD);
        mixed ^ (mixed >> 29)
    }
}

/// The fixed hash of an item.
pub(crate) fn hash_of<T: Hash + ?Sized>(item: &T) -> u64 {
    let mut mix = Mix::default();
    item.hash(&mut mix);
    mix.finish()
}

/// An open-addressed table from hashes to small numbers; what is equal is for its owner to say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// The upper half of the hash, and the number plus one; 0 is an empty slot.
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl Slots {
    /// The number under `hash` of which `is` holds.
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let (tag, mut at) = (upper(hash), lower(hash) & mask);
        loop {
            let (its_tag, number) = self.slots[at];
            if number == 0 {
                return None;
            }
            if its_tag == tag && is(number - 1) {
                return Some(number - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts a number in, of which nothing equal is there. `hash_of` tells the hash of a number that
    /// was put in before, for when the table grows.
    pub(crate) fn put(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 8 > self.slots.len() * 5 {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![(0, 0); (old.len() * 2).max(16)];
            for (_, number) in old.into_iter().filter(|slot| slot.1 != 0) {
                self.place(hash_of(number - 1), number);
            }
        }
        self.used += 1;
        self.place(hash, number + 1);
    }

    fn place(&mut self, hash: u64, number: u32) {
        let mask = self.slots.len() - 1;
        let mut at = lower(hash) & mask;
        while self.slots[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = (upper(hash), number);
    }
}

fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a table")]
fn lower(hash: u64) -> usize {
    hash as usize
}

/// Items with their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    items: Vec<T>,
    hashes: Vec<u64>,
    slots: Slots,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            hashes: Vec::new(),
            slots: Slots::default(),
        }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The number of an item, a new one if it was not seen before.
    pub(crate) fn intern(&mut self, item: T) -> u32 {
        let hash = hash_of(&item);
        let items = &self.items;
        if let Some(number) = self.slots.find(hash, |n| items[n as usize] == item) {
            return number;
        }
        self.insert(hash, item)
    }

    /// As [`intern`](Self::intern), making the item only if it is new.
    pub(crate) fn intern_ref<Q>(&mut self, item: &Q) -> u32
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        let hash = hash_of(item);
        let items = &self.items;
        let is = |n: u32| items[n as usize].borrow() == item;
        match self.slots.find(hash, is) {
            Some(number) => number,
            None => self.insert(hash, item.to_owned()),
        }
    }

    /// The number of an item that was seen.
    pub(crate) fn find<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        self.slots
            .find(hash_of(item), |n| self.items[n as usize].borrow() == item)
    }

    fn insert(&mut self, hash: u64, item: T) -> u32 {
        let number = number(self.items.len());
        self.items.push(item);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.slots.put(hash, number, |n| hashes[n as usize]);
        number
    }
}

impl<T> Interner<T> {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }
}

/// A length as a number of an item.
///
/// # Panics
/// If there are 2^32 - 1 items or more: no history of that length fits into memory.
pub(crate) fn number(len: usize) -> u32 {
    let number = u32::try_from(len).expect("fewer than 2^32 items");
    assert!(number != u32::MAX, "the last number means none");
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_have_one_number() {
        let mut interner = Interner::default();
        for round in 0..2 {
            for n in 0..10_000_u32 {
                assert_eq!(interner.intern(n.wrapping_mul(n) | 1 << 31), {
                    // Squares of 16 bits and more collide with none below.
                    interner.find(&(n.wrapping_mul(n) | 1 << 31)).unwrap()
                });
            }
            assert_eq!(interner.len(), 10_000, "round {round}");
        }
        assert_eq!(*interner.get(0), 1 << 31);
        assert_eq!(interner.find(&7), None);
    }

    #[test]
    fn text_is_looked_up_without_a_copy() {
        let mut interner: Interner<String> = Interner::default();
        assert_eq!(interner.intern_ref("a"), 0);
        assert_eq!(interner.intern_ref("b"), 1);
        assert_eq!(interner.intern_ref("a"), 0);
        assert_eq!(interner.find("b"), Some(1));
        assert_eq!(interner.items(), ["a", "b"]);
    }
}
