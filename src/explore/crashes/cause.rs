//! What a loss was, in words: the changes that were lost, and the sync that would have kept them.
//!
//! Owns the words and the guess. That no smaller loss fails makes the guess a good one: had this
//! sync been there, this very state could not be.

use core::fmt::Write as _;
use core::panic::Location;
use std::collections::{BTreeMap, BTreeSet};

use super::stack::way_to;
use crate::model::disk::{
    Ack, Before, Body, Change, CrashPoint, Fill, Image, Ino, Mark, Moment, Name, Op,
    SECTOR_MIN_BYTES, Spot, Syncing, Taken,
};

/// What may be known of a crash.
pub(crate) struct Cause<'a> {
    /// Which of the run's moments it is.
    number: usize,
    moment: &'a Moment,
    marks: &'a [Mark],
    acks: &'a [Ack],
    blame: Blame,
    paths: BTreeMap<Ino, String>,
    stacks: Taken,
}

/// What makes a loss one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// What was kept of later changes.
    Order,
    /// Not that: it fails without any later change too.
    Promise,
}

impl<'a> Cause<'a> {
    pub(crate) fn new(
        (number, moment): (usize, &'a Moment),
        marks: &'a [Mark],
        acks: &'a [Ack],
        blame: Blame,
    ) -> Self {
        Self {
            number,
            moment,
            marks,
            acks,
            blame,
            paths: paths(&moment.point),
            stacks: Taken::new(),
        }
    }

    /// All that is told may have happened at one of these.
    pub(crate) fn spots(&self) -> BTreeSet<Spot> {
        let calls = self.moment.point.pending.iter().map(|op| op.call);
        let acks = 0..self.acks.len();
        let spots = calls.map(Spot::Call).chain(acks.map(Spot::Ack));
        spots.chain([Spot::Moment(self.number)]).collect()
    }

    /// Tells too how the program came there.
    pub(crate) fn with_stacks(mut self, stacks: Taken) -> Self {
        self.stacks = stacks;
        self
    }

    /// When power was lost.
    pub(crate) fn when(&self) -> String {
        let mut text = match self.moment.before {
            Before::Sync(what) => format!("before the {}", self.sync(what)),
            Before::Ack => format!("before acknowledgement {}", self.moment.acks + 1),
            Before::End => "at the end".to_owned(),
        };
        text.push_str(&self.place(Spot::Moment(self.number), self.moment.place));
        text
    }

    /// Each change that was lost or torn.
    pub(crate) fn lost(&self) -> Vec<String> {
        let each = self.moment.point.pending.iter().zip(self.marks);
        each.filter_map(|(op, mark)| match mark {
            Mark::Kept => None,
            Mark::Lost => Some(self.change(op)),
            Mark::Torn(kept) => {
                let sectors = kept.iter().map(|page| page.count()).sum::<u32>();
                Some(format!(
                    "{}; {sectors} of its sectors kept",
                    self.change(op)
                ))
            }
        })
        .collect()
    }

    /// How many changes were kept though nothing had forced them.
    pub(crate) fn kept(&self) -> usize {
        self.marks
            .iter()
            .filter(|mark| **mark == Mark::Kept)
            .count()
    }

    /// The syncs that would have forced what was lost, each with where it belongs.
    pub(crate) fn missing(&self) -> Vec<String> {
        // The last change of all that one sync would have forced.
        let mut syncs: Vec<(Syncing, &Op)> = Vec::new();
        for (op, mark) in self.moment.point.pending.iter().zip(self.marks) {
            if *mark == Mark::Kept {
                continue;
            }
            for sync in wanted(&op.change) {
                match syncs.iter_mut().find(|(other, _)| *other == sync) {
                    Some((_, last)) => *last = op,
                    None => syncs.push((sync, op)),
                }
            }
        }
        let line =
            |(sync, op): &(Syncing, &Op)| format!("{}, {}", self.sync(*sync), self.before_what(op));
        syncs.iter().map(line).collect()
    }

    /// What came first after a lost change: an acknowledgement, or a change that was kept.
    fn before_what(&self, lost: &Op) -> String {
        let ack = self.acks[..self.moment.acks.min(self.acks.len())]
            .iter()
            .enumerate()
            .find(|(_, ack)| ack.next_op > lost.number);
        let mut later = self.moment.point.pending.iter().zip(self.marks);
        let kept = later.find(|(op, mark)| {
            let later = op.number > lost.number && op.call != lost.call;
            self.blame == Blame::Order && later && **mark != Mark::Lost
        });
        match (ack, kept) {
            (Some((number, ack)), kept) if kept.is_none_or(|(op, _)| ack.next_op <= op.number) => {
                let place = self.place(Spot::Ack(number), ack.place);
                format!("before acknowledgement {}{place}", number + 1)
            }
            (_, Some((op, _))) => format!("before the {}", self.change(op)),
            (_, None) => "before the end".to_owned(),
        }
    }

    fn sync(&self, what: Syncing) -> String {
        match what {
            Syncing::File(ino) => format!("sync of the file {}", self.path(ino)),
            Syncing::Content(ino) => format!("sync of the content of {}", self.path(ino)),
            Syncing::Directory(ino) => format!("sync of the directory {}", self.path(ino)),
            Syncing::Everything => "sync of everything".to_owned(),
        }
    }

    fn change(&self, op: &Op) -> String {
        let mut text = match &op.change {
            Change::Data { ino, patches, .. } => {
                let sector = SECTOR_MIN_BYTES as u64;
                let page = |index| index * crate::model::disk::PAGE_BYTES as u64;
                let first = patches.first().map_or(0, |patch| {
                    page(patch.index) + u64::from(patch.sectors.0.trailing_zeros()) * sector
                });
                let end = patches.last().map_or(0, |patch| {
                    page(patch.index + 1) - u64::from(patch.sectors.0.leading_zeros()) * sector
                });
                let path = self.path(*ino);
                format!("write to {path} in bytes {first}..{end}")
            }
            Change::Size { ino, from, to } => {
                format!("length of {} from {from} to {to}", self.path(*ino))
            }
            Change::Link { dir, name, .. } => format!("name {}", self.entry(*dir, name)),
            Change::Unlink { dir, name, .. } => {
                format!("removal of the name {}", self.entry(*dir, name))
            }
            Change::Rename { from, to, .. } => {
                let (from, to) = (self.entry(from.0, &from.1), self.entry(to.0, &to.1));
                format!("renaming of {from} to {to}")
            }
            Change::Attributes { ino, .. } => format!("attributes of {}", self.path(*ino)),
        };
        text.push_str(&self.place(Spot::Call(op.call), op.place));
        text
    }

    /// Where the program did something, and how it came there.
    fn place(&self, spot: Spot, place: Option<&Location<'_>>) -> String {
        let Some(place) = place else {
            return String::new();
        };
        let mut text = format!(" at {}:{}", place.file(), place.line());
        if let Some(stack) = self.stacks.get(&spot) {
            let way = way_to(&stack.to_string(), place);
            if !way.is_empty() {
                write!(text, " by {}", way.join(", ")).expect("a string takes every write");
            }
        }
        text
    }

    fn path(&self, ino: Ino) -> String {
        let path = self.paths.get(&ino).cloned();
        path.unwrap_or_else(|| format!("inode {}, which has no name", ino.0))
    }

    fn entry(&self, dir: Ino, name: &Name) -> String {
        let path = self.path(dir);
        let slash = if path.ends_with('/') { "" } else { "/" };
        format!("{path}{slash}{name}")
    }
}

/// What makes a change durable whatever the profile.
fn wanted(change: &Change) -> Vec<Syncing> {
    match change {
        Change::Data { ino, .. } | Change::Size { ino, .. } => vec![Syncing::Content(*ino)],
        Change::Attributes { ino, .. } => vec![Syncing::File(*ino)],
        Change::Link { dir, .. } | Change::Unlink { dir, .. } => vec![Syncing::Directory(*dir)],
        Change::Rename { from, to, .. } if from.0 == to.0 => vec![Syncing::Directory(to.0)],
        Change::Rename { from, to, .. } => {
            vec![Syncing::Directory(to.0), Syncing::Directory(from.0)]
        }
    }
}

/// A path of each inode that has one, or had one before the pending changes.
fn paths(point: &CrashPoint) -> BTreeMap<Ino, String> {
    let everything = vec![Mark::Kept; point.pending.len()];
    let mut paths = BTreeMap::new();
    for image in [&point.image(&everything, Fill::Zeros), &point.durable] {
        name_all(image, &mut paths);
    }
    paths
}

fn name_all(image: &Image, paths: &mut BTreeMap<Ino, String>) {
    let mut todo = vec![(Ino::ROOT, "/".to_owned())];
    while let Some((ino, path)) = todo.pop() {
        let known = paths.entry(ino).or_insert_with(|| path.clone()).clone();
        let Some(Body::Directory(directory)) = image.get(ino).map(|inode| &inode.body) else {
            continue;
        };
        for (name, other) in &directory.entries {
            let mut below = known.clone();
            if !below.ends_with('/') {
                below.push('/');
            }
            write!(below, "{name}").expect("a string takes every write");
            todo.push((*other, below));
        }
    }
}
