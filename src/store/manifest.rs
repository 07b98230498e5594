//! The manifest: the file that says what is published. Its layout is in [`super`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::StoreError;
use super::part::Part;
use hitters_dataflows::shard::SHARDS;

/// The version of the format.
pub const VERSION: u32 = 1;
/// The file's name.
pub const NAME: &str = "manifest";
/// Bytes of the header.
pub const HEADER: usize = 96;
/// Bytes of a record.
pub const RECORD: usize = 64;

const MAGIC: &[u8; 8] = b"hitters\0";
const SLOTS: [usize; 2] = [64, 80];
/// How many records are read at a time.
const BATCH: usize = 4096;

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

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// The bytes of a header for windows of `finest` milliseconds, when `certain` bytes of records are on disk.
pub fn header(finest: i64, part: &Part, certain: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&(SHARDS as u32).to_le_bytes());
    bytes[16..24].copy_from_slice(&finest.to_le_bytes());
    bytes[24..28].copy_from_slice(&part.number.to_le_bytes());
    bytes[28..32].copy_from_slice(&part.of.to_le_bytes());
    bytes[32..36].copy_from_slice(&part.workers.to_le_bytes());
    bytes[40..48].copy_from_slice(&part.seed.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..56]);
    bytes[56..60].copy_from_slice(&checksum.to_le_bytes());
    SLOTS.iter().for_each(|&at| bytes[at..at + 16].copy_from_slice(&slot(certain)));
    bytes
}

fn slot(certain: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&certain.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..8]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Writes down, in one of the two slots or both, how many bytes of records are on disk.
///
/// # Errors
/// What the system says.
pub fn write_slots(file: &File, which: &[usize], certain: u64) -> io::Result<()> {
    which.iter().try_for_each(|&which| file.write_all_at(&slot(certain), SLOTS[which % 2] as u64))
}

/// What a manifest says, as far as it could be read.
#[derive(Debug, Default)]
pub struct Contents {
    /// Records, in order.
    pub records: Vec<Record>,
    /// The numbers of damaged records.
    pub damaged: Vec<u64>,
    /// Bytes up to the end of the last record that counts.
    pub end: u64,
    /// The slots that are not what was written.
    pub damaged_slots: usize,
}

/// Reads and checks the header; the length of the finest windows, and which keys they are of.
///
/// # Errors
/// [`StoreError`] when it cannot be read, is damaged, or is of another version or number of shards.
pub fn read_header(file: &File, dir: &Path) -> Result<(i64, Part), StoreError> {
    let path = dir.join(NAME);
    let mut bytes = [0; HEADER];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(StoreError::damaged(format!("{} (its header)", path.display())));
        }
        Err(error) => return Err(StoreError::io(&path)(error)),
    }
    let dir = dir.display().to_string();
    let (version, shards) = (u32_at(&bytes, 8), u32_at(&bytes, 12));
    if bytes[..8] != *MAGIC
        || (version == VERSION && (crc32fast::hash(&bytes[..56]), 0) != (u32_at(&bytes, 56), u32_at(&bytes, 60)))
    {
        return Err(StoreError::damaged(format!("{} (its header)", path.display())));
    }
    if version != VERSION {
        return Err(StoreError::Version { dir, found: version, known: VERSION });
    }
    if u64::from(shards) != SHARDS {
        return Err(StoreError::Shards { dir, found: shards, known: SHARDS as u32 });
    }
    let part = Part {
        number: u32_at(&bytes, 24),
        of: u32_at(&bytes, 28),
        workers: u32_at(&bytes, 32),
        seed: u64_at(&bytes, 40),
    };
    if !part.is_sound() {
        return Err(StoreError::damaged(format!("{} (its header)", path.display())));
    }
    Ok((u64_at(&bytes, 16) as i64, part))
}

/// Reads the records from the byte `from` on.
///
/// # Errors
/// [`StoreError::Io`] when the file cannot be read.
pub fn read_records(file: &File, path: &Path, from: u64) -> Result<Contents, StoreError> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0).map_err(StoreError::io(path))?;
    let slots = SLOTS.map(|at| {
        let certain = u64_at(&header, at);
        (header[at..at + 16] == slot(certain)).then_some(certain)
    });
    let certain = HEADER as u64 + slots.iter().flatten().max().copied().unwrap_or(0);
    let mut contents = Contents { end: from, ..Contents::default() };
    contents.damaged_slots = slots.iter().filter(|slot| slot.is_none()).count();
    let (mut at, mut unsure) = (from, Vec::new());
    let mut batch = vec![0; BATCH * RECORD];
    loop {
        let length = read_up_to(file, &mut batch, at).map_err(StoreError::io(path))?;
        for bytes in batch[..length].as_chunks().0 {
            let number = (at - HEADER as u64) / RECORD as u64;
            at += RECORD as u64;
            match Record::from_bytes(bytes, number) {
                Some(record) => {
                    contents.records.push(record);
                    contents.damaged.append(&mut unsure);
                    contents.end = at;
                }
                None => unsure.push(number),
            }
        }
        if length < batch.len() {
            break;
        }
    }
    // What is missing at the end counts as damage only where it was once on disk for certain.
    let records = (certain - HEADER as u64) / RECORD as u64;
    let next = (contents.end - HEADER as u64) / RECORD as u64;
    if records > next {
        contents.damaged.extend(next..records);
    }
    contents.damaged.sort_unstable();
    contents.damaged.dedup();
    Ok(contents)
}

/// Fills `buffer` as far as the file goes.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
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

    fn manifest(certain: u64, change: impl Fn(&mut Vec<u8>)) -> Contents {
        let mut bytes = header(60_000, &Part::WHOLE, certain).to_vec();
        (0..).zip(records()).for_each(|(number, record)| bytes.extend(record.to_bytes(number)));
        change(&mut bytes);
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        read_records(&file, Path::new("it"), HEADER as u64).unwrap()
    }

    #[test]
    fn a_torn_end_does_not_count_and_a_damaged_record_does() {
        let whole = manifest(3 * 64, |_| ());
        assert_eq!((whole.records.as_slice(), whole.damaged.len(), whole.end), (&records()[..], 0, 96 + 192));
        let torn = manifest(2 * 64, |bytes| bytes.truncate(96 + 140));
        assert_eq!((torn.records.len(), torn.damaged.len(), torn.end), (2, 0, 96 + 128));
        let cut = manifest(3 * 64, |bytes| bytes.truncate(96 + 140));
        assert_eq!((cut.records.len(), cut.damaged), (2, vec![2]));
        let flipped = manifest(3 * 64, |bytes| bytes[96 + 70] ^= 1);
        assert_eq!((flipped.records.len(), flipped.damaged), (2, vec![1]));
        let last = manifest(3 * 64, |bytes| bytes[96 + 130] ^= 1);
        assert_eq!((last.records.len(), last.damaged), (2, vec![2]));
        let slot = manifest(3 * 64, |bytes| bytes[66] ^= 1);
        assert_eq!((slot.records.len(), slot.damaged_slots), (3, 1));
    }
}
