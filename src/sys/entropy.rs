//! Entropy for a thread or a process that must repeat itself although no simulated node runs.
//!
//! std draws the keys of `HashMap` once for each thread, and other crates cache generators in the
//! same way, perhaps before or after a poll. [`seed_thread`] fixes what a thread gets then; inside
//! a poll the hooks answer instead.
//!
//! The stream is SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
//! generators"): eight bytes of state, so that it can live in thread-local memory that has no
//! destructor. No decision of the simulation is drawn from it.

use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU8, Ordering};

/// From now on real entropy asked for by this thread comes from a stream of `seed`, until the
/// guard is dropped.
///
/// It also makes std draw this thread's `HashMap` keys from it, once and for all: on a thread that
/// has made a `HashMap` before, std keeps the keys it has, so call this first on a fresh thread.
#[must_use]
pub(crate) fn seed_thread(seed: u64) -> ThreadSeed {
    let guard = ThreadSeed {
        previous: STREAM.replace(Some(seed)),
        thread_bound: PhantomData,
    };
    #[expect(
        clippy::disallowed_types,
        reason = "made only so that std caches its keys now"
    )]
    drop(std::collections::hash_map::RandomState::new());
    guard
}

/// How a program draws real entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Source {
    /// As std does for the keys of `HashMap`.
    HashKeys = 1,
    /// By any other call.
    Call = 2,
    /// By reading `/dev/urandom` or `/dev/random`.
    Device = 4,
}

/// From now on what this process draws from `sources` and the simulation does not serve is the
/// same each time. Each thread gets the same stream. It cannot be undone.
pub(super) fn fix_process(sources: &[Source]) {
    let fixed = sources
        .iter()
        .fold(0, |fixed, source| fixed | *source as u8);
    FIXED.store(fixed, Ordering::Relaxed);
}

/// Whether [`fix_process`] was called with this source.
pub(super) fn is_fixed(source: Source) -> bool {
    FIXED.load(Ordering::Relaxed) & source as u8 != 0
}

/// Fills `buffer` from this thread's stream; false, and nothing done, if it has none.
pub(super) fn fill(buffer: &mut [u8], source: Source) -> bool {
    if let Some(state) = STREAM.get() {
        STREAM.set(Some(fill_from(state, buffer)));
    } else if is_fixed(source) {
        FIXED_STREAM.set(fill_from(FIXED_STREAM.get(), buffer));
    } else {
        return false;
    }
    true
}

/// Fills `buffer` from the stream in this state and gives its next state.
fn fill_from(mut state: u64, buffer: &mut [u8]) -> u64 {
    for chunk in buffer.chunks_mut(8) {
        chunk.copy_from_slice(&next(&mut state).to_le_bytes()[..chunk.len()]);
    }
    state
}

/// Gives the thread, when dropped, the source of entropy that it had before [`seed_thread`].
#[derive(Debug)]
pub(crate) struct ThreadSeed {
    previous: Option<u64>,
    /// The stream belongs to the thread, so the guard must not go to another.
    thread_bound: PhantomData<*const ()>,
}

impl Drop for ThreadSeed {
    fn drop(&mut self) {
        STREAM.set(self.previous);
    }
}

/// The next value of SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The [`Source`]s that are fixed, as bits.
static FIXED: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static STREAM: Cell<Option<u64>> = const { Cell::new(None) };
    /// Apart from the other, so that a fixed source does not make the others fixed.
    static FIXED_STREAM: Cell<u64> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn<const N: usize>() -> Option<[u8; N]> {
        let mut buffer = [0; N];
        fill(&mut buffer, Source::Call).then_some(buffer)
    }

    #[test]
    fn the_stream_is_splitmix64() {
        // The reference values of Vigna's splitmix64.c for the seed 1234567.
        let mut state = 1_234_567;
        assert_eq!(next(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(next(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_seed_lasts_as_long_as_its_guard() {
        assert_eq!(drawn::<4>(), None);
        let outer = seed_thread(1);
        let first = drawn::<20>();
        {
            let _inner = seed_thread(2);
            assert_ne!(drawn::<20>(), first);
        }
        assert!(drawn::<1>().is_some());
        drop(outer);
        assert_eq!(drawn::<4>(), None);
        let _again = seed_thread(1);
        assert_eq!(drawn::<20>(), first);
    }
}
