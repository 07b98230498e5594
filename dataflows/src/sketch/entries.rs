//! Keys with a count each, in bounded memory: what every sketch but Space-Saving keeps its keys in.

use std::cmp::Reverse;

use hashbrown::HashTable;

use super::frame::{Reader, write_varint};
use super::{DamagedSketch, LONGEST_KEY, Overflow};
use crate::key::same;
use crate::ranking::Estimate;

/// Key bytes that a plan by memory grants each entry before it takes fewer entries.
const FAIR_KEY: usize = 32;
/// Key bytes that a plan by number grants each entry.
const USUAL_KEY: usize = 64;
const MOST_ENTRIES: usize = 1 << 26;
const MOST_KEY_ROOM: usize = 1 << 31;
/// The least bytes of an entry on the wire.
const LEAST_WRITTEN: usize = 11;

/// How many entries there may be, and how many bytes their keys may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub entries: usize,
    pub key_bytes: usize,
}

impl Room {
    /// Room for `entries` keys of usual length, and for one of any length.
    pub(super) fn for_entries(entries: usize) -> Self {
        let entries = entries.clamp(1, MOST_ENTRIES);
        Room { entries, key_bytes: (entries * USUAL_KEY).clamp(LONGEST_KEY, MOST_KEY_ROOM) }
    }

    /// The most entries that fit in `bytes` with room for 32 bytes of key each; what is left is for longer keys.
    pub(super) fn for_memory(bytes: usize) -> Self {
        Self::within(bytes, Self::most_entries(bytes))
    }

    fn most_entries(bytes: usize) -> usize {
        let (mut fits, mut too_many) = (1, MOST_ENTRIES.min(bytes / size_of::<Entry>()) + 2);
        while too_many - fits > 1 {
            let middle = fits.midpoint(too_many);
            let fair = Room { entries: middle, key_bytes: middle * FAIR_KEY };
            if fair.bytes() <= bytes { fits = middle } else { too_many = middle }
        }
        fits
    }

    /// Room for `most` entries, fewer where `bytes` do not hold so many, and all bytes left for their keys.
    pub(super) fn within(bytes: usize, most: usize) -> Self {
        let entries = Self::most_entries(bytes).min(most);
        let without_keys = Room { entries, key_bytes: 0 };
        let left = bytes.saturating_sub(without_keys.bytes());
        Room { key_bytes: left.clamp(FAIR_KEY, MOST_KEY_ROOM), ..without_keys }
    }

    /// The most memory that entries in this room take between two calls.
    pub(super) fn bytes(self) -> usize {
        self.entries * size_of::<Entry>() + index_bytes(self.entries) + self.key_bytes
    }

    fn doubled(self) -> Self {
        Room { entries: 2 * self.entries, key_bytes: 2 * self.key_bytes }
    }
}

/// At least what a table of `entries` numbers allocates: a power of two of places, at most seven eighths of them used,
/// with a byte of tag each.
fn index_bytes(entries: usize) -> usize {
    (entries * 8 / 7 + 1).next_power_of_two().max(16) * (size_of::<u32>() + 1) + 64
}

/// A key's count; at least `count - err` of it is certain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub hash: u64,
    pub count: u64,
    pub err: u64,
    start: u32,
    len: u32,
}

impl Entry {
    pub(super) fn low(&self) -> u64 {
        self.count - self.err
    }

    pub(super) fn bounds(&self) -> Estimate {
        Estimate::between(self.low(), self.count)
    }

    /// Adds what is certain. A count that would leave `u64` stays at its top, and its error shrinks instead.
    pub(super) fn add(&mut self, weight: u64) -> Result<(), Overflow> {
        let low = self.low().checked_add(weight).ok_or(Overflow)?;
        self.count = self.count.saturating_add(weight);
        self.err = self.count - low;
        Ok(())
    }
}

/// The entries, in the order of insertion, with an index by hash.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    room: Room,
    list: Vec<Entry>,
    index: HashTable<u32>,
    keys: Vec<u8>,
}

impl Entries {
    /// None yet; allocates nothing.
    pub(super) fn new(room: Room) -> Self {
        Entries { room, list: Vec::new(), index: HashTable::new(), keys: Vec::new() }
    }

    pub(super) fn room(&self) -> Room {
        self.room
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_it = |&at: &u32| {
            let entry = &self.list[at as usize];
            entry.hash == hash && same(self.key(entry), key)
        };
        self.index.find(hash, is_it).map(|&at| at as usize)
    }

    pub(super) fn at(&self, at: usize) -> &Entry {
        &self.list[at]
    }

