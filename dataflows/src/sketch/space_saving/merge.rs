//! Two sketches into one: intervals of each key add, bucket by bucket; the best of a bucket stay.
//!
//! Source: Agarwal et al., "Mergeable Summaries", PODS 2012, with each key's own bounds in place of one for all.

use std::cmp::Reverse;

use super::bucket::{WAYS, bucket_of};
use super::filters::Filters;
use super::{MergeError, Overflow, SpaceSaving};
use crate::sketch::Sketch;
use crate::sketch::entries::Room;

/// A key of either side, with the sum of both sides' bounds.
struct Entry<'a> {
    tag: u64,
    high: u64,
    err: u64,
    key: &'a [u8],
}

/// The sketch of both streams. O(counters of the larger side).
pub(super) fn merged(a: &SpaceSaving, b: &SpaceSaving) -> Result<SpaceSaving, MergeError> {
    check_shapes(a, b)?;
    let buckets = size_for_both(a, b);
    let mut sum = SpaceSaving::of_size(a.shape, buckets);
    sum.total = a.total.checked_add(b.total).ok_or(Overflow)?;
    sum.bar = a.bar.max(b.bar);
    sum.high_bound = a.high_bound.plus(b.high_bound);
    if !(a.is_exact() && b.is_exact()) {
        sum.begin_evicting();
        sum.filters = Filters::sum(&a.filters, &b.filters, buckets);
    }
    let mut union = Vec::with_capacity(2 * WAYS);
    for at in 0..buckets {
        union.clear();
        unite(a, b, at, buckets, &mut union)?;
        sum.keep_best(at, &mut union);
    }
    sum.fit_keys();
    Ok(sum)
}

fn check_shapes(a: &SpaceSaving, b: &SpaceSaving) -> Result<(), MergeError> {
    let room = |of: &SpaceSaving| Room { entries: of.capacity(), key_bytes: of.shape.key_room };
    MergeError::check(room(a), room(b))
}

/// The fewest buckets that hold the keys of both sides, full size if none do. A side that is evicting has full size.
fn size_for_both(a: &SpaceSaving, b: &SpaceSaving) -> usize {
    let mut buckets = a.buckets.len().max(b.buckets.len());
    while buckets < a.shape.buckets && (0..buckets).any(|at| distinct(a, b, at, buckets) > WAYS) {
        buckets *= 2;
    }
    buckets
}

fn distinct(a: &SpaceSaving, b: &SpaceSaving, at: usize, buckets: usize) -> usize {
    entries(a, at, buckets).count() + entries(b, at, buckets).filter(|entry| !a.tracks(entry.tag, entry.key)).count()
}

/// What a side that may have fewer buckets would hold in bucket `at` of `buckets`.
fn entries(of: &SpaceSaving, at: usize, buckets: usize) -> impl Iterator<Item = Entry<'_>> {
    let slots = of.buckets[at / (buckets / of.buckets.len())].slots();
    slots.filter(move |slot| bucket_of(slot.tag, buckets) == at).map(|slot| {
        let key = of.keys.get(slot.key);
        Entry { tag: slot.tag, high: slot.high, err: slot.err, key }
    })
}

/// Every key of either side once, with the sum of its bounds on both; an untracked key's are its cell's.
fn unite<'a>(
    a: &'a SpaceSaving,
    b: &'a SpaceSaving,
    at: usize,
    buckets: usize,
    union: &mut Vec<Entry<'a>>,
) -> Result<(), Overflow> {
    let plus = |entry: Entry<'a>, side: &SpaceSaving| {
        let (high, err) = side.weigh(entry.tag, entry.key);
        let low = (entry.high - entry.err).checked_add(high - err).ok_or(Overflow)?;
        let high = entry.high.saturating_add(high);
        Ok(Entry { high, err: high - low, ..entry })
    };
    for entry in entries(a, at, buckets) {
        union.push(plus(entry, b)?);
    }
    for entry in entries(b, at, buckets).filter(|entry| !a.tracks(entry.tag, entry.key)) {
        union.push(plus(entry, a)?);
    }
    Ok(())
}

impl SpaceSaving {
    fn tracks(&self, tag: u64, key: &[u8]) -> bool {
        self.find(bucket_of(tag, self.buckets.len()), tag, key).is_some()
    }

    /// Fills an empty bucket with the entries that would be the last to go; cells remember the rest.
    fn keep_best(&mut self, at: usize, union: &mut [Entry]) {
        if union.len() > WAYS {
            self.begin_evicting();
            let fair = self.fair();
            union.sort_unstable_by_key(|entry| (Reverse((entry.high.max(fair), entry.high - entry.err)), entry.key));
        }
        let (best, rest) = union.split_at(union.len().min(WAYS));
        for entry in rest {
            self.filters.raise(at, entry.tag, entry.high);
        }
        for entry in best {
            self.place(entry.tag, entry.key, entry.high, entry.err);
        }
    }

    /// Evicts what the key room does not hold.
    fn fit_keys(&mut self) {
        if !self.keys.fits(0) {
            self.begin_evicting();
            self.make_key_room(0);
        }
        if self.keys.is_over() {
            self.compact();
        }
    }
}
