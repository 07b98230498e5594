//! The count and rank of one key.

use std::collections::HashSet;
use std::time::Instant;

use hitters_dataflows::ranking::{Estimate, State, Window};

use super::answer::{Effort, QueryError, Trust, check, facts, segments};
use super::collect::Ahead;
use super::scan::scan;
use super::sources::{Sources, Unusable, attempt, share_of};
use crate::store::reader::Store;
use crate::store::segment::block::Entries;

/// One key in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// The interval.
    pub window: Window,
    /// `Revised` when late events are counted in, else `Final`.
    pub state: State,
    /// The key's count.
    pub count: Estimate,
    /// Its rank among all keys, from 1; `None` when it does not occur.
    pub rank: Option<u64>,
    /// The total weight of all keys of the interval.
    pub total: u128,
    /// How far this can be trusted.
    pub trust: Trust,
    /// What it took.
    pub effort: Effort,
}

/// A key's place in a store, looked up once for any number of intervals.
pub struct Follow<'a> {
    store: &'a Store,
    key: &'a [u8],
    id: Option<u32>,
}

impl<'a> Follow<'a> {
    /// Looks a key up: in some pages of the dictionary's lookup, or without one in all of it, O(keys).
    ///
    /// # Errors
    /// [`QueryError::Store`] when the store cannot be read.
    pub fn new(store: &'a Store, key: &'a [u8]) -> Result<Self, QueryError> {
        let id = store.keys().find(&*store.catalog()?, key)?;
        Ok(Follow { store, key, id })
    }

    /// The key's count and rank in an interval. The rank takes a look at every key that may be ahead of it.
    ///
    /// # Errors
    /// [`QueryError`] when the interval is reversed or the store cannot be read.
    pub fn during(&self, from: i64, to: i64) -> Result<Followed, QueryError> {
        self.ranked_as(from, to, None)
    }

    /// As [`during`](Follow::during), with the rank that the key would have if its count were `as_if`: it is counted
    /// elsewhere.
    ///
    /// # Errors
    /// As for [`during`](Follow::during).
    pub fn ranked_as(&self, from: i64, to: i64, as_if: Option<u64>) -> Result<Followed, QueryError> {
        let began = Instant::now();
        check(from, to)?;
        let tried = attempt(self.store, &[(from, to)], |catalog, sources| {
            let count = self.id.map_or(Ok(Estimate::exact(0)), |id| count(&sources[0], id))?;
            let ranked = as_if.unwrap_or(count.count);
            let mut ahead = Ahead::of(ranked);
            let work = if ranked == 0 { Default::default() } else { scan(sources, catalog.keys(), None, &mut ahead)? };
            let (ahead, known) = ahead.count(self.store, catalog, self.key)?;
            Ok((count, (ranked > 0).then_some(ahead + 1), known, work, facts(&sources[0])))
        })?;
        let (count, rank, known, work, facts) = &tried.result;
        Ok(Followed {
            window: Window { start: from, end: to },
            state: facts.state,
            count: *count,
            rank: *rank,
            total: facts.total,
            trust: Trust::of(&tried, *known, facts.bounded),
            effort: Effort { work: *work, segments: segments(&tried.plans), elapsed: began.elapsed() },
        })
    }
}

/// The counts of some keys in an interval, as far as they occur. They are looked up as [`Follow::new`] does.
///
/// # Errors
/// [`QueryError`] when the interval is reversed or the store cannot be read.
pub(super) fn counts(
    store: &Store,
    wanted: &HashSet<&[u8]>,
    from: i64,
    to: i64,
) -> Result<Vec<(Vec<u8>, Estimate)>, QueryError> {
    check(from, to)?;
    let tried = attempt(store, &[(from, to)], |catalog, sources| {
        let found = store.keys().find_all(catalog, wanted)?.into_iter();
        found.map(|(key, id)| Ok((key.to_vec(), count(&sources[0], id)?))).collect::<Result<Vec<_>, Unusable>>()
    })?;
    Ok(tried.result)
}

/// The count of one id.
fn count(sources: &Sources, id: u32) -> Result<Estimate, Unusable> {
    let mut open = Entries::default();
    let mut low = 0u64;
    for source in &sources.plus {
        low = low.wrapping_add(source.segment.count(id, &mut open).map_err(source.unusable())?);
    }
    for source in &sources.minus {
        low = low.wrapping_sub(source.segment.count(id, &mut open).map_err(source.unusable())?);
    }
    let mut estimate = Estimate::exact(low);
    for (source, wanted, length) in &sources.cuts {
        let count = source.segment.count(id, &mut open).map_err(source.unusable())?;
        estimate.count = estimate.count.wrapping_add(share_of(count.into(), *wanted, *length) as u64);
        estimate.high = estimate.high.wrapping_add(count);
    }
    Ok(estimate)
}
