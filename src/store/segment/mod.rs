//! Segments: the counts of one window, immutable.

pub mod block;
pub mod ceiling;
mod encode;

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use block::{BLOCK, BlockInfo, Entries, INFO, Packer};
pub use encode::{encode, for_window, total};

use super::error::StoreError;

/// Bytes of the head.
const HEAD: usize = 64;
/// Blocks in a page.
const PAGE: usize = 256;
/// Segments up to this length are read at once.
const SMALL: u64 = 64 << 10;
const MAGIC: &[u8; 4] = b"hseg";

/// Where a segment is, and what the manifest says of it.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The pack.
    pub file: Arc<File>,
    /// Where it starts there.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The number of its keys.
    pub keys: u32,
    /// Its window's start.
    pub start: i64,
    /// Its window's length.
    pub window_length: i64,
    /// What people call it.
    pub name: String,
}

/// A segment with its directory in memory; its pages are read when they are first needed, and checked then. Safe to use
/// from many threads.
pub struct Segment {
    extent: Extent,
    last: u32,
    blocks: Vec<BlockInfo>,
    /// Where each block starts in its page.
    starts: Vec<u32>,
    pages: Vec<Page>,
    packer: Packer,
}

/// How much was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opened {
    /// Entries.
    pub entries: usize,
    /// Bytes of blocks.
    pub bytes: usize,
}

struct Page {
    offset: u64,
    length: usize,
    checksum: u32,
    bytes: OnceLock<Box<[u8]>>,
}

impl Segment {
    /// Reads head and directory and checks them.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the pack cannot be read, [`StoreError::Damaged`] when these are not the bytes written.
    pub fn load(extent: Extent) -> Result<Self, StoreError> {
        let blocks = (extent.keys as usize).div_ceil(BLOCK);
        let directory = blocks * INFO + blocks.div_ceil(PAGE) * 4;
        if extent.length < (HEAD + directory) as u64 {
            return Err(damaged(&extent, "length"));
        }
        let at_once = if extent.length <= SMALL { extent.length as usize } else { HEAD + directory };
        let bytes = read(&extent, extent.offset, at_once)?;
        let last = check_head(&extent, &bytes, directory)?;
        let (blocks, checksums) = bytes[HEAD..HEAD + directory].split_at(blocks * INFO);
        let blocks: Option<Vec<BlockInfo>> =
            blocks.as_chunks().0.iter().map(|info| BlockInfo::from_bytes(*info)).collect();
        let blocks = blocks.ok_or_else(|| damaged(&extent, "directory"))?;
        let checksums = checksums.as_chunks().0.iter().map(|sum| u32::from_le_bytes(*sum));
        let mut offset = extent.offset + (HEAD + directory) as u64;
        let (mut starts, mut pages) = (Vec::with_capacity(blocks.len()), Vec::new());
        for (page, checksum) in blocks.chunks(PAGE).zip(checksums) {
            let mut length = 0;
            for block in page {
                starts.push(length as u32);
                length += block.length();
            }
            pages.push(Page { offset, length, checksum, bytes: OnceLock::new() });
            offset += length as u64;
        }
        if offset != extent.offset + extent.length || !blocks.is_sorted_by(|a, b| a.first < b.first) {
            return Err(damaged(&extent, "directory"));
        }
        let segment = Segment { extent, last, blocks, starts, pages, packer: Packer::default() };
        if at_once as u64 == segment.extent.length {
            segment.pages.iter().try_for_each(|page| {
                let from = (page.offset - segment.extent.offset) as usize;
                segment.check(page, bytes[from..from + page.length].into()).map(drop)
            })?;
        }
        Ok(segment)
    }

    /// Its length on disk, and at most in memory too.
    pub fn length(&self) -> u64 {
        self.extent.length
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.extent.name
    }

    /// The number of its keys.
    pub fn keys(&self) -> u32 {
        self.extent.keys
    }

    /// An id that about half of its entries come before, 0 when it has few.
    pub(super) fn middle(&self) -> u32 {
        self.blocks.get(self.blocks.len() / 2).map_or(0, |block| block.first)
    }

    /// Adds to each stripe of `1 << shift` ids, from stripe 0, a number that no count of an id in it is above. Sums that
    /// do not fit become the highest number. O(blocks + stripes).
    pub fn add_ceilings(&self, shift: u32, stripes: &mut [u64]) {
        let mut add = |stripe: u32, height: u64| {
            if let Some(sum) = stripes.get_mut(stripe as usize) {
                *sum = sum.saturating_add(height);
            }
        };
        // The stripe being filled, the highest ceiling in it, and that of the block before.
        let (mut stripe, mut highest, mut before) = (0, 0, 0);
        for block in &self.blocks {
            let (next, height) = (block.first >> shift, ceiling::height(block.ceiling));
            if next != stripe {
                add(stripe, highest);
                (stripe + 1..next).for_each(|between| add(between, before));
                // The block before may reach into this stripe, unless this one starts it.
                highest = if block.first.trailing_zeros() >= shift { 0 } else { before };
                stripe = next;
            }
            highest = highest.max(height);
            before = height;
        }
        add(stripe, highest);
        (stripe + 1..=self.last >> shift).for_each(|rest| add(rest, before));
    }

