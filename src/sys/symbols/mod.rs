//! The functions that stand in for libc's in the linked binary.
//!
//! Each has the signature and the contract of the libc function of its name; the table of what
//! they do inside a simulated node is in the header of [`sys`](super). C functions with `...` are
//! defined with a fixed number of arguments, since stable Rust cannot define the other kind: on
//! x86-64 and aarch64 Linux integer arguments are passed in the same places either way.
//!
//! A panic here aborts the process: an `extern "C"` function never unwinds.
#![cfg_attr(
    test,
    allow(
        dead_code,
        reason = "unit tests call the functions, libc's callers do not"
    )
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
