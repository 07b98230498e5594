//! The header of the manifest: what kind of store it is, and how much of it was once on disk for certain.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hitters_dataflows::shard::SHARDS;

use super::NAME;
use super::record::{u32_at, u64_at};
use crate::store::error::StoreError;
use crate::store::part::Part;

/// The version of the format.
pub const VERSION: u32 = 1;
/// Bytes of the header.
pub const HEADER: usize = 96;

const MAGIC: &[u8; 8] = b"hitters\0";
const SLOTS: [usize; 2] = [64, 80];

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

/// What each slot says, if it is what was written.
pub(super) fn read_slots(file: &File) -> io::Result<[Option<u64>; 2]> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    Ok(SLOTS.map(|at| {
        let certain = u64_at(&header, at);
        (header[at..at + 16] == slot(certain)).then_some(certain)
    }))
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
