//! Any sketch of the table, chosen when the program runs.

use super::{
    ConservativeCountMin, CountMin, CountSketch, DamagedSketch, HeavyKeeper, LossyCounting, MergeError, MisraGries,
    Overflow, Sketch, SpaceSaving, StickySampling, frame,
};
use crate::ranking::{Estimate, Row};

/// Makes the enum, and calls that go on to the sketch inside.
macro_rules! any_sketch {
    ($($kind:literal $name:ident: $doc:literal,)*) => {
        /// One sketch of any kind.
        #[derive(Clone, Debug)]
        pub enum AnySketch {
            $(#[doc = $doc] $name($name),)*
        }

        $(impl From<$name> for AnySketch {
            fn from(sketch: $name) -> Self {
                AnySketch::$name(sketch)
            }
        })*

        /// Evaluates the expression with the sketch inside as `$inside`.
        macro_rules! inside {
            ($any:expr, $inside:ident => $value:expr) => {
                match $any { $(AnySketch::$name($inside) => $value,)* }
            };
        }

        impl AnySketch {
            fn merged_with(&mut self, other: &Self) -> Result<(), MergeError> {
                match (self, other) {
                    $((AnySketch::$name(mine), AnySketch::$name(theirs)) => mine.merge(theirs),)*
                    _ => Err(MergeError::Settings),
                }
            }

            fn read(bytes: &[u8]) -> Result<Self, DamagedSketch> {
                match frame::kind(bytes) {
                    $(Some($kind) => $name::from_bytes(bytes).map(AnySketch::$name),)*
                    _ => Err(DamagedSketch::Foreign),
                }
            }
        }
    };
}

any_sketch! {
    1 SpaceSaving: "Space-Saving in buckets with a filter.",
    2 MisraGries: "Misra-Gries, as Frequent Items.",
    3 CountMin: "Count-Min.",
    4 ConservativeCountMin: "Count-Min with conservative update.",
    5 CountSketch: "Count Sketch.",
    6 LossyCounting: "Lossy Counting.",
    7 StickySampling: "Sticky Sampling.",
    8 HeavyKeeper: "HeavyKeeper.",
}

impl Sketch for AnySketch {
    #[inline]
    fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> Result<(), Overflow> {
        inside!(self, sketch => sketch.add(hash, key, weight))
    }

    fn add_all<'a>(&mut self, hashes: &[u64], weights: &[u64], key: impl Fn(usize) -> &'a [u8]) -> Result<(), usize> {
        inside!(self, sketch => sketch.add_all(hashes, weights, key))
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.merged_with(other)
    }

    fn estimate(&self, hash: u64, key: &[u8]) -> Estimate {
        inside!(self, sketch => sketch.estimate(hash, key))
    }

    fn each_tracked<'a>(&'a self, each: impl FnMut(&'a [u8], Estimate)) {
        inside!(self, sketch => sketch.each_tracked(each))
    }

    fn most_untracked(&self) -> u64 {
        inside!(self, sketch => sketch.most_untracked())
    }

    fn confidence(&self) -> f64 {
        inside!(self, sketch => sketch.confidence())
    }

    fn capacity(&self) -> usize {
        inside!(self, sketch => sketch.capacity())
    }

    fn top(&self, k: usize) -> Vec<Row> {
        inside!(self, sketch => sketch.top(k))
    }

    fn total(&self) -> u128 {
        inside!(self, sketch => sketch.total())
    }

    fn memory(&self) -> usize {
        inside!(self, sketch => sketch.memory())
    }

    fn most_memory(&self) -> usize {
        inside!(self, sketch => sketch.most_memory())
    }

    fn to_bytes(&self) -> Vec<u8> {
        inside!(self, sketch => sketch.to_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSketch> {
        Self::read(bytes)
    }
}
