//! Writing a store: windows are put, then published together.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitters_dataflows::count::CountOverflow;
use hitters_dataflows::ranking::Window;

use super::best::Best;
use super::catalog::Catalog;
use super::error::StoreError;
use super::index::Index;
use super::level::{Levels, length_text};
use super::manifest::{self, ChunkRecord, HEADER, RECORD, Record, SegmentRecord};
use super::pack::Pack;
use super::part::Part;
use super::reader::{self, Opened};
use super::retain::Retention;
use super::rollup;
use super::segment::{Segment, encode, total};
use super::tables::Tables;
use super::{keys, tidy};

/// The most bytes of keys in a chunk, unless one key alone has more.
const CHUNK: usize = 1 << 20;

/// The one writer of a store. What is put is seen by readers after the next [`publish`](Writer::publish), and stays
/// through any crash from then on. Memory: every key of the store, about 24 bytes and its own.
pub struct Writer {
    dir: PathBuf,
    /// Held for as long as the writer lives.
    _lock: File,
    manifest: File,
    keys: File,
    catalog: Catalog,
    index: Index,
    /// What is put and not published.
    staged: Vec<u8>,
    /// Bytes of the manifest's records that are on disk for certain.
    certain: u64,
    publications: usize,
    packs: Vec<OpenPack>,
    /// Coarser windows to be built: what they are made of has changed.
    stale: BTreeSet<(usize, i64)>,
    /// The end of the latest window.
    latest: i64,
    retention: Retention,
    /// Floors rose; what is below them is removed when that is published.
    dropped: bool,
    tables: Option<Best>,
    failed: bool,
}

struct OpenPack {
    pack: Pack,
    file: Arc<File>,
    end: u64,
    unsynced: bool,
}

/// What became of a window that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Stored,
    /// It is stored already, with the same counts.
    Unchanged,
    /// It is older than what is kept.
    Expired,
}

impl Writer {
    /// Opens the store in `dir` for windows of `finest` milliseconds, or makes one. What an interrupted writer left
    /// unpublished is taken back.
    ///
    /// # Errors
    /// [`StoreError`] when there is another writer, the directory holds something else or a store of another kind, or
    /// files cannot be read and written.
    pub fn open(dir: &Path, finest: i64) -> Result<Self, StoreError> {
        Writer::open_part(dir, finest, &Part::WHOLE)
    }

    /// As [`Writer::open`], for a part of the keys.
    ///
    /// # Errors
    /// As [`Writer::open`], and when the store is of other keys.
    pub fn open_part(dir: &Path, finest: i64, part: &Part) -> Result<Self, StoreError> {
        let levels = Levels::over(finest)?;
        fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
        let lock = lock(dir)?;
        if !dir.join(manifest::NAME).exists() {
            create(dir, finest, part)?;
        }
        let opened = Opened::open(dir)?;
        if opened.catalog.levels() != &levels {
            return Err(StoreError::Length { dir: dir.display().to_string(), found: length_text(opened.finest) });
        }
        let found = *opened.catalog.part();
        if found != *part {
            return Err(StoreError::Part { dir: dir.display().to_string(), found, wanted: *part });
        }
        Writer::resume(dir, lock, opened)
    }

