//! Lossy Counting: keys whose count stays below a fixed part of the total are forgotten from time to time.
//!
//! - **Guarantee**: certain, two-sided. A key's true weight is in `low..=high`; `high - low` is at most
//!   `epsilon * total` as long as the entries suffice, which the paper's bound says they do. When they do not, the rarest
//!   go early, as in Misra-Gries, and the bounds of each key say what was reached.
//! - **Memory**: up to `1 / epsilon * ln(epsilon * total)` entries of 32 bytes, planned for a total of 2^40 and half as
//!   much again, because forgetting waits until it pays.
//! - **Cost**: amortised O(1) an update, one or two cache misses.
//! - **Merges**: yes; errors add, so the error of any merge tree is at most epsilon times the total of all.
//!
//! Source: Manku and Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002, section 4.2.

use super::entries::Room;
use super::floored::Floored;
use super::{DamagedSketch, MergeError, Overflow, Sketch, frame};
use crate::ranking::Estimate;

pub(super) const KIND: u8 = 6;
/// The total weight that memory is planned for.
const PLANNED_TOTAL: f64 = (1u64 << 40) as f64;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct LossyCounting {
    floored: Floored,
    epsilon: f64,
    /// Updates since keys were last forgotten.
    updates: usize,
}

impl LossyCounting {
    /// A sketch for an error of at most `epsilon` (above 0, below 1) times the total.
    pub fn new(epsilon: f64) -> Self {
        Self::in_room(Room::for_entries(Self::entries(epsilon) as usize), epsilon)
    }

    /// A sketch whose [`most_memory`](Sketch::most_memory) is within `bytes`, 1 KiB at least. Its epsilon is 2 / entries,
    /// which takes no more than there are unless the order of keys is hostile; the rarest go early then.
    pub fn with_memory(bytes: usize) -> Self {
        let room = Room::for_memory(bytes.max(1024) - size_of::<Self>());
        Self::in_room(room, (2.0 / room.entries as f64).min(0.5))
    }

    fn in_room(room: Room, epsilon: f64) -> Self {
        LossyCounting { floored: Floored::new(room), epsilon, updates: 0 }
    }

    /// The entries that an error of `epsilon` takes.
    pub fn entries(epsilon: f64) -> f64 {
        (1.5 / epsilon * (epsilon * PLANNED_TOTAL).ln().max(1.0)).ceil()
    }

    /// Forgets what stayed below the error that is due, once that is as much work as was done since the last time.
    fn forget(&mut self) {
        self.updates = self.updates.saturating_add(1);
        if self.updates > self.floored.entries.len() / 2 {
            let due = (self.floored.total as f64 * self.epsilon) as u64;
            if due > self.floored.floor {
                self.floored.raise(due);
                self.updates = 0;
            }
        }
    }
}

impl Sketch for LossyCounting {
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        self.floored.add(hash, key, weight)?;
        self.forget();
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.epsilon != other.epsilon {
            return Err(MergeError::Settings);
        }
        self.floored.merge(&other.floored)
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        self.floored.estimate(hash, key)
    }

    fn each_tracked<'a>(&'a self, mut each: impl FnMut(&'a [u8], Estimate)) {
        self.floored.entries.iter().for_each(|(entry, key)| each(key, entry.bounds()));
    }

    fn most_untracked(&self) -> u64 {
        self.floored.floor
    }

    fn capacity(&self) -> usize {
        self.floored.entries.room().entries
    }

    fn total(&self) -> u128 {
        self.floored.total
    }

    fn memory(&self) -> usize {
        self.floored.memory() + size_of::<Self>() - size_of::<Floored>()
    }

    fn most_memory(&self) -> usize {
        size_of::<Self>() + self.floored.entries.room().bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = frame::begin(KIND);
        out.extend_from_slice(&self.epsilon.to_bits().to_le_bytes());
        out.extend_from_slice(&(self.updates as u64).to_le_bytes());
        self.floored.write(&mut out);
        frame::seal(out)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        let mut from = frame::open(KIND, bytes)?;
        let (epsilon, updates) = (from.part()?, from.fixed_u64()? as usize);
        let floored = Floored::read(&mut from)?;
        from.end()?;
        Ok(LossyCounting { floored, epsilon, updates })
    }
}
