//! The best of all workers' candidates: a differential collection, so that a correction is a retraction and an addition.

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};

use super::count::Candidate;
use crate::ranking::Window;

/// A row of a window's final or revised ranking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ranked {
    /// From 1.
    pub rank: u32,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// Its exact count.
    pub count: u64,
    /// The total weight of the window.
    pub total: u128,
    /// Whether late events are counted in.
    pub revised: bool,
}

/// Ranks the candidates of each window. A key lives on one worker and is among that worker's k best if it is among the k
/// best of all, so the best of the candidates are the best.
///
/// Output changes in the epoch in which candidates change. Windows are spread over the workers; each keeps at most k
/// candidates a worker for each of its windows, until they are retracted.
pub fn rank<'s>(
    candidates: VecCollection<'s, u64, (Window, Candidate), i64>,
    k: usize,
) -> VecCollection<'s, u64, (Window, Ranked), i64> {
    candidates.reduce_named("Rank", move |_, candidates, rows| {
        let (mut total, mut revised) = (0, false);
        let mut rank = 0;
        for (candidate, _) in candidates {
            match candidate {
                Candidate::Total { revised: late, total: part, .. } => {
                    total += part;
                    revised |= late;
                }
                Candidate::Key { below, key } if (rank as usize) < k => {
                    rank += 1;
                    let count = u64::MAX - below;
                    rows.push((Ranked { rank, key: key.clone(), count, total, revised }, 1));
                }
                Candidate::Key { .. } => break,
            }
        }
    })
}
