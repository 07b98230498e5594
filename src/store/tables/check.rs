//! Checking the tables: whether SQLite finds them whole, and whether their rows are those of the segments.

use std::path::Path;

use hitters_dataflows::count::top::Top;
use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::super::best::least;
use super::super::catalog::Catalog;
use super::super::error::StoreError;
use super::super::manifest::SegmentRecord;
use super::super::reader::{self, Store};
use super::{NAME, PATIENCE, failed, number, table};
use crate::sink::record::for_each_record;
use crate::sink::time::Rfc3339;

/// The columns of a row but for `window_start`.
type Columns = [Value; 8];

/// What is wrong with the structure of the tables in a directory, if there are any and something is. O(bytes).
///
/// # Errors
/// [`StoreError::Tables`] when they cannot be read for another reason than damage.
pub(in crate::store) fn structure(dir: &Path) -> Result<Option<String>, StoreError> {
    unless_damaged(dir, |tables| {
        let found: String = tables.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        Ok((found != "ok").then_some(found))
    })
}

/// What of the tables' rows is not what the segments say, if the tables belong to this catalog: the first that is found.
/// O(bytes of the segments).
///
/// # Errors
/// [`StoreError`] when tables or segments cannot be read.
pub(in crate::store) fn rows(store: &Store, catalog: &Catalog) -> Result<Option<String>, StoreError> {
    let mut trouble = None;
    let found = unless_damaged(store.dir(), |tables| {
        // Tables that fell behind are made again by the next writer, and so are those that it was stopped before making.
        if !tables.table_exists(None, "hitters_store")? {
            return Ok(None);
        }
        let records: Option<i64> = tables.query_row("SELECT max(records) FROM hitters_store", [], |row| row.get(0))?;
        if records.unwrap_or(0) as u64 != catalog.records() {
            return Ok(None);
        }
        for level in 0..catalog.levels().count() {
            let Some(table) = table(catalog.levels().length(level)) else { continue };
            let mut windows = 0;
            for record in catalog.all(level).filter(|record| record.keys > 0) {
                let found = stored(tables, table, record.start)?;
                match expected(store, catalog, record, found.len()) {
                    Ok(expected) if expected != found => return Ok(Some(reader::name(catalog, record))),
                    Ok(_) => windows += i64::from(!found.is_empty()),
                    Err(error) => {
                        trouble = Some(error);
                        return Ok(None);
                    }
                }
            }
            let all = format!("SELECT count(DISTINCT window_start) FROM {table}");
            let all: i64 = tables.query_row(&all, [], |row| row.get(0))?;
            let with_keys = catalog.all(level).filter(|record| record.keys > 0).count() as i64;
            if all != windows || (windows > 0 && windows != with_keys) {
                return Ok(Some(format!("{table} has other windows than the store")));
            }
        }
        Ok(None)
    })?;
    trouble.map_or(Ok(found), Err)
}

/// The rows of a window, by rank.
fn stored(tables: &Connection, table: &str, start: i64) -> rusqlite::Result<Vec<Columns>> {
    let rows = format!(
        "SELECT window_end, state, rank, key, count, low, high, share FROM {table} WHERE window_start = ?1 ORDER BY rank"
    );
    let mut rows = tables.prepare_cached(&rows)?;
    let rows = rows.query_map([Rfc3339(start).to_string()], |row| {
        let mut columns = [const { Value::Null }; 8];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = row.get(at)?;
        }
        Ok(columns)
    })?;
    rows.collect()
}

/// The first `k` rows of a window as its segment has them.
fn expected(store: &Store, catalog: &Catalog, record: &SegmentRecord, k: usize) -> Result<Vec<Columns>, StoreError> {
    let entries = store.segment_once(catalog, record)?.entries()?;
    let (mut top, least) = (Top::new(k), least(&entries, k));
    let best: Vec<(u32, u64)> = entries.into_iter().filter(|(_, count)| *count >= least).collect();
    let mut counts = best.iter().map(|(_, count)| *count);
    store.keys().for_each(catalog, best.iter().map(|(id, _)| *id), |_, key| {
        if let (Some(count), Some(key)) = (counts.next(), key) {
            top.give(count, key);
        }
    })?;
    let row = |(count, key)| Row { key, estimate: Estimate::exact(count), certified: true };
    let ranking = Ranking {
        window: Window { start: record.start, end: catalog.levels().end(record.level.into(), record.start) },
        state: State::closed(record.revised),
        total: record.total,
        rows: top.into_sorted().into_iter().map(row).collect(),
        confidence: 1.0,
    };
    let mut rows = Vec::with_capacity(ranking.rows.len());
    let pushed: Result<(), std::convert::Infallible> = for_each_record(&ranking, |row| {
        let text = |text: &str| Value::Text(text.into());
        rows.push([
            text(&row.window_end),
            text(row.state),
            Value::Integer(row.rank as i64),
            text(&row.key),
            number(row.count),
            number(row.low),
            number(row.high),
            Value::Real(row.share),
        ]);
        Ok(())
    });
    let Ok(()) = pushed;
    Ok(rows)
}

/// What `check` finds in the tables of a directory, if there are any; what SQLite calls damage is found too.
fn unless_damaged(
    dir: &Path,
    check: impl FnOnce(&Connection) -> rusqlite::Result<Option<String>>,
) -> Result<Option<String>, StoreError> {
    let path = dir.join(NAME);
    if !path.exists() {
        return Ok(None);
    }
    let tables = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let found = tables.and_then(|tables| {
        tables.busy_timeout(PATIENCE)?;
        check(&tables)
    });
    let found = match found {
        Err(error) if is_damage(&error) => Some(error.to_string()),
        found => found.map_err(failed(&path))?,
    };
    Ok(found.map(|what| format!("{} ({what}); the next run with --store makes it again", path.display())))
}

/// Whether SQLite says that this is not what was written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // A file that is cut.
        rusqlite::Error::SqliteFailure(error, _) if error.extended_code == ffi::SQLITE_IOERR_SHORT_READ => true,
        rusqlite::Error::SqliteFailure(error, _) => !matches!(
            error.code,
            ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        ),
        // Columns and tables that are not there, or of another type.
        _ => true,
    }
}
