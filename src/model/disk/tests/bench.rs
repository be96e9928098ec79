//! A store on which each step is a call of its own.

use super::super::image::{Attributes, Body, Directory, File, Ino, Inode};
use super::super::profile::Profile;
use super::super::store::{Origin, Store, Syncing};

pub(super) const PLAIN: Attributes = Attributes {
    mode: 0o644,
    created_ns: 0,
    accessed_ns: 0,
    modified_ns: 0,
    changed_ns: 0,
};

pub(super) struct Bench {
    pub(super) store: Store,
    calls: u64,
}

impl Bench {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            store: Store::new(profile, PLAIN),
            calls: 0,
        }
    }

    pub(super) fn origin(&mut self) -> Origin {
        self.calls += 1;
        Origin {
            call: self.calls,
            place: None,
        }
    }

    pub(super) fn make(&mut self, dir: Ino, name: &str, body: Body) -> Ino {
        let links = 1;
        let attributes = PLAIN;
        let ino = self.store.create(&Inode {
            body,
            attributes,
            links,
        });
        let origin = self.origin();
        self.store.link(origin, dir, name.into(), ino);
        ino
    }

    pub(super) fn file(&mut self, name: &str) -> Ino {
        self.make(Ino::ROOT, name, Body::File(File::default()))
    }

    pub(super) fn directory(&mut self, dir: Ino, name: &str) -> Ino {
        let entries = Default::default();
        self.make(
            dir,
            name,
            Body::Directory(Directory {
                entries,
                parent: dir,
            }),
        )
    }

    pub(super) fn write(&mut self, ino: Ino, offset: u64, text: &str) {
        let origin = self.origin();
        self.store.write(origin, ino, offset, text.as_bytes());
    }

    pub(super) fn set_len(&mut self, ino: Ino, len: u64) {
        let origin = self.origin();
        self.store.set_len(origin, ino, len);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let origin = self.origin();
        let (from, to) = ((Ino::ROOT, from.into()), (Ino::ROOT, to.into()));
        self.store.rename(origin, from, to);
    }

    pub(super) fn unlink(&mut self, name: &str) {
        let origin = self.origin();
        self.store.unlink(origin, Ino::ROOT, name.into());
    }

    pub(super) fn sync(&mut self, what: Syncing) {
        let marks = self.store.forced(what, u64::MAX);
        self.store.persist_whole(&marks);
    }

    pub(super) fn sync_all(&mut self) {
        self.sync(Syncing::Everything);
        assert!(self.store.pending().is_empty());
        assert_eq!(self.store.visible().hash(), self.store.durable().hash());
    }
}
