//! What is kept of the totals that a scan gives.

use std::collections::BinaryHeap;

use hitters_dataflows::ranking::Estimate;

use super::scan::{Collect, Totals};
use crate::store::catalog::Catalog;
use crate::store::error::StoreError;
use crate::store::reader::Store;

/// An id, what it is ranked by, and its totals in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<const N: usize> {
    /// Higher is better.
    pub weight: u64,
    /// The id.
    pub id: u32,
    /// Its totals.
    pub totals: [Estimate; N],
}

/// The best keys with their totals, by rank.
#[derive(Clone, Debug)]
pub struct Ranked<const N: usize> {
    /// Those whose keys are known.
    pub rows: Vec<(Vec<u8>, Candidate<N>)>,
    /// Whether the keys of all are known.
    pub known: bool,
}

/// Keeps the k ids of the highest weight, and all that tie with the last: which of those are in is for their keys to say.
pub struct Top<const N: usize, W> {
    k: usize,
    weight: W,
    threshold: u64,
    held: Vec<Candidate<N>>,
    /// Sorted out when it holds so many.
    limit: usize,
}

impl<const N: usize, W: Fn([u64; N]) -> u64> Top<N, W> {
    /// Keeps the `k` best by a weight made of the totals of an id in each of `N` intervals. A weight must not be above the
    /// highest of its totals; ids of weight 0 are not kept.
    pub fn new(k: usize, weight: W) -> Self {
        Top { k, weight, threshold: if k == 0 { u64::MAX } else { 1 }, held: Vec::new(), limit: k.max(1) }
    }

    fn sort_out(&mut self) {
        if self.held.len() > self.k && self.k > 0 {
            let (_, last, _) = self.held.select_nth_unstable_by(self.k - 1, |a, b| b.weight.cmp(&a.weight));
            self.threshold = last.weight;
            let threshold = self.threshold;
            self.held.retain(|candidate| candidate.weight >= threshold);
        } else if self.held.len() == self.k {
            self.threshold = self.held.iter().map(|candidate| candidate.weight).min().unwrap_or(self.threshold);
        }
        self.limit = self.held.len() + self.held.len() / 2 + 64;
    }

    /// The k best, ties by key bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the dictionary cannot be read.
    pub fn ranked(mut self, store: &Store, catalog: &Catalog) -> Result<Ranked<N>, StoreError> {
        if self.k == 0 {
            return Ok(Ranked { rows: Vec::new(), known: true });
        }
        self.sort_out();
        self.held.sort_unstable_by_key(|candidate| candidate.id);
        let last = if self.held.len() > self.k { self.threshold } else { 0 };
        let ties = self.held.iter().filter(|candidate| candidate.weight == last).count();
        let (mut sure, mut known) = (Vec::new(), true);
        // The best of those that tie, the worst on top.
        let room = self.k - (self.held.len() - ties).min(self.k);
        let mut tied: BinaryHeap<(Vec<u8>, usize)> = BinaryHeap::new();
        let mut at = 0;
        store.keys().for_each(catalog, self.held.iter().map(|candidate| candidate.id), |_, key| {
            let candidate = &self.held[at];
            match key {
                None => known = false,
                Some(key) if candidate.weight > last => sure.push((key.to_vec(), *candidate)),
                Some(key) if tied.len() < room => tied.push((key.to_vec(), at)),
                Some(key) => {
                    if let Some(mut worst) = tied.peek_mut().filter(|worst| key < worst.0.as_slice()) {
                        *worst = (key.to_vec(), at);
                    }
                }
            }
            at += 1;
        })?;
        sure.extend(tied.into_iter().map(|(key, at)| (key, self.held[at])));
        sure.sort_unstable_by(|a, b| b.1.weight.cmp(&a.1.weight).then_with(|| a.0.cmp(&b.0)));
        Ok(Ranked { rows: sure, known })
    }
}

impl<const N: usize, W: Fn([u64; N]) -> u64> Collect for Top<N, W> {
    fn threshold(&self) -> u64 {
        self.threshold
    }

    fn take(&mut self, first: u32, totals: &[Totals<'_>]) {
        let Ok(totals) = <&[Totals<'_>; N]>::try_from(totals) else { return };
        for at in 0..totals[0].count.len() {
            let weight = (self.weight)(totals.map(|totals| totals.count[at]));
            if weight >= self.threshold {
                let totals = totals.map(|t| Estimate { count: t.count[at], low: t.low[at], high: t.high[at] });
                self.held.push(Candidate { weight, id: first + at as u32, totals });
            }
        }
        if self.held.len() >= self.limit {
            self.sort_out();
        }
    }
}

/// Counts the ids ahead of one with a given total.
pub struct Ahead {
    total: u64,
    ahead: u64,
    ties: Vec<u32>,
}

impl Ahead {
    /// For an id of this total.
    pub fn of(total: u64) -> Self {
        Ahead { total, ahead: 0, ties: Vec::new() }
    }

    /// How many keys rank before `key`, and whether the keys of all that tie with it are known.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the dictionary cannot be read.
    pub fn count(mut self, store: &Store, catalog: &Catalog, key: &[u8]) -> Result<(u64, bool), StoreError> {
        self.ties.sort_unstable();
        let (mut ahead, mut known) = (self.ahead, true);
        store.keys().for_each(catalog, self.ties.iter().copied(), |_, other| match other {
            Some(other) => ahead += u64::from(other < key),
            None => known = false,
        })?;
        Ok((ahead, known))
    }
}

impl Collect for Ahead {
    fn threshold(&self) -> u64 {
        self.total
    }

    fn take(&mut self, first: u32, totals: &[Totals<'_>]) {
        for (&count, id) in totals.iter().flat_map(|totals| totals.count).zip(first..) {
            self.ahead += u64::from(count > self.total);
            if count == self.total && count > 0 {
                self.ties.push(id);
            }
        }
    }
}
