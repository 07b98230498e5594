//! Writing a store: windows are put, then published together.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use hitters_dataflows::count::CountOverflow;
use hitters_dataflows::ranking::Window;

use super::best::Best;
use super::catalog::Catalog;
use super::dictionary::Dictionary;
use super::directory::{create, lock, sync_together};
use super::error::StoreError;
use super::level::{Levels, length_text};
use super::lookup::Making;
use super::manifest::{self, HEADER, RECORD, Record, SegmentRecord};
use super::moving::{Moving, Step, wasteful};
use super::pack::Pack;
use super::packs::Packs;
use super::part::Part;
use super::reader::{self, Opened};
use super::retain::Retention;
use super::segment::{Segment, encode, for_window, total};
use super::tables::Tables;
use super::{rollup, tidy};

/// The one writer of a store. What is put is seen by readers after the next [`publish`](Writer::publish), and stays
/// through any crash from then on. Memory: every key of the store, about 50 bytes each, and their own where they are longer
/// than 31; and 32 bytes for each key of the window that is put.
pub struct Writer {
    dir: PathBuf,
    /// Held for as long as the writer lives.
    _lock: File,
    manifest: File,
    dictionary: Dictionary,
    catalog: Catalog,
    packs: Packs,
    /// What is put and not published.
    staged: Vec<u8>,
    /// Bytes of the manifest's records that are on disk for certain.
    certain: u64,
    publications: usize,
    /// Coarser windows to be built: what they are made of has changed.
    stale: BTreeSet<(usize, i64)>,
    /// The end of the latest window.
    latest: i64,
    retention: Retention,
    /// Floors rose; what is below them is removed when that is published.
    dropped: bool,
    /// A pack that is being compacted, and those that cannot be.
    moving: Option<Moving>,
    spared: Vec<Pack>,
    /// Packs to be removed when the new places of what they held are published.
    left: Vec<Pack>,
    tables: Option<Best>,
    failed: bool,
}

/// The counts of a window, ready to be written.
struct Encoded {
    bytes: Vec<u8>,
    keys: u32,
    total: u128,
}

