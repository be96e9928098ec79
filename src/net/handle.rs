//! What all sockets have in common: how a handle reaches the network, and how it waits.

use std::io;
use std::task::{Context, Poll};

use crate::exec::{Base, context};
use crate::kernel::{Kind, NodeId};
use crate::model::net::{Answer, Fabric};

/// The simulation to which a handle belongs: ids mean something only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    simulation: u64,
}

impl Home {
    /// Makes something in the network, for the running node.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    pub(super) fn make<T>(
        make: impl FnOnce(&mut Fabric, &mut Base, NodeId) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        context::with(|context| {
            let home = Self {
                simulation: context.id,
            };
            if context.current.dead.get() {
                return Err(gone());
            }
            let node = context.current.node.get();
            let made = context.world(|world| {
                let made = make(&mut world.net, &mut world.base, node);
                note_failure(&mut world.base, node, &made);
                made
            });
            Ok((home, made?))
        })
    }

    /// Asks the network.
    ///
    /// # Errors
    /// `NotConnected` when the running code has no part in the simulation: its node has ended, or
    /// this thread runs another simulation, or none.
    #[inline]
    pub(super) fn call<T>(
        self,
        call: impl FnOnce(&mut Fabric, &mut Base) -> io::Result<T>,
    ) -> io::Result<T> {
        context::try_with(|context| {
            if context.id != self.simulation || context.current.dead.get() {
                return Err(gone());
            }
            context.world(|world| {
                let result = call(&mut world.net, &mut world.base);
                note_failure(&mut world.base, context.current.node.get(), &result);
                result
            })
        })
        .unwrap_or_else(|| Err(gone()))
    }

    /// Asks the network, and waits if that is the answer.
    #[inline]
    pub(super) fn poll<T>(
        self,
        cx: &Context<'_>,
        call: impl FnOnce(&mut Fabric, &mut Base) -> io::Result<Answer<T>>,
    ) -> Poll<io::Result<T>> {
        let result = self.call(|net, base| {
            Ok(match call(net, base)? {
                Answer::Done(value) => Poll::Ready(value),
                Answer::Wait(token) => {
                    base.waiters.wait(token, cx.waker());
                    Poll::Pending
                }
            })
        });
        match result {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Asks the network, and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if one would have to.
    #[inline]
    pub(super) fn attempt<T>(
        self,
        call: impl FnOnce(&mut Fabric, &mut Base) -> io::Result<Answer<T>>,
    ) -> io::Result<T> {
        match self.call(call)? {
            Answer::Done(value) => Ok(value),
            Answer::Wait(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Lets something go when its handle is dropped. A handle that outlives its node or its
    /// simulation has nothing to let go.
    pub(super) fn release(self, release: impl FnOnce(&mut Fabric, &mut Base)) {
        let released = self.call(|net, base| {
            release(net, base);
            Ok(())
        });
        drop(released);
    }
}

/// What a program is told goes into the trace, as what it receives does. To be asked to wait is no
/// failure.
#[inline]
fn note_failure<T>(base: &mut Base, node: NodeId, result: &io::Result<T>) {
    if let Err(error) = result {
        let code = error.raw_os_error().unwrap_or(0);
        base.record(node, Kind::CallFailed, 0, u64::from(code.unsigned_abs()));
    }
}

#[cold]
fn gone() -> io::Error {
    let text = "the node of this socket has ended, or its simulation is not the one running here";
    io::Error::new(io::ErrorKind::NotConnected, text)
}
