//! Blocking the thread: refused, and the call returns at once as if the time had passed.
//!
//! Until the end of the poll the node's clocks show it as passed, too: code that waits until a
//! deadline waits again if the clock has not reached it, and would never come back.

use libc::{
    c_int, c_uint, clockid_t, epoll_event, fd_set, nfds_t, pollfd, sigset_t, timespec, timeval,
    useconds_t,
};

use super::clock::now_ns;
use super::refused;
use crate::sys::inside::pass_time;

refused! {
    // A sleep that is refused reports success: std asserts that no error but EINTR comes back, and
    // would repeat on that one.
    fn nanosleep(length: *const timespec, rest: *mut timespec) -> c_int:
        Sleep, else sleep_through(ns_of(length));
    fn clock_nanosleep(
        clock: clockid_t,
        flags: c_int,
        length: *const timespec,
        rest: *mut timespec
    ) -> c_int: Sleep, else match flags & libc::TIMER_ABSTIME {
        0 => sleep_through(ns_of(length)),
        _ => sleep_through(ns_until(clock, length)),
    };
    fn usleep(micros: useconds_t) -> c_int: Sleep, else sleep_through(ns(micros, 1_000));
    fn sleep(seconds: c_uint) -> c_uint:
        Sleep, else sleep_through(ns(seconds, 1_000_000_000)).cast_unsigned();

    // A node holds no descriptor that could become ready, so these are sleeps by another name. One
    // that returns at once is harmless.
    fn poll(fds: *mut pollfd, count: nfds_t, millis: c_int) -> c_int:
        Sleep, if millis != 0, else sleep_through(ns(millis, 1_000_000));
    fn ppoll(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const sigset_t
    ) -> c_int: Sleep, if ns_of(timeout) != Some(0), else sleep_through(ns_of(timeout));
    fn select(
        count: c_int,
        reads: *mut fd_set,
        writes: *mut fd_set,
        errors: *mut fd_set,
        timeout: *mut timeval
    ) -> c_int:
        Sleep, if ns_of_timeval(timeout) != Some(0), else sleep_through(ns_of_timeval(timeout));
    fn pselect(
        count: c_int,
        reads: *mut fd_set,
        writes: *mut fd_set,
        errors: *mut fd_set,
        timeout: *const timespec,
        mask: *const sigset_t
    ) -> c_int: Sleep, if ns_of(timeout) != Some(0), else sleep_through(ns_of(timeout));
    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, millis: c_int) -> c_int:
        Sleep, if millis != 0, else sleep_through(ns(millis, 1_000_000));
    fn epoll_pwait(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        millis: c_int,
        mask: *const sigset_t
    ) -> c_int: Sleep, if millis != 0, else sleep_through(ns(millis, 1_000_000));
}

/// Lets the node's clocks go on by this time, if it is bounded, and gives what a call returns
/// that slept and saw nothing become ready.
pub(super) fn sleep_through(ns: Option<u64>) -> c_int {
    pass_time(ns.unwrap_or(0));
    0
}

/// Nanoseconds of a timeout; `None` if there is no bound.
pub(super) fn ns_of(timeout: *const timespec) -> Option<u64> {
    // SAFETY: null or valid, by the contracts of the functions that take a timeout.
    let timeout = unsafe { timeout.as_ref() }?;
    Some(ns(timeout.tv_sec, 1_000_000_000)?.saturating_add(ns(timeout.tv_nsec, 1)?))
}

/// Nanoseconds from now until this clock shows this time; `None` if there is no bound.
pub(super) fn ns_until(clock: clockid_t, deadline: *const timespec) -> Option<u64> {
    Some(ns_of(deadline)?.saturating_sub(now_ns(clock)?))
}

fn ns_of_timeval(timeout: *const timeval) -> Option<u64> {
    // SAFETY: null or valid, by the contract of `select`.
    let timeout = unsafe { timeout.as_ref() }?;
    Some(ns(timeout.tv_sec, 1_000_000_000)?.saturating_add(ns(timeout.tv_usec, 1_000)?))
}

/// Nanoseconds of so many units; `None` if the number is negative, which for `poll` is no bound.
fn ns(units: impl TryInto<u64>, unit_ns: u64) -> Option<u64> {
    Some(units.try_into().ok()?.saturating_mul(unit_ns))
}

#[cfg(test)]
mod tests {
    use core::ptr::{null, null_mut};

