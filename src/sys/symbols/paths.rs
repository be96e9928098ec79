//! Which real files a simulated node may look at, because what it learns there is no input to it.

use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;

use crate::sys::outside;

/// What a call would do to the file that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing but look.
    Read,
    /// Perhaps more.
    Write,
}

/// Whether a node may reach `path` in this way.
pub(super) fn is_harmless(path: &CStr, access: Access) -> bool {
    let path = path.to_bytes();
    // An empty path stands for a descriptor that is already open, or for nothing.
    if path.is_empty() || path == b"/dev/null" {
        return true;
    }
    access == Access::Read && (is_parallelism(path) || is_debug_information(path))
}

/// Where `std::thread::available_parallelism` looks for a limit. It can only lower the one
/// processor that a node is told of, so its answer is the same everywhere.
fn is_parallelism(path: &[u8]) -> bool {
    matches!(path, b"/proc/self/cgroup" | b"/proc/self/mountinfo")
        || path.starts_with(b"/sys/fs/cgroup/")
}

/// Where a backtrace's functions and lines are looked up: a panic must be able to show them.
fn is_debug_information(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    matches!(
        path,
        b"/proc/self/maps" | b"/proc/self/exe" | b"/usr/lib/debug"
    ) || path.starts_with(b"/usr/lib/debug/")
        || [&b".so"[..], b".debug", b".dwp", b".dwo"]
            .iter()
            .any(|end| name.ends_with(end))
        || name.windows(4).any(|part| part == b".so.")
        || outside(|| std::env::current_exe().is_ok_and(|exe| exe.as_os_str().as_bytes() == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &CStr, read: bool, write: bool) {
        assert_eq!(is_harmless(path, Access::Read), read, "{path:?}");
        assert_eq!(is_harmless(path, Access::Write), write, "{path:?}");
    }

    #[test]
    fn what_a_backtrace_opens_may_be_read() {
        let exe = std::env::current_exe().unwrap();
        check(
            &std::ffi::CString::new(exe.as_os_str().as_bytes()).unwrap(),
            true,
            false,
        );
        check(c"/proc/self/maps", true, false);
        check(c"/lib/x86_64-linux-gnu/libc.so.6", true, false);
        check(c"/opt/app/libfoo.so", true, false);
        check(c"/usr/lib/debug/.build-id/ab/cdef.debug", true, false);
        check(c"target/debug/app.dwp", true, false);
    }

    #[test]
    fn control_groups_may_be_read() {
        check(c"/proc/self/cgroup", true, false);
        check(c"/sys/fs/cgroup/cpu.max", true, false);
    }

    #[test]
    fn nothing_else_may() {
        check(c"/dev/null", true, true);
        check(c"", true, true);
        check(c"/etc/passwd", false, false);
        check(c"/dev/urandom", false, false);
        check(c"notes.sources", false, false);
        check(c"/usr/lib/debugger", false, false);
    }
}
