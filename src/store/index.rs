//! From keys to ids, for the writer: every key of the store in memory.

use hitters_dataflows::key::same;
use hitters_dataflows::pages::{filled, with_large_pages};
use hitters_dataflows::prefetch::prefetch;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

/// An empty slot; no key has it, since ids are below `u32::MAX`.
const EMPTY: u64 = u64::MAX;
const TAG: u64 = !(u32::MAX as u64);
/// How many keys are looked up together, so that their cache misses overlap.
pub(super) const GROUP: usize = 64;
/// Names to a chunk: 2 MiB.
const CHUNK: usize = 1 << 16;
/// Keys up to this length stand in their name.
const INLINE: usize = 31;
/// In the place of a length: the key stands apart.
const FAR: u8 = u8::MAX;

/// A key's bytes and their number, or for a [`FAR`] one where they start and their number. Two to a cache line.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Name([u8; INLINE + 1]);

/// A hash table of tags and ids with linear probing, and names by id. A tag is half of a hash, and a slot's place is its
/// highest bits, so growing needs no keys. Names are in chunks, so growing does not move them. Memory: 44 to 56 bytes a key,
/// and the bytes of keys above 31 bytes.
pub(super) struct Index {
    slots: Vec<u64>,
    names: Vec<Vec<Name>>,
    len: u32,
    far: Vec<u8>,
    secrets: RapidSecrets,
}

/// A key with its count, on its way to an id.
#[derive(Clone, Copy, Default)]
pub(super) struct Row<'k> {
    pub(super) key: &'k [u8],
    pub(super) count: u64,
    pub(super) hash: u64,
}

/// Rows that are looked up together, and where their tags stand.
#[derive(Clone, Copy)]
struct Group<'k> {
    rows: [Row<'k>; GROUP],
    places: [usize; GROUP],
    len: usize,
}

impl Default for Group<'_> {
    fn default() -> Self {
        Group { rows: [Row::default(); GROUP], places: [0; GROUP], len: 0 }
    }
}

impl Index {
    pub(super) fn new() -> Self {
        // Nobody outside may choose keys that collide. Without a source of randomness a fixed seed still gives right ids.
        let seed = getrandom::u64().unwrap_or(0);
        Index { slots: vec![EMPTY; 16], names: Vec::new(), len: 0, far: Vec::new(), secrets: RapidSecrets::seed(seed) }
    }

    /// The number of ids that were given out.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The key of an id that was given out.
    #[inline]
    pub(super) fn key(&self, id: u32) -> &[u8] {
        let name = &self.names[id as usize / CHUNK][id as usize % CHUNK].0;
        match name.get(..usize::from(name[INLINE])) {
            Some(inline) => inline,
            None => {
                let number = |at: usize| u64::from_le_bytes(name[at..at + 8].try_into().expect("8 bytes")) as usize;
                &self.far[number(0)..][..number(8)]
            }
        }
    }

    /// The id of a key, and whether it has it only now: the next one.
    pub(super) fn id(&mut self, key: &[u8]) -> (u32, bool) {
        self.id_of(key, self.hash(key))
    }

