//! Lines without a quote, found many at once; those that are shorter than a window are also split many at once.
//!
//! One record alone waits: for its line's end, with that for its columns, then for what its texts mean. As each step is
//! done for many records before the next, the processor waits for many together.

use super::super::extract::{Found, GROUP};
use crate::scan::{Finder, WINDOW, padded};

/// How many bytes are looked through for newlines together.
const CHUNK: usize = 32 * WINDOW;
/// How many newlines of a window are noted without asking whether it has as many.
const MOST: usize = 4;

/// The newlines of a part of a block.
pub(super) struct Newlines {
    places: [u32; CHUNK + MOST],
    count: usize,
}

impl Newlines {
    pub(super) fn new() -> Self {
        Newlines { places: [0; CHUNK + MOST], count: 0 }
    }

    /// Finds the newlines of `block` from `from` on, up to the first quote and no further than a chunk, and says how far.
    #[inline(always)]
    pub(super) fn find(&mut self, finder: impl Finder, block: &[u8], from: usize) -> usize {
        let mut end = block.len().min(from + CHUNK);
        self.count = 0;
        for start in (from..end).step_by(WINDOW) {
            let last;
            let window = match block[start..].first_chunk() {
                Some(window) => window,
                None => {
                    last = padded(&block[start..]);
                    &last
                }
            };
            self.note(start as u32, finder.find(window, b'\n'));
            let quotes = finder.find(window, b'"');
            if quotes != 0 {
                end = end.min(start + quotes.trailing_zeros() as usize);
                break;
            }
        }
        // The last window may reach further.
        while self.places[..self.count].last().is_some_and(|&place| place as usize >= end) {
            self.count -= 1;
        }
        end
    }

    /// Notes the places of the bits of `newlines`, of the window that starts at `start`.
    #[inline(always)]
    fn note(&mut self, start: u32, mut newlines: u64) {
        let next = self.count + newlines.count_ones() as usize;
        let room = &mut self.places[self.count..];
        let (most, more) = room.split_at_mut(MOST);
        for place in most {
            *place = start + newlines.trailing_zeros();
            newlines &= newlines.wrapping_sub(1);
        }
        for place in more {
            if newlines == 0 {
                break;
            }
            *place = start + newlines.trailing_zeros();
            newlines &= newlines - 1;
        }
        self.count = next;
    }

    /// Where they are, in ascending order.
    pub(super) fn places(&self) -> &[u32] {
        &self.places[..self.count]
    }
}

/// Which columns are the values of a record, for all that are not too far right.
pub(super) struct Columns {
    delimiter: u8,
    /// Of each value two bits, at the number of its column and at the next; none for a column that no short record has.
    pairs: Vec<u64>,
}

/// Records that are split together.
pub(super) type Group<'b, const N: usize> = [Found<'b, N>; GROUP];

/// A group before the first record was split.
pub(super) fn group<'b, const N: usize>() -> Group<'b, N> {
    [Found { at: 0, values: [&[]; N] }; GROUP]
}

impl Columns {
    pub(super) fn new(delimiter: u8, positions: &[usize]) -> Self {
        let pair = |&at: &usize| if at < WINDOW - 1 { 0b11 << at } else { 0 };
        Columns { delimiter, pairs: positions.iter().map(pair).collect() }
    }

    /// Splits the lines that begin at `at` and end with these newlines, up to the first that is blank, too long for a
    /// window, or lacks a value.
    ///
    /// # Panics
    /// When there are fewer than `N` columns.
    #[inline(always)]
    pub(super) fn split<'g, 'b, const N: usize>(
        &self,
        finder: impl Finder,
        block: &'b [u8],
        mut at: usize,
        newlines: &[u32],
        group: &'g mut Group<'b, N>,
    ) -> &'g [Found<'b, N>] {
        let pairs: &[u64; N] = self.pairs.first_chunk().expect("as many columns as values");
        let delimiter = self.delimiter;
        let mut count = 0;
        'lines: for (found, &newline) in group.iter_mut().zip(newlines) {
            let newline = newline as usize;
            let Some(window) = block[at..].first_chunk::<WINDOW>() else { break };
            let length = newline - at;
            // The place after the last column is marked as well, and is to have one.
            if length == 0 || length >= WINDOW - 1 {
                break;
            }
            let end = length - usize::from(window[length - 1] == b'\r');
            if end == 0 {
                break;
            }
            let delimiters = finder.find(window, delimiter) & ((1 << end) - 1);
            // Where columns start; the last start is that of no column.
            let starts = delimiters << 1 | 2 << end | 1;
            for (value, &pair) in found.values.iter_mut().zip(pairs) {
                let picked = finder.pick(starts, pair);
                let start = picked.trailing_zeros() as usize;
                // Before the delimiter, which is before the next start; it is no range when either start is missing.
                let text_end = (WINDOW - 2).wrapping_sub(picked.leading_zeros() as usize);
                match window.get(start..text_end) {
                    Some(text) => *value = text,
                    None => break 'lines,
                }
            }
            found.at = at as u32;
            at = newline + 1;
            count += 1;
        }
        &group[..count]
    }
}
