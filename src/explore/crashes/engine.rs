//! The exploration itself: each moment's states, each state's check, and the check's own moments.
//!
//! Owns the order and what counts as tried. Losses of power are tried level by level: all single
//! ones first, then those in which power is lost again while the check runs, and so on.
//!
//! A check that passed stands for equal disks, and for those that differ only where it did not
//! look. That a disk needs no second loss of power takes more: everything that any check saw after
//! a second loss must be the same too, so far as it was there before. That is what `wholes` holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::rc::Rc;

use super::bounds::{Bounds, Pruning};
use super::cause::{Blame, Cause};
use super::legal::Legal;
use super::machine::{Machine, Part, Run};
use super::minimal::minimal;
use super::report::{CrashBug, CrashTold, Explored, Told};
use super::state::Crash;
use super::states::{Marks, States};
use super::trie::Trie;
use crate::model::disk::{Ack, Fill, Image, Mark, Moment, Observation, Spot, Taken};

/// Runs a test, and its check on each state that a loss of power may leave, within bounds.
///
/// # Errors
/// The first state that fails, made small.
///
/// # Panics
/// If the bounds mean nothing, if the setup or the workload fails without any loss of power, and
/// if `bounds.only` names a state that this test does not have.
#[track_caller]
pub(crate) fn explore<A: core::fmt::Debug>(
    bounds: &Bounds,
    machine: &mut impl Machine<A>,
) -> Result<Explored, CrashBug> {
    bounds.validate();
    let empty = Image::empty(ROOT);
    let setup = machine.run(bounds.profile, empty, Part::Setup, BTreeSet::new());
    expect(setup.result, "setup");
    let mut disk = setup.visible;
    disk.settle();
    let begin = disk.clone();
    let workload = machine.run(bounds.profile, disk, Part::Workload, BTreeSet::new());
    expect(workload.result, "workload");
    let mut explorer = Explorer {
        bounds,
        machine,
        begin,
        moments: workload.watch.moments.into(),
        acks: workload.watch.acks,
        acked: workload.acked,
        seen: BTreeMap::new(),
        checks: BTreeMap::new(),
        wholes: BTreeMap::new(),
        told: Explored::default(),
    };
    let failing = match &bounds.only {
        Some(only) => explorer.only(&only.crashes),
        None => explorer.all(),
    };
    match failing {
        None => Ok(explorer.told),
        Some(failing) => Err(explorer.report(failing)),
    }
}

struct Explorer<'a, A, M> {
    bounds: &'a Bounds,
    machine: &'a mut M,
    /// What the setup left.
    begin: Image,
    /// Those of the workload.
    moments: Rc<[Moment]>,
    acks: Vec<Ack>,
    acked: Vec<A>,
    /// Disks on which a check passed, with how much was acknowledged; and what it saw.
    seen: BTreeMap<(usize, u128), Rc<[Observation]>>,
    /// The same by what was seen, apart for each number of acknowledgements.
    checks: BTreeMap<usize, Trie<Passed>>,
    /// Disks whose check passed, and those after a further loss of power, which is the last.
    wholes: BTreeMap<usize, Trie<()>>,
    told: Explored,
}

/// What is kept of a check that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// It changed something, so that power may be lost in it.
    Changing,
    Reading,
}

/// A disk whose check passed, and in whose check power is to be lost.
struct Recovery {
    crashes: Vec<Crash>,
    disk: Image,
    acks: usize,
    /// What the check's run was, if it was run for this very disk.
    run: Option<Watched>,
}

struct Watched {
    moments: Rc<[Moment]>,
    observed: Rc<[Observation]>,
}

/// Why an exploration ends early.
enum Stop {
    Failing(Failing),
    TooMany,
}

struct Failing {
    crashes: Vec<Crash>,
    message: String,
}

/// Where in the exploration a state belongs.
struct At<'a> {
    /// The losses of power before.
    crashes: &'a [Crash],
    number: usize,
    moment: &'a Moment,
    acks: usize,
}

/// Questions in the order in which they were first asked.
#[derive(Default)]
struct Saw {
    list: Vec<Observation>,
    known: BTreeSet<Observation>,
}

/// Losses of power tried once more.
struct Replayed {
    /// Each with its moment and its marks.
    at: Vec<(Moment, Marks)>,
    result: Result<(), String>,
}

