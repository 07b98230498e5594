//! Space-Saving in buckets with a filter: the default sketch.
//!
//! Sources: Metwally et al., "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005; the filter
//! is that of Homem and Carvalho, "Finding top-k elements in data streams", 2010; that a key pushes another out with a
//! probability, from Ben Basat et al., "Randomized Admission Policy for Efficient Top-k and Frequency Estimation", INFOCOM
//! 2017. Buckets of eight ways make each update touch a few cache lines of one bucket. Each bucket bounds the keys whose
//! hash leads to it for certain, whichever of them have counters; the hash only decides how tight the bounds are.
//!
//! What a bucket promises after every call:
//! - a tracked key's true count is in `high - err..=high`;
//! - the true count of an untracked key is at most each of the two filter cells that its hash names (0 while nothing was
//!   evicted).
//!
//! A sketch begins with a few buckets and doubles while a bucket is full, so it is exact, and small, while keys are few.
//! Evictions begin only at full size; from then on the number of buckets stays.

mod admission;
mod bucket;
mod eviction;
mod filters;
mod keys;
mod merge;
mod wire;

use admission::HighBound;
use bucket::{Bucket, Slot, WAYS, bucket_of, tag_of};
use filters::{Filter, Filters};
use keys::Keys;

use super::unseen::unseen;
use super::{DamagedSketch, LONGEST_KEY, MergeError, Overflow, Sketch};
use crate::key::same;
use crate::ranking::Estimate;

/// How many updates ahead the memory of a batch's update is asked for.
const AHEAD: usize = 16;
const MOST_BUCKETS: usize = 1 << 22;
const MOST_KEY_ROOM: usize = 1 << 30;
const LEAST_MEMORY: usize = 2048;
/// Key bytes that [`SpaceSaving::new`] plans for each counter.
const USUAL_KEY: usize = 64;
/// Key bytes that [`SpaceSaving::with_memory`] grants each counter before it takes fewer counters.
const FAIR_KEY: usize = 32;
const BUCKET_BYTES: usize = size_of::<Bucket>() + size_of::<Filter>();

/// What a sketch may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Fewer than 16, or that times a power of two.
    buckets: usize,
    /// Bytes of all tracked keys together.
    key_room: usize,
}

impl Shape {
    /// The largest size of at most `buckets` that doubling reaches.
    fn at_most(buckets: usize, key_room: usize) -> Self {
        let doublings = Self::doublings(buckets);
        Shape { buckets: buckets >> doublings << doublings, key_room }
    }

    /// The smallest size of at least `buckets` that doubling reaches.
    fn at_least(buckets: usize, key_room: usize) -> Self {
        let doublings = Self::doublings(buckets);
        Shape { buckets: buckets.div_ceil(1 << doublings) << doublings, key_room }
    }

    /// How often a sketch doubles from its first size to `buckets`.
    fn doublings(buckets: usize) -> u32 {
        buckets.ilog2().saturating_sub(3)
    }

    /// Whether a sketch of this shape can be.
    fn is_possible(self) -> bool {
        let sizes = 1..=MOST_BUCKETS;
        sizes.contains(&self.buckets)
            && self.key_room <= MOST_KEY_ROOM
            && self == Self::at_most(self.buckets, self.key_room)
    }

    fn first_buckets(self) -> usize {
        self.buckets >> Self::doublings(self.buckets)
    }
}

