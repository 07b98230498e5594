//! Compaction: taking back the room of what was replaced, and leaving out what is damaged.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::catalog::Catalog;
use super::directory::{lock, replace_manifest, sync};
use super::error::StoreError;
use super::level::Levels;
use super::manifest::{self, Record, SegmentRecord};
use super::pack::Pack;
use super::reader::{self, Opened};
use super::segment::Segment;
use super::tables;

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Packs that were written anew.
    pub packs: usize,
    /// Bytes that they take less.
    pub freed: u64,
    /// Damaged segments that were left out.
    pub dropped: Vec<String>,
}

/// Writes the packs anew that hold replaced or damaged segments, and a manifest without records that no longer count.
/// Readers go on with what they have open, and find the new packs at their next question. Memory: one segment. O(bytes of
/// these packs).
///
/// # Errors
/// [`StoreError`] when another process writes the store, or files cannot be read and written; the store is then as it was.
pub fn compact(dir: &Path) -> Result<Compacted, StoreError> {
    let _lock = lock(dir)?;
    let Opened { finest, catalog, damaged_slots, .. } = Opened::open(dir)?;
    if let Some(number) = catalog.damaged().first() {
        let path = dir.join(manifest::NAME).display().to_string();
        return Err(StoreError::DamagedManifest { path, what: format!("record {number}") });
    }
    let levels = catalog.levels().clone();
    let mut done = Compacted::default();
    if let Some(what) = tables::check::structure(dir)? {
        tables::remove(dir)?;
        done.dropped.push(what);
    }
    let mut records: Vec<Record> = catalog.chunks().iter().map(|chunk| Record::Keys(*chunk)).collect();
    let floors = (0..levels.count()).map(|level| (level, catalog.floor(level)));
    let floors = floors.filter(|(_, start)| *start > i64::MIN);
    records.extend(floors.map(|(level, start)| Record::Floor { level: level as u8, start }));
    let mut old = Vec::new();
    for level in 0..levels.count() {
        let mut segments = catalog.all(level).copied().peekable();
        while let Some(first) = segments.peek() {
            let pack = catalog.pack(first).first();
            let mut of_pack = Vec::new();
            while let Some(next) = segments.next_if(|next| catalog.pack(next).first() == pack) {
                of_pack.push(next);
            }
            let generations = catalog.packs().filter(|(other, ..)| other.first() == pack);
            let there: Vec<(Pack, u64, u64)> = generations.collect();
            let damaged = |record: &SegmentRecord| !check(dir, &catalog, record, &mut done.dropped);
            let (lost, whole): (Vec<SegmentRecord>, Vec<SegmentRecord>) = of_pack.into_iter().partition(damaged);
            if there.iter().any(|(_, end, live)| end > live) || !lost.is_empty() {
                let generation = there.iter().map(|(pack, ..)| pack.generation).max().unwrap_or(0) + 1;
                let new = Pack { generation, ..pack };
                let (length, anew) = rewrite(dir, &levels, &catalog, new, &whole)?;
                done.packs += 1;
                done.freed += there.iter().map(|(_, end, _)| end).sum::<u64>().saturating_sub(length);
                old.extend(there.into_iter().map(|(pack, ..)| pack));
                records.extend(anew.into_iter().map(Record::Segment));
                // A coarser window is built again from its parts. Of the others it must stay known that they were there.
                let parts_are_kept = |record: &SegmentRecord| level > 0 && record.start >= catalog.floor(level - 1);
                let kept = lost.into_iter().filter(|record| !parts_are_kept(record));
                records.extend(
                    kept.map(|record| Record::Segment(SegmentRecord { offset: 0, length: 0, generation, ..record })),
                );
            } else {
                records.extend(whole.into_iter().map(Record::Segment));
            }
        }
    }
    if damaged_slots == 0 && records.len() as u64 == catalog.records() && old.is_empty() {
        return Ok(done);
    }
    let bytes: Vec<u8> = (0..).zip(&records).flat_map(|(number, record)| record.to_bytes(number)).collect();
    let header = manifest::header(finest, catalog.part(), bytes.len() as u64);
    replace_manifest(dir, &[&header, bytes.as_slice()].concat())?;
    tables::follow(dir, catalog.records(), if done.dropped.is_empty() { records.len() as u64 } else { 0 })?;
    for pack in old {
        let path = pack.path(dir, &levels);
        fs::remove_file(&path).map_err(StoreError::io(&path))?;
    }
    Ok(done)
}

/// Whether a segment is whole; the name of one that is not goes to `dropped`.
fn check(dir: &Path, catalog: &Catalog, record: &SegmentRecord, dropped: &mut Vec<String>) -> bool {
    let path = catalog.pack(record).path(dir, catalog.levels());
    let read = File::open(&path).map_err(StoreError::io(&path)).and_then(|file| {
        Segment::load(reader::extent(catalog, record, file.into())).and_then(|segment| segment.read_all())
    });
    if let Err(error) = &read {
        dropped.push(error.to_string());
    }
    read.is_ok()
}

/// Copies segments to a new pack; its length, and where each is now.
fn rewrite(
    dir: &Path,
    levels: &Levels,
    catalog: &Catalog,
    new: Pack,
    segments: &[SegmentRecord],
) -> Result<(u64, Vec<SegmentRecord>), StoreError> {
    let path = new.path(dir, levels);
    let file = File::create(&path).map_err(StoreError::io(&path))?;
    let (mut end, mut anew) = (0, Vec::new());
    for record in segments {
        let from = catalog.pack(record).path(dir, levels);
        let mut bytes = vec![0; record.length as usize];
        let read = File::open(&from).and_then(|file| file.read_exact_at(&mut bytes, record.offset));
        read.map_err(StoreError::io(&from))?;
        file.write_all_at(&bytes, end).map_err(StoreError::io(&path))?;
        anew.push(SegmentRecord { offset: end, generation: new.generation, ..*record });
        end += record.length;
    }
    file.sync_all().map_err(StoreError::io(&path))?;
    let directory = Pack::directory(dir, levels, new.level);
    sync(&directory).map_err(StoreError::io(&directory))?;
    Ok((end, anew))
}
