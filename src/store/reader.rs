//! Reading a store: what is published, also while another process writes.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use super::cache::Cache;
use super::catalog::Catalog;
use super::error::StoreError;
use super::keys::{self, Keys};
use super::level::Levels;
use super::manifest::{self, HEADER, SegmentRecord};
use super::pack::Pack;
use super::part::Part;
use super::segment::{Extent, Segment};
use crate::sink::time::Rfc3339;

/// A manifest that was read.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) finest: i64,
    pub(super) catalog: Catalog,
    pub(super) end: u64,
    pub(super) damaged_slots: usize,
}

impl Opened {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(manifest::NAME);
        let file = File::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::Missing { dir: dir.display().to_string() },
            _ => StoreError::io(&path)(error),
        })?;
        let (finest, part) = manifest::read_header(&file, dir)?;
        let mut catalog = Catalog::new(Levels::over(finest)?, part);
        let contents = manifest::read_records(&file, &path, HEADER as u64)?;
        catalog.read(&contents);
        Ok(Opened { file, finest, catalog, end: contents.end, damaged_slots: contents.damaged_slots })
    }
}

/// Which keys the store in `dir` is of; `None` when there is none.
///
/// # Errors
/// [`StoreError`] when it is of another version or number of shards, or cannot be read.
pub fn part(dir: &Path) -> Result<Option<Part>, StoreError> {
    match File::open(dir.join(manifest::NAME)) {
        Ok(file) => Ok(Some(manifest::read_header(&file, dir)?.1)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(&dir.join(manifest::NAME))(error)),
    }
}

/// A store to read from, any number of times and from any number of threads. It holds on to what it read, so that later
/// questions are answered from memory; nothing it does is seen by the writer.
pub struct Store {
    dir: PathBuf,
    state: RwLock<State>,
    keys: Keys,
    packs: Mutex<HashMap<Pack, Arc<File>>>,
    cache: Cache,
}

struct State {
    manifest: File,
    end: u64,
    catalog: Arc<Catalog>,
}

impl Store {
    /// Opens the store in `dir`; segments that were read take up to `memory` bytes.
    ///
    /// # Errors
    /// [`StoreError`] when there is none, it is of another version or number of shards, or cannot be read.
    pub fn open(dir: &Path, memory: u64) -> Result<Self, StoreError> {
        let Opened { file: manifest, catalog, end, .. } = Opened::open(dir)?;
        let state = State { manifest, end, catalog: Arc::new(catalog) };
        Ok(Store {
            dir: dir.into(),
            state: RwLock::new(state),
            keys: Keys::open(dir.join(keys::NAME))?,
            packs: Mutex::default(),
            cache: Cache::new(memory),
        })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is published now.
    ///
    /// # Errors
    /// [`StoreError`] when the manifest cannot be read.
    ///
    /// # Panics
    /// When another thread panicked while it read the manifest.
    pub fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let path = self.dir.join(manifest::NAME);
        {
            let state = self.state.read().expect("no one panics while reading the manifest");
            let now = std::fs::metadata(&path).map_err(StoreError::io(&path))?;
            let open = state.manifest.metadata().map_err(StoreError::io(&path))?;
            if now.ino() == open.ino() && now.len() <= state.end {
                return Ok(state.catalog.clone());
            }
        }
        let mut state = self.state.write().expect("no one panics while reading the manifest");
        let now = std::fs::metadata(&path).map_err(StoreError::io(&path))?;
        if now.ino() != state.manifest.metadata().map_err(StoreError::io(&path))?.ino() {
            // Compaction put another one in its place.
            let opened = Opened::open(&self.dir)?;
            *state = State { manifest: opened.file, end: opened.end, catalog: Arc::new(opened.catalog) };
            self.packs.lock().expect("no one panics while opening packs").clear();
        } else {
            let contents = manifest::read_records(&state.manifest, &path, state.end)?;
            if contents.end > state.end {
                Arc::make_mut(&mut state.catalog).read(&contents);
                state.end = contents.end;
                self.let_go(&state.catalog);
            }
        }
        Ok(state.catalog.clone())
    }

    /// The segment that a record of `catalog` tells of.
    ///
    /// # Errors
    /// [`StoreError::Io`] when its pack cannot be read, or is gone because it expired or was compacted;
    /// [`StoreError::Damaged`] when its bytes are not those that were written.
    ///
    /// # Panics
    /// When another thread panicked while it opened a pack.
    pub fn segment(&self, catalog: &Catalog, record: &SegmentRecord) -> Result<Arc<Segment>, StoreError> {
        let pack = catalog.pack(record);
        self.cache.get((pack, record.offset), || Segment::load(extent(catalog, record, self.file(catalog, pack)?)))
    }

    /// As [`segment`](Store::segment), for one use: it is not held on to. One that moved meanwhile is found where it is now.
    pub(super) fn segment_once(&self, catalog: &Catalog, record: &SegmentRecord) -> Result<Segment, StoreError> {
        let load = |catalog: &Catalog, record: &SegmentRecord| {
            Segment::load(extent(catalog, record, self.file(catalog, catalog.pack(record))?))
        };
        let now = match load(catalog, record) {
            Err(error) if error.is_gone() => self.catalog()?,
            loaded => return loaded,
        };
        let moved = now.window(record.level.into(), record.start).filter(|moved| moved.generation > record.generation);
        load(&now, moved.unwrap_or(record))
    }

    /// Lets go of packs that are there no more.
    fn let_go(&self, catalog: &Catalog) {
        let gone = |pack: &Pack| catalog.is_moved(pack) || catalog.is_expired(pack);
        let packs = &mut *self.packs.lock().expect("no one panics while opening packs");
        let before = packs.len();
        packs.retain(|pack, _| !gone(pack));
        if packs.len() < before {
            self.cache.drop_packs(gone);
        }
    }

    /// A pack's file, opened once.
    fn file(&self, catalog: &Catalog, pack: Pack) -> Result<Arc<File>, StoreError> {
        let packs = &mut *self.packs.lock().expect("no one panics while opening packs");
        if let Some(file) = packs.get(&pack) {
            return Ok(file.clone());
        }
        let path = pack.path(&self.dir, catalog.levels());
        let file = Arc::new(File::open(&path).map_err(StoreError::io(&path))?);
        Ok(packs.entry(pack).or_insert(file).clone())
    }

    /// The dictionary.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// Where a segment is, in a pack that is open.
pub(super) fn extent(catalog: &Catalog, record: &SegmentRecord, file: Arc<File>) -> Extent {
    let level = usize::from(record.level);
    Extent {
        file,
        offset: record.offset,
        length: record.length,
        keys: record.keys,
        start: record.start,
        window_length: catalog.levels().length(level),
        name: name(catalog, record),
    }
}

/// What people call a segment: `of 1m from 2026-01-01T10:07:00Z`.
pub fn name(catalog: &Catalog, record: &SegmentRecord) -> String {
    format!("of {} from {}", catalog.levels().name(record.level.into()), Rfc3339(record.start))
}

/// Calls `each` with every key by id; `None` where it is not known.
pub(super) fn read_keys(dir: &Path, catalog: &Catalog, mut each: impl FnMut(Option<&[u8]>)) -> Result<(), StoreError> {
    let keys = Keys::open(dir.join(keys::NAME))?;
    keys.for_each(catalog, 0..catalog.keys(), |_, key| each(key))
}
