//! Sticky Sampling: a key is counted exactly from the moment that a random sample hits it.
//!
//! - **Guarantee**: one-sided and certain below: a count is what was seen, never too high. It is too low by more than
//!   `epsilon * total` with probability `delta`, for each key. The bounds shown are closer: at a sampling rate of 1 in r,
//!   a key misses more than `r * ln(1 / delta)` with probability `delta`; nothing while r is 1.
//! - **Memory**: `2 / epsilon * ln(1 / delta)` entries of 32 bytes are expected, whatever the total; half as many more are
//!   planned for. Where even they do not suffice, the rarest go, as in Misra-Gries, and the bounds say so.
//! - **Cost**: amortised O(1) an update, one or two cache misses; each time that the rate halves, O(entries).
//! - **Merges**: no.
//! - **Random**: samples are drawn from a seed, so a run repeats.
//!
//! Source: Manku and Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002, section 4.1, with a support of
//! 1: the promise is for each key, not for all at once.

use super::entries::Room;
use super::floored::Floored;
use super::mix::Random;
use super::{DamagedSketch, MergeError, Overflow, Sketch, frame};
use crate::ranking::Estimate;

pub(super) const KIND: u8 = 7;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct StickySampling {
    /// The sampled part of each key's weight, and the total of all.
    sampled: Floored,
    /// The sampling rate is 1 in two to this power.
    halvings: u32,
    delta: f64,
    random: Random,
}

impl StickySampling {
    /// The sketch for counts that are at most `epsilon` times the total too low, with probability `1 - delta` (both above
    /// 0 and below 1).
    pub fn new(epsilon: f64, delta: f64, seed: u64) -> Self {
        Self::in_room(Room::for_entries(Self::entries(epsilon, delta) as usize), delta, seed)
    }

    /// The sketch of least error whose [`most_memory`](Sketch::most_memory) is within `bytes`, 1 KiB at least.
    pub fn with_memory(bytes: usize, delta: f64, seed: u64) -> Self {
        Self::in_room(Room::for_memory(bytes.max(1024) - size_of::<Self>()), delta, seed)
    }

    /// The entries that an error of `epsilon` with a probability of `delta` takes.
    pub fn entries(epsilon: f64, delta: f64) -> f64 {
        (3.0 / epsilon * (1.0 / delta).ln()).ceil()
    }

    fn in_room(room: Room, delta: f64, seed: u64) -> Self {
        StickySampling { sampled: Floored::new(room), halvings: 0, delta, random: Random(seed) }
    }

    /// In how many units of weight one is sampled.
    fn rate(&self) -> f64 {
        f64::from(self.halvings).exp2()
    }

    /// The weight that a key may have had unseen.
    fn missed(&self) -> u64 {
        if self.halvings == 0 { 0 } else { (self.rate() * (1.0 / self.delta).ln()).ceil() as u64 }
    }

    /// Samples each unit of a new key's weight, and counts from the first that is hit.
    fn sample(&mut self, hash: u64, key: &[u8], weight: u64) {
        let first = self.random.trials(1.0 / self.rate());
        if self.halvings == 0 || first <= weight {
            self.sampled.add_untracked(hash, key, weight.saturating_add(1) - first);
        }
    }

    /// Samples half as often from now on; each entry loses what it would not have had: for each tail before the first
    /// head, 1.
    fn halve(&mut self) {
        self.halvings += 1;
        let (entries, random) = (&mut self.sampled.entries, &mut self.random);
        entries.entries_mut().for_each(|entry| entry.count -= (random.trials(0.5) - 1).min(entry.low()));
        entries.retain(|entry| entry.low() > 0);
    }

    fn bounds(&self, Estimate { low, high, .. }: Estimate) -> Estimate {
        let high = u128::from(high.saturating_add(self.missed())).min(self.sampled.total) as u64;
        Estimate { count: low, low, high: high.max(low) }
    }
}

impl Sketch for StickySampling {
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        let total = self.sampled.total.checked_add(weight.into()).ok_or(Overflow)?;
        match self.sampled.entries.find(hash, key) {
            Some(at) => self.sampled.entries.at_mut(at).add(weight)?,
            None => self.sample(hash, key, weight),
        }
        self.sampled.total = total;
        // What the paper calls 2t: up to this weight, everything is sampled.
        let whole = self.sampled.entries.room().entries as f64 / 1.5;
        while total as f64 > whole * self.rate() {
            self.halve();
        }
        Ok(())
    }

    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        Err(MergeError::Never("sticky-sampling"))
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        self.bounds(self.sampled.estimate(hash, key))
    }

    fn each_tracked<'a>(&'a self, mut each: impl FnMut(&'a [u8], Estimate)) {
        self.sampled.entries.iter().for_each(|(entry, key)| each(key, self.bounds(entry.bounds())));
    }

    fn most_untracked(&self) -> u64 {
        self.sampled.floor.saturating_add(self.missed())
    }

    fn confidence(&self) -> f64 {
        if self.halvings == 0 { 1.0 } else { 1.0 - self.delta }
    }

    fn capacity(&self) -> usize {
        self.sampled.entries.room().entries
    }

    fn total(&self) -> u128 {
        self.sampled.total
    }

    fn memory(&self) -> usize {
        self.sampled.memory() + size_of::<Self>() - size_of::<Floored>()
    }

    fn most_memory(&self) -> usize {
        size_of::<Self>() + self.sampled.entries.room().bytes()
    }

    /// Halvings as u8, delta as f64, state of the generator as u64, what was sampled.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = frame::begin(KIND);
        out.push(self.halvings as u8);
        out.extend_from_slice(&self.delta.to_bits().to_le_bytes());
        out.extend_from_slice(&self.random.0.to_le_bytes());
        self.sampled.write(&mut out);
        frame::seal(out)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        let mut from = frame::open(KIND, bytes)?;
        let (halvings, delta, random) = (from.byte()?.into(), from.part()?, Random(from.fixed_u64()?));
        let sampled = Floored::read(&mut from)?;
        from.end()?;
        if halvings > u128::BITS {
            return Err(DamagedSketch::Content("sampling rate"));
        }
        Ok(StickySampling { sampled, halvings, delta, random })
    }
}