    fn resume(dir: &Path, lock: File, opened: Opened) -> Result<Self, StoreError> {
        let path = dir.join(manifest::NAME);
        let damaged = |what: String| StoreError::DamagedManifest { path: path.display().to_string(), what };
        if let Some(number) = opened.catalog.damaged().first() {
            return Err(damaged(format!("record {number}")));
        }
        if opened.damaged_slots == 2 {
            return Err(damaged("its header".into()));
        }
        let write = |path: &Path| OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::io(path));
        let (manifest, keys_path) = (write(&path)?, dir.join(keys::NAME));
        let keys = write(&keys_path)?;
        manifest.set_len(opened.end).map_err(StoreError::io(&path))?;
        tidy::take_back(dir, &opened.catalog)?;
        let mut index = Index::new();
        reader::read_keys(dir, &opened.catalog, |key| match key {
            Some(key) => drop(index.push(key)),
            None => index.skip(),
        })?;
        let certain = opened.end - HEADER as u64;
        manifest::write_slots(&manifest, &[0, 1], certain).map_err(StoreError::io(&path))?;
        let catalog = opened.catalog;
        let latest = catalog.all(0).next_back().map_or(i64::MIN, |last| catalog.levels().end(0, last.start));
        Ok(Writer {
            dir: dir.into(),
            _lock: lock,
            manifest,
            keys,
            latest,
            stale: stale(&catalog),
            catalog,
            index,
            staged: Vec::new(),
            certain,
            publications: 0,
            packs: Vec::new(),
            retention: Retention::default(),
            dropped: false,
            tables: None,
            failed: false,
        })
    }

    /// Drops windows once they are older than this.
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Keeps the [`tables`](super::tables) of the `k` best keys too, and brings them up to what is published.
    ///
    /// # Errors
    /// [`StoreError`] when the tables cannot be read and written, or segments that are missing in them cannot be read.
    pub fn with_tables(mut self, k: usize) -> Result<Self, StoreError> {
        let best = Best { tables: Tables::open(&self.dir)?, k };
        let known = best.tables.records()?;
        let from = if known > self.catalog.records() { 0 } else { known };
        if from == 0 {
            best.tables.clear()?;
        }
        let path = self.dir.join(manifest::NAME);
        let missing = manifest::read_records(&self.manifest, &path, HEADER as u64 + from * RECORD as u64)?;
        for record in missing.records {
            match record {
                Record::Floor { level, start } => best.drop_before(self.catalog.levels(), level.into(), start)?,
                Record::Segment(record) if self.catalog.window(record.level.into(), record.start) == Some(&record) => {
                    best.put_stored(&mut self, &record)?;
                }
                _ => {}
            }
        }
        best.tables.publish(self.catalog.records())?;
        self.tables = Some(best);
        Ok(self)
    }

    /// What is published, and what was put since.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The keys of the store.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The bytes that wait to be published, roughly.
    pub fn waiting(&self) -> usize {
        self.staged.len()
    }

    /// Puts the counts of all keys of a window, in any order, in place of those it had. Keys of count 0 are left out.
    /// Coarser windows that end by the end of the latest one are built too.
    ///
    /// # Errors
    /// [`StoreError`] when the window is not one of the finest level, a sum does not fit, ids are used up, or files cannot
    /// be written. After an error nothing more can be put or published.
    pub fn put<'k>(
        &mut self,
        window: Window,
        revised: bool,
        counts: impl IntoIterator<Item = (&'k [u8], u64)>,
    ) -> Result<Put, StoreError> {
        self.guarded(|writer| {
            writer.put_window(window, revised, counts.into_iter().filter(|(_, count)| *count > 0).collect())
        })
    }

    /// Makes all that was put visible, and safe.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a file cannot be written; then nothing is published.
    pub fn publish(&mut self) -> Result<(), StoreError> {
        self.guarded(|writer| writer.publish_staged())
    }

    /// Builds the coarser windows that are not over yet from what there is, and publishes all.
    ///
    /// # Errors
    /// As for [`put`](Writer::put).
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.roll_up(i64::MAX)?;
        self.publish_staged()?;
        let path = self.dir.join(manifest::NAME);
        manifest::write_slots(&self.manifest, &[0, 1], self.certain)
            .and_then(|()| self.manifest.sync_all())
            .map_err(StoreError::io(&path))
    }

    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Failed { dir: self.dir.display().to_string() });
        }
        let result = act(self);
        self.failed = result.is_err();
        result
    }

    fn put_window(&mut self, window: Window, revised: bool, counts: Vec<(&[u8], u64)>) -> Result<Put, StoreError> {
        let levels = self.catalog.levels();
        if levels.start(0, window.start) != window.start || levels.end(0, window.start) != window.end {
            let (dir, found) = (self.dir.display().to_string(), levels.name(0));
            return Err(StoreError::Length { dir, found });
        }
        if window.start < self.catalog.floor(0) {
            return Ok(Put::Expired);
        }
        self.latest = self.latest.max(window.end);
        let entries = self.entries(counts)?;
        let put = match entries.is_empty() && self.catalog.window(0, window.start).is_none() {
            true => Put::Unchanged,
            false => self.append_segment(0, window.start, revised, &entries)?,
        };
        self.roll_up(self.latest)?;
        for (level, start) in self.retention.rising(&self.catalog, self.latest) {
            self.stage(Record::Floor { level: level as u8, start });
            self.dropped = true;
            if let Some(best) = &self.tables {
                best.drop_before(self.catalog.levels(), level, start)?;
            }
        }
        Ok(put)
    }

    /// Ids, ascending, and counts; new keys get their ids.
    fn entries(&mut self, mut counts: Vec<(&[u8], u64)>) -> Result<Vec<(u32, u64)>, StoreError> {
        let (mut entries, mut new) = (Vec::with_capacity(counts.len()), Vec::new());
        self.index.find(counts.iter().map(|(key, _)| key), |at, id| match id {
            Some(id) => entries.push((id, counts[at].1)),
            None => new.push(at),
        });
        if !new.is_empty() {
            let new = new.into_iter().map(|at| std::mem::take(&mut counts[at])).collect();
            entries.extend(self.add_keys(new)?);
        }
        entries.sort_unstable_by_key(|(id, _)| *id);
        merge_equal(&mut entries).map_err(|id| CountOverflow { key: self.index.key(id).to_vec() })?;
        Ok(entries)
    }

    /// Gives ids to new keys, by count descending, then bytes; appends them to the dictionary.
    fn add_keys(&mut self, mut new: Vec<(&[u8], u64)>) -> Result<Vec<(u32, u64)>, StoreError> {
        new.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        if new.len() > (keys::MOST - self.index.len()) as usize {
            return Err(StoreError::Full { dir: self.dir.display().to_string(), most: keys::MOST });
        }
        let (mut entries, mut chunk, mut first) = (Vec::with_capacity(new.len()), Vec::new(), self.index.len());
        for (key, count) in new {
            if !chunk.is_empty() && chunk.len() + key.len() > CHUNK {
                self.append_chunk(&chunk, first)?;
                (first, chunk) = (self.index.len(), Vec::new());
            }
            // A key that was given twice got its id a moment ago.
            let id = self.index.id(key).unwrap_or_else(|| {
                keys::append(key, &mut chunk);
                self.index.push(key)
            });
            entries.push((id, count));
        }
        self.append_chunk(&chunk, first)?;
        Ok(entries)
    }

    fn append_chunk(&mut self, chunk: &[u8], first: u32) -> Result<(), StoreError> {
        let offset = self.catalog.keys_end();
        self.keys.write_all_at(chunk, offset).map_err(StoreError::io(&self.dir.join(keys::NAME)))?;
        self.stage(Record::Keys(ChunkRecord {
            offset,
            length: chunk.len() as u64,
            first,
            keys: self.index.len() - first,
            checksum: crc32fast::hash(chunk),
        }));
        Ok(())
    }

    fn append_segment(
        &mut self,
        level: usize,
        start: i64,
        revised: bool,
        entries: &[(u32, u64)],
    ) -> Result<Put, StoreError> {
        let bytes = encode(start, self.catalog.levels().length(level), entries);
        let old = self.catalog.window(level, start).copied();
        let generation = old.map_or_else(|| self.catalog.generation(level, start), |old| old.generation);
        let pack = Pack::of(self.catalog.levels(), level, start, generation);
        let at = self.open_pack(pack)?;
        if let Some(old) = old.filter(|old| old.length == bytes.len() as u64) {
            let mut stored = vec![0; bytes.len()];
            let there = self.packs[at].file.read_exact_at(&mut stored, old.offset).is_ok();
            if there && stored == bytes && old.revised == revised {
                return Ok(Put::Unchanged);
            }
        }
        let open = &mut self.packs[at];
        let path = pack.path(&self.dir, self.catalog.levels());
        open.file.write_all_at(&bytes, open.end).map_err(StoreError::io(&path))?;
        let (offset, length) = (open.end, bytes.len() as u64);
        open.end += length;
        open.unsynced = true;
        let (keys, total) = (entries.len() as u32, total(entries));
        let record = SegmentRecord { level: level as u8, revised, start, offset, length, generation, keys, total };
        self.stage(Record::Segment(record));
        if let Some(best) = &self.tables {
            best.put(&self.catalog, &self.index, &record, entries)?;
        }
        let levels = self.catalog.levels();
        let coarser = (level + 1..levels.count()).map(|coarser| (coarser, levels.start(coarser, start)));
        self.stale.extend(coarser);
        Ok(Put::Stored)
    }

    fn stage(&mut self, record: Record) {
        self.staged.extend(record.to_bytes(self.catalog.records()));
        self.catalog.add(&record);
    }

    /// Builds the coarser windows that are stale and end by `until`, the finer ones first.
    fn roll_up(&mut self, until: i64) -> Result<(), StoreError> {
        let levels = self.catalog.levels().clone();
        while let Some(&(level, start)) = self.stale.iter().find(|(level, start)| levels.end(*level, *start) <= until) {
            self.stale.remove(&(level, start));
            let starts = start..levels.end(level, start);
            let parts: Vec<SegmentRecord> = self.catalog.windows(level - 1, starts).copied().collect();
            if parts.is_empty() {
                continue;
            }
            let revised = parts.iter().any(|part| part.revised);
            let parts: Result<Vec<Segment>, StoreError> = parts.iter().map(|part| self.load(part)).collect();
            let entries = match rollup::sum(&parts?, self.index.len())? {
                Ok(entries) => entries,
                Err(id) => return Err(CountOverflow { key: self.index.key(id).to_vec() }.into()),
            };
            self.append_segment(level, start, revised, &entries)?;
        }
        Ok(())
    }

    pub(super) fn load(&mut self, part: &SegmentRecord) -> Result<Segment, StoreError> {
        let at = self.open_pack(self.catalog.pack(part))?;
        Segment::load(reader::extent(&self.catalog, part, self.packs[at].file.clone()))
    }

    /// The place among the open packs of one that is opened, or made, when it is not among them.
    fn open_pack(&mut self, pack: Pack) -> Result<usize, StoreError> {
        if let Some(at) = self.packs.iter().position(|open| open.pack == pack) {
            return Ok(at);
        }
        // Packs of other days are done with as soon as they are on disk.
        self.packs.retain(|open| open.unsynced || open.pack.level != pack.level);
        let path = pack.path(&self.dir, self.catalog.levels());
        let directory = Pack::directory(&self.dir, self.catalog.levels(), pack.level);
        let is_new = !path.exists();
        if is_new && !directory.exists() {
            fs::create_dir(&directory).and_then(|()| sync(&self.dir)).map_err(StoreError::io(&directory))?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = Arc::new(file.map_err(StoreError::io(&path))?);
        if is_new {
            sync(&directory).map_err(StoreError::io(&directory))?;
        }
        self.packs.push(OpenPack { pack, file, end: self.catalog.pack_end(&pack), unsynced: false });
        Ok(self.packs.len() - 1)
    }

    fn publish_staged(&mut self) -> Result<(), StoreError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        for open in self.packs.iter_mut().filter(|open| open.unsynced) {
            let path = open.pack.path(&self.dir, self.catalog.levels());
            open.file.sync_data().map_err(StoreError::io(&path))?;
            open.unsynced = false;
        }
        self.keys.sync_data().map_err(StoreError::io(&self.dir.join(keys::NAME)))?;
        let path = self.dir.join(manifest::NAME);
        // The slot tells what an earlier publication brought to disk; the two take turns, so one is always whole.
        manifest::write_slots(&self.manifest, &[self.publications], self.certain)
            .and_then(|()| self.manifest.write_all_at(&self.staged, HEADER as u64 + self.certain))
            .and_then(|()| self.manifest.sync_data())
            .map_err(StoreError::io(&path))?;
        self.certain += self.staged.len() as u64;
        self.publications += 1;
        self.staged.clear();
        if let Some(best) = &self.tables {
            best.tables.publish(self.catalog.records())?;
        }
        if std::mem::take(&mut self.dropped) {
            self.packs.retain(|open| !tidy::is_expired(&self.catalog, &open.pack));
            tidy::drop_expired(&self.dir, &self.catalog)?;
        }
        debug_assert_eq!(self.certain, self.catalog.records() * RECORD as u64);
        Ok(())
    }
}

