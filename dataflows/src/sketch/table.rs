//! The table of all sketches, and how large each must be for what is asked of it.

use super::entries::Room;
use super::{
    AnySketch, ConservativeCountMin, CountMin, CountSketch, HeavyKeeper, LossyCounting, MisraGries, Sketch,
    SpaceSaving, StickySampling, conservative, count_min, count_sketch, heavy_keeper,
};

/// The most memory that a plan by error may take.
const MOST_MEMORY: f64 = (4u64 << 30) as f64;
/// The least memory that any sketch is made for.
const LEAST_MEMORY: usize = 4096;
/// Memory that is no longer too little for any k is looked for up to here.
const AMPLE_MEMORY: usize = 1 << 32;

/// What is asked of a sketch.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How large it is to be.
    pub size: Size,
    /// The probability with which bounds that are not certain may fail, and errors be larger than planned: above 0 and
    /// below 1.
    pub delta: f64,
    /// How many keys it must rank.
    pub k: usize,
    /// What random choices are drawn from.
    pub seed: u64,
}

/// How large a sketch is to be.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// At most so many bytes.
    Memory(usize),
    /// As large as an error of this part of the total takes: above 0 and below 1.
    Epsilon(f64),
}

/// Why a sketch cannot be what is asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Too few keys fit in the memory.
    #[error("{memory} bytes of {name} rank {capacity} keys, fewer than -k {k}; give {enough} bytes, or a smaller -k")]
    Memory {
        /// The sketch's name.
        name: &'static str,
        /// The bytes asked for.
        memory: usize,
        /// How many keys they rank.
        capacity: usize,
        /// How many were asked for.
        k: usize,
        /// Bytes that would do.
        enough: usize,
    },
    /// The error is too small for the memory that there may be.
    #[error("an error of {epsilon} takes {bytes:.0} bytes of {name}; give {possible:.1e} or more, or another sketch")]
    Epsilon {
        /// The sketch's name.
        name: &'static str,
        /// The error asked for.
        epsilon: f64,
        /// The memory that it takes.
        bytes: f64,
        /// An error that would do.
        possible: f64,
    },
    /// The error is so large that too few keys fit.
    #[error(
        "an error of {epsilon} lets {name} rank {capacity} keys, fewer than -k {k}; give {possible:.1e} or less, or a smaller -k"
    )]
    Few {
        /// The sketch's name.
        name: &'static str,
        /// The error asked for.
        epsilon: f64,
        /// How many keys it ranks.
        capacity: usize,
        /// How many were asked for.
        k: usize,
        /// An error that would do.
        possible: f64,
    },
}

/// One sketch: its name for the command line, what it is and promises, and how it is made.
pub struct SketchEntry {
    /// The name, as in `--sketch`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What its bounds promise, in a few words.
    pub guarantee: &'static str,
    /// Whether sketches of several workers and windows can be merged.
    pub merges: bool,
    /// Whether bounds hold for certain, and not only with probability 1 - delta.
    pub certain: bool,
    /// The paper.
    pub paper: &'static str,
    /// Bytes for an error, a delta and a k, without making it.
    bytes: fn(f64, f64, usize) -> f64,
    by_error: fn(f64, &Plan) -> AnySketch,
    by_memory: fn(usize, &Plan) -> AnySketch,
}

