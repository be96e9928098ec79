//! Leaving the simulation by a thread, a socket, another process or the end of this one: refused.

use core::ffi::CStr;
use core::ptr::null_mut;
use std::borrow::Cow;
use std::io::Write as _;

use libc::{
    FILE, addrinfo, c_char, c_int, c_void, hostent, pid_t, posix_spawn_file_actions_t,
    posix_spawnattr_t, pthread_attr_t, pthread_t,
};

use super::real::real;
use super::{fail, is_refused, refused};
use crate::sys::escape::{Escape, EscapeKind};
use crate::sys::{is_inside, outside};

refused! {
    fn pthread_create(
        thread: *mut pthread_t,
        attributes: *const pthread_attr_t,
        start: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void
    ) -> c_int: Thread, else libc::EAGAIN;

    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int:
        Socket, else fail(libc::EACCES);
    // std makes a pair of this rare type before it forks. It is harmless alone, and a report that
    // names the fork tells more.
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int:
        Socket, if kind & SOCKET_TYPE_MASK != libc::SOCK_SEQPACKET, else fail(libc::EACCES);
    fn getaddrinfo(
        host: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        result: *mut *mut addrinfo
    ) -> c_int: Socket of text(host), else libc::EAI_FAIL;
    fn gethostbyname(host: *const c_char) -> *mut hostent: Socket of text(host), else null_mut();
    fn gethostbyname2(host: *const c_char, family: c_int) -> *mut hostent:
        Socket of text(host), else null_mut();

    fn fork() -> pid_t: ChildProcess, else fail(libc::EPERM);
    fn posix_spawn(
        child: *mut pid_t,
        program: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        arguments: *const *mut c_char,
        environment: *const *mut c_char
    ) -> c_int: ChildProcess of text(program), else libc::EPERM;
    fn posix_spawnp(
        child: *mut pid_t,
        program: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        arguments: *const *mut c_char,
        environment: *const *mut c_char
    ) -> c_int: ChildProcess of text(program), else libc::EPERM;
    fn execv(program: *const c_char, arguments: *const *const c_char) -> c_int:
        ChildProcess of text(program), else fail(libc::EPERM);
    fn execve(
        program: *const c_char,
        arguments: *const *const c_char,
        environment: *const *const c_char
    ) -> c_int: ChildProcess of text(program), else fail(libc::EPERM);
    fn execvp(program: *const c_char, arguments: *const *const c_char) -> c_int:
        ChildProcess of text(program), else fail(libc::EPERM);
    fn system(command: *const c_char) -> c_int:
        ChildProcess of text(command), else fail(libc::EPERM);
    fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE:
        ChildProcess of text(command), else {
            fail(libc::EPERM);
            null_mut()
        };
}

/// Defines the functions that end the process.
///
/// They cannot return, so a refused one ends it too: with a line that tells why, and at once, for
/// the destructors that `exit` runs are the program's.
macro_rules! exits {
    ($(fn $name:ident;)*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        #[cfg_attr(test, allow(non_snake_case, reason = "libc's names are exempt as symbols only"))]
        unsafe extern "C" fn $name(code: c_int) -> ! {
            if is_inside() && is_exit_refused(stringify!($name), code) {
                // SAFETY: libc's `_exit` may be called with any code.
                unsafe { real!(fn _exit(c_int) -> !)(EXIT_REFUSED) }
            }
            // What runs from here, such as `atexit` functions, belongs to no node.
            // SAFETY: the caller keeps the contract of the libc function of this name.
            outside(|| unsafe { real!(fn $name(c_int) -> !)(code) })
        }
    )* };
}

exits! {
    fn exit;
    fn _exit;
    fn _Exit;
}

/// Whether the node must not end the process; if so, has told it to the user.
fn is_exit_refused(call: &'static str, code: c_int) -> bool {
    let escape = Escape {
        kind: EscapeKind::Exit,
        call,
        detail: Some(Cow::Owned(code.to_string())),
    };
    let is_refused = is_refused(escape.kind, call, || escape.detail.clone());
    if is_refused {
        // Past the capture of test output, which would die with the process. Nothing can be done
        // if standard error is gone.
        let _ = writeln!(std::io::stderr(), "{}", exit_line(&escape, escape.place()));
    }
    is_refused
}

/// What the user is told when a node ends the process: all there will be to read.
fn exit_line(escape: &Escape<'_>, place: Option<String>) -> String {
    let place = place
        .map(|place| format!(" at {place}"))
        .unwrap_or_default();
    let advice = escape.kind.advice();
    format!("stormglass: a simulated node ended the process: {escape}{place}; instead, {advice}")
}

