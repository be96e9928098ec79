//! Drawing entropy: served by the node's stream, or by the thread's if it has one. And the
//! `syscall` function, by which older crates draw it.

use libc::{c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

use super::block::{ns_of, ns_until, sleep_through};
use super::clock::{now_ns, to_timespec};
use super::real::real;
use super::{fail, is_refused};
use crate::sys::entropy::{self, Source};
use crate::sys::escape::EscapeKind;
use crate::sys::inside::ask;
use crate::sys::is_inside;

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller gives a buffer of this length.
    if unsafe { fill(buffer, length, source(length, flags)) } {
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
    if length <= GETENTROPY_BYTES_MAX && unsafe { fill(buffer, length, Source::Call) } {
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
        libc::SYS_getrandom => {
            unsafe { fill(a as *mut c_void, b, Source::Call) }.then_some(b.cast_signed())
        }
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
unsafe fn fill(buffer: *mut c_void, length: size_t, source: Source) -> bool {
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
    ask(|hooks| (hooks.fill_entropy)(buffer)).is_some() || entropy::fill(buffer, source)
}

/// std alone asks in this way, and only for the keys of a thread's hash maps.
const fn source(length: size_t, flags: c_uint) -> Source {
    if flags == libc::GRND_INSECURE && length == HASH_KEYS_BYTES {
        Source::HashKeys
    } else {
        Source::Call
    }
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
    let clock = match operation & libc::FUTEX_CLOCK_REALTIME {
        0 => libc::CLOCK_MONOTONIC,
        _ => libc::CLOCK_REALTIME,
    };
    // The one operation takes a length and the others a time at which to give up.
    let left_ns: fn(clockid_t, *const timespec) -> Option<u64> =
        match operation & libc::FUTEX_CMD_MASK {
            libc::FUTEX_WAIT => |_, length| ns_of(length),
            libc::FUTEX_WAIT_BITSET => ns_until,
            libc::FUTEX_LOCK_PI => |_, deadline| ns_until(libc::CLOCK_REALTIME, deadline),
            _ => return None,
        };
    if timeout.is_null() || !is_refused(EscapeKind::Sleep, "futex", || None) {
        return None;
    }
    sleep_through(left_ns(clock, timeout));
    fail(libc::ETIMEDOUT);
    Some(-1)
}

/// The `int` in an argument's word. The upper half is whatever the caller left there.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only the lower half is the argument"
)]
const fn to_int(word: usize) -> c_int {
    (word as u32).cast_signed()
}

/// Two words for SipHash.
const HASH_KEYS_BYTES: size_t = 16;
/// More than this is an error of `getentropy`, by POSIX.
const GETENTROPY_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::testing::{ENTROPY, check, errno, inside, seen};
    use super::*;
    use crate::sys::seed_thread;

    /// Sixteen bytes by each way in turn.
    fn drawn() -> [[u8; 16]; 3] {
        let mut bytes = [[0; 16]; 3];
        // SAFETY: each buffer has the length that is given.
        unsafe {
            assert_eq!(getrandom(bytes[0].as_mut_ptr().cast(), 16, 0), 16);
            assert_eq!(getentropy(bytes[1].as_mut_ptr().cast(), 16), 0);
            let buffer = bytes[2].as_mut_ptr().expose_provenance();
            assert_eq!(syscall(libc::SYS_getrandom, buffer, 16, 0, 0, 0, 0), 16);
        }
        bytes
    }

    #[test]
    fn entropy_is_the_hooks_inside_and_real_outside() {
        assert_eq!(inside(drawn), [[ENTROPY; 16]; 3]);
        assert_ne!(drawn(), drawn());
    }

    #[test]
    fn a_seeded_thread_draws_its_stream_outside_only() {
        let first = {
            let _seed = seed_thread(3);
            assert_eq!(inside(drawn), [[ENTROPY; 16]; 3]);
            drawn()
        };
        let _seed = seed_thread(3);
        assert_eq!(drawn(), first);
        assert_ne!(drawn(), first);
    }

    #[test]
    fn asking_for_nothing_tells_that_the_call_exists() {
        let nothing = core::ptr::dangling_mut::<c_void>();
        // SAFETY: no bytes are written.
        assert_eq!(inside(|| unsafe { getrandom(nothing, 0, 0) }), 0);
    }

    #[test]
    fn too_much_from_getentropy_is_an_error_inside() {
        let mut buffer = [0_u8; 257];
        // SAFETY: the buffer has the length that is given.
        assert_eq!(
            inside(|| unsafe { getentropy(buffer.as_mut_ptr().cast(), 257) }),
            -1
        );
        assert_eq!(errno(), libc::EIO);
    }

    #[test]
    fn the_clock_is_served_by_number() {
        let mut now = to_timespec(0);
        // The upper half of an `int`'s word means nothing.
        let clock = libc::CLOCK_MONOTONIC.cast_unsigned() as usize | 0xffff_ffff_0000_0000;
        let pointer = (&raw mut now).expose_provenance();
        // SAFETY: the pointer is valid for the write.
        let call = || unsafe { syscall(libc::SYS_clock_gettime, clock, pointer, 0, 0, 0, 0) };
        assert_eq!(inside(call), 0);
        assert_eq!((now.tv_sec, now.tv_nsec), (42, 7));
    }

    /// A futex operation on a word that holds what is expected, so that it would block.
    fn futex(operation: c_int, timeout: Option<timespec>) -> c_long {
        let word = 0_u32;
        let timeout = timeout
            .as_ref()
            .map_or(0, |timeout| (&raw const *timeout).addr());
        let operation = operation.cast_unsigned() as usize;
        // SAFETY: the word and the timeout live until the call returns.
        unsafe {
            syscall(
                libc::SYS_futex,
                (&raw const word).addr(),
                operation,
                0,
                timeout,
                0,
                1,
            )
        }
    }

    #[test]
    fn waiting_until_a_deadline_is_a_sleep() {
        let at = to_timespec(50_000_000_000);
        check(
            || futex(libc::FUTEX_WAIT_BITSET, Some(at)),
            -1,
            "blocking sleep: futex",
        );
        assert_eq!(errno(), libc::ETIMEDOUT);
        inside(|| {
            futex(libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG, Some(at));
            assert_eq!(now_ns(libc::CLOCK_MONOTONIC), Some(50_000_000_000));
            futex(libc::FUTEX_WAIT, Some(at));
            assert_eq!(now_ns(libc::CLOCK_MONOTONIC), Some(100_000_000_000));
        });
        assert_eq!(seen().len(), 2);
    }

    #[test]
    fn other_futex_operations_pass() {
        // SAFETY: the word lives until the call returns, which is at once: it is not 1.
        let wait = |word: u32| unsafe {
            syscall(libc::SYS_futex, (&raw const word).addr(), 0, 1, 0, 0, 0)
        };
        assert_eq!((inside(|| wait(0)), errno()), (-1, libc::EAGAIN));
        inside(|| {
            assert_eq!(futex(libc::FUTEX_WAKE, None), 0);
            // The bound of a wake-up is no time to wait for.
            assert_eq!(futex(libc::FUTEX_WAKE, Some(to_timespec(1))), 0);
        });
        assert!(seen().is_empty());
        // SAFETY: takes no arguments.
        let process = unsafe { syscall(libc::SYS_getpid, 0, 0, 0, 0, 0, 0) };
        assert_eq!(process, c_long::from(std::process::id()));
    }
}