/// Adds up the counts of equal neighbours; their id when a sum does not fit.
fn merge_equal(entries: &mut Vec<(u32, u64)>) -> Result<(), u32> {
    let mut overflow = None;
    entries.dedup_by(|next, kept| {
        if next.0 == kept.0 {
            match kept.1.checked_add(next.1) {
                Some(sum) => kept.1 = sum,
                None => overflow = Some(kept.0),
            }
        }
        next.0 == kept.0
    });
    overflow.map_or(Ok(()), Err)
}

/// Coarser windows that have finer ones and no segment.
fn stale(catalog: &Catalog) -> BTreeSet<(usize, i64)> {
    let levels = catalog.levels();
    let of = |level: usize| {
        let filled = catalog.all(level - 1).map(move |finer| (level, levels.start(level, finer.start)));
        filled.filter(move |(level, start)| catalog.window(*level, *start).is_none())
    };
    let mut stale: BTreeSet<_> = (1..levels.count()).flat_map(of).collect();
    // One that is to be built makes those above it incomplete too.
    for (level, start) in stale.clone() {
        stale.extend((level + 1..levels.count()).map(|coarser| (coarser, levels.start(coarser, start))));
    }
    stale
}

/// Locks a directory against other writers, for as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path)(error)),
    }
}

/// Makes an empty store; the manifest comes last, and at once.
fn create(dir: &Path, finest: i64, part: &Part) -> Result<(), StoreError> {
    const OURS: [&str; 3] = ["lock", keys::NAME, "manifest.new"];
    for entry in fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let name = entry.map_err(StoreError::io(dir))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Err(StoreError::Occupied { dir: dir.display().to_string() });
        }
    }
    File::create(dir.join(keys::NAME)).and_then(|file| file.sync_all()).map_err(StoreError::io(dir))?;
    replace_manifest(dir, &manifest::header(finest, part, 0))
}

/// Puts a whole new manifest in place of the one there is, if there is one.
pub(super) fn replace_manifest(dir: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = dir.join("manifest.new");
    File::create(&new)
        .and_then(|file| file.write_all_at(bytes, 0).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, dir.join(manifest::NAME)))
        .and_then(|()| sync(dir))
        .map_err(StoreError::io(&new))
}

/// Brings a directory's entries to disk.
pub(super) fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}
