//! Blocks: 128 entries, ids as packed gaps and counts packed beside them.

use bitpacking::{BitPacker, BitPacker4x};

use super::ceiling::ceiling;

/// Entries in a block.
pub const BLOCK: usize = BitPacker4x::BLOCK_LEN;

/// What the directory says of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its first id.
    pub first: u32,
    /// The ceiling of its counts.
    pub ceiling: u16,
    /// Bits of a gap.
    pub id_bits: u8,
    /// Bits of a count.
    pub count_bits: u8,
}

/// Bytes of a block in the directory.
pub const INFO: usize = 8;

impl BlockInfo {
    /// The block's length in its page, in bytes.
    pub fn length(&self) -> usize {
        (usize::from(self.id_bits) + usize::from(self.count_bits)) * BLOCK / 8
    }

    /// As in the directory.
    pub fn to_bytes(self) -> [u8; INFO] {
        let [a, b, c, d] = self.first.to_le_bytes();
        let [e, f] = self.ceiling.to_le_bytes();
        [a, b, c, d, e, f, self.id_bits, self.count_bits]
    }

    /// Read from the directory; `None` when no block can be like this.
    pub fn from_bytes(bytes: [u8; INFO]) -> Option<Self> {
        let [a, b, c, d, e, f, id_bits, count_bits] = bytes;
        let (first, ceiling) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
        (id_bits <= 32 && count_bits <= 64).then_some(BlockInfo { first, ceiling, id_bits, count_bits })
    }
}

/// Packs and opens blocks with the instructions that this machine has.
#[derive(Clone, Copy)]
pub struct Packer(BitPacker4x);

/// An open block.
pub struct Entries {
    /// Ids, ascending.
    pub ids: [u32; BLOCK],
    /// The counts, less 1.
    below: [u32; BLOCK],
    high: [u32; BLOCK],
    wide: bool,
}

impl Default for Entries {
    fn default() -> Self {
        Entries { ids: [0; BLOCK], below: [0; BLOCK], high: [0; BLOCK], wide: false }
    }
}

impl Entries {
    /// The count of the entry `at`. Never 0; wraps only in bytes that nobody wrote.
    #[inline]
    pub fn count(&self, at: usize) -> u64 {
        let high = if self.wide { u64::from(self.high[at]) << 32 } else { 0 };
        (high | u64::from(self.below[at])).wrapping_add(1)
    }

    /// Whether counts may pass 2^32.
    pub fn is_wide(&self) -> bool {
        self.wide
    }

    /// The counts less 1, when they are not wide.
    pub fn below(&self) -> &[u32; BLOCK] {
        &self.below
    }
}

impl Default for Packer {
    fn default() -> Self {
        Packer(BitPacker4x::new())
    }
}

impl Packer {
    /// Packs 1 to 128 entries, ids ascending and counts above 0, at the end of `page`.
    pub fn pack(self, entries: &[(u32, u64)], page: &mut Vec<u8>) -> BlockInfo {
        let (first, last) = (entries[0].0, entries[entries.len() - 1].0);
        let (mut ids, mut low, mut high) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
        let mut highest = 0;
        for (at, &(id, count)) in entries.iter().enumerate() {
            let below = count - 1;
            (ids[at], low[at], high[at]) = (id, below as u32, (below >> 32) as u32);
            highest = highest.max(count);
        }
        (entries.len()..BLOCK).zip(1..).for_each(|(at, more)| ids[at] = last + more);
        let before = first.checked_sub(1);
        let id_bits = self.0.num_bits_strictly_sorted(before, &ids);
        let at = page.len();
        page.resize(at + usize::from(id_bits) * 16, 0);
        self.0.compress_strictly_sorted(before, &ids, &mut page[at..], id_bits);
        let (low_bits, high_bits) = match self.0.num_bits(&high) {
            0 => (self.0.num_bits(&low), 0),
            bits => (32, bits),
        };
        for (numbers, bits) in [(&low, low_bits), (&high, high_bits)] {
            let at = page.len();
            page.resize(at + usize::from(bits) * 16, 0);
            self.0.compress(numbers, &mut page[at..], bits);
        }
        BlockInfo { first, ceiling: ceiling(highest), id_bits, count_bits: low_bits + high_bits }
    }

    /// Opens a block whose bytes start `packed`, which must hold [`BlockInfo::length`] bytes.
    #[inline]
    pub fn open(self, info: BlockInfo, packed: &[u8], into: &mut Entries) {
        let (ids, counts) = packed.split_at(usize::from(info.id_bits) * 16);
        self.0.decompress_strictly_sorted(info.first.checked_sub(1), ids, &mut into.ids, info.id_bits);
        let low = info.count_bits.min(32);
        self.0.decompress(counts, &mut into.below, low);
        into.wide = info.count_bits > 32;
        if into.wide {
            self.0.decompress(&counts[512..], &mut into.high, info.count_bits - 32);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            first in prop_oneof![Just(0u32), any::<u32>().prop_map(|id| id >> 2)],
            entries in prop::collection::vec((1u32..1000, any::<u64>(), 0u32..64), 1..=BLOCK),
        ) {
            let mut id = first;
            let entries: Vec<(u32, u64)> = entries.iter().map(|&(gap, count, shift)| {
                id += gap;
                (id - 1, (count >> shift).max(1))
            }).collect();
            let mut page = vec![7; 3];
            let info = Packer::default().pack(&entries, &mut page);
            prop_assert_eq!(page.len(), 3 + info.length());
            prop_assert_eq!(BlockInfo::from_bytes(info.to_bytes()), Some(info));
            let mut opened = Entries::default();
            Packer::default().open(info, &page[3..], &mut opened);
            let back: Vec<_> = (0..entries.len()).map(|at| (opened.ids[at], opened.count(at))).collect();
            prop_assert_eq!(back, entries);
        }

        #[test]
        fn any_bytes_open(info in any::<[u8; 8]>(), packed in prop::collection::vec(any::<u8>(), 1536)) {
            if let Some(info) = BlockInfo::from_bytes(info) {
                let mut entries = Entries::default();
                Packer::default().open(info, &packed, &mut entries);
                let _ = (0..BLOCK).fold(0u64, |sum, at| sum.wrapping_add(entries.count(at)));
            }
        }
    }
}
