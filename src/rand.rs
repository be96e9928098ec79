//! Random numbers for a program: drawn at `user.rng` of the running node, or with the feature
//! `real` the operating system's.
//!
//! Floor 4. Programs that draw from the operating system, through `getrandom` or a crate that
//! uses it, get numbers of the simulation too; this is the shorter way.

#[cfg(not(feature = "sim"))]
mod machine;
#[cfg(feature = "sim")]
mod node;

#[cfg(not(feature = "sim"))]
use machine as source;
#[cfg(feature = "sim")]
use node as source;

/// A random number.
///
/// # Panics
/// If this thread runs no simulation; with the feature `real`, if the operating system has no
/// random numbers to give. All functions here do.
#[must_use]
#[track_caller]
pub fn u64() -> u64 {
    source::u64()
}

/// A random number from `0` to `bound - 1`.
///
/// # Panics
/// If `bound` is zero, or as [`u64()`].
#[must_use]
#[track_caller]
pub fn below(bound: u64) -> u64 {
    assert!(
        bound > 0,
        "there is no number below 0: give a bound of at least 1"
    );
    source::below(bound)
}

/// A random index into `len` items, that is a number from `0` to `len - 1`.
///
/// # Panics
/// If `len` is zero, or as [`u64()`].
#[must_use]
#[track_caller]
pub fn index(len: usize) -> usize {
    assert!(
        len > 0,
        "there is no index into nothing: give a length of at least 1"
    );
    usize::try_from(source::below(len as u64)).expect("it is below a length")
}

/// True in `num` of `den` cases.
///
/// # Panics
/// If `num > den` or `den` is zero, or as [`u64()`].
#[must_use]
#[track_caller]
pub fn chance(num: u32, den: u32) -> bool {
    source::chance(num, den)
}

/// A random one of `items`; `None` if there are none.
///
/// # Panics
/// As [`u64()`].
#[track_caller]
pub fn choose<T>(items: &[T]) -> Option<&T> {
    if items.is_empty() {
        return None;
    }
    items.get(index(items.len()))
}

/// Puts `items` into a random order.
///
/// # Panics
/// As [`u64()`].
#[track_caller]
pub fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, index(last + 1));
    }
}

/// Fills `bytes` with random numbers.
///
/// # Panics
/// As [`u64()`].
#[track_caller]
pub fn fill(bytes: &mut [u8]) {
    source::fill(bytes);
}
