//! The events of one block, and the records that gave none.

use std::ops::RangeInclusive;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

use crate::time::First;

/// The longest record that is read, in bytes. A longer one is rejected as [`Reason::TooLong`].
pub const MAX_RECORD: usize = 1 << 20;

/// How many bytes a record can have with its newline, `\n` or `\r\n`. What has not ended by then is too long and goes on
/// to the next newline, quoted or not, so that a quote that nothing closes costs no more than that.
pub const MAX_RECORD_LINE: usize = MAX_RECORD + 2;

/// The longest key that is counted, in bytes. A longer one is rejected as [`Reason::TooLong`].
pub const MAX_KEY: usize = 64 << 10;

/// Why a record gave no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The bytes are not a record of the format.
    Malformed,
    /// A field that was asked for is not in the record.
    MissingField,
    /// The time field is there and cannot be read as a time.
    BadTime,
    /// The weight field is there and is not a whole number from 0 to 2^64 - 1.
    BadWeight,
    /// The window of the record's time was past the allowed lateness.
    Late,
    /// The record's time is further ahead of the clock than allowed.
    Future,
    /// The record is over [`MAX_RECORD`] or its key over [`MAX_KEY`].
    TooLong,
}

impl Reason {
    /// All reasons, in the order in which reports list them.
    pub const ALL: [Reason; 7] = [
        Reason::Malformed,
        Reason::MissingField,
        Reason::BadTime,
        Reason::BadWeight,
        Reason::Late,
        Reason::Future,
        Reason::TooLong,
    ];

    /// The reason in the words of reports and of the rejects file.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::MissingField => "missing field",
            Reason::BadTime => "bad time",
            Reason::BadWeight => "bad weight",
            Reason::Late => "late",
            Reason::Future => "future",
            Reason::TooLong => "too long",
        }
    }
}

/// A record that gave no event, or an event that came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where the record starts, in bytes from the start of its block.
    pub at: u32,
    /// Why.
    pub why: Reason,
}

/// One event, borrowed from its [`Events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Event time in milliseconds since the Unix epoch.
    pub time: i64,
    /// How much the event adds to its key's count.
    pub weight: u64,
    /// The seeded hash of `key`.
    pub hash: u64,
    /// What is counted: any bytes.
    pub key: &'a [u8],
    /// Where the event's record starts, in bytes from the start of its block.
    pub at: u32,
}

/// One event as it is kept.
#[derive(Clone, Copy, Debug)]
struct Row {
    time: i64,
    hash: u64,
    record: u32,
    /// Where its key starts: in the block, or from the block's length on among the keys that do not stand in it.
    key: u32,
    key_length: u32,
}

/// The events of one block, in the order of their records, beside the records that were rejected. A key that stands in
/// the block as it is stays there; only one that does not is copied.
#[derive(Debug)]
pub struct Events {
    rows: Vec<Row>,
    /// The weights of rows, at least up to the last that is not 1.
    weights: Vec<u64>,
    /// Keys that do not stand in the block.
    keys: Vec<u8>,
    rejected: Vec<Rejected>,
    secrets: RapidSecrets,
    /// The address of the block's first byte, and the block's length.
    block_start: usize,
    block_length: usize,
    arrival: i64,
    latest: i64,
    /// The lowest and the highest event time.
    lowest: i64,
    highest: i64,
    last_time: First,
}

impl Events {
    /// An empty batch whose key hashes use `seed`; all workers and processes of a run share one seed.
    pub fn new(seed: u64) -> Self {
        Events {
            rows: Vec::new(),
            weights: Vec::new(),
            keys: Vec::new(),
            rejected: Vec::new(),
            secrets: RapidSecrets::seed(seed),
            block_start: 0,
            block_length: 0,
            arrival: 0,
            latest: i64::MAX,
            lowest: i64::MAX,
            highest: i64::MIN,
            last_time: First::default(),
        }
    }

    /// Empties the batch for the records of `block`: those without a time field happen at `arrival`, and those after
    /// `latest` are rejected as [`Reason::Future`] (both in milliseconds since the Unix epoch).
    pub fn begin(&mut self, block: &[u8], arrival: i64, latest: i64) {
        self.rows.clear();
        self.weights.clear();
        self.keys.clear();
        self.rejected.clear();
        (self.block_start, self.block_length) = (block.as_ptr().addr(), block.len());
        (self.arrival, self.latest) = (arrival, latest);
        (self.lowest, self.highest) = (i64::MAX, i64::MIN);
    }

    /// The time given to records that carry none.
    pub fn arrival(&self) -> i64 {
        self.arrival
    }

