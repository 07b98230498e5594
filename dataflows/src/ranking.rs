//! What comes out: the ranked rows of one window in one state.

use std::cmp::Ordering;

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
    fn cmp(&self, other: &Self) -> Ordering {
        (self.end, self.start).cmp(&(other.end, other.start))
    }
}

impl PartialOrd for Window {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
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
    /// Of a closed window: whether late events are counted in decides.
    pub fn closed(revised: bool) -> Self {
        if revised { State::Revised } else { State::Final }
    }

    /// Of what two make together: early as soon as one is, else the later.
    pub fn with(self, other: Self) -> Self {
        if self == State::Early || other == State::Early { State::Early } else { self.max(other) }
    }

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

    /// A count of which only the bounds are known, `low <= high`: their harmonic mean, rounded down.
    ///
    /// Of all counts it has the smallest relative error that can be promised, `(high - low) / (high + low)`: never above 1.
    pub fn between(low: u64, high: u64) -> Self {
        let (product, sum) = (u128::from(low) * u128::from(high), u128::from(low) + u128::from(high));
        let sum = sum.max(1);
        let count = (product / sum * 2 + product % sum * 2 / sum) as u64;
        Estimate { count, low, high }
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

impl Row {
    /// The order of rankings: higher counts first, ties by key bytes, ascending.
    pub fn by_rank(&self, other: &Self) -> Ordering {
        other.estimate.count.cmp(&self.estimate.count).then_with(|| self.key.cmp(&other.key))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_between_bounds_is_as_far_from_both_relative_to_them() {
        let count = |low, high| Estimate::between(low, high).count;
        assert_eq!([count(0, 0), count(7, 7), count(0, 9), count(1, 1000), count(90, 110)], [0, 7, 0, 1, 99]);
        let most = u64::MAX;
        assert_eq!([count(most, most), count(most - 1, most), count(1, most), count(0, most)], [most, most - 1, 1, 0]);
        let (low, high) = (3_000_000, 9_000_000);
        assert_eq!(count(low, high) - low, low / 2);
        assert_eq!(high - count(low, high), high / 2);
    }
}
