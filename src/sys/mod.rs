//! The libc symbols through which a program could leave the simulation: here they are served by
//! it or refused.
//!
//! A `#[no_mangle] extern "C"` function in a plain rlib wins over libc when a binary is linked, so
//! std and every crate call the functions of `symbols` without knowing it. Each of them first
//! asks whether this thread is *inside*, that is between [`enter`] and the drop of its guard, which
//! the executor holds around each poll. Outside, and so on every other thread of the process, the
//! call goes to the real libc unchanged.
//!
//! # What is intercepted, and what a simulated node gets
//!
//! | call | inside |
//! |---|---|
//! | `clock_gettime`, `gettimeofday`, `time` | served: the node's clocks; CPU clocks as monotonic |
//! | `getrandom`, `getentropy`, `syscall(SYS_getrandom)` | served: the simulation's stream |
//! | `sched_getaffinity`, `sysconf` (processors only) | served: one processor |
//! | `pthread_create` | `Thread`: `EAGAIN` |
//! | `nanosleep`, `clock_nanosleep`, `usleep`, `sleep` | `Sleep`: returns at once |
//! | `syscall(SYS_futex)` with a timeout (`park_timeout`, `recv_timeout`) | `Sleep`: `ETIMEDOUT` |
//! | `[p]poll`, `[p]select`, `epoll_[p]wait` with a timeout but zero | `Sleep`: nothing is ready |
//! | `socket`, `socketpair` | `Socket`: `EACCES` |
//! | `getaddrinfo`, `gethostbyname[2]` | `Socket`: `EAI_FAIL`, nothing |
//! | `open[at][64]`, `creat[64]`, `fopen[64]`, `opendir` | `File`: `EACCES` |
//! | `[l]stat[64]`, `fstatat[64]`, `statx`, `access`, `faccessat` | `File`: `EACCES` |
//! | `readlink`, `realpath`, `link[at]`, `symlink[at]` | `File`: `EACCES` |
//! | `mkdir[at]`, `rmdir`, `unlink[at]`, `rename[at]` | `File`: `EACCES` |
//! | `chmod`, `[l]chown`, `fchownat`, `utimensat`, `truncate[64]`, `chdir` | `File`: `EACCES` |
//! | `mkstemp[64]`, `mkdtemp` | `File`: `EACCES` |
//! | `fork`, `posix_spawn[p]`, `execv[e]`, `execvp`, `system`, `popen` | `ChildProcess`: `EPERM` |
//! | `read`, `readv` of descriptor 0 | `Stdin`: `EBADF` |
//! | `exit`, `_exit`, `_Exit` | `Exit`: prints one line and ends the process with 101 |
//!
//! A row that begins with an [`EscapeKind`] is refused with that error, unless [`Hooks::escape`]
//! answers [`Verdict::Allow`]: then the real call is made. A refused sleep lets the node's clocks
//! go on until the next [`enter`], or code that waits until a deadline would never come back.
//!
//! Reading passes for `/dev/null`, for what std opens to capture and symbolise a backtrace (the
//! executable, shared objects, debug information, `/proc/self/maps`), and for the control groups
//! that `std::thread::available_parallelism` looks at.
//!
//! # Not seen
//!
//! - System calls made without libc (rustix's default backend), and libc's own inner calls
//!   (`pthread_cond_timedwait`, `getchar`).
//! - `getpid`, `gettid`, `clock`, `getrusage`, addresses, the time-stamp counter: see [`probe`].
//! - A descriptor opened before the simulation and used in it.
//! - `getcwd`, since std asks it when it prints a backtrace; `pipe[2]`, which leads nowhere by
//!   itself; and calls that std does not make: `renameat2`, `readlinkat`, `fchmodat`, `mknod`,
//!   `mkfifo`, `nftw`, `glob` and their like.
//! - `vfork`: a wrapper would return into a frame that its child has already left. std does not
//!   call it.
//! - `abort`, so that a crash still looks like one to whoever runs the process.
//! - A wait without a timeout for something that never comes: the watchdog's business.
//! - When sleeps are allowed, the deadline of a `recv_timeout` is one of the node's clock, which
//!   stands still during a poll: the real wait returns too early or too late.
//!
//! # What this module must never know
//!
//! The executor, nodes, the trace. It holds one thread-local pointer to [`Hooks`] and calls them.
//! It is the only module of the crate that may hold `unsafe`, since foreign functions cannot be
//! defined or called without.
#![allow(unsafe_code, reason = "defines and calls foreign functions")]
#![deny(clippy::float_arithmetic)]
#![cfg_attr(
    not(all(
        target_os = "linux",
        target_env = "gnu",
        not(target_feature = "crt-static"),
        any(target_arch = "x86_64", target_arch = "aarch64"),
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "only the symbols ask, and there are none"
    )
)]

mod entropy;
mod escape;
mod inside;
mod limit;
mod place;
pub(crate) mod probe;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
))]
mod symbols;

pub(crate) use entropy::seed_thread;
pub(crate) use escape::Escape;
pub use escape::EscapeKind;
pub(crate) use inside::{Hooks, Verdict, enter, is_inside, outside};
pub(crate) use limit::limit_memory;

/// Whether std's clocks, hash keys and escapes are intercepted in this build.
///
/// True on Linux with a dynamically linked glibc, x86-64 and aarch64. Elsewhere Stormglass's own
/// interface works, but a program that reads std's clock or opens a socket is not stopped.
pub const INTERPOSED: bool = cfg!(all(
    not(test),
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
));
