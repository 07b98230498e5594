//! Counts that outgrow memory: sorted runs in one temporary file, merged when they are wanted.
//!
//! A run holds its keys in the order of (lower half of the hash, key bytes), each as half hash u32 LE, key length u32 LE,
//! count u64 LE, key bytes. The file has no name in its directory from the start, so that nothing is left of it however
//! the process ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::table::{Rows, Table};
use super::top::Top;
use super::{CountError, CountOverflow};
use crate::parcel::SlotRows;

/// How much of all runs together is read at a time, and of one run at least and at most.
const READ: usize = 8 << 20;
const READ_OF_ONE: (usize, usize) = (4 << 10, 128 << 10);

/// The exact counts of one window: a table, and runs of what did not fit in memory.
pub struct Counts {
    table: Table,
    runs: Vec<Range<u64>>,
    file: Option<File>,
    dir: PathBuf,
    /// The total weight.
    total: u128,
}

impl Counts {
    /// Empty counts, whose runs go to a file in `dir` when there are any.
    pub fn new(dir: &Path) -> Self {
        Counts { table: Table::default(), runs: Vec::new(), file: None, dir: dir.into(), total: 0 }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty() && self.runs.is_empty()
    }

    /// The total weight of all keys.
    pub fn total(&self) -> u128 {
        self.total
    }

    /// The bytes held in memory, about.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    /// Adds `weight` to the count of `key`.
    ///
    /// # Errors
    /// [`CountOverflow`] when the count passes 2^64 - 1.
    #[inline]
    pub fn add(&mut self, hash: u64, weight: u64, key: &[u8]) -> Result<(), CountOverflow> {
        self.total += u128::from(weight);
        self.table.add(hash, weight, key)
    }

    /// Adds rows, whatever their slot; see [`Table::add_rows`].
    ///
    /// # Errors
    /// [`CountOverflow`] when a count passes 2^64 - 1.
    pub fn add_rows(&mut self, rows: &SlotRows<'_>) -> Result<(), CountOverflow> {
        self.total += rows.weights.iter().map(|&w| u128::from(w)).sum::<u128>();
        self.table.add_rows(rows)
    }

    /// Adds the counts of `other`, in memory and on disk.
    ///
    /// # Errors
    /// [`CountError`] when a count does not fit or a run cannot be copied.
    pub fn add_all(&mut self, other: Counts) -> Result<(), CountError> {
        self.total += other.total;
        self.table.add_all(&other.table)?;
        for run in other.runs.iter().map(|range| Run::new(&other, range)) {
            let mut run = run?;
            let Spilled { file, start } = &mut self.writer()?;
            let mut out = BufWriter::new(&*file);
            let written = (|| {
                while let Some(record) = run.take()? {
                    write(&mut out, record.hash, record.count, &record.key)?;
                }
                out.flush()
            })();
            written.map_err(|e| self.failed(e))?;
            let (start, end) = (*start, self.position()?);
            self.runs.push(start..end);
        }
        Ok(())
    }

    /// Moves the counts in memory to a new run on disk.
    ///
    /// # Errors
    /// [`CountError::Spill`] when it cannot be written, as on a full disk.
    pub fn spill(&mut self) -> Result<(), CountError> {
        let table = std::mem::take(&mut self.table);
        let Spilled { file, start } = self.writer()?;
        let mut out = BufWriter::with_capacity(1 << 20, &file);
        table
            .sorted()
            .try_for_each(|(hash, count, key)| write(&mut out, hash, count, key))
            .and_then(|()| out.flush())
            .map_err(|e| self.failed(e))?;
        let end = self.position()?;
        self.runs.push(start..end);
        Ok(())
    }

    /// The k best keys.
    ///
    /// # Errors
    /// [`CountError`] when a run cannot be read or a sum over runs does not fit.
    pub fn top(&self, k: usize) -> Result<Vec<(u64, Vec<u8>)>, CountError> {
        let mut top = Top::new(k);
        self.for_each(|count, key| top.give(count, key))?;
        Ok(top.into_sorted())
    }

    /// Calls `each` with the count of every key.
    ///
    /// # Errors
    /// As for [`top`](Counts::top).
    pub fn for_each(&self, mut each: impl FnMut(u64, &[u8])) -> Result<(), CountError> {
        if self.is_spilled() {
            return self.merge(each);
        }
        self.table.iter().for_each(|(count, key)| each(count, key));
        Ok(())
    }

    /// Whether some are on disk.
    pub(super) fn is_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// The rows in memory. O(1).
    pub(super) fn into_rows(self) -> Rows {
        self.table.into_rows()
    }

