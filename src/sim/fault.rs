//! Faults of the network that are on, and how they end.

use super::Network;
use crate::model::net::LinkFaultId;

/// A fault of the network that has begun. It lasts until it is ended here, its links are healed, or
/// the simulation ends; dropping this changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub(super) network: Network,
    pub(super) id: LinkFaultId,
}

impl Fault {
    /// Ends it; nothing happens if it has ended. Links that another fault concerns too stay as that
    /// one has them.
    ///
    /// # Panics
    /// If this thread runs another simulation than the fault's.
    #[track_caller]
    pub fn end(self) {
        self.network.end(self.id);
    }

    /// Has it end when the guard is dropped.
    ///
    /// ```
    /// # use stormglass::sim::Builder;
    /// # let outcome = Builder::new().run(|sim| async move {
    /// # let nodes = sim.group("db", 5..=5).run(|_| std::future::pending::<()>());
    /// {
    ///     let _cut_off = sim.network().isolate(nodes[0]).scoped();
    ///     assert!(sim.network().is_cut(nodes[0], nodes[4]));
    /// }
    /// assert!(!sim.network().is_cut(nodes[0], nodes[4]));
    /// # });
    /// # outcome.unwrap();
    /// ```
    pub const fn scoped(self) -> FaultGuard {
        FaultGuard { fault: self }
    }
}

/// Ends a [`Fault`] when it is dropped by a node that has not ended.
#[must_use = "dropping the guard ends the fault at once"]
#[derive(Debug)]
pub struct FaultGuard {
    fault: Fault,
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        // After the simulation there is nothing to end, and a node that goes down ends nothing: the
        // fault was not its own doing.
        if self.fault.network.owner().is_running() {
            self.fault.end();
        }
    }
}
