//! Which segments make up an interval.

use std::collections::HashSet;
use std::ops::Range;

use crate::store::catalog::Catalog;
use crate::store::manifest::SegmentRecord;

/// A window: its level and start.
pub type Place = (usize, i64);

/// Segments whose counts, added and taken away, are those of an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Segments to add.
    pub plus: Vec<SegmentRecord>,
    /// Segments to take away; what they hold is in one to add.
    pub minus: Vec<SegmentRecord>,
    /// Segments that hold what no other does, and more: they only bound it.
    pub cuts: Vec<Cut>,
    /// Parts of the interval of which nothing is known.
    pub missing: Vec<Range<i64>>,
}

/// A segment of whose window only a part is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub record: SegmentRecord,
    /// How much of the window is wanted, in milliseconds.
    pub wanted: i64,
    /// How long the window is, in milliseconds.
    pub length: i64,
}

/// A plan for the times from `from` up to, without, `to`. Segments in `bad` are not used: they are damaged. O(segments).
pub fn plan(catalog: &Catalog, bad: &HashSet<Place>, from: i64, to: i64) -> Plan {
    let planner = Planner { catalog, bad };
    let levels = catalog.levels();
    let first = if levels.start(0, from) == from { from } else { levels.end(0, levels.start(0, from)) };
    let last = levels.start(0, to);
    let mut cover = Cover::default();
    if first < last {
        cover = planner.cover(levels.count() - 1, first, last);
        cover.gaps.extend([from..first, last..to]);
    } else if first > last {
        // Both ends are within one window.
        cover.gaps.push(from..to);
    } else {
        cover.gaps.extend([from..first, last..to]);
    }
    let mut plan = Plan { plus: cover.plus, minus: cover.minus, ..Plan::default() };
    cover.gaps.into_iter().filter(|gap| gap.start < gap.end).for_each(|gap| planner.bound(gap, &mut plan));
    plan
}

/// What covers a range of whole windows.
#[derive(Default)]
struct Cover {
    plus: Vec<SegmentRecord>,
    minus: Vec<SegmentRecord>,
    gaps: Vec<Range<i64>>,
}

impl Cover {
    fn add(&mut self, other: Cover) {
        self.plus.extend(other.plus);
        self.minus.extend(other.minus);
        self.gaps.extend(other.gaps);
    }

    fn take_away(&mut self, other: Cover) {
        self.plus.extend(other.minus);
        self.minus.extend(other.plus);
        self.gaps.extend(other.gaps);
    }

    /// How good it is: lower is better.
    fn cost(&self) -> (i64, usize) {
        let gaps = self.gaps.iter().fold(0i64, |sum, gap| sum.saturating_add(gap.end.saturating_sub(gap.start)));
        (gaps, self.plus.len() + self.minus.len())
    }
}

struct Planner<'a> {
    catalog: &'a Catalog,
    bad: &'a HashSet<Place>,
}

