//! From keys to ids, for the writer: every key of the store in memory.

use hitters_dataflows::key::same;
use hitters_dataflows::pages::with_large_pages;
use hitters_dataflows::prefetch::prefetch;
use hitters_dataflows::tickets::{NONE, Tickets, Vacant};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

/// How many rows of a search are under way, so that their cache misses overlap.
const UNDER_WAY: usize = 64;
/// Names to a chunk: 16 MiB, of which large pages take all but the ends.
const CHUNK: usize = 1 << 19;
/// Keys up to this length stand in their name.
const INLINE: usize = 31;
/// In the place of a length: the key stands apart.
const FAR: u8 = u8::MAX;

/// A key's bytes and their number, or for a [`FAR`] one where they start and their number. Two to a cache line.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Name([u8; INLINE + 1]);

/// [`Tickets`] that lead to ids, and names by id, in chunks, so that growing does not move them. Memory: 45 to 58 bytes a
/// key, up to 84 in a small one, and the bytes of keys above 31 bytes.
pub(super) struct Index {
    tickets: Tickets,
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
    pub(super) tag: u32,
}

impl Index {
    pub(super) fn new() -> Self {
        // Nobody outside may choose keys that collide. Without a source of randomness a fixed seed still gives right ids.
        let secrets = RapidSecrets::seed(getrandom::u64().unwrap_or(0));
        Index { tickets: Tickets::default(), names: Vec::new(), len: 0, far: Vec::new(), secrets }
    }

    /// The number of ids that were given out.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The key of an id that was given out.
    #[inline]
    pub(super) fn key(&self, id: u32) -> &[u8] {
        let name = &self.name(id).0;
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
        self.id_of(key, self.tag(key))
    }

    /// As [`id`](Index::id), for a key whose tag is known.
    pub(super) fn id_of(&mut self, key: &[u8], tag: u32) -> (u32, bool) {
        self.tickets.reserve(1);
        match self.find(NONE, key, tag) {
            Ok(id) => (id, false),
            Err(vacant) => {
                let id = self.len;
                self.tickets.insert(vacant, tag, id);
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
            self.names.push(with_large_pages(CHUNK));
        }
        self.names.last_mut().expect("just opened").push(Name(name));
        self.len += 1;
    }

    /// Calls `each` with every row and the id of its key, if it has one, in order.
    ///
    /// When a row comes its slots are asked for; some rows later the name that they lead to; and it is looked up when as
    /// many rows again have come. So each fetch has its time.
    pub(super) fn find_all<'k>(
        &self,
        rows: impl Iterator<Item = (&'k [u8], u64)>,
        mut each: impl FnMut(Row<'k>, Option<u32>),
    ) {
        let (mut under_way, mut next) = ([(Row::default(), NONE); UNDER_WAY], 0);
        let mut look_up = |(row, guess): (Row<'k>, u32)| each(row, self.find(guess, row.key, row.tag).ok());
        rows.for_each(|(key, count)| {
            let row = Row { key, count, tag: self.tag(key) };
            self.tickets.prefetch(row.tag);
            let first = std::mem::replace(&mut under_way[next % UNDER_WAY], (row, NONE));
            if next >= UNDER_WAY {
                look_up(first);
            }
            next += 1;
            let (row, guess) = &mut under_way[(next + UNDER_WAY / 2) % UNDER_WAY];
            *guess = self.tickets.guess(row.tag);
            if *guess != NONE {
                prefetch(self.name(*guess));
            }
        });
        (next.saturating_sub(UNDER_WAY)..next).for_each(|at| look_up(under_way[at % UNDER_WAY]));
    }

    /// Asks for the keys of rows, and for their slots: they are about to get ids.
    pub(super) fn ask(&self, rows: &[Row<'_>]) {
        for row in rows {
            self.tickets.prefetch(row.tag);
            row.key.first().into_iter().for_each(prefetch);
        }
    }

    #[inline]
    fn name(&self, id: u32) -> &Name {
        &self.names[id as usize / CHUNK][id as usize % CHUNK]
    }

    #[inline]
    fn find(&self, guess: u32, key: &[u8], tag: u32) -> Result<u32, Vacant> {
        self.tickets.find_guessed(guess, tag, |id| self.is_key(id, key))
    }

    /// Whether this is the key of an id.
    #[inline]
    fn is_key(&self, id: u32, key: &[u8]) -> bool {
        let name = &self.name(id).0;
        // As of `Index::key`, by the other length, which is at hand.
        match name[..INLINE].get(..key.len()) {
            Some(inline) => usize::from(name[INLINE]) == key.len() && same(inline, key),
            None => self.key(id) == key,
        }
    }

    #[inline]
    fn tag(&self, key: &[u8]) -> u32 {
        (rapidhash_v3_micro_inline::<true, false>(key, &self.secrets) >> 32) as u32
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
        index.find_all(wanted.iter().map(|key| (key.as_bytes(), key.len() as u64)), |row, id| {
            assert_eq!((row.key, row.count), (wanted[seen].as_bytes(), wanted[seen].len() as u64));
            assert_eq!(id, (seen % 7 == 0 && seen / 7 < 80_000).then_some(seen as u32 / 7));
            seen += 1;
        });
        assert_eq!(seen, wanted.len());
        index.find_all([(b"".as_slice(), 1)].into_iter(), |_, id| assert_eq!(id, Some(80_001)));
        for id in [0, 3, 65_535, 65_536, 79_999] {
            assert_eq!(index.key(id as u32), key(id * 7).as_bytes());
            assert_eq!(index.id(key(id * 7).as_bytes()), (id as u32, false));
        }
    }
}