    /// Calls `each` with the ids in a range, ascending, and their counts; what was opened for it.
    ///
    /// # Errors
    /// As for [`load`](Segment::load).
    #[inline]
    pub fn for_each_in(
        &self,
        ids: Range<u32>,
        entries: &mut Entries,
        mut each: impl FnMut(u32, u64),
    ) -> Result<Opened, StoreError> {
        let from = self.blocks.partition_point(|block| block.first <= ids.start).saturating_sub(1);
        let mut opened = Opened::default();
        for at in from..self.blocks.len() {
            let info = self.blocks[at];
            if info.first >= ids.end {
                break;
            }
            let page = self.page(at / PAGE)?;
            self.packer.open(info, &page[self.starts[at] as usize..][..info.length()], entries);
            let filled = (self.extent.keys as usize - at * BLOCK).min(BLOCK);
            opened.entries += filled;
            opened.bytes += info.length();
            let inside = &entries.ids[..filled];
            let first = if info.first >= ids.start { 0 } else { inside.partition_point(|&id| id < ids.start) };
            let end = if inside[filled - 1] < ids.end { filled } else { inside.partition_point(|&id| id < ids.end) };
            if entries.is_wide() {
                (first..end).for_each(|i| each(entries.ids[i], entries.count(i)));
            } else if first < end {
                let counts = entries.below()[first..end].iter().map(|&below| u64::from(below) + 1);
                entries.ids[first..end].iter().zip(counts).for_each(|(&id, count)| each(id, count));
            }
        }
        Ok(opened)
    }

    /// The count of an id, 0 when it has none.
    ///
    /// # Errors
    /// As for [`load`](Segment::load).
    pub fn count(&self, id: u32, entries: &mut Entries) -> Result<u64, StoreError> {
        let mut found = 0;
        self.for_each_in(id..id.saturating_add(1), entries, |_, count| found = count)?;
        Ok(found)
    }

    /// Reads and checks what was not read yet.
    ///
    /// # Errors
    /// As for [`load`](Segment::load).
    pub fn read_all(&self) -> Result<(), StoreError> {
        (0..self.pages.len()).try_for_each(|page| self.page(page).map(drop))
    }

    /// Its bytes on disk, all of them checked.
    ///
    /// # Errors
    /// As for [`load`](Segment::load).
    pub(super) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        self.read_all()?;
        read(&self.extent, self.extent.offset, self.extent.length as usize)
    }

    /// Ids and counts of all its keys.
    ///
    /// # Errors
    /// As for [`load`](Segment::load).
    pub(super) fn entries(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let mut entries = Vec::with_capacity(self.extent.keys as usize);
        self.for_each_in(0..u32::MAX, &mut Entries::default(), |id, count| entries.push((id, count)))?;
        Ok(entries)
    }

    #[inline]
    fn page(&self, at: usize) -> Result<&[u8], StoreError> {
        let page = &self.pages[at];
        match page.bytes.get() {
            Some(bytes) => Ok(bytes),
            None => self.check(page, read(&self.extent, page.offset, page.length)?.into()),
        }
    }

    #[cold]
    fn check<'a>(&self, page: &'a Page, bytes: Box<[u8]>) -> Result<&'a [u8], StoreError> {
        if crc32fast::hash(&bytes) != page.checksum {
            return Err(damaged(&self.extent, "page"));
        }
        Ok(page.bytes.get_or_init(|| bytes))
    }
}

fn read(extent: &Extent, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; length];
    match extent.file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        // Published bytes are there; where they are not, the file was cut.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(damaged(extent, "end")),
        Err(error) => Err(StoreError::Io { path: extent.name.clone(), error }),
    }
}

/// Checks head and directory against their checksums and the manifest; the last id.
fn check_head(extent: &Extent, bytes: &[u8], directory: usize) -> Result<u32, StoreError> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let time = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let is_head = bytes[..4] == *MAGIC && crc32fast::hash(&bytes[..60]) == word(60);
    let is_it = word(4) == extent.keys && time(8) == extent.start && time(16) == extent.window_length;
    if !is_head || !is_it {
        return Err(damaged(extent, "head"));
    }
    if crc32fast::hash(&bytes[HEAD..HEAD + directory]) != word(44) {
        return Err(damaged(extent, "directory"));
    }
    Ok(word(40))
}

fn damaged(extent: &Extent, what: &str) -> StoreError {
    StoreError::damaged(format!("the segment {} (its {what})", extent.name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    impl Segment {
        /// A segment with these entries, in a file of its own.
        pub(in crate::store) fn of(entries: &[(u32, u64)]) -> Self {
            let bytes = encode(60_000, 60_000, entries);
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 6).unwrap();
            Segment::load(Extent {
                file: Arc::new(file),
                offset: 6,
                length: bytes.len() as u64,
                keys: entries.len() as u32,
                start: 60_000,
                window_length: 60_000,
                name: "it".into(),
            })
            .unwrap()
        }
    }
}
