//! What all handles have in common: how one reaches the disk, and how it waits.

use std::backtrace::Backtrace;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::exec::{World, context};
use crate::kernel::NodeId;
use crate::model::Answer;
use crate::model::disk::call::{Call, Reply};
use crate::model::disk::{Persistence, RequestId, gone};

/// The place of the program that makes a call.
pub(super) type Place = &'static Location<'static>;

/// The process to which a handle belongs: descriptors mean something only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    simulation: u64,
    node: NodeId,
    process: u32,
}

impl Home {
    /// The running node's process.
    ///
    /// # Errors
    /// `EIO` if the running code belongs to an incarnation that has ended.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub(super) fn here() -> io::Result<Self> {
        let home = context::alive(|context| {
            let node = context.current.node.get();
            Self {
                simulation: context.id,
                node,
                process: context.world.borrow().disks.process(node),
            }
        });
        home.ok_or_else(gone)
    }

    /// Asks the disk.
    ///
    /// # Errors
    /// `EIO` when the handle's process has ended, or the running code has no part in its
    /// simulation.
    pub(super) fn call<T>(
        self,
        call: impl FnOnce(&mut World, NodeId) -> io::Result<T>,
    ) -> io::Result<T> {
        let called = context::try_with(|context| {
            if context.id != self.simulation || context.current.dead.get() {
                return Err(gone());
            }
            context.world(|world| {
                if world.disks.process(self.node) != self.process {
                    return Err(gone());
                }
                call(world, self.node)
            })
        });
        called.unwrap_or_else(|| Err(gone()))
    }

    /// Asks for a call, which happens when its time has come.
    pub(super) fn begin(
        self,
        place: Place,
        call: Call,
        persistence: Persistence,
    ) -> io::Result<Asking> {
        let ask = |world: &mut World, node| Ok(world.ask_disk(node, place, call, persistence));
        Ok(Asking {
            home: self,
            request: Some(self.call(ask)?),
        })
    }

    /// The stack of whoever runs this, if the run is made to know such.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(super) fn stack(self) -> io::Result<Option<Arc<Backtrace>>> {
        self.call(|world, node| {
            let device = world.disks.used(node);
            Ok(device.and_then(|device| device.fs.stack_of_asking()))
        })
    }

    /// Does some work as if it were called where the stack is.
    pub(super) async fn as_from<T>(
        self,
        stack: Option<Arc<Backtrace>>,
        work: impl Future<Output = T>,
    ) -> T {
        if stack.is_none() {
            return work.await;
        }
        let mut work = pin!(work);
        poll_fn(|cx| {
            let set = |stack| {
                let set = self.call(|world, node| {
                    let device = world.disks.used(node).ok_or_else(gone)?;
                    device.fs.set_asked(stack);
                    Ok(())
                });
                // A process that has ended asks for nothing.
                drop(set);
            };
            set(stack.clone());
            let polled = work.as_mut().poll(cx);
            set(None);
            polled
        })
        .await
    }

    /// Removes the path of a Unix socket, if that is what it is: those are the network's.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(super) fn removes_socket(self, path: &Path) -> io::Result<bool> {
        self.call(|world, node| Ok(world.net.unix_remove(&mut world.base, node, path).is_ok()))
    }

    /// Carries out a call at once, and keeps the node busy for as long as it takes.
    pub(super) fn block(self, place: Place, call: Call) -> io::Result<Reply> {
        self.call(|world, node| world.block_on_disk(node, place, call))
    }
}

/// A call that was asked for. If this is dropped the call happens all the same.
#[derive(Debug)]
pub(super) struct Asking {
    home: Home,
    request: Option<RequestId>,
}

impl Future for Asking {
    type Output = io::Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let request = self.request.expect("a call is not polled after its end");
        let answer = self.home.call(|world, _| {
            let answer = world.disks.poll(&mut world.base, request);
            if let Answer::Wait(token) = answer {
                world.base.waiters.wait(token, cx.waker());
            }
            Ok(answer)
        });
        let reply = match answer {
            Ok(Answer::Wait(_)) => return Poll::Pending,
            Ok(Answer::Done(reply)) => reply,
            Err(error) => Err(error),
        };
        self.request = None;
        Poll::Ready(reply)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            let abandoned = self.home.call(|world, _| {
                world.disks.abandon(&mut world.base, request);
                Ok(())
            });
            drop(abandoned);
        }
    }
}
