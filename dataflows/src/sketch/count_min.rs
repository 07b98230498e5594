//! Count-Min: rows of counters, of which each key has one a row; the least of them is its estimate.
//!
//! - **Guarantee**: certain bounds. `high` is the paper's estimate, which never undercounts; with probability `1 - delta` it is
//!   at most `epsilon * total` too high. `low` is what was seen of the key since it became a candidate. A key that is no
//!   candidate came last with an estimate below the candidates', which bounds it as well.
//! - **Count** of a candidate: `low` and the part of the rest that is likely when it was as frequent before.
//! - **Memory**: `e / epsilon` counters of 8 bytes in each of `ln(1 / delta)` rows, and `2 k` candidates.
//! - **Cost**: O(rows) an update, a cache miss a row.
//! - **Merges**: yes; cell by cell.
//!
//! Source: Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch and its Applications",
//! Journal of Algorithms 55, 2005.

use super::counted::{Cells, Counted};
use super::entries::Room;
use super::frame::{Reader, write_varint};
use super::mix::{of_row, place};
use super::{DamagedSketch, MergeError, Overflow};

/// See the [module](self).
pub type CountMin = Counted<Rows>;

/// Rows of counters.
#[derive(Clone, Debug)]
pub struct Rows {
    rows: usize,
    width: usize,
    /// Row by row.
    counters: Vec<u64>,
}

impl CountMin {
    /// The sketch for estimates that are at most `epsilon` times the total too high, with probability `1 - delta` (both
    /// above 0 and below 1), that ranks `k` keys.
    pub fn new(epsilon: f64, delta: f64, k: usize) -> Self {
        let rows = Rows::empty(rows(delta), width(epsilon) as usize);
        Self::with(rows, Room::for_entries(Self::candidates(k)))
    }

    /// The widest sketch within `bytes` of memory, of the rows that `delta` takes. Candidates take a quarter at most.
    pub fn with_memory(bytes: usize, delta: f64, k: usize) -> Self {
        let room = share_of_candidates(bytes, Self::candidates(k));
        let left = bytes.saturating_sub(Self::bytes_beside_cells(room));
        Self::with(Rows::empty(rows(delta), left / size_of::<u64>() / rows(delta)), room)
    }
}

/// Room for `candidates` keys, of usual length where it is within a quarter of `bytes`.
pub(super) fn share_of_candidates(bytes: usize, candidates: usize) -> Room {
    let usual = Room::for_entries(candidates).bytes();
    Room::within(usual.min(bytes / 4), candidates)
}

/// The rows that a probability of `delta` takes.
pub(super) fn rows(delta: f64) -> usize {
    (1.0 / delta).ln().ceil().clamp(1.0, 64.0) as usize
}

/// The counters a row that an error of `epsilon` takes.
pub(super) fn width(epsilon: f64) -> f64 {
    (std::f64::consts::E / epsilon).ceil()
}

impl Rows {
    fn empty(rows: usize, width: usize) -> Self {
        let width = width.clamp(1, u32::MAX as usize);
        Rows { rows, width, counters: vec![0; rows * width] }
    }

    #[inline(always)]
    fn at(&self, hash: u64, row: usize) -> usize {
        row * self.width + place(of_row(hash, row), self.width)
    }
}

impl Cells for Rows {
    const KIND: u8 = 3;
    const NEVER_UNDER: bool = true;

    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow> {
        let mut least = u64::MAX;
        for row in 0..self.rows {
            let at = self.at(hash, row);
            // No key's own weight leaves u64, so a counter that stops at its top still bounds them all.
            self.counters[at] = self.counters[at].saturating_add(weight);
            least = least.min(self.counters[at]);
        }
        Ok(least)
    }

    fn estimate(&self, hash: u64) -> u64 {
        (0..self.rows).map(|row| self.counters[self.at(hash, row)]).min().unwrap_or(0)
    }

    fn around(&self, estimate: u64, _: u128) -> (u64, u64) {
        (0, estimate)
    }

    fn confidence(&self) -> f64 {
        1.0
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if (self.rows, self.width) != (other.rows, other.width) {
            return Err(MergeError::Settings);
        }
        self.counters.iter_mut().zip(&other.counters).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        Ok(())
    }

    fn memory(&self) -> usize {
        self.counters.capacity() * size_of::<u64>()
    }

    /// Rows as u8, width as u32, counters as varints.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.rows as u8);
        out.extend_from_slice(&(self.width as u32).to_le_bytes());
        self.counters.iter().for_each(|&counter| write_varint(counter, out));
    }

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let (rows, width) = (usize::from(from.byte()?), from.fixed_u32()? as usize);
        if rows == 0 || width == 0 {
            return Err(DamagedSketch::Content("size"));
        }
        Ok(Rows { rows, width, counters: from.varints(rows * width)? })
    }
}