/// A C string as the detail of an escape.
fn text<'a>(text: *const c_char) -> Option<Cow<'a, str>> {
    // SAFETY: the functions above give what their callers gave: null, or a string that ends with a
    // NUL and lives as long as the call.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
}

/// The bits of a socket's type that are not flags.
const SOCKET_TYPE_MASK: c_int = 0xf;

/// What a process exits with whose node tried to end it: the code of a Rust panic.
const EXIT_REFUSED: c_int = 101;

#[cfg(test)]
mod tests {
    use core::ptr::null;

    use super::super::testing::{check, errno, inside, inside_allowing, seen};
    use super::*;

    const NAME: *const c_char = c"/no/program".as_ptr();

    extern "C" fn idle(argument: *mut c_void) -> *mut c_void {
        argument
    }

    #[test]
    fn a_thread_is_refused_inside_only() {
        let mut thread = 0;
        let thread = &raw mut thread;
        // SAFETY: the thread's start does nothing with its null argument.
        let call = || unsafe { pthread_create(thread, null(), idle, null_mut()) };
        check(call, libc::EAGAIN, "thread: pthread_create");
        assert_eq!(call(), 0);
        // SAFETY: the call before has made this thread, and it is joined once.
        assert_eq!(unsafe { libc::pthread_join(*thread, null_mut()) }, 0);
        assert!(seen().is_empty());
    }

    #[test]
    fn sockets_and_names_are_refused() {
        let mut pair = [0; 2];
        let pair = pair.as_mut_ptr();
        let host = c"db.example".as_ptr();
        let mut result = null_mut();
        let result = &raw mut result;
        let (domain, kind) = (libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC);
        // SAFETY: the pointers are valid, and what is refused is not written.
        unsafe {
            check(|| socket(libc::AF_INET, kind, 0), -1, "real socket: socket");
            assert_eq!(errno(), libc::EACCES);
            check(
                || socketpair(domain, kind, 0, pair),
                -1,
                "real socket: socketpair",
            );
            check(
                || getaddrinfo(host, null(), null(), result),
                libc::EAI_FAIL,
                "real socket: getaddrinfo(db.example)",
            );
            check(
                || gethostbyname(host),
                null_mut(),
                "real socket: gethostbyname(db.example)",
            );
            check(
                || gethostbyname2(host, libc::AF_INET),
                null_mut(),
                "real socket: gethostbyname2(db.example)",
            );
        }
    }

    #[test]
    fn the_pair_that_std_makes_before_it_forks_passes() {
        let mut pair = [0; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: the pointer is to two numbers.
        let call = || unsafe { socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) };
        assert_eq!(inside(call), 0);
        assert!(seen().is_empty());
        // SAFETY: nobody else has the descriptors.
        unsafe { assert_eq!(libc::close(pair[0]) + libc::close(pair[1]), 0) };
    }

    #[test]
    fn other_programs_are_refused() {
        let mut child = 0;
        let child = &raw mut child;
        let (actions, attributes, list) = (null(), null(), null());
        let text = |call: &str| format!("child process: {call}(/no/program)");
        // SAFETY: the strings end with a NUL, and what is refused is not looked at.
        unsafe {
            check(|| fork(), -1, "child process: fork");
            assert_eq!(errno(), libc::EPERM);
            check(
                || posix_spawn(child, NAME, actions, attributes, list, list),
                libc::EPERM,
                &text("posix_spawn"),
            );
            check(
                || posix_spawnp(child, NAME, actions, attributes, list, list),
                libc::EPERM,
                &text("posix_spawnp"),
            );
            check(|| execv(NAME, null()), -1, &text("execv"));
            check(|| execve(NAME, null(), null()), -1, &text("execve"));
            check(|| execvp(NAME, null()), -1, &text("execvp"));
            check(|| system(NAME), -1, &text("system"));
            check(|| popen(NAME, NAME), null_mut(), &text("popen"));
        }
    }

    #[test]
    fn the_end_of_the_process_is_told_with_what_to_do_instead() {
        let escape = Escape {
            kind: EscapeKind::Exit,
            call: "exit",
            detail: Some(Cow::Borrowed("3")),
        };
        assert_eq!(
            exit_line(&escape, Some("src/a.rs:1 in app::f".to_owned())),
            "stormglass: a simulated node ended the process: process exit: exit(3) at src/a.rs:1 \
             in app::f; instead, return from the node's future, or crash the node by its handle"
        );
    }

    #[test]
    fn an_allowed_end_of_the_process_is_not_refused() {
        assert!(!inside_allowing(|| is_exit_refused("_exit", 3)));
        assert_eq!(seen(), ["process exit: _exit(3)"]);
    }
}
