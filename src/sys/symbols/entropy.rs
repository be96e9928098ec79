//! Drawing entropy: served by the node's stream, or by the thread's if it has one. And the
//! `syscall` function, by which older crates draw it.

use libc::{c_int, c_long, c_uint, c_void, size_t, ssize_t, timespec};

use super::clock::{now_ns, to_timespec};
use super::real::real;
use super::{fail, is_refused};
use crate::sys::escape::EscapeKind;
use crate::sys::inside::ask;
use crate::sys::{entropy, is_inside};

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller gives a buffer of this length.
    if unsafe { fill(buffer, length) } {
        return length.cast_signed();
    }
    // The system call and not the function: glibc has had that only since 2.25.
    // SAFETY: the caller keeps the contract of the function, which is that of the system call.
    unsafe {
        real!(syscall: unsafe extern "C" fn(c_long, ...) -> ssize_t)(
            libc::SYS_getrandom,
            buffer,
            length,
            flags,
        )
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    // SAFETY: the caller gives a buffer of this length.
    if length <= GETENTROPY_BYTES_MAX && unsafe { fill(buffer, length) } {
        return 0;
    }
    // SAFETY: the caller keeps the contract of the libc function of this name.
    unsafe { real!(fn getentropy(*mut c_void, size_t) -> c_int)(buffer, length) }
}

/// Any system call. Those that read a clock, draw entropy or wait until a deadline are treated as
/// the functions that do so; all others are passed on.
///
/// The arguments are words, of which a caller that gives an `int` fills the lower half.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let answer = match number {
        // SAFETY: the caller gives a buffer (a) of this length (b).
        libc::SYS_getrandom => unsafe { fill(a as *mut c_void, b) }.then_some(b.cast_signed()),
        // SAFETY: the caller gives a pointer (b) to which a timespec can be written.
        libc::SYS_clock_gettime => unsafe { read_clock(to_int(a), b as *mut timespec) },
        libc::SYS_futex => refuse_timed_wait(to_int(b), d as *const timespec),
        _ => None,
    };
    if let Some(answer) = answer {
        return answer as c_long;
    }
    // SAFETY: the caller keeps the contract of the system call. Arguments that it did not give are
    // whatever is where they would be, which the kernel does not read.
    unsafe { real!(syscall: unsafe extern "C" fn(c_long, ...) -> c_long)(number, a, b, c, d, e, f) }
}

/// Fills the buffer if the entropy of this thread is not real; false if it is.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes, or `length` zero.
unsafe fn fill(buffer: *mut c_void, length: size_t) -> bool {
    // Some crates ask for nothing, with a dangling pointer, to see whether the call exists.
    if length == 0 {
        return is_inside();
    }
    // SAFETY: valid for writes of `length` bytes by contract; zeroed first, as a slice of bytes
    // must not be uninitialised.
    let buffer = unsafe {
        if buffer.is_null() {
            return false;
        }
        buffer.write_bytes(0, length);
        core::slice::from_raw_parts_mut(buffer.cast::<u8>(), length)
    };
    ask(|hooks| (hooks.fill_entropy)(buffer)).is_some() || entropy::fill(buffer)
}

/// Writes what the clock shows inside; `None`, and nothing done, outside.
///
/// # Safety
/// `now` must be valid for the write of a timespec.
unsafe fn read_clock(clock: c_int, now: *mut timespec) -> Option<isize> {
    let ns = now_ns(clock)?;
    // SAFETY: valid by contract.
    unsafe { now.write(to_timespec(ns)) };
    Some(0)
}

/// Refuses a futex operation that would block until a deadline.
///
/// One without a deadline is passed: it is how every lock waits, also for other threads that share
/// it rightly, such as those of the test harness.
fn refuse_timed_wait(operation: c_int, timeout: *const timespec) -> Option<isize> {
    let waits = matches!(
        operation & libc::FUTEX_CMD_MASK,
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_LOCK_PI
    );
    let is_sleep = waits && !timeout.is_null();
    (is_sleep && is_refused(EscapeKind::Sleep, "futex", || None)).then(|| {
        fail(libc::ETIMEDOUT);
        -1
    })
}

/// The `int` in an argument's word. The upper half is whatever the caller left there.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only the lower half is the argument"
)]
const fn to_int(word: usize) -> c_int {
    (word as u32).cast_signed()
}

/// More than this is an error of `getentropy`, by POSIX.
const GETENTROPY_BYTES_MAX: usize = 256;
