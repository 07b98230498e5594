//! Which keys a store holds: those of one process of a cluster, or all.

use std::fmt;

use hitters_dataflows::shard;
use hitters_inputs::event::Events;

/// A part of the keys: those of one of several processes, of so many workers each. The seed of their hashes decides which,
/// so it is kept, and the same in all parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which process, from 0.
    pub number: u32,
    /// Of how many.
    pub of: u32,
    /// Workers of each.
    pub workers: u32,
    /// What keys are hashed with.
    pub seed: u64,
}

impl Part {
    /// All keys.
    pub const WHOLE: Part = Part { number: 0, of: 1, workers: 0, seed: 0 };

    /// Whether it is all keys.
    pub fn is_whole(&self) -> bool {
        self.of == 1
    }

    /// Whether it can be.
    pub(super) fn is_sound(&self) -> bool {
        self.number < self.of && (self.workers > 0 || self.is_whole())
    }

    /// Names how keys are divided, and tells nothing of the seed: equal in all parts of a cluster's history.
    pub fn division(&self) -> String {
        let mut bytes = self.seed.to_le_bytes().to_vec();
        bytes.extend([self.of, self.workers].map(u32::to_le_bytes).concat());
        format!("{:08x}", crc32fast::hash(&bytes))
    }

    /// Tells its keys from those of other parts.
    pub fn owner(&self) -> Owner {
        Owner { part: *self, hashed: Events::new(self.seed) }
    }

    /// What an answer from this part alone does not know, if it is not all.
    pub fn missing(&self) -> Option<String> {
        (!self.is_whole()).then(|| format!("this store holds the keys of {self} alone"))
    }
}

/// Tells the keys of a part from those of others.
pub struct Owner {
    part: Part,
    /// Hashes keys as those of events are.
    hashed: Events,
}

impl Owner {
    /// Whether a key is of the part. O(key length).
    pub fn owns(&mut self, key: &[u8]) -> bool {
        if self.part.is_whole() {
            return true;
        }
        let Part { number, of, workers, .. } = self.part;
        self.hashed.begin(&[], 0, i64::MAX);
        self.hashed.push(0, 0, 1, key);
        let hash = self.hashed.iter(&[]).next().map_or(0, |event| event.hash);
        shard::worker(hash, of as usize * workers as usize) / workers as usize == number as usize
    }
}

/// `process 0 of 2, of 4 workers each`, with the number that `-p` has, or `all processes`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { number, of, workers, .. } = self;
        match self.is_whole() {
            true => f.write_str("all processes"),
            false => write!(f, "process {number} of {of}, of {workers} workers each"),
        }
    }
}
