//! A set of a crash point's changes, by their places in its list.
//!
//! Owns the bits.

/// Some of a fixed number of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpSet {
    words: Vec<u64>,
}

impl OpSet {
    /// None of `count` changes.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(BITS)],
        }
    }

    pub(crate) fn add(&mut self, op: usize) {
        self.words[op / BITS] |= 1 << (op % BITS);
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            *word |= other;
        }
    }

    pub(crate) fn contains(&self, op: usize) -> bool {
        self.words[op / BITS] >> (op % BITS) & 1 == 1
    }

    /// Whether all of these are among `others`.
    pub(crate) fn is_within(&self, others: &Self) -> bool {
        let words = self.words.iter().zip(&others.words);
        words.fold(true, |within, (word, other)| within & (word & !other == 0))
    }
}

const BITS: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_several_words() {
        let (mut one, mut other) = (OpSet::new(130), OpSet::new(130));
        one.add(129);
        other.add(63);
        assert!(!one.is_within(&other) && OpSet::new(130).is_within(&one));
        other.add_all(&one);
        assert!(one.is_within(&other) && other.contains(63) && other.contains(129));
        assert!(!other.is_within(&one) && !other.contains(64));
    }
}