    use super::super::clock::to_timespec;
    use super::super::testing::{MONOTONIC_NS, check, inside, inside_allowing, seen};
    use super::*;

    const HOUR: timespec = timespec {
        tv_sec: 3_600,
        tv_nsec: 1,
    };

    /// How far a call moves the node's clock on.
    fn moved_ns(call: impl FnOnce()) -> u64 {
        let now = inside(|| {
            call();
            now_ns(libc::CLOCK_MONOTONIC)
        });
        seen();
        now.unwrap() - MONOTONIC_NS
    }

    #[test]
    fn sleeps_return_at_once() {
        // SAFETY: the pointers are valid or, where that is allowed, null.
        unsafe {
            check(
                || nanosleep(&HOUR, null_mut()),
                0,
                "blocking sleep: nanosleep",
            );
            check(
                || clock_nanosleep(libc::CLOCK_REALTIME, 0, &HOUR, null_mut()),
                0,
                "blocking sleep: clock_nanosleep",
            );
            check(|| usleep(1_000_000), 0, "blocking sleep: usleep");
            check(|| sleep(3_600), 0, "blocking sleep: sleep");
        }
    }

    #[test]
    fn waiting_for_descriptors_returns_at_once() {
        let mut hour = timeval {
            tv_sec: 3_600,
            tv_usec: 0,
        };
        let hour = &raw mut hour;
        let (fds, set, events) = (null_mut(), null_mut(), null_mut());
        // SAFETY: no descriptors are given, and the timeouts are valid.
        unsafe {
            check(|| poll(fds, 0, -1), 0, "blocking sleep: poll");
            check(|| ppoll(fds, 0, null(), null()), 0, "blocking sleep: ppoll");
            check(
                || select(0, set, set, set, hour),
                0,
                "blocking sleep: select",
            );
            check(
                || pselect(0, set, set, set, &HOUR, null()),
                0,
                "blocking sleep: pselect",
            );
            check(
                || epoll_wait(0, events, 1, 5),
                0,
                "blocking sleep: epoll_wait",
            );
            check(
                || epoll_pwait(0, events, 1, 5, null()),
                0,
                "blocking sleep: epoll_pwait",
            );
        }
    }

    #[test]
    fn looking_without_waiting_passes() {
        let mut zero = timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        let (fds, set) = (null_mut(), null_mut());
        // SAFETY: no descriptors are given, and the timeouts are valid.
        inside(|| unsafe {
            assert_eq!(poll(fds, 0, 0), 0);
            assert_eq!(ppoll(fds, 0, &to_timespec(0), null()), 0);
            assert_eq!(select(0, set, set, set, &raw mut zero), 0);
            assert_eq!(pselect(0, set, set, set, &to_timespec(0), null()), 0);
        });
        assert!(seen().is_empty());
    }

    #[test]
    fn a_refused_sleep_has_passed_for_the_node() {
        let deadline = to_timespec(MONOTONIC_NS + 5);
        let flags = libc::TIMER_ABSTIME;
        let mut half = timeval {
            tv_sec: 0,
            tv_usec: 500_000,
        };
        let set = null_mut();
        // SAFETY: as in the tests above.
        unsafe {
            assert_eq!(
                moved_ns(|| _ = nanosleep(&HOUR, null_mut())),
                3_600_000_000_001
            );
            let until = || clock_nanosleep(libc::CLOCK_MONOTONIC, flags, &deadline, null_mut());
            assert_eq!(moved_ns(|| _ = until()), 5);
            assert_eq!(moved_ns(|| _ = usleep(7)), 7_000);
            assert_eq!(moved_ns(|| _ = sleep(7)), 7_000_000_000);
            assert_eq!(moved_ns(|| _ = poll(null_mut(), 0, 7)), 7_000_000);
            assert_eq!(moved_ns(|| _ = poll(null_mut(), 0, -1)), 0);
            let half = &raw mut half;
            assert_eq!(moved_ns(|| _ = select(0, set, set, set, half)), 500_000_000);
        }
        assert_eq!(moved_ns(|| ()), 0);
    }

    #[test]
    fn an_allowed_sleep_sleeps() {
        let slept = inside_allowing(|| {
            // SAFETY: may be called with any number.
            unsafe { usleep(1_000) };
            now_ns(libc::CLOCK_MONOTONIC)
        });
        assert_eq!(slept, Some(MONOTONIC_NS));
        assert_eq!(seen(), ["blocking sleep: usleep"]);
    }
}
