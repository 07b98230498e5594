//! Rollups: the counts of a coarser window, as the sum of those of the finer windows that fill it.

use std::collections::BTreeSet;

use super::catalog::Catalog;
use super::error::StoreError;
use super::segment::Segment;
use super::segment::block::Entries;

/// Ids that are summed up at a time.
const STRETCH: u32 = 1 << 16;

/// Ids, ascending, and their summed counts over `parts`; all ids are below `keys`. The id of a sum that passes 2^64 - 1
/// comes as an error. Memory: the result and half a MiB.
pub(super) fn sum(parts: &[Segment], keys: u32) -> Result<Result<Vec<(u32, u64)>, u32>, StoreError> {
    let mut sums = vec![0u64; STRETCH.min(keys) as usize];
    let most = parts.iter().map(|part| part.keys() as usize).sum::<usize>().min(keys as usize);
    let (mut entries, mut open, mut overflow) = (Vec::with_capacity(most), Entries::default(), None);
    for base in (0..keys).step_by(STRETCH as usize) {
        let end = base.saturating_add(STRETCH).min(keys);
        for part in parts {
            part.for_each_in(base..end, &mut open, |id, count| {
                let sum = &mut sums[(id - base) as usize];
                match sum.checked_add(count) {
                    Some(more) => *sum = more,
                    None => overflow = Some(id),
                }
            })?;
        }
        for (sum, id) in sums.iter_mut().zip(base..end) {
            if *sum > 0 {
                entries.push((id, *sum));
                *sum = 0;
            }
        }
    }
    Ok(overflow.map_or(Ok(entries), Err))
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
