//! The content of a file: a sparse tree of pages, shared between images, hashed as a Merkle tree.
//!
//! Owns which pages there are. A clone costs a pointer; a change copies the path to its page; the
//! hash walks only what changed since it was last asked for (Merkle 1987). It must never know how
//! long the file is.

use core::array;
use std::sync::{Arc, OnceLock};

use super::page::{PAGE_BYTES, Page, Sectors};
use crate::kernel::Digest;

/// Pages, each at an index. A page that is not there reads as zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blob {
    root: Slot,
    /// How many levels of nodes are above the pages.
    height: u32,
    pages: u64,
}

#[derive(Clone, Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Page(Page),
    Node(Arc<Node>),
}

#[derive(Debug)]
struct Node {
    slots: [Slot; FAN_OUT],
    /// The hash of what is below, once somebody asked.
    hash: OnceLock<u128>,
}

/// Slots of a node. A change copies one node a level, a hash walks one node a level.
const FAN_OUT: usize = 1 << FAN_OUT_BITS;
const FAN_OUT_BITS: u32 = 5;

impl Blob {
    /// How many pages take up space.
    pub(crate) const fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn page(&self, index: u64) -> Option<&Page> {
        if index >= self.span() {
            return None;
        }
        let mut slot = &self.root;
        let mut level = self.height;
        loop {
            match slot {
                Slot::Empty => return None,
                Slot::Page(page) => return Some(page),
                Slot::Node(node) => {
                    level -= 1;
                    slot = &node.slots[slot_at(index, level)];
                }
            }
        }
    }

    /// Puts a page in its place.
    pub(crate) fn set(&mut self, index: u64, page: Page) {
        *self.entry(index) = page;
    }

    /// Takes some sectors of `page` at `index`.
    pub(crate) fn take(&mut self, index: u64, page: &Page, sectors: Sectors) {
        if !sectors.is_empty() {
            self.entry(index).take(page, sectors);
        }
    }

    /// The page at `index`, which is made if it is not there.
    pub(crate) fn entry(&mut self, index: u64) -> &mut Page {
        while index >= self.span() {
            let mut node = Node::empty();
            node.slots[0] = core::mem::take(&mut self.root);
            if !matches!(node.slots[0], Slot::Empty) {
                self.root = Slot::Node(Arc::new(node));
            }
            self.height += 1;
        }
        let mut slot = &mut self.root;
        for level in (0..self.height).rev() {
            if let Slot::Empty = slot {
                *slot = Slot::Node(Arc::new(Node::empty()));
            }
            let Slot::Node(node) = slot else {
                unreachable!("pages are below level 0");
            };
            slot = &mut unshared(node).slots[slot_at(index, level)];
        }
        if let Slot::Empty = slot {
            *slot = Slot::Page(Page::zeroed());
            self.pages += 1;
        }
        let Slot::Page(page) = slot else {
            unreachable!("nodes are above level 0");
        };
        page
    }

    /// Takes away the pages from `first` on.
    pub(crate) fn cut(&mut self, first: u64) {
        if first == 0 {
            *self = Self::default();
            return;
        }
        if first >= self.span() {
            return;
        }
        let removed = cut_slot(&mut self.root, self.height, first);
        self.pages -= removed;
    }

    /// Reads at an offset; what is not there reads as zeros.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        for part in parts(offset, buffer.len()) {
            let into = &mut buffer[part.from..part.from + part.len()];
            match self.page(part.page) {
                Some(page) => into.copy_from_slice(&page.bytes()[part.start..part.end]),
                None => into.fill(0),
            }
        }
    }

    /// The highest index at which there is a page.
    pub(crate) fn last(&self) -> Option<u64> {
        last(&self.root, self.height, 0)
    }

    /// A hash of the content; the same for the same content, however it came about.
    pub(crate) fn hash(&self) -> u128 {
        self.root.hash()
    }

    /// Pages that a tree of this height has room for.
    const fn span(&self) -> u64 {
        let bits = FAN_OUT_BITS * self.height;
        if bits >= u64::BITS {
            u64::MAX
        } else {
            1 << bits
        }
    }
}

