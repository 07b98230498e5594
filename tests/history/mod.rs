//! Stores of known contents, and what is true of them by plain addition.
#![allow(dead_code, clippy::unwrap_used)] // every test uses its part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hitters::store::reader::Store;
use hitters::store::writer::Writer;
use hitters_dataflows::ranking::{Estimate, Row, Window};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// 2026-01-01T00:00:00Z.
pub const NEW_YEAR: i64 = 1_767_225_600_000;

pub type Counts = BTreeMap<Vec<u8>, u64>;

/// The counts of every window, by start.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub length: i64,
    pub windows: BTreeMap<i64, Counts>,
}

impl Truth {
    pub fn new(length: i64) -> Self {
        Truth { length, windows: BTreeMap::new() }
    }

    pub fn add(&mut self, start: i64, key: &str, count: u64) {
        *self.windows.entry(start).or_default().entry(key.into()).or_default() += count;
    }

    /// Puts all windows into the store, in order, published every `group` windows.
    pub fn put(&self, writer: &mut Writer, group: usize) {
        for (at, (&start, counts)) in self.windows.iter().enumerate() {
            put(writer, start, self.length, counts);
            if at % group == group - 1 {
                writer.publish().unwrap();
            }
        }
    }

    pub fn write(&self, dir: &Path) {
        let mut writer = Writer::open(dir, self.length).unwrap();
        self.put(&mut writer, 7);
        writer.finish().unwrap();
    }

    pub fn sum(&self, from: i64, to: i64) -> Counts {
        let mut sum = Counts::new();
        for counts in self.windows.range(from..to.max(from)).map(|(_, counts)| counts) {
            counts.iter().for_each(|(key, count)| *sum.entry(key.clone()).or_default() += count);
        }
        sum
    }

    pub fn top(&self, from: i64, to: i64, k: usize) -> Vec<Row> {
        top(self.sum(from, to), k)
    }
}

pub fn top(counts: Counts, k: usize) -> Vec<Row> {
    let mut rows: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.truncate(k);
    rows.into_iter().map(|(key, count)| Row { key, estimate: Estimate::exact(count), certified: true }).collect()
}

pub fn put(writer: &mut Writer, start: i64, length: i64, counts: &Counts) {
    let counts = counts.iter().map(|(key, count)| (key.as_slice(), *count));
    writer.put(Window { start, end: start + length }, false, counts).unwrap();
}

pub fn open(dir: &Path) -> Store {
    Store::open(dir, 64 << 20).unwrap()
}

/// Every file below a directory with its bytes, but for those that are made from the others.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if ![".sqlite", ".lookup"].iter().any(|made| path.to_string_lossy().contains(made)) {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// As [`files`], with paths from the directory.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|(path, bytes)| (path.strip_prefix(dir).unwrap().to_path_buf(), bytes)).collect()
}

/// Random numbers for tests (SplitMix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Skewed: small numbers are more frequent.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let bound = self.below(bound) + 1;
        let bound = self.below(bound) + 1;
        self.below(bound)
    }
}

/// Windows spread over some days, thicker and thinner, with `keys` keys that come and go.
pub fn some_days(seed: u64, length: i64, days: i64, keys: u64, events: u64) -> Truth {
    let (mut random, mut truth) = (Random(seed), Truth::new(length));
    let windows = (days * DAY / length).max(1) as u64;
    for _ in 0..events {
        let at = random.below(windows);
        // Some stretches of time are empty.
        if at * 13 / windows % 5 == 3 {
            continue;
        }
        let key = random.skewed(keys) + at * keys / windows / 3;
        let count = if random.below(50) == 0 { random.next() >> 20 } else { random.below(5) + 1 };
        let start = (NEW_YEAR.div_euclid(length) + at as i64) * length;
        truth.add(start, &format!("key-{key}"), count);
    }
    truth
}

/// Three days by five minutes.
pub fn three_days() -> Truth {
    some_days(11, 5 * MINUTE, 3, 400, 5000)
}
