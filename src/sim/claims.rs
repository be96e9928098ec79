//! What a test claims of the whole simulation: invariants, and what is true in the end.

use core::time::Duration;
use std::future::{Future, pending};
use std::panic::Location;

use super::{Sim, Storm};
use crate::exec::{Claim, Every, Failure, context};
use crate::kernel::NodeId;
use crate::time;

impl Sim {
    /// Claims that something holds of the whole simulation all the time, and has it checked at
    /// every step or whenever all tasks rest. `check` may look at what nodes share with the test,
    /// and at nodes, and gives what is wrong.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use stormglass::sim::Every;
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let leaders = Rc::new(Cell::new(0));
    /// let counted = leaders.clone();
    /// sim.invariant("there is at most one leader", Every::Step, move || match counted.get() {
    ///     0 | 1 => Ok(()),
    ///     many => Err(format!("there are {many}")),
    /// });
    /// leaders.set(1);
    /// # });
    /// # outcome.unwrap();
    /// ```
    #[track_caller]
    pub fn invariant(
        &self,
        name: &str,
        every: Every,
        check: impl FnMut() -> Result<(), String> + 'static,
    ) {
        self.check_owner();
        context::with(|context| context.add_invariant(name, every, Box::new(check)));
    }

    /// Claims that a condition becomes true within so much virtual time, and waits until it does.
    /// It is looked at about a thousand times, at least a microsecond apart.
    #[track_caller]
    pub fn eventually(
        &self,
        name: &str,
        within: Duration,
        mut condition: impl FnMut() -> bool,
    ) -> impl Future<Output = ()> {
        self.check_owner();
        let (name, place) = (name.to_owned(), Location::caller());
        let pause = (within / LOOKS).max(Duration::from_micros(1));
        async move {
            let deadline = time::Instant::now() + within;
            while !condition() {
                if time::Instant::now() >= deadline {
                    fail(&name, &format!("not true after {within:?}"), place);
                    pending::<()>().await;
                }
                time::sleep(pause).await;
            }
            seen(&name);
        }
    }
}

/// How often [`Sim::eventually`] looks.
const LOOKS: u32 = 1_000;

impl Storm {
    /// Waits until the storm is over, and then claims that `progress` comes to its end within so
    /// much virtual time: that the system lives when all is well again.
    ///
    /// A stall is forgiven, and this gives `None`, only if a group of the
    /// [nemesis](crate::fault::Nemesis) has lost its quorum for good: too many of its nodes are
    /// down after all faults have ended. The run then counts as
    /// [excused](super::Outcome::excused), of which a campaign allows one in a hundred.
    #[track_caller]
    pub fn quiet<T>(
        &self,
        name: &str,
        within: Duration,
        progress: impl Future<Output = T>,
    ) -> impl Future<Output = Option<T>> {
        let (storm, name, place) = (*self, name.to_owned(), Location::caller());
        async move {
            storm.over().await;
            if let Ok(value) = time::timeout(within, progress).await {
                seen(&name);
                return Some(value);
            }
            if !storm.excuse() {
                let message = format!("no progress in {within:?} after all faults ended");
                fail(&name, &message, place);
                pending::<()>().await;
            }
            None
        }
    }
}

/// A claim about the end of something came true.
fn seen(name: &str) {
    context::alive(|context| {
        context.world(|world| {
            let count = world.properties.entry(name.to_owned()).or_default();
            count.claim = Some(Claim::Always);
            count.reached += 1;
            count.held += 1;
        });
    });
}

fn fail(name: &str, message: &str, place: &Location<'_>) {
    let failure = Failure::Violation {
        property: name.to_owned(),
        message: format!("eventually {message}"),
        location: format!("{}:{}", place.file(), place.line()),
    };
    context::world(|world, _| world.fail(NodeId::TEST, failure));
}
