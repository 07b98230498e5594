//! Which windows an event belongs to, and whether it is late for them.

use std::ops::RangeInclusive;

use crate::ranking::Window;

/// A window of a job, and whether the counts are of events that were late for it: what counts are kept by.
///
/// One word, so that it can be a column: the window's number among those of its length (start / length), then 7 bits for
/// which of the job's lengths it has, then the late bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(i64);

impl Slot {
    fn new(number: i64, length: usize) -> Self {
        Slot(number << 8 | (length as i64) << 1)
    }

    /// The slot's place in a column.
    pub fn to_word(self) -> u64 {
        self.0 as u64
    }

    /// The slot that was written as this word. Every word is a slot.
    pub fn from_word(word: u64) -> Self {
        Slot(word as i64)
    }

    /// Whether it is for late events.
    pub fn is_late(self) -> bool {
        self.0 & 1 == 1
    }

    /// The slot of the same window for late events.
    pub fn late(self) -> Self {
        Slot(self.0 | 1)
    }

    /// The slot of the same window for events on time.
    pub fn on_time(self) -> Self {
        Slot(self.0 & !1)
    }

    fn number(self) -> i64 {
        self.0 >> 8
    }

    /// The slot of the window `windows` after it, of the same length.
    pub fn after(self, windows: i64) -> Self {
        Slot(self.0.saturating_add(windows << 8))
    }

    /// Which of the job's lengths its window has.
    pub fn length(self) -> usize {
        (self.0 >> 1 & 0x7f) as usize
    }
}

/// The most window lengths that one job can have.
pub const MAX_LENGTHS: usize = 128;

/// The windows of a job and its rule of lateness (all times in milliseconds).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The lengths, each with its own windows, all of them aligned to the Unix epoch. Positive, at most [`MAX_LENGTHS`].
    pub lengths: Vec<i64>,
    /// How far the watermark of a partition stays behind its highest event time.
    pub out_of_orderness: i64,
    /// How long after its end a window still takes late events.
    pub allowed_lateness: i64,
}

/// What becomes of an event in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It counts.
    OnTime(Slot),
    /// It counts in a revision.
    Late(Slot),
    /// It is rejected.
    TooLate,
}

impl Windows {
    /// The partition watermark after events of which `highest` is the latest: lower than every time, before any event.
    pub fn watermark(&self, highest: Option<i64>) -> i64 {
        highest.map_or(i64::MIN, |time| time.saturating_sub(self.out_of_orderness))
    }

    /// Judges an event for the windows of the `length`-th length: it is late when its window's end is at or below its
    /// partition's watermark, and too late when also the allowed lateness has passed.
    pub fn judge(&self, length: usize, time: i64, watermark: i64) -> Judgement {
        let slot = Slot::new(time.div_euclid(self.lengths[length]), length);
        let end = self.window(slot).end;
        if end > watermark {
            Judgement::OnTime(slot)
        } else if self.keeps(end, watermark) {
            Judgement::Late(slot.late())
        } else {
            Judgement::TooLate
        }
    }

    /// Whether a window that ends at `end` still takes late events at `watermark`.
    pub fn keeps(&self, end: i64, watermark: i64) -> bool {
        end.saturating_add(self.allowed_lateness) > watermark
    }

    /// The window of a slot.
    pub fn window(&self, slot: Slot) -> Window {
        let length = self.lengths[slot.length()];
        let start = slot.number().saturating_mul(length);
        Window { start, end: start.saturating_add(length) }
    }
}

/// Judges events as [`Windows::judge`] does, and remembers the last window of each length: most events fall into it.
pub struct Judge {
    windows: Windows,
    last: Vec<(Window, Slot)>,
}

impl Judge {
    /// A judge for these windows.
    pub fn new(windows: Windows) -> Self {
        let last = vec![(Window { start: 0, end: 0 }, Slot(0)); windows.lengths.len()];
        Judge { windows, last }
    }

    /// The windows.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The slot of each length, where one of each takes all events of `times`, on time: `highest` is the latest event time
    /// before the first.
    pub fn all_on_time(&self, highest: Option<i64>, times: &RangeInclusive<i64>) -> Option<Vec<Slot>> {
        let watermark = self.windows.watermark(highest.max(Some(*times.end())));
        let judge = |length| match self.windows.judge(length, *times.start(), watermark) {
            Judgement::OnTime(slot) => Some(slot).filter(|slot| self.windows.window(*slot).end > *times.end()),
            _ => None,
        };
        (0..self.windows.lengths.len()).map(judge).collect()
    }

    /// As [`Windows::judge`].
    #[inline]
    pub fn judge(&mut self, length: usize, time: i64, watermark: i64) -> Judgement {
        let (window, slot) = self.last[length];
        if time >= window.start && time < window.end && window.end > watermark {
            return Judgement::OnTime(slot);
        }
        let judgement = self.windows.judge(length, time, watermark);
        if let Judgement::OnTime(slot) = judgement {
            self.last[length] = (self.windows.window(slot), slot);
        }
        judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_late_from_the_watermark_on_and_rejected_from_the_allowance_on() {
        let windows = Windows { lengths: vec![100, 1000], out_of_orderness: 10, allowed_lateness: 50 };
        let mut remembering = Judge::new(windows.clone());
        let mut judge = |time, highest| {
            let judgement = windows.judge(0, time, windows.watermark(highest));
            assert_eq!(remembering.judge(0, time, windows.watermark(highest)), judgement);
            judgement
        };
        let slot = Slot::new(0, 0);
        assert_eq!(windows.window(slot), Window { start: 0, end: 100 });
        assert_eq!(judge(99, None), Judgement::OnTime(slot));
        assert_eq!(judge(99, Some(109)), Judgement::OnTime(slot));
        assert_eq!(judge(99, Some(110)), Judgement::Late(slot.late()));
        assert_eq!(judge(0, Some(159)), Judgement::Late(slot.late()));
        assert_eq!(judge(0, Some(160)), Judgement::TooLate);
        let long = windows.judge(1, 99, windows.watermark(Some(160)));
        assert_eq!(long, Judgement::OnTime(Slot::new(0, 1)));
    }

    #[test]
    fn events_are_judged_together_when_none_is_late_or_in_another_window() {
        let judge = Judge::new(Windows { lengths: vec![100, 1000], out_of_orderness: 10, allowed_lateness: 50 });
        let slots = Some(vec![Slot::new(1, 0), Slot::new(0, 1)]);
        assert_eq!(judge.all_on_time(None, &(100..=199)), slots);
        assert_eq!(judge.all_on_time(Some(209), &(100..=199)), slots);
        assert_eq!(judge.all_on_time(Some(210), &(100..=199)), None);
        assert_eq!(judge.all_on_time(None, &(100..=200)), None);
        assert_eq!(judge.all_on_time(None, &(99..=199)), None);
    }

    #[test]
    fn a_slot_is_one_word_also_before_the_epoch() {
        let windows = Windows { lengths: vec![7, 100], out_of_orderness: 0, allowed_lateness: 0 };
        let Judgement::OnTime(slot) = windows.judge(1, -1, i64::MIN) else { panic!("on time") };
        assert_eq!(windows.window(slot), Window { start: -100, end: 0 });
        let late = Slot::from_word(slot.late().to_word());
        assert!(late.is_late() && !slot.is_late());
        assert_eq!((late.on_time(), windows.window(late)), (slot, windows.window(slot)));
    }
}
