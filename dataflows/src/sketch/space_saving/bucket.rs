//! Eight counters that share a cache line of tags, and the cells that bound the keys without a counter.

use super::keys::KeyRef;

/// Counters in a bucket.
pub(super) const WAYS: usize = 8;

/// Filter cells of a bucket.
pub(super) const CELLS: usize = 16;

/// The hash as it is stored: never 0, which marks a free way.
pub(super) fn tag_of(hash: u64) -> u64 {
    hash | 1
}

/// Which of `buckets` (a power of two) a tag belongs to. Doubling splits bucket i into i and i + `buckets`.
///
/// Bits 8 to 28: clear of the bits that choose a shard (40 to 51), which are all alike on one worker.
pub(super) fn bucket_of(tag: u64, buckets: usize) -> usize {
    (tag >> 8) as usize & (buckets - 1)
}

/// Which cell of its bucket's filter a tag belongs to.
pub(super) fn cell_of(tag: u64) -> usize {
    (tag >> 60) as usize
}

/// A tracked key without its bytes: its true count is in `low..=low + err`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub tag: u64,
    pub low: u64,
    pub err: u64,
    pub key: KeyRef,
}

impl Slot {
    pub(super) fn high(&self) -> u64 {
        self.low.saturating_add(self.err)
    }
}

/// The counters of the keys whose hash leads here.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Bucket {
    tags: [u64; WAYS],
    low: [u64; WAYS],
    err: [u64; WAYS],
    /// A free way keeps its last key's place, so that the next key may take it over.
    keys: [KeyRef; WAYS],
}

impl Bucket {
    /// One bit for each way that holds `tag`; 0 finds the free ways.
    pub(super) fn matches(&self, tag: u64) -> Ways {
        Ways((0..WAYS).fold(0, |bits, way| bits | u32::from(self.tags[way] == tag) << way))
    }

    pub(super) fn free(&self) -> Option<usize> {
        self.matches(0).next()
    }

    pub(super) fn used(&self) -> Ways {
        Ways(!self.matches(0).0 & 0xFF)
    }

    pub(super) fn slot(&self, way: usize) -> Slot {
        Slot { tag: self.tags[way], low: self.low[way], err: self.err[way], key: self.keys[way] }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.used().map(|way| self.slot(way))
    }

    pub(super) fn put(&mut self, way: usize, slot: Slot) {
        self.tags[way] = slot.tag;
        self.low[way] = slot.low;
        self.err[way] = slot.err;
        self.keys[way] = slot.key;
    }

    pub(super) fn key(&self, way: usize) -> KeyRef {
        self.keys[way]
    }

    /// The places of tracked keys; those of keys let go are forgotten.
    pub(super) fn tracked_keys(&mut self) -> impl Iterator<Item = &mut KeyRef> {
        self.matches(0).for_each(|way| self.keys[way] = KeyRef::default());
        let tags = &self.tags;
        self.keys.iter_mut().zip(tags).filter(|(_, tag)| **tag != 0).map(|(key, _)| key)
    }

    pub(super) fn low_mut(&mut self, way: usize) -> &mut u64 {
        &mut self.low[way]
    }

    /// Frees a way but for its key's place.
    pub(super) fn clear(&mut self, way: usize) {
        self.tags[way] = 0;
    }

    /// The way with the smallest upper bound, and that bound. Only for a full bucket.
    pub(super) fn least(&self) -> (usize, u64) {
        let high = |way: usize| self.low[way].saturating_add(self.err[way]);
        (1..WAYS).fold((0, high(0)), |best, way| if high(way) < best.1 { (way, high(way)) } else { best })
    }
}

/// A set of ways, as bits; iterates from the lowest.
#[derive(Clone, Copy)]
pub(super) struct Ways(u32);

impl Iterator for Ways {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let way = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(way)
    }
}

/// Upper bounds for untracked keys: each cell bounds every untracked key of its bucket that falls into it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct Filter(pub(super) [u64; CELLS]);

impl Filter {
    /// Makes the cell of `tag` at least `high`.
    pub(super) fn raise(&mut self, tag: u64, high: u64) {
        let cell = &mut self.0[cell_of(tag)];
        *cell = (*cell).max(high);
    }

    /// Cell by cell, the bounds of keys that neither side tracks.
    pub(super) fn plus(&self, other: &Filter) -> Filter {
        Filter(std::array::from_fn(|cell| self.0[cell].saturating_add(other.0[cell])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_found_by_its_tag_and_freed_for_the_next() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.free(), Some(0));
        (0..WAYS).for_each(|way| bucket.put(way, Slot { tag: 1 + 2 * way as u64, ..Slot::default() }));
        assert_eq!(bucket.free(), None);
        assert_eq!(bucket.matches(7).collect::<Vec<_>>(), [3]);
        bucket.clear(3);
        assert_eq!((bucket.free(), bucket.used().count()), (Some(3), 7));
    }

    #[test]
    fn the_least_way_is_judged_by_its_upper_bound() {
        let mut bucket = Bucket::default();
        (0..WAYS).for_each(|way| bucket.put(way, Slot { tag: 1, low: 9 - way as u64, err: 9, ..Slot::default() }));
        bucket.put(5, Slot { tag: 1, low: 8, err: 1, ..Slot::default() });
        assert_eq!(bucket.least(), (5, 9));
    }

    #[test]
    fn doubling_splits_a_bucket_in_two() {
        for tag in (0..100_000u64).map(|i| tag_of(i.wrapping_mul(0x9E37_79B9_7F4A_7C15))) {
            let (before, after) = (bucket_of(tag, 64), bucket_of(tag, 128));
            assert!(after == before || after == before + 64);
        }
    }
}