    /// The latest time that is accepted.
    pub(crate) fn latest(&self) -> i64 {
        self.latest
    }

    /// What the next time may have in common with the last.
    pub(crate) fn last_time(&mut self) -> &mut First {
        &mut self.last_time
    }

    /// Adds the event of the record that starts at `at`, or rejects it when its time is beyond the latest accepted
    /// one or its key is over [`MAX_KEY`]. O(key length).
    #[inline(always)]
    pub fn push(&mut self, at: usize, time: i64, weight: u64, key: &[u8]) {
        if time > self.latest {
            return self.reject(at, Reason::Future);
        }
        if key.len() > MAX_KEY {
            return self.reject(at, Reason::TooLong);
        }
        (self.lowest, self.highest) = (self.lowest.min(time), self.highest.max(time));
        if weight != 1 {
            self.weights.resize(self.rows.len(), 1);
            self.weights.push(weight);
        }
        let row = self.row(time, at as u32, key);
        self.rows.push(row);
    }

    /// Adds events as [`Events::push`] does, faster for many: their times, their weights or nothing if all are 1, and where
    /// their records start with their keys, as many of each. No time may be beyond the [latest](Events::latest) and no key
    /// over [`MAX_KEY`]. O(keys' lengths).
    #[inline(always)]
    pub(crate) fn push_all<'a>(
        &mut self,
        times: &[i64],
        weights: &[u64],
        records: impl ExactSizeIterator<Item = (u32, &'a [u8])>,
    ) {
        debug_assert_eq!(times.len(), records.len());
        self.lowest = times.iter().copied().fold(self.lowest, i64::min);
        self.highest = times.iter().copied().fold(self.highest, i64::max);
        if !weights.is_empty() {
            self.weights.resize(self.rows.len(), 1);
            self.weights.extend_from_slice(weights);
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(times.iter().zip(records).map(|(&time, (record, key))| self.row(time, record, key)));
        self.rows = rows;
    }

    #[inline(always)]
    fn row(&mut self, time: i64, record: u32, key: &[u8]) -> Row {
        let hash = rapidhash_v3_micro_inline::<true, false>(key, &self.secrets);
        Row { time, hash, record, key: self.place(key) as u32, key_length: key.len() as u32 }
    }

    /// Where a key is kept: in the block if it is a part of it.
    #[inline(always)]
    fn place(&mut self, key: &[u8]) -> usize {
        let start = key.as_ptr().addr().wrapping_sub(self.block_start);
        if start < self.block_length {
            return start;
        }
        self.keys.extend_from_slice(key);
        self.block_length + self.keys.len() - key.len()
    }

    /// Notes that the record that starts at `at` gave no event.
    #[cold]
    pub fn reject(&mut self, at: usize, why: Reason) {
        self.rejected.push(Rejected { at: at as u32, why });
    }

    /// The records that gave no event, in the order in which they were found.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the record of the `number`-th event starts, in bytes from the start of its block.
    ///
    /// # Panics
    /// When there are not that many events.
    pub fn record_of(&self, number: usize) -> u32 {
        self.rows[number].record
    }

    /// The highest event time, if there is an event.
    pub fn latest_time(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.highest)
    }

    /// The lowest and the highest event time; without events, an empty range.
    pub fn times(&self) -> RangeInclusive<i64> {
        self.lowest..=self.highest
    }

    /// The hash of the key of the `number`-th event.
    ///
    /// # Panics
    /// When there are not that many events.
    #[inline]
    pub fn hash(&self, number: usize) -> u64 {
        self.rows[number].hash
    }

    /// The `number`-th event of the `block` that was read, in the order of its records.
    ///
    /// # Panics
    /// When there are not that many events, or the block is another one.
    #[inline]
    pub fn event<'a>(&'a self, number: usize, block: &'a [u8]) -> Event<'a> {
        let Row { time, hash, record, key, key_length } = self.rows[number];
        let weight = self.weights.get(number).copied().unwrap_or(1);
        let (key, length) = (key as usize, key_length as usize);
        let key = match key.checked_sub(self.block_length) {
            Some(own) if length > 0 => &self.keys[own..][..length],
            Some(_) => &[],
            None => &block[key..][..length],
        };
        Event { time, weight, hash, key, at: record }
    }

    /// The events of the `block` that was read, in the order of their records.
    ///
    /// # Panics
    /// When the block is another one.
    pub fn iter<'a>(&'a self, block: &'a [u8]) -> impl Iterator<Item = Event<'a>> + Clone {
        (0..self.len()).map(|number| self.event(number, block))
    }
}
