//! Records of the manifest.

/// Bytes of a record.
pub const RECORD: usize = 64;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// New keys.
    Keys(ChunkRecord),
    /// A window's counts.
    Segment(SegmentRecord),
    /// All windows of `level` that start before `start` are dropped.
    Floor {
        /// The level.
        level: u8,
        /// The first start that is kept.
        start: i64,
    },
}

/// Where a chunk of the dictionary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRecord {
    /// Where it starts.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The id of its first key.
    pub first: u32,
    /// How many keys it has.
    pub keys: u32,
    /// Its checksum.
    pub checksum: u32,
}

/// Where a window's counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRecord {
    /// The level of the window.
    pub level: u8,
    /// Whether late events are counted in.
    pub revised: bool,
    /// The window's start.
    pub start: i64,
    /// Where it starts in its pack.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// How often the pack was compacted.
    pub generation: u32,
    /// The number of keys.
    pub keys: u32,
    /// The total weight.
    pub total: u128,
}

impl Record {
    /// As in the manifest, at the given number.
    pub fn to_bytes(self, number: u64) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(8, &number.to_le_bytes());
        match self {
            Record::Keys(chunk) => {
                put(4, &[1]);
                put(16, &chunk.offset.to_le_bytes());
                put(24, &chunk.length.to_le_bytes());
                put(32, &chunk.first.to_le_bytes());
                put(36, &chunk.keys.to_le_bytes());
                put(40, &chunk.checksum.to_le_bytes());
            }
            Record::Segment(segment) => {
                put(4, &[2, segment.level, u8::from(segment.revised)]);
                put(16, &segment.start.to_le_bytes());
                put(24, &segment.offset.to_le_bytes());
                put(32, &segment.length.to_le_bytes());
                put(40, &segment.generation.to_le_bytes());
                put(44, &segment.keys.to_le_bytes());
                put(48, &segment.total.to_le_bytes());
            }
            Record::Floor { level, start } => {
                put(4, &[3, level]);
                put(16, &start.to_le_bytes());
            }
        }
        let checksum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Read back; `None` when these are not the bytes of a record of this number.
    pub fn from_bytes(bytes: &[u8; RECORD], number: u64) -> Option<Self> {
        if crc32fast::hash(&bytes[4..]) != u32_at(bytes, 0) || u64_at(bytes, 8) != number {
            return None;
        }
        match bytes[4] {
            1 => Some(Record::Keys(ChunkRecord {
                offset: u64_at(bytes, 16),
                length: u64_at(bytes, 24),
                first: u32_at(bytes, 32),
                keys: u32_at(bytes, 36),
                checksum: u32_at(bytes, 40),
            })),
            2 => Some(Record::Segment(SegmentRecord {
                level: bytes[5],
                revised: bytes[6] != 0,
                start: u64_at(bytes, 16) as i64,
                offset: u64_at(bytes, 24),
                length: u64_at(bytes, 32),
                generation: u32_at(bytes, 40),
                keys: u32_at(bytes, 44),
                total: u128::from(u64_at(bytes, 48)) | u128::from(u64_at(bytes, 56)) << 64,
            })),
            3 => Some(Record::Floor { level: bytes[5], start: u64_at(bytes, 16) as i64 }),
            _ => None,
        }
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store::manifest) fn records() -> Vec<Record> {
        vec![
            Record::Keys(ChunkRecord { offset: 1, length: 2, first: 3, keys: 4, checksum: 5 }),
            Record::Segment(SegmentRecord {
                level: 2,
                revised: true,
                start: -60_000,
                offset: 7,
                length: 8,
                generation: 9,
                keys: 10,
                total: u128::MAX - 1,
            }),
            Record::Floor { level: 1, start: i64::MIN },
        ]
    }

    #[test]
    fn records_come_back_at_their_number_alone() {
        for (number, record) in (0..).zip(records()) {
            let bytes = record.to_bytes(number);
            assert_eq!(Record::from_bytes(&bytes, number), Some(record));
            assert_eq!(Record::from_bytes(&bytes, number + 1), None);
            for bit in 0..RECORD * 8 {
                let mut flipped = bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::from_bytes(&flipped, number), None, "bit {bit}");
            }
        }
    }
}
