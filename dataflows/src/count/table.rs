//! A hash table from keys to counts, made for much adding and one walk at the end.
//!
//! [`Tickets`] lead from the lower half of a key's hash to its ticket: its number in `entries`, which holds its count and, if it
//! is short, its bytes. So a key costs two reads far apart, which [`Table::add_rows`] has under way for many rows at once.
//! Longer keys stand one after the other in `arena`, in chunks, so that growing moves neither keys nor counts.
//!
//! The ticket idea: Xue and Marcus, *Global Hash Tables Strike Back!*, arXiv 2505.04153, 2025.

use super::CountOverflow;
use crate::key::same;
use crate::pages::with_large_pages;
use crate::parcel::SlotRows;
use crate::prefetch::prefetch;
use crate::tickets::{NONE, Tickets};

/// Entries to a chunk: 2 MiB.
const ENTRIES: usize = 1 << 16;
/// Arena chunks are of this many bytes; no key spans two.
const CHUNK: usize = 1 << 20;
/// How many rows are looked up together, so that their cache misses overlap.
const GROUP: usize = 32;
/// As many keys may come with a parcel.
const SOON: usize = 8192;
/// Keys up to this length stand in their entry.
const INLINE: usize = 23;
/// In the place of a length: the key stands in the arena.
const FAR: u8 = u8::MAX;

/// One key's count; two to a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Entry {
    count: u64,
    /// The key's bytes, or for a [`FAR`] one where they start in the arena, shifted left by 17 bits, and their number.
    key: [u8; INLINE],
    length: u8,
}

/// Entries by ticket, in chunks, so that growing neither moves nor copies them.
#[derive(Default)]
struct Entries {
    chunks: Vec<Vec<Entry>>,
    len: usize,
}

impl Entries {
    fn len(&self) -> usize {
        self.len
    }

    fn memory(&self) -> usize {
        held(&self.chunks)
    }

    #[inline]
    fn get(&self, ticket: u32) -> &Entry {
        &self.chunks[ticket as usize / ENTRIES][ticket as usize % ENTRIES]
    }

    #[inline]
    fn get_mut(&mut self, ticket: u32) -> &mut Entry {
        &mut self.chunks[ticket as usize / ENTRIES][ticket as usize % ENTRIES]
    }

    #[inline]
    fn push(&mut self, entry: Entry) {
        if self.len.is_multiple_of(ENTRIES) {
            open_chunk(&mut self.chunks, ENTRIES);
        }
        self.chunks[self.len / ENTRIES].push(entry);
        self.len += 1;
    }

    fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flatten()
    }
}

/// A table of exact counts.
#[derive(Default)]
pub struct Table {
    tickets: Tickets,
    entries: Entries,
    arena: Arena,
}

/// What a table holds, when nothing is added to it any more.
#[derive(Default)]
pub struct Rows {
    entries: Entries,
    arena: Arena,
}

impl Rows {
    /// Count and key of every key, in the order in which they first came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.entries.iter().map(|entry| (entry.count, self.arena.key(entry)))
    }
}

/// The half of a hash that the table goes by.
#[inline]
fn tag(hash: u64) -> u32 {
    hash as u32
}

impl Table {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The bytes that the table holds, about, or will hold while it grows if a parcel of new keys would make it.
    pub fn memory(&self) -> usize {
        self.tickets.memory(SOON) + self.entries.memory() + self.arena.memory()
    }

    /// Adds `weight` to the count of `key`, whose hash must always be the same; its lower half is used. Amortized O(1).
    ///
    /// # Errors
    /// [`CountOverflow`] when the count passes 2^64 - 1.
    ///
    /// # Panics
    /// At 2^32 - 1 keys.
    #[inline]
    pub fn add(&mut self, hash: u64, weight: u64, key: &[u8]) -> Result<(), CountOverflow> {
        self.tickets.reserve(1);
        self.add_at(NONE, tag(hash), weight, key)
    }