    pub(super) fn at_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.list[at]
    }

    pub(super) fn key(&self, entry: &Entry) -> &[u8] {
        &self.keys[entry.start as usize..][..entry.len as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Entry, &[u8])> {
        self.list.iter().map(|entry| (entry, self.key(entry)))
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.list.iter_mut()
    }

    /// Whether a key of this length can ever be kept.
    pub(super) fn takes(&self, len: usize) -> bool {
        len <= LONGEST_KEY.min(self.room.key_bytes)
    }

    /// Whether a key of this length can be inserted now.
    pub(super) fn fits(&self, len: usize) -> bool {
        self.list.len() < self.room.entries && self.keys.len() + len <= self.room.key_bytes
    }

    /// Inserts a key that is not there and fits.
    pub(super) fn insert(&mut self, hash: u64, key: &[u8], count: u64, err: u64) {
        let start = u32::try_from(self.keys.len()).expect("keys have less than 4 GiB of room");
        reserve(&mut self.list, 1, self.room.entries);
        reserve(&mut self.keys, key.len(), self.room.key_bytes);
        self.keys.extend_from_slice(key);
        let (list, at) = (&self.list, self.list.len() as u32);
        self.index.insert_unique(hash, at, |&at| list[at as usize].hash);
        self.list.push(Entry { hash, count, err, start, len: key.len() as u32 });
    }

    /// Drops all entries but those that `keep` says. O(entries).
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut end = 0;
        let keys = &mut self.keys;
        self.list.retain_mut(|entry| {
            let kept = keep(entry);
            if kept {
                let start = entry.start as usize;
                keys.copy_within(start..start + entry.len as usize, end);
                entry.start = end as u32;
                end += entry.len as usize;
            }
            kept
        });
        self.keys.truncate(end);
        self.index.clear();
        let list = &self.list;
        for (at, entry) in (0..).zip(list) {
            self.index.insert_unique(entry.hash, at, |&at| list[at as usize].hash);
        }
    }

    /// Makes room for a key of `len` bytes: drops at least the lowest quarter of the entries, and where key bytes are short
    /// also those beyond seven eighths of them. The highest count that was dropped. O(entries), paid for by the room.
    pub(super) fn make_room(&mut self, len: usize) -> u64 {
        let Room { entries, key_bytes } = self.room;
        let key_bytes = if self.keys.len() + len > key_bytes {
            (key_bytes - key_bytes / 8).min(key_bytes - len)
        } else {
            key_bytes
        };
        let entries = if self.list.len() == entries { entries - entries.div_ceil(4) } else { entries };
        self.shrink(Room { entries, key_bytes })
    }

    /// Drops the lowest counts until the rest fits in `room`, and says the highest count that was dropped. Of entries with
    /// that count, none may stay.
    fn shrink(&mut self, room: Room) -> u64 {
        let mut dropped = 0;
        if let Some(last) = self.list.len().checked_sub(room.entries + 1) {
            let mut counts: Vec<u64> = self.list.iter().map(|entry| entry.count).collect();
            dropped = *counts.select_nth_unstable(last).1;
            self.retain(|entry| entry.count > dropped);
        }
        if self.keys.len() > room.key_bytes { dropped.max(self.fit_keys(room.key_bytes)) } else { dropped }
    }

    /// Keeps the highest counts, equal ones by least error and then by key, as far as their keys fit in `key_bytes`. The
    /// highest count that was dropped. O(entries log entries).
    fn fit_keys(&mut self, key_bytes: usize) -> u64 {
        let mut order: Vec<u32> = (0..self.list.len() as u32).collect();
        order.sort_unstable_by_key(|&at| {
            let entry = &self.list[at as usize];
            (Reverse(entry.count), entry.err, self.key(entry))
        });
        let mut bytes = 0;
        let fits = |at: &&u32| {
            bytes += self.list[**at as usize].len as usize;
            bytes <= key_bytes
        };
        let kept = order.iter().take_while(fits).count();
        let Some(&first_dropped) = order.get(kept) else { return 0 };
        let highest = self.list[first_dropped as usize].count;
        let mut keeps = vec![false; self.list.len()];
        order[..kept].iter().for_each(|&at| keeps[at as usize] = true);
        let mut keeps = keeps.into_iter();
        self.retain(|_| keeps.next() == Some(true));
        highest
    }

    /// The entries of both sides, each key once, with the bounds that `a` and `b` give it added up, in `a`'s room; and
    /// the highest count that did not fit.
    pub(super) fn sum(
        a: (&Entries, impl Fn(u64, &[u8]) -> Estimate),
        b: (&Entries, impl Fn(u64, &[u8]) -> Estimate),
    ) -> Result<(Entries, u64), Overflow> {
        let mut sum = Entries::new(a.0.room.doubled());
        let only_b = b.0.iter().filter(|(entry, key)| a.0.find(entry.hash, key).is_none());
        for (entry, key) in a.0.iter().chain(only_b) {
            let (mine, theirs) = (a.1(entry.hash, key), b.1(entry.hash, key));
            let low = mine.low.checked_add(theirs.low).ok_or(Overflow)?;
            let high = mine.high.saturating_add(theirs.high);
            sum.insert(entry.hash, key, high, high - low);
        }
        let dropped = sum.shrink(a.0.room);
        sum.room = a.0.room;
        sum.list.shrink_to(sum.room.entries);
        sum.keys.shrink_to(sum.room.key_bytes);
        let list = &sum.list;
        sum.index.shrink_to(list.len(), |&at| list[at as usize].hash);
        Ok((sum, dropped))
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.list.capacity() * size_of::<Entry>() + self.index.allocation_size() + self.keys.capacity()
    }

    /// The certain parts of all counts together.
    pub(super) fn certain(&self) -> u128 {
        self.list.iter().map(|entry| u128::from(entry.low())).sum()
    }

    /// The room's two numbers as u64, the number of entries as a varint, and for each its hash as u64, count, error and
    /// length as varints, and key.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.room.entries as u64).to_le_bytes());
        out.extend_from_slice(&(self.room.key_bytes as u64).to_le_bytes());
        write_varint(self.list.len() as u64, out);
        for (entry, key) in self.iter() {
            out.extend_from_slice(&entry.hash.to_le_bytes());
            [entry.count, entry.err, key.len() as u64].into_iter().for_each(|number| write_varint(number, out));
            out.extend_from_slice(key);
        }
    }

    pub(super) fn read(from: &mut Reader) -> Result<Self, DamagedSketch> {
        let (entries, key_bytes) = (from.fixed_u64()? as usize, from.fixed_u64()? as usize);
        if !(1..=MOST_ENTRIES).contains(&entries) || key_bytes > MOST_KEY_ROOM {
            return Err(DamagedSketch::Content("size"));
        }
        let mut read = Entries::new(Room { entries, key_bytes });
        for _ in 0..from.number_of(LEAST_WRITTEN)? {
            let hash = from.fixed_u64()?;
            let (count, err, len) = (from.varint()?, from.varint()?, from.varint()?);
            let key = from.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            if !read.takes(key.len()) || !read.fits(key.len()) {
                return Err(DamagedSketch::Content("key length"));
            }
            if err > count {
                return Err(DamagedSketch::Content("error bound"));
            }
            if read.find(hash, key).is_some() {
                return Err(DamagedSketch::Content("hash"));
            }
            read.insert(hash, key, count, err);
        }
        Ok(read)
    }
}