impl Planner<'_> {
    fn healthy(&self, level: usize, start: i64) -> Option<&SegmentRecord> {
        self.catalog.window(level, start).filter(|_| !self.bad.contains(&(level, start)))
    }

    /// Covers a range that starts and ends with windows of the finest level by windows of up to this level.
    fn cover(&self, level: usize, from: i64, to: i64) -> Cover {
        let levels = self.catalog.levels();
        let last = levels.start(level, to);
        let first = levels.start(level, from);
        let first = if first == from { from } else { levels.end(level, first) };
        if first > last {
            return self.part(level, from, to);
        }
        let mut cover = self.whole(level, first, last);
        if from < first {
            cover.add(self.part(level, from, first));
        }
        if last < to {
            cover.add(self.part(level, last, to));
        }
        cover
    }

    /// Covers a range of whole windows of this level.
    fn whole(&self, level: usize, first: i64, last: i64) -> Cover {
        let levels = self.catalog.levels();
        let (mut cover, mut at) = (Cover::default(), first);
        for record in self.catalog.windows(level, first..last) {
            if self.bad.contains(&(level, record.start)) {
                cover.add(self.absent(level, at, record.start));
                cover.add(self.unusable(level, record.start));
            } else {
                cover.add(self.absent(level, at, record.start));
                cover.plus.push(*record);
            }
            at = levels.end(level, record.start);
        }
        cover.add(self.absent(level, at, last));
        cover
    }

    /// Covers windows of this level that have no segment: by finer ones, where those are kept; where they are dropped, the
    /// window would have a segment if anything had been in it.
    fn absent(&self, level: usize, from: i64, to: i64) -> Cover {
        let mut cover = Cover::default();
        if from >= to {
            return cover;
        }
        if level == 0 {
            let floor = self.catalog.floor(0);
            cover.gaps.extend((from < floor).then(|| from..to.min(floor)));
            return cover;
        }
        let (finer, here) = (self.catalog.floor(level - 1), self.catalog.floor(level));
        if from < finer.min(here) {
            cover.gaps.push(from..to.min(finer).min(here));
        }
        if from.max(finer) < to {
            cover.add(self.cover(level - 1, from.max(finer), to));
        }
        cover
    }

    /// Covers a window whose segment cannot be used.
    fn unusable(&self, level: usize, start: i64) -> Cover {
        let end = self.catalog.levels().end(level, start);
        if level == 0 || start < self.catalog.floor(level - 1) {
            return Cover { gaps: vec![Range { start, end }], ..Cover::default() };
        }
        self.cover(level - 1, start, end)
    }

    /// Covers a part of one window of this level: by finer ones, or by it without the rest, whichever is better.
    fn part(&self, level: usize, from: i64, to: i64) -> Cover {
        let levels = self.catalog.levels();
        let start = levels.start(level, from);
        let end = levels.end(level, start);
        let Some(record) = self.healthy(level, start) else {
            return match self.catalog.window(level, start) {
                None => self.absent(level, from, to),
                Some(_) => self.cover(level - 1, from, to),
            };
        };
        let by_parts = self.cover(level - 1, from, to);
        let mut by_rest = Cover { plus: vec![*record], ..Cover::default() };
        for (from, to) in [(start, from), (to, end)] {
            if from < to {
                by_rest.take_away(self.cover(level - 1, from, to));
            }
        }
        // A gap in what is taken away says nothing about the rest.
        if by_rest.gaps.is_empty() && by_rest.cost() < by_parts.cost() { by_rest } else { by_parts }
    }

    /// Bounds what is in a gap by the finest segments that hold it.
    fn bound(&self, gap: Range<i64>, plan: &mut Plan) {
        let levels = self.catalog.levels();
        let mut at = gap.start;
        while at < gap.end {
            let holding =
                (0..levels.count()).find_map(|level| Some((level, self.healthy(level, levels.start(level, at))?)));
            let next = match holding {
                Some((level, record)) => {
                    let end = levels.end(level, record.start).min(gap.end);
                    let length = levels.length(level);
                    match plan.cuts.iter_mut().find(|cut| cut.record == *record) {
                        Some(cut) => cut.wanted += end - at,
                        None => plan.cuts.push(Cut { record: *record, wanted: end - at, length }),
                    }
                    end
                }
                None => {
                    let known = |level: usize| self.catalog.windows(level, at.saturating_add(1)..gap.end).next();
                    let next =
                        (0..levels.count()).filter_map(known).map(|record| record.start).min().unwrap_or(gap.end);
                    // Above the floor, a window without a segment had nothing in it; damaged ones are not without.
                    let empty = at >= self.catalog.floor(0) && !self.bad.contains(&(0, levels.start(0, at)));
                    if !empty {
                        plan.missing.push(at..next);
                    }
                    next
                }
            };
            at = next;
        }
    }
}
