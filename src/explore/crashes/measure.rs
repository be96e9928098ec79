//! What the benches measure: the images of a workload like redb's, by sharing and by copying.
//!
//! Owns the workload, and the copying that nothing else does.

use core::ops::ControlFlow;

use super::bounds::Bounds;
use super::states::{Marks, States};
use crate::kernel::Digest;
use crate::model::disk::{
    Attributes, Body, Change, CrashPoint, Fill, Image, Ino, Inode, Mark, Origin, PAGE_BYTES, Patch,
    SECTOR_MIN_BYTES, Sectors, Store, Syncing, Watch,
};

/// Crash states of twelve commits of 300 KB each to one file, whose first page each rewrites.
#[derive(Debug)]
pub struct Images {
    #[cfg(test)]
    file: Ino,
    moments: Vec<Listed>,
}

#[derive(Debug)]
struct Listed {
    point: CrashPoint,
    /// The durable content of the file.
    bytes: Vec<u8>,
    states: Vec<Marks>,
}

impl Images {
    /// The states that the default bounds list.
    #[must_use]
    pub fn like_redb() -> Self {
        let bounds = Bounds::default();
        let (watch, file) = workload(&bounds);
        let list = |point: CrashPoint| {
            let mut states = Vec::new();
            let end = States::of(&point, &bounds).each(&mut |marks| {
                states.push(marks);
                ControlFlow::<()>::Continue(())
            });
            debug_assert!(end.is_continue(), "the states come to an end");
            Listed {
                bytes: content(&point.durable, file),
                point,
                states,
            }
        };
        let points = watch.moments.into_iter().map(|moment| moment.point);
        Self {
            #[cfg(test)]
            file,
            moments: points.map(list).collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.moments.iter().map(|listed| listed.states.len()).sum()
    }

    /// Builds and hashes each image, which shares with others what they have in common.
    #[must_use]
    pub fn by_sharing(&self) -> u128 {
        self.sum(|listed, marks| listed.point.image(marks, Fill::Zeros).hash())
    }

    /// Builds and hashes each image as a copy of all its bytes.
    #[must_use]
    pub fn by_copying(&self) -> u128 {
        self.sum(|listed, marks| {
            let mut digest = Digest::new();
            digest.absorb_bytes(&listed.copy(marks));
            digest.value()
        })
    }

    fn sum(&self, hash: impl Fn(&Listed, &Marks) -> u128) -> u128 {
        let mut sum = 0;
        for listed in &self.moments {
            for marks in &listed.states {
                sum ^= hash(listed, marks);
            }
        }
        sum
    }
}

impl Listed {
    fn copy(&self, marks: &[Mark]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (op, mark) in self.point.pending.iter().zip(marks) {
            apply(&mut bytes, &op.change, mark);
        }
        bytes
    }
}

/// Commits as redb makes them: a few pages, a large value, a sync, the first page, and at every
/// other commit a further sync.
fn workload(bounds: &Bounds) -> (Watch, Ino) {
    const ROOT: Attributes = Attributes {
        mode: 0o755,
        created_ns: 0,
        accessed_ns: 0,
        modified_ns: 0,
        changed_ns: 0,
    };
    let mut store = Store::new(bounds.profile, ROOT);
    let mut watch = Watch::default();
    let file = store.create(&Inode {
        body: Body::File(Default::default()),
        attributes: ROOT,
        links: 1,
    });
    let mut call = 0;
    let mut origin = || {
        call += 1;
        Origin { call, place: None }
    };
    store.link(origin(), Ino::ROOT, "db".into(), file);
    store.set_len(origin(), file, 1 << 20);
    persist(&mut store, &mut watch);
    let page = |number: u64| number * PAGE_BYTES as u64;
    for commit in 0..COMMITS {
        let fill = u8::try_from(commit + 1).expect("few commits");
        if commit % 3 == 2 {
            store.set_len(origin(), file, (1 + commit / 3 + 1) << 20);
        }
        for number in 1..7 {
            store.write(
                origin(),
                file,
                page(number + commit % 2 * 6),
                &[fill; PAGE_BYTES],
            );
        }
        store.write(origin(), file, page(16 + commit * 74), &[fill; 300_000]);
        persist(&mut store, &mut watch);
        store.write(origin(), file, 0, &[fill; 512]);
        if commit % 2 == 1 {
            persist(&mut store, &mut watch);
        }
    }
    watch.ended(&store);
    (watch, file)
}

fn persist(store: &mut Store, watch: &mut Watch) {
    watch.before_sync(store, Syncing::Everything, None);
    let marks = store.forced(Syncing::Everything, u64::MAX);
    store.persist_whole(&marks);
}

/// All bytes of a file.
fn content(image: &Image, file: Ino) -> Vec<u8> {
    let Some(file) = image.file(file) else {
        return Vec::new();
    };
    let mut bytes = vec![0; usize::try_from(file.len).expect("it fits into memory")];
    file.content.read(0, &mut bytes);
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change, mark: &Mark) {
    match (change, mark) {
        (Change::Data { patches, .. }, Mark::Kept) => {
            for patch in patches {
                put(bytes, patch, patch.sectors);
            }
        }
        (Change::Data { patches, .. }, Mark::Torn(kept)) => {
            for (patch, kept) in patches.iter().zip(kept) {
                put(bytes, patch, *kept);
            }
        }
        (Change::Size { to, .. }, Mark::Kept) => {
            bytes.resize(usize::try_from(*to).expect("it fits into memory"), 0);
        }
        _ => {}
    }
}

fn put(bytes: &mut [u8], patch: &Patch, sectors: Sectors) {
    let page = usize::try_from(patch.index).expect("it fits into memory") * PAGE_BYTES;
    for sector in sectors.iter() {
        let from = sector * SECTOR_MIN_BYTES;
        // What lies beyond the end of the file is cut off.
        let Some(into) = bytes.get_mut(page + from..) else {
            return;
        };
        let len = into.len().min(SECTOR_MIN_BYTES);
        into[..len].copy_from_slice(&patch.page.bytes()[from..from + len]);
    }
}

const COMMITS: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_build_the_same_files() {
        let images = Images::like_redb();
        assert!(images.count() > 200, "{}", images.count());
        let points = images
            .moments
            .iter()
            .map(|listed| listed.point.pending.len());
        assert_eq!(
            points.clone().count(),
            19,
            "a moment for each sync, and the end"
        );
        assert_eq!(
            points.sum::<usize>(),
            102,
            "about as many changes as redb makes"
        );
        for listed in &images.moments {
            // Some of them: each is megabytes long.
            for marks in listed.states.iter().step_by(29) {
                let image = listed.point.image(marks, Fill::Zeros);
                // Without its name it is nowhere.
                let there = image.file(images.file).is_some();
                assert!(!there || content(&image, images.file) == listed.copy(marks));
            }
        }
    }
}
