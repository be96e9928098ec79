//! What must hold of the whole simulation, checked by the run loop.
//!
//! Owns the checks and when they are made. A check is the test's code: it runs between polls, on no
//! node, and what it says ends the run.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use super::context::Context;
use super::failure::Failure;
use crate::kernel::NodeId;

/// When an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Every {
    /// When all tasks have come to rest, before virtual time moves.
    Instant,
    /// After each poll of each task: what several tasks must never be between, too.
    Step,
}

/// A check: an error is what is wrong.
type Check = Box<dyn FnMut() -> Result<(), String>>;

/// All invariants of a run.
#[derive(Default)]
pub(super) struct Invariants {
    checks: RefCell<Vec<Invariant>>,
    /// The most that any is checked.
    most: Cell<Option<Every>>,
}

struct Invariant {
    name: String,
    every: Every,
    place: &'static Location<'static>,
    check: Check,
}

impl Context {
    /// Has something checked from now on.
    #[track_caller]
    pub(crate) fn add_invariant(&self, name: &str, every: Every, check: Check) {
        let Invariants { checks, most } = &self.invariants;
        checks.borrow_mut().push(Invariant {
            name: name.to_owned(),
            every,
            place: Location::caller(),
            check,
        });
        most.set(most.get().max(Some(every)));
    }

    /// Makes the checks that are due at such a moment; after a step those of every step.
    #[inline]
    pub(super) fn check_invariants(&self, moment: Every) {
        if self.invariants.most.get() >= Some(moment) {
            self.check_all(moment);
        }
    }

    #[cold]
    fn check_all(&self, moment: Every) {
        let mut checks = self.invariants.checks.borrow_mut();
        for invariant in checks.iter_mut().filter(|one| one.every >= moment) {
            let checked = catch_unwind(AssertUnwindSafe(&mut invariant.check));
            let message = match checked {
                Ok(Ok(())) => continue,
                Ok(Err(message)) => message,
                Err(_) => "the check itself panicked".to_owned(),
            };
            let location = format!("{}:{}", invariant.place.file(), invariant.place.line());
            let failure = Failure::Violation {
                property: invariant.name.clone(),
                message: format!("always {message}"),
                location,
            };
            self.world(|world| world.fail(NodeId::TEST, failure));
            return;
        }
    }
}
