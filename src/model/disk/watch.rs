//! What a run on a disk leaves for those who explore its crashes: the moments at which a loss of
//! power is worth trying, and what the program saw of the disk as it was at first.
//!
//! Owns the two lists. It must never know which states a moment has, or what is made of them.

use core::ops::Range;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::crash::CrashPoint;
use super::image::{Body, Image, Ino};
use super::page::Page;
use super::stacks::{Spot, Stacks};
use super::store::{Store, Syncing};
use crate::kernel::Digest;

/// What is recorded of a run.
///
/// Between two syncs each state of an earlier moment is one of the later moment too, unless
/// something was acknowledged between them. So there is a moment before each sync, one before each
/// acknowledgement that comes after new changes, and one at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The moments, in the order in which they came.
    pub(crate) moments: Vec<Moment>,
    /// The acknowledgements so far.
    pub(crate) acks: Vec<Ack>,
    /// What was observed, in the order in which it was first.
    pub(crate) observed: Vec<Observation>,
    known: BTreeSet<Observation>,
    /// Pages that were observed, and those that the program wrote whole before it read them: what
    /// they held at first is nothing to it.
    settled: PageSet,
    /// Inodes that were there at first; of others nothing is asked of the image.
    inodes: BTreeSet<Ino>,
    /// Set by whoever looks at how much room a file takes up.
    room: Arc<AtomicBool>,
    /// Call stacks, if any are wanted.
    pub(crate) stacks: Option<Box<Stacks>>,
}

/// Pages of files, 64 of them in a word: runs of pages come at once.
#[derive(Clone, Debug, Default)]
struct PageSet(BTreeMap<(Ino, u64), u64>);

/// An acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// The number that the next change had.
    pub(crate) next_op: u64,
    pub(crate) place: Option<&'static Location<'static>>,
}

/// A moment at which power may be lost.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) point: CrashPoint,
    /// How much was acknowledged before it.
    pub(crate) acks: usize,
    /// The number that the next change had.
    pub(crate) next_op: u64,
    pub(crate) before: Before,
    /// Where the program did what follows.
    pub(crate) place: Option<&'static Location<'static>>,
}

/// What comes right after a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Sync(Syncing),
    /// An acknowledgement.
    Ack,
    /// Nothing more.
    End,
}

/// Something that a program asks of a disk: a question to the image as it was when it was mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Observation {
    /// All names, and what they lead to but for the content of files: few programs have many.
    Tree,
    /// How long a file is, and which sectors of it cannot be read.
    Length(Ino),
    /// How much room all files take up: few programs ask for that of one.
    Room,
    /// A page of a file.
    Page(Ino, u64),
    /// All there is: where a disk may fail, more counts than what is told.
    Everything,
}

impl Watch {
    /// Begins with a disk that was mounted in this state.
    pub(crate) fn of(image: &Image) -> Self {
        Self {
            inodes: image.iter().map(|(ino, _)| ino).collect(),
            ..Self::default()
        }
    }

    /// To be called before everything that makes changes durable.
    pub(crate) fn before_sync(
        &mut self,
        store: &Store,
        what: Syncing,
        place: Option<&'static Location<'static>>,
    ) {
        self.note(store, Before::Sync(what), place);
    }

    /// To be called when the program acknowledges something, before anybody can know of it.
    pub(crate) fn acknowledged(
        &mut self,
        store: &Store,
        place: Option<&'static Location<'static>>,
    ) {
        let last = self.moments.last();
        if last.is_none_or(|last| last.next_op != store.next_op()) {
            self.note(store, Before::Ack, place);
        }
        self.met(Spot::Ack(self.acks.len()));
        self.acks.push(Ack {
            next_op: store.next_op(),
            place,
        });
    }

    /// To be called when the run is over.
    pub(crate) fn ended(&mut self, store: &Store) {
        self.note(store, Before::End, None);
        if self.room.load(Ordering::Relaxed) {
            self.observed(Observation::Room);
        }
    }

    /// To be called for all that the program is told of the disk. To be told again, or of what it
    /// made itself, changes nothing.
    pub(crate) fn observed(&mut self, observation: Observation) {
        if let Observation::Length(ino) = observation
            && !self.inodes.contains(&ino)
        {
            return;
        }
        if self.known.insert(observation) {
            self.observed.push(observation);
        }
    }

    /// To be called for all pages that the program reads.
    pub(crate) fn read_pages(&mut self, ino: Ino, pages: Range<u64>) {
        if !self.inodes.contains(&ino) {
            return;
        }
        let Self {
            settled, observed, ..
        } = self;
        settled.add(ino, pages, |page| {
            observed.push(Observation::Page(ino, page));
        });
    }

