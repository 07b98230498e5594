//! What comes out: the ranked rows of one window in one state.

use serde::{Deserialize, Serialize};

/// A half-open span of event time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first millisecond inside.
    pub start: i64,
    /// The first millisecond after.
    pub end: i64,
}

/// Windows come in order of their end, then start.
impl Ord for Window {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.end, self.start).cmp(&(other.end, other.start))
    }
}

impl PartialOrd for Window {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// How settled a ranking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// The window is open; counts are of the events so far.
    Early,
    /// The window closed; counts are of its on-time events.
    Final,
    /// As final, with the late events that were still allowed so far.
    Revised,
}

impl State {
    /// The state in the words of result rows.
    pub fn name(self) -> &'static str {
        match self {
            State::Early => "early",
            State::Final => "final",
            State::Revised => "revised",
        }
    }
}

/// A count with its bounds: `low <= true count <= high`, for certain or as sure as the ranking's confidence says. All
/// three are equal when the count is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Estimate {
    /// The best single answer.
    pub count: u64,
    /// The true count is not below this.
    pub low: u64,
    /// The true count is not above this.
    pub high: u64,
}

impl Estimate {
    /// A count that is known exactly.
    pub fn exact(count: u64) -> Self {
        Estimate { count, low: count, high: count }
    }
}

/// One ranked key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// Its count in the window.
    pub estimate: Estimate,
    /// Whether no key outside the rows can displace it, as far as the bounds hold.
    pub certified: bool,
}

/// The k best keys of a window, best first; ties in count go by key bytes, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Which window.
    pub window: Window,
    /// How settled it is.
    pub state: State,
    /// The total weight of all keys of the window, so that a row's share is its count over this.
    pub total: u128,
    /// The probability with which the bounds of a row hold; 1 when they are certain.
    pub confidence: f64,
    /// The rows by rank, from rank 1.
    pub rows: Vec<Row>,
}
