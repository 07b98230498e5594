//! Misra-Gries, as Frequent Items: a table of counters, of which the lowest go when it is full.
//!
//! - **Guarantee**: certain, two-sided. A key's true weight is in `low..=high`; `high - low` is at most
//!   `4 / 3 * total / capacity`, after any merges too, and 0 for keys that were there from the start.
//! - **Memory**: `capacity` entries of 32 bytes, their index and their keys. For an error of epsilon: 4 / (3 epsilon).
//! - **Cost**: amortised O(1) an update, one or two cache misses; a full table sorts itself once for the inserts of a
//!   quarter of it.
//! - **Merges**: yes; the error of any merge tree is within the bound above, of the total of all.
//!
//! Sources: Misra and Gries, "Finding repeated elements", 1982; Anderson et al., "A High-Performance Algorithm for
//! Identifying Frequent Items in Data Streams", IMC 2017 (many counters dropped at once, weights); Agarwal et al.,
//! "Mergeable Summaries", PODS 2012 (merging).

use super::entries::Room;
use super::floored::Floored;
use super::{DamagedSketch, MergeError, Overflow, Sketch, frame};
use crate::ranking::Estimate;

pub(super) const KIND: u8 = 2;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct MisraGries(Floored);

impl MisraGries {
    /// A sketch of `capacity` counters (1 to 2^26), with room for 64 bytes of key a counter and 64 KiB at least.
    pub fn new(capacity: usize) -> Self {
        MisraGries(Floored::new(Room::for_entries(capacity)))
    }

    /// The largest sketch whose [`most_memory`](Sketch::most_memory) is within `bytes`, 1 KiB at least.
    pub fn with_memory(bytes: usize) -> Self {
        MisraGries(Floored::new(Room::for_memory(bytes.max(1024) - size_of::<Self>())))
    }

    /// The counters that keep the width of each key's bounds within `epsilon` times the total, for certain.
    pub fn counters(epsilon: f64) -> f64 {
        (4.0 / 3.0 / epsilon).ceil()
    }
}

impl Sketch for MisraGries {
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        self.0.add(hash, key, weight)
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.0.merge(&other.0)
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        self.0.estimate(hash, key)
    }

    fn each_tracked<'a>(&'a self, mut each: impl FnMut(&'a [u8], Estimate)) {
        self.0.entries.iter().for_each(|(entry, key)| each(key, entry.bounds()));
    }

    fn most_untracked(&self) -> u64 {
        self.0.floor
    }

    fn capacity(&self) -> usize {
        self.0.entries.room().entries
    }

    fn total(&self) -> u128 {
        self.0.total
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }

    fn most_memory(&self) -> usize {
        size_of::<Self>() + self.0.entries.room().bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = frame::begin(KIND);
        self.0.write(&mut out);
        frame::seal(out)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        let mut from = frame::open(KIND, bytes)?;
        let read = Floored::read(&mut from)?;
        from.end()?;
        Ok(MisraGries(read))
    }
}
