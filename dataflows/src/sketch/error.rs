//! What can go wrong with a sketch.

use super::entries::Room;

/// A count would leave the range of its sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a count exceeds what the sketch can hold; use smaller weights or shorter windows")]
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
    /// They are of different kinds, or their errors or widths differ.
    #[error("sketches of different settings cannot be merged; give every process the same sketch settings")]
    Settings,
    /// Sketches of this kind cannot be merged.
    #[error("{0} sketches cannot be merged; use one worker, or another sketch")]
    Never(&'static str),
    /// A sum of counts would leave the sketch's range.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl MergeError {
    /// An error unless both have the same room.
    pub(super) fn check(mine: Room, theirs: Room) -> Result<(), Self> {
        if mine == theirs {
            return Ok(());
        }
        let (my_keys, their_keys) = (mine.key_bytes, theirs.key_bytes);
        Err(MergeError::Shape { mine: mine.entries, theirs: theirs.entries, my_keys, their_keys })
    }
}

/// Why bytes are not a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedSketch {
    /// The first bytes name something else.
    #[error("these bytes are not a sketch of the expected kind; check where they come from")]
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
