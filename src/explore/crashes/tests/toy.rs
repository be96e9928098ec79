//! A machine right on a store: one directory, files by name, and what the watch is to be told.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::Location;

use super::super::engine::explore;
use super::super::machine::{Machine, Part, Run};
use super::super::{Bounds, CrashBug, Explored};
use crate::model::disk::{
    Attributes, Body, File, Image, Ino, Inode, Observation, Origin, Profile, Spot, Store, Syncing,
    Watch,
};

/// What a program under test holds.
pub(super) struct Desk<A> {
    store: Store,
    watch: Watch,
    calls: u64,
    acked: Vec<A>,
    /// Syncs so far, and which of them fails.
    syncs: usize,
    failing_sync: Option<usize>,
}

/// A sync that failed: what it was to make durable never will be.
#[derive(Debug)]
pub(super) struct SyncFailed;

const PLAIN: Attributes = Attributes {
    mode: 0o644,
    created_ns: 0,
    accessed_ns: 0,
    modified_ns: 0,
    changed_ns: 0,
};

const PAGE: u64 = 4096;

impl<A> Desk<A> {
    #[track_caller]
    fn origin(&mut self) -> Origin {
        self.calls += 1;
        Origin {
            call: self.calls,
            place: Some(Location::caller()),
        }
    }

    #[track_caller]
    pub(super) fn create(&mut self, name: &str) -> Ino {
        let origin = self.origin();
        let ino = self.store.create(&Inode {
            body: Body::File(File::default()),
            attributes: PLAIN,
            links: 1,
        });
        self.store.link(origin, Ino::ROOT, name.into(), ino);
        ino
    }

    pub(super) fn open(&mut self, name: &str) -> Option<Ino> {
        self.watch.observed(Observation::Tree);
        self.store.visible().entry(Ino::ROOT, &name.into())
    }

    pub(super) fn len(&mut self, ino: Ino) -> u64 {
        self.watch.observed(Observation::Length(ino));
        self.store.visible().file(ino).unwrap().len
    }

    pub(super) fn read(&mut self, ino: Ino, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let end = offset + len as u64;
        self.watch
            .read_pages(ino, offset / PAGE..end.div_ceil(PAGE));
        self.store
            .visible()
            .file(ino)
            .unwrap()
            .content
            .read(offset, &mut bytes);
        bytes
    }

    #[track_caller]
    pub(super) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let origin = self.origin();
        self.store.write(origin, ino, offset, bytes);
    }

    #[track_caller]
    pub(super) fn set_len(&mut self, ino: Ino, len: u64) {
        let origin = self.origin();
        self.store.set_len(origin, ino, len);
    }

    #[track_caller]
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let origin = self.origin();
        let (from, to) = ((Ino::ROOT, from.into()), (Ino::ROOT, to.into()));
        self.store.rename(origin, from, to);
    }

    #[track_caller]
    pub(super) fn unlink(&mut self, name: &str) {
        let origin = self.origin();
        self.store.unlink(origin, Ino::ROOT, name.into());
    }

    #[track_caller]
    pub(super) fn sync(&mut self, ino: Ino) -> Result<(), SyncFailed> {
        self.syncing(Syncing::File(ino))
    }

    #[track_caller]
    pub(super) fn sync_names(&mut self) -> Result<(), SyncFailed> {
        self.syncing(Syncing::Directory(Ino::ROOT))
    }

    #[track_caller]
    fn syncing(&mut self, what: Syncing) -> Result<(), SyncFailed> {
        self.watch
            .before_sync(&self.store, what, Some(Location::caller()));
        self.syncs += 1;
        let marks = self.store.forced(what, u64::MAX);
        if self.failing_sync == Some(self.syncs) {
            // Marked clean though it is not on the disk.
            self.store.persist(&marks, |_, _| {});
            return Err(SyncFailed);
        }
        self.store.persist_whole(&marks);
        Ok(())
    }

    #[track_caller]
    pub(super) fn ack(&mut self, value: A) {
        self.watch
            .acknowledged(&self.store, Some(Location::caller()));
        self.acked.push(value);
    }
}

/// A test of three parts.
pub(super) struct Toy<S, W, C> {
    pub(super) setup: S,
    pub(super) workload: W,
    pub(super) check: C,
    /// Which sync of the workload fails.
    pub(super) failing_sync: Option<usize>,
}

impl<A, S, W, C> Machine<A> for Toy<S, W, C>
where
    S: Fn(&mut Desk<A>),
    W: Fn(&mut Desk<A>),
    C: Fn(&mut Desk<A>, &[A]) -> Result<(), String>,
{
    fn run(
        &mut self,
        profile: Profile,
        disk: Image,
        part: Part<'_, A>,
        _: BTreeSet<Spot>,
    ) -> Run<A> {
        let mut desk = Desk {
            watch: Watch::of(&disk),
            store: Store::from_image(profile, disk),
            calls: 0,
            acked: Vec::new(),
            syncs: 0,
            failing_sync: None,
        };
        let mut result = Ok(());
        match part {
            Part::Setup => (self.setup)(&mut desk),
            Part::Workload => {
                desk.failing_sync = self.failing_sync;
                (self.workload)(&mut desk);
            }
            Part::Check(acked) => result = (self.check)(&mut desk, acked),
        }
        desk.watch.ended(&desk.store);
        Run {
            result,
            acked: desk.acked,
            visible: desk.store.visible().clone(),
            watch: desk.watch,
        }
    }
}

/// Explores a test without a setup.
pub(super) fn run<A: Debug>(
    bounds: &Bounds,
    workload: impl Fn(&mut Desk<A>),
    check: impl Fn(&mut Desk<A>, &[A]) -> Result<(), String>,
) -> Result<Explored, CrashBug> {
    let mut toy = Toy {
        setup: |_: &mut Desk<A>| {},
        workload,
        check,
        failing_sync: None,
    };
    explore(bounds, &mut toy)
}

/// A check that counts how often it is called and finds nothing.
pub(super) fn counting<A>(count: &Cell<u64>) -> impl Fn(&mut Desk<A>, &[A]) -> Result<(), String> {
    |_, _| {
        count.set(count.get() + 1);
        Ok(())
    }
}
