//! The libc functions behind ours.

use core::ffi::{CStr, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The libc function of this name and type, looked up at its first use.
///
/// The type must be libc's own: that is what makes a call of the result sound.
macro_rules! real {
    (fn $name:ident($($ty:ty),*) -> $ret:ty) => {
        $crate::sys::symbols::real::real!($name: unsafe extern "C" fn($($ty),*) -> $ret)
    };
    ($name:ident: $function:ty) => {{
        static REAL: $crate::sys::symbols::real::Real =
            $crate::sys::symbols::real::Real::new(concat!(stringify!($name), "\0"));
        // SAFETY: the address is that of the libc function of this name, which has this type.
        core::mem::transmute::<*mut core::ffi::c_void, $function>(REAL.address())
    }};
}
pub(super) use real;

/// The address of the function that would be called if this crate did not define its name.
pub(super) struct Real {
    /// Ends with a NUL, for the linker's sake.
    name: &'static str,
    /// Null until the first use. Every thread that looks it up finds the same, so no lock.
    address: AtomicPtr<c_void>,
}

impl Real {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            address: AtomicPtr::new(ptr::null_mut()),
        }
    }

    #[inline]
    pub(super) fn address(&self) -> *mut c_void {
        // Relaxed is enough: the address is a number, and the code behind it was always there.
        let address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            self.look_up()
        } else {
            address
        }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        let name = CStr::from_bytes_with_nul(self.name.as_bytes())
            .expect("the macro ends each name with its only NUL");
        // SAFETY: the name ends with a NUL; `RTLD_NEXT` means the libraries after the binary that
        // this code is linked into, hence never this crate's own function.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        assert!(
            !address.is_null(),
            "this system's libc has no function {name:?}"
        );
        self.address.store(address, Ordering::Relaxed);
        address
    }
}
