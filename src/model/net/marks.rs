//! What faults did to a packet that shows only when somebody receives it.
//!
//! Owns the set of families that acted on one packet. They count as effective when the packet makes
//! a difference at its end, and not at all if it is lost, late for nobody or one too many.

use crate::kernel::Family;

/// Families of faults that acted on a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u32);

const _: () = assert!(
    (Family::Reset as u32) < u32::BITS,
    "each family of the network has a bit"
);

impl Marks {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn of(family: Family) -> Self {
        Self(1 << family as u32)
    }

    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn contains(self, family: Family) -> bool {
        self.0 & Self::of(family).0 != 0
    }

    #[inline]
    pub(super) const fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) const fn remove(&mut self, others: Self) {
        self.0 &= !others.0;
    }

    pub(super) fn families(self) -> impl Iterator<Item = Family> {
        let all = Family::ALL.iter().copied().take(u32::BITS as usize);
        all.filter(move |family| self.contains(*family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_not_taken_out() {
        let mut marks = Marks::NONE;
        assert!(marks.is_empty());
        for family in [Family::Partition, Family::Hold, Family::Reset, Family::Hold] {
            marks.add(Marks::of(family));
        }
        marks.remove(Marks::of(Family::Reset));
        marks.remove(Marks::of(Family::Delay));
        assert!(marks.families().eq([Family::Partition, Family::Hold]));
        assert!(marks.contains(Family::Hold) && !marks.contains(Family::Reset));
    }
}
