//! From what is asked for to intervals.

use super::answer::QueryError;

/// The interval between two ends; one that is not given is that of what is stored.
///
/// # Errors
/// [`QueryError::Reversed`].
pub fn between(from: Option<i64>, to: Option<i64>, stored: Option<(i64, i64)>) -> Result<(i64, i64), QueryError> {
    // Where one end is given and beyond what is stored, the interval is empty.
    let from = from.unwrap_or_else(|| stored.map_or(0, |(start, _)| start).min(to.unwrap_or(i64::MAX)));
    let to = to.unwrap_or_else(|| stored.map_or(0, |(_, end)| end).max(from));
    if from > to { Err(QueryError::Reversed { from, to }) } else { Ok((from, to)) }
}

/// The intervals of a series, each `every` milliseconds long but the last, which may be shorter; the whole when that is
/// not given. `None` when there would be `most` or more, or `every` is 0.
pub fn series(from: i64, to: i64, every: Option<i64>, most: i64) -> Option<impl Iterator<Item = (i64, i64)> + Clone> {
    let length = every.unwrap_or(i64::MAX);
    if length == 0 || to.saturating_sub(from) / length >= most {
        return None;
    }
    let starts = std::iter::successors(Some(from), move |start| start.checked_add(length).filter(|next| *next < to));
    Some(starts.map(move |start| (start, start.saturating_add(length).min(to))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_not_given_are_those_of_the_store() {
        let cases = [
            ((None, None, None), (0, 0)),
            ((None, None, Some((5, 9))), (5, 9)),
            ((Some(7), None, Some((5, 9))), (7, 9)),
            ((Some(12), None, Some((5, 9))), (12, 12)),
            ((None, Some(3), Some((5, 9))), (3, 3)),
        ];
        for ((from, to, stored), expected) in cases {
            assert_eq!(between(from, to, stored).unwrap(), expected);
        }
        assert!(between(Some(2), Some(1), None).is_err());
    }

    #[test]
    fn series_end_with_what_is_left() {
        let list = |from, to, every, most| series(from, to, every, most).map(Iterator::collect::<Vec<_>>);
        assert_eq!(list(0, 10, Some(4), 3), Some(vec![(0, 4), (4, 8), (8, 10)]));
        assert_eq!(list(0, 10, None, 1), Some(vec![(0, 10)]));
        assert_eq!(list(3, 3, Some(4), 1), Some(vec![(3, 3)]));
        assert_eq!(list(i64::MIN, i64::MAX, None, 1), None);
        assert_eq!(list(0, 10, Some(4), 2), None);
        assert_eq!(list(0, 10, Some(0), 2), None);
    }
}
