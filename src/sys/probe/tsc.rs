//! The time-stamp counter as a count of its reads: the instruction is made to fault, and the
//! handler of the fault plays it.

use core::arch::x86_64::_rdtsc;
use core::cell::Cell;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{c_int, greg_t, siginfo_t, ucontext_t};

/// From now on `rdtsc` and `rdtscp` on this thread give `first`, `first + 1024` and so on, until
/// the guard is dropped.
///
/// Real clocks keep working on the thread: libc reads the counter in the kernel's vDSO, where it
/// is shown as it is. A trapped read costs some microseconds, one of a clock about twelve. Threads
/// started meanwhile inherit the trap, each with a count of its own from zero.
///
/// The first call puts a handler for SIGSEGV over the process's own, to stay. A fault that is
/// none of the counter's puts the old one back and happens again.
///
/// # Errors
/// If the kernel does not let the counter be trapped.
pub(crate) fn trap_tsc(first: u64) -> io::Result<TscTrap> {
    install_handler()?;
    NEXT_COUNT.set(first);
    set_readable(libc::PR_TSC_SIGSEGV)?;
    Ok(TscTrap {
        thread_bound: PhantomData,
    })
}

/// Shows the counter again when dropped.
#[derive(Debug)]
pub(crate) struct TscTrap {
    /// The trap is the thread's, so the guard must not go to another.
    thread_bound: PhantomData<*const ()>,
}

impl Drop for TscTrap {
    fn drop(&mut self) {
        // It cannot fail: the same call worked with the other value.
        let _ = set_readable(libc::PR_TSC_ENABLE);
    }
}

/// What the handler must know; complete before the first trap.
struct Handler {
    /// Whatever handled SIGSEGV before, such as std's report of a stack overflow.
    previous: libc::sigaction,
    /// The kernel's code in this process, which reads the counter to tell the real time.
    vdso: Range<u64>,
}

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Held while the handler is installed, lest another thread traps before it is.
static INSTALLING: Mutex<()> = Mutex::new(());

thread_local! {
    /// Constant and without a destructor, so that a signal handler may use it.
    static NEXT_COUNT: Cell<u64> = const { Cell::new(0) };
}

fn install_handler() -> io::Result<()> {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if HANDLER.get().is_some() {
        return Ok(());
    }
    let vdso = find_vdso()?;
    // SAFETY: all zeros is a valid sigaction: the default action with an empty mask.
    let mut previous: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: asks only; the pointer is valid for the write.
    check(unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut previous) })?;
    HANDLER.get_or_init(|| Handler { previous, vdso });
    // SAFETY: as above.
    let mut ours: libc::sigaction = unsafe { core::mem::zeroed() };
    ours.sa_sigaction = on_fault as *const () as usize;
    // On the alternate stack, since std's handler reports an overflow of the ordinary one.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for and stays for ever.
    check(unsafe { libc::sigaction(libc::SIGSEGV, &raw const ours, ptr::null_mut()) })
}

/// Plays the instruction if it reads the counter, and otherwise hands the fault back.
unsafe extern "C" fn on_fault(_signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives both, valid while the handler runs.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<ucontext_t>()) };
    let registers = &mut context.uc_mcontext.gregs;
    let at = registers[libc::REG_RIP as usize].cast_unsigned();
    // A trapped read is a general-protection fault, which the kernel reports by this code: the
    // processor was executing the instruction, so its bytes can be read.
    let instruction = (info.si_code == SI_KERNEL)
        .then(|| unsafe { instruction_at(at) })
        .flatten();
    let Some(instruction) = instruction else {
        hand_back();
        return;
    };
    let count = read_counter(at);
    registers[libc::REG_RAX as usize] = (count & 0xffff_ffff).cast_signed();
    registers[libc::REG_RDX as usize] = (count >> 32).cast_signed();
    if instruction == Instruction::Rdtscp {
        // The number of the processor: there is only one.
        registers[libc::REG_RCX as usize] = 0;
    }
    registers[libc::REG_RIP as usize] += instruction.length();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Instruction {
    Rdtsc,
    Rdtscp,
}

impl Instruction {
    const fn length(self) -> greg_t {
        match self {
            Self::Rdtsc => 2,
            Self::Rdtscp => 3,
        }
    }
}

