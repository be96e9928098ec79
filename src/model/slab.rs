//! A table with dense slots that are used again, and ids that are not.
//!
//! Owns the slots and their generations. It must never know what it holds.

/// Names an entry of one table: the slot, and which of the slot's entries in time.
///
/// An id whose entry is gone finds nothing, also when the slot is in use again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotId {
    slot: u32,
    generation: u32,
}

impl SlotId {
    /// Names no entry.
    pub(crate) const NONE: Self = Self {
        slot: u32::MAX,
        generation: u32::MAX,
    };

    /// Both halves in one number, for the trace.
    pub(crate) const fn number(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }
}

/// Entries by [`SlotId`]. Free slots are used again, the latest freed first.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// Beyond 2^32 entries at once.
    pub(crate) fn insert(&mut self, entry: T) -> SlotId {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.entry = Some(entry);
            return SlotId {
                slot,
                generation: place.generation,
            };
        }
        let slot = u32::try_from(self.slots.len()).expect("memory ends before 2^32 entries");
        self.slots.push(Slot {
            generation: 0,
            entry: Some(entry),
        });
        SlotId {
            slot,
            generation: 0,
        }
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        let place = self.slots.get_mut(id.slot as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let entry = place.entry.take()?;
        // 2^32 entries in one slot would bring a generation back; a run is over long before.
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(entry)
    }

    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        let place = self.slots.get_mut(id.slot as usize)?;
        if place.generation == id.generation {
            place.entry.as_mut()
        } else {
            None
        }
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        let place = self.slots.get(id.slot as usize)?;
        if place.generation == id.generation {
            place.entry.as_ref()
        } else {
            None
        }
    }

    /// The ids of the entries that are wanted, in slot order. Walks the whole table: for rare
    /// operations only.
    pub(crate) fn ids_where(&self, mut wanted: impl FnMut(&T) -> bool) -> Vec<SlotId> {
        let mut ids = Vec::new();
        for (slot, place) in (0..).zip(&self.slots) {
            if place.entry.as_ref().is_some_and(&mut wanted) {
                ids.push(SlotId {
                    slot,
                    generation: place.generation,
                });
            }
        }
        ids
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_id_finds_nothing_in_a_slot_used_again() {
        let mut slab = Slab::new();
        let old = slab.insert('a');
        assert_eq!(slab.remove(old), Some('a'));
        let new = slab.insert('b');
        assert_eq!(new.slot, old.slot);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&'b'));
        assert_ne!(old.number(), new.number());
    }

    #[test]
    fn ids_come_in_slot_order() {
        let mut slab = Slab::new();
        let ids: Vec<_> = (0..4).map(|n| slab.insert(n)).collect();
        slab.remove(ids[1]);
        assert_eq!(slab.ids_where(|n| *n != 2), [ids[0], ids[3]]);
        assert_eq!(slab.len(), 3);
    }
}
