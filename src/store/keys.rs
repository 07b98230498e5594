//! The dictionary: keys by id, in chunks.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{OnceLock, RwLock};

use super::catalog::Catalog;
use super::error::StoreError;
use super::lookup::Lookup;
use super::manifest::ChunkRecord;

/// The file's name.
pub const NAME: &str = "keys";
/// The most keys: blocks are filled up with ids above the last, which must be ids too.
pub const MOST: u32 = u32::MAX - 256;
/// Small chunks are read together, about this many bytes at a time.
const SPAN: u64 = 64 << 10;

/// Appends a key as in a chunk.
pub fn append(key: &[u8], chunk: &mut Vec<u8>) {
    let mut length = key.len();
    while length >= 0x80 {
        chunk.push(length as u8 | 0x80);
        length >>= 7;
    }
    chunk.push(length as u8);
    chunk.extend_from_slice(key);
}

/// The key at the start of `bytes`, and what follows it.
fn split_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    for (at, &byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return bytes[at + 1..].split_at_checked(length);
        }
    }
    None
}

/// Calls `each` with every key of a chunk; `None` when these are not the bytes of so many keys.
fn for_each_key<'a>(bytes: &'a [u8], keys: u32, mut each: impl FnMut(&'a [u8])) -> Option<()> {
    let mut rest = bytes;
    for _ in 0..keys {
        let (key, after) = split_key(rest)?;
        each(key);
        rest = after;
    }
    rest.is_empty().then_some(())
}

/// Successive chunks that are read together, when one of their keys is wanted.
#[derive(Default)]
struct Span {
    chunks: Vec<ChunkRecord>,
    /// Their bytes.
    length: u64,
    loaded: OnceLock<Loaded>,
}

#[derive(Default)]
struct Loaded {
    bytes: Vec<u8>,
    /// For every id from the span's first: where its key starts in `bytes`, and where it ends. Equal numbers above the
    /// length of `bytes` for a key that is not known.
    places: Vec<(u32, u32)>,
    damaged: Option<String>,
}

/// A key that is not known, because the chunk that held it is damaged.
const UNKNOWN: (u32, u32) = (u32::MAX, u32::MAX);

/// The dictionary of a store, read when it is needed and then kept. Memory: that of the keys that were near wanted ones.
pub struct Keys {
    path: PathBuf,
    file: File,
    spans: RwLock<Spans>,
}

#[derive(Default)]
struct Spans {
    spans: Vec<Span>,
    chunks: usize,
}

impl Keys {
    /// The dictionary in a file.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be opened.
    pub fn open(path: PathBuf) -> Result<Self, StoreError> {
        let file = File::open(&path).map_err(StoreError::io(&path))?;
        Ok(Keys { path, file, spans: RwLock::default() })
    }

    /// Calls `each` with each of these ids, which ascend, and its key; `None` for those whose chunk is damaged or that
    /// are in none.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be read.
    ///
    /// # Panics
    /// When another thread panicked while it read keys.
    pub fn for_each(
        &self,
        catalog: &Catalog,
        ids: impl Iterator<Item = u32>,
        mut each: impl FnMut(u32, Option<&[u8]>),
    ) -> Result<(), StoreError> {
        self.extend(catalog);
        let spans = self.spans.read().expect("no one panics while reading keys");
        let mut current: Option<&Span> = None;
        for id in ids {
            let holds = |span: &Span| span.first() <= id && id < span.end();
            if !current.is_some_and(holds) {
                let after = spans.spans.partition_point(|span| span.first() <= id);
                current = after.checked_sub(1).map(|at| &spans.spans[at]).filter(|span| holds(span));
            }
            match current {
                None => each(id, None),
                Some(span) => {
                    let loaded = self.loaded(span)?;
                    let (from, to) = loaded.places[(id - span.first()) as usize];
                    each(id, loaded.bytes.get(from as usize..to as usize));
                }
            }
        }
        Ok(())
    }

    /// The id of a key, as [`find_all`](Keys::find_all) finds it.
    ///
    /// # Errors
    /// As for [`Keys::for_each`].
    pub fn find(&self, catalog: &Catalog, wanted: &[u8]) -> Result<Option<u32>, StoreError> {
        Ok(self.find_all(catalog, &HashSet::from([wanted]))?.get(wanted).copied())
    }

