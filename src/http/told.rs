//! What a peer told, read back.

use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};
use serde::Deserialize;

use super::peers::Holder;
use crate::query::answer::{Answer, Effort, Trust};
use crate::query::follow::Followed;
use crate::query::live::{Known, Knows};
use crate::query::moment::moment;
use crate::query::movers::{Mover, Movers};
use crate::query::show::Kept;
use crate::sink::key::key_bytes;

/// An answer of a peer; which fields there are depends on the question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) part: Option<Holder>,
    pub(super) known_from: Option<String>,
    pub(super) known_until: Option<String>,
    pub(super) complete_until_ms: Option<i64>,
    pub(super) knows: Option<Knows>,
    pub(super) settled_ms: Option<i64>,
    pub(super) lost_ms: Option<i64>,
    pub(super) intervals: Vec<Interval>,
    pub(super) missing: Vec<String>,
    pub(super) damaged: Vec<String>,
    pub(super) rows: Vec<RowTold>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Interval {
    window_start: String,
    window_end: String,
    state: String,
    total: u128,
    exact: bool,
    others: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RowTold {
    window_start: String,
    window_end: String,
    state: String,
    key: String,
    count: u64,
    low: u64,
    high: u64,
    before: u64,
    rank: Option<u64>,
    confidence: f64,
    certified: bool,
    keys: Option<u64>,
    total: u128,
}

impl Told {
    /// The rows of each interval, given what these are here.
    fn by_interval(&self, windows: &[Window]) -> Option<Vec<(&Interval, Vec<&RowTold>)>> {
        let same = self.intervals.len() == windows.len()
            && self.intervals.iter().zip(windows).all(|(interval, window)| interval.window() == Some(*window));
        same.then(|| self.rows_by_interval().collect())
    }

    /// The rows of each interval.
    fn rows_by_interval(&self) -> impl Iterator<Item = (&Interval, Vec<&RowTold>)> {
        let mut rows = self.rows.iter().peekable();
        let mut of_interval = move |interval: &Interval| {
            let mut found = Vec::new();
            while let Some(row) = rows
                .next_if(|row| (&row.window_start, &row.window_end) == (&interval.window_start, &interval.window_end))
            {
                found.push(row);
            }
            found
        };
        self.intervals.iter().map(move |interval| (interval, of_interval(interval)))
    }

    fn trust(&self, exact: bool) -> Trust {
        Trust { exact, missing: self.missing.clone(), damaged: self.damaged.clone() }
    }

    /// As answers about these intervals; `None` when it is about others.
    pub(super) fn answers(&self, windows: &[Window]) -> Option<Vec<Answer>> {
        let answer = |window: &Window, (interval, rows): (&Interval, Vec<&RowTold>)| Answer {
            window: *window,
            state: state(&interval.state),
            total: interval.total,
            rows: rows.into_iter().map(RowTold::ranked).collect(),
            others: interval.others.unwrap_or(u64::MAX),
            confidence: if self.missing.is_empty() { 1.0 } else { 0.0 },
            trust: self.trust(interval.exact),
            effort: Effort::default(),
        };
        Some(windows.iter().zip(self.by_interval(windows)?).map(|(window, rows)| answer(window, rows)).collect())
    }

    /// As what a running job knows, and what that tells; `None` when it says neither.
    pub(super) fn known(&self) -> Option<(Known, Knows)> {
        let ranking = |(interval, rows): (&Interval, Vec<&RowTold>)| {
            Some(Ranking {
                window: interval.window()?,
                state: state(&interval.state),
                total: interval.total,
                confidence: rows.first().map_or(1.0, |row| row.confidence),
                rows: rows.into_iter().map(RowTold::ranked).collect(),
            })
        };
        let rankings = self.rows_by_interval().map(ranking).collect::<Option<Vec<_>>>()?;
        Some((Known::of(rankings, self.settled_ms, self.lost_ms), self.knows?))
    }

    /// As what changed most between two intervals; `None` when it is about others.
    pub(super) fn movers(&self, window: Window, before: Window) -> Option<Movers> {
        let (interval, rows) = self.by_interval(&[window])?.pop()?;
        let mover = |row: &RowTold| Mover {
            key: key_bytes(&row.key),
            now: row.estimate(),
            before: Estimate::exact(row.before),
        };
        Some(Movers {
            window,
            before,
            state: state(&interval.state),
            total: interval.total,
            rows: rows.into_iter().map(mover).collect(),
            trust: self.trust(interval.exact),
            effort: Effort::default(),
        })
    }

    /// As the counts of one key; `None` when it is about other intervals.
    pub(super) fn followed(&self, windows: &[Window]) -> Option<Vec<Followed>> {
        let followed = |window: &Window, (interval, rows): (&Interval, Vec<&RowTold>)| Followed {
            window: *window,
            state: state(&interval.state),
            count: rows.first().map_or(Estimate::exact(0), |row| row.estimate()),
            rank: rows.first().and_then(|row| row.rank),
            total: interval.total,
            trust: self.trust(interval.exact),
            effort: Effort::default(),
        };
        Some(windows.iter().zip(self.by_interval(windows)?).map(|(window, rows)| followed(window, rows)).collect())
    }

    /// As windows that there are.
    pub(super) fn windows(&self) -> impl Iterator<Item = Kept> + '_ {
        self.rows.iter().filter_map(|row| {
            let window = window(&row.window_start, &row.window_end)?;
            Some(Kept { window, state: state(&row.state), keys: row.keys, total: row.total })
        })
    }

    /// From the first to the last moment of all windows.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let window = window(self.known_from.as_deref()?, self.known_until.as_deref()?)?;
        Some((window.start, window.end))
    }
}

impl Interval {
    fn window(&self) -> Option<Window> {
        window(&self.window_start, &self.window_end)
    }
}

impl RowTold {
    fn ranked(&self) -> Row {
        Row { key: key_bytes(&self.key), estimate: self.estimate(), certified: self.certified }
    }

    fn estimate(&self) -> Estimate {
        Estimate { count: self.count, low: self.low, high: self.high }
    }
}

fn window(start: &str, end: &str) -> Option<Window> {
    Some(Window { start: moment(start, 0).ok()?, end: moment(end, 0).ok()? })
}

fn state(name: &str) -> State {
    [State::Early, State::Final, State::Revised].into_iter().find(|state| state.name() == name).unwrap_or(State::Early)
}
