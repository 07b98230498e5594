//! The operators, one a file. They move data and hold capabilities; the thinking is done by plain structs.
//!
//! Time is the ingest epoch everywhere: a slice of what the workers read, [`crate::job::EPOCH`] long.

pub mod count;
pub mod deliver;
pub mod early;
pub mod rank;

use crate::count::CountError;
use crate::ranking::Ranking;
use crate::sketch::{DamagedSketch, MergeError};

/// What comes out of a job.
#[derive(Debug)]
pub enum Delivery {
    /// A window's rows.
    Ranking(Ranking),
    /// The job cannot go on.
    Failed(JobError),
}

/// Why a job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Exact counts cannot be kept.
    #[error(transparent)]
    Count(#[from] CountError),
    /// Sketches of two workers do not go together.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A sketch did not cross the network whole.
    #[error(transparent)]
    Damaged(#[from] DamagedSketch),
}
