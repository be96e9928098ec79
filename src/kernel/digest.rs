//! A running 128-bit digest of everything that happened in a run.
//!
//! Owns the mixing and its constants. It must never know what the absorbed words mean: the trace
//! decides what is absorbed and in which order.
//!
//! The digest answers one question, "did these two runs do the same things in the same order?",
//! where the runs differ by accident and never by malice. It is **not** cryptographic: whoever
//! wants two different runs with equal digests can construct them.
//!
//! The final mixing is the variant 13 of Stafford's "Better Bit Mixing" (2011), which SplitMix64
//! made known.

use core::fmt;

/// A running digest: equal sequences of absorbed values give equal digests on every platform.
///
/// ```
/// use stormglass::kernel::Digest;
///
/// let mut one = Digest::new();
/// one.absorb(1, 2);
/// let mut other = Digest::new();
/// other.absorb(2, 1);
/// assert_ne!(one.value(), other.value());
/// assert_eq!(one.to_string().len(), 32);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    left: u64,
    right: u64,
}

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            left: LEFT_START,
            right: RIGHT_START,
        }
    }

    /// Absorbs two words.
    ///
    /// For a given `x` and `y` this is a bijection of the state, so that two states which differ
    /// stay different for as long as they absorb the same words: a difference between two runs is
    /// never forgotten, however long they then run alike.
    #[inline]
    pub const fn absorb(&mut self, x: u64, y: u64) {
        // A multiplication carries a difference upwards only, and one in the top bit stays there.
        // `y` therefore enters both lanes at different places, and `left` enters `right` half a
        // word away: every single-bit difference is spread by one of the two multiplications.
        let left = (self.left ^ x)
            .wrapping_add(y.rotate_left(17))
            .wrapping_mul(LEFT_FACTOR);
        let right = (self.right ^ y)
            .wrapping_add(left.rotate_left(32))
            .wrapping_mul(RIGHT_FACTOR);
        self.left = left ^ right.rotate_left(29);
        self.right = right;
    }

    /// Absorbs a byte string and its length, so that "ab", "c" differs from "a", "bc".
    pub fn absorb_bytes(&mut self, bytes: &[u8]) {
        // `usize` is at most 64 bits wide on every platform that Rust supports.
        self.absorb(bytes.len() as u64, BYTES_MARK);
        let (rounds, tail) = bytes.as_chunks::<16>();
        for round in rounds {
            self.absorb_round(*round);
        }
        if !tail.is_empty() {
            // The length has been absorbed, so the padding cannot be mistaken for content.
            let mut padded = [0; 16];
            padded[..tail.len()].copy_from_slice(tail);
            self.absorb_round(padded);
        }
    }

    const fn absorb_round(&mut self, bytes: [u8; 16]) {
        self.absorb_value(u128::from_le_bytes(bytes));
    }

    /// Absorbs two words as one number, such as the [`value`](Self::value) of another digest.
    #[inline]
    pub(crate) const fn absorb_value(&mut self, value: u128) {
        let (low, high) = halves(value);
        self.absorb(low, high);
    }

    /// The digest of all that was absorbed so far; absorbing may go on afterwards.
    #[must_use]
    pub const fn value(&self) -> u128 {
        // Each lane sees the other before and after its own avalanche, so that what was absorbed
        // last, and has not been multiplied often yet, still reaches all 128 bits.
        let left = avalanche(self.left.wrapping_add(self.right.rotate_left(32)));
        let right = avalanche(self.right ^ left);
        let left = avalanche(left.wrapping_add(right));
        ((left as u128) << 64) | right as u128
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Digest {
    /// The form in which reports print a digest: 32 lowercase hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.value())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Spreads every bit of a word over all of them: a bijection, with `avalanche(0) == 0`.
#[inline]
pub(super) const fn avalanche(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the truncation is what halves the word"
)]
const fn halves(word: u128) -> (u64, u64) {
    (word as u64, (word >> 64) as u64)
}

// The first 128 bits of the fraction of pi: nothing chosen by us.
const LEFT_START: u64 = 0x243f_6a88_85a3_08d3;
const RIGHT_START: u64 = 0x1319_8a2e_0370_7344;

// Odd, hence invertible modulo 2^64, with about half of their bits set. The first is 2^64 divided
// by the golden ratio; the second is the multiplier of Steele and Vigna's "Computationally easy,
// spectrally good multipliers" (2021) for 64-bit congruential generators.
const LEFT_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT_FACTOR: u64 = 0xd134_2543_de82_ef95;

// Stands beside the length of a byte string, where a pair of words would have its second word. The
// 64 bits of pi that follow the two above.
const BYTES_MARK: u64 = 0xa409_3822_299f_31d0;

const _: () = assert!(LEFT_FACTOR % 2 == 1);
const _: () = assert!(RIGHT_FACTOR % 2 == 1);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of_words(words: &[(u64, u64)]) -> u128 {
        let mut digest = Digest::new();
        for &(x, y) in words {
            digest.absorb(x, y);
        }
        digest.value()
    }

    fn of_strings(strings: &[&[u8]]) -> u128 {
        let mut digest = Digest::new();
        for string in strings {
            digest.absorb_bytes(string);
        }
        digest.value()
    }

    /// Undoes the multiplication by an odd `factor` (Newton's iteration doubles the good bits).
    fn inverse(factor: u64) -> u64 {
        let mut inverse = factor;
        for _ in 0..6 {
            let error = factor.wrapping_mul(inverse);
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(error));
        }
        assert_eq!(factor.wrapping_mul(inverse), 1);
        inverse
    }

    #[test]
    fn golden_vectors() {
        let text: Vec<u8> = (0..100).collect();
        let check = |digest: u128, expected: &str| assert_eq!(format!("{digest:032x}"), expected);
        check(of_words(&[]), "bc7bbaee060b30956bb866ecfc16db5f");
        check(of_words(&[(0, 0)]), "181651252921b182bae92e3468c52637");
        check(
            of_words(&[(1, 2), (3, u64::MAX)]),
            "2b894c224067b2b958e72afaa0c35cbe",
        );
        check(of_strings(&[b""]), "0d3a72a2e0d04c056f0e417cf4b34599");
        check(
            of_strings(&[b"stormglass"]),
            "7b7dc43ddee7be346a1f96bfff77f2c0",
        );
        check(of_strings(&[&text]), "58ef7f9a73790df2655ef14ba0be6d69");
    }

    #[test]
    fn displays_all_32_digits() {
        let mut digest = Digest::new();
        // Some value among these begins with a zero digit, which must not be dropped.
        for word in 0..100 {
            digest.absorb(word, 0);
            assert_eq!(digest.to_string(), format!("{:032x}", digest.value()));
            assert_eq!(digest.to_string().len(), 32);
        }
    }

    #[test]
    fn absorbing_can_be_undone() {
        let (mut state, mut words) = (Digest::new(), Vec::new());
        for n in 0..1_000u64 {
            let (x, y) = (avalanche(n), avalanche(n ^ 0xffff));
            let before = state.clone();
            state.absorb(x, y);
            words.push((x, y));
            let left = state.left ^ state.right.rotate_left(29);
            let right = state.right.wrapping_mul(inverse(RIGHT_FACTOR));
            let right = right.wrapping_sub(left.rotate_left(32)) ^ y;
            let left = left
                .wrapping_mul(inverse(LEFT_FACTOR))
                .wrapping_sub(y.rotate_left(17))
                ^ x;
            assert_eq!(Digest { left, right }, before);
        }
    }

    #[test]
    fn order_matters() {
        assert_ne!(of_words(&[(1, 2)]), of_words(&[(2, 1)]));
        assert_ne!(of_words(&[(1, 2), (3, 4)]), of_words(&[(3, 4), (1, 2)]));
        assert_ne!(of_words(&[(1, 2)]), of_words(&[(1, 2), (0, 0)]));
    }

    #[test]
    fn byte_strings_keep_their_borders() {
        assert_ne!(of_strings(&[b"ab", b"c"]), of_strings(&[b"a", b"bc"]));
        assert_ne!(of_strings(&[b""]), of_strings(&[]));
        assert_ne!(of_strings(&[b"a"]), of_strings(&[b"a\0"]));
        assert_ne!(of_strings(&[&[0; 16]]), of_strings(&[&[0; 32]]));
    }

    #[test]
    fn every_byte_of_a_string_counts() {
        for len in 0..70 {
            let string = vec![7u8; len];
            for position in 0..len {
                let mut changed = string.clone();
                changed[position] ^= 0x80;
                assert_ne!(of_strings(&[&string]), of_strings(&[&changed]));
            }
        }
    }

    #[test]
    fn flipping_one_bit_flips_half_of_the_digest() {
        const WORDS: usize = 3;
        const SAMPLES: u64 = 200;
        for bit in 0..WORDS * 128 {
            let (word, bit) = (bit / 128, bit % 128);
            let mut flipped_total = 0;
            for sample in 0..SAMPLES {
                let mut words: Vec<(u64, u64)> = (0..WORDS as u64)
                    .map(|n| (avalanche(sample * 8 + n), avalanche(!(sample * 8 + n))))
                    .collect();
                let before = of_words(&words);
                let flip = halves(1u128 << bit);
                words[word].0 ^= flip.0;
                words[word].1 ^= flip.1;
                let flipped = (before ^ of_words(&words)).count_ones();
                // 64 on average with a deviation of 5.7: 24 is seven deviations away.
                assert!(
                    (24..=104).contains(&flipped),
                    "word {word} bit {bit}: {flipped} flipped"
                );
                flipped_total += flipped;
            }
            assert!(
                (62 * SAMPLES..66 * SAMPLES).contains(&u64::from(flipped_total)),
                "word {word} bit {bit}: {flipped_total} flipped in {SAMPLES} samples"
            );
        }
    }

    #[test]
    fn a_difference_of_one_bit_leaves_no_cheap_way_back() {
        // After one more round the state must differ in many bits, or two fields that differ
        // together could cancel out.
        for bit in 0..128 {
            let flip = halves(1u128 << bit);
            let (mut one, mut other) = (Digest::new(), Digest::new());
            one.absorb(0x1234_5678_9abc_def0, 42);
            other.absorb(0x1234_5678_9abc_def0 ^ flip.0, 42 ^ flip.1);
            let left = (one.left ^ other.left).count_ones();
            let right = (one.right ^ other.right).count_ones();
            assert!(
                left + right >= 20,
                "bit {bit}: {left} + {right} bits differ"
            );
        }
    }

    #[test]
    fn a_million_small_inputs_do_not_collide() {
        let mut seen = BTreeSet::new();
        for n in 0..500_000 {
            // 64 bits of the digest are kept, which makes the test the harder.
            assert!(seen.insert(of_words(&[(n, 0)]) >> 64), "({n}, 0) collides");
            assert!(
                seen.insert(of_words(&[(0, n + 1)]) >> 64),
                "(0, {n} + 1) collides"
            );
        }
    }
}
