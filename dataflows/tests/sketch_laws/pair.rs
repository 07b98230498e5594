//! A sketch beside the exact counts of the same stream: the slow truth that judges it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use hitters_dataflows::ranking::Estimate;
use hitters_dataflows::sketch::Sketch;

use crate::streams::{hash, key};

/// Keys of a universe that are checked but never added.
pub const UNSEEN: u32 = 50;

/// A sketch beside the exact counts of the same stream.
#[derive(Clone)]
pub struct Pair<S> {
    pub sketch: S,
    pub truth: HashMap<u32, u64>,
    /// Bits of the hash that the sketch gets to see.
    pub hash_bits: u64,
}

impl<S: Sketch> Pair<S> {
    pub fn new(sketch: S) -> Self {
        Pair { sketch, truth: HashMap::new(), hash_bits: u64::MAX }
    }

    pub fn add(&mut self, id: u32, weight: u64) {
        let key = key(id);
        self.sketch.add(hash(&key) & self.hash_bits, &key, weight).unwrap();
        *self.truth.entry(id).or_default() += weight;
    }

    pub fn merge(&mut self, other: &Self) {
        self.sketch.merge(&other.sketch).unwrap();
        other.truth.iter().for_each(|(&id, &count)| *self.truth.entry(id).or_default() += count);
    }

    pub fn estimate(&self, id: u32) -> Estimate {
        let key = key(id);
        self.sketch.estimate(hash(&key) & self.hash_bits, &key)
    }

    pub fn count(&self, id: u32) -> u64 {
        self.truth.get(&id).copied().unwrap_or(0)
    }

    /// How many of the keys' bounds do not hold.
    pub fn missed(&self, keys: u32) -> usize {
        let misses = |id: &u32| {
            let (estimate, truth) = (self.estimate(*id), self.count(*id));
            assert!(estimate.low <= estimate.count && estimate.count <= estimate.high);
            truth < estimate.low || truth > estimate.high
        };
        (0..keys + UNSEEN).filter(misses).count()
    }

    /// Every key's bounds hold when they are certain, `top` agrees with them, the total is exact, and memory is within
    /// what was said. Returns how many keys were checked.
    pub fn check(&self, keys: u32) -> usize {
        if self.sketch.confidence() == 1.0 {
            assert_eq!(self.missed(keys), 0, "bounds of so many keys do not hold");
            self.check_certificates();
        }
        assert_eq!(self.sketch.total(), self.truth.values().map(|&count| u128::from(count)).sum());
        assert!(self.sketch.memory() <= self.sketch.most_memory());
        self.check_top();
        (keys + UNSEEN) as usize
    }

    fn check_top(&self) {
        let rows = |k| self.sketch.top(k).into_iter().map(|row| (row.key, row.estimate)).collect::<Vec<_>>();
        let all = rows(usize::MAX);
        let order = |i: usize| (Reverse(all[i].1.count), &all[i].0);
        assert!((1..all.len()).all(|i| order(i - 1) < order(i)), "rows are out of order or repeated");
        for (key, estimate) in &all {
            assert_eq!(*estimate, self.sketch.estimate(hash(key) & self.hash_bits, key));
        }
        for k in [0, 1, 7, all.len()] {
            assert_eq!(rows(k), all[..k.min(all.len())]);
        }
    }

    /// What is certified is among the best, and what is not tracked is below what is said of it.
    fn check_certificates(&self) {
        let mut best: Vec<(Reverse<u64>, Vec<u8>)> =
            self.truth.iter().map(|(&id, &count)| (Reverse(count), key(id))).collect();
        best.sort_unstable();
        for k in [1, 5, 40] {
            let place = |row: &Vec<u8>| best.iter().position(|(_, key)| key == row);
            let certified = self.sketch.top(k).into_iter().filter(|row| row.certified);
            certified.for_each(|row| assert!(place(&row.key).is_some_and(|at| at < k), "{k}: {:?}", row.estimate));
        }
        let tracked: HashSet<Vec<u8>> = self.sketch.top(usize::MAX).into_iter().map(|row| row.key).collect();
        let missed = best.iter().find(|(_, key)| !tracked.contains(key)).map_or(0, |(Reverse(count), _)| *count);
        assert!(missed <= self.sketch.most_untracked(), "{missed} was lost");
    }

    pub fn widest(&self, keys: u32) -> u64 {
        (0..keys).map(|id| self.estimate(id)).map(|estimate| estimate.high - estimate.low).max().unwrap()
    }
}
