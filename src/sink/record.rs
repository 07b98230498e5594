//! The rows of a ranking as records with the columns that every output has.

use std::borrow::Cow;

use hitters_dataflows::ranking::Ranking;
use serde::Serialize;

use super::key::key_text;
use super::time::Rfc3339;

/// The columns of every output, in their order.
pub const COLUMNS: [&str; 11] =
    ["window_start", "window_end", "state", "rank", "key", "count", "low", "high", "share", "confidence", "certified"];

/// One ranked key as it goes out; the fields are the [`COLUMNS`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<'a> {
    /// The first millisecond of the window, as [`Rfc3339`].
    pub window_start: Cow<'a, str>,
    /// The first millisecond after the window, as [`Rfc3339`].
    pub window_end: Cow<'a, str>,
    /// How settled the row is: `early`, `final` or `revised`.
    pub state: &'static str,
    /// From 1.
    pub rank: u64,
    /// The key as [`key_text`] writes it.
    pub key: Cow<'a, str>,
    /// The key's weight in the window.
    pub count: u64,
    /// The true weight is not below this.
    pub low: u64,
    /// The true weight is not above this.
    pub high: u64,
    /// `count` over the window's total, see [`share`].
    pub share: f64,
    /// The probability with which the bounds hold, rounded to six decimals; 1 when they are certain.
    pub confidence: f64,
    /// Whether no key outside the ranking can displace it, as far as the bounds hold.
    pub certified: bool,
}

/// Calls `each` with the record of every row of a ranking, in order of rank, until it fails.
///
/// # Errors
/// The first error of `each`.
pub fn for_each_record<E>(ranking: &Ranking, mut each: impl FnMut(&Record<'_>) -> Result<(), E>) -> Result<(), E> {
    let start = Rfc3339(ranking.window.start).to_string();
    let end = Rfc3339(ranking.window.end).to_string();
    for (rank, row) in (1..).zip(&ranking.rows) {
        each(&Record {
            window_start: Cow::Borrowed(&start),
            window_end: Cow::Borrowed(&end),
            state: ranking.state.name(),
            rank,
            key: key_text(&row.key),
            count: row.estimate.count,
            low: row.estimate.low,
            high: row.estimate.high,
            share: share(row.estimate.count, ranking.total),
            confidence: six_decimals(ranking.confidence),
            certified: row.certified,
        })?;
    }
    Ok(())
}

/// The part that `count` is of `total`, rounded to six decimals; 0 of nothing.
pub fn share(count: u64, total: u128) -> f64 {
    if total == 0 {
        return 0.0;
    }
    six_decimals(count as f64 / total as f64)
}

fn six_decimals(part: f64) -> f64 {
    (part * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_six_decimals() {
        assert_eq!(share(1, 3), 0.333333);
        assert_eq!(share(2, 3), 0.666667);
        assert_eq!(share(5, 5), 1.0);
        assert_eq!(share(0, 0), 0.0);
        assert_eq!(share(1, u128::MAX), 0.0);
    }
}
