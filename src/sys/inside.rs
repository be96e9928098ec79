//! Whether this thread is inside a simulated node, and who then answers its calls.

use core::cell::Cell;
use core::marker::PhantomData;

use super::escape::Escape;

/// What answers the calls of a simulated node.
///
/// All are called on the thread that made the call, as if [`outside`], so they may themselves
/// use the real libc. One that panics aborts the process, since no panic can cross libc.
pub(crate) struct Hooks {
    /// The node's monotonic clock in nanoseconds; also its CPU-time clocks.
    pub(crate) monotonic_ns: fn() -> u64,
    /// The node's wall clock in nanoseconds since 1970.
    pub(crate) wall_ns: fn() -> u64,
    /// Fills a buffer with the node's entropy.
    pub(crate) fill_entropy: fn(&mut [u8]),
    /// Judges a call that would leave the simulation.
    pub(crate) escape: fn(&Escape<'_>) -> Verdict,
}

/// What becomes of a call that would leave the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call returns an error and has no effect.
    Refuse,
    /// The real call is made; the run may then not be replayable.
    Allow,
}

/// From now on calls of this thread are answered by `hooks`, until the guard is dropped.
///
/// It nests. It costs a few stores to thread-local memory, as it stands around every poll.
#[must_use]
pub(crate) fn enter(hooks: &'static Hooks) -> Guard {
    PASSED_NS.set(0);
    Guard {
        previous: INSIDE.replace(Some(hooks)),
        thread_bound: PhantomData,
    }
}

/// Runs `f` with the real libc, wherever the caller is.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    let _guard = Guard {
        previous: INSIDE.take(),
        thread_bound: PhantomData,
    };
    f()
}

/// Whether calls of this thread are answered by the simulation.
#[must_use]
pub(crate) fn is_inside() -> bool {
    INSIDE.get().is_some()
}

/// Restores, when dropped, what was in force before [`enter`].
#[derive(Debug)]
pub(crate) struct Guard {
    previous: Option<&'static Hooks>,
    /// The state belongs to the thread, so the guard must not go to another.
    thread_bound: PhantomData<*const ()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        INSIDE.set(self.previous);
    }
}

impl core::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// The answer of the hooks in force, asked as if outside; `None` if this thread is outside.
#[inline]
pub(super) fn ask<R>(question: impl FnOnce(&'static Hooks) -> R) -> Option<R> {
    let hooks = INSIDE.get()?;
    Some(outside(|| question(hooks)))
}

/// Lets the clocks show `ns` more than the hooks say, until the next [`enter`].
pub(super) fn pass_time(ns: u64) {
    PASSED_NS.set(PASSED_NS.get().saturating_add(ns));
}

/// How much time [`pass_time`] has let pass.
#[inline]
pub(super) fn passed_ns() -> u64 {
    PASSED_NS.get()
}

// Constant and without destructors, so that libc calls made while a thread starts or ends can read
// them like any other.
thread_local! {
    static INSIDE: Cell<Option<&'static Hooks>> = const { Cell::new(None) };
    static PASSED_NS: Cell<u64> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIRST: Hooks = hooks(|| 1);
    static SECOND: Hooks = hooks(|| 2);

    const fn hooks(monotonic_ns: fn() -> u64) -> Hooks {
        Hooks {
            monotonic_ns,
            wall_ns: || 0,
            fill_entropy: |_| {},
            escape: |_| Verdict::Refuse,
        }
    }

    fn answer() -> Option<u64> {
        ask(|hooks| (hooks.monotonic_ns)())
    }

    #[test]
    fn guards_nest_and_restore() {
        assert_eq!(answer(), None);
        let first = enter(&FIRST);
        assert_eq!(answer(), Some(1));
        {
            let _second = enter(&SECOND);
            assert_eq!(answer(), Some(2));
            assert_eq!(outside(answer), None);
            assert!(is_inside());
        }
        assert_eq!(answer(), Some(1));
        drop(first);
        assert!(!is_inside());
    }

    #[test]
    fn hooks_are_asked_outside() {
        let _guard = enter(&FIRST);
        assert_eq!(ask(|_| is_inside()), Some(false));
        assert!(is_inside());
    }

    #[test]
    fn a_panic_leaves_no_thread_inside() {
        let caught = std::panic::catch_unwind(|| {
            let _guard = enter(&FIRST);
            outside(|| panic!("while outside"));
        });
        assert!(caught.is_err());
        assert!(!is_inside());
    }
}
