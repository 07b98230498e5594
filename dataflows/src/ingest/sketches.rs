//! One fixed-size sketch for each open window, of what this worker read.

use std::collections::BTreeMap;

use crate::count::CountOverflow;
use crate::mark::Mark;
use crate::parcel::{Rows, SlotRows};
use crate::sketch::{AnySketch, Sketch};
use crate::window::{Slot, Windows};

/// A worker's sketch of one window, as it stands.
pub struct Summary {
    /// Which window, and whether it is of late events.
    pub slot: Slot,
    /// Whether the worker let go of it: what it sends later comes in addition. Otherwise, it is sent again.
    pub settled: bool,
    /// The sketch.
    pub sketch: AnySketch,
}

/// The most bytes of rows that wait to be added to sketches: about 800,000 of usual keys.
const MOST_WAITING: usize = 32 << 20;
/// A parcel of a few rows takes about as many.
const LEAST_BYTES: usize = 1 << 10;

/// Rows wait for a while before they are added: many at a time find more of a sketch in the cache. Where counts are exact,
/// they wait for a tick, and are never added if their window closes first.
pub(super) struct Sketches {
    windows: Windows,
    empty: AnySketch,
    /// The watermark that exact counts were closed by; `None` where there are none.
    closed: Option<i64>,
    open: BTreeMap<Slot, AnySketch>,
    /// In the order in which they came, and their bytes.
    waiting: Vec<Rows>,
    bytes: usize,
}

impl Sketches {
    pub(super) fn new(windows: Windows, empty: AnySketch, exact: bool) -> Self {
        let closed = exact.then_some(i64::MIN);
        Sketches { windows, empty, closed, open: BTreeMap::new(), waiting: Vec::new(), bytes: 0 }
    }

    /// Takes rows, which are in the sketches that are told next.
    pub(super) fn take(&mut self, rows: &Rows) -> Result<(), CountOverflow> {
        if !rows.is_empty() {
            self.waiting.push(rows.clone());
            self.bytes += bytes(rows);
        }
        if self.bytes >= MOST_WAITING { self.catch_up() } else { Ok(()) }
    }

    fn catch_up(&mut self) -> Result<(), CountOverflow> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        waiting.iter().flat_map(Rows::by_slot).try_for_each(|rows| self.add(&rows))
    }

    fn add(&mut self, rows: &SlotRows<'_>) -> Result<(), CountOverflow> {
        if !self.is_wanted(rows.slot) {
            return Ok(());
        }
        let sketch = self.open.entry(rows.slot).or_insert_with(|| self.empty.clone());
        let added = sketch.add_all(rows.hashes, rows.weights, |i| rows.key(i));
        added.map_err(|at| CountOverflow { key: rows.key(at).to_vec() })
    }

    /// Late events are of no use to early results, but they are to revisions of approximate ones.
    fn is_wanted(&self, slot: Slot) -> bool {
        self.closed.is_none_or(|closed| !slot.is_late() && self.windows.window(slot).end > closed)
    }

    /// Exact counts were closed by this watermark: what there is of windows that end by then is of no use any more.
    pub(super) fn close(&mut self, watermark: i64) {
        if self.closed.replace(watermark) == Some(watermark) {
            return;
        }
        self.open.retain(|slot, _| self.windows.window(*slot).end > watermark);
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting =
            waiting.into_iter().filter(|rows| rows.by_slot().any(|rows| self.is_wanted(rows.slot))).collect();
        self.bytes = self.waiting.iter().map(bytes).sum();
    }

    /// The sketches that are due, up to date.
    pub(super) fn summaries(&mut self, mark: Mark, tick: bool) -> Result<Vec<Summary>, CountOverflow> {
        let exact = self.closed.is_some();
        if exact && !tick {
            return Ok(Vec::new());
        }
        self.catch_up()?;
        let settles = |slot: &Slot| match mark {
            Mark::Done => true,
            _ if exact => false,
            Mark::At(watermark) => self.windows.window(*slot).end <= watermark || slot.is_late() && tick,
            Mark::Idle(_) | Mark::Nothing => slot.is_late() && tick,
        };
        let settled = self.open.extract_if(.., |slot, _| settles(slot));
        let mut summaries: Vec<_> = settled.map(|(slot, sketch)| Summary { slot, settled: true, sketch }).collect();
        if tick {
            summaries.extend(self.open.iter().map(|(&slot, sketch)| Summary {
                slot,
                settled: false,
                sketch: sketch.clone(),
            }));
        }
        Ok(summaries)
    }
}

/// About the bytes in memory of rows that wait.
fn bytes(rows: &Rows) -> usize {
    rows.length_in_bytes().max(LEAST_BYTES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parcel::Columns;
    use crate::sketch::SpaceSaving;
    use crate::window::Judge;

    /// Sketches of the windows from 0 to 100 and from 100 to 200, of an event each.
    fn two_windows(exact: bool) -> Sketches {
        let windows = Windows { lengths: vec![100], out_of_orderness: 0, allowed_lateness: 0 };
        let mut sketches = Sketches::new(windows.clone(), SpaceSaving::new(8).into(), exact);
        let mut columns = Columns::default();
        for time in [0, 100] {
            let slots = Judge::new(windows.clone()).all_on_time(None, &(time..=time));
            slots.into_iter().flatten().for_each(|slot| columns.push(slot, 1, 1, b"key"));
        }
        sketches.take(&columns.into()).unwrap();
        sketches
    }

    /// Start of the window, whether the worker lets go of it, and its total.
    fn told(sketches: &mut Sketches, mark: Mark, tick: bool) -> Vec<(i64, bool, u128)> {
        let summaries = sketches.summaries(mark, tick).unwrap();
        let told = |told: &Summary| (sketches.windows.window(told.slot).start, told.settled, told.sketch.total());
        summaries.iter().map(told).collect()
    }

    #[test]
    fn without_exact_counts_a_sketch_is_told_when_the_mark_reaches_its_window() {
        let mut sketches = two_windows(false);
        assert_eq!(told(&mut sketches, Mark::At(99), true), [(0, false, 1), (100, false, 1)]);
        assert_eq!(told(&mut sketches, Mark::At(100), false), [(0, true, 1)]);
        assert_eq!(told(&mut sketches, Mark::At(150), true), [(100, false, 1)]);
        assert_eq!(told(&mut sketches, Mark::Done, false), [(100, true, 1)]);
    }

    #[test]
    fn with_exact_counts_a_sketch_is_told_at_ticks_until_its_window_is_closed() {
        let mut sketches = two_windows(true);
        assert_eq!(told(&mut sketches, Mark::At(100), false), []);
        assert_eq!(told(&mut sketches, Mark::At(100), true), [(0, false, 1), (100, false, 1)]);
        sketches.close(100);
        assert_eq!(told(&mut sketches, Mark::At(200), true), [(100, false, 1)]);
        assert_eq!(told(&mut sketches, Mark::Done, false), []);
        assert_eq!(told(&mut sketches, Mark::Done, true), [(100, true, 1)]);
    }

    #[test]
    fn what_waits_for_a_closed_window_is_not_added() {
        let mut sketches = two_windows(true);
        sketches.close(100);
        assert_eq!(told(&mut sketches, Mark::Nothing, true), [(100, false, 1)]);
        sketches.close(200);
        assert!(sketches.open.is_empty());
    }
}
