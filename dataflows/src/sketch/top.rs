//! The best of a sketch's tracked keys, and which of them no key outside can displace.

use std::cmp::Reverse;

use super::Sketch;
use crate::ranking::{Estimate, Row};

/// Upper bounds in the order in which they could outrank others.
struct Rivals<'a> {
    /// Highest first, then by key.
    tracked: Vec<(Reverse<u64>, &'a [u8])>,
    untracked: u64,
}

/// See [`Sketch::top`].
///
/// A key is certified when fewer than `k` others can be above it: as much as the bounds hold, it is among the true `k`
/// best.
pub(super) fn top(sketch: &impl Sketch, k: usize) -> Vec<Row> {
    let mut best = Vec::new();
    sketch.each_tracked(|key, bounds| best.push((key, bounds)));
    let rivals = Rivals::new(&best, sketch.most_untracked());
    let best_first =
        |a: &(&[u8], Estimate), b: &(&[u8], Estimate)| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0));
    if k < best.len() {
        best.select_nth_unstable_by(k, best_first);
        best.truncate(k);
    }
    best.sort_unstable_by(best_first);
    let row = |(key, estimate): &(&[u8], Estimate)| Row {
        key: key.to_vec(),
        estimate: *estimate,
        certified: rivals.of(key, *estimate).is_some_and(|rivals| rivals < k),
    };
    best.iter().map(row).collect()
}

impl<'a> Rivals<'a> {
    fn new(keys: &[(&'a [u8], Estimate)], untracked: u64) -> Self {
        let mut tracked: Vec<_> = keys.iter().map(|(key, bounds)| (Reverse(bounds.high), *key)).collect();
        tracked.sort_unstable();
        Rivals { tracked, untracked }
    }

    /// How many other keys can be ranked above this one; `None` when any number of untracked ones can. Those may have been
    /// seen with weight 0.
    fn of(&self, key: &[u8], bounds: Estimate) -> Option<usize> {
        if self.untracked >= bounds.low {
            return None;
        }
        let above = self.tracked.partition_point(|rival| *rival < (Reverse(bounds.low), key));
        Some(above - usize::from(bounds.high > bounds.low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<(&'static [u8], Estimate)> {
        let bounds = |low, high| Estimate { count: high, low, high };
        vec![
            (b"a", bounds(90, 95)),
            (b"b", bounds(50, 70)),
            (b"c", bounds(60, 60)),
            (b"d", bounds(60, 60)),
            (b"e", bounds(5, 9)),
        ]
    }

    fn rivals(untracked: u64) -> Vec<Option<usize>> {
        let keys = keys();
        let rivals = Rivals::new(&keys, untracked);
        keys.iter().map(|(key, bounds)| rivals.of(key, *bounds)).collect()
    }

    #[test]
    fn rivals_are_those_whose_upper_bound_is_above_the_lower() {
        assert_eq!(rivals(0), [Some(0), Some(3), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn untracked_keys_are_rivals_of_all_that_they_can_reach() {
        assert_eq!(rivals(55), [Some(0), None, Some(2), Some(3), None]);
        assert_eq!(rivals(60), [Some(0), None, None, None, None]);
    }
}
