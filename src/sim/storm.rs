//! A fault plan that is in force, as its test sees it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use super::owner::Owner;
use crate::exec::context;
use crate::fault::{FaultId, FaultPlan};

/// A fault plan that is in force; [`Sim::apply`](super::Sim::apply) gives it. Dropping it changes
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    owner: Owner,
    number: u32,
}

impl Storm {
    pub(super) const fn new(owner: Owner, number: u32) -> Self {
        Self { owner, number }
    }

    /// Waits until all faults of the plan that will end have ended.
    #[track_caller]
    pub fn over(&self) -> impl Future<Output = ()> + use<> {
        self.owner.check();
        Over {
            storm: *self,
            waker: None,
        }
    }

    /// Whether all faults of the plan that will end have ended.
    #[must_use]
    #[track_caller]
    pub fn is_over(&self) -> bool {
        self.owner.check();
        context::world(|world, _| world.storms.get(self.number).is_over())
    }

    /// Ends all faults of the plan now; those that have not begun never will.
    #[track_caller]
    pub fn heal(&self) {
        self.owner.check();
        context::alive(|context| context.heal_storm(self.number));
    }

    /// Whether a stall is forgiven, since a group has lost its quorum; then the run is excused.
    pub(super) fn excuse(&self) -> bool {
        context::world(|world, _| world.excuse(self.number))
    }

    /// The plan.
    #[must_use]
    #[track_caller]
    pub fn plan(&self) -> FaultPlan {
        self.owner.check();
        context::world(|world, _| world.storms.get(self.number).plan.clone())
    }

    /// Faults that began and found a name that no node has, which are given, or nothing to strike.
    #[must_use]
    #[track_caller]
    pub fn stale(&self) -> Vec<(FaultId, Vec<String>)> {
        self.owner.check();
        context::world(|world, _| world.storms.get(self.number).stale())
    }
}

/// Waits until a plan is over.
struct Over {
    storm: Storm,
    /// Registered with the plan, and taken back when the wait is dropped.
    waker: Option<Waker>,
}

impl Future for Over {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        context::world(|world, _| {
            let storm = world.storms.get(this.storm.number);
            if storm.is_over() {
                return Poll::Ready(());
            }
            let over = storm.over();
            world.base.waiters.wait(over, cx.waker());
            this.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        let Some(waker) = self.waker.take() else {
            return;
        };
        if !self.storm.owner.is_running() {
            return;
        }
        let forgotten = context::try_with(|context| {
            let mut world = context.world.borrow_mut();
            let over = world.storms.get(self.storm.number).over();
            world.base.waiters.forget(over, &waker)
        });
        drop(forgotten);
    }
}
