//! How a key without a counter gets one: room while the sketch is exact, another key's after that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::admission::Lot;
use super::bucket::{Bucket, Slot, bucket_of};
use super::filters::Filters;
use super::{LONGEST_KEY, SpaceSaving};
use crate::sketch::Sketch;

impl SpaceSaving {
    #[inline(always)]
    pub(super) fn add_untracked(&mut self, tag: u64, key: &[u8], weight: u64) {
        if self.is_exact() {
            if self.has_room(tag, key.len()) {
                return self.insert(tag, key, weight, 0);
            }
            if weight > 0 {
                self.begin_evicting();
            }
        }
        if weight > 0 {
            self.compete(tag, key, weight);
        }
    }

    /// Grows until the bucket of `tag` has a free way; false when the sketch or its key room is full.
    fn has_room(&mut self, tag: u64, len: usize) -> bool {
        if len > LONGEST_KEY || !self.keys.fits(len) {
            return false;
        }
        loop {
            let buckets = self.buckets.len();
            if self.buckets[bucket_of(tag, buckets)].free().is_some() {
                return true;
            }
            if buckets == self.shape.buckets {
                return false;
            }
            self.grow_to(2 * buckets);
        }
    }

    fn grow_to(&mut self, buckets: usize) {
        let mut grown = vec![Bucket::default(); buckets];
        for slot in self.slots() {
            let bucket = &mut grown[bucket_of(slot.tag, buckets)];
            let way = bucket.free().expect("a bucket that is split has no more keys than before");
            bucket.put(way, slot);
        }
        self.buckets = grown;
    }

    /// Brings the sketch to full size and gives it filters, which say 0: nothing was evicted yet.
    pub(super) fn begin_evicting(&mut self) {
        if self.is_exact() {
            if self.buckets.len() < self.shape.buckets {
                self.grow_to(self.shape.buckets);
            }
            self.filters = Filters::new(self.shape.buckets, false);
        }
    }

    /// Tracks a key if it beats what it would push out, and otherwise raises the bound of its cells.
    ///
    /// The cells bounded the key before this weight came, and bound all others of theirs still; so bound plus weight is
    /// enough for all of them.
    #[inline(always)]
    fn compete(&mut self, tag: u64, key: &[u8], weight: u64) {
        let at = bucket_of(tag, self.buckets.len());
        let high = self.filters.bound(at, tag).saturating_add(weight);
        let fair = self.fair();
        let lot = Lot::draw(tag, self.total, weight, high, &mut self.high_bound);
        // Most end here: having read neither counts nor errors.
        if high <= fair && !lot.may_win() && self.buckets[at].is_full() {
            return self.filters.raise(at, tag, high);
        }
        self.challenge(at, tag, key, weight, high, lot);
    }

    /// The rest of [`compete`](Self::compete), for the few. Not inline, which leaves the others shorter.
    #[inline(never)]
    fn challenge(&mut self, at: usize, tag: u64, key: &[u8], weight: u64, high: u64, lot: Lot) {
        let fair = self.fair();
        let bucket = &self.buckets[at];
        let victim = bucket.is_full().then(|| bucket.least(fair));
        let wins = match victim {
            Some(way) => high > bucket.high(way) && (high > fair || lot.wins_against(bucket.low(way))),
            None => high > self.bar,
        };
        if !wins || key.len() > LONGEST_KEY.min(self.shape.key_room) {
            return self.filters.raise(at, tag, high);
        }
        if let Some(way) = victim {
            self.evict(at, way);
        }
        self.insert(tag, key, high, high - weight);
    }

    /// A counter's part of the total. Upper bounds below it may be of strangers' making altogether, so they decide nothing.
    #[inline(always)]
    pub(super) fn fair(&mut self) -> u64 {
        if self.total >= self.fair.1 {
            let part = self.total / self.capacity() as u128;
            self.fair = (u64::try_from(part).unwrap_or(u64::MAX), (part + 1).saturating_mul(self.capacity() as u128));
        }
        self.fair.0
    }

    /// Takes a counter away; the key's cell remembers how much it may have had.
    fn evict(&mut self, at: usize, way: usize) {
        let slot = self.buckets[at].slot(way);
        self.filters.raise(at, slot.tag, slot.high);
        self.buckets[at].clear(way);
        self.keys.release(slot.key);
    }

    /// Gives a key a counter. Its bucket must have a free way, and a sketch without key room for it must be evicting.
    fn insert(&mut self, tag: u64, key: &[u8], high: u64, err: u64) {
        if !self.keys.fits(key.len()) {
            self.make_key_room(key.len());
        }
        if self.keys.is_wasteful(key.len()) {
            self.compact();
        }
        self.place(tag, key, high, err);
    }

    /// As [`insert`](Self::insert), whatever room the key takes.
    pub(super) fn place(&mut self, tag: u64, key: &[u8], high: u64, err: u64) {
        let at = bucket_of(tag, self.buckets.len());
        let bucket = &mut self.buckets[at];
        let way = bucket.free().expect("the caller saw a free way");
        let key = self.keys.store(key, bucket.key(way));
        bucket.put(way, Slot { tag, high, err, key });
    }

