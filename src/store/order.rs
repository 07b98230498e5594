//! Putting the entries of a window in the order of their ids.

use hitters_dataflows::count::CountOverflow;
use hitters_dataflows::pages::filled;

/// Fewer entries than this are compared.
const FEW: usize = 1 << 10;
/// The most bits that entries are dealt out by at a time.
const MOST_BITS: u32 = 11;

/// Sorts by id: entries are dealt out by the lowest bits of their ids, then by the next ones. O(entries), in as much memory
/// again.
pub(super) fn sort_by_id(entries: &mut Vec<(u32, u64)>) {
    let highest = entries.iter().map(|(id, _)| *id).max().unwrap_or(0);
    let bits = u32::BITS - highest.leading_zeros();
    if entries.len() < FEW {
        entries.sort_unstable_by_key(|(id, _)| *id);
        return;
    }
    let rounds = bits.div_ceil(MOST_BITS).max(1);
    let width = bits.div_ceil(rounds);
    let mut other = filled((0, 0), entries.len());
    for round in 0..rounds {
        let pile = |id: u32| (id >> (round * width)) as usize & ((1 << width) - 1);
        let mut starts = vec![0u32; 1 << width];
        entries.iter().for_each(|(id, _)| starts[pile(*id)] += 1);
        let mut next = 0;
        for start in &mut starts {
            (*start, next) = (next, next + *start);
        }
        for &(id, count) in entries.iter() {
            let at = &mut starts[pile(id)];
            other[*at as usize] = (id, count);
            *at += 1;
        }
        std::mem::swap(entries, &mut other);
    }
}

/// Adds up the counts of equal neighbours.
///
/// # Errors
/// The overflow of a sum that does not fit, with the key that `key` gives for its id.
pub(super) fn merge_equal(entries: &mut Vec<(u32, u64)>, key: impl Fn(u32) -> Vec<u8>) -> Result<(), CountOverflow> {
    let mut overflow = None;
    entries.dedup_by(|next, kept| {
        if next.0 == kept.0 {
            match kept.1.checked_add(next.1) {
                Some(sum) => kept.1 = sum,
                None => overflow = Some(kept.0),
            }
        }
        next.0 == kept.0
    });
    overflow.map_or(Ok(()), |id| Err(CountOverflow { key: key(id) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_ascend_and_equal_ones_are_added_up(
            ids in prop::collection::vec(any::<u32>(), 0..3000),
            shift in 0u32..32,
        ) {
            let mut entries: Vec<(u32, u64)> = ids.iter().map(|id| id >> shift).zip(1..).collect();
            let mut sums = std::collections::BTreeMap::<u32, u64>::new();
            entries.iter().for_each(|(id, count)| *sums.entry(*id).or_default() += count);
            sort_by_id(&mut entries);
            prop_assert!(merge_equal(&mut entries, |_| Vec::new()).is_ok());
            prop_assert_eq!(entries, sums.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_sum_beyond_u64_is_an_error() {
        let mut entries = vec![(1, u64::MAX), (1, 1)];
        assert_eq!(merge_equal(&mut entries, |_| b"big".to_vec()), Err(CountOverflow { key: b"big".to_vec() }));
    }
}