    /// The ids of some keys, of those that have one. With a lookup (`keys.lookup`) it reads some pages for each, and the chunks
    /// that are newer; without, the whole dictionary: O(keys).
    ///
    /// # Errors
    /// As for [`Keys::for_each`].
    pub fn find_all<'k>(
        &self,
        catalog: &Catalog,
        wanted: &HashSet<&'k [u8]>,
    ) -> Result<HashMap<&'k [u8], u32>, StoreError> {
        let lookup = self.path.parent().and_then(|dir| Lookup::open(dir, catalog));
        let places = lookup.as_ref().and_then(|lookup| {
            let places = wanted.iter().map(|key| lookup.places(key)).collect::<Option<Vec<_>>>()?;
            let newer = lookup.keys()..catalog.keys();
            let mut ids: Vec<u32> = places.into_iter().flatten().filter(|id| *id < newer.start).collect();
            ids.sort_unstable();
            Some((ids, newer))
        });
        let (ids, newer) = places.unwrap_or((Vec::new(), 0..catalog.keys()));
        let mut found = HashMap::new();
        self.for_each(catalog, ids.into_iter().chain(newer), |id, key| {
            if let Some(key) = key.and_then(|key| wanted.get(key)) {
                found.insert(*key, id);
            }
        })?;
        Ok(found)
    }

    /// What of the dictionary was found to be damaged, among what was read.
    ///
    /// # Panics
    /// When another thread panicked while it read keys.
    pub fn damaged(&self) -> Vec<String> {
        let spans = self.spans.read().expect("no one panics while reading keys");
        spans.spans.iter().filter_map(|span| span.loaded.get()?.damaged.clone()).collect()
    }

    /// Takes in the chunks that are new in `catalog`.
    fn extend(&self, catalog: &Catalog) {
        let chunks = catalog.chunks();
        if self.spans.read().expect("no one panics while reading keys").chunks >= chunks.len() {
            return;
        }
        let mut spans = self.spans.write().expect("no one panics while reading keys");
        let known = spans.chunks.min(chunks.len());
        for chunk in &chunks[known..] {
            // A span that was read stays as it is.
            match spans.spans.last_mut().filter(|span| span.loaded.get().is_none() && span.length < SPAN) {
                Some(span) => span.push(*chunk),
                None => {
                    let mut span = Span::default();
                    span.push(*chunk);
                    spans.spans.push(span);
                }
            }
        }
        spans.chunks = spans.chunks.max(chunks.len());
    }

    fn loaded<'a>(&self, span: &'a Span) -> Result<&'a Loaded, StoreError> {
        match span.loaded.get() {
            Some(loaded) => Ok(loaded),
            None => {
                let loaded = self.load(span)?;
                Ok(span.loaded.get_or_init(|| loaded))
            }
        }
    }

    #[cold]
    fn load(&self, span: &Span) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for chunk in &span.chunks {
            let unknown = (chunk.first - span.first()) as usize;
            loaded.places.resize(unknown, UNKNOWN);
            let at = loaded.bytes.len();
            let whole = read_chunk(&self.file, chunk, &mut loaded.bytes).map_err(StoreError::io(&self.path))?;
            let base = loaded.bytes.as_ptr() as usize;
            let mut places = Vec::with_capacity(chunk.keys as usize);
            let read = whole && loaded.bytes.len() <= u32::MAX as usize;
            let read = read.then(|| {
                for_each_key(&loaded.bytes[at..], chunk.keys, |key| {
                    let from = key.as_ptr() as usize - base;
                    places.push((from as u32, (from + key.len()) as u32));
                })
            });
            if read.flatten().is_none() {
                places = vec![UNKNOWN; chunk.keys as usize];
                loaded.damaged = Some(format!("{} (a chunk of keys at byte {})", self.path.display(), chunk.offset));
            }
            loaded.places.append(&mut places);
        }
        Ok(loaded)
    }
}

impl Span {
    fn first(&self) -> u32 {
        self.chunks[0].first
    }

    fn end(&self) -> u32 {
        self.chunks.last().map_or(0, |chunk| chunk.first + chunk.keys)
    }

    fn push(&mut self, chunk: ChunkRecord) {
        self.length = self.length.saturating_add(chunk.length);
        self.chunks.push(chunk);
    }
}

/// Reads a chunk to the end of `bytes`; whether it is what was written. One that is not leaves nothing there.
fn read_chunk(file: &File, chunk: &ChunkRecord, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    let at = bytes.len();
    let there = file.metadata()?.len();
    // The length is believed only as far as the file goes, so that it cannot ask for any memory.
    if chunk.offset.checked_add(chunk.length).is_none_or(|end| end > there) || u64::from(chunk.keys) > chunk.length {
        return Ok(false);
    }
    bytes.resize(at + chunk.length as usize, 0);
    file.read_exact_at(&mut bytes[at..], chunk.offset)?;
    let whole = crc32fast::hash(&bytes[at..]) == chunk.checksum;
    if !whole {
        bytes.truncate(at);
    }
    Ok(whole)
}
