//! What happens to an event on the worker that read it: it is judged, combined with others of its key, and what was
//! combined is put into parcels for the workers that count it and into this worker's own sketches.

mod combine;
mod outbox;
mod sketches;

use crate::mark::Mark;
use crate::parcel::Parcel;
use crate::sketch::{Overflow, SpaceSaving};
use crate::window::{Judgement, Windows};
use combine::Combine;
use outbox::Outbox;
use sketches::Sketches;
pub use sketches::Summary;

/// What a worker's [`Ingest`] feeds.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The windows.
    pub windows: Windows,
    /// Whether counts go to the workers that add them up exactly.
    pub exact: bool,
    /// An empty sketch that each window's begins as, or `None` to keep none.
    pub sketch: Option<SpaceSaving>,
}

/// One worker's events on their way into the dataflow.
pub struct Ingest {
    windows: Windows,
    combine: Combine,
    sinks: Sinks,
}

/// Where combined counts go.
struct Sinks {
    outbox: Outbox,
    exact: bool,
    sketches: Option<Sketches>,
    overflow: Option<Overflow>,
}

impl Sinks {
    fn give(&mut self, slot: crate::window::Slot, hash: u64, weight: u64, key: &[u8]) {
        if self.exact {
            self.outbox.push(slot, hash, weight, key);
        }
        if let Some(sketches) = &mut self.sketches
            && let Err(overflow) = sketches.add(slot, hash, weight, key)
        {
            self.overflow.get_or_insert(overflow);
        }
    }
}

impl Ingest {
    /// The ingest of worker `me` of `workers`.
    pub fn new(settings: &IngestSettings, me: usize, workers: usize) -> Self {
        // Late events are of no use to early results, but they are to revisions of approximate ones.
        let sketches =
            settings.sketch.clone().map(|empty| Sketches::new(settings.windows.clone(), empty, !settings.exact));
        Ingest {
            windows: settings.windows.clone(),
            combine: Combine::new(),
            sinks: Sinks { outbox: Outbox::new(me, workers), exact: settings.exact, sketches, overflow: None },
        }
    }

    /// The windows that events are judged by.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Takes an event whose partition stands at `watermark`; calls `too_late` with the number of each window length for
    /// which it is rejected.
    pub fn add(
        &mut self,
        time: i64,
        weight: u64,
        hash: u64,
        key: &[u8],
        watermark: i64,
        mut too_late: impl FnMut(usize),
    ) {
        for length in 0..self.windows.lengths.len() {
            match self.windows.judge(length, time, watermark) {
                Judgement::OnTime(slot) | Judgement::Late(slot) => {
                    let sinks = &mut self.sinks;
                    self.combine
                        .add(slot, hash, weight, key, |slot, hash, weight, key| sinks.give(slot, hash, weight, key));
                }
                Judgement::TooLate => too_late(length),
            }
        }
    }

    /// Empties the combined counts into parcels and sketches, so that whatever came before is on its way.
    ///
    /// # Errors
    /// [`Overflow`] when a sketch's certain count passed 2^64 - 1 since the last time.
    pub fn flush(&mut self) -> Result<(), Overflow> {
        let sinks = &mut self.sinks;
        self.combine.flush(|slot, hash, weight, key| sinks.give(slot, hash, weight, key));
        self.sinks.overflow.take().map_or(Ok(()), Err)
    }

    /// The parcels that are full, to be sent.
    pub fn full(&mut self) -> impl Iterator<Item = Parcel> + '_ {
        self.sinks.outbox.full()
    }

    /// A last parcel for every worker, with whatever is left and the mark.
    pub fn marked(&mut self, mark: Mark) -> Vec<Parcel> {
        self.sinks.outbox.marked(mark)
    }

    /// This worker's sketches of the windows that end at or below the mark, which it lets go, and of windows past their
    /// end the late events since the last time; on a `tick` also the sketches of all other windows.
    pub fn summaries(&mut self, mark: Mark, tick: bool) -> Vec<Summary> {
        self.sinks.sketches.as_mut().map_or_else(Vec::new, |sketches| sketches.summaries(mark, tick))
    }
}
