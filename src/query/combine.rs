//! A stored answer, and what is known of windows that are not stored.

use std::collections::{HashMap, HashSet};

use hitters_dataflows::ranking::{Estimate, Ranking, Row, State, Window};

use super::answer::Answer;
use super::keep::Keep;
use super::sources::share_of;

/// A window that is not stored, and how much of it is wanted.
pub(super) struct Part<'a> {
    ranking: &'a Ranking,
    /// Those of its rows that are of keys that are answered for here.
    rows: Vec<&'a Row>,
    /// In milliseconds.
    wanted: i64,
    /// No key that has no row counts more.
    unlisted: u64,
}

impl<'a> Part<'a> {
    /// The part of a window that is in an interval, if any is, with the rows of keys that are `own`.
    pub(super) fn of(ranking: &'a Ranking, from: i64, to: i64, mut own: impl FnMut(&[u8]) -> bool) -> Option<Self> {
        let Window { start, end } = ranking.window;
        let wanted = end.min(to).saturating_sub(start.max(from));
        (wanted > 0).then(|| Part {
            ranking,
            rows: ranking.rows.iter().filter(|row| own(&row.key)).collect(),
            wanted,
            unlisted: unlisted(ranking),
        })
    }

    pub(super) fn start(&self) -> i64 {
        self.ranking.window.start
    }

