//! The k best keys of each window, for the tables.

use hitters_dataflows::ranking::{Estimate, Ranking, Row, Window};

use super::catalog::Catalog;
use super::error::StoreError;
use super::index::Index;
use super::level::Levels;
use super::manifest::SegmentRecord;
use super::segment::block::Entries;
use super::tables::{self, Tables};
use super::writer::Writer;

/// Ranks windows as they are written, and puts the rankings into the tables.
pub(super) struct Best {
    pub(super) tables: Tables,
    pub(super) k: usize,
}

impl Best {
    /// Puts the ranking of a window whose counts are `entries`, if there is a table for windows of its length.
    pub(super) fn put(
        &self,
        catalog: &Catalog,
        index: &Index,
        record: &SegmentRecord,
        entries: &[(u32, u64)],
    ) -> Result<(), StoreError> {
        let level = usize::from(record.level);
        let Some(table) = tables::table(catalog.levels().length(level)) else { return Ok(()) };
        let ranking = Ranking {
            window: Window { start: record.start, end: catalog.levels().end(level, record.start) },
            state: tables::state(record.revised),
            total: record.total,
            rows: self.rows(index, entries),
            confidence: 1.0,
        };
        self.tables.put(table, &ranking)
    }

    /// As [`put`](Best::put), for a window that is stored already.
    pub(super) fn put_stored(&self, writer: &mut Writer, record: &SegmentRecord) -> Result<(), StoreError> {
        let (segment, mut entries) = (writer.load(record)?, Vec::new());
        segment.for_each_in(0..u32::MAX, &mut Entries::default(), |id, count| entries.push((id, count)))?;
        self.put(writer.catalog(), writer.index(), record, &entries)
    }

    /// Drops rankings of windows of a level that start before a time.
    pub(super) fn drop_before(&self, levels: &Levels, level: usize, start: i64) -> Result<(), StoreError> {
        match tables::table(levels.length(level)) {
            Some(table) => self.tables.drop_before(table, start),
            None => Ok(()),
        }
    }

    fn rows(&self, index: &Index, entries: &[(u32, u64)]) -> Vec<Row> {
        let order = |a: &(u32, u64), b: &(u32, u64)| b.1.cmp(&a.1).then_with(|| index.key(a.0).cmp(index.key(b.0)));
        let mut counts: Vec<u64> = entries.iter().map(|(_, count)| *count).collect();
        let last = match self.k.checked_sub(1) {
            Some(last) if last < counts.len() => *counts.select_nth_unstable_by(last, |a, b| b.cmp(a)).1,
            _ => 0,
        };
        // Most keys have the lowest counts: keys are compared only where that decides.
        let mut best: Vec<_> = entries.iter().copied().filter(|(_, count)| *count >= last).collect();
        if self.k > 0 && self.k < best.len() {
            best.select_nth_unstable_by(self.k - 1, order);
        }
        best.truncate(self.k);
        best.sort_unstable_by(order);
        let row = |(id, count)| Row { key: index.key(id).to_vec(), estimate: Estimate::exact(count), certified: true };
        best.into_iter().map(row).collect()
    }
}