    /// Evicts the keys of lowest count until `len` bytes and an eighth of the key room are free. O(capacity), paid for
    /// by the bytes that it frees.
    pub(super) fn make_key_room(&mut self, len: usize) {
        let room = self.shape.key_room;
        let goal = (room - room / 8).min(room.saturating_sub(len));
        let mut lowest: BinaryHeap<_> =
            self.places().map(|(at, way, slot)| Reverse((slot.high, slot.low(), slot.tag, at, way))).collect();
        while self.keys.live() > goal
            && let Some(Reverse((high, _, _, at, way))) = lowest.pop()
        {
            self.bar = self.bar.max(high);
            self.evict(at, way);
        }
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize, Slot)> {
        let ways = |(at, bucket)| Bucket::used(bucket).map(move |way| (at, way, bucket.slot(way)));
        self.buckets.iter().enumerate().flat_map(ways)
    }

    /// Drops the bytes of keys that are no longer tracked.
    pub(super) fn compact(&mut self) {
        self.keys.compact(self.buckets.iter_mut().flat_map(Bucket::tracked_keys));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Shape;
    use super::*;
    use crate::ranking::Estimate;
    use crate::sketch::mix::mix;

    fn bounds(low: u64, err: u64, count: u64) -> Estimate {
        Estimate { count, low, high: low + err }
    }

    /// Room for 16 keys of 10 bytes, each in a bucket of its own, and the last added one too many.
    fn overfull() -> SpaceSaving {
        let mut sketch = SpaceSaving::empty(Shape { buckets: 64, key_room: 160 });
        (0..17).for_each(|i| sketch.add(i << 34, &[i as u8; 10], 100 + i).unwrap());
        sketch
    }

    #[test]
    fn want_of_key_room_evicts_the_lowest_counts_down_to_an_eighth_free() {
        let sketch = overfull();
        assert_eq!(sketch.keys.live(), 140 + 10);
        assert_eq!((sketch.buckets.len(), sketch.bar), (64, 101));
        assert_eq!(
            [0, 1, 2].map(|i| sketch.estimate(i << 34, &[i as u8; 10])),
            [bounds(0, 100, 0), bounds(0, 101, 0), bounds(102, 0, 102)]
        );
    }

    #[test]
    fn a_free_way_is_for_keys_above_what_was_evicted_last() {
        let mut sketch = overfull();
        sketch.add(40 << 34, b"rare", 101).unwrap();
        assert_eq!(sketch.estimate(40 << 34, b"rare"), bounds(0, 101, 0));
        sketch.add(40 << 34, b"rare", 1).unwrap();
        assert_eq!(sketch.estimate(40 << 34, b"rare"), bounds(1, 101, 2));
    }

    #[test]
    fn a_key_longer_than_all_the_key_room_is_bounded_and_not_tracked() {
        let mut sketch = overfull();
        sketch.add(50 << 34, &[1; 161], 1 << 40).unwrap();
        assert_eq!(sketch.estimate(50 << 34, &[1; 161]), bounds(0, 1 << 40, 0));
        assert_eq!(sketch.top(99).len(), 15);
    }

    #[test]
    fn a_full_bucket_absorbs_what_does_not_beat_its_least() {
        let mut sketch = SpaceSaving::new(8);
        (0..8).for_each(|i| sketch.add(i << 60 | i << 8, &[i as u8], 5).unwrap());
        assert!(sketch.is_exact());
        sketch.add(9 << 60, b"new", 5).unwrap();
        assert_eq!(sketch.estimate(9 << 60, b"new"), bounds(0, 5, 0));
        sketch.add(9 << 60, b"new", 1).unwrap();
        assert_eq!(sketch.estimate(9 << 60, b"new"), bounds(1, 5, 2));
        assert_eq!((sketch.estimate(0, &[0]), sketch.most_untracked()), (bounds(0, 5, 0), 5));
    }

    /// Strangers by the thousand pass by keys that were seen often, though each has a higher bound.
    #[test]
    fn below_the_fair_part_of_the_total_what_was_seen_decides() {
        let mut sketch = SpaceSaving::new(64);
        let tag = |id: u64| mix(id);
        let mut add = |id: u64| sketch.add(tag(id), &id.to_be_bytes(), 1).unwrap();
        (0..40_000).for_each(|id| add(1 << 20 | id));
        for id in 0..400_000 {
            add(1 << 21 | id);
            if id % 80 == 0 {
                add(7);
            }
        }
        let estimate = sketch.estimate(tag(7), &7u64.to_be_bytes());
        assert!(estimate.low > 2500 && estimate.high < 30_000, "{estimate:?}");
        assert_eq!(sketch.top(1)[0].key, 7u64.to_be_bytes());
        assert!((4000..6000).contains(&estimate.count), "{estimate:?}");
    }

    #[test]
    fn bounds_above_the_fair_part_decide_by_themselves() {
        let mut sketch = SpaceSaving::new(8);
        (0..8).for_each(|i| sketch.add(i << 60 | i << 8, &[i as u8], 1 << 20).unwrap());
        let grown =
            |sketch: &mut SpaceSaving| sketch.add(9 << 60, b"new", 1 << 19).map(|()| sketch.estimate(9 << 60, b"new"));
        assert_eq!(grown(&mut sketch).unwrap().low, 0);
        assert_eq!(grown(&mut sketch).unwrap().low, 0);
        assert_eq!(grown(&mut sketch).unwrap(), bounds(1 << 19, 1 << 20, (1 << 19) + (1 << 18) + 87_381));
    }
}
