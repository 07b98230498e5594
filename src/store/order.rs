//! Putting entries in order.

use hitters_dataflows::count::CountOverflow;
use hitters_dataflows::pages::filled;

/// Fewer items than this are compared.
const FEW: usize = 1 << 10;
/// The most bits that items are dealt out by at a time.
const MOST_BITS: u32 = 11;

/// Sorts by id, as [`sort_by_bits`] does.
pub(super) fn sort_by_id(entries: &mut Vec<(u32, u64)>) {
    let highest = entries.iter().map(|(id, _)| *id).max().unwrap_or(0);
    sort_by_bits(entries, u32::BITS - highest.leading_zeros(), |(id, _)| *id);
}

/// Sorts by a number below 2^bits; what has equal numbers keeps its order. Items are dealt out by the lowest bits of their
/// numbers, then by the next ones. O(items), in as much memory again.
pub(super) fn sort_by_bits<T: Copy + Default>(items: &mut Vec<T>, bits: u32, number: impl Fn(&T) -> u32) {
    if items.len() < FEW {
        items.sort_by_key(number);
        return;
    }
    let rounds = bits.div_ceil(MOST_BITS).max(1);
    let width = bits.div_ceil(rounds);
    let mut other = filled(T::default(), items.len());
    for round in 0..rounds {
        let pile = |item: &T| (number(item) >> (round * width)) as usize & ((1 << width) - 1);
        let mut starts = vec![0u32; 1 << width];
        items.iter().for_each(|item| starts[pile(item)] += 1);
        let mut next = 0;
        for start in &mut starts {
            (*start, next) = (next, next + *start);
        }
        for item in items.iter() {
            let at = &mut starts[pile(item)];
            other[*at as usize] = *item;
            *at += 1;
        }
        std::mem::swap(items, &mut other);
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