    /// To be called for all pages that the program writes whole.
    pub(crate) fn wrote_pages(&mut self, ino: Ino, pages: Range<u64>) {
        if self.inodes.contains(&ino) {
            self.settled.add(ino, pages, |_| {});
        }
    }

    /// To be called for all that may be a spot.
    pub(crate) fn met(&mut self, spot: Spot) {
        if let Some(stacks) = &mut self.stacks {
            stacks.met(spot);
        }
    }

    /// What is to be set by whoever looks at how much room a file takes up.
    pub(crate) const fn room(&self) -> &Arc<AtomicBool> {
        &self.room
    }

    fn note(&mut self, store: &Store, before: Before, place: Option<&'static Location<'static>>) {
        let (acks, next_op) = (self.acks.len(), store.next_op());
        if let Some(last) = self.moments.last()
            && (last.acks, last.next_op) == (acks, next_op)
        {
            // What may be left now might have been left then.
            return;
        }
        self.met(Spot::Moment(self.moments.len()));
        self.moments.push(Moment {
            point: CrashPoint::of(store),
            acks,
            next_op,
            before,
            place,
        });
    }
}

impl PageSet {
    /// Adds pages of a file, and tells of each that was not there.
    fn add(&mut self, ino: Ino, pages: Range<u64>, mut new: impl FnMut(u64)) {
        let mut page = pages.start;
        while page < pages.end {
            let (word, bit) = (page / PAGES_IN_WORD, page % PAGES_IN_WORD);
            let count = (PAGES_IN_WORD - bit).min(pages.end - page);
            let asked = (u64::MAX >> (PAGES_IN_WORD - count)) << bit;
            let there = self.0.entry((ino, word)).or_default();
            let mut missing = asked & !*there;
            *there |= asked;
            while missing != 0 {
                new(word * PAGES_IN_WORD + u64::from(missing.trailing_zeros()));
                missing &= missing - 1;
            }
            page += count;
        }
    }
}

impl Observation {
    /// What an image answers; equal for equal answers.
    pub(crate) fn of(self, image: &Image) -> u128 {
        match self {
            Self::Tree => tree(image),
            Self::Length(ino) => length(image, ino),
            Self::Room => room(image),
            Self::Page(ino, index) => {
                let page = image.file(ino).and_then(|file| file.content.page(index));
                page.map_or(0, Page::hash)
            }
            Self::Everything => image.hash(),
        }
    }
}

fn tree(image: &Image) -> u128 {
    let mut digest = Digest::new();
    for (ino, inode) in image.iter() {
        digest.absorb(ino.0, inode.links.into());
        let mode = inode.attributes.mode.into();
        match &inode.body {
            Body::File(_) => digest.absorb(FILE, mode),
            Body::Directory(directory) => {
                digest.absorb(DIRECTORY, mode);
                digest.absorb(directory.parent.0, directory.entries.len() as u64);
                for (name, ino) in &directory.entries {
                    digest.absorb_bytes(&name.0);
                    digest.absorb(ino.0, 0);
                }
            }
            Body::Symlink(target) => {
                digest.absorb(SYMLINK, mode);
                digest.absorb_bytes(target);
            }
        }
    }
    digest.value()
}

fn room(image: &Image) -> u128 {
    let mut digest = Digest::new();
    for (ino, inode) in image.iter() {
        if let Some(file) = inode.file() {
            digest.absorb(ino.0, file.content.pages());
        }
    }
    digest.value()
}

fn length(image: &Image, ino: Ino) -> u128 {
    let Some(file) = image.file(ino) else {
        return 0;
    };
    let len = 1 + u128::from(file.len);
    if file.unreadable.is_empty() {
        return len;
    }
    let mut digest = Digest::new();
    digest.absorb_value(len);
    for sector in &file.unreadable {
        digest.absorb(*sector, 0);
    }
    digest.value()
}

const PAGES_IN_WORD: u64 = u64::BITS as u64;

// What tells the kinds of inodes apart in a hash.
const FILE: u64 = 1;
const DIRECTORY: u64 = 2;
const SYMLINK: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_several_words_are_told_once() {
        let mut set = PageSet::default();
        let mut added = |ino, pages: Range<u64>| {
            let mut new = Vec::new();
            set.add(Ino(ino), pages, |page| new.push(page));
            new
        };
        assert_eq!(added(1, 62..66), [62, 63, 64, 65]);
        assert_eq!(added(1, 60..130).len(), 66);
        assert_eq!(added(1, 60..131), [130]);
        assert_eq!(added(2, 63..64), [63]);
        assert!(added(2, 63..63).is_empty());
        assert_eq!(added(2, 64..192).len(), 128);
    }
}
