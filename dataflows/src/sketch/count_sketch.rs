//! Count Sketch: rows of signed counters; the median over the rows is a key's estimate.
//!
//! - **Guarantee**: two-sided, with probability `1 - delta` for each key: the estimate is off by at most
//!   `epsilon * sqrt(F2)`, where F2 is the sum of the squares of all true weights, which on skewed streams is far less
//!   than the square of the total. The bounds shown take F2 from the sketch itself, as the highest sum of squares of a
//!   row. `low` is never below what was seen of the key since it became a candidate, which is certain.
//! - **Memory**: `8 / epsilon^2` counters of 8 bytes in each of as many rows as it takes for the median to fail with
//!   probability `delta` when each row fails with 1/8 (Chebyshev's inequality), and `2 k` candidates.
//! - **Cost**: O(rows) an update, a cache miss a row.
//! - **Merges**: yes; cell by cell.
//! - **Range**: the total must stay within 2^63 - 1.
//!
//! Source: Charikar, Chen and Farach-Colton, "Finding Frequent Items in Data Streams", ICALP 2002.

use super::count_min::share_of_candidates;
use super::counted::{Cells, Counted};
use super::entries::Room;
use super::frame::{Reader, write_varint};
use super::mix::{of_row, place};
use super::{DamagedSketch, MergeError, Overflow};

/// See the [module](self).
pub type CountSketch = Counted<SignedRows>;

const MOST_ROWS: usize = 63;
/// One over the probability that a single row is off by more than the error.
const ROW_FAILS: f64 = 8.0;

/// Rows of signed counters.
#[derive(Clone, Debug)]
pub struct SignedRows {
    width: usize,
    /// Row by row.
    counters: Vec<i64>,
    /// The sum of the squares of each row's counters.
    squares: Vec<f64>,
    /// All weight, which no counter exceeds.
    weight: i64,
}

impl CountSketch {
    /// The sketch for estimates that are off by at most `epsilon` times the root of F2, with probability `1 - delta` (both
    /// above 0 and below 1), that ranks `k` keys.
    pub fn new(epsilon: f64, delta: f64, k: usize) -> Self {
        let cells = SignedRows::empty(rows(delta), width(epsilon) as usize);
        Self::with(cells, Room::for_entries(Self::candidates(k)))
    }

    /// The widest sketch within `bytes` of memory, of the rows that `delta` takes. Candidates take a quarter at most.
    pub fn with_memory(bytes: usize, delta: f64, k: usize) -> Self {
        let room = share_of_candidates(bytes, Self::candidates(k));
        let sums = rows(delta) * size_of::<f64>();
        let left = bytes.saturating_sub(Self::bytes_beside_cells(room) + sums);
        Self::with(SignedRows::empty(rows(delta), left / size_of::<i64>() / rows(delta)), room)
    }
}

/// The fewest rows (an odd number) of which more than half fail with a probability of at most `delta`.
pub(super) fn rows(delta: f64) -> usize {
    (1..MOST_ROWS).step_by(2).find(|&rows| median_fails(rows) <= delta).unwrap_or(MOST_ROWS)
}

/// The probability that more than half of `rows` fail, when each does with its own.
fn median_fails(rows: usize) -> f64 {
    let (fails, holds) = (1.0 / ROW_FAILS, 1.0 - 1.0 / ROW_FAILS);
    let mut exactly = f64::powi(holds, rows as i32);
    let mut most_half = 0.0;
    for failed in 0..=rows / 2 {
        most_half += exactly;
        exactly *= (rows - failed) as f64 / (failed + 1) as f64 * fails / holds;
    }
    (1.0 - most_half).max(0.0)
}

/// The counters a row that an error of `epsilon` takes.
pub(super) fn width(epsilon: f64) -> f64 {
    (ROW_FAILS / epsilon / epsilon).ceil()
}

impl SignedRows {
    fn empty(rows: usize, width: usize) -> Self {
        let width = width.clamp(1, u32::MAX as usize);
        SignedRows { width, counters: vec![0; rows * width], squares: vec![0.0; rows], weight: 0 }
    }

    fn rows(&self) -> usize {
        self.squares.len()
    }

    /// A key's counter in a row, and the sign that its weights have there.
    #[inline(always)]
    fn at(&self, hash: u64, row: usize) -> (usize, i64) {
        let mixed = of_row(hash, row);
        (row * self.width + place(mixed, self.width), (mixed as i64 & 1) * 2 - 1)
    }