impl Slot {
    fn hash(&self) -> u128 {
        match self {
            Self::Empty => 0,
            Self::Page(page) => page.hash(),
            Self::Node(node) => node.hash(),
        }
    }
}

impl Node {
    fn empty() -> Self {
        Self {
            slots: array::from_fn(|_| Slot::Empty),
            hash: OnceLock::new(),
        }
    }

    fn hash(&self) -> u128 {
        *self.hash.get_or_init(|| {
            let mut digest = Digest::new();
            let mut others = false;
            for (number, slot) in (0..).zip(&self.slots).skip(1) {
                let hash = slot.hash();
                if hash != 0 {
                    others = true;
                    digest.absorb(number, 0);
                    digest.absorb_value(hash);
                }
            }
            let first = self.slots[0].hash();
            // A tree that is higher than it need be hashes as a lower one.
            if !others {
                return first;
            }
            digest.absorb(0, 0);
            digest.absorb_value(first);
            digest.value()
        })
    }
}

/// A part of a range of bytes that lies in one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) page: u64,
    /// Where it begins and ends in the page.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where it begins in the range.
    pub(crate) from: usize,
}

impl Part {
    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }
}

/// The pages that a range touches.
pub(crate) fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let page_bytes = PAGE_BYTES as u64;
    let mut from = 0;
    core::iter::from_fn(move || {
        if from == length {
            return None;
        }
        let at = offset + from as u64;
        let start = usize::try_from(at % page_bytes).expect("below the size of a page");
        let part = Part {
            page: at / page_bytes,
            start,
            end: PAGE_BYTES.min(start + (length - from)),
            from,
        };
        from += part.len();
        Some(part)
    })
}

fn slot_at(index: u64, level: u32) -> usize {
    let mask = FAN_OUT as u64 - 1;
    usize::try_from(index >> (FAN_OUT_BITS * level) & mask).expect("below the fan-out")
}

/// A node to change, which nobody shares; its hash is forgotten.
fn unshared(node: &mut Arc<Node>) -> &mut Node {
    if Arc::get_mut(node).is_none() {
        let slots = node.slots.clone();
        let hash = OnceLock::new();
        *node = Arc::new(Node { slots, hash });
    }
    let node = Arc::get_mut(node).expect("it was made for this tree alone");
    node.hash = OnceLock::new();
    node
}

/// Takes away the pages of a slot from `first` on, and says how many.
fn cut_slot(slot: &mut Slot, height: u32, first: u64) -> u64 {
    let (Slot::Node(node), Some(level)) = (&mut *slot, height.checked_sub(1)) else {
        return 0;
    };
    let node = unshared(node);
    let border = slot_at(first, level);
    let rest = first & ((1 << (FAN_OUT_BITS * level)) - 1);
    let mut removed = 0;
    let whole = if rest == 0 {
        border
    } else {
        removed += cut_slot(&mut node.slots[border], level, rest);
        border + 1
    };
    for slot in &mut node.slots[whole..] {
        let mut pages = Vec::new();
        list(slot, level, 0, &mut pages);
        removed += pages.len() as u64;
        *slot = Slot::Empty;
    }
    removed
}

fn list<'a>(slot: &'a Slot, height: u32, base: u64, pages: &mut Vec<(u64, &'a Page)>) {
    match slot {
        Slot::Empty => {}
        Slot::Page(page) => pages.push((base, page)),
        Slot::Node(node) => {
            for (number, slot) in (0..).zip(&node.slots) {
                let below = base + (number << (FAN_OUT_BITS * (height - 1)));
                list(slot, height - 1, below, pages);
            }
        }
    }
}

