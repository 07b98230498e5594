//! Cells that all keys share, and the keys of highest estimate beside them: what Count-Min, its conservative form, Count
//! Sketch and HeavyKeeper have in common. They differ in their cells.

use super::entries::{Entries, Entry, Room};
use super::frame::Reader;
use super::unseen::unseen;
use super::{DamagedSketch, MergeError, Overflow, Sketch, frame};
use crate::ranking::Estimate;

/// Counters that keys share by their hashes.
pub trait Cells: Sized + Clone {
    /// What begins the bytes of a sketch with these cells.
    const KIND: u8;
    /// Whether estimates never fall below the true weight: then all bounds are certain.
    const NEVER_UNDER: bool;

    /// Adds to a key; the estimate of its weight after that. Nothing has changed on an error.
    fn add(&mut self, hash: u64, weight: u64) -> Result<u64, Overflow>;

    /// The estimate of a key's weight.
    fn estimate(&self, hash: u64) -> u64;

    /// The lowest and the highest weight that a key with this estimate has, as the sketch's page promises, when `total`
    /// is all weight.
    fn around(&self, estimate: u64, total: u128) -> (u64, u64);

    /// How sure that is.
    fn confidence(&self) -> f64;

    /// Adds the other's counts. Nothing has changed on an error.
    fn merge(&mut self, other: &Self) -> Result<(), MergeError>;

    /// Bytes allocated.
    fn memory(&self) -> usize;

    fn write(&self, out: &mut Vec<u8>);

    fn read(from: &mut Reader) -> Result<Self, DamagedSketch>;
}

/// Cells and candidates.
///
/// A candidate's `count` is its estimate when it last came, of which `count - err` is certain: it was seen since the key
/// became a candidate. A key that came last with an estimate of at most `bar` may not be a candidate.
///
/// Where estimates are upper bounds, the count of a candidate is what was seen of it and the likely part of the rest: a
/// rare key that shares all its cells with hot ones would be ranked among them otherwise.
#[derive(Clone, Debug)]
pub struct Counted<C> {
    cells: C,
    candidates: Entries,
    bar: u64,
    total: u128,
}

impl<C: Cells> Counted<C> {
    pub(super) fn with(cells: C, candidates: Room) -> Self {
        Counted { cells, candidates: Entries::new(candidates), bar: 0, total: 0 }
    }

    /// The candidates that tell `k` best keys from the rest: twice as many, for half of them go when they are full.
    pub(super) fn candidates(k: usize) -> usize {
        (2 * k).max(64)
    }

    /// The memory of candidates and all else but the cells.
    pub(super) fn bytes_beside_cells(room: Room) -> usize {
        size_of::<Self>() + room.bytes()
    }

    fn add_candidate(&mut self, hash: u64, key: &[u8], weight: u64, estimate: u64) {
        if estimate <= self.bar {
            return;
        }
        if self.candidates.takes(key.len()) && !self.candidates.fits(key.len()) {
            self.bar = self.bar.max(self.candidates.make_room(key.len()));
        }
        if !self.candidates.takes(key.len()) {
            self.bar = self.bar.max(estimate);
        } else if estimate > self.bar {
            let count = estimate.max(weight);
            self.candidates.insert(hash, key, count, count - weight);
        }
    }

    fn bounds(&self, seen: u64, estimate: u64) -> Estimate {
        let (low, high) = self.cells.around(estimate, self.total);
        let low = low.max(seen);
        let high = high.max(low);
        Estimate { count: estimate.clamp(low, high), low, high }
    }

    /// A key's bounds, of which the lower is certain even where others are but probable.
    fn certain(&self, hash: u64, key: &[u8]) -> Estimate {
        let bounds = self.estimate(hash, key);
        let seen = || self.candidates.find(hash, key).map_or(0, |at| self.candidates.at(at).low());
        if C::NEVER_UNDER { bounds } else { Estimate { low: seen(), ..bounds } }
    }

    fn tracked(&self, entry: &Entry) -> Estimate {
        if !C::NEVER_UNDER {
            return self.bounds(entry.low(), self.cells.estimate(entry.hash));
        }
        let bounds = self.bounds(entry.low(), entry.count);
        let err = bounds.high - bounds.low;
        Estimate { count: bounds.low + unseen(bounds.low, err, err), ..bounds }
    }
}

impl<C: Cells> Sketch for Counted<C> {
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        let total = self.total.checked_add(weight.into()).ok_or(Overflow)?;
        let found = self.candidates.find(hash, key);
        if let Some(at) = found {
            let low = self.candidates.at(at).low().checked_add(weight).ok_or(Overflow)?;
            let estimate = self.cells.add(hash, weight)?;
            let entry = self.candidates.at_mut(at);
            entry.count = estimate.max(low);
            entry.err = entry.count - low;
        } else {
            let estimate = self.cells.add(hash, weight)?;
            self.add_candidate(hash, key, weight, estimate);
        }
        self.total = total;
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        MergeError::check(self.candidates.room(), other.candidates.room())?;
        let total = self.total.checked_add(other.total).ok_or(Overflow)?;
        let (mine, theirs) = (|hash, key: &[u8]| self.certain(hash, key), |hash, key: &[u8]| other.certain(hash, key));
        let (candidates, dropped) = Entries::sum((&self.candidates, mine), (&other.candidates, theirs))?;
        self.cells.merge(&other.cells)?;
        self.bar = self.bar.saturating_add(other.bar).max(dropped);
        (self.candidates, self.total) = (candidates, total);
        Ok(())
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        match self.candidates.find(hash, key) {
            Some(at) => self.tracked(self.candidates.at(at)),
            None if C::NEVER_UNDER => self.bounds(0, self.cells.estimate(hash).min(self.bar)),
            None => self.bounds(0, self.cells.estimate(hash)),
        }
    }

    fn each_tracked<'a>(&'a self, mut each: impl FnMut(&'a [u8], Estimate)) {
        self.candidates.iter().for_each(|(entry, key)| each(key, self.tracked(entry)));
    }

    fn most_untracked(&self) -> u64 {
        let most = |estimate| self.cells.around(estimate, self.total).1;
        if self.bar == 0 { 0 } else { most(self.bar).max(most(0)) }
    }

    fn confidence(&self) -> f64 {
        if C::NEVER_UNDER { 1.0 } else { self.cells.confidence() }
    }

    fn capacity(&self) -> usize {
        self.candidates.room().entries / 2
    }

    fn total(&self) -> u128 {
        self.total
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.cells.memory() + self.candidates.memory()
    }

    fn most_memory(&self) -> usize {
        self.cells.memory() + Self::bytes_beside_cells(self.candidates.room())
    }

    /// Total as u128, bar as u64, candidates, cells.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = frame::begin(C::KIND);
        out.extend_from_slice(&self.total.to_le_bytes());
        out.extend_from_slice(&self.bar.to_le_bytes());
        self.candidates.write(&mut out);
        self.cells.write(&mut out);
        frame::seal(out)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        let mut from = frame::open(C::KIND, bytes)?;
        let (total, bar) = (from.fixed_u128()?, from.fixed_u64()?);
        let candidates = Entries::read(&mut from)?;
        if candidates.certain() > total {
            return Err(DamagedSketch::Content("total"));
        }
        let cells = C::read(&mut from)?;
        from.end()?;
        Ok(Counted { cells, candidates, bar, total })
    }
}
