//! What the determinism doctor does to a process to learn which leak makes two runs differ.
//!
//! Each probe takes one source of difference away. If the runs then agree, that was the leak. They
//! change the whole process or thread, so they are for a process that exists to be probed. Where
//! the system offers no such thing they fail with [`io::ErrorKind::Unsupported`], or with what the
//! kernel says (containers often forbid `personality`).

use std::io;
use std::process::Command;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use tsc::trap_tsc;

/// Makes the program that `command` will start have the same addresses each time.
///
/// If the kernel forbids it, starting the command fails.
///
/// # Errors
/// `Unsupported` on anything but Linux.
#[cfg(target_os = "linux")]
pub(crate) fn without_aslr(command: &mut Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    // SAFETY: the closure makes system calls only, as one between fork and exec must.
    unsafe {
        command.pre_exec(|| {
            let persona = libc::personality(PERSONA_QUERY);
            if persona == -1 {
                return Err(io::Error::last_os_error());
            }
            let fixed = persona | libc::ADDR_NO_RANDOMIZE;
            match libc::personality(libc::c_ulong::from(fixed.cast_unsigned())) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        });
    }
    Ok(())
}

/// Makes the program that `command` will start have the same addresses each time.
///
/// # Errors
/// `Unsupported`: this system is not Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) fn without_aslr(_command: &mut Command) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes all real entropy of this process a function of `seed`, in every thread: the calls, and
/// what is read from `/dev/urandom` and `/dev/random` when they are opened from now on.
///
/// It cannot be undone. Call it first thing in a process that exists to be probed.
///
/// # Errors
/// `Unsupported` where libc is not intercepted.
pub(crate) fn fix_process_entropy(seed: u64) -> io::Result<()> {
    if !super::INTERPOSED {
        return Err(io::ErrorKind::Unsupported.into());
    }
    super::entropy::fix_process(seed);
    Ok(())
}

/// Counts reads of the time-stamp counter instead of showing it.
///
/// # Errors
/// `Unsupported`: only x86-64 Linux can trap the counter.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn trap_tsc(_first: u64) -> io::Result<impl Sized> {
    Err::<(), _>(io::ErrorKind::Unsupported.into())
}

/// Asks `personality` for the current value without changing it, as its manual page has it.
#[cfg(target_os = "linux")]
const PERSONA_QUERY: libc::c_ulong = 0xffff_ffff;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tsc;
