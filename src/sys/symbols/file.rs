//! Touching the file system: refused, except for looking at [what is harmless](super::paths).

use core::ffi::CStr;
use core::ptr;

use libc::{
    DIR, FILE, c_char, c_int, c_long, c_uint, c_void, gid_t, iovec, mode_t, off_t, off64_t, size_t,
    ssize_t, timespec, uid_t,
};

use super::paths::{Access, is_harmless};
use super::real::real;
use super::{fail, is_refused, refused};
use crate::sys::entropy::{self, Source};
use crate::sys::escape::EscapeKind;
use crate::sys::is_inside;

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
    fn access(path: *const c_char, mode: c_int) -> c_int: Access::Read => path, else denied();
    fn faccessat(directory: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int:
        Access::Read => path, else denied();
    fn chdir(path: *const c_char) -> c_int: Access::Write => path, else denied();
    fn chown(path: *const c_char, owner: uid_t, group: gid_t) -> c_int:
        Access::Write => path, else denied();
    fn lchown(path: *const c_char, owner: uid_t, group: gid_t) -> c_int:
        Access::Write => path, else denied();
    fn fchownat(
        directory: c_int,
        path: *const c_char,
        owner: uid_t,
        group: gid_t,
        flags: c_int
    ) -> c_int: Access::Write => path, else denied();
    fn mkdirat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int:
        Access::Write => path, else denied();
    fn renameat(
        from_directory: c_int,
        from: *const c_char,
        to_directory: c_int,
        to: *const c_char
    ) -> c_int: Access::Write => from, else denied();
    fn symlinkat(target: *const c_char, directory: c_int, path: *const c_char) -> c_int:
        Access::Write => path, else denied();
    fn truncate(path: *const c_char, length: off_t) -> c_int:
        Access::Write => path, else denied();
    fn truncate64(path: *const c_char, length: off64_t) -> c_int:
        Access::Write => path, else denied();
    fn utimensat(
        directory: c_int,
        path: *const c_char,
        times: *const timespec,
        flags: c_int
    ) -> c_int: Access::Write => path, else denied();
    fn mkstemp(template: *mut c_char) -> c_int:
        Access::Write => template, else denied();
    fn mkstemp64(template: *mut c_char) -> c_int:
        Access::Write => template, else denied();
    fn mkdtemp(template: *mut c_char) -> *mut c_char:
        Access::Write => template, else no_object();
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

/// Defines the functions that look at a file, all one system call: glibc has most of them since
/// 2.33 only, and before that linked them into each program.
macro_rules! stats {
    ($(
        fn $name:ident(path $(in $directory:ident with $flags:ident)?) -> $status:ty:
            $at:expr, $how:expr;
    )*) => { $(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(
            $($directory: c_int,)?
            path: *const c_char,
            status: *mut $status,
            $($flags: c_int,)?
        ) -> c_int {
            // SAFETY: the caller gives a path that is null or ends with a NUL.
            if is_inside() && unsafe { is_path_refused(stringify!($name), path, Access::Read) } {
                return denied();
            }
            // SAFETY: the caller keeps the contract of the function, which is that of the system
            // call; on 64-bit Linux both kinds of status are the kernel's.
            let result = unsafe {
                real!(syscall: unsafe extern "C" fn(c_long, ...) -> c_long)(
                    libc::SYS_newfstatat,
                    $at,
                    path,
                    status,
                    $how,
                )
            };
            if result == 0 { 0 } else { -1 }
        }
    )* };
}

stats! {
    fn stat(path) -> libc::stat: libc::AT_FDCWD, 0;
    fn stat64(path) -> libc::stat64: libc::AT_FDCWD, 0;
    fn lstat(path) -> libc::stat: libc::AT_FDCWD, libc::AT_SYMLINK_NOFOLLOW;
    fn lstat64(path) -> libc::stat64: libc::AT_FDCWD, libc::AT_SYMLINK_NOFOLLOW;
    fn fstatat(path in directory with flags) -> libc::stat: directory, flags;
    fn fstatat64(path in directory with flags) -> libc::stat64: directory, flags;
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
    let is_random_device = entropy::is_fixed(Source::Device)
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
        entropy::fill(&mut block, Source::Device);
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

#[cfg(test)]
mod tests {
    use core::ptr::null_mut;

    use super::super::testing::{check, errno, inside, inside_allowing, seen};
    use super::*;
    use crate::sys::seed_thread;

    const PATH: *const c_char = c"/no/file".as_ptr();
    const SELF: *const c_char = c"/proc/self/exe".as_ptr();

    /// Closes a descriptor that must be open.
    #[track_caller]
    fn close(descriptor: c_int) {
        // SAFETY: nobody else has the descriptor.
        assert_eq!(unsafe { libc::close(descriptor) }, 0);
    }

    #[test]
    fn opening_is_refused() {
        let mode = c"r".as_ptr();
        // SAFETY: the strings end with a NUL.
        unsafe {
            check(|| open(PATH, 0, 0), -1, "real file: open(/no/file)");
            assert_eq!(errno(), libc::EACCES);
            check(|| open64(PATH, 0, 0), -1, "real file: open64(/no/file)");
            check(|| openat(0, PATH, 0, 0), -1, "real file: openat(/no/file)");
            check(
                || openat64(0, PATH, 0, 0),
                -1,
                "real file: openat64(/no/file)",
            );
            check(|| creat(PATH, 0), -1, "real file: creat(/no/file)");
            check(|| creat64(PATH, 0), -1, "real file: creat64(/no/file)");
            check(
                || fopen(PATH, mode),
                null_mut(),
                "real file: fopen(/no/file)",
            );
            check(
                || fopen64(PATH, mode),
                null_mut(),
                "real file: fopen64(/no/file)",
            );
            check(|| opendir(PATH), null_mut(), "real file: opendir(/no/file)");
            assert_eq!(errno(), libc::EACCES);
        }
    }

    #[test]
    fn looking_and_changing_are_refused() {
        let mut buffer = [0; 8];
        let buffer = buffer.as_mut_ptr();
        // SAFETY: the strings end with a NUL, and what is refused is not written.
        unsafe {
            check(
                || statx(0, PATH, 0, 0, null_mut()),
                -1,
                "real file: statx(/no/file)",
            );
            check(
                || readlink(PATH, buffer, 8),
                -1,
                "real file: readlink(/no/file)",
            );
            check(
                || realpath(PATH, null_mut()),
                null_mut(),
                "real file: realpath(/no/file)",
            );
            check(|| mkdir(PATH, 0), -1, "real file: mkdir(/no/file)");
            check(|| rmdir(PATH), -1, "real file: rmdir(/no/file)");
            check(|| unlink(PATH), -1, "real file: unlink(/no/file)");
            check(|| unlinkat(0, PATH, 0), -1, "real file: unlinkat(/no/file)");
            check(|| rename(PATH, PATH), -1, "real file: rename(/no/file)");
            check(|| link(PATH, PATH), -1, "real file: link(/no/file)");
            check(
                || linkat(0, PATH, 0, PATH, 0),
                -1,
                "real file: linkat(/no/file)",
            );
            check(|| symlink(PATH, PATH), -1, "real file: symlink(/no/file)");
            check(|| chmod(PATH, 0), -1, "real file: chmod(/no/file)");
        }
    }

    #[test]
    fn files_are_named_without_being_opened_and_refused() {
        let mut template = *b"/no/fileXXXXXX\0";
        let template = template.as_mut_ptr().cast::<c_char>();
        let text = |call: &str| format!("real file: {call}(/no/file)");
        let temporary = |call: &str| format!("real file: {call}(/no/fileXXXXXX)");
        // SAFETY: the strings end with a NUL, and what is refused is not written.
        unsafe {
            check(|| access(PATH, 0), -1, &text("access"));
            check(|| faccessat(0, PATH, 0, 0), -1, &text("faccessat"));
            check(|| chdir(PATH), -1, &text("chdir"));
            check(|| chown(PATH, 0, 0), -1, &text("chown"));
            check(|| lchown(PATH, 0, 0), -1, &text("lchown"));
            check(|| fchownat(0, PATH, 0, 0, 0), -1, &text("fchownat"));
            check(|| mkdirat(0, PATH, 0), -1, &text("mkdirat"));
            check(|| renameat(0, PATH, 0, PATH), -1, &text("renameat"));
            check(|| symlinkat(PATH, 0, PATH), -1, &text("symlinkat"));
            check(|| truncate(PATH, 0), -1, &text("truncate"));
            check(|| truncate64(PATH, 0), -1, &text("truncate64"));
            check(
                || utimensat(0, PATH, ptr::null(), 0),
                -1,
                &text("utimensat"),
            );
            check(|| mkstemp(template), -1, &temporary("mkstemp"));
            check(|| mkstemp64(template), -1, &temporary("mkstemp64"));
            check(|| mkdtemp(template), null_mut(), &temporary("mkdtemp"));
            check(|| stat(PATH, null_mut()), -1, &text("stat"));
            check(|| stat64(PATH, null_mut()), -1, &text("stat64"));
            check(|| lstat(PATH, null_mut()), -1, &text("lstat"));
            check(|| lstat64(PATH, null_mut()), -1, &text("lstat64"));
            check(|| fstatat(0, PATH, null_mut(), 0), -1, &text("fstatat"));
            check(|| fstatat64(0, PATH, null_mut(), 0), -1, &text("fstatat64"));
        }
    }

    #[test]
    fn outside_a_status_is_the_kernels() {
        // SAFETY: zeros are a status, the paths end with a NUL.
        unsafe {
            let mut status: libc::stat = core::mem::zeroed();
            assert_eq!(stat(SELF, &raw mut status), 0);
            assert!(status.st_size > 0);
            assert_eq!(status.st_mode & libc::S_IFMT, libc::S_IFREG);
            assert_eq!(lstat(SELF, &raw mut status), 0);
            assert_eq!(status.st_mode & libc::S_IFMT, libc::S_IFLNK);
            assert_eq!((stat(PATH, &raw mut status), errno()), (-1, libc::ENOENT));
            assert_eq!(fstatat(-1, SELF, &raw mut status, 0), 0);
        }
    }

    #[test]
    fn allowed_and_outside_calls_are_real() {
        // SAFETY: the path ends with a NUL.
        let call = || unsafe { open(PATH, 0, 0) };
        assert_eq!((inside_allowing(call), errno()), (-1, libc::ENOENT));
        assert_eq!(seen(), ["real file: open(/no/file)"]);
        assert_eq!((call(), errno()), (-1, libc::ENOENT));
        // SAFETY: the path ends with a NUL; the real call finds nothing to write.
        let call = || unsafe { statx(0, PATH, 0, 0, null_mut()) };
        assert_eq!((call(), errno()), (-1, libc::ENOENT));
        assert!(seen().is_empty());
    }

    #[test]
    fn the_executable_may_be_read_but_not_written() {
        // SAFETY: the strings end with a NUL.
        unsafe {
            close(inside(|| open(SELF, libc::O_RDONLY | libc::O_CLOEXEC, 0)));
            let file = inside(|| fopen(SELF, c"rb".as_ptr()));
            assert_eq!(libc::fclose(file), 0);
            assert!(seen().is_empty());
            let flags = [libc::O_RDWR, libc::O_WRONLY, libc::O_CREAT, libc::O_TRUNC];
            for flags in flags {
                check(
                    || open(SELF, flags, 0),
                    -1,
                    "real file: open(/proc/self/exe)",
                );
            }
            for mode in [c"w", c"a", c"r+"] {
                let mode = mode.as_ptr();
                check(
                    || fopen(SELF, mode),
                    null_mut(),
                    "real file: fopen(/proc/self/exe)",
                );
            }
        }
    }

    #[test]
    fn a_new_file_gets_the_callers_mode() {
        use std::os::unix::fs::PermissionsExt as _;

        let path = std::env::temp_dir().join(format!("stormglass-mode-{}", std::process::id()));
        let text = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        // SAFETY: the path ends with a NUL.
        close(unsafe { open(text.as_ptr(), flags, 0o600) });
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn standard_input_is_refused_and_other_descriptors_pass() {
        let mut buffer = [0_u8; 4];
        let length = buffer.len();
        let buffer = buffer.as_mut_ptr().cast();
        let vector = iovec {
            iov_base: buffer,
            iov_len: length,
        };
        // SAFETY: the buffer has the length that is given.
        unsafe {
            check(|| read(0, buffer, length), -1, "standard input: read");
            assert_eq!(errno(), libc::EBADF);
            check(
                || readv(0, &raw const vector, 1),
                -1,
                "standard input: readv",
            );
            let descriptor = open(SELF, libc::O_RDONLY, 0);
            assert_eq!(inside(|| read(descriptor, buffer, length)), 4);
            assert_eq!(inside(|| readv(descriptor, &raw const vector, 1)), 4);
            close(descriptor);
        }
        assert!(seen().is_empty());
    }

    #[test]
    fn fixed_entropy_is_a_long_file_of_the_threads_stream() {
        let (mut drawn, mut first) = ([0_u8; 8], [0_u8; 8]);
        let _seed = seed_thread(4);
        entropy::fill(&mut drawn, Source::Device);
        let _again = seed_thread(4);
        let descriptor = open_fixed_entropy();
        // SAFETY: the buffer has the length that is given; then only asks where the end is.
        let length = unsafe {
            assert_eq!(read(descriptor, first.as_mut_ptr().cast(), 8), 8);
            libc::lseek(descriptor, 0, libc::SEEK_END)
        };
        close(descriptor);
        assert_eq!((first, length), (drawn, 1_048_576));
    }
}
