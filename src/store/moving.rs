//! Compaction while the store is written: the segments of a pack move to a new one, a piece at a time.
//!
//! Half a pack of replaced segments is worth it. Pieces are brought to disk as they are copied; when all segments of the
//! pack are there, the records of their new places are published together, and the old pack is removed. A crash before
//! leaves a pack that nothing names, which the next writer removes. What is put meanwhile goes to the old pack, and moves
//! with the rest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::catalog::Catalog;
use super::directory::sync;
use super::error::StoreError;
use super::manifest::SegmentRecord;
use super::pack::Pack;

/// Less than this is not worth it.
const LEAST: u64 = 16 << 10;

/// A pack on its way to a new one.
pub(super) struct Moving {
    dir: PathBuf,
    from: Vec<Pack>,
    to: Pack,
    path: PathBuf,
    file: File,
    end: u64,
    /// What was copied, by window start, and where to.
    copied: BTreeMap<i64, (SegmentRecord, u64)>,
    /// What is being copied, and how much of it was.
    current: Option<(SegmentRecord, u64)>,
    /// Windows that start before this were looked at.
    cursor: i64,
    done: bool,
}

/// How far a move got.
pub(super) enum Step {
    /// There is more to copy.
    More,
    /// These are the new places of all segments of the packs.
    Done(Vec<SegmentRecord>, Vec<Pack>),
    /// The pack cannot be read.
    Unreadable,
}

/// The first generation of the pack that wastes the most, if one wastes enough; `spared` ones are left out.
pub(super) fn wasteful(catalog: &Catalog, spared: &[Pack]) -> Option<Pack> {
    let mut packs = BTreeMap::<Pack, (u64, u64)>::new();
    for (pack, end, live) in catalog.packs() {
        let (all, used) = packs.entry(pack.first()).or_default();
        (*all, *used) = (*all + end, *used + live);
    }
    let waste = |(all, used): (u64, u64)| all.saturating_sub(used);
    let is_worth_it = |sizes: (u64, u64)| sizes.1 > 0 && waste(sizes) >= LEAST && waste(sizes) >= sizes.1;
    let candidates = packs.into_iter().filter(|(pack, sizes)| is_worth_it(*sizes) && !spared.contains(pack));
    candidates.max_by_key(|(_, sizes)| waste(*sizes)).map(|(pack, _)| pack)
}

impl Moving {
    /// Makes the new pack.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made.
    pub(super) fn begin(dir: &Path, catalog: &Catalog, pack: Pack) -> Result<Self, StoreError> {
        let generations = catalog.packs().map(|(other, ..)| other);
        let from: Vec<Pack> = generations.filter(|other| other.first() == pack).collect();
        let generation = catalog.generation(pack.level, pack.start) + 1;
        let to = Pack { generation, ..pack };
        let path = to.path(dir, catalog.levels());
        let file = File::create(&path).map_err(StoreError::io(&path))?;
        let directory = Pack::directory(dir, catalog.levels(), to.level);
        sync(&directory).map_err(StoreError::io(&directory))?;
        let (cursor, copied) = (pack.start, BTreeMap::new());
        Ok(Moving { dir: dir.into(), from, to, path, file, end: 0, copied, current: None, cursor, done: false })
    }

    /// The first generation of what moves.
    pub(super) fn pack(&self) -> Pack {
        self.to.first()
    }

    /// Copies up to `most` bytes, and brings them to disk.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the new pack cannot be written, or the system cannot read the old one.
    pub(super) fn step(&mut self, catalog: &Catalog, most: u64) -> Result<Step, StoreError> {
        let mut left = most;
        while left > 0 {
            // What was replaced meanwhile need not be copied to its end.
            let is_live = |record: &SegmentRecord| catalog.window(self.to.level, record.start) == Some(record);
            let current = self.current.take().filter(|(record, _)| is_live(record));
            let Some((record, copied)) = current.or_else(|| Some((self.next(catalog)?, 0))) else {
                self.file.sync_all().map_err(StoreError::io(&self.path))?;
                return Ok(self.finish(catalog));
            };
            let length = left.min(record.length - copied);
            let mut bytes = vec![0; length as usize];
            match self.read(catalog, &record, copied, &mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Step::Unreadable),
                read => read.map_err(StoreError::io(&catalog.pack(&record).path(&self.dir, catalog.levels())))?,
            }
            self.file.write_all_at(&bytes, self.end + copied).map_err(StoreError::io(&self.path))?;
            left -= length;
            if copied + length < record.length {
                self.current = Some((record, copied + length));
            } else {
                self.copied.insert(record.start, (record, self.end));
                self.end += record.length;
            }
        }
        self.file.sync_data().map_err(StoreError::io(&self.path))?;
        Ok(Step::More)
    }

    fn read(&self, catalog: &Catalog, record: &SegmentRecord, from: u64, bytes: &mut [u8]) -> io::Result<()> {
        let path = catalog.pack(record).path(&self.dir, catalog.levels());
        File::open(path)?.read_exact_at(bytes, record.offset + from)
    }

    /// A segment that is to be copied, or copied again.
    fn next(&mut self, catalog: &Catalog) -> Option<SegmentRecord> {
        let is_new = |record: &&SegmentRecord| self.copied.get(&record.start).is_none_or(|(old, _)| old != *record);
        let end = self.to.start.saturating_add(catalog.levels().pack_length(self.to.level));
        let after = catalog.windows(self.to.level, self.cursor..end).find(is_new);
        let next =
            after.or_else(|| catalog.windows(self.to.level, self.to.start..self.cursor).find(is_new)).copied()?;
        self.cursor = next.start.saturating_add(1);
        Some(next)
    }

    fn finish(&mut self, catalog: &Catalog) -> Step {
        let generation = self.to.generation;
        let is_live = |record: &SegmentRecord| catalog.window(self.to.level, record.start) == Some(record);
        let copied = self.copied.values().filter(|(record, _)| is_live(record));
        let records: Vec<_> =
            copied.map(|(record, offset)| SegmentRecord { offset: *offset, generation, ..*record }).collect();
        self.done = !records.is_empty();
        Step::Done(records, std::mem::take(&mut self.from))
    }
}

impl Drop for Moving {
    /// Removes a pack that nothing will name; the next writer does where this cannot.
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}
