//! The numbers of the operating system.

pub(super) fn u64() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}

pub(super) fn below(bound: u64) -> u64 {
    // The numbers from the last multiple of the bound on would favour small results.
    let accepted = u64::MAX - u64::MAX % bound;
    loop {
        let number = u64();
        if number < accepted {
            return number % bound;
        }
    }
}

#[track_caller]
pub(super) fn chance(num: u32, den: u32) -> bool {
    assert!(den > 0, "a chance of {num} in 0 cases is none");
    assert!(num <= den, "{num} of {den} is more than always");
    below(u64::from(den)) < u64::from(num)
}

pub(super) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random numbers");
}
