//! Going through ids stripe by stripe, those with the highest possible totals first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::keep::Ids;
use super::sources::{Source, Sources, Unusable, share_of};
use crate::store::error::StoreError;
use crate::store::segment::Opened;
use crate::store::segment::block::{BLOCK, Entries};

/// The narrowest and the widest stripes, as powers of two.
const NARROWEST: u32 = 8;
const WIDEST: u32 = 15;
/// About how many blocks of the segment with the most keys make a stripe: fewer, and blocks are opened again and again for
/// the stripes that they reach into; more, and much is opened for one frequent key.
const BLOCKS: usize = 2;
/// After so many stripes it is looked at whether the rest is better swept.
const FEW: usize = 64;
/// It is when more than this part of all stripes (as a divisor) is left.
const MANY: usize = 16;
/// Stripes of a sweep, as a power of two.
const SWEPT: u32 = 14;

/// The totals of successive ids in one interval.
#[derive(Clone, Copy)]
pub struct Totals<'a> {
    /// The best single answers.
    pub count: &'a [u64],
    /// The true totals are not below these.
    pub low: &'a [u64],
    /// Nor above these.
    pub high: &'a [u64],
}

/// Takes totals, and says which are of no more use.
pub trait Collect {
    /// Totals below this change nothing any more. It only rises.
    fn threshold(&self) -> u64;

    /// Takes the totals of the ids from `first` on, in each interval.
    fn take(&mut self, first: u32, totals: &[Totals<'_>]);
}

/// What a scan went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Segments of the plan.
    pub segments: usize,
    /// Stripes that there are.
    pub stripes: usize,
    /// Stripes that were gone through.
    pub opened_stripes: usize,
    /// Entries opened.
    pub entries: usize,
    /// Bytes of blocks opened.
    pub bytes: usize,
}

impl Work {
    fn add(&mut self, opened: Opened) {
        self.entries += opened.entries;
        self.bytes += opened.bytes;
    }
}

/// Gives `collector` the totals of all ids below `keys` that are above its threshold, with some others, until none can be
/// left. Only ids in `wanted` count, when it is given. Memory: 8 bytes a stripe and interval.
///
/// # Errors
/// [`Unusable`] when a segment cannot be read, or sums may pass 2^64 - 1.
pub fn scan(
    intervals: &[Sources],
    keys: u32,
    wanted: Option<&Ids>,
    collector: &mut impl Collect,
) -> Result<Work, Unusable> {
    let shift = shift(intervals, keys);
    let width = 1 << shift;
    let stripes = (keys as usize).div_ceil(width);
    let work = Work { segments: intervals.iter().map(Sources::count).sum(), stripes, ..Work::default() };
    let mut highest = vec![0u64; stripes];
    for sources in intervals {
        let ceilings = ceilings(sources, shift, stripes)?;
        highest.iter_mut().zip(ceilings).for_each(|(highest, ceiling)| *highest = ceiling.max(*highest));
    }
    let mut scan = Scan { intervals, keys, wanted, sums: sums(intervals, width), open: Entries::default(), work };
    let left = highest.iter().zip(0u32..).filter(|(height, _)| **height > 0).map(|(&height, at)| (height, Reverse(at)));
    let mut left: BinaryHeap<(u64, Reverse<u32>)> = left.collect();
    let mut check = FEW;
    while let Some((height, Reverse(stripe))) = left.pop() {
        if height < collector.threshold() {
            break;
        }
        scan.stripe(shift, stripe, |_| (), collector)?;
        highest[stripe as usize] = 0;
        check -= 1;
        if check == 0 {
            let threshold = collector.threshold();
            if left.iter().filter(|(height, _)| *height >= threshold).count() > highest.len() / MANY {
                scan.sweep(shift, &highest, collector)?;
                break;
            }
            check = FEW.max(highest.len() / MANY);
        }
    }
    Ok(scan.work)
}

/// A scan under way.
struct Scan<'a> {
    intervals: &'a [Sources],
    keys: u32,
    wanted: Option<&'a Ids>,
    sums: Vec<Sums>,
    open: Entries,
    work: Work,
}

