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

    pub(super) fn summaries(&mut self, mark: Mark, tick: bool) -> Vec<Summary> {
        let settles = |slot: &Slot| match mark {
            Mark::Done => true,
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
        summaries
    }
}
