//! What happens to an event on the worker that read it: it is judged, combined with others of its key, and what was
//! combined is put into parcels for the workers that count it and into this worker's own sketches.

mod combine;
mod outbox;
mod sketches;

use std::ops::{Range, RangeInclusive};

use crate::count::CountOverflow;
use crate::mark::Mark;
use crate::parcel::Parcel;
use crate::sketch::AnySketch;
use crate::window::{Judge, Judgement, Slot, Windows};
use combine::Combine;
use outbox::Outbox;
use sketches::Sketches;
pub use sketches::Summary;

/// How many events are judged before they are combined, where each is judged alone.
const JUDGED: usize = 256;

/// What a worker's [`Ingest`] feeds.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The windows.
    pub windows: Windows,
    /// Whether counts go to the workers that add them up exactly.
    pub exact: bool,
    /// An empty sketch that each window's begins as, or `None` to keep none.
    pub sketch: Option<AnySketch>,
}

/// An event, as it is added.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Event time in milliseconds since the Unix epoch.
    pub time: i64,
    /// How much it adds to its key's count.
    pub weight: u64,
    /// The seeded hash of the key, the same in all processes.
    pub hash: u64,
    /// Its key.
    pub key: &'a [u8],
}

/// The events of one block of a partition, in order, by their numbers from 0.
pub trait Batch {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A range of times that none of them is outside of.
    fn times(&self) -> RangeInclusive<i64>;

    /// The hash of an event's key alone.
    ///
    /// # Panics
    /// When there are not that many events.
    fn hash(&self, number: usize) -> u64;

    /// An event.
    ///
    /// # Panics
    /// When there are not that many events.
    fn event(&self, number: usize) -> Event<'_>;
}

/// One worker's events on their way into the dataflow.
pub struct Ingest {
    judge: Judge,
    /// Where the events of a batch belong that were judged one by one, and their numbers.
    judged: Vec<(Slot, usize)>,
    combine: Combine,
    outbox: Outbox,
    sketches: Option<Sketches>,
}

impl Ingest {
    /// The ingest of worker `me` of `workers`.
    pub fn new(settings: &IngestSettings, me: usize, workers: usize) -> Self {
        let sketches =
            settings.sketch.clone().map(|empty| Sketches::new(settings.windows.clone(), empty, settings.exact));
        // What only sketches take goes to no one else.
        let workers = if settings.exact { workers } else { 1 };
        let outbox = Outbox::new(me, workers, settings.windows.lengths.len());
        let judge = Judge::new(settings.windows.clone());
        Ingest { judge, judged: Vec::new(), combine: Combine::new(), outbox, sketches }
    }

    /// The windows that events are judged by.
    pub fn windows(&self) -> &Windows {
        self.judge.windows()
    }

    /// Takes events of one partition; `highest` is the latest event time before the first. Calls `too_late` with the number
    /// of the event and of the window length for which it is rejected.
    pub fn add_all(&mut self, highest: Option<i64>, batch: &impl Batch, mut too_late: impl FnMut(usize, usize)) {
        let Ingest { judge, judged, combine, outbox, .. } = self;
        let mut give = |slot, hash, weight, key: &[u8]| outbox.push(slot, hash, weight, key);
        match judge.all_on_time(highest, &batch.times()) {
            Some(slots) => {
                for slot in slots {
                    combine.add_all(batch, batch.len(), |number| (slot, number), &mut give);
                }
            }
            None => {
                let mut highest = highest.unwrap_or(i64::MIN);
                for from in (0..batch.len()).step_by(JUDGED) {
                    let numbers = from..batch.len().min(from + JUDGED);
                    highest = judge_each(judge, highest, batch, numbers, judged, &mut too_late);
                    combine.add_all(batch, judged.len(), |at| judged[at], &mut give);
                }
            }
        }
    }

    /// The parcels that are full, to be sent where exact counts are wanted.
    ///
    /// # Errors
    /// [`CountOverflow`] when a sketch's certain count passed 2^64 - 1.
    pub fn full(&mut self) -> Result<Vec<Parcel>, CountOverflow> {
        let full = self.outbox.full();
        self.sketch(full)
    }

    /// As [`Ingest::full`], with whatever else is due: a last parcel for every worker carries the mark. At a `tick` all
    /// that came until now is due; else what came for the windows that the mark reaches, or more.
    ///
    /// # Errors
    /// As of [`Ingest::full`].
    pub fn marked(&mut self, mark: Mark, tick: bool) -> Result<Vec<Parcel>, CountOverflow> {
        if tick || self.reaches_held(mark) {
            self.combine.flush(|slot, hash, weight, key| self.outbox.push(slot, hash, weight, key));
        }
        let marked = self.outbox.marked(mark);
        self.sketch(marked)
    }

    /// Whether the mark lets a window close that events are still being combined for.
    fn reaches_held(&self, mark: Mark) -> bool {
        let Mark::At(watermark) = mark else { return true };
        self.combine.held().iter().any(|slot| self.windows().window(*slot).end <= watermark)
    }

    fn sketch(&mut self, parcels: Vec<Parcel>) -> Result<Vec<Parcel>, CountOverflow> {
        if let Some(sketches) = &mut self.sketches {
            parcels.iter().try_for_each(|parcel| sketches.take(&parcel.rows))?;
        }
        Ok(parcels)
    }

    /// Exact counts were closed by this watermark: sketches of windows that end by then are let go, and those that remain
    /// told at ticks.
    pub fn close(&mut self, watermark: i64) {
        self.sketches.iter_mut().for_each(|sketches| sketches.close(watermark));
    }

    /// This worker's sketches of the windows that it lets go, and on a `tick` also those of all other windows, of all that
    /// was in parcels.
    ///
    /// Where counts are exact, there are some at ticks only, and it lets go when the mark says that nothing comes any more.
    /// Else it lets go of windows that end at or below the mark, and of the late events since the last time of windows past
    /// their end.
    ///
    /// # Errors
    /// As of [`Ingest::full`].
    pub fn summaries(&mut self, mark: Mark, tick: bool) -> Result<Vec<Summary>, CountOverflow> {
        self.sketches.as_mut().map_or_else(|| Ok(Vec::new()), |sketches| sketches.summaries(mark, tick))
    }
}

/// Finds the slots of events, each judged by those before it, and returns the latest time of all.
fn judge_each(
    judge: &mut Judge,
    mut highest: i64,
    batch: &impl Batch,
    numbers: Range<usize>,
    judged: &mut Vec<(Slot, usize)>,
    mut too_late: impl FnMut(usize, usize),
) -> i64 {
    judged.clear();
    for number in numbers {
        let time = batch.event(number).time;
        let watermark = judge.windows().watermark(Some(highest));
        for length in 0..judge.windows().lengths.len() {
            match judge.judge(length, time, watermark) {
                Judgement::OnTime(slot) | Judgement::Late(slot) => judged.push((slot, number)),
                Judgement::TooLate => too_late(number, length),
            }
        }
        highest = highest.max(time);
    }
    highest
}