    /// Calls `each` with the count of every key, summed over memory and all runs.
    fn merge(&self, mut each: impl FnMut(u64, &[u8])) -> Result<(), CountError> {
        let mut rows = self.table.sorted().peekable();
        let mut runs = Vec::new();
        for range in &self.runs {
            runs.push(Run::new(self, range)?);
        }
        let mut heads = BinaryHeap::new();
        for (i, run) in runs.iter_mut().enumerate() {
            heads.extend(run.take().map_err(|e| self.failed(e))?.map(|record| Reverse((record, i))));
        }
        // The smallest key of all, and its sum so far.
        let mut current: Option<Record> = None;
        let mut add = |hash: u32, count: u64, key: &[u8]| -> Result<(), CountOverflow> {
            match &mut current {
                Some(record) if record.hash == hash && record.key == key => {
                    let sum = record.count.checked_add(count);
                    record.count = sum.ok_or_else(|| CountOverflow { key: key.to_vec() })?;
                }
                _ => {
                    let next = Record { hash, key: key.to_vec(), count };
                    if let Some(done) = current.replace(next) {
                        each(done.count, &done.key);
                    }
                }
            }
            Ok(())
        };
        loop {
            let on_disk = heads.peek().map(|Reverse((record, _))| (record.hash, record.key.as_slice()));
            match (rows.peek(), on_disk) {
                (None, None) => break,
                (Some((hash, _, key)), disk) if disk.is_none_or(|disk| (*hash, *key) <= disk) => {
                    let (hash, count, key) = rows.next().expect("just seen");
                    add(hash, count, key)?;
                }
                _ => {
                    let mut head = heads.peek_mut().expect("just seen");
                    let Reverse((record, i)) = &mut *head;
                    add(record.hash, record.count, &record.key)?;
                    match runs[*i].take().map_err(|e| self.failed(e))? {
                        Some(next) => *record = next,
                        None => drop(PeekMut::pop(head)),
                    }
                }
            }
        }
        if let Some(last) = current {
            each(last.count, &last.key);
        }
        Ok(())
    }

    /// The spill file, at its end.
    fn writer(&mut self) -> Result<Spilled, CountError> {
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(&self.dir).map_err(|e| self.failed(e))?);
        }
        let file = self.file.as_ref().expect("just made").try_clone().map_err(|e| self.failed(e))?;
        Ok(Spilled { start: self.position()?, file })
    }

    fn position(&self) -> Result<u64, CountError> {
        let mut file = self.file.as_ref().expect("the spill file is made before it is asked for");
        file.stream_position().map_err(|e| self.failed(e))
    }

    fn failed(&self, error: io::Error) -> CountError {
        CountError::Spill { dir: self.dir.display().to_string(), error }
    }
}

/// The spill file and where the next run starts in it.
struct Spilled {
    file: File,
    start: u64,
}

/// One key's count in a run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    hash: u32,
    key: Vec<u8>,
    count: u64,
}

fn write(out: &mut impl Write, hash: u32, count: u64, key: &[u8]) -> io::Result<()> {
    out.write_all(&hash.to_le_bytes())?;
    out.write_all(&(key.len() as u32).to_le_bytes())?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(key)
}

/// Reads a run from its start.
struct Run<'a> {
    file: &'a File,
    range: Range<u64>,
    /// How much is read at a time.
    read: usize,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Run<'a> {
    fn new(of: &'a Counts, range: &Range<u64>) -> Result<Self, CountError> {
        let file = of.file.as_ref().expect("runs are in the spill file");
        let read = (READ / of.runs.len()).clamp(READ_OF_ONE.0, READ_OF_ONE.1);
        Ok(Run { file, range: range.clone(), read, buffer: Vec::new(), at: 0 })
    }

    fn take(&mut self) -> io::Result<Option<Record>> {
        if !self.fill(16)? {
            return Ok(None);
        }
        let head = &self.buffer[self.at..];
        let half = |from| u32::from_le_bytes(head[from..][..4].try_into().expect("4 bytes"));
        let (hash, length) = (half(0), half(4) as usize);
        let count = u64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
        self.at += 16;
        if !self.fill(length)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let key = self.buffer[self.at..][..length].to_vec();
        self.at += length;
        Ok(Some(Record { hash, key, count }))
    }

    /// Makes sure that `length` more bytes are in the buffer; `false` at the end of the run.
    fn fill(&mut self, length: usize) -> io::Result<bool> {
        if self.buffer.len() - self.at >= length {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        let more = (self.range.end - self.range.start).min(self.read.max(length) as u64) as usize;
        self.buffer.resize(held + more, 0);
        self.file.read_exact_at(&mut self.buffer[held..], self.range.start)?;
        self.range.start += more as u64;
        Ok(self.buffer.len() >= length && length > 0 || length == 0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn spilled_or_not_the_best_are_the_same(
            rows in prop::collection::vec((0u32..300, 0u64..50, prop::bool::weighted(0.02)), 0..2000),
            k in 0usize..40,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (mut plain, mut spilled) = (Counts::new(dir.path()), Counts::new(dir.path()));
            let mut other = Counts::new(dir.path());
            for (i, (n, weight, spill)) in rows.iter().enumerate() {
                let key = n.to_le_bytes().repeat(1 + *n as usize % 9);
                // Hashes that collide, so that order within a hash matters.
                let hash = u64::from(n % 40) << 32;
                plain.add(hash, *weight, &key).unwrap();
                let to = if i % 3 == 0 { &mut other } else { &mut spilled };
                to.add(hash, *weight, &key).unwrap();
                if *spill {
                    to.spill().unwrap();
                }
            }
            spilled.add_all(other).unwrap();
            prop_assert_eq!(spilled.top(k).unwrap(), plain.top(k).unwrap());
            prop_assert_eq!(spilled.total(), plain.total());
            prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the directory is clean");
        }
    }

    #[test]
    fn a_sum_over_runs_beyond_u64_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut counts = Counts::new(dir.path());
        counts.add(1, u64::MAX, b"big").unwrap();
        counts.spill().unwrap();
        counts.add(1, 1, b"big").unwrap();
        assert!(matches!(counts.top(1), Err(CountError::Overflow(_))));
    }

    #[test]
    fn a_directory_that_is_not_there_is_a_clear_error() {
        let mut counts = Counts::new(Path::new("/nowhere/at/all"));
        counts.add(1, 1, b"key").unwrap();
        let error = counts.spill().unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all") && error.contains("--spill-dir"), "{error}");
    }
}
