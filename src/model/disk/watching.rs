//! A disk that is watched: what its calls observe, and the moments between them.
//!
//! Owns which call asks what of the disk. More than it asks may be said, and never less.

use core::panic::Location;
use std::backtrace::Backtrace;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::call::{Call, Fd, FileKind, Metadata};
use super::image::Ino;
use super::page::PAGE_BYTES;
use super::stacks::{Spot, Stacks};
use super::store::Syncing;
use super::watch::{Observation, Watch};
use super::{Around, Disk};

impl Disk {
    /// From now on, until [`watched`](Self::watched), it is recorded what programs do, with call
    /// stacks of some spots. The disk must have been mounted just now.
    pub(crate) fn watch(&mut self, stacks: BTreeSet<Spot>) {
        let mut watch = Watch::of(self.store.visible());
        if !stacks.is_empty() {
            watch.stacks = Some(Box::new(Stacks::wanted(stacks)));
        }
        self.watch = Some(watch);
    }

    /// The stack of whoever asks for a call now that is carried out later, if any are wanted.
    pub(crate) fn stack_of_asking(&self) -> Option<Arc<Backtrace>> {
        let stacks = self.watch.as_ref()?.stacks.as_ref()?;
        Some(stacks.asking())
    }

    /// Says where the calls that follow were asked for; `None` is where they are made.
    pub(crate) fn set_asked(&mut self, stack: Option<Arc<Backtrace>>) {
        if let Some(stacks) = self.watch.as_mut().and_then(|watch| watch.stacks.as_mut()) {
            stacks.set_asked(stack);
        }
    }

    /// Ends the watch and gives what it has seen.
    ///
    /// # Panics
    /// If nobody watches.
    pub(crate) fn watched(&mut self) -> Watch {
        let mut watch = self.watch.take().expect("it is watched");
        watch.ended(&self.store);
        watch
    }

    /// The program acknowledges something to the world outside.
    pub(crate) fn acknowledge(&mut self, place: Option<&'static Location<'static>>) {
        if let Some(watch) = &mut self.watch {
            watch.acknowledged(&self.store, place);
        }
    }

    /// Something is about to be made durable.
    pub(super) fn before_sync(&mut self, around: &Around, what: Syncing) {
        if let Some(watch) = &mut self.watch {
            watch.before_sync(&self.store, what, around.place);
        }
    }

    /// A call is about to be carried out.
    pub(super) fn observe(&mut self, call: &Call) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        match call {
            Call::Seek { fd, .. } | Call::SetLen { fd, .. } => {
                if let Ok(open) = self.files.get(*fd) {
                    watch.observed(Observation::Length(open.ino));
                }
            }
            // What these observe is noted where they are carried out.
            Call::Read { .. } | Call::Write { .. } => {}
            // What it syncs is known, and that it works is all that it is told.
            Call::Sync { .. } => {}
            // They find their way by names, kinds and permissions.
            _ => watch.observed(Observation::Tree),
        }
    }

    /// The program is told of a file's length, and of the room that it takes up, which counts when
    /// it is looked at.
    pub(super) fn observe_metadata(&mut self, mut metadata: Metadata) -> Metadata {
        if let Some(watch) = &mut self.watch
            && metadata.kind == FileKind::File
        {
            watch.observed(Observation::Length(metadata.ino));
            metadata.blocks.watched_by(Arc::clone(watch.room()));
        }
        metadata
    }

    /// Something may fail from now on.
    pub(super) fn observe_everything(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.observed(Observation::Everything);
        }
    }

    /// Bytes of an open file are about to be read.
    pub(super) fn observe_read(&mut self, fd: Fd, start: u64, length: usize) {
        let (Some(watch), Ok(open)) = (&mut self.watch, self.files.get(fd)) else {
            return;
        };
        watch.observed(Observation::Length(open.ino));
        let file = self.store.visible().file(open.ino);
        let end = start.saturating_add(length as u64);
        let end = end.min(file.map_or(0, |file| file.len));
        let page = PAGE_BYTES as u64;
        watch.read_pages(open.ino, start / page..end.div_ceil(page));
    }

    /// An open file is about to be written to: at its end perhaps, which may be told from there.
    pub(super) fn observe_write(&mut self, fd: Fd) {
        if let (Some(watch), Ok(open)) = (&mut self.watch, self.files.get(fd)) {
            watch.observed(Observation::Length(open.ino));
        }
    }

    /// Bytes of a file have been written.
    pub(super) fn observe_written(&mut self, ino: Ino, start: u64, length: usize) {
        if let Some(watch) = &mut self.watch {
            let page = PAGE_BYTES as u64;
            let (first, end) = (start.div_ceil(page), (start + length as u64) / page);
            watch.wrote_pages(ino, first..end.max(first));
        }
    }
}
