//! What a store costs and how fast it answers: `cargo bench --bench history`.
//!
//! Counts of 30 days by the minute are drawn (Zipf with drift, 1 million keys), written, and asked 1,000 random intervals
//! of whole minutes; each answer is compared with sums taken from the counts as they were drawn. `--days 3`, `--keys 100k`,
//! `--a-minute 6944`, `--skew 0`, `--queries 1000`, `--store DIR` (kept, and used again when it is there). The same
//! intervals are asked over HTTP, `--rate 200` a second for `--seconds 20`. `--duckdb PYTHON` asks DuckDB too, over the
//! Parquet export and over the SQLite tables, with a Python that has it:
//!
//! ```sh
//! python3 -m venv peers && peers/bin/pip install duckdb duckdb-extensions duckdb-extension-sqlite-scanner
//! cargo bench --bench history -- --duckdb peers/bin/python
//! ```

#[path = "history/duckdb.rs"]
mod duckdb;
#[path = "history/over_http.rs"]
mod over_http;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hitters::quantity;
use hitters::query::{Query, answer};
use hitters::store::reader::Store;
use hitters::store::verify::verify;
use hitters::store::writer::Writer;
use hitters_dataflows::ranking::Window;

const MINUTE: i64 = 60_000;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;
const K: usize = 100;
/// How long windows wait to be published together, in windows.
const GROUP: i64 = 64;

struct Options {
    days: i64,
    keys: u32,
    a_minute: u32,
    skew: f64,
    queries: usize,
    rate: u32,
    seconds: u32,
    store: Option<PathBuf>,
    duckdb: Option<String>,
}

fn main() {
    let options = options();
    let scratch = tempfile::tempdir().expect("a directory for the store");
    let dir = options.store.clone().unwrap_or_else(|| scratch.path().join("store"));
    let drawn = Drawn::new(&options);
    if !dir.exists() {
        write(&dir, &options, &drawn);
    }
    report_size(&dir);
    over_http::ask(&dir, &intervals(&options), K, options.rate, options.seconds);
    ask(&dir, &options, &drawn);
}

fn options() -> Options {
    let typed: Vec<String> = std::env::args().collect();
    let value = |name: &str| typed.iter().position(|a| a == name).map(|at| typed[at + 1].as_str());
    let number = |name: &str, otherwise: u64| value(name).map_or(otherwise, |v| quantity::number(v).expect("a number"));
    Options {
        days: number("--days", 30) as i64,
        keys: number("--keys", 1_000_000) as u32,
        a_minute: number("--a-minute", 6944) as u32,
        skew: value("--skew").map_or(1.0, |v| v.parse().expect("--skew takes a number")),
        queries: number("--queries", 1000) as usize,
        rate: number("--rate", 200) as u32,
        seconds: number("--seconds", 20) as u32,
        store: value("--store").map(PathBuf::from),
        duckdb: value("--duckdb").map(String::from),
    }
}

/// The counts of all minutes, drawn when they are wanted: minute m is always the same.
struct Drawn {
    /// Running sums of the weights of ranks, of 2^32.
    until: Vec<u32>,
    /// For every 2^16th of the sum the first rank that may hold it.
    guide: Vec<u32>,
    keys: u32,
    a_minute: u32,
    minutes: i64,
}

impl Drawn {
    fn new(options: &Options) -> Self {
        let weights = (1..=options.keys).map(|rank| f64::from(rank).powf(-options.skew));
        let total: f64 = weights.clone().sum();
        let mut sum = 0.0;
        let until: Vec<u32> = weights
            .map(|weight| {
                sum += weight / total;
                (sum * 4_294_967_295.0) as u32
            })
            .collect();
        let guide =
            (0..=65_536u64).map(|at| until.partition_point(|&until| u64::from(until) < at << 16) as u32).collect();
        Drawn { until, guide, keys: options.keys, a_minute: options.a_minute, minutes: options.days * 1440 }
    }

