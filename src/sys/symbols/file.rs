//! Touching the file system: refused, except for looking at [what is harmless](super::paths).

use core::ffi::CStr;
use core::ptr;

use libc::{DIR, FILE, c_char, c_int, c_long, c_uint, c_void, iovec, mode_t, size_t, ssize_t};

use super::paths::{Access, is_harmless};
use super::real::real;
use super::{fail, is_refused, refused};
use crate::sys::escape::EscapeKind;
use crate::sys::{entropy, is_inside};

/// Defines libc functions that take a path, refused inside unless they only look at a harmless one.
///
/// A row reads: signature, the path argument and how it is used, then what the caller gets when
/// refused.
macro_rules! path_calls {
    ($(
        fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty:
            $access:expr => $path:ident, else $refusal:expr;
    )*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: the caller gives a path that is null or ends with a NUL.
            if is_inside() && unsafe { is_path_refused(stringify!($name), $path, $access) } {
                return $refusal;
            }
            // SAFETY: the caller keeps the contract of the libc function of this name.
            unsafe { real!(fn $name($($ty),*) -> $ret)($($arg),*) }
        }
    )* };
}

path_calls! {
    fn creat(path: *const c_char, mode: mode_t) -> c_int: Access::Write => path, else denied();
    fn creat64(path: *const c_char, mode: mode_t) -> c_int: Access::Write => path, else denied();
    fn opendir(path: *const c_char) -> *mut DIR:
        Access::Read => path, else no_object();
    fn readlink(path: *const c_char, buffer: *mut c_char, length: size_t) -> ssize_t:
        Access::Read => path, else denied() as ssize_t;
    fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char:
        Access::Read => path, else no_object();
    fn mkdir(path: *const c_char, mode: mode_t) -> c_int: Access::Write => path, else denied();
    fn rmdir(path: *const c_char) -> c_int: Access::Write => path, else denied();
    fn unlink(path: *const c_char) -> c_int: Access::Write => path, else denied();
    fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int:
        Access::Write => path, else denied();
    fn rename(from: *const c_char, to: *const c_char) -> c_int:
        Access::Write => from, else denied();
    fn link(from: *const c_char, to: *const c_char) -> c_int: Access::Write => from, else denied();
    fn linkat(
        from_directory: c_int,
        from: *const c_char,
        to_directory: c_int,
        to: *const c_char,
        flags: c_int
    ) -> c_int: Access::Write => from, else denied();
    fn symlink(target: *const c_char, path: *const c_char) -> c_int:
        Access::Write => path, else denied();
    fn chmod(path: *const c_char, mode: mode_t) -> c_int: Access::Write => path, else denied();
}

/// Defines the functions that open a file, which take flags and perhaps a mode.
macro_rules! opens {
    ($(fn $name:ident(path $(in $directory:ident)?);)*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(
            $($directory: c_int,)?
            path: *const c_char,
            flags: c_int,
            mode: c_uint,
        ) -> c_int {
            // SAFETY: the caller gives a path that is null or ends with a NUL.
            if let Some(answer) = unsafe { answer_open(stringify!($name), path, flags) } {
                return answer;
            }
            // SAFETY: the caller keeps the contract of the libc function of this name. If it gave
            // no mode, the flags tell libc not to look at it.
            unsafe {
                real!($name: Open!($($directory)?))($($directory,)? path, flags, mode)
            }
        }
    )* };
}

/// The type of an opening function, with or without a directory.
macro_rules! Open {
    () => { unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int };
    ($directory:ident) => { unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int };
}

opens! {
    fn open(path);
    fn open64(path);
    fn openat(path in directory);
    fn openat64(path in directory);
}

/// Defines the functions that open a stream.
macro_rules! stream_opens {
    ($(fn $name:ident;)*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(path: *const c_char, mode: *const c_char) -> *mut FILE {
            // SAFETY: the caller gives a path and a mode that end with a NUL.
            let opened = unsafe { answer_open(stringify!($name), path, flags_of(mode)) };
            match opened {
                // SAFETY: the descriptor is open and nobody else's; the mode is the caller's.
                Some(descriptor) if descriptor >= 0 => unsafe { libc::fdopen(descriptor, mode) },
                Some(_) => ptr::null_mut(),
                // SAFETY: the caller keeps the contract of the libc function of this name.
                None => unsafe {
                    real!(fn $name(*const c_char, *const c_char) -> *mut FILE)(path, mode)
                },
            }
        }
    )* };
}

