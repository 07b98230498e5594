//! One fixed-size sketch for each open window, of what this worker read.

use std::collections::BTreeMap;

use crate::count::CountOverflow;
use crate::mark::Mark;
use crate::parcel::SlotRows;
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

pub(super) struct Sketches {
    windows: Windows,
    empty: AnySketch,
    late_too: bool,
    open: BTreeMap<Slot, AnySketch>,
}

impl Sketches {
    pub(super) fn new(windows: Windows, empty: AnySketch, late_too: bool) -> Self {
        Sketches { windows, empty, late_too, open: BTreeMap::new() }
    }

    pub(super) fn add_rows(&mut self, rows: &SlotRows<'_>) -> Result<(), CountOverflow> {
        if rows.slot.is_late() && !self.late_too {
            return Ok(());
        }
        let sketch = self.open.entry(rows.slot).or_insert_with(|| self.empty.clone());
        let added = sketch.add_all(rows.hashes, rows.weights, |i| rows.key(i));
        added.map_err(|at| CountOverflow { key: rows.key(at).to_vec() })
    }

    /// `closed` is the watermark up to which windows have their exact counts, where they get any: then sketches are kept
    /// until they have, and told of at ticks only.
    pub(super) fn summaries(&mut self, mark: Mark, tick: bool, closed: Option<i64>) -> Vec<Summary> {
        let windows = &self.windows;
        self.open.retain(|slot, _| closed.is_none_or(|closed| windows.window(*slot).end > closed));
        let settles = |slot: &Slot| match mark {
            Mark::Done => true,
            _ if closed.is_some() => false,
            Mark::At(watermark) => windows.window(*slot).end <= watermark || slot.is_late() && tick,
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
        summaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::{Columns, Rows};
    use crate::sketch::SpaceSaving;

    /// Sketches of the windows from 0 to 100 and from 100 to 200.
    fn two_windows() -> Sketches {
        let windows = Windows { lengths: vec![100], out_of_orderness: 0, allowed_lateness: 0 };
        let mut sketches = Sketches::new(windows.clone(), SpaceSaving::new(8).into(), false);
        let mut columns = Columns::default();
        for time in [0, 100] {
            let slots = crate::window::Judge::new(windows.clone()).all_on_time(None, &(time..=time));
            slots.into_iter().flatten().for_each(|slot| columns.push(slot, 1, 1, b"key"));
        }
        Rows::from(columns).by_slot().for_each(|rows| assert!(sketches.add_rows(&rows).is_ok()));
        sketches
    }

    /// Start of the window, and whether the worker lets go of it.
    fn told(sketches: &mut Sketches, mark: Mark, tick: bool, closed: Option<i64>) -> Vec<(i64, bool)> {
        let summaries = sketches.summaries(mark, tick, closed);
        summaries.iter().map(|summary| (sketches.windows.window(summary.slot).start, summary.settled)).collect()
    }

    #[test]
    fn without_exact_counts_a_sketch_is_told_when_the_mark_reaches_its_window() {
        let mut sketches = two_windows();
        assert_eq!(told(&mut sketches, Mark::At(99), true, None), [(0, false), (100, false)]);
        assert_eq!(told(&mut sketches, Mark::At(100), false, None), [(0, true)]);
        assert_eq!(told(&mut sketches, Mark::At(150), true, None), [(100, false)]);
        assert_eq!(told(&mut sketches, Mark::Done, false, None), [(100, true)]);
    }

    #[test]
    fn with_exact_counts_a_sketch_is_told_at_ticks_until_its_window_is_closed() {
        let mut sketches = two_windows();
        assert_eq!(told(&mut sketches, Mark::At(100), false, Some(99)), []);
        assert_eq!(told(&mut sketches, Mark::At(100), true, Some(99)), [(0, false), (100, false)]);
        assert_eq!(told(&mut sketches, Mark::At(200), true, Some(100)), [(100, false)]);
        assert_eq!(told(&mut sketches, Mark::Done, false, Some(150)), [(100, true)]);
        assert_eq!(told(&mut sketches, Mark::Done, true, Some(200)), []);
    }
}