/// The most frequent keys of a stream in bounded memory, each with certain bounds. See the [module](self).
///
/// - **Count**: what was seen of the key since it has its counter, and its likely part of what its cells held before that
///   (as though it had always been as frequent). Space-Saving's own estimate, which never undercounts, is `high`.
/// - **Exact** (`low == high`) for all keys while no bucket has more than eight at full size: up to about a quarter of
///   the capacity in distinct keys, an eighth for the largest sketches.
/// - **Error** of a key: at most `total / capacity` and an eighth of the weight of its bucket, which a good hash keeps close
///   to `total / capacity` as well; and far less on skewed streams. Errors of merged sketches add up.
/// - **Memory**: at most [`most_memory`](Sketch::most_memory) between calls. While it grows, merges or compacts its
///   keys, up to twice as much for a moment. Keys that do not fit in the key room push the rarest keys out.
/// - **Zero weight**: a key seen only with weight 0 is tracked while the sketch is exact and ignored after that.
/// - **Cost**: an update is O(1), a few cache lines; growth is amortised.
#[derive(Clone, Debug)]
pub struct SpaceSaving {
    shape: Shape,
    /// The first size, doubled some times, up to the shape's.
    buckets: Vec<Bucket>,
    /// There once evictions have begun; empty while the sketch is exact.
    filters: Filters,
    keys: Keys,
    /// Untracked keys get a free way only above this: the highest count last evicted for want of key room.
    bar: u64,
    total: u128,
    /// What [`SpaceSaving::fair`] says while the total is below the second.
    fair: (u64, u128),
    /// Of keys without a counter. Not part of the bytes: it is found again within some thousand of them.
    high_bound: HighBound,
}

impl SpaceSaving {
    /// A sketch of at least `capacity` counters (8 to 2^25), an eighth more at most, with room for 64 bytes of key a
    /// counter and 64 KiB at least. Begins at 4 KiB or less.
    pub fn new(capacity: usize) -> Self {
        let buckets = capacity.min(MOST_BUCKETS * WAYS).div_ceil(WAYS).max(1);
        let key_room = (buckets * WAYS * USUAL_KEY).clamp(LONGEST_KEY, MOST_KEY_ROOM);
        Self::empty(Shape::at_least(buckets, key_room))
    }

    /// The largest sketch whose [`most_memory`](Sketch::most_memory) is within `bytes` (2 KiB at least) and that
    /// has room for 32 bytes of key a counter: about 9,000 counters a MiB. What is left is for longer keys.
    pub fn with_memory(bytes: usize) -> Self {
        let bytes = bytes.max(LEAST_MEMORY) - size_of::<Self>();
        let wanted = bytes / (BUCKET_BYTES + Keys::ceiling(WAYS * FAIR_KEY));
        let shape = Shape::at_most(wanted.clamp(1, MOST_BUCKETS), 0);
        let key_room = (bytes - shape.buckets * BUCKET_BYTES) / 3 * 2;
        Self::empty(Shape { key_room: key_room.min(MOST_KEY_ROOM), ..shape })
    }

    /// A sketch of at least `2 / epsilon` counters, made to keep the width of each key's bounds below `epsilon` times
    /// the total. The bounds of each key say what was reached; they are certain, this is a plan. `epsilon` is held to
    /// the range from 2^-24 to 1, and anything that is no number counts as 1.
    pub fn with_epsilon(epsilon: f64) -> Self {
        Self::new(Self::counters(epsilon))
    }

    fn counters(epsilon: f64) -> usize {
        let most = (MOST_BUCKETS * WAYS) as f64;
        (2.0 / epsilon).max(2.0).min(most).ceil() as usize
    }

    /// The memory that [`with_epsilon`](Self::with_epsilon) takes; about that, where it is more than there may be.
    pub(super) fn bytes(epsilon: f64) -> f64 {
        let counters = 2.0 / epsilon;
        if counters > (MOST_BUCKETS * WAYS) as f64 {
            return counters * (BUCKET_BYTES / WAYS + USUAL_KEY) as f64;
        }
        Self::with_epsilon(epsilon).most_memory() as f64
    }

    fn empty(shape: Shape) -> Self {
        Self::of_size(shape, shape.first_buckets())
    }

    fn of_size(shape: Shape, buckets: usize) -> Self {
        let buckets = vec![Bucket::default(); buckets];
        let (keys, filters, high_bound) = (Keys::new(shape.key_room), Filters::default(), HighBound::default());
        SpaceSaving { shape, buckets, filters, keys, bar: 0, total: 0, fair: (0, 0), high_bound }
    }

