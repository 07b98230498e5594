//! Summaries of a stream in bounded memory, whose every count carries bounds.
//!
//! A sketch is a plain struct: no clock, no I/O, no dataflow. One file each; [`SpaceSaving`] is the default. [`SKETCHES`]
//! is the table of all of them, [`AnySketch`] any one of it.

mod any;
pub mod conservative;
pub mod count_min;
pub mod count_sketch;
mod counted;
mod entries;
mod error;
mod floored;
mod frame;
pub mod heavy_keeper;
pub mod lossy_counting;
pub mod misra_gries;
mod mix;
pub mod space_saving;
pub mod sticky_sampling;
mod table;
mod top;
mod unseen;

pub use any::AnySketch;
pub use conservative::ConservativeCountMin;
pub use count_min::CountMin;
pub use count_sketch::CountSketch;
pub use error::{DamagedSketch, MergeError, Overflow};
pub use heavy_keeper::HeavyKeeper;
pub use lossy_counting::LossyCounting;
pub use misra_gries::MisraGries;
pub use space_saving::SpaceSaving;
pub use sticky_sampling::StickySampling;
pub use table::{Plan, PlanError, SKETCHES, Size, SketchEntry, named};

use crate::ranking::{Estimate, Row};

/// The longest key a sketch tracks, in bytes. Weight of longer keys counts, and only widens the bounds.
pub const LONGEST_KEY: usize = 64 * 1024;

/// Approximate counts of all keys of a stream, in memory that does not grow with the stream.
///
/// For every key, tracked or not, [`estimate`](Sketch::estimate) keeps `low <= true weight <= high`, as long as the key's
/// true weight fits in a `u64`: for certain where [`confidence`](Sketch::confidence) is 1, else with that probability.
///
/// `hash` is always the caller's hash of `key`: 64 good bits, the same function and seed for all calls and for all
/// sketches that are ever merged. A worse hash costs accuracy; a different one for the same key breaks the bounds.
pub trait Sketch: Sized {
    /// Adds `weight` to `key`.
    ///
    /// # Errors
    /// [`Overflow`] when a count would leave the range of the sketch: `u64`, where its page names no other. Nothing has
    /// changed then.
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow>;

    /// Adds a batch in columns, of which `key(i)` is the i-th key: as [`add`](Sketch::add) for each in turn.
    ///
    /// # Errors
    /// The number of the event at which [`add`](Sketch::add) found an [`Overflow`]; those before it were added, those
    /// from it on were not.
    fn add_all<'a>(&mut self, hashes: &[u64], weights: &[u64], key: impl Fn(usize) -> &'a [u8]) -> Result<(), usize> {
        let mut events = hashes.iter().zip(weights).enumerate();
        events.try_for_each(|(at, (&hash, &weight))| self.add(hash, key(at), weight).map_err(|Overflow| at))
    }

    /// Adds all that `other` has seen, as if both streams had come here. Bounds of both add up.
    ///
    /// # Errors
    /// [`MergeError`] when the sketches were made with different settings, cannot be merged at all, or a count would
    /// leave the sketch's range; nothing has changed then.
    fn merge(&mut self, other: &Self) -> Result<(), MergeError>;

    /// The bounds of `key`'s weight, whether it is tracked or not.
    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate;

    /// Calls `each` with every tracked key and its bounds, as [`estimate`](Sketch::estimate) gives them, in no order.
    fn each_tracked<'a>(&'a self, each: impl FnMut(&'a [u8], Estimate));

    /// No key that is not tracked has a true weight above this, with the sketch's confidence; 0 while there is none.
    fn most_untracked(&self) -> u64;

    /// How sure each key's bounds are: 1 for certain, else the probability that they hold.
    fn confidence(&self) -> f64 {
        1.0
    }

    /// How many keys it can rank.
    fn capacity(&self) -> usize;

    /// The `k` best tracked keys, fewer if fewer are tracked: by count, highest first, then by key bytes, ascending; each
    /// with whether it is certified. O(n log n) for n tracked keys.
    fn top(&self, k: usize) -> Vec<Row> {
        top::top(self, k)
    }

    /// All weight ever added, exactly.
    fn total(&self) -> u128;

    /// Bytes held now, heap included.
    fn memory(&self) -> usize;

    /// The most bytes that [`memory`](Sketch::memory) will ever say, whatever is added or merged.
    fn most_memory(&self) -> usize;

    /// This sketch as bytes, with a version and a checksum.
    fn to_bytes(&self) -> Vec<u8>;

    /// The sketch that [`to_bytes`](Sketch::to_bytes) wrote. Bytes from anywhere are safe to pass: no panic, and no
    /// more memory than a small multiple of the input's length.
    ///
    /// # Errors
    /// [`DamagedSketch`] when the bytes are not exactly what a sketch of this kind and version wrote.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch>;
}
