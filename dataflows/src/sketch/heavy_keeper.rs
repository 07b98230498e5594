//! HeavyKeeper: counters with a fingerprint, which decay when another key hits them, the slower the larger they are.
//!
//! - **Guarantee**: a count is never too high but for fingerprints that are the same by chance (2^-32 a row). It is too
//!   low by x with a probability of at most `total / (x * width * f * (b - 1))`, where f is the true weight and b the base
//!   of decay (theorem 3 of the paper); `high` is the weight at which that probability is `delta`. The paper says nothing
//!   of a key that holds no bucket, so its `high` is the total, and no key is ever certified. Only `low` of a tracked key
//!   is certain: what was seen of it since it became a candidate.
//! - **Memory**: 12 bytes a bucket, in 2 rows of `1 / epsilon` buckets, one for each key that can have that part of the
//!   total, or more where `delta` takes more (`1 / (delta * (b - 1))` for keys of weight `1 / epsilon`), and `2 k`
//!   candidates.
//! - **Cost**: two cache misses an update.
//! - **Merges**: no. A decayed counter does not say what it lost.
//! - **Random**: decay is drawn from a seed, so a run repeats.
//!
//! Source: Gong et al., "HeavyKeeper: An Accurate Algorithm for Finding Top-k Elephant Flows", USENIX ATC 2018.

use std::sync::LazyLock;

use super::count_min::share_of_candidates;
use super::counted::{Cells, Counted};
use super::entries::Room;
use super::frame::{Reader, write_varint};
use super::mix::{Random, mix, of_row, place};
use super::{DamagedSketch, MergeError, Overflow};

/// See the [module](self).
pub type HeavyKeeper = Counted<Decaying>;

const ROWS: usize = 2;
/// The paper's base of decay.
const BASE: f64 = 1.08;
/// The chance that a unit of a stranger takes 1 off a counter, by its count; none worth the draw beyond these.
static CHANCES: LazyLock<[f64; 600]> = LazyLock::new(|| std::array::from_fn(|count| BASE.powi(-(count as i32))));
const BUCKET_BYTES: usize = size_of::<u64>() + size_of::<u32>();

/// Rows of counters with the fingerprint of the key that each belongs to.
#[derive(Clone, Debug)]
pub struct Decaying {
    width: usize,
    delta: f64,
    random: Random,
    /// Row by row.
    counts: Vec<u64>,
    prints: Vec<u32>,
}

impl HeavyKeeper {
    /// The sketch for an error of `epsilon` and a probability of `delta` (both above 0 and below 1), that ranks `k` keys.
    pub fn new(epsilon: f64, delta: f64, k: usize, seed: u64) -> Self {
        let cells = Decaying::empty(width(epsilon, delta) as usize, delta, seed);
        Self::with(cells, Room::for_entries(Self::candidates(k)))
    }

    /// The widest sketch within `bytes` of memory. Candidates take a quarter at most.
    pub fn with_memory(bytes: usize, delta: f64, k: usize, seed: u64) -> Self {
        let room = share_of_candidates(bytes, Self::candidates(k));
        let left = bytes.saturating_sub(Self::bytes_beside_cells(room));
        Self::with(Decaying::empty(left / BUCKET_BYTES / ROWS, delta, seed), room)
    }
}

/// The buckets a row that an error of `epsilon` with a probability of `delta` takes.
pub(super) fn width(epsilon: f64, delta: f64) -> f64 {
    (1.0 / epsilon).max(1.0 / delta / (BASE - 1.0)).ceil()
}

/// The memory of the buckets of two rows.
pub(super) fn bytes(width: f64) -> f64 {
    width * (ROWS * BUCKET_BYTES) as f64
}

impl Decaying {
    fn empty(width: usize, delta: f64, seed: u64) -> Self {
        let width = width.clamp(1, u32::MAX as usize);
        let (counts, prints) = (vec![0; ROWS * width], vec![0; ROWS * width]);
        Decaying { width, delta, random: Random(seed), counts, prints }
    }

    #[inline(always)]
    fn at(&self, hash: u64, row: usize) -> usize {
        row * self.width + place(of_row(hash, row), self.width)
    }

    /// Lets `weight` of a stranger come to a counter: each unit takes 1 off with probability b^-count, and what is left
    /// when the counter is at 0 is the stranger's. O(log weight) draws, since larger counters outlive it.
    fn decay(&mut self, at: usize, print: u32, weight: u64) {
        let mut left = weight;
        while self.counts[at] > 0 {
            let Some(&chance) = CHANCES.get(self.counts[at] as usize) else { return };
            if left == 1 && !self.random.happens(chance) {
                return;
            }
            let trials = if left == 1 { 1 } else { self.random.trials(chance) };
            if trials > left {
                return;
            }
            left -= trials;
            self.counts[at] -= 1;
        }
        if left > 0 {
            (self.counts[at], self.prints[at]) = (left, print);
        }
    }
}

/// What tells keys in one bucket apart.
#[inline(always)]
fn print(hash: u64) -> u32 {
    mix(hash) as u32
}

impl Cells for Decaying {
    const KIND: u8 = 8;
    const NEVER_UNDER: bool = false;

    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow> {
        let print = print(hash);
        for row in 0..ROWS {
            let at = self.at(hash, row);
            if self.counts[at] == 0 || self.prints[at] == print {
                self.counts[at] = self.counts[at].saturating_add(weight);
                self.prints[at] = print;
            } else {
                self.decay(at, print, weight);
            }
        }
        Ok(self.estimate(hash))
    }

    fn estimate(&self, hash: u64) -> u64 {
        let print = print(hash);
        let own = (0..ROWS).map(|row| self.at(hash, row)).filter(|&at| self.prints[at] == print);
        own.map(|at| self.counts[at]).max().unwrap_or(0)
    }

    /// The weight f for which `total / ((f - estimate) * width * f * (b - 1))` is `delta`.
    fn around(&self, estimate: u64, total: u128) -> (u64, u64) {
        if estimate == 0 {
            return (0, u64::try_from(total).unwrap_or(u64::MAX));
        }
        let (count, total_weight) = (estimate as f64, total as f64);
        let area = total_weight / (self.delta * self.width as f64 * (BASE - 1.0));
        let high = (count + (count * count + 4.0 * area).sqrt()) / 2.0;
        (0, u128::from(high.ceil() as u64).min(total) as u64)
    }

    fn confidence(&self) -> f64 {
        1.0 - self.delta
    }

    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        Err(MergeError::Never("heavy-keeper"))
    }

    fn memory(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + self.prints.capacity() * size_of::<u32>()
    }

    /// Width as u32, delta as f64, state of the generator as u64, counts as varints, fingerprints as u32.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.width as u32).to_le_bytes());
        out.extend_from_slice(&self.delta.to_bits().to_le_bytes());
        out.extend_from_slice(&self.random.0.to_le_bytes());
        self.counts.iter().for_each(|&count| write_varint(count, out));
        self.prints.iter().for_each(|print| out.extend_from_slice(&print.to_le_bytes()));
    }

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let width = from.fixed_u32()? as usize;
        if width == 0 {
            return Err(DamagedSketch::Content("size"));
        }
        let (delta, random) = (from.part()?, Random(from.fixed_u64()?));
        let counts = from.varints(ROWS * width)?;
        let prints = from.take(ROWS * width * size_of::<u32>())?;
        let prints = prints.as_chunks().0.iter().map(|print| u32::from_le_bytes(*print)).collect();
        Ok(Decaying { width, delta, random, counts, prints })
    }
}
