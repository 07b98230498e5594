//! Puts the workers' sketches of each window together: early rankings, and in a job without exact counts also the final
//! and revised ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::mark::{Mark, Marks};
use crate::operators::JobError;
use crate::ranking::{Ranking, State};
use crate::sketch::{AnySketch, Sketch};
use crate::window::{Slot, Windows};

/// What one worker says at the end of an epoch.
pub struct Notice {
    /// Which worker.
    pub from: usize,
    /// What it promises.
    pub mark: Mark,
    /// Sketches that it let go of: each is told once.
    pub settled: Vec<(Slot, AnySketch)>,
    /// At a tick, all the sketches that it goes on with, as of now.
    pub passing: Option<Vec<(Slot, AnySketch)>>,
}

/// All workers' sketches.
pub struct Gather {
    windows: Windows,
    k: usize,
    /// Whether rankings of closed windows are due from here.
    settles: bool,
    marks: Marks,
    watermark: i64,
    settled: BTreeMap<Slot, AnySketch>,
    /// What each worker goes on with, as of its last tick. A worker that skips a tick has had no event since.
    passing: Vec<BTreeMap<Slot, AnySketch>>,
    closed: BTreeSet<Slot>,
}

impl Gather {
    /// Nothing gathered yet, from `workers` workers.
    pub fn new(windows: Windows, k: usize, settles: bool, workers: usize) -> Self {
        Gather {
            windows,
            k,
            settles,
            marks: Marks::new(workers),
            watermark: i64::MIN,
            settled: BTreeMap::new(),
            passing: vec![BTreeMap::new(); workers],
            closed: BTreeSet::new(),
        }
    }

    /// The watermark of the job as far as it was heard here.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// Takes what a worker says. Notices of an epoch are taken before those of later ones, and all of them before
    /// [`Gather::close`] is asked about that epoch.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn take(&mut self, notice: Notice) -> Result<(), JobError> {
        self.marks.set(notice.from, notice.mark);
        let passing = &mut self.passing[notice.from];
        for (slot, sketch) in notice.settled {
            passing.remove(&slot);
            merge(&mut self.settled, slot, sketch)?;
        }
        if let Some(newer) = notice.passing {
            *passing = newer.into_iter().collect();
        }
        Ok(())
    }

    /// The rankings of all open windows as of a tick, after the notices of all epochs before it and of none after.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn early(&mut self) -> Result<Vec<Ranking>, JobError> {
        let open = |slot: &Slot| !slot.is_late() && self.windows.window(*slot).end > self.watermark;
        let mut all = BTreeMap::new();
        for (slot, sketch) in self.passing.iter().flatten().chain(&self.settled).filter(|(slot, _)| open(slot)) {
            merge(&mut all, *slot, sketch.clone())?;
        }
        let rankings = all.iter().map(|(slot, s)| self.ranking(*slot, State::Early, s));
        Ok(in_order(rankings.collect()))
    }

    /// Applies the marks of an epoch and gives the rankings that are due: those of windows that closed, and those of
    /// closed windows that late events came for.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn close(&mut self) -> Result<Vec<Ranking>, JobError> {
        self.watermark = self.marks.watermark();
        let reached = |slot: &Slot| self.windows.window(*slot).end <= self.watermark;
        let mut finals = Vec::new();
        let mut revised = Vec::new();
        if self.settles {
            for (slot, sketch) in self.settled.range(..).filter(|(slot, _)| !slot.is_late() && reached(slot)) {
                if self.closed.insert(*slot) {
                    finals.push(self.ranking(*slot, State::Final, sketch));
                }
            }
            let late: Vec<_> = self.settled.extract_if(.., |slot, _| slot.is_late() && reached(slot)).collect();
            for (slot, sketch) in late {
                merge(&mut self.settled, slot.on_time(), sketch)?;
                self.closed.insert(slot.on_time());
                revised.push(self.ranking(slot.on_time(), State::Revised, &self.settled[&slot.on_time()]));
            }
        }
        let (windows, watermark, settles) = (&self.windows, self.watermark, self.settles);
        let gone = |slot: &Slot| {
            let end = windows.window(*slot).end;
            end <= watermark && !(settles && windows.keeps(end, watermark))
        };
        self.settled.retain(|slot, _| !gone(slot));
        self.closed.retain(|slot| !gone(slot));
        Ok(in_order(finals).into_iter().chain(in_order(revised)).collect())
    }

    fn ranking(&self, slot: Slot, state: State, sketch: &AnySketch) -> Ranking {
        let (window, rows) = (self.windows.window(slot), sketch.top(self.k));
        Ranking { window, state, total: sketch.total(), confidence: sketch.confidence(), rows }
    }
}

fn in_order(mut rankings: Vec<Ranking>) -> Vec<Ranking> {
    rankings.sort_by_key(|ranking| ranking.window);
    rankings
}

fn merge(into: &mut BTreeMap<Slot, AnySketch>, slot: Slot, sketch: AnySketch) -> Result<(), JobError> {
    match into.get_mut(&slot) {
        Some(held) => held.merge(&sketch)?,
        None => drop(into.insert(slot, sketch)),
    }
    Ok(())
}
