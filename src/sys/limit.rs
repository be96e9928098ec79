//! Limits of this process, for one that must not take the machine with it.

use std::io;

/// Lets this process map at most so many bytes of memory: what asks for more gets none, and an
/// allocation of Rust that fails ends the process.
///
/// # Errors
/// What `setrlimit` gives.
pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: the call reads the struct, which lives here.
    match unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
