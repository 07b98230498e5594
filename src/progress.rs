//! Progress of a run, one line on standard error when that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::sink::number::thousands;
use crate::sink::time::Rfc3339;

/// Rates are of the events of at least this long.
const SPELL: Duration = Duration::from_secs(1);

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that there are, when all inputs are files of a known size.
    pub total_bytes: Option<u64>,
    /// Events read.
    pub events: u64,
    /// The watermark in milliseconds since the Unix epoch, once there is one.
    pub watermark: Option<i64>,
}

/// A line that shows the last [`Snapshot`]: bytes, events a second and watermark, and the time left when the number of
/// bytes is known. It is redrawn at most 20 times a second, and not at all off terminals.
pub struct Progress {
    bar: ProgressBar,
    rate: Rate,
}

impl Progress {
    /// Progress on standard error.
    pub fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    /// Progress that nobody sees.
    pub fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style("{spinner} {bytes}  {wide_msg}"));
        Progress { bar, rate: Rate::new(Instant::now()) }
    }

    /// Shows how far the run is now. Cheap enough to call many times a second.
    pub fn show(&mut self, now: &Snapshot) {
        if now.total_bytes != self.bar.length() {
            self.resize(now.total_bytes);
        }
        self.rate.update(Instant::now(), now.events);
        self.bar.set_message(message(self.rate.per_second, now.watermark));
        self.bar.set_position(now.bytes);
    }

    fn resize(&self, total: Option<u64>) {
        match total {
            Some(total) => {
                self.bar.set_style(style("{percent:>3}%  {bytes}/{total_bytes}  {eta} left  {wide_msg}"));
                self.bar.set_length(total);
            }
            None => {
                self.bar.set_style(style("{spinner} {bytes}  {wide_msg}"));
                self.bar.unset_length();
            }
        }
    }

    /// Clears the line; so does the end of the value.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are valid")
}

/// `1,234 events/s  watermark 2026-01-01T10:00:00Z`.
fn message(per_second: u64, watermark: Option<i64>) -> String {
    let rate = format!("{} events/s", thousands(per_second));
    watermark.map_or(rate.clone(), |watermark| format!("{rate}  watermark {}", Rfc3339(watermark)))
}

/// Events a second over the last full spell.
struct Rate {
    from: Instant,
    events: u64,
    per_second: u64,
}

impl Rate {
    fn new(from: Instant) -> Self {
        Rate { from, events: 0, per_second: 0 }
    }

    fn update(&mut self, now: Instant, events: u64) {
        let spell = now.saturating_duration_since(self.from);
        if spell >= SPELL {
            let more = events.saturating_sub(self.events);
            *self = Rate { from: now, events, per_second: (more as f64 / spell.as_secs_f64()).round() as u64 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    #[test]
    fn messages() {
        assert_eq!(message(1234, None), "1,234 events/s");
        assert_eq!(message(0, Some(1_767_261_600_000)), "0 events/s  watermark 2026-01-01T10:00:00Z");
    }

    #[test]
    fn rates_are_of_the_last_spell() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let mut at = |seconds: f64, events| {
            rate.update(start + Duration::from_secs_f64(seconds), events);
            rate.per_second
        };
        assert_eq!([at(0.5, 900), at(1.0, 1000), at(1.9, 9000), at(3.0, 5000)], [0, 1000, 1000, 2000]);
        assert_eq!(at(9.0, 0), 0);
    }

    /// A terminal 120 characters wide that remembers what was written.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("not poisoned").push_str(text);
            Ok(())
        }

        fn take(&self) -> String {
            std::mem::take(&mut self.0.lock().expect("not poisoned"))
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_error_on_the_way_clears_the_line() {
        let screen = Screen::default();
        let mut progress = Progress::on(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        progress.show(&Snapshot::default());
        screen.take();
        drop(progress);
        assert!(screen.take().ends_with("<clear>"));
    }

    #[test]
    fn the_line_shows_the_snapshot_and_goes() {
        let screen = Screen::default();
        let mut progress = Progress::on(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        let half = Snapshot { bytes: 512, total_bytes: Some(1024), events: 7, watermark: Some(1_767_261_600_000) };
        progress.show(&half);
        let shown = screen.take();
        assert!(shown.contains("512 B/1.00 KiB") && shown.contains(" left "), "{shown}");
        assert!(shown.contains("0 events/s  watermark 2026-01-01T10:00:00Z"), "{shown}");

        progress.show(&Snapshot { total_bytes: None, watermark: None, ..half });
        let shown = screen.take();
        let last = shown.rsplit("<clear>").find(|line| !line.is_empty()).unwrap_or_default();
        assert!(last.contains(" 512 B  0 events/s") && !last.contains("watermark"), "{shown}");

        progress.finish();
        assert!(screen.take().ends_with("<clear>"));
    }
}
