//! From keys to ids on disk, for readers that ask about a few: a file beside the dictionary, made of it by the writer when it
//! is done, so that looking a key up takes some pages and not all keys.
//!
//! It holds nothing that is not in the dictionary. Where it is missing, damaged, or of another dictionary, keys are looked
//! for in all chunks; those that were added since are looked for in theirs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hitters_dataflows::pages::with_large_pages;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

use super::catalog::Catalog;
use super::directory::sync;
use super::error::StoreError;
use super::index::Index;
use super::manifest::ChunkRecord;
use super::order::sort_by_bits;

/// The file's name.
pub const NAME: &str = "keys.lookup";
const MAGIC: &[u8; 8] = b"hlookup\0";
const VERSION: u32 = 1;
/// Bytes of the head.
const HEAD: usize = 32;
/// Bytes of a page, and of its entries.
const PAGE: usize = 4096;
const ENTRIES: usize = PAGE - 8;
/// Fewer keys than this are as fast to look through.
const FEW: u32 = 1 << 12;
/// More places than this for one key are somebody's work: then all chunks are looked through.
const MOST_PLACES: usize = 1 << 10;

/// The lookup of a store, open.
pub(super) struct Lookup {
    file: File,
    /// Ids below this are in it.
    keys: u32,
}

impl Lookup {
    /// Opens the lookup of a directory, when there is one that belongs to the dictionary of `catalog`.
    pub(super) fn open(dir: &Path, catalog: &Catalog) -> Option<Self> {
        let file = File::open(dir.join(NAME)).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let keys = u32::from_le_bytes(head[12..16].try_into().expect("4 bytes"));
        let same = self::head(catalog.chunks(), keys)? == head;
        let pages = u64::from(keys).div_ceil((ENTRIES / 8) as u64);
        let length = file.metadata().ok()?.len();
        (same && length == HEAD as u64 + pages * PAGE as u64).then_some(Lookup { file, keys })
    }

    /// Ids below this are in it.
    pub(super) fn keys(&self) -> u32 {
        self.keys
    }

    /// The ids that a key may have, ascending; `None` when a page is damaged, or they are too many.
    pub(super) fn places(&self, key: &[u8]) -> Option<Vec<u32>> {
        let (hash, mut places) = (hash(key), Vec::new());
        let pages = self.keys.div_ceil((ENTRIES / 8) as u32);
        // Hashes are spread evenly, so the first page that may hold one is near where its share of all hashes ends.
        let mut page = ((u64::from(hash) * u64::from(pages)) >> 32) as u32;
        let mut entries = self.page(page)?;
        while page > 0 && entries.first().is_some_and(|first| first >> 32 >= u64::from(hash)) {
            page -= 1;
            entries = self.page(page)?;
        }
        loop {
            let from = entries.partition_point(|entry| entry >> 32 < u64::from(hash));
            let found = entries[from..].iter().take_while(|&&entry| entry >> 32 == u64::from(hash));
            places.extend(found.map(|&entry| entry as u32));
            page += 1;
            let is_over = entries.last().is_none_or(|last| last >> 32 > u64::from(hash)) || page >= pages;
            if is_over || places.len() > MOST_PLACES {
                return (places.len() <= MOST_PLACES).then_some(places);
            }
            entries = self.page(page)?;
        }
    }

    /// The entries of a page, if it is whole.
    fn page(&self, page: u32) -> Option<Vec<u64>> {
        let mut bytes = vec![0; PAGE];
        self.file.read_exact_at(&mut bytes, HEAD as u64 + u64::from(page) * PAGE as u64).ok()?;
        let (entries, checksum) = bytes.split_at(ENTRIES);
        if checksum != footer(entries) {
            return None;
        }
        let entries = entries.chunks_exact(8).map(|entry| u64::from_le_bytes(entry.try_into().expect("8 bytes")));
        Some(entries.take_while(|entry| *entry != u64::MAX).collect())
    }
}

/// What is wrong with the lookup of a directory, if there is one and something is. O(bytes).
pub(super) fn check(dir: &Path, catalog: &Catalog) -> Option<String> {
    let path = dir.join(NAME);
    if !path.exists() {
        return None;
    }
    let damaged = || Some(format!("{} (it is made again by the next run with --store)", path.display()));
    let Some(lookup) = Lookup::open(dir, catalog) else { return damaged() };
    let pages = lookup.keys.div_ceil((ENTRIES / 8) as u32);
    (0..pages).any(|page| lookup.page(page).is_none()).then(damaged).flatten()
}

/// A lookup that is being made, by a thread of its own: O(keys), in 16 bytes a key.
pub(super) struct Making {
    dir: PathBuf,
    written: JoinHandle<io::Result<()>>,
}