    pub(super) fn state(&self) -> State {
        self.ranking.state
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a [u8]> {
        self.rows.iter().map(|row| row.key.as_slice())
    }

    fn length(&self) -> i64 {
        self.ranking.window.end - self.ranking.window.start
    }

    /// What is known of a key's count in the wanted part: without its end or beginning, a window only bounds it.
    fn estimate(&self, whole: Estimate) -> Estimate {
        if self.wanted == self.length() {
            return whole;
        }
        let count = share_of(whole.count.into(), self.wanted, self.length()) as u64;
        Estimate { count, low: 0, high: whole.high }
    }

    /// The estimate of a key.
    pub(super) fn key(&self, key: &[u8]) -> Estimate {
        let row = self.rows.iter().find(|row| row.key == key);
        row.map_or(self.of_unlisted(), |row| self.estimate(row.estimate))
    }

    fn of_unlisted(&self) -> Estimate {
        Estimate { count: 0, low: 0, high: self.unlisted }
    }

    pub(super) fn total(&self) -> u128 {
        share_of(self.ranking.total, self.wanted, self.length())
    }

    pub(super) fn confidence(&self) -> f64 {
        self.ranking.confidence
    }
}

/// What no key without a row counts more than: the weight that the rows leave, and what a certified row may count.
fn unlisted(ranking: &Ranking) -> u64 {
    let listed: u128 = ranking.rows.iter().map(|row| u128::from(row.estimate.low)).sum();
    let left = ranking.total.saturating_sub(listed).try_into().unwrap_or(u64::MAX);
    ranking.rows.iter().filter(|row| row.certified).map(|row| row.estimate.high).fold(left, u64::min)
}

/// Keeps the `k` best rows, in order; what those left out count at most.
pub(super) fn cut(rows: &mut Vec<Row>, k: usize) -> u64 {
    rows.sort_unstable_by(Row::by_rank);
    rows.drain(k.min(rows.len())..).map(|row| row.estimate.high).max().unwrap_or(0)
}

/// Whether no key that counts at most `others` can be above a row.
pub(super) fn is_above(row: &Row, others: u64) -> bool {
    row.estimate.low > others || others == 0
}

/// Adds estimates.
pub(super) fn sum(estimates: impl Iterator<Item = Estimate>) -> Estimate {
    estimates.fold(Estimate::exact(0), |sum, next| Estimate {
        count: sum.count.saturating_add(next.count),
        low: sum.low.saturating_add(next.low),
        high: sum.high.saturating_add(next.high),
    })
}

/// The keys of `parts` that are asked for and not in the stored rows: their stored counts are wanted too.
pub(super) fn without_row<'a>(stored: &'a Answer, parts: &[Part<'a>], keep: &Keep) -> HashSet<&'a [u8]> {
    let rows: HashSet<&[u8]> = stored.rows.iter().map(|row| row.key.as_slice()).collect();
    let keys = parts.iter().flat_map(Part::keys);
    keys.filter(|key| keep.keeps(key) && !rows.contains(key)).collect()
}

/// The `k` best by stored counts and `parts` together. `more` are the stored counts of [`without_row`]; those that it
/// leaves out are 0.
///
/// A row is certified when no other key can be above it: neither one of the parts, nor one that only the store holds, with
/// all that the parts may hide of it. O((k + rows of the parts) x parts).
pub(super) fn combine(
    stored: Answer,
    more: Vec<(Vec<u8>, Estimate)>,
    parts: &[Part<'_>],
    k: usize,
    keep: &Keep,
) -> Answer {
    if parts.is_empty() {
        return stored;
    }
    let hidden = sum(parts.iter().map(Part::of_unlisted)).high;
    let by_part: Vec<HashMap<&[u8], Estimate>> = parts
        .iter()
        .map(|part| part.rows.iter().map(|row| (row.key.as_slice(), part.estimate(row.estimate))).collect())
        .collect();
    let in_parts = |key: &[u8]| {
        sum(parts.iter().zip(&by_part).map(|(part, rows)| rows.get(key).copied().unwrap_or(part.of_unlisted())))
    };
    let mut keys: HashMap<Vec<u8>, Estimate> = stored.rows.into_iter().map(|row| (row.key, row.estimate)).collect();
    keys.extend(more);
    for key in parts.iter().flat_map(Part::keys).filter(|key| keep.keeps(key)) {
        if !keys.contains_key(key) {
            keys.insert(key.to_vec(), Estimate::exact(0));
        }
    }
    let mut rows: Vec<Row> = keys
        .into_iter()
        .map(|(key, stored)| {
            let estimate = sum([stored, in_parts(&key)].into_iter());
            Row { key, estimate, certified: false }
        })
        .collect();
    let others = cut(&mut rows, k).max(stored.others.saturating_add(hidden));
    let sure = stored.trust.missing.is_empty();
    for row in &mut rows {
        row.certified = sure && is_above(row, others);
    }
    let is_exact = |row: &Row| row.certified && row.estimate.low == row.estimate.high;
    let (state, mut trust) = (state(stored.state, parts), stored.trust);
    // Of an open window, early rankings tell what was there a moment ago.
    trust.exact = trust.exact && state != State::Early && rows.iter().all(is_exact) && (rows.len() == k || others == 0);
    let doubt: f64 = parts.iter().map(|part| 1.0 - part.confidence()).sum();
    Answer { state, rows, confidence: (stored.confidence - doubt).max(0.0), others, trust, ..stored }
}

/// Early as soon as one window is open, else as late as the latest.
pub(super) fn state(stored: State, parts: &[Part<'_>]) -> State {
    parts.iter().map(Part::state).fold(stored, State::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, low: u64, high: u64, certified: bool) -> Row {
        Row { key: key.into(), estimate: Estimate { count: low.midpoint(high), low, high }, certified }
    }

    fn ranking(state: State, total: u128, rows: Vec<Row>) -> Ranking {
        Ranking { window: Window { start: 0, end: 100 }, state, total, confidence: 1.0, rows }
    }

    fn stored(rows: &[(&str, u64)], k: usize) -> Answer {
        let rows: Vec<Row> = rows.iter().map(|(key, count)| row(key, *count, *count, true)).collect();
        let others = rows.last().filter(|_| rows.len() >= k).map_or(0, |row| row.estimate.high);
        let total = rows.iter().map(|row| u128::from(row.estimate.count)).sum();
        Answer { total, rows, others, ..Answer::nothing(-100, 100) }
    }

    #[test]
    fn closed_windows_with_all_their_keys_keep_an_answer_exact() {
        let open = ranking(State::Final, 7, vec![row("b", 4, 4, true), row("c", 3, 3, true)]);
        let parts = [Part::of(&open, -100, 100, |_| true).expect("they meet")];
        let stored = stored(&[("a", 5), ("b", 2)], 3);
        assert_eq!(without_row(&stored, &parts, &Keep::default()), HashSet::from([b"c".as_slice()]));
        let answer = combine(stored, vec![], &parts, 3, &Keep::default());
        assert_eq!(answer.rows, [row("b", 6, 6, true), row("a", 5, 5, true), row("c", 3, 3, true)]);
        assert_eq!((answer.trust.exact, answer.others, answer.state), (true, 0, State::Final));
    }

    #[test]
    fn open_windows_bound_what_they_do_not_list() {
        // 100 events, of which the rows leave 30 to others; none of those can be above the certified row's 50.
        let open = ranking(State::Early, 100, vec![row("x", 50, 50, true), row("y", 20, 40, false)]);
        assert_eq!(unlisted(&open), 30);
        let parts = [Part::of(&open, -100, 100, |_| true).expect("they meet")];
        let more = vec![(b"y".to_vec(), Estimate::exact(7))];
        let answer = combine(stored(&[("a", 60), ("x", 10)], 2), more, &parts, 2, &Keep::default());
        let certified = |row: Row, count| Row { estimate: Estimate { count, ..row.estimate }, ..row };
        assert_eq!(answer.rows, [certified(row("a", 60, 90, true), 60), row("x", 60, 60, true)]);
        assert_eq!((answer.trust.exact, answer.state), (false, State::Early));
        // Which of the two is first is not certain.
        let answer = combine(stored(&[("a", 60), ("x", 10)], 2), vec![], &parts, 1, &Keep::default());
        assert_eq!(answer.rows, [certified(row("a", 60, 90, false), 60)]);
    }

    #[test]
    fn what_only_the_store_lists_may_be_hidden_in_a_part() {
        let certified = |total| {
            let closed = ranking(State::Final, total, vec![row("a", 1, 1, false)]);
            let parts = [Part::of(&closed, -100, 100, |_| true).expect("they meet")];
            combine(stored(&[("a", 50)], 1), vec![], &parts, 1, &Keep::default()).rows[0].certified
        };
        assert!(!certified(10), "a key with 50 in the store may have 9 more");
        assert!(!certified(2), "or one more, which makes a tie");
        assert!(certified(1));
    }

    #[test]
    fn an_open_window_is_never_exact() {
        for (state, exact) in [(State::Early, false), (State::Final, true), (State::Revised, true)] {
            let all = ranking(state, 4, vec![row("b", 4, 4, true)]);
            let parts = [Part::of(&all, -100, 100, |_| true).expect("they meet")];
            let answer = combine(stored(&[("a", 5)], 3), vec![], &parts, 3, &Keep::default());
            assert_eq!((answer.trust.exact, answer.state), (exact, state));
        }
    }

    #[test]
    fn a_window_that_is_cut_only_bounds() {
        let open = ranking(State::Early, 100, vec![row("x", 100, 100, true)]);
        let part = Part::of(&open, 50, 200, |_| true).expect("they meet");
        assert_eq!(part.key(b"x"), Estimate { count: 50, low: 0, high: 100 });
        assert_eq!((part.key(b"z"), part.total()), (Estimate::exact(0), 50));
        assert!(Part::of(&open, 100, 200, |_| true).is_none());
    }
}
