//! Parquet files of counts, for other tools.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::error::StoreError;
use super::reader::Store;
use super::segment::block::Entries;
use crate::sink::key::key_text;

/// The columns: one row for each window and key.
const SCHEMA: &str = "message hitters {
    required int64 window_start (TIMESTAMP(MILLIS, true));
    required int64 window_end (TIMESTAMP(MILLIS, true));
    required byte_array key (STRING);
    required int64 count (INTEGER(64, false));
}";
/// Rows in a row group, about.
const GROUP: usize = 1 << 20;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read, or a segment that is asked for is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error("the export cannot be written: {0}")]
    Parquet(#[from] ParquetError),
    /// There are no windows of that length.
    #[error("the store has no windows of {wanted}; choose one of: {known}")]
    Level {
        /// What was asked for.
        wanted: String,
        /// The lengths that there are.
        known: String,
    },
}

/// Rows that wait for their row group.
#[derive(Default)]
struct Rows {
    starts: Vec<i64>,
    ends: Vec<i64>,
    keys: Vec<ByteArray>,
    counts: Vec<i64>,
}

/// Writes the counts of the windows of one level that start from `from` up to, without, `to`; how many rows. Keys are
/// written as in results. Memory: a row group and the dictionary.
///
/// # Errors
/// [`ExportError`] when something cannot be read or written.
pub fn export(store: &Store, level: &str, from: i64, to: i64, out: impl Write + Send) -> Result<u64, ExportError> {
    let catalog = store.catalog()?;
    let levels = catalog.levels();
    let found = (0..levels.count()).find(|&at| levels.name(at) == level);
    let level = found.ok_or_else(|| ExportError::Level {
        wanted: level.into(),
        known: (0..levels.count()).map(|at| levels.name(at)).collect::<Vec<_>>().join(" "),
    })?;
    let mut keys = vec![ByteArray::new(); catalog.keys() as usize];
    store.keys().for_each(&catalog, 0..catalog.keys(), |id, key| {
        if let Some(key) = key {
            keys[id as usize] = ByteArray::from(key_text(key).as_bytes().to_vec());
        }
    })?;
    if let Some(what) = store.keys().damaged().into_iter().next() {
        return Err(StoreError::Damaged { what }.into());
    }
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let (mut rows, mut written, mut open) = (Rows::default(), 0, Entries::default());
    for record in catalog.windows(level, from..to) {
        let end = levels.end(level, record.start);
        store.segment_once(&catalog, record)?.for_each_in(0..u32::MAX, &mut open, |id, count| {
            rows.starts.push(record.start);
            rows.ends.push(end);
            rows.keys.push(keys.get(id as usize).cloned().unwrap_or_default());
            rows.counts.push(count as i64);
        })?;
        if rows.starts.len() >= GROUP {
            written += rows.write(&mut writer)?;
        }
    }
    written += rows.write(&mut writer)?;
    writer.close()?;
    Ok(written)
}

impl Rows {
    /// Writes a row group of what waits.
    fn write<W: Write + Send>(&mut self, writer: &mut SerializedFileWriter<W>) -> Result<u64, ParquetError> {
        let rows = std::mem::take(self);
        if rows.starts.is_empty() {
            return Ok(0);
        }
        let mut group = writer.next_row_group()?;
        let mut integers = [rows.starts.as_slice(), &rows.ends, &rows.counts].into_iter();
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(column) => {
                    column.write_batch(integers.next().unwrap_or_default(), None, None)?;
                }
                ColumnWriter::ByteArrayColumnWriter(column) => {
                    column.write_batch(&rows.keys, None, None)?;
                }
                _ => return Err(ParquetError::General("a column of another type".into())),
            }
            column.close()?;
        }
        group.close()?;
        Ok(rows.starts.len() as u64)
    }
}