fn last(slot: &Slot, height: u32, base: u64) -> Option<u64> {
    match slot {
        Slot::Empty => None,
        Slot::Page(_) => Some(base),
        Slot::Node(node) => node
            .slots
            .iter()
            .enumerate()
            .rev()
            .find_map(|(number, slot)| {
                let below = base + ((number as u64) << (FAN_OUT_BITS * (height - 1)));
                last(slot, height - 1, below)
            }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    impl Blob {
        fn write(&mut self, offset: u64, bytes: &[u8]) {
            for part in parts(offset, bytes.len()) {
                let from = &bytes[part.from..part.from + part.len()];
                self.entry(part.page).bytes_mut()[part.start..part.end].copy_from_slice(from);
            }
        }

        fn iter(&self) -> Vec<(u64, &Page)> {
            let mut pages = Vec::new();
            list(&self.root, self.height, 0, &mut pages);
            pages
        }
    }

    fn page(content: u8) -> Page {
        Page::of([content; PAGE_BYTES])
    }

    #[test]
    fn a_clone_keeps_what_it_was() {
        let mut blob = Blob::default();
        blob.write(4090, b"over the border");
        let before = blob.clone();
        let hash = blob.hash();
        blob.write(4090, b"OVER");
        let mut buffer = [0; 15];
        before.read(4090, &mut buffer);
        assert_eq!(&buffer, b"over the border");
        assert_eq!(before.hash(), hash);
        assert_ne!(blob.hash(), hash);
        blob.write(4090, b"over");
        assert_eq!(blob.hash(), hash);
    }

    /// How many nodes of one tree are not nodes of another of the same height.
    fn not_shared(a: &Slot, b: &Slot) -> usize {
        match (a, b) {
            (Slot::Node(a), Slot::Node(b)) if !Arc::ptr_eq(a, b) => {
                let below = a.slots.iter().zip(&b.slots);
                1 + below.map(|(a, b)| not_shared(a, b)).sum::<usize>()
            }
            _ => 0,
        }
    }

    #[test]
    fn a_snapshot_of_a_gibibyte_copies_the_path_to_what_changes() {
        const PAGES: u64 = (1 << 30) / PAGE_BYTES as u64;
        let mut blob = Blob::default();
        let same = page(7);
        (0..PAGES).for_each(|index| blob.set(index, same.clone()));
        let snapshot = blob.clone();
        assert_eq!(not_shared(&blob.root, &snapshot.root), 0);
        blob.write((1 << 29) + 5, b"changed");
        assert_eq!(blob.pages(), PAGES);
        let copied = not_shared(&blob.root, &snapshot.root);
        assert_eq!(
            copied, 4,
            "one node a level: 32^4 pages are more than a gibibyte"
        );
        let mut buffer = [0; 7];
        snapshot.read((1 << 29) + 5, &mut buffer);
        assert_eq!(buffer, [7; 7]);
    }

    #[test]
    fn far_pages_cost_no_more_than_their_path() {
        let mut blob = Blob::default();
        blob.set(0, page(1));
        let low = blob.hash();
        blob.set(u64::MAX / PAGE_BYTES as u64, page(2));
        assert_eq!(blob.pages(), 2);
        blob.cut(1);
        assert_eq!(
            (blob.pages(), blob.hash()),
            (1, low),
            "height is not content"
        );
    }

    proptest! {
        /// Against a map of pages: content, count and hash.
        #[test]
        fn it_is_a_map_of_pages(changes in proptest::collection::vec(
            (0_u64..3000, 0_u8..4, proptest::bool::weighted(0.1)), 1..60,
        )) {
            let mut blob = Blob::default();
            let mut map = BTreeMap::new();
            let mut copies = Vec::new();
            for (index, content, cut) in changes {
                if cut {
                    blob.cut(index);
                    map.retain(|other, _| *other < index);
                } else {
                    blob.set(index, page(content));
                    map.insert(index, content);
                }
                copies.push((blob.clone(), map.clone()));
            }
            for (blob, map) in &copies {
                prop_assert_eq!(blob.pages(), map.len() as u64);
                let listed = blob.iter();
                let listed: Vec<_> = listed.iter().map(|(at, p)| (*at, p.bytes()[0])).collect();
                let expected: Vec<_> = map.iter().map(|(at, content)| (*at, *content)).collect();
                prop_assert_eq!(listed, expected);
                prop_assert_eq!(blob.last(), map.keys().last().copied());
            }
            for (blob, map) in &copies {
                for (other, other_map) in &copies {
                    let content = |map: &BTreeMap<u64, u8>| -> Vec<(u64, u8)> {
                        map.iter().map(|(a, c)| (*a, *c)).filter(|(_, c)| *c != 0).collect()
                    };
                    let same = content(map) == content(other_map);
                    prop_assert_eq!(blob.hash() == other.hash(), same);
                }
            }
        }
    }
}
