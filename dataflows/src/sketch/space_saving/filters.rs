//! Upper bounds for the keys without a counter.

use crate::prefetch::prefetch;

/// Cells of a bucket while they are narrow, of 32 bits. Wide ones are half as many.
const CELLS: usize = 64;

/// The cells of one bucket: a word each, or two when they are wide, the lower first.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Filter([u32; CELLS]);

/// The cells of all buckets. A key has two of its bucket's; without a counter, its weight is at most the lower of them.
///
/// An update raises both to no more than the key's own bound (conservative update: Estan and Varghese, "New Directions
/// in Traffic Measurement and Accounting", SIGCOMM 2002), so two keys must share both cells to widen each other's bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters {
    /// One a bucket; none while the sketch is exact, which is as if all cells were 0.
    filters: Vec<Filter>,
    wide: bool,
}

/// The narrow cells of a key. They differ by two or more bits' worth, so that they are two when wide as well.
#[inline(always)]
fn cells_of(tag: u64) -> [usize; 2] {
    let first = (tag >> 58) as usize;
    let apart = 2 + (((tag >> 42 & 0xFFFF) * (CELLS as u64 - 2)) >> 16) as usize;
    [first, first ^ apart]
}

impl Filter {
    #[inline(always)]
    fn get(&self, cell: usize, wide: bool) -> u64 {
        if wide { u64::from(self.0[cell | 1]) << 32 | u64::from(self.0[cell & !1]) } else { self.0[cell].into() }
    }

    #[inline(always)]
    fn set(&mut self, cell: usize, wide: bool, bound: u64) {
        if wide {
            (self.0[cell & !1], self.0[cell | 1]) = (bound as u32, (bound >> 32) as u32);
        } else {
            self.0[cell] = bound as u32;
        }
    }

    /// A wide cell is the higher of two: it bounds the keys of both.
    fn widen(&mut self) {
        for cell in (0..CELLS).step_by(2) {
            self.set(cell, true, self.0[cell].max(self.0[cell + 1]).into());
        }
    }

    fn cells(&self, wide: bool) -> impl Iterator<Item = u64> {
        (0..CELLS).step_by(1 + usize::from(wide)).map(move |cell| self.get(cell, wide))
    }
}

impl Filters {
    /// Cells that say 0, for so many buckets.
    pub(super) fn new(buckets: usize, wide: bool) -> Self {
        Filters { filters: vec![Filter([0; CELLS]); buckets], wide }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub(super) fn is_wide(&self) -> bool {
        self.wide
    }

    pub(super) fn memory(&self) -> usize {
        self.filters.capacity() * size_of::<Filter>()
    }

    /// Asks for the cells of a key.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: usize, tag: u64) {
        if let Some(filter) = self.filters.get(at) {
            let [one, other] = cells_of(tag);
            prefetch(&filter.0[one]);
            prefetch(&filter.0[other]);
        }
    }

    /// The bound of the keys that share both cells of `tag`, in bucket `at`.
    #[inline(always)]
    pub(super) fn bound(&self, at: usize, tag: u64) -> u64 {
        let Some(filter) = self.filters.get(at) else { return 0 };
        let [one, other] = cells_of(tag);
        filter.get(one, self.wide).min(filter.get(other, self.wide))
    }

    /// Makes the bound of `tag`'s keys at least `bound`. The cells of bucket `at` must be there.
    #[inline(always)]
    pub(super) fn raise(&mut self, at: usize, tag: u64, bound: u64) {
        if bound > u32::MAX.into() {
            self.widen();
        }
        let (filter, wide) = (&mut self.filters[at], self.wide);
        for cell in cells_of(tag) {
            filter.set(cell, wide, filter.get(cell, wide).max(bound));
        }
    }

    fn widen(&mut self) {
        if !std::mem::replace(&mut self.wide, true) {
            self.filters.iter_mut().for_each(Filter::widen);
        }
    }

    /// Cell by cell, for `buckets` buckets: the bounds of keys that neither side has a counter for.
    pub(super) fn sum(a: &Filters, b: &Filters, buckets: usize) -> Filters {
        let (mut a, mut b) = (a.clone(), b.clone());
        let outgrows = |a: &Filters, b: &Filters| a.most_cell() + b.most_cell() > u32::MAX.into();
        if a.wide || b.wide || outgrows(&a, &b) {
            a.widen();
            b.widen();
        }
        let mut sum = Filters::new(buckets, a.wide);
        for side in [&a, &b].into_iter().filter(|side| !side.is_empty()) {
            for (sum, filter) in sum.filters.iter_mut().zip(&side.filters) {
                for cell in (0..CELLS).step_by(1 + usize::from(a.wide)) {
                    sum.set(cell, a.wide, sum.get(cell, a.wide).saturating_add(filter.get(cell, a.wide)));
                }
            }
        }
        sum
    }

    fn most_cell(&self) -> u64 {
        self.filters.iter().flat_map(|filter| filter.cells(self.wide)).max().unwrap_or(0)
    }

    /// What no key without a counter has more than. As each has two cells, that is the second highest of a bucket.
    pub(super) fn most(&self) -> u64 {
        let second = |filter: &Filter| {
            let highest = |(first, second): (u64, u64), cell: u64| (first.max(cell), second.max(cell.min(first)));
            filter.cells(self.wide).fold((0, 0), highest).1
        };
        self.filters.iter().map(second).max().unwrap_or(0)
    }

    /// The cells of bucket `at`, in order.
    pub(super) fn cells(&self, at: usize) -> impl Iterator<Item = u64> {
        self.filters.get(at).into_iter().flat_map(|filter| filter.cells(self.wide))
    }

    /// The least bytes of a bucket's cells, when a cell takes one.
    pub(super) fn number(wide: bool) -> usize {
        if wide { CELLS / 2 } else { CELLS }
    }

    /// Sets the `number`-th cell of bucket `at`; false when it does not fit.
    pub(super) fn set(&mut self, at: usize, number: usize, bound: u64) -> bool {
        let cell = if self.wide { 2 * number } else { number };
        self.filters[at].set(cell, self.wide, bound);
        self.wide || bound <= u32::MAX.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::mix::mix;

    #[test]
    fn cells_that_grow_wide_bound_all_that_they_did() {
        let mut filters = Filters::new(2, false);
        (0..200).for_each(|key| filters.raise(1, mix(key), 1000 + key));
        let before: Vec<u64> = (0..200).map(|key| filters.bound(1, mix(key))).collect();
        assert!(!filters.is_wide() && (0..200).all(|key| before[key as usize] >= 1000 + key));
        filters.raise(1, mix(7), 1 << 40);
        assert!(filters.is_wide() && filters.bound(1, mix(7)) == 1 << 40);
        assert!((0..200).all(|key| filters.bound(1, mix(key)) >= before[key as usize]));
        assert_eq!((filters.bound(0, mix(7)), filters.most()), (0, 1 << 40));
        let sum = Filters::sum(&filters, &Filters::default(), 2);
        assert!((0..200).all(|key| sum.bound(1, mix(key)) == filters.bound(1, mix(key))));
        let sum = Filters::sum(&sum, &filters, 2);
        assert!((0..200).all(|key| sum.bound(1, mix(key)) == 2 * filters.bound(1, mix(key))));
    }

    #[test]
    fn a_key_has_two_cells_narrow_or_wide() {
        for tag in (0..100_000).map(mix) {
            let [one, other] = cells_of(tag);
            assert!(one < CELLS && other < CELLS && one / 2 != other / 2, "{one} {other}");
        }
    }
}