    /// As [`Table::add`] where there is room, for a key that in all likelihood has the ticket `guess`.
    #[inline]
    fn add_at(&mut self, guess: u32, tag: u32, weight: u64, key: &[u8]) -> Result<(), CountOverflow> {
        let is_it = |ticket| same(self.arena.key(self.entries.get(ticket)), key);
        match self.tickets.find_guessed(guess, tag, is_it) {
            Ok(ticket) => {
                let entry = self.entries.get_mut(ticket);
                entry.count = entry.count.checked_add(weight).ok_or_else(|| CountOverflow { key: key.to_vec() })?;
            }
            Err(vacant) => {
                assert!(self.entries.len() < NONE as usize, "a window's keys on one worker are below 2^32");
                self.tickets.insert(vacant, tag, self.entries.len() as u32);
                self.entries.push(self.arena.entry(weight, key));
            }
        }
        Ok(())
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    /// [`CountOverflow`] when a count passes 2^64 - 1.
    pub fn add_all(&mut self, other: &Table) -> Result<(), CountOverflow> {
        other.sorted().try_for_each(|(tag, count, key)| self.add(u64::from(tag), count, key))
    }

    /// Count and key of every key, in the order in which they first came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.entries.iter().map(|entry| (entry.count, self.arena.key(entry)))
    }

    /// Lets go of what only adding needs. O(1).
    pub fn into_rows(self) -> Rows {
        Rows { entries: self.entries, arena: self.arena }
    }

    /// The lower half of the hash, the count and the key of every key, in the order of half hash and key.
    pub fn sorted(&self) -> impl Iterator<Item = (u32, u64, &[u8])> {
        self.tickets.batches(GROUP).flat_map(|mut batch| {
            batch.iter().for_each(|(_, ticket)| prefetch(self.entries.get(*ticket)));
            let key = |ticket| self.arena.key(self.entries.get(ticket));
            batch.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))));
            batch.into_iter().map(|(tag, ticket)| {
                let entry = self.entries.get(ticket);
                (tag, entry.count, self.arena.key(entry))
            })
        })
    }
}

/// Key bytes, never moved.
#[derive(Default)]
struct Arena {
    chunks: Vec<Vec<u8>>,
}

impl Arena {
    /// An entry for a key of less than 128 KiB, kept here if it is not short.
    #[inline]
    fn entry(&mut self, count: u64, key: &[u8]) -> Entry {
        let mut entry = Entry { count, key: [0; INLINE], length: FAR };
        match entry.key.get_mut(..key.len()) {
            Some(inline) => {
                inline.copy_from_slice(key);
                entry.length = key.len() as u8;
            }
            None => entry.key[..8].copy_from_slice(&self.push(key).to_le_bytes()),
        }
        entry
    }

    /// The key of an entry.
    #[inline]
    fn key<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match entry.key.get(..entry.length as usize) {
            Some(inline) => inline,
            None => self.get(u64::from_le_bytes(*entry.key.first_chunk().expect("an entry has room for a place"))),
        }
    }

    fn push(&mut self, key: &[u8]) -> u64 {
        let room = self.chunks.last().map_or(0, |chunk| CHUNK - chunk.len());
        if room < key.len() || self.chunks.is_empty() {
            open_chunk(&mut self.chunks, CHUNK);
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let at = number * CHUNK + chunk.len();
        chunk.extend_from_slice(key);
        (at as u64) << 17 | key.len() as u64
    }

    #[inline]
    fn get(&self, key: u64) -> &[u8] {
        let (at, length) = ((key >> 17) as usize, (key & 0x1_ffff) as usize);
        &self.chunks[at / CHUNK][at % CHUNK..][..length]
    }

    fn memory(&self) -> usize {
        held(&self.chunks)
    }
}

/// Opens a chunk for so many things. The first grows as it fills, for the sake of small windows; the others are taken whole.
#[cold]
fn open_chunk<T>(chunks: &mut Vec<Vec<T>>, length: usize) {
    chunks.push(if chunks.is_empty() { Vec::new() } else { with_large_pages(length) });
}

/// The bytes that chunks hold.
fn held<T>(chunks: &[Vec<T>]) -> usize {
    chunks.iter().map(Vec::capacity).sum::<usize>() * size_of::<T>()
}

