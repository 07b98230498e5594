//! Answers from stores against plain addition.
#![allow(clippy::unwrap_used)]

mod history;

use history::{DAY, HOUR, MINUTE, NEW_YEAR, Random, Truth, open, some_days};
use hitters::query::keep::Keep;
use hitters::query::{Answer, Follow, Query, QueryError, answer, movers};
use hitters::store::reader::Store;
use hitters::store::writer::Writer;
use hitters_dataflows::ranking::{State, Window};

fn ask(store: &Store, from: i64, to: i64, k: usize) -> Answer {
    answer(store, &Query { from, to, k, ..Query::default() }).unwrap()
}

fn assert_exact(store: &Store, truth: &Truth, from: i64, to: i64, k: usize) {
    let answer = ask(store, from, to, k);
    assert_eq!(answer.rows, truth.top(from, to, k), "{from} to {to}, k {k}");
    assert!(answer.trust.exact && !answer.trust.is_partial(), "{:?}", answer.trust);
    assert_eq!(answer.total, truth.sum(from, to).values().map(|&count| u128::from(count)).sum::<u128>());
    assert_eq!(answer.state, State::Final);
}

#[test]
fn any_aligned_interval_is_exact_at_every_finest_length() {
    let lengths = [(1000, 1), (16_000, 1), (MINUTE, 4), (20 * MINUTE, 12), (90 * MINUTE, 40), (HOUR, 60)];
    for (seed, (length, days)) in (0..).zip([lengths.as_slice(), &[(DAY, 90), (7 * DAY, 300)]].concat()) {
        let truth = some_days(seed, length, days, 900, 12_000);
        let dir = tempfile::tempdir().unwrap();
        truth.write(dir.path());
        let (store, mut random) = (open(dir.path()), Random(seed + 99));
        let windows = (days * DAY / length).max(1) as u64;
        let first = NEW_YEAR.div_euclid(length) * length;
        for _ in 0..150 {
            let (a, b) = (random.below(windows + 8) as i64 - 4, random.skewed(windows + 8) as i64);
            let (from, to) = (first + a * length, first + (a + b) * length);
            assert_exact(&store, &truth, from, to, [0, 1, 3, 20, 100, 5000][random.below(6) as usize]);
        }
        assert_exact(&store, &truth, i64::MIN / length * length, i64::MAX / length * length, 10);
    }
}