/// Every sketch, in the order in which help lists them; the first is the default.
pub const SKETCHES: &[SketchEntry] = &[
    SketchEntry {
        name: "space-saving",
        about: "counters in buckets, with a filter for rare keys",
        guarantee: "certain, two-sided",
        merges: true,
        certain: true,
        paper: "Metwally et al. 2005; Homem and Carvalho 2010",
        bytes: |epsilon, _, _| SpaceSaving::bytes(epsilon),
        by_error: |epsilon, _| SpaceSaving::with_epsilon(epsilon).into(),
        by_memory: |memory, _| SpaceSaving::with_memory(memory).into(),
    },
    SketchEntry {
        name: "misra-gries",
        about: "counters, of which the lowest go when they are full (Frequent Items)",
        guarantee: "certain, two-sided",
        merges: true,
        certain: true,
        paper: "Misra and Gries 1982; Anderson et al. 2017",
        bytes: |epsilon, _, _| in_entries(MisraGries::counters(epsilon)),
        by_error: |epsilon, _| MisraGries::new(MisraGries::counters(epsilon) as usize).into(),
        by_memory: |memory, _| MisraGries::with_memory(memory).into(),
    },
    SketchEntry {
        name: "count-min",
        about: "rows of shared counters; the least is the estimate",
        guarantee: "certain; above by epsilon with probability 1 - delta",
        merges: true,
        certain: true,
        paper: "Cormode and Muthukrishnan 2005",
        bytes: |epsilon, delta, k| {
            count_min::width(epsilon) * count_min::rows(delta) as f64 * 8.0 + in_entries(CountMin::candidates(k) as f64)
        },
        by_error: |epsilon, plan| CountMin::new(epsilon, plan.delta, plan.k).into(),
        by_memory: |memory, plan| CountMin::with_memory(memory, plan.delta, plan.k).into(),
    },
    SketchEntry {
        name: "conservative-count-min",
        about: "count-min that raises only what it must, one cache line a key",
        guarantee: "certain; above by epsilon with probability 1 - delta",
        merges: true,
        certain: true,
        paper: "Estan and Varghese 2002",
        bytes: |epsilon, delta, k| {
            conservative::lines(epsilon, delta) * 64.0 + in_entries(CountMin::candidates(k) as f64)
        },
        by_error: |epsilon, plan| ConservativeCountMin::new(epsilon, plan.delta, plan.k).into(),
        by_memory: |memory, plan| ConservativeCountMin::with_memory(memory, plan.k).into(),
    },
    SketchEntry {
        name: "count-sketch",
        about: "rows of signed counters; the median is the estimate",
        guarantee: "two-sided with probability 1 - delta",
        merges: true,
        certain: false,
        paper: "Charikar et al. 2002",
        bytes: |epsilon, delta, k| {
            count_sketch::width(epsilon) * count_sketch::rows(delta) as f64 * 8.0
                + in_entries(CountMin::candidates(k) as f64)
        },
        by_error: |epsilon, plan| CountSketch::new(epsilon, plan.delta, plan.k).into(),
        by_memory: |memory, plan| CountSketch::with_memory(memory, plan.delta, plan.k).into(),
    },
    SketchEntry {
        name: "lossy-counting",
        about: "forgets keys below a fixed part of the total",
        guarantee: "certain, two-sided",
        merges: true,
        certain: true,
        paper: "Manku and Motwani 2002",
        bytes: |epsilon, _, _| in_entries(LossyCounting::entries(epsilon)),
        by_error: |epsilon, _| LossyCounting::new(epsilon).into(),
        by_memory: |memory, _| LossyCounting::with_memory(memory).into(),
    },
    SketchEntry {
        name: "sticky-sampling",
        about: "counts a key from when a random sample hits it",
        guarantee: "certain below; above with probability 1 - delta",
        merges: false,
        certain: false,
        paper: "Manku and Motwani 2002",
        bytes: |epsilon, delta, _| in_entries(StickySampling::entries(epsilon, delta)),
        by_error: |epsilon, plan| StickySampling::new(epsilon, plan.delta, plan.seed).into(),
        by_memory: |memory, plan| StickySampling::with_memory(memory, plan.delta, plan.seed).into(),
    },
    SketchEntry {
        name: "heavy-keeper",
        about: "counters with fingerprints, which strangers decay",
        guarantee: "certain below; above with probability 1 - delta",
        merges: false,
        certain: false,
        paper: "Gong et al. 2018",
        bytes: |epsilon, delta, k| {
            heavy_keeper::bytes(heavy_keeper::width(epsilon, delta)) + in_entries(CountMin::candidates(k) as f64)
        },
        by_error: |epsilon, plan| HeavyKeeper::new(epsilon, plan.delta, plan.k, plan.seed).into(),
        by_memory: |memory, plan| HeavyKeeper::with_memory(memory, plan.delta, plan.k, plan.seed).into(),
    },
];

/// The sketch of this name.
pub fn named(name: &str) -> Option<&'static SketchEntry> {
    SKETCHES.iter().find(|entry| entry.name == name)
}

/// Bytes of so many entries and their keys, each key of usual length.
fn in_entries(number: f64) -> f64 {
    if number > MOST_MEMORY / 64.0 { number * 100.0 } else { Room::for_entries(number as usize).bytes() as f64 }
}

impl SketchEntry {
    /// The bytes, about, that a sketch takes at most for an error of `epsilon` of the total, a `delta` and a `k`.
    pub fn bytes(&self, epsilon: f64, delta: f64, k: usize) -> f64 {
        (self.bytes)(epsilon, delta, k)
    }

    /// Makes an empty sketch.
    ///
    /// # Errors
    /// [`PlanError`] when the plan is impossible, with the number that would do.
    pub fn make(&self, plan: &Plan) -> Result<AnySketch, PlanError> {
        match plan.size {
            Size::Memory(memory) => self.make_within(memory, plan),
            Size::Epsilon(epsilon) => self.make_for_error(epsilon, plan),
        }
    }

    fn make_within(&self, memory: usize, plan: &Plan) -> Result<AnySketch, PlanError> {
        let sketch = (self.by_memory)(memory.max(LEAST_MEMORY), plan);
        let (name, capacity, k) = (self.name, sketch.capacity(), plan.k);
        if capacity >= k {
            return Ok(sketch);
        }
        let mut sizes = std::iter::successors(Some(LEAST_MEMORY), |size| Some(size * 2));
        let does = |&size: &usize| size >= AMPLE_MEMORY || (self.by_memory)(size, plan).capacity() >= k;
        let enough = sizes.find(does).unwrap_or(AMPLE_MEMORY);
        Err(PlanError::Memory { name, memory, capacity, k, enough })
    }

    fn make_for_error(&self, epsilon: f64, plan: &Plan) -> Result<AnySketch, PlanError> {
        let (name, k) = (self.name, plan.k);
        let bytes = self.bytes(epsilon, plan.delta, k);
        if bytes > MOST_MEMORY {
            let possible = self.error_at(|error| self.bytes(error, plan.delta, k) <= MOST_MEMORY, epsilon, 2.0);
            return Err(PlanError::Epsilon { name, epsilon, bytes, possible });
        }
        let sketch = (self.by_error)(epsilon, plan);
        let capacity = sketch.capacity();
        if capacity >= k {
            return Ok(sketch);
        }
        let possible = self.error_at(|error| (self.by_error)(error, plan).capacity() >= k, epsilon, 0.5);
        Err(PlanError::Few { name, epsilon, capacity, k, possible })
    }

    /// The first error from `epsilon` on, each `factor` times the one before, that does.
    fn error_at(&self, does: impl Fn(f64) -> bool, epsilon: f64, factor: f64) -> f64 {
        let mut errors = std::iter::successors(Some(epsilon * factor), |error| Some(error * factor));
        errors.find(|&error| does(error)).unwrap_or(epsilon)
    }
}
