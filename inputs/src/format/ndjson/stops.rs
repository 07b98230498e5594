//! Where strings may end: all quotes, backslashes and control characters of a block, found before it is read.
//!
//! The idea of finding what structures JSON by comparing many bytes at once, and of walking the bits: Langdale and
//! Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 28(6), 2019.

use crate::scan::{self, WINDOW};

/// A bit for every byte of a block.
pub(super) struct Stops(Vec<u64>);

impl Stops {
    /// Finds the stops of a block. Its end counts as one. O(block).
    pub(super) fn of(block: &[u8]) -> Self {
        let (windows, rest) = block.as_chunks::<WINDOW>();
        let mut last = [0; WINDOW];
        last[..rest.len()].copy_from_slice(rest);
        let mut words = Vec::with_capacity(windows.len() + 2);
        words.extend(windows.iter().chain([&last]).map(stops));
        words.push(u64::MAX);
        Stops(words)
    }

    /// The first stop at `at` or after it, which must be in the block or its end.
    #[inline(always)]
    pub(super) fn next(&self, at: usize) -> usize {
        let (word, bit) = (at / WINDOW, at % WINDOW);
        // The next 64 bits, wherever they begin: whether a string reaches over a word's end could only be guessed.
        let bits = self.0[word] >> bit | self.0[word + 1] << 1 << (WINDOW - 1 - bit);
        if bits != 0 { at + bits.trailing_zeros() as usize } else { self.beyond(word + 1) }
    }

    #[inline(never)]
    fn beyond(&self, mut word: usize) -> usize {
        while self.0[word] == 0 {
            word += 1;
        }
        word * WINDOW + self.0[word].trailing_zeros() as usize
    }
}

#[inline(always)]
fn stops(window: &[u8; WINDOW]) -> u64 {
    scan::find(window, b'"') | scan::find(window, b'\\') | scan::up_to(window, 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_next_stop_is_that_of_a_walk(block in prop::collection::vec(prop_oneof![8 => 0x20u8.., 1 => 0u8..0x30], 0..300)) {
            let stops = Stops::of(&block);
            let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            for at in 0..=block.len() {
                let walked = block[at..].iter().position(is_stop).map_or(block.len(), |n| at + n);
                prop_assert_eq!(stops.next(at), walked);
            }
        }
    }
}
