//! Pages: 4 KiB of content that copies share, with the hash of what they hold.
//!
//! Owns the bytes. It must never know which file a page belongs to.

use core::fmt;
use std::sync::{Arc, OnceLock};

use crate::kernel::Digest;

/// Bytes of a page: what a page cache keeps and writes back as one.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bytes of the smallest sector that a disk may have: what it writes whole or not at all.
pub(crate) const SECTOR_MIN_BYTES: usize = 512;
/// The most sectors that a page can have; one bit of a [`Sectors`] each.
pub(crate) const SECTORS_MAX: usize = PAGE_BYTES / SECTOR_MIN_BYTES;

const _: () = assert!(
    SECTORS_MAX == u8::BITS as usize,
    "`Sectors` has a bit for each"
);

/// One page. A clone shares the bytes until either is changed.
#[derive(Clone)]
pub(crate) struct Page(Arc<Inner>);

struct Inner {
    bytes: [u8; PAGE_BYTES],
    /// The hash of the bytes, once somebody asked.
    hash: OnceLock<u128>,
}

/// Some of the smallest sectors of a page, lowest bit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sectors(pub(crate) u8);

impl Page {
    /// A page of zeros.
    pub(crate) fn zeroed() -> Self {
        Self::of([0; PAGE_BYTES])
    }

    pub(crate) fn of(bytes: [u8; PAGE_BYTES]) -> Self {
        let hash = OnceLock::new();
        Self(Arc::new(Inner { bytes, hash }))
    }

    pub(crate) fn bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.0.bytes
    }

    /// The bytes, for a change that no other clone of this page sees.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        if Arc::get_mut(&mut self.0).is_none() {
            *self = Self::of(self.0.bytes);
        }
        let inner = Arc::get_mut(&mut self.0).expect("it was made for this clone alone");
        inner.hash = OnceLock::new();
        &mut inner.bytes
    }

    /// Takes some sectors of `other`.
    pub(crate) fn take(&mut self, other: &Self, sectors: Sectors) {
        if sectors == Sectors::ALL {
            *self = other.clone();
            return;
        }
        let bytes = self.bytes_mut();
        for sector in sectors.iter() {
            let range = sector * SECTOR_MIN_BYTES..(sector + 1) * SECTOR_MIN_BYTES;
            bytes[range.clone()].copy_from_slice(&other.0.bytes[range]);
        }
    }

    /// Whether both are the same page by descent or by content.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
    }

    /// Whether both hold the same in some sectors.
    pub(crate) fn agrees(&self, other: &Self, sectors: Sectors) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || sectors.iter().all(|sector| {
                let range = sector * SECTOR_MIN_BYTES..(sector + 1) * SECTOR_MIN_BYTES;
                self.0.bytes[range.clone()] == other.0.bytes[range]
            })
    }

    /// A hash of the content; 0 for a page of zeros, which is as no page at all.
    pub(crate) fn hash(&self) -> u128 {
        *self.0.hash.get_or_init(|| {
            if self.0.bytes == [0; PAGE_BYTES] {
                return 0;
            }
            let mut digest = Digest::new();
            digest.absorb_bytes(&self.0.bytes);
            digest.value()
        })
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:032x})", self.hash())
    }
}

impl Sectors {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u8::MAX);

    /// Those that a range of bytes of the page touches.
    pub(crate) fn touched(start: usize, end: usize) -> Self {
        assert!(
            start <= end && end <= PAGE_BYTES,
            "the range is in the page"
        );
        if start == end {
            return Self::NONE;
        }
        let first = start / SECTOR_MIN_BYTES;
        let last = (end - 1) / SECTOR_MIN_BYTES;
        Self((u8::MAX >> (SECTORS_MAX - 1 - (last - first))) << first)
    }

    /// Their numbers in the page, from low to high.
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..SECTORS_MAX).filter(move |sector| self.0 >> sector & 1 == 1)
    }

    pub(crate) const fn count(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_until_one_is_changed() {
        let mut one = Page::zeroed();
        let other = one.clone();
        assert_eq!(one.hash(), 0);
        one.bytes_mut()[7] = 1;
        assert!(one.hash() != 0 && other.hash() == 0);
        assert!(!one.same(&other));
        one.bytes_mut()[7] = 0;
        assert!(one.same(&other) && one.hash() == other.hash());
    }

    #[test]
    fn some_sectors_are_taken() {
        let mut page = Page::zeroed();
        page.take(&Page::of([9; PAGE_BYTES]), Sectors::touched(512, 1025));
        let expected: Vec<u8> = (0..PAGE_BYTES)
            .map(|at| if (512..1536).contains(&at) { 9 } else { 0 })
            .collect();
        assert_eq!(page.bytes()[..], expected);
    }

    #[test]
    fn ranges_touch_sectors() {
        for (start, end, expected) in [
            (0, 0, 0),
            (0, 1, 0b1),
            (511, 513, 0b11),
            (512, 1024, 0b10),
            (4095, 4096, 0b1000_0000),
            (0, 4096, 0b1111_1111),
        ] {
            assert_eq!(
                Sectors::touched(start, end),
                Sectors(expected),
                "{start}..{end}"
            );
        }
        assert_eq!(Sectors(0b1010).iter().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(Sectors(0b1010).count(), 2);
    }
}
