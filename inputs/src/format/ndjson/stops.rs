//! Where strings and digits may end: all quotes, backslashes and control characters of a block, and all that is no digit,
//! found before it is read.
//!
//! The idea of finding what structures JSON by comparing many bytes at once, and of walking the bits: Langdale and
//! Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 28(6), 2019.

use crate::scan::{Finder, Search, WINDOW, padded, search};

/// What there is to know of the bytes of a block before it is read.
pub(super) struct Stops {
    /// Where strings may end.
    pub(super) strings: Places,
    /// Where digits end.
    pub(super) digits: Places,
    /// Whether all bytes are ASCII.
    pub(super) is_ascii: bool,
}

impl Stops {
    /// Finds the stops of a block. Its end counts as one. O(block).
    pub(super) fn of(block: &[u8]) -> Self {
        search(Find { block })
    }
}

/// A bit for every byte of a block.
pub(super) struct Places(Vec<u64>);

impl Places {
    /// The first place at `at` or after it, which must be in the block or its end.
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

/// A block whose stops are to be found.
struct Find<'b> {
    block: &'b [u8],
}

impl Search for Find<'_> {
    type Output = Stops;

    #[inline(always)]
    fn with(self, finder: impl Finder) -> Stops {
        let (windows, rest) = self.block.as_chunks::<WINDOW>();
        let last = padded(rest);
        let mut strings = vec![u64::MAX; windows.len() + 2];
        let mut digits = strings.clone();
        let mut others = 0;
        for (at, (strings, digits)) in strings.iter_mut().zip(&mut digits).take(windows.len() + 1).enumerate() {
            let window = windows.get(at).unwrap_or(&last);
            *strings = finder.find(window, b'"') | finder.find(window, b'\\') | finder.up_to(window, 0x1f);
            *digits = finder.up_to(window, b'/') | !finder.up_to(window, b'9');
            others |= !finder.up_to(window, 0x7f);
        }
        Stops { strings: Places(strings), digits: Places(digits), is_ascii: others == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_next_stop_is_that_of_a_walk(block in prop::collection::vec(prop_oneof![8 => 0x20u8.., 1 => 0u8..0x30, 8 => 0x30u8..0x3a], 0..300)) {
            let stops = Stops::of(&block);
            let ends_string = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let is_no_digit = |byte: &u8| !byte.is_ascii_digit();
            for at in 0..=block.len() {
                let walk = |ends: &dyn Fn(&u8) -> bool| block[at..].iter().position(ends).map_or(block.len(), |n| at + n);
                prop_assert_eq!(stops.strings.next(at), walk(&ends_string));
                prop_assert_eq!(stops.digits.next(at), walk(&is_no_digit));
            }
            prop_assert_eq!(stops.is_ascii, block.is_ascii());
        }
    }
}
