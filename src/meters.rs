//! What the workers of this process have done so far, for progress and summary.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use hitters_inputs::event::Reason;

/// Counters that all workers add to.
#[derive(Debug)]
pub struct Meters {
    events: AtomicU64,
    rejected: [AtomicU64; Reason::ALL.len()],
    /// By window length.
    late: Vec<AtomicU64>,
    watermark: AtomicI64,
}

impl Meters {
    /// All at 0, for this many window lengths.
    pub fn new(lengths: usize) -> Self {
        Meters {
            events: AtomicU64::new(0),
            rejected: Default::default(),
            late: (0..lengths).map(|_| AtomicU64::new(0)).collect(),
            watermark: AtomicI64::new(i64::MIN),
        }
    }

    /// Adds events that were read.
    pub fn add_events(&self, count: usize) {
        self.events.fetch_add(count as u64, Relaxed);
    }

    /// Adds a record that gave no event.
    pub fn add_rejected(&self, why: Reason) {
        self.rejected[why as usize].fetch_add(1, Relaxed);
    }

    /// Adds events that were too late for the windows of the `length`-th length.
    pub fn add_late(&self, length: usize, count: u64) {
        self.late[length].fetch_add(count, Relaxed);
    }

    /// Notes the watermark of the job.
    pub fn set_watermark(&self, watermark: i64) {
        self.watermark.store(watermark, Relaxed);
    }

    /// How many events were read.
    pub fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    /// How many records gave no event, by reason.
    pub fn rejected(&self) -> Vec<(Reason, u64)> {
        Reason::ALL.iter().map(|&why| (why, self.rejected[why as usize].load(Relaxed))).collect()
    }

    /// How many events were too late, by window length.
    pub fn late(&self) -> Vec<u64> {
        self.late.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// The watermark of the job, once there is one and until all is read.
    pub fn watermark(&self) -> Option<i64> {
        Some(self.watermark.load(Relaxed)).filter(|&watermark| watermark > i64::MIN && watermark < i64::MAX)
    }
}
