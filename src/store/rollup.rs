//! Rollups: the counts of a coarser window, as the sum of those of the finer windows that fill it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::thread;

use hitters_dataflows::pages::with_large_pages;

use super::catalog::Catalog;
use super::error::StoreError;
use super::segment::Segment;
use super::segment::block::Entries;

/// Ids that are summed up at a time.
const STRETCH: u32 = 1 << 16;

/// Ids, ascending, and their summed counts over `parts`; all ids are below `keys`. The id of a sum that passes 2^64 - 1
/// comes as an error. Where there are many keys two threads share them. Memory: one and a half times the result, and 3 MiB.
///
/// # Panics
/// When the other thread did.
pub(super) fn sum(parts: &[Segment], keys: u32) -> Result<Result<Vec<(u32, u64)>, u32>, StoreError> {
    let most = parts.iter().map(|part| part.keys() as usize).sum::<usize>().min(keys as usize);
    let middle = if keys > STRETCH { middle(parts).min(keys) } else { keys };
    // Both threads fill what this one made room for, from what the last sum left: a new thread finds nothing left.
    let (sums, upper) = (with_large_pages(most), with_large_pages(most.min((keys - middle) as usize)));
    let (lower, upper) = thread::scope(|scope| {
        let sum_upper = move || sum_of(middle..keys, parts, upper);
        let other = (middle < keys).then(|| thread::Builder::new().spawn_scoped(scope, sum_upper).ok()).flatten();
        let lower = sum_of(0..middle, parts, sums);
        // Where there can be no more threads, this one does all.
        let all = || sum_of(middle..keys, parts, Vec::new());
        (lower, other.map_or_else(all, |other| other.join().expect("summing does not panic")))
    });
    let (lower, upper) = (lower?, upper?);
    Ok(lower.and_then(|mut sums| {
        sums.extend(upper?);
        Ok(sums)
    }))
}

/// The id that about half of the parts' entries come before.
fn middle(parts: &[Segment]) -> u32 {
    let sum: u64 = parts.iter().map(|part| u64::from(part.middle())).sum();
    (sum / parts.len().max(1) as u64) as u32
}

/// As [`sum`], for some ids, whose sums go to `sums`.
fn sum_of(
    ids: Range<u32>,
    parts: &[Segment],
    mut sums: Vec<(u32, u64)>,
) -> Result<Result<Vec<(u32, u64)>, u32>, StoreError> {
    let mut counts = vec![0u64; ids.len().min(STRETCH as usize)];
    let mut counted = vec![(0, 0); counts.len() + 1];
    let (mut entries, mut overflow) = (Entries::default(), None);
    for from in ids.clone().step_by(STRETCH as usize) {
        let until = from.saturating_add(STRETCH).min(ids.end);
        for part in parts {
            part.for_each_in(from..until, &mut entries, |id, count| {
                let sum = &mut counts[(id - from) as usize];
                match sum.checked_add(count) {
                    Some(more) => *sum = more,
                    None => overflow = Some(id),
                }
            })?;
        }
        let mut filled = 0;
        for (count, id) in counts.iter_mut().zip(from..until) {
            // Always written, and kept if there is a count: which ids have one cannot be foreseen.
            counted[filled] = (id, *count);
            filled += usize::from(*count > 0);
            *count = 0;
        }
        sums.extend_from_slice(&counted[..filled]);
    }
    Ok(overflow.map_or(Ok(sums), Err))
}

/// Coarser windows, as level and start, that have finer ones and no segment.
pub(super) fn stale(catalog: &Catalog) -> BTreeSet<(usize, i64)> {
    let levels = catalog.levels();
    let of = |level: usize| {
        let filled = catalog.all(level - 1).map(move |finer| (level, levels.start(level, finer.start)));
        filled.filter(move |(level, start)| catalog.window(*level, *start).is_none())
    };
    let mut stale: BTreeSet<_> = (1..levels.count()).flat_map(of).collect();
    // One that is to be built makes those above it incomplete too.
    for (level, start) in stale.clone() {
        stale.extend((level + 1..levels.count()).map(|coarser| (coarser, levels.start(coarser, start))));
    }
    stale
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEYS: u32 = 5 * STRETCH / 2;

    /// Every so many of the ids in a range, with counts.
    fn part(ids: Range<u32>, every: usize) -> Segment {
        Segment::of(&ids.step_by(every).map(|id| (id, u64::from(id % 9) + 1)).collect::<Vec<_>>())
    }

    #[test]
    fn two_threads_sum_all_counts() {
        for from in [0, 40_000, KEYS - 1] {
            let parts = [part(from..KEYS, 2), part(from / 2..KEYS, 3), part(0..KEYS / 3, 70_000), part(0..1, 1)];
            let mut expected = vec![0; KEYS as usize];
            for part in &parts {
                part.entries().unwrap().into_iter().for_each(|(id, count)| expected[id as usize] += count);
            }
            let expected: Vec<_> = (0..).zip(expected).filter(|(_, count)| *count > 0).collect();
            assert_eq!(sum(&parts, KEYS).unwrap(), Ok(expected), "from {from}");
        }
    }

    #[test]
    fn a_sum_beyond_u64_is_told_by_its_id() {
        for id in [0, 3, KEYS - 1] {
            let parts = [part(0..KEYS, 1), Segment::of(&[(id, u64::MAX)])];
            assert_eq!(sum(&parts, KEYS).unwrap(), Err(id));
        }
    }
}
