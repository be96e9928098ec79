//! The libc symbols through which a program could leave the simulation: here they are served by
//! it or refused.
//!
//! A `#[no_mangle] extern "C"` function in a plain rlib wins over libc when a binary is linked, so
//! std and every crate call the functions of [`symbols`] without knowing it. Each of them first
//! asks whether this thread is *inside*, that is between [`enter`] and the drop of its guard, which
//! the executor holds around each poll. Outside, and so on every other thread of the process, the
//! call goes to the real libc unchanged.
//!
//! # What is intercepted, and what a simulated node gets
//!
//! | call | inside |
//! |---|---|
//! | `clock_gettime`, `gettimeofday`, `time` | served: the node's clocks; a CPU clock reads as the monotonic one |
//! | `getrandom`, `getentropy`, `syscall(SYS_getrandom)` | served: the simulation's stream |
//! | `sched_getaffinity`, `sysconf` (processors only) | served: one processor |
//! | `pthread_create` | refused ([`Thread`](EscapeKind::Thread)): `EAGAIN` |
//! | `nanosleep`, `clock_nanosleep`, `usleep`, `sleep` | refused ([`Sleep`](EscapeKind::Sleep)): returns at once |
//! | `syscall(SYS_futex)` waiting with a timeout: `park_timeout`, `Condvar::wait_timeout` | refused (`Sleep`): `ETIMEDOUT` |
//! | `poll`, `ppoll`, `select`, `pselect`, `epoll_wait`, `epoll_pwait` unless they return at once | refused (`Sleep`): nothing is ready |
//! | `socket`, `socketpair`, `getaddrinfo` | refused ([`Socket`](EscapeKind::Socket)): `EACCES`, `EAI_FAIL` |
//! | `open`, `openat`, `creat` and their `64` forms, `fopen`, `opendir`, `statx`, `readlink`, `realpath` | refused ([`File`](EscapeKind::File)): `EACCES`; passed for the paths below |
//! | `mkdir`, `rmdir`, `unlink`, `unlinkat`, `rename`, `link`, `linkat`, `symlink`, `chmod` | refused (`File`): `EACCES` |
//! | `fork`, `posix_spawn`, `posix_spawnp`, `execv`, `execve`, `execvp`, `system`, `popen` | refused ([`ChildProcess`](EscapeKind::ChildProcess)): `EPERM` |
//! | `read`, `readv` of descriptor 0 | refused ([`Stdin`](EscapeKind::Stdin)): `EBADF` |
//! | `exit`, `_exit`, `_Exit` | refused ([`Exit`](EscapeKind::Exit)): prints one line, ends the process with 101 |
//!
//! "Refused" means: unless [`Hooks::escape`] answers [`Verdict::Allow`]; then the real call is made.
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
//! - `vfork`: a wrapper would return into a frame that its child has already left. std does not
//!   call it.
//! - `abort`, so that a crash still looks like one to whoever runs the process.
//! - A wait without a timeout for something that never comes: the watchdog's business.
//!
//! # What this module must never know
//!
//! The executor, nodes, the trace. It holds one thread-local pointer to [`Hooks`] and calls them.
//! It is the only module of the crate that may hold `unsafe`, since foreign functions cannot be
//! defined or called without.
#![allow(unsafe_code, reason = "defines and calls foreign functions")]

mod entropy;
mod escape;
mod inside;
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
