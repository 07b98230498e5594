//! Windows that overlap, `--every`, against the rule as a plain program over a list.
#![allow(clippy::unwrap_used)]

mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use run::hitters;

const MINUTE: i64 = 60_000;
const SPANS: [i64; 2] = [2, 5];
const OUT_OF_ORDERNESS: i64 = 1000;
const ALLOWED_LATENESS: i64 = 2 * MINUTE;
const K: usize = 4;

/// Time and key.
type Event = (i64, String);
/// Start, end, rank, key and count.
type Row = (i64, i64, usize, String, u64);

/// Half an hour and, after a silence, some more; some events come up to five minutes late.
fn events() -> Vec<Event> {
    let mut state = 7u64;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut now = 1_767_225_600_000;
    (0..4000)
        .map(|number| {
            now += if number == 3000 { 11 * MINUTE } else { below(1200) as i64 };
            let late = if below(20) == 0 { below(300_000) as i64 } else { 0 };
            let key = below(8) * below(8);
            (now - late, format!("key-{key}"))
        })
        .collect()
}

#[derive(Debug, Default, PartialEq)]
struct Results {
    finals: Vec<Row>,
    /// By end and start.
    last_revisions: BTreeMap<(i64, i64), Vec<Row>>,
}

/// The rule: an event is on time, late or too late for its minute, and so for all windows that the minute is in.
fn expected(events: &[Event]) -> Results {
    let (mut on_time, mut with_late) = (BTreeMap::new(), BTreeMap::new());
    let mut revised = BTreeSet::new();
    let mut highest = i64::MIN;
    for (time, key) in events {
        let watermark = highest.saturating_sub(OUT_OF_ORDERNESS);
        let minute = time.div_euclid(MINUTE) * MINUTE;
        let end = minute + MINUTE;
        for span in SPANS.iter().filter(|_| end + ALLOWED_LATENESS > watermark) {
            for window in (0..*span).map(|later| (end + later * MINUTE, end + (later - span) * MINUTE)) {
                let count = |counts: &mut BTreeMap<(i64, i64), BTreeMap<String, u64>>| {
                    *counts.entry(window).or_default().entry(key.clone()).or_default() += 1;
                };
                count(&mut with_late);
                if end > watermark {
                    count(&mut on_time);
                } else {
                    revised.insert(window);
                }
            }
        }
        highest = highest.max(*time);
    }
    let rows = |((end, start), counts): ((i64, i64), &BTreeMap<String, u64>)| {
        let mut ranked: Vec<_> = counts.iter().collect();
        ranked.sort_by_key(|(key, count)| (std::cmp::Reverse(**count), key.as_bytes()));
        let row = move |(rank, (key, count)): (usize, (&String, &u64))| (start, end, rank, key.clone(), *count);
        (1..).zip(ranked).take(K).map(row).collect::<Vec<_>>()
    };
    let last_revisions = revised.into_iter().map(|window| (window, rows((window, &with_late[&window]))));
    Results {
        finals: on_time.iter().flat_map(|(window, counts)| rows((*window, counts))).collect(),
        last_revisions: last_revisions.collect(),
    }
}

fn found(printed: &str) -> Results {
    let mut results = Results::default();
    for line in printed.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = |name: &str| row[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (start, end) = (time("window_start"), time("window_end"));
        let rank = row["rank"].as_u64().unwrap() as usize;
        assert!(row["low"] == row["count"] && row["high"] == row["count"], "few keys are counted exactly: {line}");
        let found = (start, end, rank, row["key"].as_str().unwrap().into(), row["count"].as_u64().unwrap());
        match row["state"].as_str().unwrap() {
            "final" => results.finals.push(found),
            "revised" => {
                let rows = results.last_revisions.entry((end, start)).or_default();
                if rank == 1 {
                    rows.clear();
                }
                rows.push(found);
            }
            state => assert_eq!(state, "early"),
        }
    }
    results
}

#[test]
fn every_minute_gives_the_best_of_the_last_five() {
    let directory = tempfile::tempdir().unwrap();
    let (events, path) = (events(), directory.path().join("events.csv"));
    let mut csv = String::from("ts,key\n");
    events.iter().for_each(|(time, key)| writeln!(csv, "{time},{key}").unwrap());
    std::fs::write(&path, csv).unwrap();
    let expected = expected(&events);
    assert!(expected.last_revisions.len() > 20 && expected.finals.len() > 300, "a stream that tests revisions");
    for workers in ["1", "3"] {
        let options = "run --mode approx --window 5m,2m --every 1m --early 50ms -o ndjson --out-of-orderness 1s";
        let rest = ["--allowed-lateness", "2m", "-k", "4", "--block-size", "5000", "-w", workers];
        let done = hitters(options.split(' ').chain(rest)).and(&[path.as_os_str()]).go().ends(0);
        assert_eq!(found(done.text()), expected, "on {workers} workers");
    }
}
