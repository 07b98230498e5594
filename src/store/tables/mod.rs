//! The rankings of minutes, hours and days in SQLite, for people with SQL tools. Queries never read them: they are made
//! from the segments, and made again where they fell behind.
//!
//! ```sql
//! hitters_minute, hitters_hour, hitters_day (
//!     window_start TEXT, window_end TEXT,    -- RFC 3339, UTC
//!     state TEXT, rank INTEGER, key TEXT, count INTEGER, low INTEGER, high INTEGER, share REAL,
//!     PRIMARY KEY (window_start, rank))      -- and an index on (window_start, key)
//! hitters_store (records INTEGER)            -- how much of the manifest is in the tables
//! ```
//!
//! A count above 2^63 - 1, which SQLite has no integer for, is a text.

pub(super) mod check;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hitters_dataflows::ranking::Ranking;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::StoreError;
use super::level::{DAY, HOUR, MINUTE};
use crate::sink::record::for_each_record;
use crate::sink::time::Rfc3339;

/// The file's name.
pub const NAME: &str = "hitters.sqlite";
/// How long another process may hold the tables for itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The table of rankings of windows of a length, if there is one.
pub fn table(length: i64) -> Option<&'static str> {
    match length {
        MINUTE => Some("hitters_minute"),
        HOUR => Some("hitters_hour"),
        DAY => Some("hitters_day"),
        _ => None,
    }
}

/// The tables of a store, open for writing.
pub(super) struct Tables {
    path: PathBuf,
    connection: Connection,
}

impl Tables {
    /// Opens the tables in a directory, or makes them; also in the place of damaged ones, and whether it did.
    pub(super) fn open(dir: &Path) -> Result<(Self, bool), StoreError> {
        let path = dir.join(NAME);
        match Tables::open_file(&path) {
            Err(error) if check::is_damage(&error) => {
                remove(dir)?;
                Ok((Tables::open_file(&path).map_err(failed(&path))?, true))
            }
            opened => Ok((opened.map_err(failed(&path))?, false)),
        }
    }

    fn open_file(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            // As many bytes in a fourth of the reads and writes.
            connection.pragma_update(None, "page_size", 1 << 14)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // They are made again from the segments if the machine stops; so no wait for the disk.
            connection.pragma_update(None, "synchronous", "OFF")?;
            // Tables that are missing are made with the first rows, all or none.
            connection.execute_batch("BEGIN IMMEDIATE")?;
            for length in [MINUTE, HOUR, DAY] {
                let table = table(length).expect("these have tables");
                connection.execute_batch(&format!(
                    "CREATE TABLE IF NOT EXISTS {table} (
                         window_start TEXT NOT NULL, window_end TEXT NOT NULL, state TEXT NOT NULL, rank INTEGER NOT NULL,
                         key TEXT NOT NULL, count INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
                         share REAL NOT NULL, PRIMARY KEY (window_start, rank)) WITHOUT ROWID;
                     CREATE INDEX IF NOT EXISTS {table}_key ON {table} (window_start, key);"
                ))?;
            }
            connection.execute_batch("CREATE TABLE IF NOT EXISTS hitters_store (records INTEGER NOT NULL)")?;
            Ok(connection)
        })?;
        Ok(Tables { path: path.into(), connection })
    }

    /// How many records of the manifest are in the tables.
    pub(super) fn records(&self) -> Result<u64, StoreError> {
        let records =
            self.connection.query_row("SELECT max(records) FROM hitters_store", [], |row| row.get::<_, Option<i64>>(0));
        Ok(records.map_err(failed(&self.path))?.unwrap_or(0) as u64)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) -> Result<(), StoreError> {
        let all = "DELETE FROM hitters_minute; DELETE FROM hitters_hour; DELETE FROM hitters_day";
        self.connection.execute_batch(all).map_err(failed(&self.path))
    }

    /// Puts a ranking in the place of the one that its window had.
    pub(super) fn put(&self, table: &str, ranking: &Ranking) -> Result<(), StoreError> {
        let put = || {
            let start = Rfc3339(ranking.window.start).to_string();
            let delete = format!("DELETE FROM {table} WHERE window_start = ?1");
            self.connection.prepare_cached(&delete)?.execute([&start])?;
            let insert = format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
            let mut insert = self.connection.prepare_cached(&insert)?;
            // What is bound stays, and is the same for all rows.
            insert.raw_bind_parameter(1, &start)?;
            insert.raw_bind_parameter(2, Rfc3339(ranking.window.end).to_string())?;
            insert.raw_bind_parameter(3, ranking.state.name())?;
            for_each_record(ranking, |row| {
                insert.raw_bind_parameter(4, row.rank as i64)?;
                insert.raw_bind_parameter(5, &row.key)?;
                for (at, count) in [(6, row.count), (7, row.low), (8, row.high)] {
                    insert.raw_bind_parameter(at, number(count))?;
                }
                insert.raw_bind_parameter(9, row.share)?;
                insert.raw_execute().map(drop)
            })
        };
        put().map_err(failed(&self.path))
    }

    /// Drops the rankings of windows that start before a time.
    pub(super) fn drop_before(&self, table: &str, start: i64) -> Result<(), StoreError> {
        let delete = format!("DELETE FROM {table} WHERE window_start < ?1");
        self.connection.execute(&delete, [Rfc3339(start).to_string()]).map(drop).map_err(failed(&self.path))
    }

    /// Makes all changes visible at once; they belong to a manifest of so many records.
    pub(super) fn publish(&self, records: u64) -> Result<(), StoreError> {
        let publish = || {
            self.connection.execute("DELETE FROM hitters_store", [])?;
            self.connection.execute("INSERT INTO hitters_store VALUES (?1)", [records as i64])?;
            self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")
        };
        publish().map_err(failed(&self.path))
    }
}

/// Tells the tables of a directory, if there are any, that their manifest now has `after` records instead of `before`. When
/// they did not have all of those, they are made again at the next write.
pub(super) fn follow(dir: &Path, before: u64, after: u64) -> Result<(), StoreError> {
    if !dir.join(NAME).exists() {
        return Ok(());
    }
    let (tables, _) = Tables::open(dir)?;
    tables.publish(if tables.records()? == before { after } else { 0 })
}

/// Removes the tables of a directory, and what SQLite keeps beside them.
pub(super) fn remove(dir: &Path) -> Result<(), StoreError> {
    for beside in ["", "-wal", "-shm", "-journal"] {
        let path = dir.join(format!("{NAME}{beside}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(StoreError::io(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn number(count: u64) -> Value {
    i64::try_from(count).map_or_else(|_| Value::Text(count.to_string()), Value::Integer)
}

fn failed(path: &Path) -> impl FnOnce(rusqlite::Error) -> StoreError + '_ {
    |error| StoreError::Tables { path: path.display().to_string(), error }
}
