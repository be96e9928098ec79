//! Reading the clock: served by the node's own clocks.

use libc::{c_int, c_void, clockid_t, suseconds_t, time_t, timespec, timeval};

use super::real::real;
use crate::sys::inside::{ask, passed_ns};
use crate::sys::probe;

/// What a clock of this id shows inside; `None` outside, and for an id that libc does not know.
/// A probe may have stopped the clocks outside, too.
pub(super) fn now_ns(clock: clockid_t) -> Option<u64> {
    match clock {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => ask(|hooks| (hooks.wall_ns)().saturating_add(passed_ns()))
            .or_else(probe::stopped_clock_ns),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM
        | libc::CLOCK_PROCESS_CPUTIME_ID
        | libc::CLOCK_THREAD_CPUTIME_ID
        // Negative ids are the CPU clocks of some thread or process.
        | ..0 => ask(|hooks| (hooks.monotonic_ns)().saturating_add(passed_ns()))
            .or_else(probe::stopped_clock_ns),
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

#[cfg(test)]
mod tests {
    use super::super::testing::{MONOTONIC_NS, WALL_NS, inside};
    use super::*;

    /// What a clock shows, in nanoseconds.
    fn shown(clock: clockid_t) -> u64 {
        let mut now = to_timespec(0);
        // SAFETY: the pointer is valid for the write.
        assert_eq!(unsafe { clock_gettime(clock, &raw mut now) }, 0);
        now.tv_sec.cast_unsigned() * NANOS_PER_SECOND + now.tv_nsec.cast_unsigned()
    }

    #[test]
    fn clocks_are_the_nodes_inside() {
        inside(|| {
            for clock in [
                libc::CLOCK_MONOTONIC,
                libc::CLOCK_MONOTONIC_RAW,
                libc::CLOCK_MONOTONIC_COARSE,
                libc::CLOCK_BOOTTIME,
                libc::CLOCK_PROCESS_CPUTIME_ID,
                libc::CLOCK_THREAD_CPUTIME_ID,
                -6,
            ] {
                assert_eq!(shown(clock), MONOTONIC_NS, "clock {clock}");
            }
            for clock in [
                libc::CLOCK_REALTIME,
                libc::CLOCK_REALTIME_COARSE,
                libc::CLOCK_TAI,
            ] {
                assert_eq!(shown(clock), WALL_NS, "clock {clock}");
            }
        });
    }

    #[test]
    fn the_older_calls_show_the_wall_clock() {
        let mut now = timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        let mut seconds = 0;
        inside(|| {
            // SAFETY: the pointers are null or valid for the write.
            unsafe {
                assert_eq!(gettimeofday(&raw mut now, core::ptr::null_mut()), 0);
                assert_eq!(
                    gettimeofday(core::ptr::null_mut(), core::ptr::null_mut()),
                    0
                );
                assert_eq!(time(&raw mut seconds), 1_700_000_000);
                assert_eq!(time(core::ptr::null_mut()), 1_700_000_000);
            }
        });
        assert_eq!((now.tv_sec, now.tv_usec), (1_700_000_000, 2));
        assert_eq!(seconds, 1_700_000_000);
    }

    #[test]
    fn clocks_are_real_outside() {
        assert_ne!(shown(libc::CLOCK_MONOTONIC), MONOTONIC_NS);
        assert!(shown(libc::CLOCK_REALTIME) > WALL_NS);
        let mut now = timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        // SAFETY: the pointers are null or valid for the write.
        unsafe {
            assert_eq!(gettimeofday(&raw mut now, core::ptr::null_mut()), 0);
            assert!(now.tv_sec > 1_700_000_000 && time(core::ptr::null_mut()) >= now.tv_sec);
        }
    }

    #[test]
    fn an_unknown_clock_is_an_error_as_outside() {
        let mut now = to_timespec(0);
        // SAFETY: the pointer is valid for the write.
        assert_eq!(inside(|| unsafe { clock_gettime(99, &raw mut now) }), -1);
    }
}
