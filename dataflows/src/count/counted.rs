//! The full counts of a window, by column, on their way out of a worker.

use super::CountError;
use super::spill::Counts;
use crate::ranking::Window;

/// The counts of all keys of one worker in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The window.
    pub window: Window,
    /// Whether late events are counted in.
    pub revised: bool,
    counts: Vec<u64>,
    /// Where each key ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Counted {
    /// Copies counts out. O(keys).
    ///
    /// # Errors
    /// [`CountError`] when spilled counts cannot be read or do not fit.
    pub(super) fn new(window: Window, revised: bool, from: &Counts) -> Result<Self, CountError> {
        let mut counted = Counted { window, revised, counts: Vec::new(), ends: Vec::new(), bytes: Vec::new() };
        from.for_each(|count, key| {
            counted.counts.push(count);
            counted.bytes.extend_from_slice(key);
            counted.ends.push(counted.bytes.len());
        })?;
        Ok(counted)
    }

    /// Every key and its count, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let keys = starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end]);
        keys.zip(self.counts.iter().copied())
    }
}
