//! The writer's dictionary: ids for the keys of a window, new ones for new keys.

use std::cmp::Reverse;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitters_dataflows::pages::with_large_pages;

use super::catalog::Catalog;
use super::error::StoreError;
use super::index::{Index, Row};
use super::manifest::ChunkRecord;
use super::{keys, order, reader};

/// The most bytes of keys in a chunk, unless one key alone has more.
const CHUNK: usize = 1 << 20;
/// How many new keys are asked for together.
const GROUP: usize = 64;

/// Every key of the store in memory, and the file that they are appended to.
pub(super) struct Dictionary {
    /// Others may read it once no more entries are asked for.
    index: Arc<Index>,
    appended: Appended,
    /// How many entries the last window had.
    usual: usize,
}

/// The file.
struct Appended {
    path: PathBuf,
    file: Arc<File>,
    unsynced: bool,
}

impl Dictionary {
    /// Opens the dictionary of a store and reads what is published of it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub(super) fn open(dir: &Path, catalog: &Catalog) -> Result<Self, StoreError> {
        let path = dir.join(keys::NAME);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(StoreError::io(&path))?;
        let mut index = Index::new();
        reader::read_keys(dir, catalog, |key| match key {
            Some(key) => {
                if !index.id(key).1 {
                    index.push(key);
                }
            }
            None => index.push(b""),
        })?;
        Ok(Dictionary {
            index: Arc::new(index),
            appended: Appended { path, file: Arc::new(file), unsynced: false },
            usual: 0,
        })
    }

    /// The keys by id.
    pub(super) fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Ids, ascending, and counts above 0; new keys get their ids, by count descending, then bytes, and are appended from
    /// the byte `end` of the file on. What is appended goes to `chunks`.
    ///
    /// # Errors
    /// [`StoreError`] when a sum of counts does not fit, ids are used up, or the file cannot be written.
    ///
    /// # Panics
    /// When somebody else holds the index.
    pub(super) fn entries<'k>(
        &mut self,
        counts: impl Iterator<Item = (&'k [u8], u64)>,
        end: u64,
        chunks: &mut Vec<ChunkRecord>,
    ) -> Result<Vec<(u32, u64)>, StoreError> {
        // Windows that follow each other have about as many keys.
        let (mut entries, mut new) = (with_large_pages(self.usual + self.usual / 8), Vec::new());
        self.index.find_all(counts.filter(|(_, count)| *count > 0), |row, id| match id {
            Some(id) => entries.push((id, row.count)),
            None => new.push(row),
        });
        self.add(&new, end, &mut entries, chunks)?;
        self.usual = entries.len();
        order::sort_by_id(&mut entries);
        order::merge_equal(&mut entries, |id| self.index.key(id).to_vec())?;
        Ok(entries)
    }

    fn add(
        &mut self,
        new: &[Row<'_>],
        end: u64,
        entries: &mut Vec<(u32, u64)>,
        chunks: &mut Vec<ChunkRecord>,
    ) -> Result<(), StoreError> {
        let Dictionary { index, appended, .. } = self;
        let index = Arc::get_mut(index).expect("nobody else holds the index while keys are added");
        if new.len() > (keys::MOST - index.len()) as usize {
            return Err(StoreError::Full { dir: appended.dir(), most: keys::MOST });
        }
        let mut chunk = Chunk { offset: end, first: index.len(), bytes: Vec::new() };
        entries.reserve(new.len());
        let new = in_order(new);
        for (at, row) in new.iter().enumerate() {
            if at.is_multiple_of(GROUP) {
                index.ask(&new[at..new.len().min(at + GROUP)]);
            }
            if !chunk.bytes.is_empty() && chunk.bytes.len() + row.key.len() > CHUNK {
                chunks.push(appended.append(&mut chunk, index.len())?);
            }
            // A key that was given twice got its id a moment ago.
            let (id, is_new) = index.id_of(row.key, row.tag);
            if is_new {
                keys::append(row.key, &mut chunk.bytes);
            }
            entries.push((id, row.count));
        }
        if !chunk.bytes.is_empty() {
            chunks.push(appended.append(&mut chunk, index.len())?);
        }
        Ok(())
    }

    /// The file, if what was appended to it is not on disk for certain.
    pub(super) fn unsynced(&self) -> Option<(Arc<File>, PathBuf)> {
        self.appended.unsynced.then(|| (self.appended.file.clone(), self.appended.path.clone()))
    }

    /// What was [`unsynced`](Dictionary::unsynced) is on disk.
    pub(super) fn synced(&mut self) {
        self.appended.unsynced = false;
    }
}

