//! Leaving the simulation by a thread, a socket, another process or the end of this one: refused.

use core::ffi::CStr;
use std::borrow::Cow;
use std::io::Write as _;

use libc::{
    FILE, addrinfo, c_char, c_int, c_void, pid_t, posix_spawn_file_actions_t, posix_spawnattr_t,
    pthread_attr_t, pthread_t,
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
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int:
        Socket, else fail(libc::EACCES);
    fn getaddrinfo(
        host: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        result: *mut *mut addrinfo
    ) -> c_int: Socket of text(host), else libc::EAI_FAIL;

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
            core::ptr::null_mut()
        };
}

/// Defines the functions that end the process.
///
/// They cannot return, so a refused one ends it too: with a line that tells why, and at once, for
/// the destructors that `exit` runs are the program's.
macro_rules! exits {
    ($(fn $name:ident;)*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
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
    let detail = || Some(Cow::Owned(code.to_string()));
    if !is_refused(EscapeKind::Exit, call, detail) {
        return false;
    }
    let escape = Escape {
        kind: EscapeKind::Exit,
        call,
        detail: detail(),
    };
    outside(|| {
        let place = escape
            .place()
            .map(|place| format!(" at {place}"))
            .unwrap_or_default();
        let advice = escape.kind.advice();
        // Past the capture of test output, which would die with the process. Nothing can be done
        // if standard error is gone.
        let _ = writeln!(
            std::io::stderr(),
            "stormglass: a simulated node ended the process: {escape}{place}; instead, {advice}"
        );
    });
    true
}

/// A C string as the detail of an escape.
fn text<'a>(text: *const c_char) -> Option<Cow<'a, str>> {
    // SAFETY: the functions above give what their callers gave: null, or a string that ends with a
    // NUL and lives as long as the call.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
}

/// What a process exits with whose node tried to end it: the code of a Rust panic.
const EXIT_REFUSED: c_int = 101;