    /// Whether every count so far is exact: nothing was ever evicted.
    pub fn is_exact(&self) -> bool {
        self.filters.is_empty()
    }

    /// Asks for what a key's update reads but for the bytes of the key.
    #[inline(always)]
    fn prefetch(&self, tag: u64) {
        let at = bucket_of(tag, self.buckets.len());
        self.buckets[at].prefetch();
        self.filters.prefetch(at, tag);
    }

    /// Asks for the bytes of a key that has a counter.
    #[inline(always)]
    fn prefetch_key(&self, tag: u64) {
        let bucket = &self.buckets[bucket_of(tag, self.buckets.len())];
        if let Some(way) = bucket.matches(tag).next() {
            self.keys.prefetch(bucket.key(way));
        }
    }

    #[inline(always)]
    fn find(&self, at: usize, tag: u64, key: &[u8]) -> Option<usize> {
        let bucket = &self.buckets[at];
        bucket.matches(tag).find(|&way| same(self.keys.get(bucket.key(way)), key))
    }

    /// Bound of the untracked keys that share `tag`'s cells.
    fn untracked(&self, tag: u64) -> u64 {
        self.filters.bound(bucket_of(tag, self.buckets.len()), tag)
    }

    /// The upper bound of a key's weight and by how much it may be less.
    fn weigh(&self, tag: u64, key: &[u8]) -> (u64, u64) {
        let at = bucket_of(tag, self.buckets.len());
        match self.find(at, tag, key) {
            Some(way) => (self.buckets[at].slot(way).high, self.buckets[at].slot(way).err),
            None => (self.untracked(tag), self.untracked(tag)),
        }
    }

    fn bounds(&self, tag: u64, high: u64, err: u64) -> Estimate {
        let low = high - err;
        Estimate { count: low + unseen(low, err, self.untracked(tag)), low, high }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        self.buckets.iter().flat_map(Bucket::slots)
    }
}

impl Sketch for SpaceSaving {
    #[inline]
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        let total = self.total.checked_add(weight.into()).ok_or(Overflow)?;
        let tag = tag_of(hash);
        let at = bucket_of(tag, self.buckets.len());
        match self.find(at, tag, key) {
            Some(way) if self.buckets[at].add(way, weight) => {}
            Some(_) => return Err(Overflow),
            None => self.add_untracked(tag, key, weight),
        }
        self.total = total;
        Ok(())
    }

    fn add_all<'a>(&mut self, hashes: &[u64], weights: &[u64], key: impl Fn(usize) -> &'a [u8]) -> Result<(), usize> {
        for (i, (&hash, &weight)) in hashes.iter().zip(weights).enumerate() {
            if let Some(&ahead) = hashes.get(i + AHEAD) {
                self.prefetch(tag_of(ahead));
                self.prefetch_key(tag_of(hashes[i + AHEAD / 2]));
            }
            self.add(hash, key(i), weight).map_err(|Overflow| i)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        *self = merge::merged(self, other)?;
        Ok(())
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        let tag = tag_of(hash);
        let (high, err) = self.weigh(tag, key);
        self.bounds(tag, high, err)
    }

    fn each_tracked<'a>(&'a self, mut each: impl FnMut(&'a [u8], Estimate)) {
        self.slots().for_each(|slot| each(self.keys.get(slot.key), self.bounds(slot.tag, slot.high, slot.err)));
    }

    fn most_untracked(&self) -> u64 {
        self.filters.most()
    }

    fn capacity(&self) -> usize {
        self.shape.buckets * WAYS
    }

    fn total(&self) -> u128 {
        self.total
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.buckets.capacity() * size_of::<Bucket>() + self.filters.memory() + self.keys.held()
    }

    /// 512 bytes for each 8 counters, and 1.5 times the key room.
    fn most_memory(&self) -> usize {
        size_of::<Self>() + self.shape.buckets * BUCKET_BYTES + Keys::ceiling(self.shape.key_room)
    }

    fn to_bytes(&self) -> Vec<u8> {
        wire::write(self)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        wire::read(bytes)
    }
}