impl Appended {
    fn dir(&self) -> String {
        self.path.parent().unwrap_or(&self.path).display().to_string()
    }

    /// Appends a chunk that ends before the id `next`, with which the next chunk begins.
    fn append(&mut self, chunk: &mut Chunk, next: u32) -> Result<ChunkRecord, StoreError> {
        let Chunk { offset, first, bytes } = std::mem::take(chunk);
        self.file.write_all_at(&bytes, offset).map_err(StoreError::io(&self.path))?;
        self.unsynced = true;
        let length = bytes.len() as u64;
        *chunk = Chunk { offset: offset + length, first: next, bytes: Vec::new() };
        Ok(ChunkRecord { offset, length, first, keys: next - first, checksum: crc32fast::hash(&bytes) })
    }
}

/// A chunk that is being filled.
#[derive(Default)]
struct Chunk {
    offset: u64,
    first: u32,
    bytes: Vec<u8>,
}

/// The highest number of 7 bytes.
const HIGHEST: u64 = (1 << 56) - 1;

/// Rows by count descending, then key bytes. Most comparisons are settled by one number: of a byte for counts up to 254 and
/// the 7 bytes after those that all keys have in common, or of a higher count alone.
fn in_order<'k>(rows: &[Row<'k>]) -> Vec<Row<'k>> {
    let common = common_bytes(rows);
    let number = |row: &Row<'_>| match row.count {
        0..255 => (255 - row.count) << 56 | first_bytes(&row.key[common..]) >> 8,
        _ => HIGHEST - row.count.min(HIGHEST),
    };
    let mut order: Vec<(u64, u32)> = rows.iter().map(number).zip(0..).collect();
    order.sort_unstable_by_key(|(number, _)| *number);
    let row = |at: u32| rows[at as usize];
    for equal in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        equal.sort_unstable_by_key(|(_, at)| (Reverse(row(*at).count), row(*at).key));
    }
    order.into_iter().map(|(_, at)| row(at)).collect()
}

/// How many bytes all keys begin with alike.
fn common_bytes(rows: &[Row<'_>]) -> usize {
    let Some((first, others)) = rows.split_first() else { return 0 };
    let alike = |key: &[u8], most: usize| first.key[..most].iter().zip(key).take_while(|(a, b)| a == b).count();
    others.iter().fold(first.key.len(), |common, row| alike(row.key, common))
}

/// The first 8 bytes, zeros where there are none: they compare as the bytes do, or are equal.
fn first_bytes(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_in_order_of_counts_and_then_of_keys(
            common in "[a-c]{0,9}",
            rows in prop::collection::vec((prop_oneof![1u64..4, 250u64..260, any::<u64>()], "[a-c]{0,12}"), 0..300),
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(count, key)| (count, common.clone() + &key)).collect();
            let row = |(count, key): &'_ (u64, String)| (Reverse(*count), key.clone().into_bytes());
            let mut expected: Vec<_> = rows.iter().map(row).collect();
            expected.sort_unstable();
            let given: Vec<_> =
                rows.iter().map(|(count, key)| Row { key: key.as_bytes(), count: *count, tag: 0 }).collect();
            let ordered: Vec<_> = in_order(&given).iter().map(|row| (Reverse(row.count), row.key.to_vec())).collect();
            prop_assert_eq!(ordered, expected);
        }
    }
}