impl Encoded {
    fn of(start: i64, length: i64, entries: &[(u32, u64)]) -> Self {
        Encoded { bytes: encode(start, length, entries), keys: entries.len() as u32, total: total(entries) }
    }
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
        let manifest = OpenOptions::new().read(true).write(true).open(&path).map_err(StoreError::io(&path))?;
        manifest.set_len(opened.end).map_err(StoreError::io(&path))?;
        tidy::take_back(dir, &opened.catalog)?;
        let catalog = opened.catalog;
        let dictionary = Dictionary::open(dir, &catalog)?;
        let certain = opened.end - HEADER as u64;
        manifest::write_slots(&manifest, &[0, 1], certain).map_err(StoreError::io(&path))?;
        let latest = catalog.all(0).next_back().map_or(i64::MIN, |last| catalog.levels().end(0, last.start));
        Ok(Writer {
            dir: dir.into(),
            _lock: lock,
            manifest,
            dictionary,
            packs: Packs::new(dir.into()),
            latest,
            stale: rollup::stale(&catalog),
            catalog,
            staged: Vec::new(),
            certain,
            publications: 0,
            retention: Retention::default(),
            dropped: false,
            moving: None,
            spared: Vec::new(),
            left: Vec::new(),
            tables: None,
            failed: false,
        })
    }

    /// Drops windows once they are older than this.
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Keeps the [`tables`](super::tables) of the `k` best keys too, and brings them up to what is published. Damaged ones
    /// are made again, and `made_again` is called.
    ///
    /// # Errors
    /// [`StoreError`] when the tables cannot be read and written, or segments that are missing in them cannot be read.
    pub fn with_tables(mut self, k: usize, made_again: impl FnOnce()) -> Result<Self, StoreError> {
        let (tables, were_damaged) = Tables::open(&self.dir)?;
        if were_damaged {
            made_again();
        }
        let best = Best { tables, k };
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
                    let entries = self.load(&record)?.entries()?;
                    best.put(&self.catalog, self.dictionary.index(), &record, &entries)?;
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

    /// The bytes that wait to be published, roughly.
    pub fn waiting(&self) -> usize {
        self.staged.len()
    }

    /// Puts the counts of all keys of a window, in any order, in place of those it had. Keys of count 0 are left out.
    /// Coarser windows that end by the end of the latest one are built before the next is put or published.
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
        self.guarded(|writer| writer.put_window(window, revised, counts.into_iter()))
    }

    /// Makes all that was put visible, and safe.
    ///
    /// # Errors
    /// [`StoreError`] when a coarser window's sum does not fit, or a file cannot be read or written; then nothing is published.
    pub fn publish(&mut self) -> Result<(), StoreError> {
        self.guarded(|writer| writer.catch_up().and_then(|()| writer.publish_staged()))
    }

    /// Does a piece of compaction: copies up to `most` bytes of a pack of which more than half was replaced, and brings them
    /// to disk; whether there was anything to do. A pack's new place is seen after the next
    /// [`publish`](Writer::publish), and the old one is removed then; what is put in between is no obstacle. Memory:
    /// `most` bytes, and about 100 for each window of the pack.
    ///
    /// # Errors
    /// [`StoreError::Io`] when files cannot be read and written.
    pub fn compact_some(&mut self, most: u64) -> Result<bool, StoreError> {
        self.guarded(|writer| writer.move_some(most))
    }

    /// Builds the coarser windows that are not over yet from what there is, and publishes all.
    ///
    /// # Errors
    /// As for [`put`](Writer::put).
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.moving = None;
        // The lookup is made while coarser windows are built, and put in its place when they and all keys are safe.
        let making = Making::begin(&self.dir, &self.catalog, self.dictionary.index().clone())?;
        self.catch_up()?;
        self.roll_up(i64::MAX)?;
        self.publish_staged()?;
        let (tables, path) = (self.tables.take(), self.dir.join(manifest::NAME));
        thread::scope(|scope| {
            // SQLite writes its log into its file; where there can be no more threads, this one waits for it.
            let _ = thread::Builder::new().spawn_scoped(scope, || drop(tables));
            making.map_or(Ok(()), Making::end)?;
            manifest::write_slots(&self.manifest, &[0, 1], self.certain)
                .and_then(|()| self.manifest.sync_all())
                .map_err(StoreError::io(&path))
        })
    }

    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Failed { dir: self.dir.display().to_string() });
        }
        let result = act(self);
        self.failed = result.is_err();
        result
    }

    fn put_window<'k>(
        &mut self,
        window: Window,
        revised: bool,
        counts: impl Iterator<Item = (&'k [u8], u64)>,
    ) -> Result<Put, StoreError> {
        let levels = self.catalog.levels();
        if levels.start(0, window.start) != window.start || levels.end(0, window.start) != window.end {
            let (dir, found) = (self.dir.display().to_string(), levels.name(0));
            return Err(StoreError::Length { dir, found });
        }
        self.catch_up()?;
        if window.start < self.catalog.floor(0) {
            return Ok(Put::Expired);
        }
        self.latest = self.latest.max(window.end);
        let mut chunks = Vec::new();
        let entries = self.dictionary.entries(counts, self.catalog.keys_end(), &mut chunks)?;
        chunks.into_iter().for_each(|chunk| self.stage(Record::Keys(chunk)));
        if entries.is_empty() && self.catalog.window(0, window.start).is_none() {
            return Ok(Put::Unchanged);
        }
        let encoded = Encoded::of(window.start, self.catalog.levels().length(0), &entries);
        self.append(0, window.start, revised, &encoded, || Ok(entries))
    }

    /// Does what follows from the end of the latest window: builds the coarser windows that are over, then drops what is too
    /// old.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        self.roll_up(self.latest)?;
        for (level, start) in self.retention.rising(&self.catalog, self.latest) {
            self.stage(Record::Floor { level: level as u8, start });
            self.dropped = true;
            if let Some(best) = &self.tables {
                best.drop_before(self.catalog.levels(), level, start)?;
            }
        }
        Ok(())
    }

    /// Appends the segment of a window; `entries` are asked for when there is a table for it.
    fn append(
        &mut self,
        level: usize,
        start: i64,
        revised: bool,
        encoded: &Encoded,
        entries: impl FnOnce() -> Result<Vec<(u32, u64)>, StoreError>,
    ) -> Result<Put, StoreError> {
        let length = encoded.bytes.len() as u64;
        let old = self.catalog.window(level, start).copied();
        let generation = old.map_or_else(|| self.catalog.generation(level, start), |old| old.generation);
        let pack = Pack::of(self.catalog.levels(), level, start, generation);
        if let Some(old) = old.filter(|old| old.length == length && old.revised == revised) {
            let mut stored = vec![0; encoded.bytes.len()];
            let file = self.packs.file(&self.catalog, pack)?;
            if file.read_exact_at(&mut stored, old.offset).is_ok() && stored == encoded.bytes {
                return Ok(Put::Unchanged);
            }
        }
        let offset = self.packs.append(&self.catalog, pack, &encoded.bytes)?;
        let Encoded { keys, total, .. } = *encoded;
        let record = SegmentRecord { level: level as u8, revised, start, offset, length, generation, keys, total };
        self.stage(Record::Segment(record));
        let levels = self.catalog.levels();
        if let Some(best) = self.tables.as_ref().filter(|best| best.has(levels, level)) {
            best.put(&self.catalog, self.dictionary.index(), &record, &entries()?)?;
        }
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
            let revised = parts.iter().any(|part| part.revised);
            let segments = parts.iter().map(|part| self.load(part)).collect::<Result<Vec<Segment>, StoreError>>()?;
            match segments.as_slice() {
                [] => {}
                // One part alone has the same entries.
                [part] => {
                    let bytes = for_window(part.bytes()?, start, levels.length(level));
                    let encoded = Encoded { bytes, keys: parts[0].keys, total: parts[0].total };
                    self.append(level, start, revised, &encoded, || part.entries())?;
                }
                parts => {
                    let index = self.dictionary.index();
                    let entries =
                        rollup::sum(parts, index.len())?.map_err(|id| CountOverflow { key: index.key(id).to_vec() })?;
                    let encoded = Encoded::of(start, levels.length(level), &entries);
                    self.append(level, start, revised, &encoded, || Ok(entries))?;
                }
            }
        }
        Ok(())
    }

    fn move_some(&mut self, most: u64) -> Result<bool, StoreError> {
        // One move at a time: the packs of the last one are there until it is published.
        if !self.left.is_empty() {
            return Ok(false);
        }
        let mut moving = match (self.moving.take(), wasteful(&self.catalog, &self.spared)) {
            (Some(moving), _) => moving,
            (None, Some(pack)) => Moving::begin(&self.dir, &self.catalog, pack)?,
            (None, None) => return Ok(false),
        };
        match moving.step(&self.catalog, most)? {
            Step::More => self.moving = Some(moving),
            Step::Unreadable => self.spared.push(moving.pack()),
            Step::Done(records, left) => {
                records.into_iter().for_each(|record| self.stage(Record::Segment(record)));
                self.left = left.into_iter().filter(|pack| self.catalog.is_moved(pack)).collect();
            }
        }
        Ok(true)
    }

    fn load(&mut self, part: &SegmentRecord) -> Result<Segment, StoreError> {
        let file = self.packs.file(&self.catalog, self.catalog.pack(part))?;
        Segment::load(reader::extent(&self.catalog, part, file))
    }

    fn publish_staged(&mut self) -> Result<(), StoreError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let mut unsynced = self.packs.unsynced()?;
        unsynced.extend(self.dictionary.unsynced());
        sync_together(&unsynced)?;
        self.packs.synced();
        self.dictionary.synced();
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
        for pack in std::mem::take(&mut self.left) {
            self.packs.close(|open| *open == pack);
            tidy::remove(&self.dir, &self.catalog, &pack)?;
        }
        if std::mem::take(&mut self.dropped) {
            self.packs.close(|pack| self.catalog.is_expired(pack));
            tidy::drop_expired(&self.dir, &self.catalog)?;
        }
        debug_assert_eq!(self.certain, self.catalog.records() * RECORD as u64);
        Ok(())
    }
}
