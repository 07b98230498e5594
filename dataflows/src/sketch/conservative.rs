//! Count-Min with conservative update, of which all counters of a key are in one cache line.
//!
//! An update raises only the counters that are below the key's new estimate, so counters grow slower than in Count-Min,
//! and estimates are never higher than it would give with the same cells.
//!
//! - **Guarantee**: certain bounds. `high` is the paper's estimate, which never undercounts. A line of 16 counters, of which a key
//!   has four, gets `total / lines` on average, and a counter a quarter of that; so, by Markov's inequality, the estimate is
//!   at most `epsilon * total` too high with probability `1 - delta` where there are `1 / (4 epsilon delta)` lines. In
//!   practice far less does. `low` is what was seen of the key since it became a candidate.
//! - **Count** of a candidate: `low` and the part of the rest that is likely when it was as frequent before. That matters
//!   here: there are 1,820 choices of counters in a line, so of a million keys over a thousand lines about one in each
//!   line has the very counters of a hot key, and with them its `high`.
//! - **Memory**: 64 bytes a line, and `2 k` candidates. Counters have 32 bits; when one outgrows them, all get 64, and
//!   pairs of lines become one, of which each counter is the higher of two: it bounds the keys of both.
//! - **Cost**: one cache miss an update, two with counters of 64 bits.
//! - **Merges**: yes; counter by counter: sums of upper bounds are upper bounds of sums. The merged sketch is as good as
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
use crate::bits::Bits;

/// See the [module](self).
pub type ConservativeCountMin = Counted<Lines>;

/// Counters of a key's block: one line, or two when they are wide.
const COUNTERS: usize = 16;
/// Every choice of four counters of a block, as bits.
const CHOICES: [u16; 1820] = choices();

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u32; COUNTERS]);

/// Counters by the cache line.
#[derive(Clone, Debug)]
pub struct Lines {
    /// An even number.
    lines: Vec<Line>,
    /// Whether a counter is two words, the lower first, and a block two lines.
    wide: bool,
}

