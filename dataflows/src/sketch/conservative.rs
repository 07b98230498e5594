//! Count-Min with conservative update, of which all counters of a key are in one cache line.
//!
//! An update raises only the counters that are below the key's new estimate, so counters grow slower than in Count-Min,
//! and estimates are never higher than it would give with the same cells.
//!
//! - **Guarantee**: certain bounds. `high` is the estimate, which never undercounts. A line of eight counters, of which a
//!   key has four, gets `total / lines` on average, and a counter half of that; so, by Markov's inequality, the estimate is
//!   at most `epsilon * total` too high with probability `1 - delta` where there are `1 / (2 epsilon delta)` lines. In
//!   practice far less does. `low` is what was seen of the key since it became a candidate.
//! - **Memory**: 64 bytes a line, and `2 k` candidates.
//! - **Cost**: one cache miss an update.
//! - **Merges**: yes; cell by cell: sums of upper bounds are upper bounds of sums. The merged sketch is as good as
//!   Count-Min, no longer better.
//!
//! Sources: Estan and Varghese, "New Directions in Traffic Measurement and Accounting", SIGCOMM 2002 (conservative
//! update); Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007 (one line a key).

use super::count_min::share_of_candidates;
use super::counted::{Cells, Counted};
use super::entries::Room;
use super::frame::{Reader, write_varint};
use super::mix::{of_row, place};
use super::{DamagedSketch, MergeError, Overflow};

/// See the [module](self).
pub type ConservativeCountMin = Counted<Lines>;

const COUNTERS: usize = 8;
/// Every choice of four counters of a line, as bits.
const CHOICES: [u8; 70] = choices();

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u64; COUNTERS]);

/// Counters by the cache line.
#[derive(Clone, Debug)]
pub struct Lines(Vec<Line>);

const fn choices() -> [u8; 70] {
    let (mut choices, mut found, mut bits) = ([0; 70], 0, 0u8);
    while bits < u8::MAX {
        if bits.count_ones() == 4 {
            choices[found] = bits;
            found += 1;
        }
        bits += 1;
    }
    choices
}

impl ConservativeCountMin {
    /// The sketch for estimates that are at most `epsilon` times the total too high, with probability `1 - delta` (both
    /// above 0 and below 1), that ranks `k` keys.
    pub fn new(epsilon: f64, delta: f64, k: usize) -> Self {
        let lines = Lines::empty(lines(epsilon, delta) as usize);
        Self::with(lines, Room::for_entries(Self::candidates(k)))
    }

    /// The sketch of most lines within `bytes` of memory. Candidates take a quarter at most.
    pub fn with_memory(bytes: usize, k: usize) -> Self {
        let room = share_of_candidates(bytes, Self::candidates(k));
        let left = bytes.saturating_sub(Self::bytes_beside_cells(room));
        Self::with(Lines::empty(left / size_of::<Line>()), room)
    }
}

/// The lines that an error of `epsilon` with a probability of `delta` takes.
pub(super) fn lines(epsilon: f64, delta: f64) -> f64 {
    (0.5 / epsilon / delta).ceil()
}

impl Lines {
    fn empty(lines: usize) -> Self {
        Lines(vec![Line::default(); lines.clamp(1, u32::MAX as usize)])
    }

    /// Which line, and which of its counters as bits.
    #[inline(always)]
    fn at(&self, hash: u64) -> (usize, u8) {
        let mixed = of_row(hash, 0);
        (place(mixed, self.0.len()), CHOICES[place(mixed << 32, CHOICES.len())])
    }
}

impl Line {
    #[inline(always)]
    fn least(&self, chosen: u8) -> u64 {
        (0..COUNTERS).fold(u64::MAX, |least, at| if chosen >> at & 1 == 1 { least.min(self.0[at]) } else { least })
    }
}

impl Cells for Lines {
    const KIND: u8 = 4;
    const NEVER_UNDER: bool = true;

    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow> {
        let (line, chosen) = self.at(hash);
        let line = &mut self.0[line];
        let estimate = line.least(chosen).saturating_add(weight);
        for at in 0..COUNTERS {
            if chosen >> at & 1 == 1 {
                line.0[at] = line.0[at].max(estimate);
            }
        }
        Ok(estimate)
    }

    fn estimate(&self, hash: u64) -> u64 {
        let (line, chosen) = self.at(hash);
        self.0[line].least(chosen)
    }

    fn around(&self, estimate: u64, _: u128) -> (u64, u64) {
        (0, estimate)
    }

    fn confidence(&self) -> f64 {
        1.0
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.0.len() != other.0.len() {
            return Err(MergeError::Settings);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.0.iter_mut().zip(theirs.0).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Line>()
    }

    /// Lines as u32, counters as varints.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        self.0.iter().flat_map(|line| line.0).for_each(|counter| write_varint(counter, out));
    }

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let lines = from.fixed_u32()? as usize;
        if lines == 0 {
            return Err(DamagedSketch::Content("size"));
        }
        let counters = from.varints(lines * COUNTERS)?;
        let line = |chunk: &[u64]| Line(std::array::from_fn(|at| chunk[at]));
        Ok(Lines(counters.chunks_exact(COUNTERS).map(line).collect()))
    }
}
