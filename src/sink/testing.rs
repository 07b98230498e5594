//! What the tests of the sinks share: an output in memory and a ranking.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::Output;
use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};

/// 2026-01-01T10:00:00Z.
pub const TEN: i64 = 1_767_261_600_000;
/// One hour in milliseconds.
pub const HOUR: i64 = 3_600_000;

#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    writes: usize,
    flushes: usize,
}

/// What was written to an output, readable while the output is in use.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Log>>);

impl Written {
    /// An output that writes here.
    pub fn output(&self) -> Output {
        Box::new(self.clone())
    }

    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").bytes.clone()).expect("sinks write UTF-8")
    }

    /// The text since the last call.
    pub fn take(&self) -> String {
        let text = self.text();
        self.0.lock().expect("not poisoned").bytes.clear();
        text
    }

    /// The number of write calls.
    pub fn writes(&self) -> usize {
        self.0.lock().expect("not poisoned").writes
    }

    /// The number of flushes.
    pub fn flushes(&self) -> usize {
        self.0.lock().expect("not poisoned").flushes
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("not poisoned");
        log.bytes.extend_from_slice(bytes);
        log.writes += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().expect("not poisoned").flushes += 1;
        Ok(())
    }
}

/// An output whose reader has gone.
pub struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// A row with bounds, certified when they are exact.
pub fn row(key: &[u8], count: u64, low: u64, high: u64) -> Row {
    Row { key: key.to_vec(), estimate: Estimate { count, low, high }, certified: low == high }
}

/// A row whose count is exact.
pub fn exact(key: &[u8], count: u64) -> Row {
    row(key, count, count, count)
}

/// The final ranking of the hour from ten, with two exact rows.
pub fn ranking() -> Ranking {
    let window = Window { start: TEN, end: TEN + HOUR };
    let rows = vec![exact(b"/a", 3_000), exact(b"/b", 1_000)];
    Ranking { window, state: State::Final, total: 4_000, confidence: 1.0, rows }
}
