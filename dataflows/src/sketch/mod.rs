//! Summaries of a stream in bounded memory, whose every count carries certain bounds.
//!
//! A sketch is a plain struct: no clock, no I/O, no dataflow. [`SpaceSaving`] is the default.

mod space_saving;

pub use space_saving::SpaceSaving;

use crate::ranking::{Estimate, Row};

/// The longest key a sketch tracks, in bytes. Weight of longer keys counts, and only widens the bounds.
pub const LONGEST_KEY: usize = 64 * 1024;

/// Approximate counts of all keys of a stream, in memory that does not grow with the stream.
///
/// For every key, tracked or not, [`estimate`](Sketch::estimate) keeps `low <= true weight <= high`, for certain, as
/// long as the key's true weight fits in a `u64`.
///
/// `hash` is always the caller's hash of `key`: 64 good bits, the same function and seed for all calls and for all
/// sketches that are ever merged. A worse hash costs accuracy; a different one for the same key breaks the bounds.
pub trait Sketch: Sized {
    /// Adds `weight` to `key`.
    ///
    /// # Errors
    /// [`Overflow`] when a count would leave `u64`; nothing has changed then.
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
    /// [`MergeError`] when the shapes differ or a count would leave `u64`; nothing has changed then.
    fn merge(&mut self, other: &Self) -> Result<(), MergeError>;

    /// The bounds of `key`'s weight, whether it is tracked or not.
    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate;

    /// The `k` best tracked keys, fewer if fewer are tracked: by count, highest first, then by key bytes, ascending.
    fn top(&self, k: usize) -> Vec<Row>;

    /// All weight ever added, exactly.
    fn total(&self) -> u128;

    /// Bytes held now, heap included.
    fn memory(&self) -> usize;

    /// This sketch as bytes, with a version and a checksum.
    fn to_bytes(&self) -> Vec<u8>;

    /// The sketch that [`to_bytes`](Sketch::to_bytes) wrote. Bytes from anywhere are safe to pass: no panic, and no
    /// more memory than a small multiple of the input's length.
    ///
    /// # Errors
    /// [`DamagedSketch`] when the bytes are not exactly what a sketch of this kind and version wrote.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch>;
}

/// A count would leave `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the count of a key exceeds 18446744073709551615; use smaller weights or shorter windows")]
pub struct Overflow;

/// Why two sketches cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Their sizes differ.
    #[error(
        "sketches of {mine} and {theirs} counters (room for {my_keys} and {their_keys} key bytes) cannot be merged; \
         give every process the same sketch settings"
    )]
    Shape {
        /// Counters of the sketch that was to take the other in, at its full size.
        mine: usize,
        /// Counters of the other, at its full size.
        theirs: usize,
        /// Room for keys, in bytes, of the sketch that was to take the other in.
        my_keys: usize,
        /// Room for keys, in bytes, of the other.
        their_keys: usize,
    },
    /// A sum of counts would leave `u64`.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Why bytes are not a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedSketch {
    /// The first bytes name something else.
    #[error("these bytes are not a space-saving sketch; check where they come from")]
    Foreign,
    /// Another version wrote them.
    #[error("the sketch has format version {0}, this build reads version 1; run the same build everywhere")]
    Version(u8),
    /// They changed on the way.
    #[error("the sketch's checksum does not match its bytes; send or store it again")]
    Checksum,
    /// They end too early or go on too long.
    #[error("the sketch's length does not match its content; send or store it again")]
    Length,
    /// They contradict themselves.
    #[error("the sketch's {0} cannot be right; run the same build everywhere")]
    Content(&'static str),
}
