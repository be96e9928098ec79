//! The enumeration against all subsets.

use core::ops::ControlFlow;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::bounds::Bounds;
use super::super::states::{Marks, States};
use super::super::telling::telling;
use crate::model::disk::{
    Attributes, Body, Change, CrashPoint, File, Fill, Ino, Inode, Mark, Origin, Profile, Store,
    Syncing,
};

const PLAIN: Attributes = Attributes {
    mode: 0o644,
    created_ns: 0,
    accessed_ns: 0,
    modified_ns: 0,
    changed_ns: 0,
};

/// A random step on a store with three files.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write {
        file: usize,
        at: u64,
        len: usize,
        byte: u8,
    },
    SetLen {
        file: usize,
        len: u64,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Unlink {
        file: usize,
    },
    Mode {
        file: usize,
        mode: u32,
    },
    Sync {
        file: usize,
    },
    SyncNames,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0_usize..3;
    prop_oneof![
        6 => (file.clone(), 0_u64..3, 1_usize..6000, 0_u8..3).prop_map(|(file, at, len, byte)| {
            Step::Write { file, at: at * 3000, len, byte }
        }),
        1 => (file.clone(), 0_u64..9000).prop_map(|(file, len)| Step::SetLen { file, len }),
        1 => (file.clone(), file.clone()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => file.clone().prop_map(|file| Step::Unlink { file }),
        1 => (file.clone(), 0_u32..2).prop_map(|(file, mode)| Step::Mode { file, mode }),
        1 => file.prop_map(|file| Step::Sync { file }),
        1 => Just(Step::SyncNames),
    ]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The crash point after some steps, as long as it has at most eight changes.
fn point(profile: Profile, steps: &[Step]) -> CrashPoint {
    let mut store = Store::new(profile, PLAIN);
    let mut point = CrashPoint::of(&store);
    for (call, step) in (0..).zip(steps) {
        let origin = Origin { call, place: None };
        let named = |store: &Store, file: usize| -> Option<Ino> {
            store.visible().entry(Ino::ROOT, &NAMES[file].into())
        };
        match *step {
            Step::Write {
                file,
                at,
                len,
                byte,
            } => {
                let ino = named(&store, file).unwrap_or_else(|| {
                    let ino = store.create(&Inode {
                        body: Body::File(File::default()),
                        attributes: PLAIN,
                        links: 1,
                    });
                    store.link(origin, Ino::ROOT, NAMES[file].into(), ino);
                    ino
                });
                store.write(origin, ino, at, &vec![byte; len]);
            }
            Step::SetLen { file, len } => {
                if let Some(ino) = named(&store, file) {
                    store.set_len(origin, ino, len);
                }
            }
            Step::Rename { from, to } => {
                if from != to && named(&store, from).is_some() {
                    let to = (Ino::ROOT, NAMES[to].into());
                    store.rename(origin, (Ino::ROOT, NAMES[from].into()), to);
                }
            }
            Step::Unlink { file } => {
                if named(&store, file).is_some() {
                    store.unlink(origin, Ino::ROOT, NAMES[file].into());
                }
            }
            Step::Mode { file, mode } => {
                if let Some(ino) = named(&store, file) {
                    store.set_attributes(origin, ino, Attributes { mode, ..PLAIN });
                }
            }
            Step::Sync { file } => {
                if let Some(ino) = named(&store, file) {
                    let marks = store.forced(Syncing::File(ino), u64::MAX);
                    store.persist_whole(&marks);
                }
            }
            Step::SyncNames => {
                let marks = store.forced(Syncing::Directory(Ino::ROOT), u64::MAX);
                store.persist_whole(&marks);
            }
        }
        if store.pending().len() > 8 {
            break;
        }
        point = CrashPoint::of(&store);
    }
    point
}

fn listed(point: &CrashPoint, bounds: &Bounds) -> Vec<Marks> {
    let mut listed = Vec::new();
    let end = States::of(point, bounds).each(&mut |marks| {
        listed.push(marks);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(end, ControlFlow::Continue(()));
    listed
}

fn kept(marks: &[Mark]) -> Vec<bool> {
    marks.iter().map(|mark| *mark == Mark::Kept).collect()
}

/// By the profile's own closure, which knows no tears: each torn change by itself is founded on
/// what is whole.
fn is_legal(point: &CrashPoint, marks: &[Mark]) -> bool {
    let founded = |kept: &[bool]| {
        let mut founded = kept.to_vec();
        point.profile.drop_unfounded(&point.pending, &mut founded);
        founded == kept
    };
    let whole = kept(marks);
    founded(&whole)
        && (0..marks.len())
            .filter(|op| matches!(marks[*op], Mark::Torn(_)))
            .all(|op| {
                let mut with = whole.clone();
                with[op] = true;
                founded(&with)
            })
}

/// All legal subsets.
fn subsets(point: &CrashPoint) -> Vec<Marks> {
    let count = point.pending.len();
    let marks = |subset: u32| -> Marks {
        (0..count)
            .map(|op| {
                if subset >> op & 1 == 1 {
                    Mark::Kept
                } else {
                    Mark::Lost
                }
            })
            .collect()
    };
    (0..1 << count)
        .map(marks)
        .filter(|marks| is_legal(point, marks))
        .collect()
}

fn hashes(point: &CrashPoint, states: &[Marks]) -> BTreeSet<u128> {
    states
        .iter()
        .map(|marks| point.image(marks, Fill::Zeros).hash())
        .collect()
}

proptest! {
    #[test]
    fn all_subsets_are_all_legal_subsets(
        steps in proptest::collection::vec(step(), 1..12),
        profile in proptest::sample::select(Profile::ALL),
    ) {
        let point = point(profile, &steps);
        let bounds = Bounds { torn: false, random: 0, ..Bounds::default() };
        let (listed, all) = (listed(&point, &bounds), subsets(&point));
        prop_assert_eq!(hashes(&point, &listed), hashes(&point, &all));
        if telling(&point).len() == point.pending.len() {
            let sets = |states: &[Marks]| -> BTreeSet<Vec<bool>> {
                states.iter().map(|marks| kept(marks)).collect()
            };
            prop_assert_eq!(sets(&listed), sets(&all));
        }
    }

    #[test]
    fn whatever_is_listed_is_legal(
        steps in proptest::collection::vec(step(), 1..12),
        profile in proptest::sample::select(Profile::ALL),
        exhaustive_up_to in 0_usize..6,
        pairs_up_to in 0_usize..9,
        seed in any::<u64>(),
    ) {
        let point = point(profile, &steps);
        let bounds = Bounds { exhaustive_up_to, pairs_up_to, seed, ..Bounds::default() };
        let listed = listed(&point, &bounds);
        for marks in &listed {
            prop_assert!(is_legal(&point, marks), "{marks:?} of {:?}", point.pending);
        }
        // The bounds leave out much, but neither nothing nor everything.
        let count = point.pending.len();
        prop_assert!(listed.contains(&vec![Mark::Kept; count]));
        let nothing = hashes(&point, &[vec![Mark::Lost; count]]);
        prop_assert!(nothing.is_subset(&hashes(&point, &listed)));
        prop_assert_eq!(listed.clone(), self::listed(&point, &bounds), "the same each time");
    }
}

fn writes(profile: Profile, count: u64, len: usize) -> CrashPoint {
    let steps: Vec<Step> = (0..count)
        .map(|n| Step::Write {
            file: 0,
            at: n * len as u64,
            len,
            byte: 1,
        })
        .collect();
    let mut store = Store::new(profile, PLAIN);
    let ino = store.create(&Inode {
        body: Body::File(File::default()),
        attributes: PLAIN,
        links: 1,
    });
    store.link(
        Origin {
            call: 0,
            place: None,
        },
        Ino::ROOT,
        "a".into(),
        ino,
    );
    let marks = store.forced(Syncing::Everything, u64::MAX);
    store.persist_whole(&marks);
    for (call, step) in (1..).zip(steps) {
        let Step::Write { at, len, byte, .. } = step else {
            unreachable!("only writes")
        };
        store.write(Origin { call, place: None }, ino, at, &vec![byte; len]);
    }
    CrashPoint::of(&store)
}

/// Counts the states of some appends, class by class.
#[track_caller]
fn check(bounds: &Bounds, appends: u64, expected: usize) {
    let point = writes(Profile::Adversarial, appends, 4096);
    assert_eq!(point.pending.len() as u64, 2 * appends, "bytes and length");
    assert_eq!(listed(&point, bounds).len(), expected);
}

#[test]
fn classes_have_the_sizes_that_they_should() {
    let none = Bounds {
        exhaustive_up_to: 0,
        pairs_up_to: 0,
        random: 0,
        torn: false,
        ..Bounds::default()
    };
    // Beginnings, all but one, and one alone, of six changes.
    check(&none, 3, 7 + 6 + 6);
    let torn = Bounds {
        torn: true,
        ..none.clone()
    };
    check(&torn, 3, 7 + 6 + 6 + 3 * 3 * 2);
    // Of three pages and 24 sectors: cut after 1, 12 and 23 sectors, and after 1 and 2 pages.
    let count = |sector_bytes, pages: usize| {
        let point = writes(Profile::Adversarial, 1, pages * 4096);
        let torn = Bounds {
            sector_bytes,
            ..torn.clone()
        };
        listed(&point, &torn).len() - listed(&point, &none).len()
    };
    assert_eq!((count(512, 3), count(4096, 3)), (5 * 2, 2 * 2));
    // Half of two pages is one of them.
    assert_eq!((count(512, 2), count(4096, 2)), (3 * 2, 2));
    assert_eq!(count(4096, 1), 0, "one page is not torn");
    let random = Bounds {
        random: 5,
        ..none.clone()
    };
    check(&random, 3, 7 + 6 + 6 + 5);
    let pairs = Bounds {
        pairs_up_to: 6,
        ..none.clone()
    };
    check(&pairs, 3, 7 + 6 + 6 + 15);
    // Appends in a row are one where there are too many, and nothing or all of one.
    let pairs = Bounds {
        pairs_up_to: 5,
        ..none.clone()
    };
    check(&pairs, 3, 7 + 6 + 6);
    let subsets = Bounds {
        exhaustive_up_to: 1,
        ..none.clone()
    };
    check(&subsets, 3, 7 + 6 + 6 + 2);
    // So it is with all but one and one alone if there are very many.
    check(&none, 100, 201 + 1 + 1);
}

#[test]
fn a_page_is_written_at_once_on_btrfs() {
    let bounds = Bounds {
        exhaustive_up_to: 0,
        pairs_up_to: 0,
        random: 40,
        ..Bounds::default()
    };
    let point = writes(Profile::Btrfs, 2, 3 * 4096);
    let torn = |point: &CrashPoint| -> Vec<Mark> {
        let states = listed(point, &bounds).into_iter().flatten();
        states
            .filter(|mark| matches!(mark, Mark::Torn(_)))
            .collect()
    };
    let pages = torn(&point);
    assert!(!pages.is_empty());
    for mark in pages {
        let Mark::Torn(sectors) = mark else {
            unreachable!("they are torn")
        };
        assert!(
            sectors.iter().all(|page| [0, 8].contains(&page.count())),
            "{sectors:?}"
        );
    }
    let point = writes(Profile::Xfs, 2, 3 * 4096);
    let inside = |mark: &Mark| match mark {
        Mark::Torn(sectors) => sectors.iter().any(|page| ![0, 8].contains(&page.count())),
        Mark::Lost | Mark::Kept => false,
    };
    assert!(torn(&point).iter().any(inside));
}

#[test]
fn what_was_there_before_is_never_lost() {
    let mut store = Store::new(Profile::Adversarial, PLAIN);
    let origin = Origin {
        call: 0,
        place: None,
    };
    let ino = store.create(&Inode {
        body: Body::File(File::default()),
        attributes: PLAIN,
        links: 1,
    });
    store.link(origin, Ino::ROOT, "a".into(), ino);
    store.write(origin, ino, 0, &[1; 8192]);
    let marks = store.forced(Syncing::Everything, u64::MAX);
    store.persist_whole(&marks);
    store.write(origin, ino, 0, &[1; 512]);
    store.write(origin, ino, 4096, &[1; 512]);
    store.write(origin, ino, 4096, &[2; 512]);
    let modified_ns = 7;
    store.set_attributes(
        origin,
        ino,
        Attributes {
            modified_ns,
            ..PLAIN
        },
    );
    let point = CrashPoint::of(&store);
    // The first write is idle; the second is not, since the third differs.
    assert_eq!(telling(&point), [1, 2]);
    assert!(matches!(point.pending[3].change, Change::Attributes { .. }));
}
