//! How long results are on their way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hitters_dataflows::mark::{Mark, Marks};

/// Measures how long after the time at which they could have come at best rankings were written.
///
/// The final ranking of a window could have come when the watermark passed the window's end: when the last worker of this
/// process had read that far. What other processes were still to read is not seen here.
#[derive(Debug)]
pub struct Latency {
    lengths: Vec<i64>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    marks: Marks,
    watermark: i64,
    /// When the watermark came to a value by which a window may have ended.
    passed: BTreeMap<i64, Instant>,
    longest: Longest,
}

/// The longest times that rankings took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// From the watermark's passing the end of a window to its final rows; `None` when no window closed.
    pub close: Option<Duration>,
    /// From the end of the events that an early ranking counts to its rows; `None` when there was no early ranking.
    pub early: Option<Duration>,
}

impl Latency {
    /// Nothing measured yet, for windows of these lengths (milliseconds) and this many workers.
    pub fn new(lengths: Vec<i64>, workers: usize) -> Self {
        let progress = Progress {
            marks: Marks::new(workers),
            watermark: i64::MIN,
            passed: BTreeMap::new(),
            longest: Longest::default(),
        };
        Latency { lengths, progress: Mutex::new(progress) }
    }

    /// Notes what a worker of this process promises now. Keeps an instant for each window end that the watermark passes
    /// until a window with it closes.
    ///
    /// # Panics
    /// When another thread panicked in here.
    pub fn promised(&self, worker: usize, mark: Mark) {
        let mut progress = self.progress();
        let before = progress.watermark;
        progress.marks.set(worker, mark);
        let watermark = progress.marks.watermark();
        progress.watermark = watermark;
        if self.lengths.iter().any(|length| before.div_euclid(*length) < watermark.div_euclid(*length)) {
            progress.passed.insert(watermark, Instant::now());
        }
    }

    /// Notes that the final rows of a window that ends at `end` were written.
    ///
    /// # Panics
    /// When another thread panicked in here.
    pub fn closed(&self, end: i64) {
        let mut progress = self.progress();
        progress.passed = progress.passed.split_off(&end);
        let took = progress.passed.first_key_value().map(|(_, passed)| passed.elapsed());
        progress.longest.close = progress.longest.close.max(took);
    }

    /// Notes that early rows were written so long after the last moment of which they count the events.
    ///
    /// # Panics
    /// When another thread panicked in here.
    pub fn early(&self, took: Duration) {
        let mut progress = self.progress();
        progress.longest.early = progress.longest.early.max(Some(took));
    }

    /// The longest so far.
    ///
    /// # Panics
    /// When another thread panicked in here.
    pub fn longest(&self) -> Longest {
        self.progress().longest
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().expect("no one panics while measuring")
    }
}

/// `latency: windows 12 ms, early results 61 ms`; nothing when there is none.
impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [("windows", self.close), ("early results", self.early)];
        let shown = shown.into_iter().filter_map(|(what, took)| Some(format!("{what} {} ms", took?.as_millis())));
        let list = shown.collect::<Vec<_>>().join(", ");
        if list.is_empty() { Ok(()) } else { write!(f, "latency: {list}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_due_when_the_last_worker_has_passed_its_end() {
        let latency = Latency::new(vec![100], 2);
        latency.closed(0);
        assert_eq!(latency.longest().close, None, "nobody has promised anything");
        latency.promised(0, Mark::At(250));
        latency.promised(1, Mark::At(50));
        latency.promised(1, Mark::At(99));
        assert_eq!(latency.progress().passed.keys().copied().collect::<Vec<_>>(), [50]);
        latency.promised(1, Mark::At(130));
        let due = latency.progress().passed[&130];
        latency.promised(1, Mark::At(140));
        latency.promised(1, Mark::Done);
        assert_eq!(latency.progress().passed.keys().copied().collect::<Vec<_>>(), [50, 130, 250]);
        let before = due.elapsed();
        latency.closed(100);
        let took = latency.longest().close.expect("one has closed");
        assert!(before <= took && took <= due.elapsed());
        latency.closed(200);
        assert_eq!(latency.progress().passed.keys().copied().collect::<Vec<_>>(), [250]);
    }

    #[test]
    fn only_what_was_measured_is_shown() {
        let longest = Longest { close: Some(Duration::from_micros(12_900)), early: Some(Duration::from_secs(2)) };
        assert_eq!(longest.to_string(), "latency: windows 12 ms, early results 2000 ms");
        assert_eq!(Longest { early: None, ..longest }.to_string(), "latency: windows 12 ms");
        assert_eq!(Longest::default().to_string(), "");
    }
}
