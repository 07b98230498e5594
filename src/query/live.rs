//! What a running job knows of windows that are not in its store: they are open, or closed and not stored yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use hitters_dataflows::ranking::{Ranking, State, Window};
use serde::{Deserialize, Serialize};

use crate::meters::Meters;

/// The most rows of closed windows that are held; of windows beyond, the oldest first, only the totals.
const MOST_ROWS: usize = 200_000;
/// The most closed windows that are held.
const MOST_CLOSED: usize = 10_000;

/// The newest ranking of each window that is not stored. One thread tells, any number look; nobody waits for longer than
/// it takes to exchange a pointer, or to copy a list of pointers.
#[derive(Debug)]
pub struct Live {
    length: i64,
    knows: Knows,
    meters: Arc<Meters>,
    known: Mutex<Arc<Known>>,
}

/// What rankings tell of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Knows {
    /// All windows.
    Open,
    /// Closed windows: there are no early rankings.
    Closed,
    /// Nothing: the first process of the cluster has them.
    Elsewhere,
}

/// What was known at one moment.
#[derive(Clone, Debug)]
pub struct Known {
    windows: BTreeMap<Window, Arc<Ranking>>,
    /// Rows of closed windows.
    rows: usize,
    closed: usize,
    /// All windows that end by then are in the store.
    stored: i64,
    /// Windows that are stored are held too.
    holds_stored: bool,
    /// All windows that end by then are closed, and their rankings were heard, or they are stored.
    settled: i64,
    /// Windows that end by then may be nowhere: there were too many.
    lost: i64,
}

impl Live {
    /// Nothing known yet, of a job whose shortest windows are `length` milliseconds long. `meters` tell its watermark.
    pub fn new(length: i64, knows: Knows, meters: Arc<Meters>) -> Self {
        Live { length, knows, meters, known: Mutex::new(Arc::new(Known::nothing())) }
    }

    /// Windows that are stored stay as long as there is room: other processes of the cluster may not have stored them yet.
    pub fn holding_stored(self) -> Self {
        Arc::make_mut(&mut self.lock()).holds_stored = true;
        self
    }

    /// Takes a ranking; it replaces the one before of its window.
    pub fn take(&self, ranking: Arc<Ranking>) {
        Arc::make_mut(&mut self.lock()).take(ranking, self.length);
    }

    /// Forgets the windows that end by `until`: the store has them.
    pub fn stored(&self, until: i64) {
        let whole_windows = until.div_euclid(self.length).saturating_mul(self.length);
        Arc::make_mut(&mut self.lock()).forget(whole_windows);
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Known> {
        self.lock().clone()
    }

    /// The length of the shortest windows, in milliseconds.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// What its rankings tell.
    pub fn knows(&self) -> Knows {
        self.knows
    }

    /// What the job has read so far.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Known>> {
        self.known.lock().expect("no one panics while telling what is known")
    }
}

impl Known {
    /// Nothing at all.
    fn nothing() -> Self {
        let never = i64::MIN;
        let windows = BTreeMap::new();
        Known { windows, rows: 0, closed: 0, stored: never, holds_stored: false, settled: never, lost: never }
    }

    /// What another process knew: its rankings, until when windows were settled, and until when they may be nowhere.
    pub fn of(rankings: impl IntoIterator<Item = Ranking>, settled: Option<i64>, lost: Option<i64>) -> Self {
        let windows = rankings.into_iter().map(|ranking| (ranking.window, Arc::new(ranking))).collect();
        let [settled, lost] = [settled, lost].map(|time| time.unwrap_or(i64::MIN));
        Known { windows, settled, lost, ..Known::nothing() }
    }

    fn take(&mut self, ranking: Arc<Ranking>, shortest: i64) {
        let Window { start, end } = ranking.window;
        if ranking.state != State::Early && end - start == shortest {
            // Windows close by end, then start: with a shortest one, all that end by then have.
            self.settled = self.settled.max(end);
        }
        if end <= self.stored && !self.holds_stored {
            return;
        }
        self.remove(ranking.window);
        if ranking.state != State::Early {
            self.rows += ranking.rows.len();
            self.closed += 1;
        }
        self.windows.insert(ranking.window, ranking);
        self.make_room();
    }

    fn remove(&mut self, window: Window) {
        if let Some(old) = self.windows.remove(&window).filter(|old| old.state != State::Early) {
            self.rows -= old.rows.len();
            self.closed -= 1;
        }
    }

    fn forget(&mut self, until: i64) {
        self.stored = self.stored.max(until);
        self.settled = self.settled.max(until);
        if self.holds_stored {
            return;
        }
        while let Some((&window, _)) = self.windows.first_key_value().filter(|(window, _)| window.end <= until) {
            self.remove(window);
        }
    }

