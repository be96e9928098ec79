//! The way in for asynchronous code: three programs of a simulated node.
//!
//! Owns the machine that runs each part as a simulation of its own, with one node.

use core::fmt;
use core::panic::Location;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::bounds::Bounds;
use super::engine::explore;
use super::machine::{Machine, Part, Run};
use super::report::{CrashBug, Explored};
use crate::model::disk::{Image, Profile, Spot, Watch};
use crate::sim::{Node, ProgramResult, acknowledge, record};

/// [`explore_crashes`](super::explore_crashes) for asynchronous code: setup, workload and check are
/// programs of a simulated node and use its disk through [`fs`](crate::fs), its time and its tasks.
///
/// Each run is a fresh simulation, with a node that is alone in its world. Every call of its disk
/// takes a microsecond, so that all runs of a part are the same. A program that fails, panics, or
/// waits for ever has failed; what it started and did not wait for ends with it.
///
/// The simulations run on the calling thread, as those of [`Builder`](crate::sim::Builder) do: what
/// crates keep in the thread, such as the hash keys of std, is not fresh in each, and what a
/// program does to its disk must not depend on it.
///
/// ```
/// use stormglass::explore::{Bounds, explore_crashes_on_node};
/// use stormglass::fs;
///
/// let found = explore_crashes_on_node(
///     &Bounds::default(),
///     |_| async {},
///     |ctx| async move {
///         fs::write("/note", "hello").await?;
///         fs::File::open("/").await?.sync_all().await?;
///         ctx.ack("hello");
///         std::io::Result::Ok(())
///     },
///     |_, acked| async move {
///         match fs::read_to_string("/note").await {
///             Ok(text) if acked.iter().all(|word| text == *word) => Ok(()),
///             Err(_) if acked.is_empty() => Ok(()),
///             other => Err(format!("{other:?} and not what was acknowledged")),
///         }
///     },
/// );
/// let bug = found.unwrap_err();
/// assert!(bug.missing()[0].starts_with("sync of the content of /note, before"));
/// ```
///
/// # Errors
/// The first state that fails, with as little lost as is enough.
///
/// # Panics
/// If the bounds mean nothing, if the setup or the workload fails without any loss of power, if
/// [`Bounds::only`] names a state that this test does not have, and if this thread runs a
/// simulation.
#[track_caller]
pub fn explore_crashes_on_node<A, E, S, W, C>(
    bounds: &Bounds,
    setup: impl Fn(NodeCtx<A>) -> S + 'static,
    workload: impl Fn(NodeCtx<A>) -> W + 'static,
    check: impl Fn(NodeCtx<A>, Vec<A>) -> C + 'static,
) -> Result<Explored, CrashBug>
where
    A: Clone + fmt::Debug + 'static,
    E: fmt::Display,
    S: Future<Output: ProgramResult> + 'static,
    W: Future<Output: ProgramResult> + 'static,
    C: Future<Output = Result<(), E>> + 'static,
{
    let mut programs = Programs::<A> {
        setup: program(setup),
        workload: program(workload),
        check: Rc::new(move |ctx, acked| {
            let check = check(ctx, acked);
            Box::pin(async move { check.await.map_err(|error| error.to_string()) })
        }),
    };
    explore(bounds, &mut programs)
}

/// What a part of a test on a node has at hand. A clone is the same.
#[derive(Debug)]
pub struct NodeCtx<A> {
    node: Node,
    acked: Rc<RefCell<Vec<A>>>,
}

impl<A> NodeCtx<A> {
    /// Acknowledges something: the world outside may know of it, so that no loss of power after
    /// this may take it back. Means something in the workload only.
    #[track_caller]
    pub fn ack(&self, value: A) {
        acknowledge(Location::caller());
        self.acked.borrow_mut().push(value);
    }

    /// The node, for what is set of it: how long its disk takes, say.
    #[must_use]
    pub const fn node(&self) -> Node {
        self.node
    }
}

impl<A> Clone for NodeCtx<A> {
    fn clone(&self) -> Self {
        Self {
            node: self.node,
            acked: Rc::clone(&self.acked),
        }
    }
}

type Verdict = Pin<Box<dyn Future<Output = Result<(), String>>>>;
type Program<A> = Rc<dyn Fn(NodeCtx<A>) -> Verdict>;
type Check<A> = Rc<dyn Fn(NodeCtx<A>, Vec<A>) -> Verdict>;

struct Programs<A> {
    setup: Program<A>,
    workload: Program<A>,
    check: Check<A>,
}

fn program<A, F>(factory: impl Fn(NodeCtx<A>) -> F + 'static) -> Program<A>
where
    F: Future<Output: ProgramResult> + 'static,
{
    Rc::new(move |ctx| {
        let program = factory(ctx);
        Box::pin(async move { program.await.into_result() })
    })
}

impl<A: Clone + 'static> Machine<A> for Programs<A> {
    fn run(
        &mut self,
        profile: Profile,
        disk: Image,
        part: Part<'_, A>,
        stacks: BTreeSet<Spot>,
    ) -> Run<A> {
        let factory: Box<dyn FnOnce(NodeCtx<A>) -> Verdict> = match part {
            Part::Setup => {
                let setup = Rc::clone(&self.setup);
                Box::new(move |ctx| setup(ctx))
            }
            Part::Workload => {
                let workload = Rc::clone(&self.workload);
                Box::new(move |ctx| workload(ctx))
            }
            Part::Check(acked) => {
                let (check, acked) = (Rc::clone(&self.check), acked.to_vec());
                Box::new(move |ctx| check(ctx, acked))
            }
        };
        let acked = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::clone(&acked);
        let recorded = record(profile, disk.clone(), stacks, move |node| {
            factory(NodeCtx { node, acked: told })
        });
        let acked = acked.take();
        match recorded {
            Ok(recorded) => Run {
                result: recorded.value,
                acked,
                visible: recorded.visible,
                watch: recorded.watch,
            },
            // Of a run that did not come to its end nothing is asked but why.
            Err(message) => Run {
                result: Err(message),
                acked,
                visible: disk,
                watch: Watch::default(),
            },
        }
    }
}