    /// Calls `each` with the key of every event of a minute.
    fn minute(&self, minute: i64, mut each: impl FnMut(u32)) {
        let mut state = (minute as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // A fifth of the ranks change places with colder ones over the whole time, each pair at its own moment.
        let moved = (minute as f64 / self.minutes as f64 * 0.2 * 65_536.0) as u32;
        let half = self.keys / 2;
        for _ in 0..self.a_minute {
            state = mixed(state);
            let place = (state >> 32) as u32;
            let (from, to) = (self.guide[place as usize >> 16], self.guide[(place as usize >> 16) + 1]);
            let among = &self.until[from as usize..(to as usize + 1).min(self.until.len())];
            let rank = (from + among.partition_point(|&until| until < place) as u32).min(self.keys - 1);
            let pair = rank % half.max(1);
            let is_moved = mixed(u64::from(pair)) as u32 & 0xffff < moved && rank < 2 * half;
            each(if is_moved { (rank + half) % (2 * half) } else { rank });
        }
    }
}

fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Names like those of `hitters generate`, in no order.
fn name(key: u32) -> String {
    format!("video-{}", (u64::from(key) * 618_033_989 + 640_772_448) % 1_000_000_000)
}

fn write(dir: &Path, options: &Options, drawn: &Drawn) {
    let began = Instant::now();
    let names: Vec<String> = (0..options.keys).map(name).collect();
    let mut writer = Writer::open(dir, MINUTE).expect("a new store");
    let mut counts = vec![0u64; options.keys as usize];
    let (mut touched, mut pairs, mut spent) = (Vec::new(), 0u64, Duration::ZERO);
    for minute in 0..drawn.minutes {
        drawn.minute(minute, |key| {
            counts[key as usize] += 1;
            if counts[key as usize] == 1 {
                touched.push(key);
            }
        });
        pairs += touched.len() as u64;
        let start = START + minute * MINUTE;
        let put = Instant::now();
        let rows = touched.iter().map(|&key| (names[key as usize].as_bytes(), counts[key as usize]));
        writer.put(Window { start, end: start + MINUTE }, false, rows).expect("room for the window");
        if minute % GROUP == GROUP - 1 {
            writer.publish().expect("room for the windows");
        }
        spent += put.elapsed();
        touched.drain(..).for_each(|key| counts[key as usize] = 0);
    }
    let finish = Instant::now();
    writer.finish().expect("room for the rest");
    spent += finish.elapsed();
    let events = drawn.minutes as u64 * u64::from(options.a_minute);
    println!(
        "drawn and written in {:.1} s: {events} events, {pairs} (minute, key) pairs",
        began.elapsed().as_secs_f64()
    );
    println!(
        "writing alone {:.1} s: {:.0} ns a pair, {:.0} ns an event",
        spent.as_secs_f64(),
        spent.as_nanos() as f64 / pairs as f64,
        spent.as_nanos() as f64 / events as f64
    );
}

fn report_size(dir: &Path) {
    let store = Store::open(dir, 64 << 20).expect("a store");
    let catalog = store.catalog().expect("a catalog");
    let pairs: u64 = catalog.all(0).map(|window| u64::from(window.keys)).sum();
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut all = size(dir.join("manifest"));
    println!("{:10} {:>9} {:>12} {:>8}", "level", "windows", "MB", "B/entry");
    for level in 0..catalog.levels().count() {
        let bytes: u64 = catalog.all(level).map(|window| window.length).sum();
        let entries: u64 = catalog.all(level).map(|window| u64::from(window.keys)).sum();
        all += bytes;
        let (name, windows) = (catalog.levels().name(level), catalog.count(level));
        println!("{name:10} {windows:>9} {:>12.1} {:>8.2}", bytes as f64 / 1e6, bytes as f64 / entries as f64);
    }
    println!(
        "manifest and segments: {:.2} bytes a (minute, key) pair; the dictionary: {:.1} MB, {} keys",
        all as f64 / pairs as f64,
        size(dir.join("keys")) as f64 / 1e6,
        catalog.keys()
    );
    let began = Instant::now();
    let report = verify(&store).expect("a store");
    println!("verified in {:.2} s: {} damaged", began.elapsed().as_secs_f64(), report.damaged.len());
}

/// Intervals from a minute to all of the time.
fn intervals(options: &Options) -> Vec<(i64, i64)> {
    let minutes = options.days as u64 * 1440;
    let mut state = 7;
    let mut draw = |bound: u64| {
        state = mixed(state);
        state % bound
    };
    (0..options.queries)
        .map(|at| {
            // Half of the lengths are spread evenly, half over orders of magnitude.
            let length = match at % 2 {
                0 => 1 + draw(minutes),
                _ => ((minutes as f64).powf(draw(1 << 20) as f64 / (1 << 20) as f64) as u64).clamp(1, minutes),
            };
            let from = START + draw(minutes - length + 1) as i64 * MINUTE;
            (from, from + length as i64 * MINUTE)
        })
        .collect()
}

fn ask(dir: &Path, options: &Options, drawn: &Drawn) {
    let intervals = intervals(options);
    let query = |&(from, to): &(i64, i64)| Query { from, to, k: K, ..Query::default() };
    let mut cold: Vec<Duration> = intervals
        .iter()
        .step_by((intervals.len() / 100).max(1))
        .map(|interval| {
            let store = Store::open(dir, 1 << 30).expect("a store");
            let began = Instant::now();
            answer(&store, &query(interval)).expect("an answer");
            began.elapsed()
        })
        .collect();
    let opening = Instant::now();
    let store = Store::open(dir, 4 << 30).expect("a store");
    println!("opened in {:.1} ms", opening.elapsed().as_secs_f64() * 1e3);
    let mut first: Vec<Duration> =
        intervals.iter().map(|i| answer(&store, &query(i)).expect("an answer").effort.elapsed).collect();
    let answers: Vec<_> = intervals.iter().map(|i| answer(&store, &query(i)).expect("an answer")).collect();
    let mut warm: Vec<Duration> = answers.iter().map(|answer| answer.effort.elapsed).collect();
    let warm_in_order = warm.clone();
    for (what, times) in [("cold", &mut cold), ("first round", &mut first), ("warm", &mut warm)] {
        report_times(what, times);
    }
    by_length(&intervals, &warm_in_order);
    let mut work: Vec<_> = answers.iter().map(|a| (a.effort.elapsed, a.effort.work, a.effort.segments)).collect();
    work.sort_by_key(|(elapsed, ..)| *elapsed);
    for at in [work.len() / 2, work.len() - 1] {
        println!("{:?}", work[at]);
    }
    let exact = answers.iter().filter(|answer| answer.trust.exact).count();
    println!("{exact} of {} answers are marked exact", answers.len());
    compare(&intervals, &answers, options, drawn);
    if let Some(python) = &options.duckdb {
        duckdb::ask(python, dir, &intervals, &answers, K);
    }
}

/// Percentiles in one line.
fn report_times(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let [half, most, nearly_all, all] = [0.5, 0.9, 0.99, 1.0].map(at);
    println!("{what:12} p50 {half:.2} ms  p90 {most:.2}  p99 {nearly_all:.2}  max {all:.2}  ({} queries)", times.len());
}

/// The median by how long intervals are.
fn by_length(intervals: &[(i64, i64)], times: &[Duration]) {
    let hour = 60 * MINUTE;
    for (what, from, to) in [("to 1 h", 0, hour), ("to 1 d", hour, 24 * hour), ("above", 24 * hour, i64::MAX)] {
        let among = intervals.iter().zip(times).filter(|((a, b), _)| (from + 1..=to).contains(&(b - a)));
        let mut times: Vec<Duration> = among.map(|(_, &time)| time).collect();
        times.sort();
        let median = times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let last = times.last().map_or(0.0, |time| time.as_secs_f64() * 1e3);
        println!("  intervals {what:8} p50 {median:.2} ms  max {last:.2}  ({} queries)", times.len());
    }
}

/// Compares every answer with sums over the counts as drawn, minute by minute. Takes 4 bytes a key for each interval that
/// has begun and not ended: up to 2 GB for a thousand of a million keys.
fn compare(intervals: &[(i64, i64)], answers: &[hitters::query::Answer], options: &Options, drawn: &Drawn) {
    let began = Instant::now();
    // Totals before each end of an interval; the difference of two is an interval's. In order of time, so one sum does.
    let mut ends: Vec<(i64, usize, bool)> = Vec::new();
    for (at, (from, to)) in intervals.iter().enumerate() {
        ends.push(((from - START) / MINUTE, at, false));
        ends.push(((to - START) / MINUTE, at, true));
    }
    ends.sort_unstable();
    let mut sums = vec![0u32; options.keys as usize];
    let mut before: std::collections::HashMap<usize, Vec<u32>> = std::collections::HashMap::new();
    let (mut minute, mut equal, mut compared) = (0, 0, 0);
    for (end, at, is_end) in ends {
        while minute < end {
            drawn.minute(minute, |key| sums[key as usize] += 1);
            minute += 1;
        }
        if !is_end {
            before.insert(at, sums.clone());
            continue;
        }
        let Some(before) = before.remove(&at) else { continue };
        let mut totals: Vec<(u32, u32)> = (0..).zip(sums.iter().zip(&before).map(|(a, b)| a - b)).collect();
        totals.retain(|(_, count)| *count > 0);
        if totals.len() > K {
            totals.select_nth_unstable_by(K - 1, |a, b| b.1.cmp(&a.1));
            let last = totals[K - 1].1;
            totals.retain(|(_, count)| *count >= last);
        }
        let mut expected: Vec<(String, u64)> = totals.iter().map(|&(key, count)| (name(key), count.into())).collect();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(K);
        let found =
            answers[at].rows.iter().map(|row| (String::from_utf8_lossy(&row.key).into_owned(), row.estimate.count));
        equal += usize::from(found.eq(expected));
        compared += 1;
    }
    println!(
        "{equal} of {compared} answers compared are equal to sums over all events ({:.0} s)",
        began.elapsed().as_secs_f64()
    );
}
