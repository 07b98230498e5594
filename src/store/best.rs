//! The k best keys of each window, for the tables.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hitters_dataflows::count::top::Top;
use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};

use super::catalog::Catalog;
use super::error::StoreError;
use super::index::Index;
use super::level::Levels;
use super::manifest::SegmentRecord;
use super::tables::{self, Tables};

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

    /// Drops rankings of windows of a level that start before a time.
    pub(super) fn drop_before(&self, levels: &Levels, level: usize, start: i64) -> Result<(), StoreError> {
        match tables::table(levels.length(level)) {
            Some(table) => self.tables.drop_before(table, start),
            None => Ok(()),
        }
    }

    /// Whether there is a table for the windows of a level.
    pub(super) fn has(&self, levels: &Levels, level: usize) -> bool {
        tables::table(levels.length(level)).is_some()
    }

    /// The k best. Only keys whose counts may be among them are looked at.
    fn rows(&self, index: &Index, entries: &[(u32, u64)]) -> Vec<Row> {
        let (mut top, least) = (Top::new(self.k), least(entries, self.k));
        let among = entries.iter().filter(|(_, count)| *count >= least);
        among.for_each(|&(id, count)| top.give(count, index.key(id)));
        let row = |(count, key)| Row { key, estimate: Estimate::exact(count), certified: true };
        top.into_sorted().into_iter().map(row).collect()
    }
}

/// The k-th highest count, or 0 when there are fewer. O(entries) where few of them are among the highest so far.
pub(super) fn least(entries: &[(u32, u64)], k: usize) -> u64 {
    if k == 0 || entries.len() < k {
        return 0;
    }
    let (first, others) = entries.split_at(k);
    let mut highest: BinaryHeap<_> = first.iter().map(|(_, count)| Reverse(*count)).collect();
    let least = |highest: &BinaryHeap<Reverse<u64>>| highest.peek().map_or(0, |least| least.0);
    let mut floor = least(&highest);
    for &(_, count) in others {
        if count > floor {
            highest.pop();
            highest.push(Reverse(count));
            floor = least(&highest);
        }
    }
    floor
}
