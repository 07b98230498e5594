//! Puts the workers' sketches of each window together: early rankings, and in a job without exact counts also the final
//! and revised ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::mark::{Mark, Marks};
use crate::operators::JobError;
use crate::ranking::{Ranking, State, Window};
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
///
/// A ranking is of one window, or of several in a row as if they were one: then their sketches are merged for it, and kept
/// until the last such row has closed.
pub struct Gather {
    windows: Windows,
    /// How many windows in a row make one of the result, ascending; 1 for windows as they are.
    spans: Vec<i64>,
    k: usize,
    /// Whether rankings of closed windows are due from here.
    settles: bool,
    marks: Marks,
    watermark: i64,
    /// Of windows on time and, apart, of late events.
    settled: BTreeMap<Slot, AnySketch>,
    /// Where late events came since revisions were last told.
    touched: BTreeSet<Slot>,
    /// What each worker goes on with, as of its last tick. A worker that skips a tick has had no event since.
    passing: Vec<BTreeMap<Slot, AnySketch>>,
}

impl Gather {
    /// Nothing gathered yet, from `workers` workers.
    pub fn new(windows: Windows, mut spans: Vec<i64>, k: usize, settles: bool, workers: usize) -> Self {
        spans.sort_unstable();
        Gather {
            windows,
            spans,
            k,
            settles,
            marks: Marks::new(workers),
            watermark: i64::MIN,
            settled: BTreeMap::new(),
            touched: BTreeSet::new(),
            passing: vec![BTreeMap::new(); workers],
        }
    }

    /// The watermark of the job as far as it was heard here.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// Takes what a worker says. Notices of an epoch are taken before those of later ones, and all of them before
    /// [`Gather::close`] is asked about that epoch. What comes for a closed window counts as late: that only happens
    /// when an idle partition wakes.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn take(&mut self, notice: Notice) -> Result<(), JobError> {
        self.marks.set(notice.from, notice.mark);
        let passing = &mut self.passing[notice.from];
        for (slot, sketch) in notice.settled {
            passing.remove(&slot);
            let slot = if self.windows.window(slot).end <= self.watermark { slot.late() } else { slot };
            if slot.is_late() {
                self.touched.insert(slot);
            }
            merge(&mut self.settled, slot, sketch)?;
        }
        if let Some(newer) = notice.passing {
            *passing = newer.into_iter().collect();
        }
        Ok(())
    }

    /// The rankings of all open windows as of a tick, after the notices of all epochs before it and of none after. Of rows
    /// of windows, those that end with an open window of which something was seen.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn early(&mut self) -> Result<Vec<Ranking>, JobError> {
        let mut all = BTreeMap::new();
        let counts = |slot: &Slot| !slot.is_late() && self.last_end(*slot) > self.watermark;
        for (slot, sketch) in self.passing.iter().flatten().chain(&self.settled).filter(|(slot, _)| counts(slot)) {
            merge(&mut all, *slot, sketch.clone())?;
        }
        let open = all.keys().filter(|slot| self.windows.window(**slot).end > self.watermark);
        let lasts = open.flat_map(|&last| self.spans.iter().map(move |&span| (last, span)));
        let rankings = lasts.map(|(last, span)| self.ranking(&all, last, span, State::Early));
        in_order(rankings)
    }

    /// Applies the marks of an epoch and gives the rankings that are due: those of windows that closed, and those of
    /// closed windows that late events came for.
    ///
    /// # Errors
    /// [`JobError::Merge`] when sketches do not go together.
    pub fn close(&mut self) -> Result<Vec<Ranking>, JobError> {
        let before = std::mem::replace(&mut self.watermark, self.marks.watermark());
        let rankings = if self.settles { self.due(before) } else { Ok(Vec::new()) };
        let mut settled = std::mem::take(&mut self.settled);
        settled.retain(|slot, _| !self.is_gone(*slot));
        self.settled = settled;
        self.touched.retain(|slot| self.windows.window(*slot).end > self.watermark);
        rankings
    }

    /// The rankings due now that the watermark has risen from `before`.
    fn due(&self, before: i64) -> Result<Vec<Ranking>, JobError> {
        let (mut finals, mut revised) = (BTreeSet::new(), BTreeSet::new());
        for (&slot, &span) in self.settled.keys().flat_map(|slot| self.spans.iter().map(move |span| (slot, span))) {
            for last in (0..span).map(|later| slot.on_time().after(later)) {
                let end = self.windows.window(last).end;
                let closes = end > before && end <= self.watermark;
                if slot.is_late() {
                    let is_told = self.touched.contains(&slot) && end <= before && self.windows.keeps(end, before);
                    revised.extend((closes || is_told).then_some((last, span)));
                } else {
                    finals.extend(closes.then_some((last, span)));
                }
            }
        }
        let rankings = |lasts: BTreeSet<(Slot, i64)>, state| {
            in_order(lasts.into_iter().map(|(last, span)| self.ranking(&self.settled, last, span, state)))
        };
        let (finals, revised) = (rankings(finals, State::Final)?, rankings(revised, State::Revised)?);
        Ok(finals.into_iter().chain(revised).collect())
    }

    /// The end of the last row of windows that a slot's is in.
    fn last_end(&self, slot: Slot) -> i64 {
        let longest = self.spans.last().copied().unwrap_or(1);
        self.windows.window(slot.after(longest - 1)).end
    }

    /// Whether nothing that a slot's window is in is to be told or revised any more.
    fn is_gone(&self, slot: Slot) -> bool {
        let end = self.last_end(slot);
        end <= self.watermark && !(self.settles && self.windows.keeps(end, self.watermark))
    }

    /// The ranking of the `span` windows in a row of which `last` is the last.
    fn ranking(
        &self,
        sketches: &BTreeMap<Slot, AnySketch>,
        last: Slot,
        span: i64,
        state: State,
    ) -> Result<Ranking, JobError> {
        let first = last.after(1 - span);
        let window = Window { start: self.windows.window(first).start, ..self.windows.window(last) };
        let counts = |slot: &Slot| slot.length() == last.length() && (state == State::Revised || !slot.is_late());
        let mut within = sketches.range(first..=last.late()).filter(|(slot, _)| counts(slot)).map(|(_, sketch)| sketch);
        let mut sum = within.next().expect("a row of windows is told when something is in it").clone();
        within.try_for_each(|sketch| sum.merge(sketch))?;
        Ok(Ranking { window, state, total: sum.total(), confidence: sum.confidence(), rows: sum.top(self.k) })
    }
}

