//! How a key without a counter gets one: room while the sketch is exact, another key's after that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bucket::{Bucket, Filter, Slot, bucket_of, cell_of};
use super::{LONGEST_KEY, SpaceSaving};

impl SpaceSaving {
    pub(super) fn add_untracked(&mut self, tag: u64, key: &[u8], weight: u64) {
        if self.is_exact() && self.has_room(tag, key.len()) {
            return self.insert(tag, key, weight, 0);
        }
        if weight > 0 {
            self.begin_evicting();
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
            self.filters = vec![Filter::default(); self.shape.buckets];
        }
    }

    /// Tracks a key if its upper bound beats what it would push out, and otherwise raises the bound of its cell.
    ///
    /// The cell bounded the key before this weight came, and bounds all others of the cell still; so bound plus weight
    /// is enough for all of them.
    fn compete(&mut self, tag: u64, key: &[u8], weight: u64) {
        let at = bucket_of(tag, self.buckets.len());
        let cell = &mut self.filters[at].0[cell_of(tag)];
        let bound = *cell;
        let high = bound.saturating_add(weight);
        let bucket = &self.buckets[at];
        let is_full = bucket.free().is_none();
        let (way, least) = if is_full { bucket.least() } else { (0, self.bar) };
        if high <= least || key.len() > LONGEST_KEY.min(self.shape.key_room) {
            *cell = high;
            return;
        }
        if is_full {
            self.evict(at, way);
        }
        self.insert(tag, key, high, high - weight);
    }

    /// Takes a counter away; the key's cell remembers how much it may have had.
    fn evict(&mut self, at: usize, way: usize) {
        let slot = self.buckets[at].slot(way);
        self.filters[at].raise(slot.tag, slot.high);
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
    use crate::sketch::Sketch;

    fn bounds(low: u64, err: u64) -> Estimate {
        Estimate::between(low, low + err)
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
            [bounds(0, 100), bounds(0, 101), bounds(102, 0)]
        );
    }

    #[test]
    fn a_free_way_is_for_keys_above_what_was_evicted_last() {
        let mut sketch = overfull();
        sketch.add(40 << 34, b"rare", 101).unwrap();
        assert_eq!(sketch.estimate(40 << 34, b"rare"), bounds(0, 101));
        sketch.add(40 << 34, b"rare", 1).unwrap();
        assert_eq!(sketch.estimate(40 << 34, b"rare"), bounds(1, 101));
    }

    #[test]
    fn a_key_longer_than_all_the_key_room_is_bounded_and_not_tracked() {
        let mut sketch = overfull();
        sketch.add(50 << 34, &[1; 161], 1 << 40).unwrap();
        assert_eq!(sketch.estimate(50 << 34, &[1; 161]), bounds(0, 1 << 40));
        assert_eq!(sketch.top(99).len(), 15);
    }

    #[test]
    fn a_full_bucket_absorbs_what_does_not_beat_its_least() {
        let mut sketch = SpaceSaving::new(8);
        (0..8).for_each(|i| sketch.add(i << 60 | i << 8, &[i as u8], 5).unwrap());
        assert!(sketch.is_exact());
        sketch.add(9 << 60, b"new", 5).unwrap();
        assert_eq!(sketch.estimate(9 << 60, b"new"), bounds(0, 5));
        sketch.add(9 << 60, b"new", 1).unwrap();
        assert_eq!(sketch.estimate(9 << 60, b"new"), bounds(1, 5));
        assert_eq!((sketch.estimate(0, &[0]), sketch.most_untracked()), (bounds(0, 5), 5));
    }
}