impl Table {
    /// Adds rows, whatever their slot, looking them up in groups so that their cache misses overlap.
    ///
    /// # Errors
    /// [`CountOverflow`] when a count passes 2^64 - 1.
    pub fn add_rows(&mut self, rows: &SlotRows<'_>) -> Result<(), CountOverflow> {
        let mut groups = rows.hashes.chunks(GROUP).peekable();
        let mut number = 0;
        while let Some(group) = groups.next() {
            self.tickets.reserve(group.len());
            let mut guesses = [NONE; GROUP];
            for (guess, &hash) in guesses.iter_mut().zip(group) {
                *guess = self.tickets.guess(tag(hash));
                if *guess != NONE {
                    prefetch(self.entries.get(*guess));
                }
            }
            if let Some(next) = groups.peek() {
                next.iter().for_each(|&hash| self.tickets.prefetch(tag(hash)));
            }
            for (&guess, &hash) in guesses.iter().zip(group) {
                self.add_at(guess, tag(hash), rows.weights[number], rows.key(number))?;
                number += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parcel::{Columns, Rows as ParcelRows};
    use crate::window::Slot;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn counts_equal_those_of_a_map(rows in prop::collection::vec((0u64..8, 0u64..1000, "[a-c]{0,3}"), 0..600)) {
            let (mut table, mut map) = (Table::default(), HashMap::new());
            // The hash goes with the key, and collides often.
            // Some lead to the last places, so that others wrap around.
            let hash = |key: &str| if key.contains('b') { u64::MAX - key.len() as u64 } else { u64::from(key.contains('a')) };
            for (_, weight, key) in &rows {
                table.add(hash(key), *weight, key.as_bytes()).unwrap();
                *map.entry(key.as_bytes().to_vec()).or_insert(0) += weight;
            }
            let counts: HashMap<_, _> = table.iter().map(|(count, key)| (key.to_vec(), count)).collect();
            prop_assert_eq!(table.len(), counts.len());
            let sorted: Vec<_> = table.sorted().map(|(half, count, key)| (half, key.to_vec(), count)).collect();
            prop_assert!(sorted.is_sorted());
            prop_assert_eq!(sorted.into_iter().map(|(_, key, count)| (key, count)).collect::<HashMap<_, _>>(), counts.clone());
            prop_assert_eq!(counts, map);
        }
    }

    #[test]
    fn groups_of_long_and_short_keys_are_kept_over_many_chunks() {
        let keys: Vec<Vec<u8>> = (0..80_000u32).map(|i| i.to_le_bytes().repeat(1 + i as usize % 40)).collect();
        let hashes: Vec<u64> = (0..80_000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let weights: Vec<u64> = (0..80_000).collect();
        let mut columns = Columns::default();
        for ((key, &hash), &weight) in keys.iter().zip(&hashes).zip(&weights) {
            columns.push(Slot::from_word(0), hash, weight, key);
        }
        let rows = ParcelRows::from(columns);
        let mut table = Table::default();
        for rows in rows.by_slot().chain(rows.by_slot()) {
            table.add_rows(&rows).unwrap();
        }
        assert_eq!(table.len(), keys.len());
        for (i, (count, key)) in table.iter().enumerate() {
            assert_eq!((count, key), (2 * weights[i], keys[i].as_slice()));
        }
        let sorted: Vec<_> = table.sorted().collect();
        assert_eq!(sorted.len(), keys.len());
        assert!(sorted.is_sorted_by_key(|(half, _, key)| (*half, *key)));
    }

    #[test]
    fn what_wrapped_around_the_end_is_sorted_last() {
        let mut table = Table::default();
        for i in 0..600u64 {
            let half = if i % 2 == 0 { u32::MAX.into() } else { i % 3 * 1000 + (i << 22) };
            table.add(half, 1, &i.to_le_bytes()).unwrap();
        }
        let sorted: Vec<_> = table.sorted().map(|(half, _, key)| (half, key)).collect();
        assert_eq!(sorted.len(), 600);
        assert!(sorted.is_sorted());
    }

    #[test]
    fn a_count_beyond_u64_is_an_error() {
        let mut table = Table::default();
        table.add(1, u64::MAX, b"big").unwrap();
        table.add(1, 0, b"big").unwrap();
        assert_eq!(table.add(1, 1, b"big"), Err(CountOverflow { key: b"big".to_vec() }));
    }
}
