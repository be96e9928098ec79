//! What the determinism doctor does to a process to learn which leak makes two runs differ.
//!
//! Each probe takes one source of difference away. If the runs then agree, that was the leak. They
//! change the whole process, so they are for one that exists to be probed. Where the system offers
//! no such thing they fail with [`io::ErrorKind::Unsupported`], or with what the kernel says
//! (containers often forbid `personality`).

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// A source of difference that a process can be rid of from its start on, before any code of the
/// program: whoever starts it names the probe in [`VARIABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// What std draws for the keys of `HashMap` is the same each time.
    HashKeys,
    /// What `/dev/urandom` and `/dev/random` give is the same each time.
    RandomDevice,
    /// All entropy is the same each time.
    Entropy,
    /// The real clocks stand still until [`start_clocks`].
    Clocks,
    /// The time-stamp counter counts its reads.
    TimeStampCounter,
}

impl Probe {
    /// Its name in [`VARIABLE`].
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HashKeys => "hash-keys",
            Self::RandomDevice => "random-device",
            Self::Entropy => "entropy",
            Self::Clocks => "clocks",
            Self::TimeStampCounter => "time-stamp-counter",
        }
    }

    fn apply(self) -> io::Result<()> {
        use super::entropy::{Source, fix_process};
        match self {
            Self::HashKeys => fix_process(&[Source::HashKeys]),
            Self::RandomDevice => fix_process(&[Source::Device]),
            Self::Entropy => fix_process(&[Source::HashKeys, Source::Call, Source::Device]),
            Self::Clocks => CLOCKS_STOPPED.store(true, Ordering::Relaxed),
            // Threads inherit the trap, so it is for the whole process and for ever.
            Self::TimeStampCounter => core::mem::forget(trap_tsc(0)?),
        }
        Ok(())
    }
}

/// The environment variable that names the [`Probe`] of a process.
pub(crate) const VARIABLE: &str = "STORMGLASS_PROBE";
/// What a process exits with, at once, if it cannot be rid of what the variable names.
pub(crate) const FAILED: i32 = 99;

/// Lets the real clocks go on. To be called before a simulation runs: what waits for a real time,
/// as a watchdog does, would wait for ever.
pub(crate) fn start_clocks() {
    CLOCKS_STOPPED.store(false, Ordering::Relaxed);
}

/// What all real clocks show while they stand still; `None` while they do not.
pub(super) fn stopped_clock_ns() -> Option<u64> {
    CLOCKS_STOPPED
        .load(Ordering::Relaxed)
        .then_some(STOPPED_CLOCK_NS)
}

static CLOCKS_STOPPED: AtomicBool = AtomicBool::new(false);
/// Early in 2026, when read as a time since 1970.
const STOPPED_CLOCK_NS: u64 = 1_770_000_000_000_000_000;

/// Applies the probe that the environment names. The dynamic linker calls it before `main`.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
))]
mod start {
    use super::{FAILED, Probe, VARIABLE};

    #[used]
    // SAFETY: the linker expects addresses of functions in this section, and this is one.
    #[unsafe(link_section = ".init_array")]
    static AT_START: extern "C" fn() = at_start;

    extern "C" fn at_start() {
        let Some(name) = std::env::var_os(VARIABLE) else {
            return;
        };
        let probe = [
            Probe::HashKeys,
            Probe::RandomDevice,
            Probe::Entropy,
            Probe::Clocks,
            Probe::TimeStampCounter,
        ]
        .into_iter()
        .find(|probe| name == probe.name());
        if probe.is_none_or(|probe| probe.apply().is_err()) {
            // SAFETY: the function may be called with any code.
            unsafe { libc::_exit(FAILED) }
        }
    }
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
