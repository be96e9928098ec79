//! The functions that stand in for libc's in the linked binary.
//!
//! Each has the signature and the contract of the libc function of its name; the table of what
//! they do inside a simulated node is in the header of [`sys`](super). C functions with `...` are
//! defined with a fixed number of arguments, since stable Rust cannot define the other kind: on
//! x86-64 and aarch64 Linux integer arguments are passed in the same places either way.
//!
//! A panic here aborts the process: an `extern "C"` function never unwinds.
//!
//! In unit tests the functions have no symbols: a test binary may link the crate a second time, as
//! a dependency of something that it tests with, and a symbol can be defined only once.
#![cfg_attr(
    test,
    allow(dead_code, reason = "without symbols, only tests call the functions")
)]

mod block;
mod clock;
mod entropy;
mod file;
mod leave;
mod machine;
mod paths;
mod real;

use std::borrow::Cow;

use libc::c_int;

use super::escape::{Escape, EscapeKind};
use super::inside::{Verdict, ask};

/// Defines libc functions that are refused inside a simulated node and passed on elsewhere.
///
/// A row reads: signature, then kind of escape, optionally `of` what detail (an expression giving
/// `Option<Cow<str>>`) and `if` a condition, then what the caller gets when refused. Both
/// expressions are evaluated inside only.
macro_rules! refused {
    ($(
        fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty:
            $kind:ident $(of $detail:expr)?, $(if $when:expr,)? else $refusal:expr;
    )*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            let detail = || refused!(@detail $($detail)?);
            if crate::sys::is_inside()
                $(&& $when)?
                && super::is_refused(crate::sys::EscapeKind::$kind, stringify!($name), detail)
            {
                return $refusal;
            }
            // SAFETY: the caller keeps the contract of the libc function of this name.
            unsafe { super::real::real!(fn $name($($ty),*) -> $ret)($($arg),*) }
        }
    )* };
    (@detail) => { None };
    (@detail $detail:expr) => { $detail };
}
use refused;

/// Whether this thread is inside and the hooks refuse to let the call leave the simulation.
fn is_refused<'a>(
    kind: EscapeKind,
    call: &'static str,
    detail: impl FnOnce() -> Option<Cow<'a, str>>,
) -> bool {
    let judge = ask(|hooks| {
        (hooks.escape)(&Escape {
            kind,
            call,
            detail: detail(),
        })
    });
    judge == Some(Verdict::Refuse)
}

/// Fails as libc does: `errno` set and -1 returned.
fn fail(errno: c_int) -> c_int {
    // SAFETY: the pointer is to this thread's errno, which lives as long as the thread.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Hooks for the tests of this module.
#[cfg(test)]
mod testing {
    use core::cell::RefCell;

    use super::*;
    use crate::sys::{Hooks, enter};

    pub(super) const MONOTONIC_NS: u64 = 42_000_000_007;
    pub(super) const WALL_NS: u64 = 1_700_000_000_000_002_000;
    pub(super) const ENTROPY: u8 = 0xa5;

    static HOOKS: Hooks = Hooks {
        monotonic_ns: || MONOTONIC_NS,
        wall_ns: || WALL_NS,
        fill_entropy: |buffer| buffer.fill(ENTROPY),
        escape: |escape| {
            SEEN.with_borrow_mut(|seen| seen.push(escape.to_string()));
            if ALLOWED.get() {
                Verdict::Allow
            } else {
                Verdict::Refuse
            }
        },
    };

    thread_local! {
        static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static ALLOWED: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
    }

    pub(super) fn inside<R>(f: impl FnOnce() -> R) -> R {
        let _guard = enter(&HOOKS);
        f()
    }

    pub(super) fn inside_allowing<R>(f: impl FnOnce() -> R) -> R {
        ALLOWED.set(true);
        let result = inside(f);
        ALLOWED.set(false);
        result
    }

    /// Makes a call inside and checks what it returns and which escape it is.
    #[track_caller]
    pub(super) fn check<R: PartialEq + core::fmt::Debug>(
        call: impl FnOnce() -> R,
        returned: R,
        escape: &str,
    ) {
        let result = inside(call);
        assert_eq!((result, seen().join("; ")), (returned, escape.to_owned()));
    }

    /// The escapes since the last time.
    pub(super) fn seen() -> Vec<String> {
        SEEN.take()
    }

    pub(super) fn errno() -> c_int {
        std::io::Error::last_os_error().raw_os_error().unwrap()
    }
}