stream_opens! {
    fn fopen;
    fn fopen64;
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn statx(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    status: *mut libc::statx,
) -> c_int {
    // SAFETY: the caller gives a path that is null or ends with a NUL.
    if is_inside() && unsafe { is_path_refused("statx", path, Access::Read) } {
        return denied();
    }
    // The system call and not the function: glibc has had that only since 2.28, and std takes our
    // definition as a sign that it is there.
    // SAFETY: the caller keeps the contract of the function, which is that of the system call.
    let result = unsafe {
        real!(syscall: unsafe extern "C" fn(c_long, ...) -> c_long)(
            libc::SYS_statx,
            directory,
            path,
            flags,
            mask,
            status,
        )
    };
    if result == 0 { 0 } else { -1 }
}

refused! {
    fn read(descriptor: c_int, buffer: *mut c_void, length: size_t) -> ssize_t:
        Stdin, if descriptor == libc::STDIN_FILENO, else fail(libc::EBADF) as ssize_t;
    fn readv(descriptor: c_int, buffers: *const iovec, count: c_int) -> ssize_t:
        Stdin, if descriptor == libc::STDIN_FILENO, else fail(libc::EBADF) as ssize_t;
}

/// What an opening function returns instead of calling libc, if it must not.
///
/// # Safety
/// `path` must be null or end with a NUL.
unsafe fn answer_open(call: &'static str, path: *const c_char, flags: c_int) -> Option<c_int> {
    let looks =
        flags & libc::O_ACCMODE == libc::O_RDONLY && flags & (libc::O_CREAT | libc::O_TRUNC) == 0;
    let access = if looks { Access::Read } else { Access::Write };
    // SAFETY: by contract.
    if is_inside() && unsafe { is_path_refused(call, path, access) } {
        return Some(denied());
    }
    // SAFETY: by contract; the path is only looked at if it is not null.
    let is_random_device = entropy::is_process_fixed()
        && !path.is_null()
        && matches!(
            unsafe { CStr::from_ptr(path) }.to_bytes(),
            b"/dev/urandom" | b"/dev/random"
        );
    is_random_device.then(open_fixed_entropy)
}

/// Whether a call with this path must fail.
///
/// # Safety
/// `path` must be null or end with a NUL.
unsafe fn is_path_refused(call: &'static str, path: *const c_char, access: Access) -> bool {
    if path.is_null() {
        return false;
    }
    // SAFETY: not null, so it ends with a NUL by contract.
    let path = unsafe { CStr::from_ptr(path) };
    !is_harmless(path, access)
        && is_refused(EscapeKind::File, call, || Some(path.to_string_lossy()))
}

/// The flags of `open` that tell as much as the mode of `fopen`: whether it only reads.
///
/// # Safety
/// `mode` must end with a NUL.
unsafe fn flags_of(mode: *const c_char) -> c_int {
    // SAFETY: by contract.
    let mode = unsafe { CStr::from_ptr(mode) }.to_bytes();
    let looks = mode.starts_with(b"r") && !mode.contains(&b'+');
    if looks { libc::O_RDONLY } else { libc::O_RDWR }
}

/// A descriptor from which this thread's own entropy can be read in place of the kernel's.
fn open_fixed_entropy() -> c_int {
    // SAFETY: the name ends with a NUL.
    let descriptor = unsafe { libc::memfd_create(c"entropy".as_ptr(), libc::MFD_CLOEXEC) };
    let mut block = [0; 4_096];
    for _ in 0..FIXED_ENTROPY_BLOCKS {
        entropy::fill(&mut block);
        // SAFETY: the block is valid for reads of its length. A write that fails leaves a shorter
        // file, which its reader will notice.
        unsafe { libc::write(descriptor, block.as_ptr().cast(), block.len()) };
    }
    // SAFETY: only moves the position of a descriptor that is ours.
    unsafe { libc::lseek(descriptor, 0, libc::SEEK_SET) };
    descriptor
}

fn denied() -> c_int {
    fail(libc::EACCES)
}

fn no_object<T>() -> *mut T {
    denied();
    ptr::null_mut()
}

/// A megabyte: far more than a program seeds itself with, and a millisecond to make. A program
/// that reads more from one opening finds the end of the file.
const FIXED_ENTROPY_BLOCKS: usize = 256;
