//! The rule of time as a plain program over lists: slow, and short enough to be seen to be right.
//!
//! The watermark of a partition at a record is the highest event time among the records before it, less the
//! out-of-orderness; before the first record there is none. A record is late for a window whose end the watermark has
//! reached. When it has reached the end plus the allowed lateness as well, the record is rejected for that window;
//! otherwise it counts in the window's revision. All others are on time and count in the final rows and the revision.
#![allow(dead_code)] // every test uses its part

use std::collections::BTreeMap;
use std::fmt::Write;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    pub key: String,
    pub weight: u64,
}

/// One input; its order counts.
pub type Partition = Vec<Event>;

/// The options that decide results, times in milliseconds.
#[derive(Clone, Debug)]
pub struct Rule {
    pub lengths: Vec<i64>,
    pub out_of_orderness: i64,
    pub allowed_lateness: i64,
    pub k: usize,
}

/// Windows come by end, then start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    end: i64,
    start: i64,
}

type Counts = BTreeMap<String, u64>;

/// What a run must print, however it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// All final rows as NDJSON, in their order.
    pub finals: String,
    /// The rows of the last revision of every window that has one, by the window's start and end.
    pub last_revisions: BTreeMap<(String, String), String>,
}

/// What a run must come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub results: Results,
    /// How many records are rejected as late, by window length.
    pub late: Vec<u64>,
    pub events: u64,
}

/// Applies the rule.
pub fn answer(rule: &Rule, partitions: &[Partition]) -> Answer {
    let mut on_time = BTreeMap::<Window, Counts>::new();
    let mut late = BTreeMap::<Window, Counts>::new();
    let mut rejected = vec![0; rule.lengths.len()];
    for partition in partitions {
        let mut highest = None;
        for event in partition {
            let watermark = highest.map(|time: i64| time - rule.out_of_orderness);
            let reached = |time: i64| watermark.is_some_and(|watermark| time <= watermark);
            for (length, rejected) in rule.lengths.iter().zip(&mut rejected) {
                let start = event.time.div_euclid(*length) * length;
                let window = Window { end: start + length, start };
                let counts = match () {
                    () if !reached(window.end) => &mut on_time,
                    () if !reached(window.end + rule.allowed_lateness) => &mut late,
                    () => {
                        *rejected += 1;
                        continue;
                    }
                };
                *counts.entry(window).or_default().entry(event.key.clone()).or_default() += event.weight;
            }
            highest = highest.max(Some(event.time));
        }
    }
    let results = Results {
        finals: on_time.iter().map(|(window, counts)| rows(window, "final", counts, rule.k)).collect(),
        last_revisions: last_revisions(&on_time, late, rule.k),
    };
    Answer { results, late: rejected, events: partitions.iter().map(|partition| partition.len() as u64).sum() }
}

/// Windows with late records, each with what was on time, too.
fn last_revisions(
    on_time: &BTreeMap<Window, Counts>,
    late: BTreeMap<Window, Counts>,
    k: usize,
) -> BTreeMap<(String, String), String> {
    let mut revisions = BTreeMap::new();
    for (window, mut counts) in late {
        for (key, count) in on_time.get(&window).into_iter().flatten() {
            *counts.entry(key.clone()).or_default() += count;
        }
        if k > 0 {
            revisions.insert((rfc3339(window.start), rfc3339(window.end)), rows(&window, "revised", &counts, k));
        }
    }
    revisions
}

/// The k highest counts, equal ones by key, as NDJSON.
fn rows(window: &Window, state: &str, counts: &Counts, k: usize) -> String {
    let total: u64 = counts.values().sum();
    let mut ranked: Vec<(&String, &u64)> = counts.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.as_bytes().cmp(b.0.as_bytes())));
    let mut text = String::new();
    for (rank, (key, count)) in (1..).zip(ranked).take(k) {
        let (start, end) = (rfc3339(window.start), rfc3339(window.end));
        let (key, share) = (serde_json::json!(key), serde_json::json!(share(*count, total)));
        writeln!(
            text,
            r#"{{"window_start":"{start}","window_end":"{end}","state":"{state}","rank":{rank},"key":{key},"count":{count},"low":{count},"high":{count},"share":{share},"confidence":1.0,"certified":true}}"#
        )
        .expect("memory can be written to");
    }
    text
}

/// Rounded to six decimals.
fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (count as f64 / total as f64 * 1e6).round() / 1e6 }
}

/// With milliseconds where there are some.
fn rfc3339(time: i64) -> String {
    let text = jiff::Timestamp::from_millisecond(time).expect("a year up to 9999").strftime("%Y-%m-%dT%H:%M:%S");
    match time.rem_euclid(1000) {
        0 => format!("{text}Z"),
        millis => format!("{text}.{millis:03}Z"),
    }
}
