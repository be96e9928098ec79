//! Reading the clock: served by the node's own clocks.

use libc::{c_int, c_void, clockid_t, suseconds_t, time_t, timespec, timeval};

use super::real::real;
use crate::sys::inside::ask;

/// What a clock of this id shows inside; `None` outside, and for an id that libc does not know.
pub(super) fn now_ns(clock: clockid_t) -> Option<u64> {
    match clock {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => ask(|hooks| (hooks.wall_ns)()),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM
        | libc::CLOCK_PROCESS_CPUTIME_ID
        | libc::CLOCK_THREAD_CPUTIME_ID
        // Negative ids are the CPU clocks of some thread or process.
        | ..0 => ask(|hooks| (hooks.monotonic_ns)()),
        _ => None,
    }
}

/// Nanoseconds as libc's type.
pub(super) fn to_timespec(ns: u64) -> timespec {
    let (seconds, rest) = (ns / NANOS_PER_SECOND, ns % NANOS_PER_SECOND);
    timespec {
        tv_sec: seconds.cast_signed(),
        tv_nsec: rest.cast_signed(),
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn clock_gettime(clock: clockid_t, now: *mut timespec) -> c_int {
    if let Some(ns) = now_ns(clock) {
        // SAFETY: the caller gives a pointer to which a timespec can be written.
        unsafe { now.write(to_timespec(ns)) };
        return 0;
    }
    // SAFETY: the caller keeps the contract of the libc function of this name.
    unsafe { real!(fn clock_gettime(clockid_t, *mut timespec) -> c_int)(clock, now) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn gettimeofday(now: *mut timeval, zone: *mut c_void) -> c_int {
    let Some(ns) = now_ns(libc::CLOCK_REALTIME) else {
        // SAFETY: the caller keeps the contract of the libc function of this name.
        return unsafe { real!(fn gettimeofday(*mut timeval, *mut c_void) -> c_int)(now, zone) };
    };
    if !now.is_null() {
        let timespec { tv_sec, tv_nsec } = to_timespec(ns);
        let tv_usec: suseconds_t = tv_nsec / 1_000;
        // SAFETY: not null, so the caller gives a pointer to which a timeval can be written.
        unsafe { now.write(timeval { tv_sec, tv_usec }) };
    }
    0
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn time(now: *mut time_t) -> time_t {
    let Some(ns) = now_ns(libc::CLOCK_REALTIME) else {
        // SAFETY: the caller keeps the contract of the libc function of this name.
        return unsafe { real!(fn time(*mut time_t) -> time_t)(now) };
    };
    let seconds = to_timespec(ns).tv_sec;
    if !now.is_null() {
        // SAFETY: not null, so the caller gives a pointer to which a time_t can be written.
        unsafe { now.write(seconds) };
    }
    seconds
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
