//! The k most frequent keys of an interval.

use std::time::{Duration, Instant};

use hitters_dataflows::ranking::{Ranking, Row, State, Window};

use super::collect::{Candidate, Top};
use super::keep::Keep;
use super::plan::Plan;
use super::scan::{Work, scan};
use super::sources::{Sources, Tried, attempt};
use crate::sink::time::Rfc3339;
use crate::store::error::StoreError;
use crate::store::reader::Store;

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The first millisecond of the interval.
    pub from: i64,
    /// The first one after it.
    pub to: i64,
    /// How many rows.
    pub k: usize,
    /// Which keys count.
    pub keep: Keep,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The interval.
    pub window: Window,
    /// `Revised` when late events are counted in, else `Final`.
    pub state: State,
    /// The total weight of all keys of the interval, also of those that were not asked for.
    pub total: u128,
    /// The rows by rank.
    pub rows: Vec<Row>,
    /// No key without a row counts more, as far as bounds hold.
    pub others: u64,
    /// The probability with which the bounds of a row hold: 1, but less where sketches without certain bounds had a part in
    /// it, and 0 when the answer is partial.
    pub confidence: f64,
    /// How far it can be trusted.
    pub trust: Trust,
    /// What it took.
    pub effort: Effort,
}

impl Answer {
    /// Nothing, of an interval in which nothing is known to be.
    pub(super) fn nothing(from: i64, to: i64) -> Self {
        Answer {
            window: Window { start: from, end: to },
            state: State::Final,
            total: 0,
            rows: Vec::new(),
            others: 0,
            confidence: 1.0,
            trust: Trust { exact: true, ..Trust::default() },
            effort: Effort::default(),
        }
    }

    /// Takes back what rows promise: others may be missing.
    pub fn doubt_all(&mut self) {
        self.confidence = 0.0;
        self.rows.iter_mut().for_each(|row| row.certified = false);
    }

    /// As a ranking, for any sink.
    pub fn into_ranking(self) -> Ranking {
        let Answer { window, state, total, rows, confidence, .. } = self;
        Ranking { window, state, total, rows, confidence }
    }
}

/// Whether an answer is exact, and what is known of it if not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// All rows and counts are those of the true answer.
    pub exact: bool,
    /// What is not known at all: with any, bounds do not hold either.
    pub missing: Vec<String>,
    /// Damaged segments that were found on the way. Where others could stand in, the answer is still exact.
    pub damaged: Vec<String>,
}

impl Trust {
    /// Whether a part of the interval could not be looked at.
    pub fn is_partial(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Notes what else is missing; whether anything is.
    pub fn lacks(&mut self, missing: &[String]) -> bool {
        self.missing.extend_from_slice(missing);
        self.exact &= missing.is_empty();
        !missing.is_empty()
    }

    /// Of what was tried, and whether all keys were known.
    pub(super) fn of<T>(tried: &Tried<T>, keys_known: bool, bounded: bool) -> Trust {
        let gaps = tried.plans.iter().flat_map(|plan| &plan.missing);
        let mut missing: Vec<String> =
            gaps.map(|gap| format!("nothing is kept of {} to {}", Rfc3339(gap.start), Rfc3339(gap.end))).collect();
        if !tried.catalog.damaged().is_empty() {
            missing.push(format!("{} records of the manifest are damaged", tried.catalog.damaged().len()));
        }
        if !keys_known {
            missing.push("keys of the answer are in a damaged part of the dictionary".into());
        }
        Trust { exact: missing.is_empty() && !bounded, missing, damaged: tried.damaged.clone() }
    }
}

/// What an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// What was gone through.
    pub work: Work,
    /// Segments added, taken away, and bounded by.
    pub segments: [usize; 3],
    /// How long it took.
    pub elapsed: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The interval ends before it starts.
    #[error("the interval starts at {} and ends before, at {}; exchange the two", Rfc3339(*.from), Rfc3339(*.to))]
    Reversed {
        /// Its start.
        from: i64,
        /// Its end.
        to: i64,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Only a store can answer.
    #[error("there is no store to compare intervals of; give --store DIR")]
    NoStore,
    /// Windows enter the store faster than it is read.
    #[error("the store changed each time it was read; ask again")]
    Restless,
}

/// Answers a question: exactly when the interval starts and ends with windows that are kept, else with certain bounds on
/// each count. Ranks by count, then by key bytes.
///
/// # Errors
/// [`QueryError`] when the interval is reversed or the store cannot be read. Damage is no error: see [`Trust`].
pub fn answer(store: &Store, query: &Query) -> Result<Answer, QueryError> {
    let began = Instant::now();
    check(query.from, query.to)?;
    let tried = attempt(store, &[(query.from, query.to)], |catalog, sources| {
        let wanted = query.keep.ids(store, catalog)?;
        let mut top = Top::new(query.k, |[count]| count);
        let work = scan(sources, catalog.keys(), wanted.as_ref(), &mut top)?;
        Ok((top.ranked(store, catalog)?, work, facts(&sources[0])))
    })?;
    let (ranked, work, facts) = &tried.result;
    let trust = Trust::of(&tried, ranked.known, facts.bounded);
    let row = |(key, candidate): &(Vec<u8>, Candidate<1>)| Row {
        key: key.clone(),
        estimate: candidate.totals[0],
        certified: trust.exact,
    };
    // Rows are those of the highest counts; where counts are bounded, a high bound may be without one.
    let others = match ranked.rows.last() {
        _ if ranked.rows.len() < query.k => 0,
        Some((_, last)) if !facts.bounded => last.totals[0].high,
        _ => u64::MAX,
    };
    Ok(Answer {
        window: Window { start: query.from, end: query.to },
        state: facts.state,
        total: facts.total,
        rows: ranked.rows.iter().map(row).collect(),
        others,
        confidence: if trust.is_partial() { 0.0 } else { 1.0 },
        trust,
        effort: Effort { work: *work, segments: segments(&tried.plans), elapsed: began.elapsed() },
    })
}

/// Refuses an interval that ends before it starts.
pub(super) fn check(from: i64, to: i64) -> Result<(), QueryError> {
    if from > to { Err(QueryError::Reversed { from, to }) } else { Ok(()) }
}

/// What the segments of an interval say of it as a whole.
pub(super) struct Facts {
    pub(super) state: State,
    pub(super) total: u128,
    /// Counts are only bounded: an edge is cut.
    pub(super) bounded: bool,
}

pub(super) fn facts(sources: &Sources) -> Facts {
    let revised = sources.all().any(|source| source.record.revised);
    Facts {
        state: State::closed(revised),
        total: sources.total(),
        bounded: sources.cuts.iter().any(|(source, _, _)| source.segment.keys() > 0),
    }
}

/// How many segments are added, taken away, and bounded by.
pub(super) fn segments(plans: &[Plan]) -> [usize; 3] {
    plans.iter().fold([0; 3], |[plus, minus, cuts], plan| {
        [plus + plan.plus.len(), minus + plan.minus.len(), cuts + plan.cuts.len()]
    })
}