fn in_order(rankings: impl Iterator<Item = Result<Ranking, JobError>>) -> Result<Vec<Ranking>, JobError> {
    let mut rankings = rankings.collect::<Result<Vec<_>, _>>()?;
    rankings.sort_by_key(|ranking| ranking.window);
    Ok(rankings)
}

fn merge(into: &mut BTreeMap<Slot, AnySketch>, slot: Slot, sketch: AnySketch) -> Result<(), JobError> {
    match into.get_mut(&slot) {
        Some(held) => held.merge(&sketch)?,
        None => drop(into.insert(slot, sketch)),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sketch::SpaceSaving;
    use crate::window::Judgement;

    fn gather(spans: Vec<i64>) -> Gather {
        let windows = Windows { lengths: vec![100], out_of_orderness: 0, allowed_lateness: 100 };
        Gather::new(windows, spans, 5, true, 1)
    }

    /// What is due when the worker says this mark, and lets go of sketches of one key: start, end, state and total.
    fn due(gather: &mut Gather, mark: Mark, seen: &[(i64, bool, u64)]) -> Vec<(i64, i64, State, u128)> {
        let settled = seen.iter().map(|&(time, late, weight)| {
            let Judgement::OnTime(slot) = gather.windows.judge(0, time, i64::MIN) else { panic!("on time") };
            let mut sketch = SpaceSaving::new(8);
            sketch.add(1, b"key", weight).unwrap();
            (if late { slot.late() } else { slot }, sketch.into())
        });
        let notice = Notice { from: 0, mark, settled: settled.collect(), passing: None };
        gather.take(notice).unwrap();
        let told = |ranking: Ranking| (ranking.window.start, ranking.window.end, ranking.state, ranking.total);
        gather.close().unwrap().into_iter().map(told).collect()
    }

    use State::{Final, Revised};

    #[test]
    fn each_row_of_windows_is_told_once_and_revised_while_late_events_are_allowed() {
        let mut gather = gather(vec![3, 1]);
        assert_eq!(due(&mut gather, Mark::At(100), &[(0, false, 1)]), [(-200, 100, Final, 1), (0, 100, Final, 1)]);
        assert_eq!(due(&mut gather, Mark::At(200), &[(100, false, 2)]), [(-100, 200, Final, 3), (100, 200, Final, 2)]);
        // The first window takes no more, but those that it is in do.
        assert_eq!(due(&mut gather, Mark::At(200), &[(0, true, 5)]), [(-100, 200, Revised, 8)]);
        assert_eq!(due(&mut gather, Mark::At(200), &[]), []);
        assert_eq!(due(&mut gather, Mark::At(300), &[]), [(0, 300, Final, 3), (0, 300, Revised, 8)]);
        assert_eq!(due(&mut gather, Mark::At(400), &[]), [(100, 400, Final, 2)]);
        assert_eq!(due(&mut gather, Mark::Done, &[]), []);
        assert!(gather.settled.is_empty());
    }

    #[test]
    fn what_comes_for_a_closed_window_is_late() {
        let mut gather = gather(vec![1]);
        assert_eq!(due(&mut gather, Mark::At(100), &[(0, false, 1)]), [(0, 100, Final, 1)]);
        assert_eq!(due(&mut gather, Mark::At(150), &[(0, false, 2)]), [(0, 100, Revised, 3)]);
        assert_eq!(due(&mut gather, Mark::At(250), &[(0, false, 4)]), [(0, 100, Revised, 7)]);
        assert_eq!(due(&mut gather, Mark::At(250), &[(0, false, 8)]), []);
    }
}
