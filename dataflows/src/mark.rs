//! Marks: what each worker promises of all that it will still send, and the watermark of the job that follows.

use serde::{Deserialize, Serialize};

/// What a worker promises of all that it sends after this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Nothing yet.
    #[default]
    Nothing,
    /// No on-time counts for windows that end at or below this watermark.
    At(i64),
    /// Nobody need wait for it: its inputs are silent. When all are, the job goes on to the highest such watermark.
    Idle(i64),
    /// No counts at all.
    Done,
}

impl Mark {
    /// The mark as two words of the wire.
    pub(crate) fn to_words(self) -> [u64; 2] {
        match self {
            Mark::Nothing => [0, 0],
            Mark::At(watermark) => [1, watermark as u64],
            Mark::Idle(watermark) => [2, watermark as u64],
            Mark::Done => [3, 0],
        }
    }

    /// The mark that was written as these words.
    pub(crate) fn from_words([kind, value]: [u64; 2]) -> Option<Self> {
        Some(match kind {
            0 => Mark::Nothing,
            1 => Mark::At(value as i64),
            2 => Mark::Idle(value as i64),
            3 => Mark::Done,
            _ => return None,
        })
    }
}

/// The newest mark of every worker.
#[derive(Debug)]
pub struct Marks {
    marks: Vec<Mark>,
    watermark: i64,
}

impl Marks {
    /// No marks yet, of `workers` workers.
    pub fn new(workers: usize) -> Self {
        Marks { marks: vec![Mark::Nothing; workers], watermark: i64::MIN }
    }

    /// Notes the newest mark of worker `from`.
    pub fn set(&mut self, from: usize, mark: Mark) {
        if mark != Mark::Nothing {
            self.marks[from] = mark;
        }
    }

    /// The watermark of the job: the lowest of all workers that are not idle, or, when all that are not done are idle, the
    /// highest of those. It never falls; `i64::MAX` when all are done, `i64::MIN` before all have spoken.
    pub fn watermark(&mut self) -> i64 {
        let active = self.marks.iter().filter_map(|mark| match mark {
            Mark::Nothing => Some(i64::MIN),
            Mark::At(watermark) => Some(*watermark),
            Mark::Idle(_) | Mark::Done => None,
        });
        let idle = self.marks.iter().filter_map(|mark| match mark {
            Mark::Idle(watermark) => Some(*watermark),
            _ => None,
        });
        let watermark = active.min().or(idle.max()).unwrap_or(i64::MAX);
        self.watermark = self.watermark.max(watermark);
        self.watermark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_is_the_lowest_of_those_who_are_not_idle_and_never_falls() {
        let mut marks = Marks::new(3);
        marks.set(0, Mark::At(50));
        marks.set(1, Mark::At(20));
        assert_eq!(marks.watermark(), i64::MIN);
        marks.set(2, Mark::Idle(90));
        assert_eq!(marks.watermark(), 20);
        marks.set(1, Mark::Done);
        assert_eq!(marks.watermark(), 50);
        marks.set(2, Mark::At(30));
        assert_eq!(marks.watermark(), 50);
        marks.set(0, Mark::Done);
        assert_eq!(marks.watermark(), 50);
        marks.set(2, Mark::Idle(70));
        assert_eq!(marks.watermark(), 70, "an idle worker may bring more");
        marks.set(2, Mark::Done);
        assert_eq!(marks.watermark(), i64::MAX);
    }
}