/// The instruction at this address if it reads the counter.
///
/// # Safety
/// An instruction that the processor has begun to execute must be there.
unsafe fn instruction_at(at: u64) -> Option<Instruction> {
    let at = ptr::with_exposed_provenance::<u8>(usize::try_from(at).ok()?);
    // SAFETY: an instruction is there by contract, and a third byte is read only if the first two
    // begin one of three bytes.
    unsafe {
        match (at.read(), at.add(1).read()) {
            (0x0f, 0x31) => Some(Instruction::Rdtsc),
            (0x0f, 0x01) if at.add(2).read() == 0xf9 => Some(Instruction::Rdtscp),
            _ => None,
        }
    }
}

/// What the instruction at this address shall read.
fn read_counter(at: u64) -> u64 {
    if HANDLER
        .get()
        .is_some_and(|handler| handler.vdso.contains(&at))
    {
        // Both worked when the trap was set, so neither can fail now.
        let _ = set_readable(libc::PR_TSC_ENABLE);
        // SAFETY: every x86-64 processor has the counter, and it can be read just now.
        let count = unsafe { _rdtsc() };
        let _ = set_readable(libc::PR_TSC_SIGSEGV);
        return count;
    }
    NEXT_COUNT.replace(NEXT_COUNT.get().wrapping_add(COUNTS_PER_READ))
}

/// Puts the previous handler back. The faulting instruction runs again when this one returns, and
/// then it is that handler's.
fn hand_back() {
    if let Some(handler) = HANDLER.get() {
        // SAFETY: it is what the kernel said was installed.
        unsafe { libc::sigaction(libc::SIGSEGV, &raw const handler.previous, ptr::null_mut()) };
    }
}

fn set_readable(how: c_int) -> io::Result<()> {
    // SAFETY: only changes whether this thread may read the counter.
    check(unsafe { libc::prctl(libc::PR_SET_TSC, how) })
}

/// Where the kernel has mapped its vDSO; an empty range if nowhere.
fn find_vdso() -> io::Result<Range<u64>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let range = maps
        .lines()
        .find(|line| line.ends_with("[vdso]"))
        .and_then(|line| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
        });
    Ok(range.unwrap_or(0..0))
}

fn check(result: c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The code of a signal that the kernel raised for a fault without an address.
const SI_KERNEL: c_int = 0x80;

/// How far the counter seems to go between two reads: code that waits for it to move on must not
/// wait for ever, and code that divides by the difference must not find zero.
const COUNTS_PER_READ: u64 = 1_024;

#[cfg(test)]
mod tests {
    use core::arch::x86_64::__rdtscp;

    use super::*;

    /// On a thread of its own, since a trap is the thread's.
    fn on_a_thread(f: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .spawn_scoped(scope, f)
                .expect("a thread can be started");
        });
    }

    fn rdtsc() -> u64 {
        // SAFETY: every x86-64 processor has the counter.
        unsafe { _rdtsc() }
    }

    #[test]
    fn a_trapped_counter_counts_its_reads() {
        on_a_thread(|| {
            let trap = trap_tsc(5).unwrap();
            let mut processor = 9;
            assert_eq!(rdtsc(), 5);
            // SAFETY: every x86-64 processor that Linux runs on has the instruction.
            assert_eq!(unsafe { __rdtscp(&raw mut processor) }, 5 + COUNTS_PER_READ);
            assert_eq!(processor, 0);
            drop(trap);
            let real = rdtsc();
            assert!(real != 5 + 2 * COUNTS_PER_READ && rdtsc() >= real);
        });
    }

    #[test]
    #[expect(
        clippy::disallowed_types,
        reason = "shows that the real clock still works"
    )]
    fn real_clocks_work_on_a_trapped_thread() {
        on_a_thread(|| {
            let before = std::time::SystemTime::now();
            let _trap = trap_tsc(0).unwrap();
            let trapped = std::time::SystemTime::now();
            assert!(trapped.duration_since(before).unwrap().as_secs() < 60);
            assert_eq!(rdtsc(), 0);
        });
    }

    #[test]
    fn other_threads_see_the_counter() {
        on_a_thread(|| {
            let _trap = trap_tsc(0).unwrap();
            assert_eq!(rdtsc(), 0);
        });
        assert!(rdtsc() > 1_000_000);
    }
}
