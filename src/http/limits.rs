//! What nobody may pass.

use std::time::Duration;

use crate::machine;

/// The most answers in a series.
pub const MOST_STEPS: i64 = 10_000;
/// The most rows of a series together: `k` times the number of answers.
pub const MOST_ROWS: i64 = 200_000;
/// The most windows in a list.
pub const MOST_WINDOWS: u64 = 100_000;
/// The longest path and query together, in bytes.
pub const LONGEST_URI: usize = 16 << 10;
/// The longest head of a request, in bytes; also the most that is buffered of one.
pub const LONGEST_HEAD: usize = 32 << 10;
/// The most header lines.
pub const MOST_HEADERS: usize = 64;
/// The largest regular expression once it is compiled, in bytes.
pub const LARGEST_PATTERN: usize = 1 << 20;

/// Limits that a server is started with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more are turned away. Default: 256.
    pub connections: usize,
    /// Questions that are worked on at a time. Default: two a core, 4 at least.
    pub running: usize,
    /// How long a question waits for its turn before it is refused. Default: 1 s.
    pub wait: Duration,
    /// How long the work on a question may take. Default: 10 s.
    pub time: Duration,
    /// How long the head of a request may take, and a connection may be idle; also how long a client may leave a part of
    /// an answer unread. Default: 15 s.
    pub patience: Duration,
    /// How long requests may go on once the server is told to stop. Default: 5 s.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 256,
            running: (2 * machine::cores()).max(4),
            wait: Duration::from_secs(1),
            time: Duration::from_secs(10),
            patience: Duration::from_secs(15),
            grace: Duration::from_secs(5),
        }
    }
}