    /// As [`id`](Index::id), for a key whose hash is known.
    pub(super) fn id_of(&mut self, key: &[u8], hash: u64) -> (u32, bool) {
        if (self.len as usize + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        match self.lookup(self.probe(self.home(hash), hash), hash, key) {
            Ok(id) => (id, false),
            Err(empty) => {
                let id = self.len;
                self.slots[empty] = hash & TAG | u64::from(id);
                self.push(key);
                (id, true)
            }
        }
    }

    /// Gives the next id to a key that is not found by it: it has one already, or is not known.
    pub(super) fn push(&mut self, key: &[u8]) {
        let mut name = [0; INLINE + 1];
        match name.get_mut(..key.len()).filter(|inline| inline.len() <= INLINE) {
            Some(inline) => {
                inline.copy_from_slice(key);
                name[INLINE] = key.len() as u8;
            }
            None => {
                name[..8].copy_from_slice(&(self.far.len() as u64).to_le_bytes());
                name[8..16].copy_from_slice(&(key.len() as u64).to_le_bytes());
                name[INLINE] = FAR;
                self.far.extend_from_slice(key);
            }
        }
        if (self.len as usize).is_multiple_of(CHUNK) {
            self.names.push(if self.len == 0 { Vec::new() } else { with_large_pages(CHUNK) });
        }
        self.names.last_mut().expect("just opened").push(Name(name));
        self.len += 1;
    }

    /// Calls `each` with every row and the id of its key, if it has one, in order.
    ///
    /// Three groups are under way: the slots of one are asked for, the names that they lead to for the one before it, and
    /// the first is looked up. So each fetch has the time of a group to come.
    pub(super) fn find<'k>(
        &self,
        rows: impl Iterator<Item = (&'k [u8], u64)>,
        mut each: impl FnMut(Row<'k>, Option<u32>),
    ) {
        let (mut groups, mut turn) = ([Group::default(); 3], 0);
        rows.for_each(|(key, count)| {
            let (group, hash) = (&mut groups[turn % 3], self.hash(key));
            prefetch(&self.slots[self.home(hash)]);
            group.rows[group.len] = Row { key, count, hash };
            group.len += 1;
            if group.len == GROUP {
                self.turn(&mut groups, turn, &mut each);
                turn += 1;
            }
        });
        (turn..turn + 3).for_each(|turn| self.turn(&mut groups, turn, &mut each));
    }

    /// Looks up the group of two turns before, and leaves its room empty for the next; asks for the names of the last one.
    fn turn<'k>(&self, groups: &mut [Group<'k>; 3], turn: usize, each: &mut impl FnMut(Row<'k>, Option<u32>)) {
        let first = &mut groups[(turn + 1) % 3];
        for (row, place) in first.rows.iter().zip(first.places).take(first.len) {
            each(*row, self.lookup(place, row.hash, row.key).ok());
        }
        first.len = 0;
        let last = &mut groups[(turn + 2) % 3];
        last.places = self.probed(&last.rows[..last.len]);
    }

    /// Where the tag of each of up to [`GROUP`] rows stands, if it does. Asks for the slots, then for the names that they lead
    /// to, all of them before the first is used.
    pub(super) fn places(&self, group: &[Row<'_>]) -> [usize; GROUP] {
        group.iter().for_each(|row| prefetch(&self.slots[self.home(row.hash)]));
        self.probed(group)
    }

    /// As [`places`](Index::places), for rows whose slots were asked for.
    fn probed(&self, group: &[Row<'_>]) -> [usize; GROUP] {
        let mut places = [0; GROUP];
        for (place, row) in places.iter_mut().zip(group) {
            *place = self.probe(self.home(row.hash), row.hash);
            let id = self.slots[*place] as u32 as usize;
            if let Some(names) = self.names.get(id / CHUNK) {
                prefetch(&names[id % CHUNK]);
            }
        }
        places
    }

    /// The first place from `at` on that is empty or has the tag of this hash.
    #[inline]
    fn probe(&self, mut at: usize, hash: u64) -> usize {
        loop {
            let slot = self.slots[at];
            if slot == EMPTY || slot & TAG == hash & TAG {
                return at;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The id of a key whose tag stands first at `at`, or the place for it.
    #[inline]
    fn lookup(&self, mut at: usize, hash: u64, key: &[u8]) -> Result<u32, usize> {
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return Err(at);
            }
            if same(self.key(slot as u32), key) {
                return Ok(slot as u32);
            }
            at = self.probe((at + 1) & (self.slots.len() - 1), hash);
        }
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash_v3_micro_inline::<true, false>(key, &self.secrets)
    }

    /// The place where the probing for a hash begins.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> 32 << self.slots.len().trailing_zeros() >> 32) as usize
    }

    fn grow(&mut self) {
        let slots = filled(EMPTY, self.slots.len() * 2);
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| *slot != EMPTY) {
            let mut at = self.home(slot);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_ids() {
        let mut index = Index::new();
        // Short and long ones, and those around the longest that stand in their names.
        let key = |i: usize| format!("key-{i}{}", "x".repeat(i % 40));
        for id in 0..80_000 {
            assert_eq!(index.id(key(id * 7).as_bytes()), (id as u32, true));
        }
        index.push(b"");
        assert_eq!(index.id(b""), (80_001, true));
        let wanted: Vec<String> = (0..100_001).map(key).collect();
        let mut seen = 0;
        index.find(wanted.iter().map(|key| (key.as_bytes(), key.len() as u64)), |row, id| {
            assert_eq!((row.key, row.count), (wanted[seen].as_bytes(), wanted[seen].len() as u64));
            assert_eq!(id, (seen % 7 == 0 && seen / 7 < 80_000).then_some(seen as u32 / 7));
            seen += 1;
        });
        assert_eq!(seen, wanted.len());
        index.find([(b"".as_slice(), 1)].into_iter(), |_, id| assert_eq!(id, Some(80_001)));
        for id in [0, 3, 65_535, 65_536, 79_999] {
            assert_eq!(index.key(id as u32), key(id * 7).as_bytes());
            assert_eq!(index.id(key(id * 7).as_bytes()), (id as u32, false));
        }
    }
}