#[test]
fn flat_counts_are_ranked_by_key() {
    let mut truth = Truth::new(MINUTE);
    let mut random = Random(5);
    for minute in 0..180 {
        for _ in 0..400 {
            truth.add(NEW_YEAR + minute * MINUTE, &format!("{:x}", random.below(20_000)), 1);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    for (from, to) in [(0, 1), (0, 180), (3, 90), (59, 61), (1, 179)] {
        for k in [1, 10, 100, 30_000] {
            assert_exact(&store, &truth, NEW_YEAR + from * MINUTE, NEW_YEAR + to * MINUTE, k);
        }
    }
}

/// Half windows are known to the test alone, so the truth of cut windows is.
#[test]
fn cut_edges_have_certain_bounds() {
    let halves = some_days(7, MINUTE / 2, 3, 300, 9000);
    let mut truth = Truth::new(MINUTE);
    for (start, counts) in &halves.windows {
        for (key, count) in counts {
            truth.add(start.div_euclid(MINUTE) * MINUTE, str::from_utf8(key).unwrap(), *count);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let (store, mut random) = (open(dir.path()), Random(3));
    let mut inexact = 0;
    for _ in 0..300 {
        let (a, b) = (random.below(3 * 2880) as i64, random.skewed(3 * 2880) as i64);
        let (from, to) = (NEW_YEAR + a * MINUTE / 2, NEW_YEAR + (a + b) * MINUTE / 2);
        let (answer, truth) = (ask(&store, from, to, 50), halves.sum(from, to));
        let bounds_hold = |row: &hitters_dataflows::ranking::Row| {
            let count = truth.get(&row.key).copied().unwrap_or(0);
            row.estimate.low <= count && count <= row.estimate.high && row.estimate.low <= row.estimate.count
        };
        assert!(answer.rows.iter().all(bounds_hold), "{from} {to}");
        assert!(!answer.trust.is_partial());
        if answer.trust.exact {
            assert_eq!(answer.rows, halves.top(from, to, 50));
        }
        inexact += usize::from(!answer.trust.exact);
    }
    assert!((100..300).contains(&inexact), "{inexact}");
}

#[test]
fn odd_intervals_have_an_answer_or_a_clear_error() {
    let mut truth = Truth::new(MINUTE);
    truth.add(NEW_YEAR, "a", 2);
    truth.add(NEW_YEAR, "b", 1);
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    let error = answer(&store, &Query { from: NEW_YEAR + HOUR, to: NEW_YEAR, k: 1, ..Query::default() }).unwrap_err();
    assert!(matches!(error, QueryError::Reversed { .. }));
    assert!(error.to_string().contains("2026-01-01T01:00:00Z") && error.to_string().contains("exchange"), "{error}");
    for (from, to) in [(NEW_YEAR, NEW_YEAR), (NEW_YEAR - DAY, NEW_YEAR), (NEW_YEAR + MINUTE, NEW_YEAR + 90 * DAY)] {
        let empty = ask(&store, from, to, 5);
        assert!(empty.rows.is_empty() && empty.trust.exact && empty.total == 0);
    }
    assert!(ask(&store, NEW_YEAR, NEW_YEAR + MINUTE, 0).rows.is_empty());
    assert_eq!(ask(&store, i64::MIN, i64::MAX, usize::MAX).rows, truth.top(NEW_YEAR, NEW_YEAR + 1, 9));
    let inside = ask(&store, NEW_YEAR + 15_000, NEW_YEAR + 45_000, 5);
    assert_eq!((inside.rows[0].estimate.low, inside.rows[0].estimate.count, inside.rows[0].estimate.high), (0, 1, 2));
    assert!(!inside.trust.exact);
}

#[test]
fn an_empty_store_answers_with_nothing() {
    let dir = tempfile::tempdir().unwrap();
    Truth::new(MINUTE).write(dir.path());
    let answer = ask(&open(dir.path()), 0, i64::MAX, 10);
    assert!(answer.rows.is_empty() && answer.trust.exact);
}

#[test]
fn sums_that_may_not_fit_are_refused() {
    let mut truth = Truth::new(MINUTE);
    let later = NEW_YEAR + 64 * DAY;
    truth.add(NEW_YEAR, "a", u64::MAX - 5);
    truth.add(later, "a", 6);
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    let error = answer(&store, &Query { from: NEW_YEAR, to: later + DAY, k: 1, ..Query::default() }).unwrap_err();
    assert!(error.to_string().contains("2^64"), "{error}");
    assert_exact(&store, &truth, later, later + DAY, 1);
    let mut writer = Writer::open(dir.path(), MINUTE).unwrap();
    let beyond = [(b"a".as_slice(), u64::MAX)];
    let refused = writer
        .put(Window { start: later + MINUTE, end: later + 2 * MINUTE }, false, beyond)
        .and_then(|_| writer.finish());
    assert!(refused.unwrap_err().to_string().contains("the count of key \"a\" passes 2^64 - 1"));
}

#[test]
fn filters_keep_what_they_say() {
    let truth = some_days(21, 10 * MINUTE, 2, 300, 5000);
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    let (from, to) = (NEW_YEAR + HOUR, NEW_YEAR + 2 * DAY);
    for (prefix, pattern) in
        [(Some("key-1"), None), (None, Some("7$")), (Some("key-2"), Some("[05]")), (Some("no"), None)]
    {
        let keep = Keep {
            prefix: prefix.map(|prefix| prefix.as_bytes().to_vec()),
            pattern: pattern.map(|pattern| regex::bytes::Regex::new(pattern).unwrap()),
        };
        let mut sum = truth.sum(from, to);
        sum.retain(|key, _| keep.keeps(key));
        let answer = answer(&store, &Query { from, to, k: 20, keep }).unwrap();
        assert_eq!(answer.rows, history::top(sum, 20));
    }
}

#[test]
fn a_key_has_its_count_and_rank() {
    let truth = some_days(22, 10 * MINUTE, 2, 200, 4000);
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    let mut random = Random(4);
    for _ in 0..60 {
        let key = format!("key-{}", random.below(320));
        let (from, to) = (NEW_YEAR + random.below(200) as i64 * 10 * MINUTE, NEW_YEAR + DAY + 33 * HOUR / 2);
        let found = Follow::new(&store, key.as_bytes()).unwrap().during(from, to).unwrap();
        let all = truth.top(from, to, usize::MAX);
        let rank = all.iter().position(|row| row.key == key.as_bytes());
        assert_eq!(found.rank, rank.map(|rank| rank as u64 + 1), "{key}");
        assert_eq!(found.count.count, rank.map_or(0, |rank| all[rank].estimate.count));
        assert!(found.trust.exact);
    }
}

#[test]
fn the_greatest_changes_against_the_interval_before() {
    let truth = some_days(23, 10 * MINUTE, 3, 200, 6000);
    let dir = tempfile::tempdir().unwrap();
    truth.write(dir.path());
    let store = open(dir.path());
    for hours in [1, 5, 24] {
        let (from, to) = (NEW_YEAR + DAY, NEW_YEAR + DAY + hours * HOUR);
        let movers = movers(&store, &Query { from, to, k: 25, ..Query::default() }).unwrap();
        let (now, before) = (truth.sum(from, to), truth.sum(from - hours * HOUR, from));
        let mut expected: Vec<_> = now
            .keys()
            .chain(before.keys())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|key| (key, now.get(key).copied().unwrap_or(0), before.get(key).copied().unwrap_or(0)))
            .filter(|(_, now, before)| now != before)
            .collect();
        expected.sort_by(|a, b| b.1.abs_diff(b.2).cmp(&a.1.abs_diff(a.2)).then(a.0.cmp(b.0)));
        let found: Vec<_> = movers.rows.iter().map(|row| (&row.key, row.now.count, row.before.count)).collect();
        assert_eq!(found, expected[..25.min(expected.len())]);
        assert!(movers.trust.exact);
    }
}