impl Scan<'_> {
    /// Takes the totals of one stripe, once `change` has seen those of each interval.
    fn stripe(
        &mut self,
        shift: u32,
        stripe: u32,
        change: impl Fn(&mut Sums),
        collector: &mut impl Collect,
    ) -> Result<(), Unusable> {
        let first = stripe << shift;
        let ids = first..first.saturating_add(1 << shift).min(self.keys);
        if self.wanted.is_some_and(|wanted| !wanted.any_in(ids.clone())) {
            return Ok(());
        }
        self.work.opened_stripes += 1;
        for (sources, sums) in self.intervals.iter().zip(&mut self.sums) {
            sums.fill(sources, ids.clone(), &mut self.open, &mut self.work)?;
            if let Some(wanted) = self.wanted {
                ids.clone()
                    .zip(0..)
                    .filter(|(id, _)| !wanted.contains(*id))
                    .for_each(|(_, at)| sums.forget(at..at + 1));
            }
            change(sums);
        }
        let totals: Vec<Totals<'_>> = self.sums.iter().map(|sums| sums.totals(ids.len())).collect();
        collector.take(first, &totals);
        Ok(())
    }

    /// Goes through what is left in the order of ids, in wide stripes, so that hardly a block is opened twice: for flat
    /// counts, where nearly all must be seen. `highest` has the ceilings of stripes of `narrow`, 0 for those that were
    /// taken.
    fn sweep(&mut self, narrow: u32, highest: &[u64], collector: &mut impl Collect) -> Result<(), Unusable> {
        let wide = narrow.max(SWEPT);
        self.sums = sums(self.intervals, 1 << wide);
        for (stripe, within) in (0..).zip(highest.chunks(1 << (wide - narrow))) {
            if within.iter().all(|&height| height < collector.threshold()) {
                continue;
            }
            let forget_taken = |sums: &mut Sums| {
                let taken = within.iter().enumerate().filter(|(_, height)| **height == 0);
                taken.for_each(|(at, _)| sums.forget(at << narrow..(at + 1) << narrow));
            };
            self.stripe(wide, stripe, forget_taken, collector)?;
        }
        Ok(())
    }
}

fn sums(intervals: &[Sources], width: usize) -> Vec<Sums> {
    intervals.iter().map(|sources| Sums::new(width, !sources.cuts.is_empty())).collect()
}

/// How wide stripes are best, as a power of two.
fn shift(intervals: &[Sources], keys: u32) -> u32 {
    let most = intervals.iter().flat_map(Sources::all).map(|source| source.segment.keys()).max().unwrap_or(0);
    let blocks = (most as usize).div_ceil(BLOCK).max(1);
    let width = (keys as usize * BLOCKS / blocks).max(1);
    width.ilog2().clamp(NARROWEST, WIDEST)
}

/// For each stripe a number that no total in it is above.
fn ceilings(sources: &Sources, shift: u32, stripes: usize) -> Result<Vec<u64>, Unusable> {
    let mut ceilings = vec![0; stripes];
    let may_hold = sources.plus.iter().chain(sources.cuts.iter().map(|(source, _, _)| source));
    let Some(last) = may_hold.clone().last() else { return Ok(ceilings) };
    may_hold.for_each(|source| source.segment.add_ceilings(shift, &mut ceilings));
    if ceilings.contains(&u64::MAX) {
        return Err(last.unusable()(StoreError::Sums));
    }
    Ok(ceilings)
}

/// The totals of a stripe in one interval.
struct Sums {
    low: Vec<u64>,
    /// With the cuts, were there any.
    count: Vec<u64>,
    high: Vec<u64>,
    cut: bool,
}

impl Sums {
    fn new(width: usize, cut: bool) -> Self {
        let also = if cut { width } else { 0 };
        Sums { low: vec![0; width], count: vec![0; also], high: vec![0; also], cut }
    }

    fn fill(
        &mut self,
        sources: &Sources,
        ids: Range<u32>,
        open: &mut Entries,
        work: &mut Work,
    ) -> Result<(), Unusable> {
        let (first, mask) = (ids.start, self.low.len() - 1);
        let low = self.low.as_mut_slice();
        low.fill(0);
        // Sums wrap: taking away comes after adding, and what is left never is below 0 or above 2^64 - 1.
        for_each(&sources.plus, &ids, open, work, |id, count| {
            let sum = &mut low[(id - first) as usize & mask];
            *sum = sum.wrapping_add(count);
        })?;
        for_each(&sources.minus, &ids, open, work, |id, count| {
            let sum = &mut low[(id - first) as usize & mask];
            *sum = sum.wrapping_sub(count);
        })?;
        if !self.cut {
            return Ok(());
        }
        self.count.copy_from_slice(low);
        self.high.copy_from_slice(low);
        for (source, wanted, length) in &sources.cuts {
            let read = source.segment.for_each_in(ids.clone(), open, |id, count| {
                let at = (id - first) as usize & mask;
                self.count[at] = self.count[at].wrapping_add(share_of(count.into(), *wanted, *length) as u64);
                self.high[at] = self.high[at].wrapping_add(count);
            });
            work.add(read.map_err(source.unusable())?);
        }
        Ok(())
    }

    /// Forgets the totals at some places.
    fn forget(&mut self, places: Range<usize>) {
        self.low[places.clone()].fill(0);
        if self.cut {
            self.count[places.clone()].fill(0);
            self.high[places].fill(0);
        }
    }

    fn totals(&self, ids: usize) -> Totals<'_> {
        let low = &self.low[..ids];
        if self.cut {
            Totals { count: &self.count[..ids], low, high: &self.high[..ids] }
        } else {
            Totals { count: low, low, high: low }
        }
    }
}

#[inline]
fn for_each(
    sources: &[Source],
    ids: &Range<u32>,
    open: &mut Entries,
    work: &mut Work,
    mut each: impl FnMut(u32, u64),
) -> Result<(), Unusable> {
    for source in sources {
        let read = source.segment.for_each_in(ids.clone(), open, &mut each);
        work.add(read.map_err(source.unusable())?);
    }
    Ok(())
}
