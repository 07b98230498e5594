//! The windows that a worker keeps exact counts for, from their first event until no late one is allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::CountError;
use super::counted::Counted;
use super::spill::Counts;
use crate::parcel::{Rows, SlotRows};
use crate::ranking::Window;
use crate::window::{Slot, Windows};

/// The best keys of one window among those of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// The window.
    pub window: Window,
    /// Whether late events are counted in.
    pub revised: bool,
    /// The total weight of the worker's keys.
    pub total: u128,
    /// Count and key of the k best, in order.
    pub rows: Vec<(u64, Vec<u8>)>,
}

/// What a window's counts have led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The window closed.
    Closed(Best),
    /// Late events were counted after it closed.
    Revised(Best),
    /// No event is allowed any more; its counts are gone.
    Forgotten(Window),
}

struct Open {
    on_time: Counts,
    /// Late events while the window is still open here.
    late: Counts,
    closed: bool,
    /// Late events were counted since the last change was told.
    touched: bool,
    /// Late events were counted at all.
    revised: bool,
}

/// How exact counts are kept.
#[derive(Clone, Debug)]
pub struct CountSettings {
    /// The windows.
    pub windows: Windows,
    /// How many keys are ranked.
    pub k: usize,
    /// The length, in milliseconds, of the windows whose full counts are handed over; `None` for none.
    pub keep: Option<i64>,
    /// How many bytes this worker's counts may hold in memory.
    pub memory: usize,
    /// Where counts go beyond that.
    pub spill_dir: PathBuf,
}

/// A worker's windows.
pub struct OpenWindows {
    settings: CountSettings,
    open: BTreeMap<Slot, Open>,
    /// The watermark of the job, as far as it was applied here.
    watermark: i64,
    too_late: u64,
}

impl OpenWindows {
    /// No windows yet.
    pub fn new(settings: CountSettings) -> Self {
        OpenWindows { settings, open: BTreeMap::new(), watermark: i64::MIN, too_late: 0 }
    }

    /// Adds combined counts. Those that come for a closed window count as late ones, and those that come for a window
    /// that is forgotten are only counted, in [`OpenWindows::take_too_late`]: both only happen when an idle partition
    /// wakes.
    ///
    /// # Errors
    /// [`CountError`] when a count does not fit or memory is short and counts cannot be spilled.
    pub fn add(&mut self, rows: &Rows) -> Result<(), CountError> {
        rows.by_slot().try_for_each(|rows| self.add_rows(&rows))?;
        self.spill_if_short()
    }

    fn add_rows(&mut self, rows: &SlotRows<'_>) -> Result<(), CountError> {
        let slot = rows.slot;
        let end = self.settings.windows.window(slot).end;
        if !self.settings.windows.keeps(end, self.watermark) && end <= self.watermark {
            self.too_late += rows.hashes.len() as u64;
            return Ok(());
        }
        let dir = &self.settings.spill_dir;
        let closed = end <= self.watermark;
        let open = self.open.entry(slot.on_time()).or_insert_with(|| Open {
            on_time: Counts::new(dir),
            late: Counts::new(dir),
            closed,
            touched: false,
            revised: false,
        });
        open.touched |= slot.is_late() || open.closed;
        open.revised |= open.touched;
        let counts = if slot.is_late() && !open.closed { &mut open.late } else { &mut open.on_time };
        Ok(counts.add_rows(rows)?)
    }

    /// Moves the largest counts to disk until the rest fit the budget.
    fn spill_if_short(&mut self) -> Result<(), CountError> {
        let mut memory: usize = self.memory();
        while memory > self.settings.memory {
            let all = self.open.values_mut().flat_map(|open| [&mut open.on_time, &mut open.late]);
            let Some(largest) = all.max_by_key(|counts| counts.memory()).filter(|counts| !counts.is_empty()) else {
                break;
            };
            memory -= largest.memory();
            largest.spill()?;
        }
        Ok(())
    }

    /// The bytes of all counts in memory, about.
    pub fn memory(&self) -> usize {
        self.open.values().map(|open| open.on_time.memory() + open.late.memory()).sum()
    }

    /// The time by which windows must end to be forgotten.
    pub fn forgotten(&self) -> i64 {
        self.watermark.saturating_sub(self.settings.windows.allowed_lateness)
    }

    /// How many combined counts came for forgotten windows since this was last asked.
    pub fn take_too_late(&mut self) -> u64 {
        std::mem::take(&mut self.too_late)
    }

    /// Raises the watermark of the job to `watermark`: windows that it reaches close, and those that it leaves too far
    /// behind are forgotten. Also tells the revisions since they were last told, if `revise` asks for them or the window
    /// is about to be forgotten. Changes come by slot; of one window, in the order of [`Change`]. The full counts of windows
    /// that are to be kept go to `keep` when they are forgotten.
    ///
    /// # Errors
    /// [`CountError`] when spilled counts cannot be read or do not fit.
    pub fn advance(
        &mut self,
        watermark: i64,
        revise: bool,
        mut keep: impl FnMut(Counted),
    ) -> Result<Vec<Change>, CountError> {
        self.watermark = watermark.max(self.watermark);
        let (windows, k) = (&self.settings.windows, self.settings.k);
        let (mut changes, mut forgotten) = (Vec::new(), Vec::new());
        for (&slot, open) in &mut self.open {
            let window = windows.window(slot);
            if !open.closed && window.end <= self.watermark {
                open.closed = true;
                if !open.on_time.is_empty() {
                    changes.push(Change::Closed(open.best(window, false, k)?));
                }
                let late = std::mem::replace(&mut open.late, Counts::new(&self.settings.spill_dir));
                if !late.is_empty() {
                    open.on_time.add_all(late)?;
                }
            }
            let gone = open.closed && !windows.keeps(window.end, self.watermark);
            if open.closed && open.touched && (revise || gone) {
                open.touched = false;
                changes.push(Change::Revised(open.best(window, true, k)?));
            }
            if gone {
                if self.settings.keep == Some(window.end - window.start) && !open.on_time.is_empty() {
                    let counts = std::mem::replace(&mut open.on_time, Counts::new(&self.settings.spill_dir));
                    keep(Counted::new(window, open.revised, counts)?);
                }
                changes.push(Change::Forgotten(window));
                forgotten.push(slot);
            }
        }
        for slot in forgotten {
            self.open.remove(&slot);
        }
        Ok(changes)
    }
}

impl Open {
    fn best(&self, window: Window, revised: bool, k: usize) -> Result<Best, CountError> {
        Ok(Best { window, revised, total: self.on_time.total(), rows: self.on_time.top(k)? })
    }
}