/// Makes space for `more` in a vector that holds `most` at most: half as much again, not twice.
fn reserve<T>(vector: &mut Vec<T>, more: usize, most: usize) {
    if vector.len() + more > vector.capacity() {
        let wanted = (vector.len() + vector.len() / 2).clamp(vector.len() + more, most.max(vector.len() + more));
        vector.reserve_exact(wanted - vector.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(room: Room, counts: &[u64]) -> Entries {
        let mut entries = Entries::new(room);
        (0..).zip(counts).for_each(|(at, &count)| entries.insert(at % 3, &[at as u8; 10], count, 0));
        entries
    }

    #[test]
    fn making_room_keeps_the_best_and_says_what_was_lost() {
        let mut entries = filled(Room { entries: 8, key_bytes: 1000 }, &[5, 9, 1, 7, 9, 2, 8, 8]);
        assert!(!entries.fits(1));
        assert_eq!(entries.make_room(10), 2);
        let left: Vec<u64> = entries.iter().map(|(entry, _)| entry.count).collect();
        assert_eq!(left, [5, 9, 7, 9, 8, 8]);
        assert!((0..8u64).all(|at| entries.find(at % 3, &[at as u8; 10]).is_some() != [2, 5].contains(&at)));
    }

    #[test]
    fn want_of_key_room_drops_entries_too() {
        let mut entries = filled(Room { entries: 8, key_bytes: 64 }, &[5, 9, 1, 7, 9, 2]);
        assert!(!entries.fits(10) && entries.takes(64) && !entries.takes(65));
        assert_eq!((entries.make_room(40), entries.len()), (7, 2));
    }

    #[test]
    fn memory_is_within_the_room() {
        for room in [Room::for_entries(1), Room::for_entries(1000), Room::for_memory(4096), Room::for_memory(100_000)] {
            let mut entries = Entries::new(room);
            for at in 0..5000u64 {
                if !entries.fits(32) {
                    entries.make_room(32);
                }
                entries.insert(at.wrapping_mul(0x9E37_79B9_7F4A_7C15), &[at as u8; 32], at, 0);
                assert!(entries.memory() <= room.bytes(), "{} of {room:?}", entries.memory());
            }
        }
        assert!(Room::for_memory(100_000).bytes() <= 100_000);
    }
}
