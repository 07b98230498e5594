//! Eight counters that share a cache line of tags.

use super::keys::KeyRef;
use crate::bits::Bits;
use crate::prefetch::prefetch;
use crate::tags::{WIDTH, equal};

/// Counters in a bucket.
pub(super) const WAYS: usize = WIDTH;

/// The hash as it is stored: never 0, which marks a free way.
#[inline(always)]
pub(super) fn tag_of(hash: u64) -> u64 {
    hash | 1
}

/// Which of `buckets` (fewer than 2^32) a tag belongs to. Doubling splits bucket i into 2i and 2i + 1.
///
/// Takes bits 8 to 39, as a part of their range: clear of the bits that choose a shard (40 to 51), which are all alike
/// on one worker.
#[inline(always)]
pub(super) fn bucket_of(tag: u64, buckets: usize) -> usize {
    (((tag >> 8 & 0xFFFF_FFFF) * buckets as u64) >> 32) as usize
}

/// A tracked key without its bytes: its true count is in `high - err..=high`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub tag: u64,
    pub high: u64,
    pub err: u64,
    pub key: KeyRef,
}

impl Slot {
    pub(super) fn low(&self) -> u64 {
        self.high - self.err
    }
}

/// The counters of the keys whose hash leads here. A column is a cache line; most updates touch only those of the tags,
/// the upper bounds and the keys.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Bucket {
    /// The low halves of the tags, which are compared first: all at once.
    tags: [u32; WAYS],
    top_halves: [u32; WAYS],
    high: [u64; WAYS],
    err: [u64; WAYS],
    /// A free way keeps its last key's place, so that the next key may take it over.
    keys: [KeyRef; WAYS],
}

impl Bucket {
    /// One bit for each way that may hold `tag`: the low half is the same. 0 finds the free ways.
    #[inline(always)]
    pub(super) fn matches(&self, tag: u64) -> Bits {
        Bits(equal(&self.tags, tag as u32).into())
    }

    /// Asks for the lines of tags, upper bounds and keys.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(&self.tags);
        prefetch(&self.high);
        prefetch(&self.keys);
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.matches(0).0 == 0
    }

    pub(super) fn high(&self, way: usize) -> u64 {
        self.high[way]
    }

    pub(super) fn low(&self, way: usize) -> u64 {
        self.high[way] - self.err[way]
    }

    fn tag(&self, way: usize) -> u64 {
        u64::from(self.top_halves[way]) << 32 | u64::from(self.tags[way])
    }

    pub(super) fn free(&self) -> Option<usize> {
        self.matches(0).next()
    }

    pub(super) fn used(&self) -> Bits {
        Bits(!self.matches(0).0 & 0xFF)
    }

    pub(super) fn slot(&self, way: usize) -> Slot {
        Slot { tag: self.tag(way), high: self.high[way], err: self.err[way], key: self.keys[way] }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.used().map(|way| self.slot(way))
    }

    pub(super) fn put(&mut self, way: usize, slot: Slot) {
        (self.tags[way], self.top_halves[way]) = (slot.tag as u32, (slot.tag >> 32) as u32);
        self.high[way] = slot.high;
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

    /// Adds to a key's count; false, and nothing changed, when even its certain part would leave `u64`.
    #[inline(always)]
    pub(super) fn add(&mut self, way: usize, weight: u64) -> bool {
        match self.high[way].checked_add(weight) {
            Some(high) => self.high[way] = high,
            None => return self.add_saturating(way, weight),
        }
        true
    }

    /// An upper bound that would leave `u64` stays at its top; the distance to the certain part shrinks instead.
    #[cold]
    fn add_saturating(&mut self, way: usize, weight: u64) -> bool {
        let Some(low) = (self.high[way] - self.err[way]).checked_add(weight) else { return false };
        (self.high[way], self.err[way]) = (u64::MAX, u64::MAX - low);
        true
    }

    /// Frees a way but for its key's place.
    pub(super) fn clear(&mut self, way: usize) {
        self.tags[way] = 0;
    }

    /// The way that goes first: of least certain count among those whose upper bound is within `fair`, of least upper
    /// bound where none is. Only for a full bucket. Counts beyond 2^61 are alike.
    #[inline(always)]
    pub(super) fn least(&self, fair: u64) -> usize {
        // Those within `fair` are at most `fair`, the others above. The way stands in the lowest bits.
        let standing = |way: usize| {
            let low = self.high[way].wrapping_sub(self.err[way]);
            let counts = if self.high[way] > fair { self.high[way] } else { low };
            counts.min(u64::MAX >> 3) << 3 | way as u64
        };
        let lower = |a: u64, b: u64| a.min(b);
        let pairs: [u64; WAYS / 2] = std::array::from_fn(|pair| lower(standing(2 * pair), standing(2 * pair + 1)));
        lower(lower(pairs[0], pairs[1]), lower(pairs[2], pairs[3])) as usize % WAYS
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
    fn the_least_way_is_judged_by_what_is_certain_up_to_a_fair_bound_and_by_its_bound_above() {
        let mut bucket = Bucket::default();
        (0..WAYS).for_each(|way| bucket.put(way, Slot { tag: 1, high: 19 - way as u64, err: 9, ..Slot::default() }));
        bucket.put(5, Slot { tag: 1, high: 13, err: 12, ..Slot::default() });
        bucket.put(2, Slot { tag: 1, high: 90, err: 90, ..Slot::default() });
        assert_eq!([0, 12, 13, 100].map(|fair| bucket.least(fair)), [7, 7, 5, 2]);
    }

    #[test]
    fn an_upper_bound_stops_at_the_top_and_the_certain_part_goes_on() {
        let mut bucket = Bucket::default();
        bucket.put(0, Slot { tag: 1, high: u64::MAX - 1, err: 10, ..Slot::default() });
        assert!(bucket.add(0, 5));
        assert_eq!((bucket.slot(0).low(), bucket.slot(0).high), (u64::MAX - 6, u64::MAX));
        assert!(!bucket.add(0, 7) && bucket.add(0, 6));
        assert_eq!(bucket.slot(0).err, 0);
    }

    #[test]
    fn doubling_splits_a_bucket_in_two() {
        for tag in (0..100_000u64).map(|i| tag_of(i.wrapping_mul(0x9E37_79B9_7F4A_7C15))) {
            for buckets in [1, 9, 64, 13 << 10] {
                assert_eq!(bucket_of(tag, 2 * buckets) / 2, bucket_of(tag, buckets));
            }
        }
    }
}