    fn make_room(&mut self) {
        let closed = |ranking: &Ranking| ranking.state != State::Early;
        if self.rows > MOST_ROWS {
            // The newest keeps its rows, however many they are.
            let mut with_rows: Vec<_> = self.windows.values_mut().filter(|r| closed(r) && !r.rows.is_empty()).collect();
            with_rows.pop();
            for ranking in with_rows {
                if self.rows <= MOST_ROWS {
                    break;
                }
                self.rows -= ranking.rows.len();
                let Ranking { window, state, total, confidence, .. } = **ranking;
                *ranking = Arc::new(Ranking { window, state, total, confidence, rows: Vec::new() });
            }
        }
        while self.closed > MOST_CLOSED {
            let Some(oldest) = self.windows.values().find(|r| closed(r)).map(|r| r.window) else { return };
            self.remove(oldest);
            self.lost = self.lost.max(oldest.end);
        }
    }

    /// All rankings, in the order of the ends of their windows, then their starts.
    pub fn rankings(&self) -> impl DoubleEndedIterator<Item = &Ranking> {
        self.windows.values().map(Arc::as_ref)
    }

    /// All rankings of windows of this length, in order of time.
    pub fn of_length(&self, length: i64) -> impl DoubleEndedIterator<Item = &Ranking> {
        self.rankings().filter(move |ranking| ranking.window.end - ranking.window.start == length)
    }

    /// From the first to the last moment of the windows of this length.
    pub fn span(&self, length: i64) -> Option<(i64, i64)> {
        let mut windows = self.of_length(length).map(|ranking| ranking.window);
        let first = windows.next()?;
        Some((first.start, windows.next_back().unwrap_or(first).end))
    }

    /// All windows that end by then are closed, and here or in the store; `None` until one is.
    pub fn settled(&self) -> Option<i64> {
        (self.settled > i64::MIN).then_some(self.settled)
    }

    /// All windows that end by then are in the store.
    pub fn stored(&self) -> i64 {
        self.stored
    }

    /// Windows before this may be neither here nor in the store, or nor in all stores when those that are stored are held too.
    pub fn lost(&self) -> Option<i64> {
        (self.lost > if self.holds_stored { i64::MIN } else { self.stored }).then_some(self.lost)
    }
}

#[cfg(test)]
mod tests {
    use hitters_dataflows::ranking::{Estimate, Row};

    use super::*;

    fn ranking(start: i64, state: State, rows: usize) -> Arc<Ranking> {
        let row = Row { key: b"k".to_vec(), estimate: Estimate::exact(1), certified: true };
        let window = Window { start, end: start + 10 };
        Arc::new(Ranking { window, state, total: rows as u128, confidence: 1.0, rows: vec![row; rows] })
    }

    fn starts(live: &Live) -> Vec<(i64, State, usize)> {
        live.known().rankings().map(|r| (r.window.start, r.state, r.rows.len())).collect()
    }

    fn live() -> Live {
        Live::new(10, Knows::Open, Arc::new(Meters::new(1)))
    }

    #[test]
    fn the_newest_ranking_of_a_window_stays_until_it_is_stored() {
        let live = live();
        live.take(ranking(0, State::Early, 1));
        live.take(ranking(10, State::Early, 2));
        let before = live.known();
        live.take(ranking(0, State::Final, 3));
        assert_eq!(starts(&live), [(0, State::Final, 3), (10, State::Early, 2)]);
        assert_eq!(before.rankings().next().map(|r| r.state), Some(State::Early), "a moment stays as it was");
        live.stored(10);
        live.take(ranking(0, State::Revised, 3));
        assert_eq!(starts(&live), [(10, State::Early, 2)]);
        assert_eq!(live.known().span(10), Some((10, 20)));
    }

    #[test]
    fn what_is_held_has_a_limit() {
        let live = live();
        for start in 0..3 {
            live.take(ranking(start * 10, State::Final, MOST_ROWS / 2));
        }
        assert_eq!(starts(&live).iter().map(|s| s.2).collect::<Vec<_>>(), [0, MOST_ROWS / 2, MOST_ROWS / 2]);
        assert_eq!(live.known().lost(), None);
        for start in 3..=MOST_CLOSED as i64 + 1 {
            live.take(ranking(start * 10, State::Final, 1));
        }
        assert_eq!(live.known().lost(), Some(20));
        live.stored(20);
        assert_eq!((live.known().lost(), starts(&live)[0].0), (None, 20));
    }

    #[test]
    fn windows_are_settled_when_one_of_the_shortest_is_closed_or_stored() {
        let live = live();
        live.take(ranking(30, State::Early, 1));
        let long = Ranking { window: Window { start: 0, end: 40 }, ..(*ranking(0, State::Final, 1)).clone() };
        live.take(Arc::new(long));
        assert_eq!(live.known().settled(), None, "the window from 30 on may be on its way");
        live.take(ranking(30, State::Final, 1));
        assert_eq!(live.known().settled(), Some(40));
        live.stored(67);
        assert_eq!(live.known().settled(), Some(60));
        live.stored(i64::MIN);
        assert_eq!(live.known().settled(), Some(60));
    }
}
