//! Waiting until an instant.

use core::fmt;
use core::marker::PhantomPinned;
use core::time::Duration;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Instant;
use crate::exec::{Event, context};
use crate::kernel::{EventKey, Kind};

/// Waits for `duration` by the running node's monotonic clock.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now().saturating_add(duration))
}

/// Waits until `deadline` by the monotonic clock of the node on which it is polled. An instant
/// that was read on another node means nothing there.
///
/// # Panics
/// When polled, if this thread runs no simulation.
pub const fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline,
        timer: None,
        pinned: PhantomPinned,
    }
}

pin_project_lite::pin_project! {
    /// Future of [`sleep`] and [`sleep_until`].
    ///
    /// Dropping it takes its timer out of the simulation; nothing is left behind. Like tokio's, it
    /// must be pinned before it is polled in place.
    #[must_use = "a sleep does nothing unless it is awaited"]
    pub struct Sleep {
        deadline: Instant,
        timer: Option<EventKey>,
        // Nothing here needs it, but a program that could do without pinning would not compile
        // with tokio.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for Sleep {
        fn drop(this: Pin<&mut Self>) {
            cancel(this.project().timer);
        }
    }
}

impl Sleep {
    /// The instant at which it ends.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline has passed.
    #[must_use]
    #[track_caller]
    pub fn is_elapsed(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Waits until another deadline instead.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        cancel(this.timer);
        *this.deadline = deadline;
    }
}

/// Takes a timer out of the simulation, if it is still in it.
fn cancel(timer: &mut Option<EventKey>) {
    let Some(timer) = timer.take() else {
        return;
    };
    let cancelled = context::try_with(|context| {
        let mut world = context.world.borrow_mut();
        let cancelled = world.base.queue.cancel(timer)?;
        if let Event::Timer {
            node, deadline_ns, ..
        } = cancelled.event
            && !context.current.dead.get()
        {
            world.base.cause = context.current.step.get();
            world
                .base
                .record(node, Kind::TimerCancelled, deadline_ns, 0);
        }
        Some(cancelled)
    });
    // Its waker is dropped here, when the world is no longer borrowed.
    drop(cancelled);
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if context::is_dead() {
            return Poll::Pending;
        }
        // A waker that is replaced is dropped when the world is no longer borrowed, since that may
        // run any crate's code.
        let mut replaced = None;
        context::world(|world, node| {
            if world.monotonic_ns(node) >= this.deadline.as_ns() {
                return Poll::Ready(());
            }
            if let Some(timer) = *this.timer
                && let Some(scheduled) = world.base.queue.get_mut(timer)
            {
                if let Event::Timer { waker, .. } = &mut scheduled.event
                    && !waker.will_wake(cx.waker())
                {
                    replaced = Some(std::mem::replace(waker, cx.waker().clone()));
                }
                return Poll::Pending;
            }
            *this.timer = world.arm_timer(node, this.deadline.as_ns(), cx.waker());
            Poll::Pending
        })
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