impl<A: core::fmt::Debug, M: Machine<A>> Explorer<'_, A, M> {
    /// Tries all states; gives the first that fails.
    fn all(&mut self) -> Option<Failing> {
        match self.levels() {
            ControlFlow::Break(Stop::Failing(failing)) => Some(failing),
            ControlFlow::Break(Stop::TooMany) => {
                self.told.cut_short = true;
                None
            }
            ControlFlow::Continue(()) => None,
        }
    }

    fn levels(&mut self) -> ControlFlow<Stop> {
        let mut recoveries = Vec::new();
        let workload = Rc::clone(&self.moments);
        for (number, moment) in workload.iter().enumerate() {
            let at = At {
                crashes: &[],
                number,
                moment,
                acks: moment.acks,
            };
            self.moment(&at, None, &mut recoveries)?;
        }
        for level in 2..=self.bounds.depth {
            for recovery in core::mem::take(&mut recoveries) {
                let is_last = level == self.bounds.depth;
                self.recovery(recovery, is_last, &mut recoveries)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Loses power while a check runs.
    fn recovery(
        &mut self,
        recovery: Recovery,
        is_last: bool,
        next: &mut Vec<Recovery>,
    ) -> ControlFlow<Stop> {
        let Recovery {
            crashes,
            disk,
            acks,
            run,
        } = recovery;
        let by_reads = is_last && self.bounds.pruning == Pruning::SameReads;
        if by_reads && self.wholes.entry(acks).or_default().find(&disk).is_some() {
            return ControlFlow::Continue(());
        }
        let watched = match run {
            Some(watched) => watched,
            None => self.pass(&disk, acks, || crashes.clone())?,
        };
        let mut saw = Saw::default();
        saw.add(&watched.observed);
        for (number, moment) in watched.moments.iter().enumerate() {
            let at = At {
                crashes: &crashes,
                number,
                moment,
                acks,
            };
            self.moment(&at, Some(&mut saw), next)?;
        }
        if by_reads {
            let wholes = self.wholes.entry(acks).or_default();
            wholes.insert(&disk, &saw.list, ());
        }
        ControlFlow::Continue(())
    }

    /// Tries the states of one moment, and adds what each check saw, if that is wanted.
    fn moment(
        &mut self,
        at: &At<'_>,
        mut saw: Option<&mut Saw>,
        next: &mut Vec<Recovery>,
    ) -> ControlFlow<Stop> {
        self.told.moments += 1;
        let bounds = self.bounds;
        let garbage = bounds.garbage && bounds.profile.exposes_garbage();
        let states = States::of(&at.moment.point, bounds);
        states.each(&mut |marks| {
            self.state(at, &marks, Fill::Zeros, saw.as_deref_mut(), next)?;
            if garbage && !at.moment.point.exposed(&marks).is_empty() {
                self.state(at, &marks, Crash::GARBAGE, saw.as_deref_mut(), next)?;
            }
            ControlFlow::Continue(())
        })
    }

    /// Tries one state.
    fn state(
        &mut self,
        at: &At<'_>,
        marks: &[Mark],
        fill: Fill,
        saw: Option<&mut Saw>,
        next: &mut Vec<Recovery>,
    ) -> ControlFlow<Stop> {
        self.told.states += 1;
        let disk = at.moment.point.image(marks, fill);
        let acks = at.acks;
        let crashes = || {
            let mut crashes = at.crashes.to_vec();
            crashes.push(Crash::named(at.number, &at.moment.point, marks, fill));
            crashes
        };
        let key = (acks, self.key(&disk));
        if let Some(observed) = self.seen.get(&key) {
            self.told.same_disk += 1;
            if let Some(saw) = saw {
                saw.add(observed);
            }
            return ControlFlow::Continue(());
        }
        let deeper = at.crashes.len() + 1 < self.bounds.depth;
        let (passed, run) = match self.known(&disk, acks) {
            Some((passed, observed)) => {
                self.told.same_reads += 1;
                self.saw(key, observed.into(), saw);
                (passed, None)
            }
            None => {
                let watched = self.pass(&disk, acks, crashes)?;
                let passed = if watched.moments.iter().any(|moment| moment.next_op > 0) {
                    Passed::Changing
                } else {
                    Passed::Reading
                };
                if self.bounds.pruning == Pruning::SameReads {
                    let checks = self.checks.entry(acks).or_default();
                    checks.insert(&disk, &watched.observed, passed);
                }
                self.saw(key, Rc::clone(&watched.observed), saw);
                (passed, Some(watched))
            }
        };
        if deeper && passed == Passed::Changing {
            next.push(Recovery {
                crashes: crashes(),
                disk,
                acks,
                run,
            });
        }
        ControlFlow::Continue(())
    }

    /// By what equal disks are known; nothing is equal if nothing is to be passed over.
    fn key(&self, disk: &Image) -> u128 {
        match self.bounds.pruning {
            Pruning::None => self.told.states.into(),
            Pruning::SameDisk | Pruning::SameReads => disk.hash(),
        }
    }

    /// Whether a check of what this one would see has passed.
    fn known(&self, disk: &Image, acks: usize) -> Option<(Passed, Vec<Observation>)> {
        let (passed, observed) = self.checks.get(&acks)?.find(disk)?;
        Some((*passed, observed))
    }

    fn saw(&mut self, key: (usize, u128), observed: Rc<[Observation]>, saw: Option<&mut Saw>) {
        if let Some(saw) = saw {
            saw.add(&observed);
        }
        if self.bounds.pruning != Pruning::None {
            self.seen.insert(key, observed);
        }
    }

    /// Runs the check, which must pass.
    fn pass(
        &mut self,
        disk: &Image,
        acks: usize,
        crashes: impl FnOnce() -> Vec<Crash>,
    ) -> ControlFlow<Stop, Watched> {
        if self.told.checks >= self.bounds.states_max as u64 {
            return ControlFlow::Break(Stop::TooMany);
        }
        let run = self.check(disk, acks);
        match run.result {
            Ok(()) => ControlFlow::Continue(Watched {
                moments: run.watch.moments.into(),
                observed: run.watch.observed.into(),
            }),
            Err(message) => {
                let crashes = crashes();
                ControlFlow::Break(Stop::Failing(Failing { crashes, message }))
            }
        }
    }

    fn check(&mut self, disk: &Image, acks: usize) -> Run<A> {
        self.told.checks += 1;
        let acked = &self.acked[..acks];
        let disk = disk.clone();
        let part = Part::Check(acked);
        self.machine
            .run(self.bounds.profile, disk, part, BTreeSet::new())
    }

    /// Tries one state by name.
    #[track_caller]
    fn only(&mut self, crashes: &[Crash]) -> Option<Failing> {
        let Some(replayed) = self.replay(crashes) else {
            panic!(
                "this test has no such crash state: give `Bounds::only` one that a report of it \
                 has printed, with the same profile and the same program"
            );
        };
        self.told.states += 1;
        let message = replayed.result.err()?;
        let crashes = crashes.to_vec();
        Some(Failing { crashes, message })
    }

    /// Loses power as named, each time with what that implies; `None` if a moment or a change is
    /// not there.
    fn replay(&mut self, crashes: &[Crash]) -> Option<Replayed> {
        let mut moments = Rc::clone(&self.moments);
        let mut at = Vec::new();
        let mut result = Ok(());
        let mut acks = None;
        for crash in crashes {
            let moment = moments.get(crash.moment)?.clone();
            let acks = *acks.get_or_insert(moment.acks);
            let marks = Legal::of(&moment.point).founded(crash.marks(&moment.point)?);
            let disk = moment.point.image(&marks, crash.fill());
            at.push((moment, marks));
            let run = self.check(&disk, acks);
            moments = run.watch.moments.into();
            result = run.result;
            if result.is_err() && at.len() < crashes.len() {
                return None;
            }
        }
        Some(Replayed { at, result })
    }

    /// Whether losing still more would do as well.
    fn blame(&mut self, crashes: &[Crash]) -> Blame {
        let replayed = self.replay(crashes);
        let last = replayed.and_then(|replayed| replayed.at.into_iter().next_back());
        let less = last.and_then(|(moment, _)| without_later(crashes, &moment));
        match less.and_then(|less| self.replay(&less)) {
            Some(replayed) if replayed.result.is_err() => Blame::Promise,
            Some(_) | None => Blame::Order,
        }
    }

    /// Runs once more what the loss of power after these struck, and takes call stacks.
    fn stacks(
        &mut self,
        crashes: &[Crash],
        before: &[(Moment, Marks)],
        acks: usize,
        spots: BTreeSet<Spot>,
    ) -> Taken {
        let (disk, part) = match before.last() {
            None => (self.begin.clone(), Part::Workload),
            Some((moment, marks)) => {
                let fill = crashes[before.len() - 1].fill();
                let disk = moment.point.image(marks, fill);
                (disk, Part::Check(&self.acked[..acks]))
            }
        };
        let run = self.machine.run(self.bounds.profile, disk, part, spots);
        let stacks = run.watch.stacks;
        stacks.map_or_else(Taken::new, |stacks| stacks.into_taken())
    }

    /// Makes a failing state small, and tells it.
    fn report(&mut self, failing: Failing) -> CrashBug {
        let (whole, bounds) = (self.told, self.bounds);
        let fails = |crashes: &[Crash]| {
            let replayed = self.replay(crashes);
            replayed.is_some_and(|replayed| replayed.result.is_err())
        };
        let whole_pages = bounds.writes_whole_pages();
        let small = minimal(failing.crashes.clone(), whole_pages, fails);
        // A check that is not the same each time may have passed meanwhile.
        let (small, replayed) = match self.replay(&small) {
            Some(replayed) if replayed.result.is_err() => (small, Some(replayed)),
            _ => (failing.crashes.clone(), self.replay(&failing.crashes)),
        };
        let blame = self.blame(&small);
        let acknowledged = self.acks.clone();
        let mut message = failing.message;
        let mut state = super::CrashState { crashes: small };
        let (mut crashes, mut acks) = (Vec::new(), 0);
        match replayed {
            Some(Replayed { at, result }) => {
                match result {
                    Err(again) => message = again,
                    Ok(()) => message.push_str("\n(it passes when tried again)"),
                }
                acks = at[0].0.acks;
                for (number, (moment, marks)) in at.iter().enumerate() {
                    let (before, fill) = (&state.crashes[number], state.crashes[number].fill());
                    let named = Crash::named(before.moment, &moment.point, marks, fill);
                    let moment = (before.moment, moment);
                    state.crashes[number] = named;
                    let known = if number == 0 { &acknowledged[..] } else { &[] };
                    let cause = Cause::new(moment, marks, known, blame);
                    let stacks = self.stacks(&state.crashes, &at[..number], acks, cause.spots());
                    crashes.push(told(&cause.with_stacks(stacks)));
                }
            }
            None => message.push_str("\n(it cannot be tried again: the program is not the same)"),
        }
        let acked = self.acked[..acks].iter().map(|ack| format!("{ack:?}"));
        CrashBug {
            told: Box::new(Told {
                message,
                state,
                crashes,
                acked: acked.collect(),
                explored: whole,
            }),
        }
    }
}

/// The same losses of power with nothing that came after the first loss of the last one.
fn without_later(crashes: &[Crash], last: &Moment) -> Option<Vec<Crash>> {
    let mut crashes = crashes.to_vec();
    let crash = crashes.last_mut()?;
    let torn = crash.torn.iter().map(|(number, _)| *number);
    let first = crash.lost.iter().copied().chain(torn).min()?;
    let later = last.point.pending.iter().map(|op| op.number);
    crash.lost.extend(later.filter(|number| *number > first));
    crash.lost.sort_unstable();
    crash.lost.dedup();
    crash.torn.retain(|(number, _)| *number <= first);
    Some(crashes)
}

impl Saw {
    fn add(&mut self, observed: &[Observation]) {
        for observation in observed {
            if self.known.insert(*observation) {
                self.list.push(*observation);
            }
        }
    }
}

fn told(cause: &Cause<'_>) -> CrashTold {
    CrashTold {
        when: cause.when(),
        lost: cause.lost(),
        kept: cause.kept(),
        missing: cause.missing(),
    }
}

#[track_caller]
fn expect(result: Result<(), String>, part: &str) {
    if let Err(message) = result {
        panic!("the {part} fails without any loss of power: {message}");
    }
}

/// The root directory of a new file system.
const ROOT: crate::model::disk::Attributes = crate::model::disk::Attributes {
    mode: 0o755,
    created_ns: 0,
    accessed_ns: 0,
    modified_ns: 0,
    changed_ns: 0,
};
