//! Cuts a stream of bytes into blocks of whole records.
//!
//! Where records end depends on the bytes alone and never on how they arrive or how large blocks are.

use crate::event::{MAX_RECORD, MAX_RECORD_LINE};
use crate::format::{Framing, record_end};

/// What [`Cutter::cut`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The block got this many bytes of whole records, from this offset in the stream.
    Records { offset: u64 },
    /// The block got the start of a record that is over [`MAX_RECORD`]; its rest will not be seen.
    TooLong { offset: u64 },
    /// No record has ended yet.
    Nothing,
}

/// The bytes of a stream that are not yet cut into blocks.
pub(super) struct Cutter {
    framing: Framing,
    /// Bytes that are not yet handed out; the first is the start of a record.
    pub(super) pending: Vec<u8>,
    /// Where the first pending byte stands in the stream.
    offset: u64,
    /// How many pending bytes are known to be whole records (quoted framing only).
    whole: usize,
    /// The rest of a record that was too long is being dropped.
    skipping: bool,
}

impl Cutter {
    /// Starts on a stream of which `pending` was already read and the first `header` bytes are no records.
    pub(super) fn new(framing: Framing, mut pending: Vec<u8>, header: usize) -> Self {
        pending.drain(..header);
        Cutter { framing, pending, offset: header as u64, whole: 0, skipping: false }
    }

    /// Moves the whole records among the pending bytes into `block`, which is empty; at the `end` of the stream all bytes.
    pub(super) fn cut(&mut self, end: bool, block: &mut Vec<u8>) -> Cut {
        if self.skipping && !self.skip(0) {
            return Cut::Nothing;
        }
        let offset = self.offset;
        match self.records(end) {
            0 if self.pending.len() > MAX_RECORD_LINE => {
                block.extend_from_slice(&self.pending[..MAX_RECORD]);
                self.skipping = true;
                self.skip(MAX_RECORD_LINE);
                Cut::TooLong { offset }
            }
            0 => Cut::Nothing,
            length => {
                // The rest is the shorter part: it moves and the records stay where they are.
                let rest = self.pending[length..].to_vec();
                std::mem::swap(block, &mut self.pending);
                block.truncate(length);
                self.pending.clear();
                self.pending.extend_from_slice(&rest);
                self.advance(length);
                Cut::Records { offset }
            }
        }
    }

    /// Drops pending bytes through the first newline at or after `from`; says whether there was one.
    fn skip(&mut self, from: usize) -> bool {
        let newline = memchr::memchr(b'\n', &self.pending[from..]);
        let length = newline.map_or(self.pending.len(), |n| from + n + 1);
        self.pending.drain(..length);
        self.advance(length);
        self.skipping = newline.is_none();
        !self.skipping
    }

    fn advance(&mut self, length: usize) {
        self.offset += length as u64;
        self.whole = self.whole.saturating_sub(length);
    }

    /// How many pending bytes are whole records.
    fn records(&mut self, end: bool) -> usize {
        let bytes = &self.pending;
        match self.framing {
            Framing::Lines => {
                let last = memchr::memrchr(b'\n', bytes).map_or(0, |n| n + 1);
                if end && bytes.len() - last <= MAX_RECORD_LINE { bytes.len() } else { last }
            }
            Framing::Quoted(delimiter) => {
                loop {
                    let quote = memchr::memchr(b'"', &bytes[self.whole..]).map(|q| self.whole + q);
                    let plain = quote.unwrap_or(bytes.len());
                    let start =
                        memchr::memrchr(b'\n', &bytes[self.whole..plain]).map_or(self.whole, |n| self.whole + n + 1);
                    self.whole = start;
                    if quote.is_none() {
                        break;
                    }
                    match record_end(&bytes[start..], delimiter) {
                        Some(length) => self.whole = start + length,
                        None => break,
                    }
                }
                if end && bytes.len() - self.whole <= MAX_RECORD_LINE {
                    self.whole = bytes.len();
                }
                self.whole
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All blocks of `bytes` when they arrive in pieces of the given sizes, as (offset, bytes, too long).
    fn cut_all(framing: Framing, bytes: &[u8], sizes: &[usize]) -> Vec<(u64, Vec<u8>, bool)> {
        let mut cutter = Cutter::new(framing, Vec::new(), 0);
        let (mut cuts, mut rest, mut sizes) = (Vec::new(), bytes, sizes.iter().cycle());
        loop {
            let n = (*sizes.next().expect("a cycle")).min(rest.len());
            cutter.pending.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
            loop {
                let mut block = Vec::new();
                match cutter.cut(rest.is_empty(), &mut block) {
                    Cut::Records { offset } => cuts.push((offset, block, false)),
                    Cut::TooLong { offset } => cuts.push((offset, block, true)),
                    Cut::Nothing => break,
                }
            }
            if rest.is_empty() {
                return cuts;
            }
        }
    }

    /// The blocks with neighbours joined: what must not depend on how the bytes arrive.
    fn joined(cuts: Vec<(u64, Vec<u8>, bool)>) -> Vec<(u64, Vec<u8>, bool)> {
        let mut all: Vec<(u64, Vec<u8>, bool)> = Vec::new();
        for (offset, bytes, long) in cuts {
            match all.last_mut() {
                Some((start, records, false)) if !long && *start + records.len() as u64 == offset => {
                    records.extend(bytes)
                }
                _ => all.push((offset, bytes, long)),
            }
        }
        all
    }

    proptest! {
        #[test]
        fn blocks_end_where_records_end_however_bytes_arrive(
            bytes in "([ab,\"]{0,6}\r?\n?){0,40}",
            sizes in prop::collection::vec(1usize..50, 1..8),
        ) {
            for framing in [Framing::Lines, Framing::Quoted(b',')] {
                let whole = cut_all(framing, bytes.as_bytes(), &[usize::MAX]);
                let cuts = cut_all(framing, bytes.as_bytes(), &sizes);
                if framing == Framing::Lines {
                    prop_assert!(cuts.iter().rev().skip(1).all(|(_, block, _)| block.ends_with(b"\n")));
                }
                prop_assert_eq!(joined(cuts), joined(whole));
            }
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_dropped_through_its_newline_in_bounded_memory() {
        let mut bytes = b"first\n".to_vec();
        bytes.resize(bytes.len() + 3 * MAX_RECORD, b'x');
        bytes.extend_from_slice(b"\nlast");
        let cuts = cut_all(Framing::Lines, &bytes, &[100_000]);
        assert_eq!(cuts.len(), 3);
        assert_eq!((cuts[0].0, cuts[0].1.as_slice(), cuts[0].2), (0, &b"first\n"[..], false));
        assert_eq!((cuts[1].0, cuts[1].1.len(), cuts[1].2), (6, MAX_RECORD, true));
        assert_eq!((cuts[2].0, cuts[2].1.as_slice()), (6 + 3 * MAX_RECORD as u64 + 1, &b"last"[..]));
    }

    #[test]
    fn a_quoted_newline_ends_no_record() {
        let bytes = b"a,\"x\ny\"\nb,c\n";
        let cuts = cut_all(Framing::Quoted(b','), bytes, &[5, 4, 100]);
        assert_eq!(cuts.iter().map(|c| c.0).collect::<Vec<_>>(), [0, 8]);
    }
}
