//! From keys to ids, for the writer: every key of the store in memory.

use hitters_dataflows::key::same;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// An empty slot; no key has it, since ids are below `u32::MAX`.
const EMPTY: u64 = u64::MAX;
const TAG: u64 = !(u32::MAX as u64);
/// How many keys are looked up together, so that their cache misses overlap.
const GROUP: usize = 32;

/// A hash table of tags and ids with linear probing, over key bytes that stand one after the other. Memory: 16 to 27 bytes
/// a key, and its bytes.
pub(super) struct Index {
    slots: Vec<u64>,
    /// Where each key's bytes end; they start where those of the one before end.
    ends: Vec<u64>,
    bytes: Vec<u8>,
    secrets: RapidSecrets,
}

impl Index {
    pub(super) fn new() -> Self {
        // Nobody outside may choose keys that collide. Without a source of randomness a fixed seed still gives right ids.
        let seed = getrandom::u64().unwrap_or(0);
        Index { slots: vec![EMPTY; 16], ends: Vec::new(), bytes: Vec::new(), secrets: RapidSecrets::seed(seed) }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// The key of an id that was given out.
    pub(super) fn key(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..self.ends[id] as usize]
    }

    /// The id of a key, if it has one.
    pub(super) fn id(&self, key: &[u8]) -> Option<u32> {
        self.lookup(self.hash(key), key)
    }

    /// Gives the next id to a key that has none.
    pub(super) fn push(&mut self, key: &[u8]) -> u32 {
        if (self.ends.len() + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let (id, hash) = (self.len(), self.hash(key));
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u64);
        self.insert(hash, id);
        id
    }

    /// Leaves an id without a key: its chunk is damaged.
    pub(super) fn skip(&mut self) {
        self.ends.push(self.bytes.len() as u64);
    }

    /// Calls `each` with the place of every key in `keys` and its id, if it has one.
    pub(super) fn find<K: AsRef<[u8]>>(
        &self,
        keys: impl Iterator<Item = K> + Clone,
        mut each: impl FnMut(usize, Option<u32>),
    ) {
        let (mut rest, mut place) = (keys, 0);
        let mut hashes = [0; GROUP];
        loop {
            let group = rest.clone().take(GROUP);
            let mut filled = 0;
            for (hash, key) in hashes.iter_mut().zip(group.clone()) {
                *hash = self.hash(key.as_ref());
                filled += 1;
            }
            if filled == 0 {
                return;
            }
            self.touch(&hashes[..filled]);
            for (hash, key) in hashes.iter().zip(group) {
                each(place, self.lookup(*hash, key.as_ref()));
                place += 1;
            }
            if filled < GROUP {
                return;
            }
            rest.nth(GROUP - 1);
        }
    }

    /// Reads where the hashes lead; the reads do not depend on each other, so many are under way at once.
    fn touch(&self, hashes: &[u64]) {
        let mask = self.slots.len() - 1;
        let mut starts = [0; GROUP];
        for (start, hash) in starts.iter_mut().zip(hashes) {
            *start = self.slots[*hash as usize & mask] as u32;
        }
        for start in &mut starts[..hashes.len()] {
            let end = self.ends.get(*start as usize).copied().unwrap_or(0);
            *start = end.saturating_sub(1) as u32;
        }
        let sum = starts[..hashes.len()].iter().fold(0, |sum, &at| sum ^ self.bytes.get(at as usize).unwrap_or(&0));
        std::hint::black_box(sum);
    }

    fn lookup(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return None;
            }
            if slot & TAG == hash & TAG && same(self.key(slot as u32), key) {
                return Some(slot as u32);
            }
            at = (at + 1) & mask;
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash_v3_seeded(key, &self.secrets)
    }

    fn insert(&mut self, hash: u64, id: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = hash & TAG | u64::from(id);
    }

    fn grow(&mut self) {
        self.slots = vec![EMPTY; self.slots.len() * 2];
        (0..self.len()).for_each(|id| self.insert(self.hash(self.key(id)), id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_ids() {
        let mut index = Index::new();
        let keys: Vec<String> = (0..5000).map(|i| format!("key-{}", i * 7)).collect();
        for (id, key) in keys.iter().enumerate() {
            assert_eq!(index.push(key.as_bytes()), id as u32);
        }
        index.skip();
        assert_eq!(index.push(b""), 5001);
        let wanted: Vec<String> = (0..7001).map(|i| format!("key-{i}")).collect();
        let mut seen = 0;
        index.find(wanted.iter(), |at, id| {
            assert_eq!(id, (at % 7 == 0 && at / 7 < 5000).then_some(at as u32 / 7));
            seen += 1;
        });
        assert_eq!(seen, wanted.len());
        index.find([b""].iter(), |_, id| assert_eq!(id, Some(5001)));
        assert_eq!(index.key(3), b"key-21");
    }
}
