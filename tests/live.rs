//! What a running job knows and what its store holds, asked together: bounds hold, and what is called exact or certified
//! is true, whichever windows are stored, closed or open.
#![allow(clippy::unwrap_used)]

mod history;

use std::sync::Arc;

use history::{Counts, MINUTE, NEW_YEAR, Random, Truth, top};
use hitters::meters::Meters;
use hitters::query::Query;
use hitters::query::history::History;
use hitters::query::live::{Knows, Live};
use hitters::store::writer::Writer;
use hitters_dataflows::ranking::{Estimate, Ranking, State, Window};

const WINDOWS: i64 = 40;
const K: usize = 6;

fn truth(random: &mut Random) -> Truth {
    let mut truth = Truth::new(MINUTE);
    let keys = 3 + random.below(12);
    for _ in 0..random.below(600) + 100 {
        let start = NEW_YEAR + random.below(WINDOWS as u64) as i64 * MINUTE;
        truth.add(start, &format!("key-{}", random.skewed(keys)), random.below(9) + 1);
    }
    truth
}

/// The ranking of a window as a job tells it: with bounds that hold when it is open, and the rows that those allow.
fn ranking(random: &mut Random, start: i64, counts: &Counts, open: bool) -> Ranking {
    let total = counts.values().map(|&count| u128::from(count)).sum();
    let mut rows = top(counts.clone(), K);
    if open {
        let hidden = |key: &[u8], rows: &[hitters_dataflows::ranking::Row]| !rows.iter().any(|row| row.key == key);
        for row in &mut rows {
            let count = row.estimate.count;
            let (low, high) = (count - random.below(count.min(4)), count + random.below(4));
            row.estimate = Estimate { count: low.midpoint(high), low, high };
        }
        let highest = counts.iter().filter(|(key, _)| hidden(key, &rows)).map(|(_, count)| *count).max().unwrap_or(0);
        rows.iter_mut().for_each(|row| row.certified = row.estimate.low > highest);
    }
    let window = Window { start, end: start + MINUTE };
    Ranking { window, state: if open { State::Early } else { State::Final }, total, confidence: 1.0, rows }
}

/// A job that has stored the first windows, closed some more, and has the rest open.
fn job(random: &mut Random, truth: &Truth, dir: &std::path::Path) -> (History, i64) {
    let stored = NEW_YEAR + random.below(WINDOWS as u64) as i64 * MINUTE;
    let open = stored + random.below(6) as i64 * MINUTE;
    let live = Arc::new(Live::new(MINUTE, Knows::Open, Arc::new(Meters::new(1))));
    let mut writer = Writer::open(dir, MINUTE).unwrap();
    for (&start, counts) in &truth.windows {
        live.take(Arc::new(ranking(random, start, counts, start >= open)));
        if start < stored {
            history::put(&mut writer, start, MINUTE, counts);
        }
    }
    writer.finish().unwrap();
    // The job hears of it late, or in time.
    if random.below(2) == 0 {
        live.stored(stored);
    }
    (History::of_job(live, Some(history::open(dir))), open)
}

#[test]
fn bounds_hold_and_certainty_is_true() {
    let (mut exact, mut certified, mut rows) = (0, 0, 0);
    for seed in 0..60 {
        let random = &mut Random(seed);
        let (dir, truth) = (tempfile::tempdir().unwrap(), truth(random));
        let (history, open) = job(random, &truth, dir.path());
        for _ in 0..12 {
            let from = NEW_YEAR + random.below(WINDOWS as u64) as i64 * MINUTE;
            let to = from + random.below(WINDOWS as u64) as i64 * MINUTE;
            let k = 1 + random.below(8) as usize;
            let found = history.top(&Query { from, to, k, ..Query::default() }).unwrap();
            let (sums, expected) = (truth.sum(from, to), truth.top(from, to, k));
            assert_eq!(found.total, sums.values().map(|&count| u128::from(count)).sum::<u128>(), "seed {seed}");
            for row in &found.rows {
                let count = sums.get(&row.key).copied().unwrap_or(0);
                let Estimate { low, high, .. } = row.estimate;
                assert!(low <= count && count <= high, "seed {seed}: {count} of {row:?}");
                assert!(!row.certified || expected.iter().any(|other| other.key == row.key), "seed {seed}: {row:?}");
            }
            if found.trust.exact {
                assert!(to <= open, "what is open is not exact");
                let [found, expected] = [&found.rows, &expected]
                    .map(|rows| rows.iter().map(|row| (row.key.clone(), row.estimate)).collect::<Vec<_>>());
                assert_eq!(found, expected, "seed {seed}");
            }
            exact += usize::from(found.trust.exact);
            certified += found.rows.iter().filter(|row| row.certified).count();
            rows += found.rows.len();
            let key = format!("key-{}", random.below(15));
            let followed = history.follow(key.as_bytes()).unwrap().during(from, to).unwrap();
            let count = sums.get(key.as_bytes()).copied().unwrap_or(0);
            assert!((followed.count.low..=followed.count.high).contains(&count), "seed {seed}: {followed:?}");
            assert!(!followed.trust.exact || followed.count == Estimate::exact(count), "seed {seed}: {followed:?}");
        }
    }
    // Not because nothing is ever promised.
    assert!(exact > 100 && certified * 3 > rows, "{exact} exact, {certified} of {rows} rows certified");
}

#[test]
fn the_last_row_is_certified_when_the_open_window_cannot_move_it() {
    let (dir, mut truth) = (tempfile::tempdir().unwrap(), Truth::new(MINUTE));
    let open = NEW_YEAR + MINUTE;
    for (start, key, count) in [(NEW_YEAR, "a", 50), (NEW_YEAR, "b", 40), (NEW_YEAR, "c", 30), (open, "c", 3)] {
        truth.add(start, key, count);
    }
    let live = Arc::new(Live::new(MINUTE, Knows::Open, Arc::new(Meters::new(1))));
    let mut writer = Writer::open(dir.path(), MINUTE).unwrap();
    history::put(&mut writer, NEW_YEAR, MINUTE, &truth.windows[&NEW_YEAR]);
    writer.finish().unwrap();
    live.take(Arc::new(ranking(&mut Random(0), open, &truth.windows[&open], true)));
    let history = History::of_job(live, Some(history::open(dir.path())));
    let certified = |k| {
        let found = history.top(&Query { from: NEW_YEAR, to: open + MINUTE, k, ..Query::default() }).unwrap();
        found.rows.iter().map(|row| (row.key[0], row.certified)).collect::<Vec<_>>()
    };
    assert_eq!(certified(0), []);
    assert_eq!(certified(1), [(b'a', true)]);
    assert_eq!(certified(2), [(b'a', true), (b'b', true)]);
}
