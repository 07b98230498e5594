//! What a run did, for its end.

use std::fmt;
use std::time::Duration;

use hitters_inputs::event::Reason;
use jiff::SignedDuration;

use crate::latency::Longest;
use crate::sink::number::thousands;

/// The counts of a run, shown as a few lines without a newline at the end:
///
/// ```text
/// 20,000,000 events, 12 windows, 8.21 s, 2,436,054 events/s
/// latency: windows 42 ms, early results 61 ms
/// rejected 1,234: malformed 1,000, bad time 234
/// late 120 for 1m windows, 3 for 1h windows
/// ```
///
/// All but the first line are there when there is something to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that were read.
    pub events: u64,
    /// Records that gave no event, by reason; a reason may be missing or 0.
    pub rejected: Vec<(Reason, u64)>,
    /// Events that came too late for their window, by the length of the windows: an event can be too late for the
    /// short windows and in time for the long ones.
    pub late: Vec<(SignedDuration, u64)>,
    /// Windows that closed.
    pub windows: u64,
    /// How long the run took.
    pub elapsed: Duration,
    /// How long results took.
    pub longest: Longest,
}

impl Summary {
    /// Whether any record was rejected or too late for a window.
    pub fn any_rejected(&self) -> bool {
        self.rejected_records() > 0 || self.late.iter().any(|&(_, count)| count > 0)
    }

    /// How many records gave no event.
    fn rejected_records(&self) -> u128 {
        self.rejected.iter().map(|&(_, count)| u128::from(count)).sum()
    }

    /// Events over seconds, rounded; 0 when no time passed.
    fn events_per_second(&self) -> u64 {
        let rate = self.events as f64 / self.elapsed.as_secs_f64();
        if rate.is_finite() { rate.round() as u64 } else { 0 }
    }

    fn write_run(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = thousands(self.events_per_second());
        write!(
            f,
            "{}, {}, {seconds:.2} s, {rate} events/s",
            counted(self.events, "event"),
            counted(self.windows, "window")
        )
    }

    fn write_rejected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.rejected_records();
        if total == 0 {
            return Ok(());
        }
        let count = |wanted| {
            self.rejected.iter().filter(|&&(why, _)| why == wanted).map(|&(_, count)| u128::from(count)).sum::<u128>()
        };
        let reasons = Reason::ALL.map(|why| (why, count(why)));
        let shown = reasons.iter().filter(|(_, count)| *count > 0);
        let list: Vec<String> = shown.map(|&(why, count)| format!("{} {}", why.name(), thousands(count))).collect();
        write!(f, "\nrejected {}: {}", thousands(total), list.join(", "))
    }

    fn write_late(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.late.iter().filter(|(_, count)| *count > 0);
        let list: Vec<String> =
            shown.map(|&(length, count)| format!("{} for {length:#} windows", thousands(count))).collect();
        if list.is_empty() { Ok(()) } else { write!(f, "\nlate {}", list.join(", ")) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_run(f)?;
        if self.longest != Longest::default() {
            write!(f, "\n{}", self.longest)?;
        }
        self.write_rejected(f)?;
        self.write_late(f)
    }
}

/// A number and what it counts: `1 event`, `2,000 events`.
fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_run_is_one_line() {
        let run =
            Summary { events: 20_000_000, windows: 1, elapsed: Duration::from_millis(8_210), ..Default::default() };
        assert_eq!(run.to_string(), "20,000,000 events, 1 window, 8.21 s, 2,436,054 events/s");
        assert!(!run.any_rejected());
    }

    #[test]
    fn rejections_are_listed_by_reason_and_lateness_by_window() {
        let run = Summary {
            events: 1,
            windows: 0,
            elapsed: Duration::ZERO,
            longest: Longest { close: Some(Duration::from_millis(42)), early: None },
            rejected: vec![(Reason::BadTime, 234), (Reason::Malformed, 1000), (Reason::Future, 0)],
            late: vec![
                (SignedDuration::from_mins(1), 120),
                (SignedDuration::from_mins(5), 0),
                (SignedDuration::from_hours(1), 3),
            ],
        };
        let expected = "\
1 event, 0 windows, 0.00 s, 0 events/s
latency: windows 42 ms
rejected 1,234: malformed 1,000, bad time 234
late 120 for 1m windows, 3 for 1h windows";
        assert_eq!(run.to_string(), expected);
        assert!(run.any_rejected());
    }

    #[test]
    fn lateness_alone_is_a_rejection() {
        let run = Summary { late: vec![(SignedDuration::from_hours(1), 1)], ..Default::default() };
        assert!(run.any_rejected());
    }
}
