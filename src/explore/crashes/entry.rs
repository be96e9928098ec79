//! The way in for plain synchronous code: three functions that work on a disk of their own.
//!
//! Owns the machine on a detached disk. The code under test finds that disk by itself, through
//! [`fs::blocking`](crate::fs::blocking).

use core::fmt;
use core::panic::Location;
use std::cell::RefCell;
use std::collections::BTreeSet;

use super::bounds::Bounds;
use super::engine::explore;
use super::machine::{Machine, Part, Run};
use super::report::{CrashBug, Explored};
use crate::exec::expecting_panics;
use crate::fs::DetachedDisk;
use crate::fs::blocking::with_disk;
use crate::model::disk::{Image, Profile, Spot};

/// Tries every state, within bounds, in which a loss of power may leave a disk.
///
/// `setup` makes what is there before, all of which is durable, and is never interrupted: to lose
/// power while a database is made, make it in the workload. `workload` is what is interrupted;
/// it tells by [`Ctx::ack`] what it promises to the world outside. `check` opens the disk after a
/// crash, given all that was acknowledged before, and says what is wrong with it: a panic does as
/// well. While it recovers power may be lost again, up to [`Bounds::depth`].
///
/// All three reach the disk through [`fs::blocking`](crate::fs::blocking), on this very thread, and
/// must do the same each time. Asynchronous code on a node is for
/// [`explore_crashes_on_node`](super::explore_crashes_on_node), which takes futures and is else the
/// same.
///
/// ```
/// use std::io::Write;
/// use stormglass::explore::{Bounds, explore_crashes};
/// use stormglass::fs::blocking::{self, File};
///
/// let found = explore_crashes(
///     &Bounds::default(),
///     |_| {},
///     |ctx| {
///         let mut file = File::create("/note").unwrap();
///         file.write_all(b"hello").unwrap();
///         file.sync_all().unwrap();
///         ctx.ack("hello");
///     },
///     |_, acked| match blocking::read_to_string("/note") {
///         Ok(text) if acked.iter().all(|word| text == *word) => Ok(()),
///         Err(_) if acked.is_empty() => Ok(()),
///         other => Err(format!("{other:?} and not what was acknowledged")),
///     },
/// );
/// let bug = found.unwrap_err();
/// assert!(bug.missing()[0].starts_with("sync of the directory /, before acknowledgement 1"));
/// ```
///
/// The same on a node, with both syncs:
///
/// ```
/// use stormglass::explore::{Bounds, explore_crashes_on_node};
/// use stormglass::fs::{self, File};
///
/// let told = explore_crashes_on_node(
///     &Bounds::default(),
///     |_| async {},
///     |ctx| async move {
///         fs::write("/note", "hello").await?;
///         File::open("/note").await?.sync_all().await?;
///         File::open("/").await?.sync_all().await?;
///         ctx.ack("hello");
///         std::io::Result::Ok(())
///     },
///     |_, acked| async move {
///         match fs::read_to_string("/note").await {
///             Ok(text) if text == "hello" => Ok(()),
///             _ if acked.is_empty() => Ok(()),
///             other => Err(format!("{other:?} and not what was acknowledged")),
///         }
///     },
/// );
/// assert!(told.is_ok_and(|told| !told.cut_short));
/// ```
///
/// # Errors
/// The first state that fails, with as little lost as is enough.
///
/// # Panics
/// If the bounds mean nothing, if the setup or the workload panics without any loss of power, and
/// if [`Bounds::only`] names a state that this test does not have.
#[track_caller]
pub fn explore_crashes<A: fmt::Debug, E: fmt::Display>(
    bounds: &Bounds,
    setup: impl Fn(&Ctx<A>),
    workload: impl Fn(&Ctx<A>),
    check: impl Fn(&Ctx<A>, &[A]) -> Result<(), E>,
) -> Result<Explored, CrashBug> {
    let mut programs = Programs {
        setup,
        workload,
        check,
    };
    explore(bounds, &mut programs)
}

/// What a part of a test has at hand.
#[derive(Debug)]
pub struct Ctx<A> {
    disk: DetachedDisk,
    acked: RefCell<Vec<A>>,
}

impl<A> Ctx<A> {
    /// Acknowledges something: the world outside may know of it, so that no loss of power after
    /// this may take it back. Means something in the workload only.
    #[track_caller]
    pub fn ack(&self, value: A) {
        let place = Location::caller();
        self.disk.with(|device| device.fs.acknowledge(Some(place)));
        self.acked.borrow_mut().push(value);
    }

    /// The disk, which the functions of [`fs::blocking`](crate::fs::blocking) use by themselves, to
    /// let some of its calls fail. It must be told the same in each run, and not to crash.
    #[must_use]
    pub const fn disk(&self) -> &DetachedDisk {
        &self.disk
    }
}

struct Programs<S, W, C> {
    setup: S,
    workload: W,
    check: C,
}

impl<A, E, S, W, C> Machine<A> for Programs<S, W, C>
where
    E: fmt::Display,
    S: Fn(&Ctx<A>),
    W: Fn(&Ctx<A>),
    C: Fn(&Ctx<A>, &[A]) -> Result<(), E>,
{
    fn run(
        &mut self,
        profile: Profile,
        disk: Image,
        part: Part<'_, A>,
        stacks: BTreeSet<Spot>,
    ) -> Run<A> {
        let disk = DetachedDisk::watched(profile, disk, stacks);
        let ctx = Ctx {
            disk: disk.clone(),
            acked: RefCell::default(),
        };
        let run = || {
            with_disk(&disk, || match part {
                Part::Setup => {
                    (self.setup)(&ctx);
                    Ok(())
                }
                Part::Workload => {
                    (self.workload)(&ctx);
                    Ok(())
                }
                Part::Check(acked) => (self.check)(&ctx, acked).map_err(|error| error.to_string()),
            })
        };
        // What a panic leaves behind is the disk, which is looked at no more.
        let result = expecting_panics(run).unwrap_or_else(Err);
        let (watch, visible) = disk.with(|device| {
            let watch = device.fs.watched();
            (watch, device.fs.store().visible().clone())
        });
        Run {
            result,
            acked: ctx.acked.into_inner(),
            visible,
            watch,
        }
    }
}