    fn sum_squares(&mut self) {
        let row = |row: &[i64]| row.iter().map(|&counter| (counter as f64).powi(2)).sum();
        self.squares = self.counters.chunks_exact(self.width).map(row).collect();
    }
}

impl Cells for SignedRows {
    const KIND: u8 = 5;
    const NEVER_UNDER: bool = false;

    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow> {
        let weight = i64::try_from(weight).map_err(|_| Overflow)?;
        self.weight = self.weight.checked_add(weight).ok_or(Overflow)?;
        for row in 0..self.rows() {
            let (at, sign) = self.at(hash, row);
            let (old, new) = (self.counters[at], self.counters[at] + sign * weight);
            self.squares[row] += (new as f64 - old as f64) * (new as f64 + old as f64);
            self.counters[at] = new;
        }
        Ok(self.estimate(hash))
    }

    fn estimate(&self, hash: u64) -> u64 {
        let mut estimates = [0; MOST_ROWS];
        let estimates = &mut estimates[..self.rows()];
        for (row, estimate) in estimates.iter_mut().enumerate() {
            let (at, sign) = self.at(hash, row);
            *estimate = sign * self.counters[at];
        }
        let middle = estimates.len() / 2;
        (*estimates.select_nth_unstable(middle).1).max(0) as u64
    }

    fn around(&self, estimate: u64, total: u128) -> (u64, u64) {
        let squares = self.squares.iter().copied().fold(0.0, f64::max);
        let error = (squares * ROW_FAILS / self.width as f64).sqrt().ceil() as u64;
        (estimate.saturating_sub(error), u128::from(estimate.saturating_add(error)).min(total) as u64)
    }

    fn confidence(&self) -> f64 {
        1.0 - median_fails(self.rows())
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if (self.rows(), self.width) != (other.rows(), other.width) {
            return Err(MergeError::Settings);
        }
        self.weight = self.weight.checked_add(other.weight).ok_or(Overflow)?;
        self.counters.iter_mut().zip(&other.counters).for_each(|(mine, theirs)| *mine += theirs);
        self.sum_squares();
        Ok(())
    }

    fn memory(&self) -> usize {
        self.counters.capacity() * size_of::<i64>() + self.squares.capacity() * size_of::<f64>()
    }

    /// Rows as u8, width as u32, weight as varint, counters as varints, each doubled, and negative ones less one, negated;
    /// sums of squares as f64.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.rows() as u8);
        out.extend_from_slice(&(self.width as u32).to_le_bytes());
        write_varint(self.weight as u64, out);
        self.counters.iter().for_each(|&counter| write_varint((counter << 1 ^ counter >> 63) as u64, out));
        self.squares.iter().for_each(|sum| out.extend_from_slice(&sum.to_bits().to_le_bytes()));
    }

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let (rows, width) = (usize::from(from.byte()?), from.fixed_u32()? as usize);
        if !(1..=MOST_ROWS).contains(&rows) || width == 0 {
            return Err(DamagedSketch::Content("size"));
        }
        let weight = i64::try_from(from.varint()?).map_err(|_| DamagedSketch::Content("total"))?;
        let counters = from.varints(rows * width)?;
        let counters: Vec<i64> = counters.into_iter().map(|word| (word >> 1) as i64 ^ -((word & 1) as i64)).collect();
        if counters.iter().any(|counter| counter.unsigned_abs() > weight as u64) {
            return Err(DamagedSketch::Content("counter"));
        }
        let mut squares = Vec::with_capacity(rows);
        for _ in 0..rows {
            let sum = f64::from_bits(from.fixed_u64()?);
            if !(sum >= 0.0 && sum.is_finite()) {
                return Err(DamagedSketch::Content("sum of squares"));
            }
            squares.push(sum);
        }
        Ok(SignedRows { width, counters, squares, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_many_as_the_median_needs() {
        assert_eq!([0.2, 0.05, 0.02, 0.01, 1e-4].map(rows), [1, 3, 5, 7, 17]);
        // 3 of 3, or 2 of 3.
        assert!((median_fails(3) - (1.0 / 512.0 + 3.0 * 7.0 / 512.0)).abs() < 1e-12);
    }

    #[test]
    fn sums_of_squares_follow_the_counters() {
        let mut cells = SignedRows::empty(3, 20);
        (0..1000u64).try_for_each(|at| cells.add(at * at % 77, at).map(drop)).expect("small weights");
        let kept = cells.squares.clone();
        cells.sum_squares();
        assert!(kept.iter().zip(&cells.squares).all(|(kept, sum)| (kept / sum - 1.0).abs() < 1e-9));
    }
}
