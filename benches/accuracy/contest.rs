//! One sketch on one stream in one size, and how it did.

use std::collections::HashSet;
use std::fmt;
use std::time::Instant;

use hitters_dataflows::ranking::Row;
use hitters_dataflows::sketch::{Plan, Size, Sketch, SketchEntry};

use serde::{Deserialize, Serialize};

use crate::K;
use crate::stream::Stream;

/// What came of it. What cannot be said of a rival is `None`.
#[derive(Serialize, Deserialize)]
pub struct Contest {
    pub stream: String,
    pub events: usize,
    pub name: String,
    pub memory: usize,
    /// The part of the true k best that came out.
    pub recall: f64,
    /// Of the rows that came out, relative to the true counts.
    pub mean_error: f64,
    pub worst_error: f64,
    pub certified: Option<usize>,
    /// Updates a second.
    pub rate: Option<f64>,
    pub merge_ms: Option<f64>,
}

impl Contest {
    /// The names of the columns in which a contest is shown.
    pub fn heading() -> String {
        format!(
            "{:24} {:>8} {:>6} {:>10} {:>10} {:>9} {:>8} {:>8}",
            "sketch", "KiB", "recall", "mean err", "worst err", "certified", "M upd/s", "merge ms"
        )
    }

    pub fn judge(name: &str, memory: usize, stream: &Stream, rows: &[(Vec<u8>, u64)]) -> Self {
        let truth = |key: &[u8]| stream.count(key);
        let least = stream.best[K - 1];
        let right = rows.iter().take(K).map(|(key, _)| key).filter(|key| truth(key) >= least);
        let found = right.collect::<HashSet<_>>().len();
        let error = |(key, count): &(Vec<u8>, u64)| count.abs_diff(truth(key)) as f64 / truth(key).max(1) as f64;
        let errors: Vec<f64> = rows.iter().take(K).map(error).collect();
        Contest {
            stream: stream.name.into(),
            events: stream.updates.len(),
            name: name.into(),
            memory,
            recall: found as f64 / K as f64,
            mean_error: errors.iter().sum::<f64>() / errors.len().max(1) as f64,
            worst_error: errors.iter().copied().fold(0.0, f64::max),
            certified: None,
            rate: None,
            merge_ms: None,
        }
    }
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<String>| value.unwrap_or("-".into());
        write!(
            f,
            "{:24} {:>8} {:>6.2} {:>10.2e} {:>10.2e} {:>9} {:>8} {:>8}",
            self.name,
            self.memory >> 10,
            self.recall,
            self.mean_error,
            self.worst_error,
            shown(self.certified.map(|rows| rows.to_string())),
            shown(self.rate.map(|rate| format!("{:.1}", rate / 1e6))),
            shown(self.merge_ms.map(|ms| format!("{ms:.2}"))),
        )
    }
}

/// Updates that a sketch is given at a time, in columns, as a job gives them.
const BATCH: usize = 8192;

pub fn ours(entry: &SketchEntry, stream: &Stream, memory: usize) -> Contest {
    let plan = Plan { size: Size::Memory(memory), delta: 0.01, k: K, seed: 1 };
    let mut sketch = entry.make(&plan).expect("every size ranks k keys");
    let hashes: Vec<u64> = stream.updates.iter().map(|(hash, _)| *hash).collect();
    let began = Instant::now();
    for (hashes, updates) in hashes.chunks(BATCH).zip(stream.updates.chunks(BATCH)) {
        sketch.add_all(hashes, &[1; BATCH], |at| &updates[at].1).expect("the weights are small");
    }
    let seconds = began.elapsed().as_secs_f64();
    let rows = sketch.top(K);
    let counts: Vec<(Vec<u8>, u64)> = rows.iter().map(|row: &Row| (row.key.clone(), row.estimate.count)).collect();
    let merge_ms = entry.merges.then(|| {
        let other = sketch.clone();
        let began = Instant::now();
        sketch.merge(&other).expect("sketches of one plan merge");
        began.elapsed().as_secs_f64() * 1e3
    });
    Contest {
        certified: Some(rows.iter().filter(|row| row.certified).count()),
        rate: Some(stream.updates.len() as f64 / seconds),
        merge_ms,
        ..Contest::judge(entry.name, memory, stream, &counts)
    }
}

/// The crate `heavykeeper`, with buckets of 16 bytes in two rows.
pub fn heavy_keeper_crate(stream: &Stream, memory: usize) -> Contest {
    let mut sketch = heavykeeper::TopK::<[u8; 16]>::new(K, memory / 32, 2, 0.9);
    let began = Instant::now();
    stream.updates.iter().for_each(|(_, key)| sketch.add(key, 1));
    let seconds = began.elapsed().as_secs_f64();
    let rows: Vec<(Vec<u8>, u64)> = sketch.list().into_iter().map(|node| (node.item.to_vec(), node.count)).collect();
    Contest {
        rate: Some(stream.updates.len() as f64 / seconds),
        ..Contest::judge("(crate heavykeeper)", memory, stream, &rows)
    }
}