impl Making {
    /// Begins to make the lookup of a directory whose keys are those of an index, unless it is there or there are few.
    ///
    /// # Errors
    /// [`StoreError::Io`] when there can be no more threads.
    pub(super) fn begin(dir: &Path, catalog: &Catalog, index: Arc<Index>) -> Result<Option<Self>, StoreError> {
        let keys = catalog.keys();
        let is_there =
            || Lookup::open(dir, catalog).is_some_and(|lookup| lookup.keys == keys) && check(dir, catalog).is_none();
        if keys < FEW || is_there() {
            return Ok(None);
        }
        let Some(head) = head(catalog.chunks(), keys) else { return Ok(None) };
        let path = unpublished(dir);
        let written = thread::Builder::new().name("lookup".into()).spawn(move || {
            let mut entries = with_large_pages(keys as usize);
            entries.extend((0..keys).map(|id| u64::from(hash(index.key(id))) << 32 | u64::from(id)));
            sort(&mut entries);
            write(&path, &head, &entries)
        });
        let written = written.map_err(StoreError::io(&dir.join(NAME)))?;
        Ok(Some(Making { dir: dir.into(), written }))
    }

    /// Puts it in its place, when the dictionary that it belongs to is published.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be written.
    ///
    /// # Panics
    /// When the thread did.
    pub(super) fn end(self) -> Result<(), StoreError> {
        let Making { dir, written } = self;
        let path = dir.join(NAME);
        let written = written.join().expect("hashing, sorting and writing do not panic");
        written
            .and_then(|()| fs::rename(unpublished(&dir), &path))
            .and_then(|()| sync(&dir))
            .map_err(StoreError::io(&path))
    }
}

/// Where a lookup is until the keys in it are published.
fn unpublished(dir: &Path) -> PathBuf {
    dir.join(format!("{NAME}.new"))
}

/// Sorts entries, whose hashes are spread evenly: by as many of their highest bits as leave few that are alike, then those.
fn sort(entries: &mut Vec<u64>) {
    let bits = if entries.len() < 1 << 22 { 22 } else { u32::BITS };
    let highest = |entry: &u64| (entry >> (u64::BITS - bits)) as u32;
    sort_by_bits(entries, bits, highest);
    let alike = entries.chunk_by_mut(|a, b| highest(a) == highest(b));
    alike.filter(|alike| alike.len() > 1).for_each(<[u64]>::sort_unstable);
}

fn write(path: &Path, head: &[u8], entries: &[u64]) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
    file.write_all(head)?;
    for page in entries.chunks(ENTRIES / 8) {
        let mut bytes = Vec::with_capacity(PAGE);
        bytes.extend(page.iter().flat_map(|entry| entry.to_le_bytes()));
        bytes.resize(ENTRIES, u8::MAX);
        let footer = footer(&bytes);
        bytes.extend(footer);
        file.write_all(&bytes)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
}

/// The head of the lookup of the first `keys` keys; `None` when no chunk ends with them.
fn head(chunks: &[ChunkRecord], keys: u32) -> Option<[u8; HEAD]> {
    let those = &chunks[..chunks.partition_point(|chunk| chunk.first < keys)];
    those.last().filter(|last| last.first.checked_add(last.keys) == Some(keys))?;
    let mut checksums = crc32fast::Hasher::new();
    those.iter().for_each(|chunk| checksums.update(&chunk.checksum.to_le_bytes()));
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    let fields = [VERSION, keys, those.len() as u32, checksums.finalize()];
    for (at, field) in (8..).step_by(4).zip(fields) {
        head[at..at + 4].copy_from_slice(&field.to_le_bytes());
    }
    let checksum = crc32fast::hash(&head[..HEAD - 4]);
    head[HEAD - 4..].copy_from_slice(&checksum.to_le_bytes());
    Some(head)
}

fn footer(entries: &[u8]) -> [u8; 8] {
    u64::from(crc32fast::hash(entries)).to_le_bytes()
}

/// Half of the hash of a key. Keys can be chosen that share it; then looking them up takes as long as without a lookup.
fn hash(key: &[u8]) -> u32 {
    const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0);
    (rapidhash_v3_micro_inline::<true, false>(key, &SECRETS) >> 32) as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn damaged_entries_are_never_believed() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<String> = (0..10_000).map(|i| format!("key-{}", i * 7)).collect();
        let mut entries: Vec<u64> =
            (0..).zip(&keys).map(|(id, key)| u64::from(hash(key.as_bytes())) << 32 | id).collect();
        sort(&mut entries);
        assert!(entries.is_sorted());
        let path = dir.path().join(NAME);
        write(&path, &[0; HEAD], &entries).unwrap();
        let open = || Lookup { file: File::open(&path).unwrap(), keys: 10_000 };
        for (id, key) in keys.iter().enumerate() {
            assert!(open().places(key.as_bytes()).unwrap().contains(&(id as u32)));
        }
        let others = (0..10_000).filter(|i| i % 7 > 0).map(|i| format!("key-{i}"));
        assert!(others.map(|key| open().places(key.as_bytes()).unwrap().len()).sum::<usize>() < 3);
        let whole = fs::read(&path).unwrap();
        for at in (HEAD..whole.len()).step_by(997) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, &bytes).unwrap();
            let (lookup, mut unknown) = (open(), 0);
            for (id, key) in keys.iter().enumerate().step_by(13) {
                match lookup.places(key.as_bytes()) {
                    Some(places) => assert!(places.contains(&(id as u32))),
                    None => unknown += 1,
                }
            }
            assert!(unknown > 0, "byte {at}");
        }
    }
}
