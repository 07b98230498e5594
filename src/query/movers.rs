//! What changed most against the interval before.

use std::time::Instant;

use hitters_dataflows::ranking::{Estimate, State, Window};

use super::answer::{Effort, Query, QueryError, Trust, check, facts, segments};
use super::collect::{Candidate, Top};
use super::scan::scan;
use super::sources::attempt;
use crate::store::reader::Store;

/// A key whose count changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mover {
    /// Its bytes.
    pub key: Vec<u8>,
    /// Its count in the interval.
    pub now: Estimate,
    /// Its count in the interval before.
    pub before: Estimate,
}

impl Mover {
    /// How much more often it comes now; negative when less often.
    pub fn change(&self) -> i128 {
        i128::from(self.now.count) - i128::from(self.before.count)
    }
}

/// The keys whose counts changed most.
#[derive(Clone, Debug, PartialEq)]
pub struct Movers {
    /// The interval.
    pub window: Window,
    /// The interval before, of the same length.
    pub before: Window,
    /// `Revised` when late events are counted in, else `Final`.
    pub state: State,
    /// The total weight of all keys of the interval.
    pub total: u128,
    /// The greatest change first; ties by key bytes.
    pub rows: Vec<Mover>,
    /// How far they can be trusted.
    pub trust: Trust,
    /// What it took.
    pub effort: Effort,
}

/// The k keys whose counts changed most, up or down, from the interval of the same length before. Exact as
/// [`answer`](super::answer()) is.
///
/// # Errors
/// [`QueryError`] when the interval is reversed or the store cannot be read.
pub fn movers(store: &Store, query: &Query) -> Result<Movers, QueryError> {
    let began = Instant::now();
    check(query.from, query.to)?;
    let before = query.from.saturating_sub(query.to.saturating_sub(query.from));
    let tried = attempt(store, &[(query.from, query.to), (before, query.from)], |catalog, sources| {
        let wanted = query.keep.ids(store, catalog)?;
        let mut top = Top::new(query.k, |[now, before]: [u64; 2]| now.abs_diff(before));
        let work = scan(sources, catalog.keys(), wanted.as_ref(), &mut top)?;
        Ok((top.ranked(store, catalog)?, work, facts(&sources[0]), facts(&sources[1])))
    })?;
    let (ranked, work, now, then) = &tried.result;
    let mover = |(key, candidate): &(Vec<u8>, Candidate<2>)| {
        let [now, before] = candidate.totals;
        Mover { key: key.clone(), now, before }
    };
    Ok(Movers {
        window: Window { start: query.from, end: query.to },
        before: Window { start: before, end: query.from },
        state: now.state.max(then.state),
        total: now.total,
        rows: ranked.rows.iter().map(mover).collect(),
        trust: Trust::of(&tried, ranked.known, now.bounded || then.bounded),
        effort: Effort { work: *work, segments: segments(&tried.plans), elapsed: began.elapsed() },
    })
}
