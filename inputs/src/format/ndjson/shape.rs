//! What lines of one producer have in common: the names of their members, and all that stands around the values.
//!
//! A line is compared with the one scanned before. Where everything but the values is the same, so are the members, and
//! only the values are left to be read.

use super::MAX_DEPTH;
use super::object::Value;
use super::scan::Lines;

/// How many bytes of a lead are compared at once.
const START: usize = 16;

/// The members of the line that was scanned last.
#[derive(Default)]
pub(super) struct Shape {
    members: Vec<Member>,
    /// What stands behind the last value, up to the line's end; `None` while the shape is not known.
    tail: Option<Lead>,
}

/// A member: what stands before its value, and which of the wanted names it has.
struct Member {
    lead: Lead,
    wanted: Option<usize>,
}

/// Some bytes of the block.
#[derive(Clone, Copy)]
struct Lead {
    from: usize,
    length: usize,
    /// The first bytes, and ones where they stand in the word.
    start: u128,
    mask: u128,
}

impl Shape {
    /// Begins to learn the shape of another line.
    pub(super) fn forget(&mut self) {
        self.members.clear();
        self.tail = None;
    }

    /// Learns of a member whose value stands behind `block[from..to]`.
    #[inline]
    pub(super) fn learn(&mut self, block: &[u8], from: usize, to: usize, wanted: Option<usize>) {
        self.members.push(Member { lead: Lead::new(block, from, to), wanted });
    }

    /// Learns what ends the line.
    pub(super) fn learn_tail(&mut self, block: &[u8], from: usize, to: usize) {
        self.tail = Some(Lead::new(block, from, to));
    }

    /// Finds the wanted members of the line at `at` if it has this shape, and where it ends.
    #[inline]
    pub(super) fn follow<'a>(&self, lines: Lines<'a>, at: usize, found: &mut [Option<Value<'a>>]) -> Option<usize> {
        let (tail, mut at) = (self.tail?, at);
        for Member { lead, wanted } in &self.members {
            at = lead.pass(lines.block, at)?;
            let end = lines.value(at, MAX_DEPTH - 1)?;
            if let Some(wanted) = *wanted {
                found[wanted] = Some(lines.written(at, end));
            }
            at = end;
        }
        lines.end(tail.pass(lines.block, at)?)
    }
}

impl Lead {
    fn new(block: &[u8], from: usize, to: usize) -> Self {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte));
        let length = to - from;
        let start = word(&block[from..from + length.min(START)]);
        Lead { from, length, start, mask: word(&[0xff; START][..length.min(START)]) }
    }

    /// The place behind the same bytes at `at`; `None` when others are there, or the block ends soon.
    #[inline]
    fn pass(&self, block: &[u8], at: usize) -> Option<usize> {
        let start = u128::from_le_bytes(*block.get(at..)?.first_chunk::<START>()?);
        if start & self.mask != self.start {
            return None;
        }
        let end = at + self.length;
        if self.length > START && block[self.from + START..self.from + self.length] != *block.get(at + START..end)? {
            return None;
        }
        Some(end)
    }
}