const fn choices() -> [u16; 1820] {
    let (mut choices, mut found, mut bits) = ([0; 1820], 0, 0u16);
    while found < choices.len() {
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
    (0.25 / epsilon / delta).ceil()
}

impl Lines {
    fn empty(lines: usize) -> Self {
        let lines = lines.clamp(2, u32::MAX as usize) / 2 * 2;
        Lines { lines: vec![Line::default(); lines], wide: false }
    }

    fn blocks(&self) -> usize {
        if self.wide { self.lines.len() / 2 } else { self.lines.len() }
    }

    /// Which block, and which of its counters as bits.
    #[inline(always)]
    fn at(&self, hash: u64) -> (usize, u16) {
        let mixed = of_row(hash, 0);
        (place(mixed, self.blocks()), CHOICES[place(mixed << 32, CHOICES.len())])
    }

    #[inline(always)]
    fn get(&self, block: usize, counter: usize) -> u64 {
        if !self.wide {
            return self.lines[block].0[counter].into();
        }
        let (line, word) = (&self.lines[2 * block + counter / 8].0, counter % 8 * 2);
        u64::from(line[word]) | u64::from(line[word + 1]) << 32
    }

    #[inline(always)]
    fn set(&mut self, block: usize, counter: usize, value: u64) {
        if !self.wide {
            self.lines[block].0[counter] = value as u32;
            return;
        }
        let (line, word) = (&mut self.lines[2 * block + counter / 8].0, counter % 8 * 2);
        (line[word], line[word + 1]) = (value as u32, (value >> 32) as u32);
    }

    fn all(&self) -> impl Iterator<Item = u64> {
        (0..self.blocks()).flat_map(move |block| (0..COUNTERS).map(move |counter| self.get(block, counter)))
    }

    /// Gives all counters 64 bits. Places below half as many blocks are the halves of the places that there were.
    #[cold]
    fn widen(&mut self) {
        if self.wide {
            return;
        }
        let mut wide = Lines { lines: vec![Line::default(); self.lines.len()], wide: true };
        for block in 0..wide.blocks() {
            for counter in 0..COUNTERS {
                wide.set(block, counter, self.get(2 * block, counter).max(self.get(2 * block + 1, counter)));
            }
        }
        *self = wide;
    }

    fn least(&self, block: usize, chosen: u16) -> u64 {
        Bits(u64::from(chosen)).map(|counter| self.get(block, counter)).min().unwrap_or(0)
    }
}

impl Cells for Lines {
    const KIND: u8 = 4;
    const NEVER_UNDER: bool = true;

    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow> {
        let (mut block, chosen) = self.at(hash);
        let mut estimate = self.least(block, chosen).saturating_add(weight);
        if !self.wide && estimate > u32::MAX.into() {
            self.widen();
            block = self.at(hash).0;
            estimate = self.least(block, chosen).saturating_add(weight);
        }
        for counter in Bits(u64::from(chosen)) {
            if self.get(block, counter) < estimate {
                self.set(block, counter, estimate);
            }
        }
        Ok(estimate)
    }

    fn estimate(&self, hash: u64) -> u64 {
        let (block, chosen) = self.at(hash);
        self.least(block, chosen)
    }

    fn around(&self, estimate: u64, _: u128) -> (u64, u64) {
        (0, estimate)
    }

    fn confidence(&self) -> f64 {
        1.0
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.lines.len() != other.lines.len() {
            return Err(MergeError::Settings);
        }
        let outgrows = |(mine, theirs): (u64, u64)| mine + theirs > u32::MAX.into();
        let mut other = other.clone();
        if self.wide || other.wide || self.all().zip(other.all()).any(outgrows) {
            self.widen();
            other.widen();
        }
        for block in 0..self.blocks() {
            for counter in 0..COUNTERS {
                let sum = self.get(block, counter).saturating_add(other.get(block, counter));
                self.set(block, counter, sum);
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// Lines as u32, 1 when wide and else 0, counters as varints.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.lines.len() as u32).to_le_bytes());
        out.push(u8::from(self.wide));
        self.all().for_each(|counter| write_varint(counter, out));
    }

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let (lines, wide) = (from.fixed_u32()? as usize, from.byte()?);
        let blocks = if wide == 1 { lines / 2 } else { lines };
        if lines == 0 || lines % 2 > 0 || wide > 1 {
            return Err(DamagedSketch::Content("size"));
        }
        let counters = from.varints(blocks * COUNTERS)?;
        if wide == 0 && counters.iter().any(|&counter| counter > u32::MAX.into()) {
            return Err(DamagedSketch::Content("counter"));
        }
        let mut read = Lines { lines: vec![Line::default(); lines], wide: wide == 1 };
        for (at, counter) in counters.into_iter().enumerate() {
            read.set(at / COUNTERS, at % COUNTERS, counter);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sketch;
    use super::*;

    #[test]
    fn counters_that_grow_wide_bound_all_that_they_did() {
        let mut lines = Lines::empty(10);
        let hash = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (0..200).try_for_each(|key| lines.add(hash(key), 1000 + key).map(drop)).expect("never fails");
        let before: Vec<u64> = (0..200).map(|key| lines.estimate(hash(key))).collect();
        assert!(!lines.wide);
        assert!(lines.add(hash(7), 1 << 40).is_ok_and(|estimate| estimate >= (1 << 40) + before[7]));
        assert!(lines.wide && lines.memory() == 640);
        assert!((0..200).all(|key| lines.estimate(hash(key)) >= before[key as usize]));
    }

    #[test]
    fn a_rare_key_with_the_counters_of_a_hot_one_is_not_ranked_beside_it() {
        let hash = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let lines = Lines::empty(2);
        let twin = (2..).find(|&key| lines.at(hash(key)) == lines.at(hash(1))).expect("3,640 places are soon found");
        let mut sketch = ConservativeCountMin::with(lines, Room::for_entries(64));
        let mut add = |key: u64, weight| sketch.add(hash(key), &key.to_be_bytes(), weight).expect("small weights");
        add(1, 10_000);
        add(3, 500);
        add(twin, 1);
        let ranked: Vec<(Vec<u8>, u64)> = sketch.top(3).into_iter().map(|row| (row.key, row.estimate.count)).collect();
        assert_eq!(ranked, [(1, 10_000), (3, 500), (twin, 2)].map(|(key, count)| (key.to_be_bytes().to_vec(), count)));
        assert_eq!(sketch.estimate(hash(twin), &twin.to_be_bytes()).high, 10_001);
    }
}
