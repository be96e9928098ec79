//! Asking how large the machine is: a simulated node always has one processor, so that a program
//! that splits its work by them does so everywhere in the same way.

use libc::{c_int, c_long, cpu_set_t, pid_t, size_t};

use super::real::real;
use crate::sys::is_inside;

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn sched_getaffinity(
    thread: pid_t,
    length: size_t,
    processors: *mut cpu_set_t,
) -> c_int {
    if is_inside() && length > 0 && !processors.is_null() {
        let processors = processors.cast::<u8>();
        // SAFETY: the caller gives a set of this length. The first bit is the first processor on
        // both little-endian targets.
        unsafe {
            processors.write_bytes(0, length);
            processors.write(1);
        }
        return 0;
    }
    // SAFETY: the caller keeps the contract of the libc function of this name.
    unsafe {
        real!(fn sched_getaffinity(pid_t, size_t, *mut cpu_set_t) -> c_int)(
            thread, length, processors,
        )
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn sysconf(name: c_int) -> c_long {
    if is_inside()
        && matches!(
            name,
            libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF
        )
    {
        return 1;
    }
    // SAFETY: the function may be called with any number.
    unsafe { real!(fn sysconf(c_int) -> c_long)(name) }
}
