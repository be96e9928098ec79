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

#[cfg(test)]
mod tests {
    use super::super::testing::inside;
    use super::*;

    /// How many processors this thread is told it may use.
    fn processors() -> c_int {
        // SAFETY: all zeros is an empty set, which has the length that is given.
        unsafe {
            let mut set: cpu_set_t = core::mem::zeroed();
            assert_eq!(
                sched_getaffinity(0, size_of::<cpu_set_t>(), &raw mut set),
                0
            );
            libc::CPU_COUNT(&set)
        }
    }

    /// The processors that the machine is said to have, and the bytes of a page.
    fn configuration() -> [c_long; 3] {
        [
            libc::_SC_NPROCESSORS_ONLN,
            libc::_SC_NPROCESSORS_CONF,
            libc::_SC_PAGESIZE,
        ]
        // SAFETY: the function may be called with any number.
        .map(|name| unsafe { sysconf(name) })
    }

    #[test]
    fn a_node_has_one_processor() {
        assert_eq!(inside(processors), 1);
        let [online, configured, page] = configuration();
        assert!(online >= 1 && configured >= online);
        assert_eq!(inside(configuration), [1, 1, page]);
    }

    #[test]
    fn outside_the_machine_is_real() {
        // SAFETY: all zeros is an empty set.
        let mut real: cpu_set_t = unsafe { core::mem::zeroed() };
        // SAFETY: the set has the length that is given.
        unsafe {
            libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &raw mut real);
            assert_eq!(processors(), libc::CPU_COUNT(&real));
        }
    }
}
