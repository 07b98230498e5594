//! One fixed-size sketch for each open window, of what this worker read.

use std::collections::BTreeMap;

use crate::mark::Mark;
use crate::sketch::{Overflow, Sketch, SpaceSaving};
use crate::window::{Slot, Windows};

/// A worker's sketch of one window, as it stands.
pub struct Summary {
    /// Which window, and whether it is of late events.
    pub slot: Slot,
    /// Whether the worker let go of it: what it sends later comes in addition. Otherwise, it is sent again.
    pub settled: bool,
    /// The sketch.
    pub sketch: SpaceSaving,
}

pub(super) struct Sketches {
    windows: Windows,
    empty: SpaceSaving,
    late_too: bool,
    open: BTreeMap<Slot, SpaceSaving>,
}

impl Sketches {
    pub(super) fn new(windows: Windows, empty: SpaceSaving, late_too: bool) -> Self {
        Sketches { windows, empty, late_too, open: BTreeMap::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, slot: Slot, hash: u64, weight: u64, key: &[u8]) -> Result<(), Overflow> {
        if slot.is_late() && !self.late_too {
            return Ok(());
        }
        self.open.entry(slot).or_insert_with(|| self.empty.clone()).add(hash, key, weight)
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
