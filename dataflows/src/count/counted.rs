//! The full counts of a window, on their way out of a worker.

use super::CountError;
use super::spill::Counts;
use super::table::Rows;
use crate::ranking::Window;

/// The counts of all keys of one worker in one window.
pub struct Counted {
    /// The window.
    pub window: Window,
    /// Whether late events are counted in.
    pub revised: bool,
    /// What was in memory; empty when a part was not.
    rows: Rows,
    /// What was merged from disk, by column: counts, where each key ends, and their bytes.
    merged: (Vec<u64>, Vec<usize>, Vec<u8>),
}

impl Counted {
    /// Takes the counts out of their table; O(1) when none were spilled, else O(keys).
    ///
    /// # Errors
    /// [`CountError`] when spilled counts cannot be read or do not fit.
    pub(super) fn new(window: Window, revised: bool, from: Counts) -> Result<Self, CountError> {
        let (mut counts, mut ends, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = Rows::default();
        if from.is_spilled() {
            from.for_each(|count, key| {
                counts.push(count);
                bytes.extend_from_slice(key);
                ends.push(bytes.len());
            })?;
        } else {
            rows = from.into_rows();
        }
        Ok(Counted { window, revised, rows, merged: (counts, ends, bytes) })
    }

    /// Every key and its count, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let (counts, ends, bytes) = &self.merged;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let merged = starts.zip(ends).map(|(start, &end)| &bytes[start..end]).zip(counts.iter().copied());
        self.rows.iter().map(|(count, key)| (key, count)).chain(merged)
    }
}
