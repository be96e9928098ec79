//! Random numbers of the operating system, in the names of the simulation's.

/// A random number.
///
/// # Panics
/// If the operating system has no random numbers to give.
#[must_use]
pub fn u64() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}

/// A random number from `0` to `bound - 1`.
///
/// # Panics
/// If `bound` is zero, or the operating system has no random numbers to give.
#[must_use]
#[track_caller]
pub fn below(bound: u64) -> u64 {
    assert!(
        bound > 0,
        "there is no number below 0: give a bound of at least 1"
    );
    // The numbers from the last multiple of the bound on would favour small results.
    let accepted = u64::MAX - u64::MAX % bound;
    loop {
        let number = u64();
        if number < accepted {
            return number % bound;
        }
    }
}

/// True in `num` of `den` cases.
///
/// # Panics
/// If `num > den` or `den` is zero, or the operating system has no random numbers to give.
#[must_use]
#[track_caller]
pub fn chance(num: u32, den: u32) -> bool {
    assert!(num <= den, "{num} of {den} is more than always");
    below(u64::from(den)) < u64::from(num)
}

/// One of `items`; `None` if there are none.
///
/// # Panics
/// If the operating system has no random numbers to give.
pub fn choose<T>(items: &[T]) -> Option<&T> {
    let count = items.len() as u64;
    let index = if count == 0 {
        return None;
    } else {
        below(count)
    };
    items.get(usize::try_from(index).expect("below a length"))
}

/// Puts `items` into a random order.
///
/// # Panics
/// If the operating system has no random numbers to give.
pub fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = below(last as u64 + 1);
        items.swap(last, usize::try_from(other).expect("below a length"));
    }
}

/// Fills `bytes` with random numbers.
///
/// # Panics
/// If the operating system has no random numbers to give.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random numbers");
}
