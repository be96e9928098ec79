//! Blocking the thread: refused, and the call returns at once.

use libc::{
    c_int, c_uint, clockid_t, epoll_event, fd_set, nfds_t, pollfd, sigset_t, timespec, timeval,
    useconds_t,
};

use super::refused;

refused! {
    // A sleep that is refused reports success: std asserts that no error but EINTR comes back, and
    // would repeat on that one.
    fn nanosleep(length: *const timespec, rest: *mut timespec) -> c_int: Sleep, else 0;
    fn clock_nanosleep(
        clock: clockid_t,
        flags: c_int,
        until: *const timespec,
        rest: *mut timespec
    ) -> c_int: Sleep, else 0;
    fn usleep(length: useconds_t) -> c_int: Sleep, else 0;
    fn sleep(length: c_uint) -> c_uint: Sleep, else 0;

    // A node holds no descriptor that could become ready, so these are sleeps by another name. One
    // that returns at once is harmless.
    fn poll(fds: *mut pollfd, count: nfds_t, timeout_ms: c_int) -> c_int:
        Sleep, if timeout_ms != 0, else 0;
    fn ppoll(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const sigset_t
    ) -> c_int: Sleep, if !is_zero(timeout), else 0;
    fn select(
        count: c_int,
        reads: *mut fd_set,
        writes: *mut fd_set,
        errors: *mut fd_set,
        timeout: *mut timeval
    ) -> c_int: Sleep, if !is_zero(timeout.cast()), else 0;
    fn pselect(
        count: c_int,
        reads: *mut fd_set,
        writes: *mut fd_set,
        errors: *mut fd_set,
        timeout: *const timespec,
        mask: *const sigset_t
    ) -> c_int: Sleep, if !is_zero(timeout), else 0;
    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout_ms: c_int) -> c_int:
        Sleep, if timeout_ms != 0, else 0;
    fn epoll_pwait(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        timeout_ms: c_int,
        mask: *const sigset_t
    ) -> c_int: Sleep, if timeout_ms != 0, else 0;
}

/// Whether a timeout is there and zero. A `timeval` may be given too: it has the same two words.
fn is_zero(timeout: *const timespec) -> bool {
    // SAFETY: null or valid, by the contract of the functions above.
    let timeout = unsafe { timeout.as_ref() };
    timeout.is_some_and(|timeout| timeout.tv_sec == 0 && timeout.tv_nsec == 0)
}

const _: () = assert!(size_of::<timespec>() == size_of::<timeval>());
