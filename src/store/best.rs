//! The k best keys of each window, for the tables.

use hitters_dataflows::count::top::Top;
use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};

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
            state: State::closed(record.revised),
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
        let mut top = Top::new(self.k);
        entries.iter().for_each(|&(id, count)| top.give(count, index.key(id)));
        let row = |(count, key)| Row { key, estimate: Estimate::exact(count), certified: true };
        top.into_sorted().into_iter().map(row).collect()
    }
}
