//! Entries above a floor: what Misra-Gries and Lossy Counting have in common. They differ in when the floor rises.

use super::entries::{Entries, Room};
use super::frame::Reader;
use super::{DamagedSketch, MergeError, Overflow};
use crate::ranking::Estimate;

/// Entries, and a floor that no other key's count is above.
///
/// A key that comes in may have had up to the floor before, so its count starts there, as error. That makes each entry's
/// bounds its own (what Anderson et al. call an offset, remembered from the time of insertion) and hot keys exact.
#[derive(Clone, Debug)]
pub(super) struct Floored {
    pub entries: Entries,
    pub floor: u64,
    pub total: u128,
}

impl Floored {
    pub(super) fn new(room: Room) -> Self {
        Floored { entries: Entries::new(room), floor: 0, total: 0 }
    }

    pub(super) fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        let total = self.total.checked_add(weight.into()).ok_or(Overflow)?;
        match self.entries.find(hash, key) {
            Some(at) => self.entries.at_mut(at).add(weight)?,
            None => self.add_untracked(hash, key, weight),
        }
        self.total = total;
        Ok(())
    }

    /// Tracks a key that is not tracked, or lets the floor bound it.
    pub(super) fn add_untracked(&mut self, hash: u64, key: &[u8], weight: u64) {
        let count = self.floor.saturating_add(weight);
        if weight == 0 && self.floor > 0 {
            return;
        }
        if !self.entries.takes(key.len()) {
            self.floor = count;
            return;
        }
        let err = count - weight;
        if !self.entries.fits(key.len()) {
            self.floor = self.floor.max(self.entries.make_room(key.len()));
        }
        self.entries.insert(hash, key, count, err);
    }

    /// Raises the floor, and drops what is not above it.
    pub(super) fn raise(&mut self, floor: u64) {
        self.floor = floor;
        self.entries.retain(|entry| entry.count > floor);
    }

    pub(super) fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        match self.entries.find(hash, key) {
            Some(at) => self.entries.at(at).bounds(),
            None => Estimate::between(0, self.floor),
        }
    }

    /// The sum of both: counts, errors and floors add.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        MergeError::check(self.entries.room(), other.entries.room())?;
        let total = self.total.checked_add(other.total).ok_or(Overflow)?;
        let (mine, theirs) =
            (|hash, key: &[u8]| self.estimate(hash, key), |hash, key: &[u8]| other.estimate(hash, key));
        let (entries, dropped) = Entries::sum((&self.entries, mine), (&other.entries, theirs))?;
        let floor = self.floor.saturating_add(other.floor).max(dropped);
        *self = Floored { entries, floor, total };
        Ok(())
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.entries.memory()
    }

    /// Total as u128, floor as u64, entries.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.total.to_le_bytes());
        out.extend_from_slice(&self.floor.to_le_bytes());
        self.entries.write(out);
    }

    pub(super) fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let (total, floor) = (from.fixed_u128()?, from.fixed_u64()?);
        let entries = Entries::read(from)?;
        if entries.certain() > total {
            return Err(DamagedSketch::Content("total"));
        }
        Ok(Floored { entries, floor, total })
    }
}
