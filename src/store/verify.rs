//! Checking every byte that is published.

use super::error::StoreError;
use super::level::Levels;
use super::reader::{self, Opened, Store};
use super::segment::block::Entries;
use super::{lookup, tables};

/// What a store holds, and what of it is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments read.
    pub segments: u64,
    /// Their entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys read.
    pub keys: u64,
    /// What is damaged, each in a few words.
    pub damaged: Vec<String>,
}

/// Reads all that is published and checks it: checksums, and that every coarser window is the sum of the finer ones that
/// are kept, and the tables hold the rankings that the segments give. Memory: one segment at a time. O(bytes).
///
/// # Errors
/// [`StoreError`] when the store cannot be read at all; what is damaged is in the report.
pub fn verify(store: &Store) -> Result<Report, StoreError> {
    let catalog = store.catalog()?;
    let mut report = Report::default();
    let lost = catalog.damaged().iter();
    report
        .damaged
        .extend(lost.map(|number| format!("record {number} of the manifest; what it published is not known")));
    if Opened::open(store.dir())?.damaged_slots > 0 {
        report.damaged.push("the manifest (its header)".into());
    }
    store.keys().for_each(&catalog, 0..catalog.keys(), |_, key| report.keys += u64::from(key.is_some()))?;
    report.damaged.extend(store.keys().damaged());
    let levels: &Levels = catalog.levels();
    for level in 0..levels.count() {
        for record in catalog.all(level) {
            let mut open = Entries::default();
            let (mut total, mut entries) = (0u128, 0u64);
            let read = store.segment_once(&catalog, record).and_then(|segment| {
                segment.for_each_in(0..u32::MAX, &mut open, |_, count| {
                    total += u128::from(count);
                    entries += 1;
                })
            });
            match read {
                Ok(_) => {
                    report.segments += 1;
                    report.entries += entries;
                    report.bytes += record.length;
                    let finer =
                        (level > 0).then(|| catalog.windows(level - 1, record.start..levels.end(level, record.start)));
                    let sum = finer.map(|finer| finer.map(|finer| finer.total).sum::<u128>());
                    let is_whole = level == 0 || record.start >= catalog.floor(level - 1);
                    if total != record.total || (is_whole && sum.is_some_and(|sum| sum != total)) {
                        report.damaged.push(format!("the segment {} (its total)", reader::name(&catalog, record)));
                    }
                }
                Err(StoreError::Damaged { what }) => report.damaged.push(what),
                Err(error) if error.is_gone() => report.damaged.push(format!("{error}")),
                Err(error) => return Err(error),
            }
        }
    }
    report.damaged.extend(lookup::check(store.dir(), &catalog));
    // The tables are compared with segments that are whole.
    match tables::check::structure(store.dir())? {
        Some(what) => report.damaged.push(what),
        None if report.damaged.is_empty() => report.damaged.extend(tables::check::rows(store, &catalog)?),
        None => {}
    }
    Ok(report)
}
